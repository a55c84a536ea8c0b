"""Cells of notebooks/views.ipynb about the Eraser and about names of regions."""

from __future__ import annotations

CELLS: list[tuple[str, str]] = [
    ("md", """## Paint over it

The quickest lesson there is: paint over a part of the picture and see what the scores do, beside what the map said they
would. Integrated gradients promises a number in logits; most methods only promise shares. Drag on either picture, or move
with the arrows and press the space bar. Here half of the work is done from Python."""),
    ("py", """traced = sw.explain(model, image, sw.why(name), method="integrated-gradients")
eraser = sw.Eraser(model, traced)
crest = world.parts(2)["crest"]
found = eraser.erase(crest, "blur")
print(f"predicted {found.predicted:+.2f} logits, measured {found.change:+.2f}")
eraser"""),
    ("md", """## Give it a name

Drag a box, type a name: every linked view outlines it, the tables say what it holds, and the sentences use it. Names are a
trait, `regions`, and travel with the page."""),
    ("py", """rows, columns = crest.nonzero()
named = sw.Heatmap(traced)
words = sw.Narrative(sw.verbalize(traced), link=named)
named.regions = {"crest": [int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1]}
words"""),
    ("py", """print(words.shown[0])
named"""),
]
