"""Occlusion: slide a window over the image, fill it, and see what the scores lose.

All K scores of every masked image are kept, so any later question is one matrix product. A pixel's value is the
mean over the windows that cover it, at the input's size, which is separable in rows and columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..errors import MethodError
from . import baselines
from .base import Answer, BatchEvidence, Columns, Job, Method, apply_change
from .registry import register


def need_images(method: Method, x: Tensor) -> None:
    """Raises `MethodError` unless ``x`` is a batch of images of floats `[N, C, H, W]`."""
    if x.ndim != 4 or not x.is_floating_point():
        raise MethodError(f"{method.info.name} masks images [N, C, H, W]; these inputs are {list(x.shape)} of {x.dtype}. "
                          "Use integrated-gradients or input-x-gradient.")


def pair(value: Any, name: str, most: tuple[int, int]) -> tuple[int, int]:
    """An int or a pair of ints between 1 and ``most``."""
    two = tuple(value) if isinstance(value, (list, tuple)) or np.ndim(value) == 1 else (value, value)
    if len(two) != 2 or not all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) and 1 <= v <= m
                                for v, m in zip(two, most, strict=True)):
        raise MethodError(f"{name}={value!r}; give a whole number, or a pair, between 1 and the image's {most}.")
    return int(two[0]), int(two[1])


class OcclusionEvidence(BatchEvidence):
    """What every window takes from the scores, float32 `[N, rows, columns, K]`, and the pixels each one covers.

    The drops are kept, not the scores: a sum of large scores that nearly cancel would lose digits.
    """

    drops: Tensor
    rows: Tensor
    columns_: Tensor

    def answer(self, columns: Columns) -> Answer:
        return Answer(self._maps(apply_change(columns, self.drops, self.logits[:, None, None])))

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        return self._maps(self.drops[..., list(classes)].permute(3, 0, 1, 2))

    def _maps(self, drop: Tensor) -> Tensor:
        """Maps `[Q, N, H, W]` from the drops `[Q, N, rows, columns]`: mean over the windows covering a pixel."""
        return torch.einsum("yr,qnrc,xc->qnyx", self.rows, drop, self.columns_)


def covers(size: int, window: int, stride: int) -> tuple[Tensor, Tensor]:
    """Windows along one side: starts `[R]`, and the averaging matrix `[size, R]` (rows sum to 1)."""
    count = 1 + math.ceil((size - window) / stride)
    starts = torch.arange(count) * stride
    at = torch.arange(size)[:, None]
    inside = ((at >= starts) & (at < starts + window)).float()
    return starts, inside / inside.sum(1, keepdim=True).clamp_min(1)


@register(name="occlusion", family="perturbation", linear=True, signed=True, complete=False, needs=("scores",),
          passes="1 + windows forwards", seed=False, source="Zeiler & Fergus 2014, section 4.2")
class Occlusion(Method):
    """Occlusion by a sliding window.

    window, stride: pixels, one number or (rows, columns); None: a seventh of the image, and half the window
    (32 and 16 at 224; ours). baseline: what fills the window, see `baselines.make`. A stride beyond the window
    leaves pixels that no window covers: they are 0.
    """

    defaults: ClassVar[dict[str, Any]] = {"window": None, "stride": None, "baseline": "zero", "batch_size": 64, "seed": 0}

    def prepare(self, job: Job) -> OcclusionEvidence:
        model, x, task = job.model, job.x, job.task
        need_images(self, x)
        (wy, wx), (sy, sx) = self._geometry(x)
        h, w = x.shape[-2:]
        (top, rows), (left, columns) = covers(h, wy, sy), covers(w, wx, sx)
        fill = baselines.of(job, self.params["baseline"], self.params["seed"])
        n, size = len(x), self.params["batch_size"]
        grid = torch.cartesian_prod(torch.arange(n), top, left)
        ys, xs = torch.arange(h), torch.arange(w)
        found = []
        with torch.no_grad():
            logits = model.forward(x, task)
            job.progress.step(n)
            for part in grid.split(size):
                i, y0, x0 = part.T
                in_y = (ys >= y0[:, None]) & (ys < y0[:, None] + wy)
                in_x = (xs >= x0[:, None]) & (xs < x0[:, None] + wx)
                hidden = (in_y[:, None, :, None] & in_x[:, None, None, :]).to(x.device)
                i = i.to(x.device)
                found.append(model.forward(torch.where(hidden, fill[i], x[i]), task))
                job.progress.step(len(part))
        evidence = self.evidence(OcclusionEvidence, job, logits, window=[wy, wx], stride=[sy, sx])
        masked = torch.cat(found).reshape(n, len(top), len(left), -1)
        evidence.drops = logits[:, None, None] - masked
        evidence.rows, evidence.columns_ = rows.to(x.device), columns.to(x.device)
        return evidence

    def passes(self, x: Tensor) -> int:
        if x.ndim != 4:
            return len(x)
        (wy, wx), (sy, sx) = self._geometry(x)
        h, w = x.shape[-2:]
        return len(x) * (1 + (1 + math.ceil((h - wy) / sy)) * (1 + math.ceil((w - wx) / sx)))

    def _geometry(self, x: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
        size = (x.shape[-2], x.shape[-1])
        window, stride = self.params["window"], self.params["stride"]
        wy, wx = pair(window, "occlusion: window", size) if window is not None else (
            max(1, round(size[0] / 7)), max(1, round(size[1] / 7)))
        sy, sx = pair(stride, "occlusion: stride", size) if stride is not None else (max(1, wy // 2), max(1, wx // 2))
        return (wy, wx), (sy, sx)
