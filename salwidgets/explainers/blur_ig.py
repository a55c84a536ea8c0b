"""Blur integrated gradients: the path from the input to its blurred self, instead of to a colour."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from ..errors import MethodError
from .base import Job
from .registry import register
from .sampled import Points, Sampled, wide

_FULL = 50 / 224  # the reference's largest sigma, as a share of the shorter side of the images that it was set for
_TRUNCATE = 4.0


def blur_matrix(size: int, sigma: Tensor) -> Tensor:
    """Gaussian blur along one axis as matrices `[P, size, size]` for sigmas `[P]`, float32: zeros lie beyond the edge,
    kernels reach to 4 sigma and sum to one, and sigma 0 is the identity."""
    s = sigma.float().cpu()
    reach = (_TRUNCATE * s + 0.5).floor().clamp_min(0)
    far = int(reach.max()) if len(s) else 0
    d = torch.arange(-far, far + 1)
    kernel = torch.exp(-0.5 * (d / s.clamp_min(1e-6)[:, None]) ** 2) * (d.abs() <= reach[:, None])
    kernel = kernel / kernel.sum(1, keepdim=True)
    at = torch.arange(size)
    offset = at[:, None] - at
    inside = offset.abs() <= far
    return kernel[:, (offset.clamp(-far, far) + far)] * inside


def blurred(x: Tensor, sigma: Tensor) -> Tensor:
    """Images `[P, C, H, W]`, each blurred by its sigma `[P]`."""
    rows = blur_matrix(x.shape[-2], sigma).to(x.device)[:, None]
    columns = blur_matrix(x.shape[-1], sigma).to(x.device)[:, None]
    return (rows @ x.float() @ columns.mT).to(x.dtype)


@register(name="blur-ig", family="path", linear=True, signed=True, complete=True, needs=("gradients",),
          passes="101 forwards and backwards", seed=False, source="Xu et al. 2020, eq. 5")
class BlurIG(Sampled):
    """Integrated gradients along the blur of the input: the integral over sigma of -gradient(G_sigma x) d(G_sigma x).

    max_sigma: where the path begins, in pixels; None is 50 at a shorter side of 224, in proportion (ours). steps: from
    there to the input, equally wide in sigma, or in its square with ``sqrt=True``. Gradients are averaged over both ends
    of a step and multiplied by what the blur took away in it (ours), so that the map sums to score(x) -
    score(blurred x). grad_step: a number takes the released code's rule instead: the gradient at the sharper end times
    the blur's derivative over ``grad_step`` (ref: 0.01). Map `[N, H, W]`, signed.
    """

    defaults: ClassVar[dict[str, Any]] = {"max_sigma": None, "steps": 100, "sqrt": False, "grad_step": None,
                                          "channels": "sum", "batch_size": 32}
    label = "blurring"

    def n_points(self) -> int:
        return int(self.params["steps"]) + (self.params["grad_step"] is None)

    def passes(self, x: Tensor) -> int:
        return 2 * len(x)

    def points(self, job: Job) -> Points:
        x, steps, h = job.x, int(self.params["steps"]), self.params["grad_step"]
        if x.ndim != 4:
            raise MethodError("blur-ig blurs images; use integrated-gradients here.")
        top = self.params["max_sigma"]
        top = _FULL * min(x.shape[-2:]) if top is None else top
        for name, value in (("max_sigma", top), ("grad_step", 1.0 if h is None else h)):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
                raise MethodError(f"blur-ig: {name}={value!r}; give a number of pixels above 0.")
        share = torch.arange(steps + 1, dtype=torch.float64) / steps
        sigmas = ((share * top).sqrt() if self.params["sqrt"] else share * top).to(x.device)

        def ours(j: Tensor, i: Tensor, k: int) -> tuple[Tensor, Tensor | float]:
            before, after = (j - 1).clamp_min(0), (j + 1).clamp_max(steps)
            return blurred(x[i], sigmas[j]), (blurred(x[i], sigmas[before]) - blurred(x[i], sigmas[after])).float() / 2

        def released(j: Tensor, i: Tensor, k: int) -> tuple[Tensor, Tensor | float]:
            at = blurred(x[i], sigmas[j])
            speed = (blurred(x[i], sigmas[j] + h) - at).float() / h
            return at, -speed * wide(sigmas[j + 1] - sigmas[j], speed)

        start = blurred(x, sigmas[-1:].expand(len(x)))
        return Points(steps + 1, ours, start=start) if h is None else Points(steps, released, start=start)
