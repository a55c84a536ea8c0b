"""The CAM family and the paths: ten CAMs in one call, Ablation-CAM, Score-CAM's further question, IG with until=."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import torch

import salwidgets as sw
from benchmarks.measure import Row, ratio, seconds
from examples.nets import find_data, imagenet_net
from examples.nets.resnet import resnet18

TEN = ["grad-cam", "grad-cam++", "xgrad-cam", "hires-cam", "layer-cam", "eigen-cam", "eigen-grad-cam", "threshold-grad-cam",
       "normgrad", "finer-cam"]


def run(runs: int = 11) -> list[Row]:
    """The rows of this file."""
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
    return rows + _until()


def _until() -> list[Row]:
    """Integrated gradients that stop by themselves, against 1024 steps, on photographs where they are there."""
    data = find_data()
    if data is None:
        return []
    from PIL import Image

    net = imagenet_net("squeezenet1_1")
    model = sw.Model(net.module, classes=net.classes, preprocess=net.preprocess, mean=net.mean, std=net.std)
    worst, most = 1.0, 0  # one photograph: 1024 steps of it take a minute or two
    for name in ("dog_and_cat.png",):
        x = model.preprocess(Image.open(data / "photos" / name).convert("RGB"))
        questions = [sw.why(), sw.why().rather_than(340 if name != "zebra.jpg" else 339)]
        fine = sw.explain(model, x, questions, method="integrated-gradients", steps=1024, rule="trapezoid", progress=False)
        for q, reference in zip(questions, fine, strict=True):
            e: Any = sw.explain(model, x, q, method="integrated-gradients", until=0.02, progress=False)
            worst = min(worst, float(np.corrcoef(e.values.ravel(), reference.values.ravel())[0, 1]))
            most = max(most, int(e.notices[0].split(" at ")[-1].split()[0]) if " at " in e.notices[0] else 512)
    return [Row("IG with until=0.02: passes at the most, class and contrast", most + 1, "passes", 257),
            Row("IG with until=0.02: 1 - correlation with 1024 steps", 1 - worst, "", 0.001)]
