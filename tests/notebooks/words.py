"""The cells of notebooks/words.ipynb; `make.py` writes it."""

from __future__ import annotations

CELLS: list[tuple[str, str]] = [
    ("md", """# Words that can be trusted

A map has to be read; a sentence is understood at once, and believed too easily. Here every sentence about a map is taken
apart into claims, and every claim is checked against the map itself: *supported*, *contradicted* or *not checkable*,
with the figure that shows it.

Run the cells from top to bottom (Shift + Enter). No GPU, no network; a language model is asked at the end, if
you have one."""),
    ("py", """import salwidgets as sw

world = sw.worlds.creatures(n=12, seed=0)
model = world.model("cnn")
image, name = world.images[2], world.labels[2]
sibling = next(s for s in world.taxonomy.members(world.taxonomy.parent(name)) if s != name)
e = sw.explain(model, image, sw.why(name).rather_than(sibling), method="occlusion", window=12, stride=4)
e.question"""),
    ("md", """## 1. The template

A template says where the evidence lies, how much of it, what speaks against the answer, and what a reader must know beside
it. Three lengths, two kinds of reader; the numbers are always those of the map."""),
    ("py", """for length in ("line", "paragraph", "report"):
    for audience in ("layperson", "expert"):
        print(f"{length}, {audience}:", sw.verbalize(e, length=length, audience=audience), sep="\\n  ", end="\\n\\n")"""),
    ("md", """What it may speak of are *units*: parts of the picture with their share of the evidence. By default they are
places or the method's own regions; name your own parts with a mask for each."""),
    ("py", """parts = world.parts(2)
named = sw.verbalize(e, units=parts)
for unit in named.brief.units[:4]:
    print(f"{unit.id}  {unit.label:12}  for {unit.supports:5.1%}  against {unit.opposes:5.1%}  area {unit.area:5.1%}")
print(named)"""),
    ("md", """## 2. Claims

Each sentence makes claims. They are checked by other code than that which wrote them, with figures computed again from the
raw map."""),
    ("py", """v = sw.verbalize(e)
for claim in v.claims:
    print(f"{claim.verdict:14} {claim.kind:10} {claim.text!r}  {claim.figure}")"""),
    ("md", """Any text can be checked, whoever wrote it. The first of these sentences is true, the second is not:"""),
    ("py", """from salwidgets.verbalization.claims import check_text

strongest = v.brief.supporting[0]
weakest = min(v.brief.units, key=lambda unit: unit.supports)
text = (f"The {strongest.label} holds {strongest.supports:.0%} of the supporting evidence. "
        f"The {weakest.label} holds 60% of the supporting evidence.")
for claim in check_text(text, e):
    print(claim.verdict, "-", claim.text, "-", claim.figure)"""),
    ("md", """## 3. A false sentence is caught

Anything with a `write` method is a writer. This one is careless. `verbalize` checks what it says; `on_false` decides what
becomes of a false sentence: `"mark"` keeps it and says so, `"drop"` leaves it out, `"retry"` tells the writer what was wrong
(twice at most) and then takes the template's text."""),
    ("py", """from salwidgets.verbalization import Draft, Sentence


class Careless:
    name = "a careless writer"

    def write(self, brief, *, length, audience, contradicted=(), on_text=None):
        best, worst = brief.supporting[0], weakest
        return Draft((
            Sentence(f"The {best.label} holds {best.supports:.0%} of the supporting evidence.", [best.id], "supports"),
            Sentence(f"The {worst.label} holds 60% of the supporting evidence.", [worst.id], "supports"),
            Sentence("It is a handsome creature.")))


for on_false in ("mark", "drop", "retry"):
    told = sw.verbalize(e, Careless(), on_false=on_false)
    print(f"{on_false}: {told}", *told.notices, sep="\\n  ", end="\\n\\n")"""),
    ("md", """## 4. Sentences and map together

Point at a sentence, or walk to it with Tab: its units light up in the map. Drag a box on the map: the sentences about it
light up. Length and reader switch in the browser, with no kernel."""),
    ("py", """heat = sw.Heatmap(e)
heat"""),
    ("py", """words = sw.Narrative(v, link=heat)
words"""),
    ("md", """The careless text, with its verdicts. A false sentence is struck out, says so in words, and
shows the figure:"""),
    ("py", """sw.Narrative(sw.verbalize(e, Careless()), link=heat)"""),
    ("md", """## 5. A language model

`LLMWriter` asks any server with the OpenAI protocol. It sends the units and their numbers, never the picture (unless
`send_image=True`). The key is read from the environment variable `OPENAI_API_KEY`; it is in no widget, notebook or page.
Whatever goes wrong ends in a message and the template's text. For a server of your own: `base_url="http://localhost:8000/v1"`."""),
    ("py", """import os

writer = sw.LLMWriter(model=os.environ.get("OPENAI_MODEL", "gpt-4o-mini"), timeout=20, retries=0)
told = sw.verbalize(e, writer, on_false="retry")
print("No text from a language model:" if told.error else f"{writer.name} wrote:", told.error or "")
print(told)
print(told.usage)"""),
    ("md", """In the widget, choose *Written by*: the text streams in, can be cancelled, and is checked like any other."""),
    ("py", """sw.Narrative(v, link=heat, writer=writer)"""),
    ("md", """## 6. Keep it

One page with map and words, linked as they are here; Markdown for a report, LaTeX for a paper."""),
    ("py", """from pathlib import Path

out = Path("out") / "words"
out.mkdir(parents=True, exist_ok=True)
sw.widgets.save_page([heat, words], out / "words.html", title=str(e.question))
words.figure().savefig(out / "words.pdf")
print(v.to_markdown(), v.to_latex(), sep="\\n\\n")"""),
]
