"""The cells of notebooks/views.ipynb; `make.py` writes it. Each view has cells of its own."""

from __future__ import annotations

from . import erasing, tree_and_depth

START: list[tuple[str, str]] = [
    ("md", """# Linked views: touch one, all answer

Every view here answers in the browser: nothing that you point at, drag or scrub waits for the kernel.
Run the cells from top to bottom (Shift + Enter). No GPU, no network."""),
    ("py", """import salwidgets as sw

world = sw.worlds.creatures(n=12, seed=0)
model = world.model("cnn")
image, name = world.images[2], world.labels[2]"""),
]

COMPARISON: list[tuple[str, str]] = [
    ("md", """## Many maps at once

Rows and columns are what the explanations differ in: here inputs and methods. Point at one map, drag on one: all
show the same place, each with its own number. Keys: arrows move the cursor, `n` `p` `j` `k` walk from map to map, `i` `o`
zoom,
`+` `-` set the threshold."""),
    ("py", """answers = sw.explain(model, world.images[:4], sw.why(), method=["grad-cam", "hires-cam", "lrp", "eigen-cam"])
grid = sw.Comparison(answers, scale="each")
grid"""),
    ("md", """These methods measure in different units: each map has its own scale, and a badge says so. Maps with one unit
share one scale (the default). The difference to a column is raw map minus raw map; class-blind maps are never
subtracted. Scores, one row per explanation, stand under the maps and sort the rows."""),
    ("py", """import numpy as np

evenness = [float(np.exp(-(p[p > 0] * np.log(p[p > 0])).sum()) / p.size)
            for p in (np.abs(e.values) / np.abs(e.values).sum() for e in answers)]
cams = [e for e in answers if e.method in ("grad-cam", "hires-cam")]
sw.Comparison(cams, reference="grad-cam", sort="evenness",
              scores={"evenness": [s for s, e in zip(evenness, answers, strict=True) if e in cams]})"""),
    ("md", """Made of evidence in place of answers, the grid takes any target and foil, with no kernel; so does a class tree
that is linked to it."""),
    ("py", """every = sw.prepare(model, world.images[:6], method="grad-cam")
sw.Comparison(every, columns="inputs")"""),
]

BENCH: list[tuple[str, str]] = [
    ("md", """## Everything joined

The workbench is the one view that asks the model again: choose a picture, type classes or groups into the question, click in
the class tree, tick methods, name a region. What was worked out for a picture and a method is kept, so the next question is
quick. Work can be stopped, and what goes wrong is said in the view. All of it can be set from Python, too."""),
    ("py", """bench = sw.Workbench(model, world.images, sw.why(name), methods=["grad-cam", "lrp", "occlusion"], index=2)
bench"""),
    ("py", """bench.question = sw.why(world.taxonomy.parent(name))
print(bench.answers)
bench.figure(width="cvpr-double")"""),
]

END: list[tuple[str, str]] = [
    ("md", """## Keep it

One page holds any of these, linked as they are here, with no network and no kernel."""),
    ("py", """from pathlib import Path

out = Path("out") / "views"
out.mkdir(parents=True, exist_ok=True)
sw.widgets.save_page([grid, tree, answer], out / "views.html", title="Linked views")
grid.figure().savefig(out / "grid.pdf")"""),
]

CELLS = [*START, *COMPARISON, *tree_and_depth.CELLS, *erasing.CELLS, *BENCH, *END]
