"""The main job in one go: one creature, three questions, the answers in words, a page and a figure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .explanation import Explanation
from .verbalization import Verbalization, verbalize

_INTRO = ("One image, one network, three questions. Every map was read from the same evidence: the network saw the image "
          "under a few hundred windows, once. Red speaks for the answer, blue against it; all maps share one scale.")


@dataclass(frozen=True)
class Demo:
    """What `run_demo` made: the explanations, what they say, and where page and figure are."""

    explanations: list[Explanation]
    words: list[Verbalization]
    page: Path
    figure: Path


def run_demo(page: str | Path = "out/demo.html", figure: str | Path | None = None, seed: int = 0) -> Demo:
    """Explain one creature with a class, a contrast and a group question; write one page and one PDF figure.

    page: the HTML file. figure: the PDF; by default beside the page, with its name.
    """
    import salwidgets as sw

    from .widgets.export import Section

    page = Path(page)
    pdf = Path(figure) if figure is not None else page.with_suffix(".pdf")
    for path in (page, pdf):
        path.parent.mkdir(parents=True, exist_ok=True)
    world = sw.worlds.creatures(n=12, seed=seed)
    model = world.model("cnn")
    tree = world.taxonomy
    first = next(i for i, row in enumerate(model.predict(world.images).top(1)) if row[0][0] == world.labels[i])
    name = world.labels[first]
    family = tree.parent(name) or name
    sibling = next(s for s in tree.members(family) if s != name)
    other = next(f for f in tree.children(tree.parent(family) or family) if f != family)
    questions = [sw.why(name), sw.why(name).rather_than(sibling), sw.why(family).rather_than(other)]
    evidence = sw.prepare(model, world.images[first], method="occlusion", progress=False)
    answers = list(evidence.explain(questions))
    words = [verbalize(e) for e in answers]
    scale = sw.Scale.fit(*[e.values for e in answers])
    maps = [sw.Heatmap(e, scale=scale) for e in answers]
    sw.link(*maps)
    headings = ("The class", "Rather than its sibling", "The family, rather than another")
    sections: list[Section] = [(h, w.text, m) for h, w, m in zip(headings, words, maps, strict=True)]
    sections.append(("Ask your own", "Choose target and foil, walk up and down the class tree, and slide from one to the "
                     "other. The browser answers from per-class maps; nothing else is running.",
                     sw.Contrast(evidence, target=name, foil=sibling)))
    sw.widgets.save_page(sections, page, title=f"A {name}, and why", intro=_INTRO)
    sw.figures.panel(answers, scale=scale).savefig(pdf)
    return Demo(answers, words, page, pdf)
