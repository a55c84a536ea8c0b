"""The CAM family: ten CAMs in one call, Ablation-CAM, and Score-CAM's further question."""

from __future__ import annotations

import statistics
from typing import Any

import torch

import salwidgets as sw
from benchmarks.measure import Row, ratio, seconds
from examples.nets.resnet import resnet18

TEN = ["grad-cam", "grad-cam++", "xgrad-cam", "hires-cam", "layer-cam", "eigen-cam", "eigen-grad-cam", "threshold-grad-cam",
       "normgrad", "finer-cam"]


def run(quick: bool = False) -> list[Row]:
    """The rows of this file."""
    runs = 5 if quick else 15
    torch.manual_seed(0)
    net = resnet18().eval()
    model, x = sw.Model(net), torch.randn(1, 3, 224, 224)
    known = {m.name for m in sw.methods()}

    def forward() -> None:
        with torch.no_grad():
            net(x)

    rows = []
    if set(TEN) <= known:
        r, a, _ = ratio(lambda: sw.explain(model, x, sw.why(7), method=TEN, progress=False), forward, runs)
        rows.append(Row("ten CAMs of one image together, ResNet-18", r, "forwards", 1.5, f"{a * 1e3:.1f} ms"))
    if "ablation-cam" in known:
        r, a, _ = ratio(lambda: sw.explain(model, x, sw.why(7), method="ablation-cam", progress=False), forward, runs)
        rows.append(Row("Ablation-CAM, 512 channels, ResNet-18, its forward taken off", r - 1, "forwards", 1,
                        f"{a * 1e3:.1f} ms in all"))
    if "score-cam" in known:
        evidence: Any = sw.prepare(model, x, "score-cam", progress=False)
        took = statistics.median(seconds(lambda i=i: evidence.explain(sw.why(i))) for i in range(15))
        rows.append(Row("Score-CAM, a further question, ResNet-18", took * 1e3, "ms", 10))
    return rows
