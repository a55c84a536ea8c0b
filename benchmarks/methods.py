"""The page of methods: what each one is, needs and costs, with one picture of each on one image.

python -m benchmarks.methods docs/methods.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import salwidgets as sw
from salwidgets.errors import MethodError
from salwidgets.figures import PrintFigure, draw_map

_HEAD = """# Methods

Made by `make tables` from `sw.methods()`. *linear*: the map of a weighted sum of questions is the weighted sum of their
maps, so contrasts and groups can be read from per-class maps. *complete*: the map's sum is promised and shown.
*class-blind*: the map does not depend on the question. *passes*: what one input costs before any question.

![one picture per method](images/methods.png)

One creature and one question, {question}, on the CNN (on the ViT where a method needs attention). Every map has a scale
of its own; red speaks for the answer, blue against it.

"""


def maps(index: int = 2) -> tuple[str, list[tuple[str, sw.Explanation]]]:
    """The question, and each method's answer on one creature."""
    world = sw.worlds.creatures(n=12)
    name = world.labels[index]
    family = world.taxonomy.parent(name)
    assert family is not None
    sibling = next(s for s in world.taxonomy.members(family) if s != name)
    question = sw.why(name).rather_than(sibling)
    found = []
    for info in sw.methods():
        params: dict[str, object] = {"rise": {"n_masks": 2000}, "occlusion": {"window": 12, "stride": 4}}.get(info.name, {})
        for net in ("cnn", "vit"):
            try:
                e = sw.explain(world.model(net), world.images[index], question, method=info.name, progress=False, **params)
            except MethodError:
                continue
            assert isinstance(e, sw.Explanation)
            found.append((info.name + (" (ViT)" if net == "vit" else ""), e))
            break
    return str(question), found


def picture(found: list[tuple[str, sw.Explanation]], path: Path, columns: int = 5) -> None:
    """All maps in a grid, each at its own scale."""
    rows = -(-len(found) // columns)
    fig = PrintFigure(figsize=(columns * 1.75, rows * 1.95), facecolor="white")
    for k, (name, e) in enumerate(found):
        ax = fig.add_subplot(rows, columns, k + 1)
        assert e.image is not None
        draw_map(ax, e.values, np.asarray(e.image), sw.Scale.fit(e.values))
        ax.set_title(name, fontsize=7.5)
    fig.subplots_adjust(0.01, 0.01, 0.99, 0.95, 0.05, 0.15)
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, dpi=80)


def table() -> str:
    """The facts of every method as Markdown."""
    head = ["method", "family", "linear", "signed", "complete", "class-blind", "needs", "passes", "source"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for m in sw.methods():
        yes = ["yes" if v else "no" for v in (m.linear, m.signed, m.complete, m.class_blind)]
        lines.append("| " + " | ".join([m.name, m.family, *yes, ", ".join(m.needs), m.passes, m.source]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Write the page and its picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    out = Path(parser.parse_args().out)
    question, found = maps()
    picture(found, out.parent / "images" / "methods.png")
    out.write_text(_HEAD.format(question=question) + table() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
