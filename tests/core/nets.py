"""Small networks that trip other libraries, with known shapes: 3 x 32 x 40 in, five classes out."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import nn
from torch.nn import functional as F


def plain(inplace: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(inplace), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5))


class Functional(nn.Module):
    """Functional in-place ReLU after the last module, like DenseNet."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1),
                                      nn.BatchNorm2d(8))
        self.classifier = nn.Linear(8, 5)

    def forward(self, x):
        f = F.relu(self.features(x), inplace=True)
        return self.classifier(F.adaptive_avg_pool2d(f, 1).flatten(1))


class Residual(nn.Module):
    """One ReLU module used twice, and an in-place sum."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.block = _Block()
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        return self.fc(self.block(self.stem(x)).mean((2, 3)))


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.bn1, self.bn2 = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += x
        return self.relu(out)


class Wrapped(nn.Module):
    """The same scores, handed out in another form."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.net, self.form = plain(), form

    def forward(self, x):
        z = self.net(x)
        return {"tuple": (z, x), "dict": {"loss": torch.zeros(()), "logits": z}, "object": SimpleNamespace(logits=z),
                "list": [z], "nested": (torch.zeros(()), {"out": z})}[self.form]


class OneColumn(nn.Module):
    """A binary head with a single column."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU())
        self.fc = nn.Linear(6, 1)

    def forward(self, x):
        return self.fc(self.features(x).mean((2, 3)))


class Faulty(nn.Module):
    """Works for ``fine`` forwards, then raises ``error``; counts in a buffer and uses dropout by hand."""

    def __init__(self, fine: int, error: BaseException) -> None:
        super().__init__()
        self.net, self.fine, self.error, self.calls = plain(), fine, error, 0
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x):
        self.count += 1
        self.calls += 1
        if self.calls > self.fine:
            raise self.error
        return self.net(F.dropout(x, 0.1, training=True))


class TinyViT(nn.Module):
    """timm's layout: patch embedding, class and register tokens in front, pre-norm blocks, class-token head."""

    def __init__(self, registers: int = 2, dim: int = 16, depth: int = 2) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.patch_embed = nn.Conv2d(3, dim, 8, stride=8)
        self.prefix = nn.Parameter(torch.randn(1, 1 + registers, dim))
        self.pos = nn.Parameter(torch.randn(1, 20 + 1 + registers, dim) * 0.5)
        self.blocks = nn.Sequential(*[_VitBlock(dim) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, 5)

    def forward(self, x):
        t = self.patch_embed(x).flatten(2).mT
        t = torch.cat([self.prefix.expand(len(t), -1, -1), t], 1) + self.pos
        return self.head(self.norm(self.blocks(t))[:, 0])


class _VitBlock(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = nn.MultiheadAttention(dim, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(dim, 32), nn.GELU(), nn.Linear(32, dim))

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


def images(n: int = 3) -> torch.Tensor:
    return torch.rand(n, 3, 32, 40, generator=torch.Generator().manual_seed(9))
