"""The cells of notebooks/scorecard.ipynb; `make.py` writes it."""

from __future__ import annotations

CELLS: list[tuple[str, str]] = [
    ("md", """# Is the explanation any good?

A scorecard puts many metrics side by side, because each of them can be fooled. Here you read one, and then fool the
metrics one by one, with real maps of a real network in a world whose right answers are known.

Run the cells from top to bottom (Shift + Enter). No GPU, no network, less than a minute."""),
    ("py", """import numpy as np

import salwidgets as sw

world = sw.worlds.creatures(n=8, seed=0)
model = world.model("cnn")
METHODS = ["grad-cam", "lrp", "saliency", "guided-backprop", "eigen-cam"]
questions = [sw.why(name) for name in world.labels]
answers = sw.explain(model, world.images, questions, method=METHODS, paired=True, progress=False)


def means(table):
    \"\"\"Mean of every metric for every method.\"\"\"
    return table.summary().pivot_table(index="method", columns="metric", values="mean", sort=False).round(2)"""),
    ("md", """## 1. How to read it

* Each column says **which way is better** (↑ ↓). Bold is the best mean of its kind of question.
* In brackets stands a **95 % interval**: how far the mean would move with other images. Where intervals overlap, bold may be
  chance. With one image there is no interval, and the table says so.
* Below stands **what each metric cannot tell**, and **how far the metrics agree**. Two columns that rank the methods the
  opposite way are a finding, not an error.
* Every image is scored once, whatever asks for it: `passes` counts them."""),
    ("py", """table = sw.metrics.scorecard(model, answers, world=world, progress=False)
table"""),
    ("md", """Look at *saliency* beside *grad-cam*: better in deletion, by far worse in insertion. Anyone who reports one of
the two can make it win or lose. In the view below, pick a method, choose a curve and drag the play head: the picture beside
it is what the network saw at that point. A click on a metric sorts; the matrix at the bottom is the rank correlation between
the metrics. Keys: `,` `.` move the head, `p` plays, `n` `b` walk through the pictures. No kernel is needed."""),
    ("py", """view = sw.Scorecard(table, metric="deletion", row=2)
view"""),
    ("py", """table.agreement().loc["deletion", ["insertion", "aopc", "pgs", "truth_share"]].round(2)"""),
    ("md", """## 2. Deletion with a black fill is won by noise

Scattered black pixels are a picture that the network never saw. A map of *pixel noise*, which knows nothing, deletes
faster than the truth itself. With a blurred picture in place of black, the truth wins."""),
    ("py", """rng = np.random.default_rng(0)
made_up = []
for i, question in enumerate(questions):
    truth = world.truth(question, i).astype(float)
    for name, values in {"the truth": truth, "its inversion": 1 - truth, "pixel noise": rng.random((64, 64))}.items():
        made_up.append(sw.from_array(values, world.images[i], question, method=name))
cards = {fill: sw.metrics.scorecard(model, made_up, ["deletion", "insertion"], fill=fill, progress=False)
         for fill in ("black", "blur")}
for fill, card in cards.items():
    print(fill, means(card), sep="\\n", end="\\n\\n")"""),
    ("py", """from matplotlib.figure import Figure

figure = Figure(figsize=(8, 3), layout="constrained")
for ax, (fill, card) in zip(figure.subplots(1, 2, sharey=True), cards.items(), strict=True):
    column = card.column("deletion")
    for name in ("the truth", "its inversion", "pixel noise"):
        rows = [i for i, row in enumerate(card.rows) if row.method == name]
        ax.plot(column.curves[0], column.curves[1][rows].mean(0), label=name)
    ax.set(title=f"deletion, {fill} fill", xlabel="share of pixels hidden", ylabel="probability")
ax.legend()
figure"""),
    ("md", """## 3. A pointing game that nobody loses

A hit counts within 15 pixels of the target: sensible for photographs, a quarter of *these* pictures. Every method gets 1,
and the column says nothing. Ask for 4 pixels, and for a contrast, where only the parts that differ count."""),
    ("py", """def siblings(name):
    return [s for s in world.taxonomy.members(world.taxonomy.parent(name)) if s != name]


contrasts = [sw.why(name).rather_than(siblings(name)[0]) for name in world.labels]
rather = sw.explain(model, world.images, contrasts, method=METHODS, paired=True, progress=False)
strict = [("pointing_game", {"tolerance": 4})]
print("class, 15 pixels:   ", means(sw.metrics.scorecard(model, answers, ["pointing_game"], world=world)).T, sep="\\n")
print("contrast, 4 pixels: ", means(sw.metrics.scorecard(model, rather, strict, world=world)).T, sep="\\n")"""),
    ("md", """## 4. A map that never heard the question

*eigen-cam* is class-blind: it shows the creature, whatever is asked. Metrics that look at the object cannot notice. Those
that compare questions can: its maps for the likeliest and the least likely class are the same (class sensitivity 1)."""),
    ("py", """blind = sw.metrics.scorecard(model, rather, ["mass_in_mask", "class_sensitivity"], progress=False,
                              masks=[np.any(list(world.parts(r.input).values()), 0) for r in table.rows])
means(blind)"""),
    ("md", """*mass_in_mask* was given the outline of the whole creature here, and the blind map beats *grad-cam*. That a map
lies on the object says nothing about *why this class*."""),
    ("md", """## 5. Does the map depend on what was learnt?

A metric of faithfulness asks the network; this one takes the network apart. All weights become random, layer by layer. A
map that stays as it was (guided-backprop: near 1) draws edges of the picture, not reasons of the network. It looks best to
the eye, and to *sparseness*."""),
    ("py", """few = sw.explain(model, world.images[:3], questions[:3], method=METHODS, paired=True, progress=False)
sane = sw.metrics.scorecard(model, few, [("cascading_randomisation", {"layers": 4}), "sparseness"], progress=False)
means(sane)"""),
    ("md", """## 6. Sparseness and stability are won by maps of nothing

One pixel is the sparsest map there is, and a map that ignores the picture is perfectly stable. Such metrics are facts
about a map, to be read beside others, never alone. A constant map ranks nothing: it gets figures and a flag."""),
    ("py", """one_pixel, flat = np.zeros((64, 64)), np.ones((64, 64))
one_pixel[0, 0] = 1
silly = [sw.from_array(v, world.images[0], questions[0], method=name)
         for name, v in {"one pixel": one_pixel, "constant": flat, "the truth": world.truth(questions[0], 0) * 1.0}.items()]
sw.metrics.scorecard(model, silly, ["sparseness", "deletion", "truth_share"], world=world, progress=False)"""),
    ("md", """## 7. Another truth: the model's own

*truth_share* asks whether a map finds what the world's rule says. *effect_correlation* draws each creature again without
each part and asks whether the map finds what *this model* uses. A model with another rule has another truth, and a good map
of a bad model scores badly in the first and well in the second."""),
    ("py", """two_truths = ["truth_share", "effect_correlation"]
means(sw.metrics.scorecard(model, rather, two_truths, world=world, progress=False))"""),
    ("md", """## 8. People, and maps from elsewhere

A map of a fixation model, of captum or of a colleague is scored the same way: `sw.from_array`. Metrics of human agreement
need no network."""),
    ("py", """gaze = rng.normal(32, 9, (40, 2)).clip(0, 63)
centre = np.exp(-((np.mgrid[:64, :64] - 32) ** 2).sum(0) / 300)
theirs = [sw.from_array(values, world.images[0], method=name)
          for name, values in {"a blob in the middle": centre, "noise": rng.random((64, 64))}.items()]
print(means(sw.metrics.scorecard(None, theirs, ["auc_judd", "nss"], fixations=[gaze, gaze])))"""),
    ("md", """The blob wins: people look at the middle of pictures, whatever is there. That is what `shuffled_auc` corrects,
with the fixations on other pictures.

## 9. Keep it

Every figure as a data frame, the summary for a paper, and a figure."""),
    ("py", """from pathlib import Path

out = Path("out") / "scorecard"
out.mkdir(parents=True, exist_ok=True)
table.save(out / "table")
view.save_html(out / "scorecard.html")
(out / "table.tex").write_text(table.to_latex(), encoding="utf-8")
table.plot().savefig(out / "scorecard.pdf")
print(sw.metrics.load(out / "table"))
table.to_pandas().head()"""),
    ("md", """Which method for which question, measured on several networks: `docs/ranking.md`, and in short:"""),
    ("py", """print(sw.recommend(model, contrasts[0]))
sw.metrics.metrics()"""),
]
