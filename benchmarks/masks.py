"""Optimised masks: what sixteen at once cost beside one, on nets of several sizes, and what they would cost for nothing.

The remark says what sixteen bare passes (forward, and back to the input) cost beside one at the same batch sizes: no search
can be cheaper than that. Where a pass is mostly the cost of calling (tiny nets) company is cheap; where it is mostly
arithmetic, sixteen masks are sixteen passes for one core to make, and the bound cannot be met on it. FIDO's single mask
is a batch already, of its draws.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import torch
from torch import Tensor, nn

import salwidgets as sw
from benchmarks.measure import Row, seconds
from examples.nets.resnet import resnet18

_STEPS = {"meaningful-perturbation": {"steps": 20}, "fido": {"steps": 10, "n_samples": 4, "batch_size": 64}}


def run(quick: bool = False) -> Iterator[Row]:
    """The rows of this file: few steps, since every step costs the same."""
    world = sw.worlds.creatures(n=16, seed=3)
    torch.manual_seed(0)
    tiny = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 16, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(16, 12))
    small = torch.nn.functional.avg_pool2d(world.images, 2)
    cases = [("a net of three layers, 32 x 32", sw.Model(tiny), small, 7),
             ("the creatures' CNN", world.model("cnn"), world.images, 5),
             ("the creatures' ViT", world.model("vit"), world.images, 5),
             ("ResNet-18, 64 x 64", sw.Model(resnet18()), world.images, 3)]
    for method, params in _STEPS.items():
        for name, model, x, turns in cases:
            yield _row(method, params, name, model, x, 2 if quick else turns)


def _row(method: str, params: dict[str, int], name: str, model: sw.Model, x: Tensor, turns: int) -> Row:
    question, draws = sw.why(3), params.get("n_samples", 1)

    def search(images: Tensor) -> None:
        sw.explain(model, images, question, method=method, progress=False, **params)

    def bare(images: Tensor) -> None:
        leaf = images.repeat(draws, 1, 1, 1).requires_grad_()
        with model.session():
            torch.autograd.grad(model.net(leaf)[:, 3].sum(), leaf)

    search(x), search(x[:1]), bare(x), bare(x[:1])
    pairs = [(seconds(lambda: search(x)), seconds(lambda: search(x[:1]))) for _ in range(turns)]
    plain = [(seconds(lambda: bare(x)), seconds(lambda: bare(x[:1]))) for _ in range(3 * turns)]
    ratio, floor = (statistics.median(a / b for a, b in times) for times in (pairs, plain))
    together, one = (statistics.median(t) * 1e3 for t in zip(*pairs, strict=True))
    return Row(f"{method}, 16 masks beside one, {name}", ratio, "times one", 4.0,
               f"bare passes: {floor:.1f} times one; {together:.0f} ms and {one:.0f} ms for {params['steps']} steps, start "
               "and judging included")
