"""The two nets of the creatures world: a residual CNN with BatchNorm, and a ViT with class and register tokens.

Both take float images ``[N, 3, 64, 64]`` in [0, 1] as they are (they centre them inside) and give logits ``[N, 12]``.
Layer names follow timm where timm has the same thing, so that tools which read a ViT by name can read this one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def _centred(x: Tensor) -> Tensor:
    return (x - 0.5) * 4.0


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with BatchNorm and a shortcut; the ReLU modules are separate and never in place."""

    def __init__(self, channels_in: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            fitted = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(fitted, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """``[N, C, H, W]`` to ``[N, channels, H / stride, W / stride]``."""
        y = self.relu1(self.bn1(self.conv1(x)))
        return self.relu2(self.bn2(self.conv2(y)) + self.downsample(x))


class CreatureNet(nn.Module):
    """What both nets offer to their teacher."""

    channels: int

    def logits_and_map(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images ``[N, 3, 64, 64]`` to logits ``[N, num_classes]`` and last features ``[N, channels, 8, 8]``."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Images ``[N, 3, 64, 64]`` to logits ``[N, num_classes]``."""
        return self.logits_and_map(x)[0]


class CreatureCNN(CreatureNet):
    """Stem, three residual stages, global average pooling, one linear layer. The last feature map is 8 x 8."""

    def __init__(self, num_classes: int = 12, widths: tuple[int, int, int] = (24, 48, 80)) -> None:
        super().__init__()
        a, b, c = widths
        self.channels = c
        self.stem = nn.Sequential(nn.Conv2d(3, a, 3, 2, 1, bias=False), nn.BatchNorm2d(a), nn.ReLU())
        self.layer1 = ResidualBlock(a, a)
        self.layer2 = nn.Sequential(ResidualBlock(a, b, 2), ResidualBlock(b, b))
        self.layer3 = nn.Sequential(ResidualBlock(b, c, 2), ResidualBlock(c, c))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(c, num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Images ``[N, 3, 64, 64]`` to the last feature map ``[N, 80, 8, 8]``."""
        return self.layer3(self.layer2(self.layer1(self.stem(_centred(x)))))

    def logits_and_map(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``[N, num_classes]`` and the last feature map ``[N, 80, 8, 8]``."""
        features = self.forward_features(x)
        return self.fc(self.avgpool(features).flatten(1)), features


class PatchEmbed(nn.Module):
    """Three convolutions with stride 2 in place of one cut into patches: small nets learn it far sooner."""

    def __init__(self, dim: int, size: int = 64) -> None:
        super().__init__()
        self.grid_size = (size // 8, size // 8)
        self.num_patches = self.grid_size[0] * self.grid_size[1]
        self.proj = nn.Sequential(
            nn.Conv2d(3, dim // 3, 3, 2, 1), nn.GELU(),
            nn.Conv2d(dim // 3, dim * 2 // 3, 3, 2, 1), nn.GELU(),
            nn.Conv2d(dim * 2 // 3, dim, 3, 2, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Images ``[N, 3, 64, 64]`` to tokens ``[N, 64, dim]``, row by row."""
        return self.proj(x).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head self-attention, written out so that the softmax can be read and changed by hooks."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = dim // num_heads
        self.scale = self.head_dim**-0.5
        self.fused_attn = False
        self.qkv = nn.Linear(dim, 3 * dim)
        self.attn_drop = nn.Identity()
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens ``[N, T, dim]`` to tokens; ``attn_drop`` passes the attention ``[N, heads, T, T]``."""
        n, t, dim = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)
        attention = self.attn_drop(((q * self.scale) @ k.transpose(-2, -1)).softmax(dim=-1))
        return self.proj((attention @ v).transpose(1, 2).reshape(n, t, dim))


class Mlp(nn.Module):
    """Two linear layers with a GELU between."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, T, dim]`` to ``[N, T, dim]``."""
        return self.fc2(self.act(self.fc1(x)))


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = Attention(dim, num_heads)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, 3 * dim)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, T, dim]`` to ``[N, T, dim]``."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class CreatureViT(CreatureNet):
    """A ViT over 8 x 8 patches with one class token and four register tokens in front; the class token is read."""

    def __init__(self, num_classes: int = 12, dim: int = 96, depth: int = 5, num_heads: int = 4) -> None:
        super().__init__()
        self.channels = dim
        self.num_prefix_tokens = 5
        self.patch_embed = PatchEmbed(dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.reg_token = nn.Parameter(torch.zeros(1, 4, dim))
        self.pos_embed = nn.Parameter(
            torch.zeros(1, self.num_prefix_tokens + self.patch_embed.num_patches, dim)
        )
        self.blocks = nn.ModuleList(Block(dim, num_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, num_classes)
        for token in (self.cls_token, self.reg_token, self.pos_embed):
            nn.init.trunc_normal_(token, std=0.02)

    def forward_features(self, x: Tensor) -> Tensor:
        """Images ``[N, 3, 64, 64]`` to normed tokens ``[N, 5 + 64, dim]``: class, registers, patches."""
        patches = self.patch_embed(_centred(x))
        front = torch.cat([self.cls_token, self.reg_token], 1).expand(len(x), -1, -1)
        tokens = torch.cat([front, patches], 1) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)

    def logits_and_map(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``[N, num_classes]`` and the patch tokens as a map ``[N, dim, 8, 8]``."""
        tokens = self.forward_features(x)
        patches = tokens[:, self.num_prefix_tokens :].transpose(1, 2)
        return self.head(tokens[:, 0]), patches.reshape(len(x), self.channels, *self.patch_embed.grid_size)


NETS: dict[str, type[CreatureNet]] = {"cnn": CreatureCNN, "vit": CreatureViT}
