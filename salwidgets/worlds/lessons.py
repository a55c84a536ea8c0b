"""What the nets are taught with: drawn images, partly covered, and the evidence that is left in each.

Ours: a net trained on labels alone may answer well for odd reasons. These nets are also told how much each part
speaks for each class, and that a part which is half covered speaks half as loud. So they respond sensibly to
black patches and soft masks, and the maps of a correct method agree with the parts that matter.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .anatomy import LEAVES, TELLING_PARTS, VARIANTS, carriers, variants
from .drawing import SIZE, draw, part_shares
from .scene import sample

EVIDENCE = 4.0  # logits that a part adds to the classes which carry it
_GRID = 7  # cells per side of the soft masks, as RISE has them


@dataclass
class Lessons:
    """images: uint8 ``[N, 3, 64, 64]``; parts: uint8 ``[N, 64, 64]`` part of each pixel; labels: int64 ``[N]``;
    whole: bool ``[N]``, whether enough parts are drawn to tell the class."""

    images: Tensor
    parts: Tensor
    labels: Tensor
    whole: Tensor


def _lesson(seed: int, index: int) -> tuple[np.ndarray, np.ndarray, int, bool]:
    scene = sample(seed, index)
    rng = np.random.default_rng([seed, index, 4])
    whole = bool(rng.random() < 0.6)
    if not whole:
        chance = rng.uniform(0.2, 0.8)
        dropped = {part for part in TELLING_PARTS if rng.random() < chance}
        scene = replace(scene, hidden=scene.hidden | dropped)
    image, ids = draw(scene)
    return np.round(image * 255).astype(np.uint8), part_shares(ids), LEAVES.index(scene.leaf), whole


def draw_lessons(n: int, seed: int) -> Lessons:
    """``n`` training images on all cores; in two of five, parts are left out at random."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        drawn = list(pool.map(partial(_lesson, seed), range(n), chunksize=100))
    images, parts, labels, whole = zip(*drawn, strict=True)
    return Lessons(
        torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous(),
        torch.from_numpy(np.stack(parts)),
        torch.tensor(labels),
        torch.tensor(whole),
    )


def soft_masks(n: int, generator: torch.Generator) -> Tensor:
    """RISE-like masks ``[n, 1, 64, 64]``: a coarse random grid, shifted and interpolated."""
    keep = 0.5 + 0.5 * torch.rand(n, 1, 1, 1, generator=generator) * (
        torch.rand(n, 1, 1, 1, generator=generator) < 0.6
    )
    grid = (torch.rand(n, 1, _GRID + 1, _GRID + 1, generator=generator) < keep).float()
    cell = -(-SIZE // _GRID)
    big = F.interpolate(grid, size=((_GRID + 1) * cell,) * 2, mode="bilinear", align_corners=False)
    dy, dx = (int(v) for v in torch.randint(0, cell, (2,), generator=generator))
    return big[..., dy : dy + SIZE, dx : dx + SIZE]


def boxes(n: int, generator: torch.Generator) -> Tensor:
    """Masks ``[n, 1, 64, 64]`` that are 0 in one to three boxes of 6 to 28 px, and 1 elsewhere."""
    masks = torch.ones(n, 1, SIZE, SIZE)
    for i in range(n):
        for _ in range(int(torch.randint(1, 4, (1,), generator=generator))):
            h, w = (int(v) for v in torch.randint(6, 29, (2,), generator=generator))
            y, x = (int(v) for v in torch.randint(-6, SIZE - 5, (2,), generator=generator))
            masks[i, :, max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = 0
    return masks


def cover(images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Cover a third of a batch with boxes and a third with soft masks, mostly in black.

    Returns the images and how much of each pixel is left, ``[N, 1, 64, 64]``.
    """
    n = len(images)
    left = torch.ones(n, 1, SIZE, SIZE)
    third = n // 3
    left[:third] = boxes(third, generator)
    left[third : 2 * third] = soft_masks(third, generator)
    fill = torch.rand(n, 3, 1, 1, generator=generator) * (torch.rand(n, 1, 1, 1, generator=generator) < 0.25)
    return images * left + fill * (1 - left), left


class Evidence:
    """Turns parts and what is left of them into the scores and part maps that the nets should give."""

    def __init__(self) -> None:
        carry = torch.from_numpy(carriers()).float()
        self.speaks = EVIDENCE * (carry - carry.mean(2, keepdim=True))
        self.variant = torch.tensor(
            [[VARIANTS.index(variants(leaf)[p]) for p in TELLING_PARTS] for leaf in LEAVES]
        )

    def __call__(self, parts: Tensor, labels: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``[N, 12]`` and variant maps ``[N, 20, 8, 8]`` for parts ``[N, 64, 64]`` and ``left`` of `cover`."""
        where = torch.stack([parts == i + 1 for i in range(len(TELLING_PARTS))], 1).float()
        seen = where * left
        share = seen.sum((2, 3)) / where.sum((2, 3)).clamp_min(1.0)
        scores = torch.einsum("np,npk->nk", share, self.speaks[labels])
        local = F.avg_pool2d(seen, SIZE // 8).mul(3.0).clamp_max(1.0)
        maps = torch.zeros(len(parts), len(VARIANTS), 8, 8)
        index = self.variant[labels][:, :, None, None].expand_as(local)
        return scores, maps.scatter_(1, index, local)
