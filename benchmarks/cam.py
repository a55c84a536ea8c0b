"""Grad-CAM against the bare model: one question, and a hundred in one call; pytorch-grad-cam beside it if installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import salwidgets as sw
from benchmarks.measure import Row, ratio, seconds
from examples.nets.densenet import densenet121
from examples.nets.resnet import resnet18, resnet50
from examples.nets.squeezenet import SqueezeNet
from examples.nets.vgg import vgg16
from examples.nets.vit import vit_tiny_patch16_224


def swin() -> nn.Module:
    """Swin-T of transformers, random weights."""
    from transformers import SwinConfig, SwinForImageClassification

    return SwinForImageClassification(SwinConfig(num_labels=1000))


NETS: dict[str, tuple[Callable[[], nn.Module], float, float]] = {  # bound on one question, on a hundred
    "SqueezeNet": (SqueezeNet, 1.1, 1.3), "ResNet-18": (resnet18, 1.1, 1.3), "ResNet-50": (resnet50, 1.1, 1.3),
    "DenseNet-121": (densenet121, 1.1, 1.3), "VGG-16": (vgg16, 1.25, 3), "ViT-Tiny": (vit_tiny_patch16_224, 1.25, 15),
    "Swin-T": (swin, 1.25, 15),
}


def run(device: str = "cpu", quick: bool = False) -> list[Row]:
    """The rows of this file."""
    runs = 5 if quick else 15
    rows = []
    for name, (make, one, hundred) in NETS.items():
        torch.manual_seed(0)
        net = make().eval().to(device)
        x = torch.randn(1, 3, 224, 224, device=device)
        model = sw.Model(net)

        def forward(net: Any = net, x: Any = x) -> None:
            with torch.no_grad():
                net(x)

        def ask(model: Any = model, x: Any = x) -> None:
            sw.explain(model, x, sw.why(7), progress=False)

        many = [sw.why(i) for i in range(50)] + [sw.why(i).rather_than(i + 1) for i in range(50)]

        def ask_many(model: Any = model, x: Any = x, many: Any = many) -> None:
            ev = sw.prepare(model, x, "grad-cam", progress=False)
            ev.explain(many)

        r, a, b = ratio(ask, forward, runs)
        rows.append(Row(f"Grad-CAM, 1 question, {name}", r, "forwards", one, f"{a * 1e3:.1f} ms, forward {b * 1e3:.1f} ms"))
        r, a, b = ratio(ask_many, forward, max(5, runs // 2))
        rows.append(Row(f"Grad-CAM, 100 questions, {name}", r, "forwards", hundred, f"{a * 1e3:.1f} ms"))
        if name in ("SqueezeNet", "ResNet-18"):
            rows += _peer(name, net, x, forward)
    return rows


def _peer(name: str, net: nn.Module, x: torch.Tensor, forward: Callable[[], None]) -> list[Row]:
    """The same hundred questions put to pytorch-grad-cam one after another, if it is installed."""
    try:
        from examples.nets.peers import import_peer

        cam_module = import_peer("pytorch_grad_cam")
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except Exception:
        return []
    layer = net.features if name == "SqueezeNet" else net.layer4
    with cam_module.GradCAM(model=net, target_layers=[layer]) as cam:
        def ask() -> None:
            for i in range(10):
                cam(input_tensor=x, targets=[ClassifierOutputTarget(i)])

        ask()
        took = min(seconds(ask) for _ in range(2))
    bare = min(seconds(forward) for _ in range(5))
    net.zero_grad()
    return [Row(f"pytorch-grad-cam, 100 questions, {name}", 10 * took / bare, "forwards", None, "10 measured, times 10")]
