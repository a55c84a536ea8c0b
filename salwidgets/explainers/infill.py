"""What stands where a mask hides the image: a reference picture, or what a painter makes of the visible rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import MethodError
from ..models import Model
from . import baselines
from .base import Job

Painter = Callable[[Tensor, Tensor], Tensor]
"""(images `[B, C, H, W]`, kept `[B, 1, H, W]` of 0 and 1) -> filled images `[B, C, H, W]`, in the model's input space."""

_WINDOW = 15


@dataclass(frozen=True, eq=False)
class Infill:
    """Either ``still`` `[N, C, H, W]`, which no mask changes, or a ``painter`` that is asked for every mask."""

    still: Tensor | None = None
    painter: Painter | None = None

    def paint(self, images: Tensor, masks: Tensor) -> Tensor:
        """The painter's pictures for soft ``masks`` `[B, 1, H, W]` (1 keeps); no gradient goes through them (ref).

        Raises `MethodError` if it gives something else than one picture per image.
        """
        assert self.painter is not None
        with torch.no_grad():
            filled = self.painter(images, (masks.detach() > 0.5).to(images.dtype))
        if not isinstance(filled, Tensor) or filled.shape != images.shape:
            got = f"a tensor {list(filled.shape)}" if isinstance(filled, Tensor) else f"a {type(filled).__name__}"
            raise MethodError(f"the in-fill gave {got} for images {list(images.shape)}; it takes (images [B, C, H, W], "
                              "kept [B, 1, H, W] of 0 and 1) and gives filled images of the same shape.")
        return filled.detach().to(images)


def make(model: Model, x: Tensor, infill: Any, sigma: float, seed: int) -> Infill:
    """The in-fill called ``infill`` for images ``x`` `[N, C, H, W]`.

    "blur": Gaussian of ``sigma`` pixels. "local-mean": the mean of the visible pixels in a window of 15; the image's mean
    colour where none is visible (ours: zero in the released code). "mean": the image's own mean colour (ours: zero, which
    is ImageNet's, in the released code). A callable: a `Painter`. Anything else as in `baselines.make`.
    """
    if isinstance(infill, str) and infill == "local-mean":
        return Infill(painter=local_mean(_WINDOW))
    if callable(infill):
        return Infill(painter=infill)
    if isinstance(infill, str) and infill not in baselines.BASELINES:
        raise MethodError(f"the in-fill {infill!r} is unknown; choose one of local-mean, {', '.join(baselines.BASELINES)}, "
                          "or give a function (images, kept) -> filled images.")
    if isinstance(infill, str) and infill == "blur":
        return Infill(baselines.blur(x, float(sigma)) if sigma > 0 else x)
    return Infill(baselines.make(model, x, infill, seed))


def of(job: Job, infill: Any, sigma: float, seed: int) -> Infill:
    """`make` for a batch, see `baselines.mine`."""
    return make(job.model, job.x, baselines.mine(job, infill), sigma, seed)


def local_mean(window: int) -> Painter:
    """A painter: the mean of what is visible in a square window of ``window`` (odd) pixels."""

    def paint(images: Tensor, kept: Tensor) -> Tensor:
        share = F.avg_pool2d(kept, window, 1, window // 2)
        near = F.avg_pool2d(images * kept, window, 1, window // 2)
        return torch.where(share > 0, near / share.clamp_min(1e-12), images.mean((2, 3), keepdim=True))

    return paint
