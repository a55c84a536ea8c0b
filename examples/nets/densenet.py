"""DenseNet-121 (Huang et al. 2017, arXiv:1608.06993), parameters named as torchvision names them.

As in torchvision, the ReLU after `features` is functional and in place: it is no module, and it overwrites
what a hook on `features` or `features.norm5` has seen.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DenseLayer(nn.Module):
    """Norm, ReLU, 1x1, norm, ReLU, 3x3 on everything made so far; gives `growth` new channels."""

    def __init__(self, channels: int, growth: int, bottleneck: int = 4) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(channels, bottleneck * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(bottleneck * growth)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(bottleneck * growth, growth, 3, padding=1, bias=False)

    def forward(self, made: list[Tensor]) -> Tensor:
        x = self.conv1(self.relu1(self.norm1(torch.cat(made, dim=1))))
        return self.conv2(self.relu2(self.norm2(x)))


class DenseBlock(nn.ModuleDict):
    """`depth` layers, each fed with the block's input and with all earlier layers' outputs."""

    def __init__(self, depth: int, channels: int, growth: int) -> None:
        super().__init__()
        for i in range(depth):
            self[f"denselayer{i + 1}"] = DenseLayer(channels + i * growth, growth)

    def forward(self, x: Tensor) -> Tensor:
        made = [x]
        for layer in self.values():
            made.append(layer(made))
        return torch.cat(made, dim=1)


class Transition(nn.Sequential):
    """Halve the channels and the resolution between two blocks."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.pool = nn.AvgPool2d(2, 2)


class DenseNet(nn.Module):
    """Logits `(N, classes)` from images `(N, 3, H, W)`; `features` is 1024 x 7 x 7 at 224 (121 layers)."""

    def __init__(
        self, depths: tuple[int, ...] = (6, 12, 24, 16), growth: int = 32, classes: int = 1000
    ) -> None:
        super().__init__()
        channels = 64
        self.features = nn.Sequential()
        self.features.add_module("conv0", nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False))
        self.features.add_module("norm0", nn.BatchNorm2d(channels))
        self.features.add_module("relu0", nn.ReLU(inplace=True))
        self.features.add_module("pool0", nn.MaxPool2d(3, 2, padding=1))
        for i, depth in enumerate(depths, start=1):
            self.features.add_module(f"denseblock{i}", DenseBlock(depth, channels, growth))
            channels += depth * growth
            if i < len(depths):
                self.features.add_module(f"transition{i}", Transition(channels))
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.features(x), inplace=True)
        return self.classifier(F.adaptive_avg_pool2d(x, 1).flatten(1))


def densenet121(classes: int = 1000) -> DenseNet:
    return DenseNet(classes=classes)
