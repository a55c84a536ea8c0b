"""Small transformers: of the transformers library, with attention computed and tokens read in many ways, and broken."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.core import nets


def transformer(kind, attention="eager"):
    """A small random classifier of transformers, with a grid that is not square, and how many tokens lie in front."""
    tr = pytest.importorskip("transformers")
    torch.manual_seed(5)
    size = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24, "num_labels": 5,
            "image_size": (32, 40), "patch_size": 8, "attn_implementation": attention, "initializer_range": 0.4}
    if kind == "dinov2":
        config = tr.Dinov2WithRegistersConfig(**size | {"image_size": 40}, num_register_tokens=2, mlp_ratio=2)
        return tr.Dinov2WithRegistersForImageClassification(config).eval(), 3
    if kind == "deit":
        return tr.DeiTForImageClassification(tr.DeiTConfig(**size)).eval(), 2
    return tr.ViTForImageClassification(tr.ViTConfig(**size)).eval(), 1


class Attending(nn.Module):
    """One head's worth of ways to compute the same attention."""

    def __init__(self, way):
        super().__init__()
        self.way, self.softmax = way, nn.Softmax(-1)
        self.qkv, self.proj = nn.Linear(16, 48), nn.Linear(16, 16)

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(2, (3, 2, 8)).permute(2, 0, 3, 1, 4)
        if self.way == "sdpa":
            out = F.scaled_dot_product_attention(q, k, v)
        elif self.way == "three axes":
            out = (q.flatten(0, 1) @ k.flatten(0, 1).mT / 8**0.5).softmax(2) @ v.flatten(0, 1)
        elif self.way == "linear":
            out = q.softmax(-1) @ (k.softmax(-2).mT @ v)
        else:
            z = q @ k.mT / 8**0.5
            a = {"method": z.softmax, "torch": lambda dim: torch.softmax(z, dim), "module": lambda dim: self.softmax(z),
                 "functional": lambda dim: F.softmax(z, dim=dim)}[self.way](-1)
            out = a.mul_(1.0) @ v if not a.requires_grad else a @ v
        return self.proj(out.reshape(x.shape[0], 2, -1, 8).transpose(1, 2).flatten(2))


class Readable(nn.Module):
    """A ViT whose attention is computed in a way, and whose tokens are read in a way."""

    def __init__(self, way, pool="first", registers=0):
        super().__init__()
        torch.manual_seed(6)
        self.pool, self.registers = pool, registers + (pool == "first")
        self.patch_embed = nn.Conv2d(3, 16, 8, stride=8)
        self.prefix = nn.Parameter(torch.randn(1, 4, 16))
        self.blocks = nn.ModuleList(self._block(way) for _ in range(3))
        self.norm, self.fc_norm, self.head = nn.LayerNorm(16), nn.LayerNorm(16), nn.Linear(16, 5)

    @staticmethod
    def _block(way):
        block = nn.Module()
        block.norm1, block.attn = nn.LayerNorm(16), Attending(way)
        block.forward = lambda x: x + block.attn(block.norm1(x))
        return block

    def forward(self, x):
        t = self.patch_embed(x).flatten(2).mT
        t = torch.cat([self.prefix[:, :self.registers].expand(len(t), -1, -1), t], 1)
        for block in self.blocks:
            t = block(t)
        t = self.norm(t)
        t = t[:, 0] if self.pool == "first" else self.fc_norm(t[:, self.registers:].mean(1)) if self.pool == "patches" \
            else t.amax(1) if self.pool == "max" else t.mean(1)
        return self.head(t)


class Broken(nets.TinyViT):
    """Fails after its attention, at the given forward."""

    def __init__(self, fine, error):
        super().__init__()
        self.fine, self.error, self.calls = fine, error, 0

    def forward(self, x):
        out = super().forward(x)
        self.calls += 1
        if self.calls > self.fine:
            raise self.error
        return out
