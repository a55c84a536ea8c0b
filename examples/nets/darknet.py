"""Tiny Darknet (Redmon 2016): a plain chain of 3x3 and 1x1 convolutions."""

from __future__ import annotations

from torch import nn

# One row a block: channels out, kernel size, whether a max-pool follows.
BLOCKS = [
    (16, 3, True),
    (32, 3, True),
    (16, 1, False),
    (128, 3, False),
    (16, 1, False),
    (128, 3, True),
    (32, 1, False),
    (256, 3, False),
    (32, 1, False),
    (256, 3, True),
    (64, 1, False),
    (512, 3, False),
    (64, 1, False),
    (512, 3, False),
    (128, 1, False),
]


class TinyDarknet(nn.Sequential):
    """Logits `(N, classes)` from images `(N, 3, H, W)` in [0, 1], without mean and deviation.

    One flat `Sequential`, so that layer 47 is called "47"; the last block's map is 128 x 14 x 14 at 224.
    """

    def __init__(self, classes: int = 1000) -> None:
        layers: list[nn.Module] = []
        channels = 3
        for width, kernel, pooled in BLOCKS:
            layers += [
                nn.Conv2d(channels, width, kernel, padding=kernel // 2, bias=False),
                nn.BatchNorm2d(width, eps=1e-3),
                nn.LeakyReLU(0.1, inplace=True),
            ]
            if pooled:
                layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
            channels = width
        layers += [nn.Conv2d(channels, classes, kernel_size=1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        super().__init__(*layers)
