"""Writes the notebooks from their cells (`make notebooks`), without outputs: the quickstart's are below."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat

CELLS: list[tuple[str, str]] = [
    ("md", """# Ask a model why

Ten minutes, no GPU, no network. You will ask a trained network three kinds of question about one picture, explore the
answers by touching them, check what is said about them, and keep them as a page and as a figure.

Run the cells from top to bottom (Shift + Enter)."""),
    ("py", """import salwidgets as sw"""),
    ("md", """## 1. A world whose right answers are known

The *creatures* are drawn. Siblings share their family's parts (wings, sails, shells …) and differ in two parts of their
own: the crest and the tail. So we know what a good explanation must point at. A network that has learnt to tell the
twelve kinds apart comes with the world."""),
    ("py", """world = sw.worlds.creatures(n=12, seed=0)
model = world.model("cnn")
image, name = world.images[2], world.labels[2]
family = world.taxonomy.parent(name)
sibling = next(s for s in world.taxonomy.members(family) if s != name)
print(f"This is a {name}, of the family {family}. Its siblings: {world.taxonomy.members(family)}")
print(model.predict(image))"""),
    ("md", """## 2. Three questions

*Why this class?*, *why this class rather than its sibling?*, *why this family?* A question is words first:"""),
    ("py", """why_class = sw.why(name)
why_contrast = sw.why(name).rather_than(sibling)
why_group = sw.why(family)
print(why_class, why_contrast, why_group, sep="\\n")"""),
    ("md", """## 3. The work is done once

Occlusion hides the picture window by window and keeps **all** scores of every copy. Each question then only reads that
evidence: no further model pass, whatever you ask."""),
    ("py", """evidence = sw.prepare(model, image, method="occlusion", window=12, stride=4)
answers = evidence.explain([why_class, why_contrast, why_group])
for answer in answers:
    print(answer.question)
    print("  ", sw.verbalize(answer))"""),
    ("md", """## 4. Look, and touch

Red speaks for the answer, blue against it. Move the cursor (or use the arrow keys) to read values; drag a box to see how
much of the evidence it holds. The two maps below share one scale, and what you do in one happens in the other."""),
    ("py", """scale = sw.Scale.fit(answers[0].values, answers[1].values)
left = sw.Heatmap(answers[0], scale=scale)
right = sw.Heatmap(answers[1], scale=scale)
sw.link(left, right)
left"""),
    ("py", """right"""),
    ("md", """What you select is a Python value. Drag a box over the crest above, then run this cell again:"""),
    ("py", """left.selection, left.share"""),
    ("md", """## 5. Rather than what?

Pick target and foil, walk up and down the class tree, slide from one to the other. The browser computes the answer from
per-class maps, so it stays fluid while the kernel is busy, and in an exported page without any kernel."""),
    ("py", """contrast = sw.Contrast(evidence, target=name, foil=sibling)
contrast"""),
    ("md", """## 6. Is it right?

Here we can know. `truth` marks the parts that matter by construction; `effect` draws the creature again without each part
and measures what that does to the score."""),
    ("py", """truth = world.truth(why_contrast, 2)
found = answers[1].upsampled()
y, x = divmod(int(found.argmax()), found.shape[1])
print(f"The map peaks at row {y}, column {x}; that is {'on' if truth[y, x] else 'off'} the parts that differ.")
effects = world.effect(model, why_contrast, 2)
for part, change in sorted(effects.items(), key=lambda item: -abs(item[1])):
    print(f"{part:8} {change:+.2f}")"""),
    ("md", """Not every method finds it. Compare one that looks at features with one that looks at pixels:"""),
    ("py", """es = sw.explain(model, image, why_contrast, method=["grad-cam", "integrated-gradients", "occlusion"])
sw.figures.panel(es, scale="each", titles=[e.method for e in es])"""),
    ("md", """Each map has a scale of its own here, as the colour bars say: the three methods measure in different units.

## 7. Keep it

A page for colleagues (one file, works from a memory stick), a figure for the paper, and the numbers themselves."""),
    ("py", """from pathlib import Path

out = Path("quickstart-output")
out.mkdir(exist_ok=True)
contrast.save_html(out / "contrast.html")
right.figure().savefig(out / "contrast.pdf")
answers[1].save(out / "contrast")
again = sw.load(out / "contrast")
print(again, *sorted(p.name for p in out.iterdir()), sep="\\n  ")"""),
    ("md", """## 8. Your own model

Any torch module will do: `sw.Model(module, classes=[...], mean=..., std=...)`; `sw.Model.from_torchvision("resnet50")` and
`sw.Model.from_transformers("folder")` load ready-made ones. The next cell takes a real photograph and a real ImageNet
network if it finds them, and says so if not."""),
    ("py", """import sys
from pathlib import Path

import torch
from PIL import Image


def real_network():
    \"\"\"A trained ImageNet network: one beside the checkout, or torchvision's; None where there is neither.\"\"\"
    for checkout in [p for p in (Path.cwd(), *Path.cwd().parents) if (p / "examples" / "nets").is_dir()]:
        sys.path.insert(0, str(checkout))
        from examples.nets import find_data, imagenet_net

        if find_data() is not None:
            net = imagenet_net("squeezenet1_1")
            model = sw.Model(net.module, classes=net.classes, taxonomy=sw.Taxonomy.imagenet(net.classes),
                             preprocess=net.preprocess, mean=net.mean, std=net.std)
            return model, Image.open(find_data() / "photos" / "dog_and_cat.png")
    try:
        return sw.Model.from_torchvision("squeezenet1_1"), None
    except sw.errors.ModelError as e:
        print("No ImageNet network here:", e)
        return None, None


real, photo = real_network()
if real is None or photo is None:
    print("The creatures again.")
    real, photo, ask = world.model("vit"), world.images[5], sw.why()
else:
    ask = sw.why("dog").rather_than("cat")
print(real.predict(photo))"""),
    ("py", """real_evidence = sw.prepare(real, photo, method="grad-cam")
answer = real_evidence.explain(ask)
print(answer.question, "\\n ", sw.verbalize(answer))
sw.Heatmap(answer)"""),
    ("md", """## Where next

`sw.methods()` lists the methods with what each needs, promises and costs."""),
    ("py", """sw.methods()"""),
]


def notebook(cells: list[tuple[str, str]] = CELLS) -> nbformat.NotebookNode:
    """A notebook of these cells (the quickstart), with kernelspec metadata and stable cell ids."""
    nb = nbformat.v4.new_notebook()
    nb.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
                   "language_info": {"name": "python"}}
    for i, (kind, text) in enumerate(cells):
        make = nbformat.v4.new_markdown_cell if kind == "md" else nbformat.v4.new_code_cell
        nb.cells.append(make(text, id=f"cell-{i:02d}"))
    return nb


if __name__ == "__main__":
    folder = Path(__file__).resolve().parents[2]
    sys.path.insert(0, str(folder))
    from tests.notebooks import concepts, scorecard, shortcut, views, words

    books = {"quickstart": CELLS, "words": words.CELLS, "views": views.CELLS, "scorecard": scorecard.CELLS,
             "concepts": concepts.CELLS, "shortcut": shortcut.CELLS}
    for name, cells in books.items():
        target = folder / "notebooks" / f"{name}.ipynb"
        nbformat.write(notebook(cells), target)
        print(target)
