"""Cells about ClassTree, Layers and Randomisation, for notebooks/views.ipynb; they follow cells that make `world`, `model`,
`image` and `name` as the quickstart does."""

from __future__ import annotations

CELLS: list[tuple[str, str]] = [
    ("md", """## The class tree asks

Click a class or a group: *why this?* Shift and a click: *rather than that?* The contrast below answers in the browser. Keys:
arrows, Enter, Shift + Enter, `/` to search."""),
    ("py", """tree_evidence = sw.prepare(model, image, method="grad-cam")
tree = sw.ClassTree(tree_evidence)
tree"""),
    ("py", """answer = sw.Contrast(tree_evidence)
sw.link(tree, answer)
answer"""),
    ("md", """The question is a Python value; ask anything else with it:"""),
    ("py", """print(tree.question, tree.question.target_names)
sw.explain(model, image, tree.question, method="occlusion", window=12, stride=4)"""),
    ("md", """## Through the depth of the network

One question at every block, from one forward pass. Drag a region to see at which depth its evidence arises."""),
    ("py", """sw.Layers(sw.through_layers(model, image, sw.why(name)))"""),
    ("md", """## Does the map depend on what was learnt?

Layers become random one after the other, from the scores down. A map that reads the network must fall apart."""),
    ("py", """checked = sw.explain(model, image, sw.why(name))
sw.Randomisation(sw.metrics.randomise(model, checked, layers=8))"""),
]
