"""Optimised masks: what sixteen at once cost beside one, on nets of several sizes.

Where a pass is mostly the cost of calling (small nets, large nets on small images) company is cheap; where it is mostly
arithmetic, sixteen masks are sixteen passes, and the bound cannot be met on a CPU.
"""

from __future__ import annotations

import statistics

import torch
from torch import nn

import salwidgets as sw
from benchmarks.measure import Row, seconds
from examples.nets.resnet import resnet18

_STEPS = {"meaningful-perturbation": {"steps": 20}, "fido": {"steps": 5, "n_samples": 4, "batch_size": 64}}


def run() -> list[Row]:
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
    return [_row(method, params, *case) for method, params in _STEPS.items() for case in cases]


def _row(method: str, params: dict[str, int], name: str, model: sw.Model, x: torch.Tensor, turns: int) -> Row:
    question = sw.why(3)

    def search(images: torch.Tensor) -> None:
        sw.explain(model, images, question, method=method, progress=False, **params)

    search(x), search(x[:1])
    pairs = [(seconds(lambda: search(x)), seconds(lambda: search(x[:1]))) for _ in range(turns)]
    ratio = statistics.median(a / b for a, b in pairs)
    together, one = (statistics.median(t) * 1e3 for t in zip(*pairs, strict=True))
    return Row(f"{method}, 16 masks beside one, {name}", ratio, "times one", 4.0,
               f"{together:.0f} ms and {one:.0f} ms for {params['steps']} steps, start and judging included; linear is 16")
