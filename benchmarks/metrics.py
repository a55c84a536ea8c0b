"""Metrics beside the bare model passes that their definitions need, at the same batch size.

An insertion and a deletion curve of 20 points are 42 forwards if each is scored for itself; they share the image and the
picture with nothing left, so that 40 are run here, once for every question. A scorecard's bare passes are all images that
went through the model while it was made, counted there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

import salwidgets as sw
from benchmarks.measure import Row, ratio
from examples.nets.resnet import resnet18
from salwidgets.metrics import Runs, scorecard

TEN = ["grad-cam", "grad-cam++", "xgrad-cam", "hires-cam", "layer-cam", "eigen-cam", "saliency", "input-x-gradient",
       "guided-backprop", "lrp"]
CARDS = {
    "curves, RFxG, localisation": ["insertion", "deletion", "aopc", "pgs", "cgc", "sparseness", "mass_in_mask",
                                   "pointing_game"],
    "one of each family": ["insertion", "deletion", "average_drop", "pgs", "faithfulness_correlation", "sparseness",
                           "truth_share", "effect_correlation"]}
SHARING = ["morf", "lerf", "aopc", "pgs", "ccs", "cgc", "cgs"]
BATCH = 64


def run(quick: bool = False) -> Iterator[Row]:
    """The rows of this file."""
    world = sw.worlds.creatures(n=16, seed=0)
    yield _curves("ResNet-18 at 224", _wide(), torch.rand(3, 224, 224), 3 if quick else 7)
    yield _curves("creatures CNN at 64", world.model("cnn"), world.images[0], 9 if quick else 31)
    yield _shared(world)
    for name, metrics in CARDS.items():
        yield _card(name, metrics, world, 1 if quick else 3)


def _wide() -> sw.Model:
    torch.manual_seed(0)
    names = [f"class {i}" for i in range(1000)]
    groups = {name: f"group {i // 10}" for i, name in enumerate(names)}
    return sw.Model(resnet18().eval().requires_grad_(False), classes=names, taxonomy=sw.Taxonomy.from_parents(groups))


def _questions(model: sw.Model) -> list[sw.Question]:
    """A class, a contrast, a class in its group, a group, two groups."""
    tree = model.taxonomy
    assert tree is not None
    first, second = model.classes[:2]
    groups = list(dict.fromkeys(tree.parent(name) for name in model.classes))
    assert groups[0] is not None and groups[1] is not None
    return [sw.why(first), sw.why(first).rather_than(second), sw.why(first).rather_than(groups[0]), sw.why(groups[0]),
            sw.why(groups[0]).rather_than(groups[1])]


def _curves(what: str, model: sw.Model, x: Tensor, runs: int) -> Row:
    """Insertion and deletion of one map, read for five questions, against 42 forwards."""
    questions = _questions(model)
    e: Any = sw.explain(model, x, questions[0], method="grad-cam", progress=False)
    points = x.repeat(42, 1, 1, 1)

    def ask() -> None:
        shared = Runs(model, BATCH, progress=False)
        for q in (None, *questions[1:]):  # None: the map's own
            sw.metrics.insertion(model, e, runs=shared, question=q)
            sw.metrics.deletion(model, e, runs=shared, question=q)

    r, a, b = ratio(ask, lambda: _forward(model.module, points), runs)
    return Row(f"insertion and deletion, 20 points, 5 questions, {what}", r, "x 42 forwards", 1.1,
               f"{a * 1e3:.0f} ms; bare {b * 1e3:.0f} ms")


def _shared(world: sw.worlds.CreatureWorld) -> Row:
    """Images that seven more metrics score after insertion and deletion."""
    model = world.model("cnn")
    es = sw.explain(model, world.images[:4], _questions(model), method=TEN[:2], progress=False)
    runs = Runs(model, BATCH, progress=False)
    scorecard(model, es, ["insertion", "deletion"], runs=runs)
    more = scorecard(model, es, SHARING, runs=runs).passes
    return Row(f"further images scored for {', '.join(SHARING)}", more, "images", 0,
               f"after {runs.passes - more} for insertion and deletion of {len(es)} maps")


def _card(name: str, metrics: list[str], world: sw.worlds.CreatureWorld, runs: int) -> Row:
    """A scorecard of ten methods and eight metrics on 16 images, against its passes."""
    model = world.model("cnn")
    es = sw.explain(model, world.images, sw.why(), method=TEN, progress=False)
    scored = 0

    def count(module: nn.Module, args: tuple[Tensor, ...], output: Any) -> None:
        nonlocal scored
        scored += len(args[0])

    def ask() -> None:
        scorecard(model, es, metrics, world=world, batch_size=BATCH, progress=False)

    hook = model.module.register_forward_hook(count)
    try:
        ask()
    finally:
        hook.remove()
    many = world.images.repeat(-(-BATCH // len(world)), 1, 1, 1)

    def bare() -> None:
        for start in range(0, scored, BATCH):
            _forward(model.module, many[:min(BATCH, scored - start)])

    r, a, b = ratio(ask, bare, runs, warm=1)
    return Row(f"scorecard of 10 methods x 8 metrics on 16 images, creatures CNN ({name})", r, "x its bare passes", 1.2,
               f"{a:.1f} s; bare {b:.1f} s: {scored} images; {', '.join(metrics)}")


def _forward(module: Any, batch: Tensor) -> None:
    with torch.no_grad():
        module(batch)
