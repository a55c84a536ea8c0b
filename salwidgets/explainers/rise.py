"""RISE: show the model thousands of randomly masked copies; a pixel's value is the score when it is seen.

Masks are never stored. Each is a coarse random grid, upsampled and shifted; upsampling is linear, so the sum over
masks of score times mask is P M P^T, with M the grids added up per shift. All K scores of every masked copy are
kept, so any later question costs that one product (milliseconds), with no model pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..errors import MethodError
from . import baselines
from .base import Answer, BatchEvidence, Columns, Job, Method, apply, apply_change
from .occlusion import need_images
from .registry import register

_AT_ONCE = 4  # questions per scatter: each needs [masks, cells] floats


class Masks:
    """Random smooth masks of one image size: grids bool `[M, g, g]` and shifts int64 `[M, 2]`.

    A mask is its grid upsampled bilinearly to (g + 1) cells and cropped to the image at its shift, as in the
    authors' code.
    """

    def __init__(self, count: int, grid: int, p: float, height: int, width: int, seed: int):
        g = torch.Generator().manual_seed(seed)
        self.grids = torch.rand(count, grid, grid, generator=g) < p
        self.p, self.grid = p, grid
        self.cell = math.ceil(height / grid), math.ceil(width / grid)
        self.shifts = torch.stack([torch.randint(0, c, (count,), generator=g) for c in self.cell], 1)
        self.up = _upsampling(grid, self.cell[0], height), _upsampling(grid, self.cell[1], width)

    def __len__(self) -> int:
        return len(self.grids)

    def to(self, device: torch.device) -> Masks:
        """Move everything to ``device``."""
        self.grids, self.shifts = self.grids.to(device), self.shifts.to(device)
        self.up = self.up[0].to(device), self.up[1].to(device)
        return self

    def draw(self, index: Tensor) -> Tensor:
        """The masks ``index`` `[B]` as floats in [0, 1], `[B, H, W]`."""
        rows, columns = self.up[0][self.shifts[index, 0]], self.up[1][self.shifts[index, 1]]
        return rows @ self.grids[index].float() @ columns.mT

    def weighted_sum(self, weights: Tensor) -> Tensor:
        """sum over masks of weight * mask, `[B, H, W]`, for weights `[B, M]`; no mask is drawn."""
        (cy, cx), g = self.cell, self.grid
        where = self.shifts[:, 0] * cx + self.shifts[:, 1]
        flat = self.grids.reshape(len(self), -1).float()
        out = []
        for part in weights.split(_AT_ONCE):
            per_shift = flat.new_zeros(len(part), cy * cx, g * g)
            per_shift.index_add_(1, where, part[..., None] * flat)
            m = per_shift.reshape(-1, cy, cx, g, g).permute(0, 1, 3, 2, 4).reshape(-1, cy * g, cx * g)
            rows, columns = (u.permute(1, 0, 2).flatten(1) for u in self.up)  # [H, cy * g], [W, cx * g]
            out.append(rows @ m @ columns.T)
        return torch.cat(out)


def _upsampling(grid: int, cell: int, size: int) -> Tensor:
    """Bilinear upsampling of ``grid`` values to (grid + 1) cells, cropped at every shift: `[shift, size, grid]`."""
    eye = torch.eye(grid)[None]
    full = torch.nn.functional.interpolate(eye, size=(grid + 1) * cell, mode="linear", align_corners=False)[0].T
    return torch.stack([full[s:s + size] for s in range(cell)])


class RiseEvidence(BatchEvidence):
    """How far every masked copy's scores lie below the mean copy's, float32 `[N, M, K]`, that mean `[N, 1, K]`, and
    the masks in their compact form."""

    cheap_basis: ClassVar[bool] = True
    drops: Tensor
    level: Tensor
    masks: Masks

    def answer(self, columns: Columns) -> Answer:
        level = apply(columns, self.level)
        return Answer(self._maps(-apply_change(columns, self.drops, self.level), level))

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        pick = list(classes)
        return self._maps(-self.drops[..., pick].permute(2, 0, 1), self.level[..., pick].permute(2, 0, 1))

    def _maps(self, change: Tensor, level: Tensor) -> Tensor:
        """Maps `[Q, N, H, W]` of scores, given as ``level`` `[Q, N, 1]` plus ``change`` `[Q, N, M]`."""
        scores = change - change.mean(-1, keepdim=True) if self.params["center"] else change + level
        maps = self.masks.weighted_sum(scores.flatten(0, 1)) / (len(self.masks) * self.masks.p)
        return maps.reshape(*scores.shape[:2], *maps.shape[-2:])

    @property
    def nbytes(self) -> int:
        """Memory that the evidence holds, in bytes (all inputs)."""
        held = (self.drops, self.level, self.masks.grids, self.masks.shifts, *self.masks.up)
        return sum(t.numel() * t.element_size() for t in held)


@register(name="rise", family="perturbation", linear=True, signed=True, complete=False, needs=("scores",),
          passes="1 + n_masks forwards", seed=True, source="Petsiuk et al. 2018, eq. 6")
class Rise(Method):
    """Randomised input sampling.

    n_masks: 8000 by default. grid: cells per side. p: share of cells that stay visible. baseline: what is seen
    where a mask is 0 (zeros in the model's input space, as in the paper). center: subtract the mean score over
    all masks (ours), so that the map is signed: the score's change, in the question's units, when a pixel is seen.
    ``center=False`` gives the published sum, whose level is the mean score itself.
    """

    defaults: ClassVar[dict[str, Any]] = {"n_masks": 8000, "grid": 7, "p": 0.5, "center": True, "baseline": "zero",
                                "batch_size": 64, "seed": 0}

    def prepare(self, job: Job) -> RiseEvidence:
        model, x, task = job.model, job.x, job.task
        need_images(self, x)
        p, grid, count = self.params["p"], self.params["grid"], self.params["n_masks"]
        if not 0 < p < 1:
            raise MethodError(f"rise: p={p!r}; give a share of visible cells between 0 and 1.")
        h, w = x.shape[-2:]
        if grid > min(h, w):
            raise MethodError(f"rise: grid={grid} is finer than the image ({h} x {w}).")
        masks = Masks(count, grid, float(p), h, w, self.params["seed"]).to(x.device)
        fill = baselines.of(job, self.params["baseline"], self.params["seed"])
        with torch.no_grad():
            logits = model.forward(x, task)
            job.progress.step(len(x))
            scores = torch.empty(len(x), count, logits.shape[1], device=x.device)
            for i, (image, under) in enumerate(zip(x, fill, strict=True)):
                seen = image - under
                for index in torch.arange(count, device=x.device).split(self.params["batch_size"]):
                    drawn = masks.draw(index)[:, None].to(x.dtype)
                    scores[i, index] = model.forward(torch.addcmul(under, drawn, seen), task)
                    job.progress.step(len(index))
        evidence = self.evidence(RiseEvidence, job, logits)
        evidence.level = scores.mean(1, keepdim=True)
        evidence.drops, evidence.masks = scores.neg_().add_(evidence.level), masks
        return evidence

    def passes(self, x: Tensor) -> int:
        return len(x) * (1 + int(self.params["n_masks"]))
