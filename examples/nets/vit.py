"""Vision Transformer (Dosovitskiy et al. 2021, arXiv:2010.11929), parameters named as timm names them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PatchEmbed(nn.Module):
    """Cut images `(N, 3, H, W)` into patches, row by row, and embed each: `(N, patches, dim)`."""

    def __init__(self, image_size: int, patch_size: int, dim: int) -> None:
        super().__init__()
        side = image_size // patch_size
        self.grid_size = (side, side)
        self.num_patches = side * side
        self.proj = nn.Conv2d(3, dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head self-attention over tokens `(N, T, dim)`.

    The softmax is written out with `attn_drop` after it, so that a hook on `attn_drop` sees the attention
    `(N, heads, T, T)`; with `fused_attn = True` PyTorch's fused kernel is used and there is nothing to see.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.num_heads = heads
        self.head_dim = dim // heads
        self.scale = self.head_dim**-0.5
        self.fused_attn = False
        self.qkv = nn.Linear(dim, 3 * dim)
        self.attn_drop = nn.Dropout(0.0)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, dim = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.num_heads, self.head_dim)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        if self.fused_attn:
            mixed = F.scaled_dot_product_attention(query, key, value)
        else:
            attention = (query * self.scale @ key.transpose(-2, -1)).softmax(dim=-1)
            mixed = self.attn_drop(attention) @ value
        return self.proj(mixed.transpose(1, 2).reshape(batch, tokens, dim))


class Mlp(nn.Module):
    """Two linear layers with GELU between, applied to each token by itself."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


class Block(nn.Module):
    """One pre-norm encoder layer: attention, then the MLP, each added to its input."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, 4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """Logits `(N, classes)` from images `(N, 3, 224, 224)`, read from the class token, which comes first."""

    num_prefix_tokens = 1

    def __init__(
        self,
        dim: int = 192,
        depth: int = 12,
        heads: int = 3,
        classes: int = 1000,
        image_size: int = 224,
        patch_size: int = 16,
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(image_size, patch_size, dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + self.patch_embed.num_patches, dim) * 0.02)
        self.blocks = nn.Sequential(*(Block(dim, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Tokens `(N, 1 + patches, dim)` after the last norm."""
        x = self.patch_embed(x)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        return self.norm(self.blocks(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.forward_features(x)[:, 0])


def vit_tiny_patch16_224(classes: int = 1000) -> VisionTransformer:
    return VisionTransformer(dim=192, depth=12, heads=3, classes=classes)
