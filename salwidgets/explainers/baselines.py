"""What an input without information looks like: the baseline that paths start from and masks fill in."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import MethodError
from ..models import Model
from .base import Job

BASELINES = ("zero", "black", "white", "mean", "blur", "uniform")


def make(model: Model, x: Tensor, baseline: Any, seed: int = 0) -> Tensor:
    """A baseline like ``x`` `[N, ...]`.

    "zero": zeros in the model's input space (the mean colour, if inputs are normalised). "black", "white": these
    colours, through the model's mean and std. "mean": each input's own mean per channel. "blur": Gaussian, sigma
    1/22 of the shorter side (10 px at 224; ours). "uniform": noise between the input's extremes, from ``seed``, the
    same draw for every input (ours), so that an input's baseline is the same alone and in company.
    A number, or an array or tensor broadcastable to ``x``, is taken as it is.
    Raises `MethodError`: another name or type, a shape that does not fit, NaN or infinite values.
    """
    if isinstance(baseline, str):
        return _named(model, x, baseline, seed).to(x.dtype)
    if isinstance(baseline, (int, float)) and not isinstance(baseline, bool):
        return _finite(torch.full_like(x, float(baseline)))
    if isinstance(baseline, (Tensor, np.ndarray)):
        given = _finite(torch.as_tensor(baseline).to(device=x.device, dtype=x.dtype))
        try:
            return given.expand_as(x) if given.ndim == x.ndim else given[None].expand_as(x)
        except RuntimeError as e:
            raise MethodError(f"the baseline has shape {list(given.shape)}; it must fit inputs {list(x.shape[1:])}.") from e
    raise MethodError(f"baseline={baseline!r}; give one of {', '.join(BASELINES)}, a number, or an array.")


def _finite(given: Tensor) -> Tensor:
    if not bool(torch.isfinite(given).all()):
        raise MethodError("the baseline holds NaN or infinite values, and so would the map; clean it first "
                          "(torch.nan_to_num).")
    return given


def of(job: Job, baseline: Any, seed: int = 0) -> Tensor:
    """`make` for a batch, see `mine`."""
    return make(job.model, job.x, mine(job, baseline), seed)


def mine(job: Job, baseline: Any) -> Any:
    """A baseline as it is, or the batch's rows of an array with one for each of the caller's inputs."""
    each = isinstance(baseline, (Tensor, np.ndarray)) and baseline.ndim == job.x.ndim and len(baseline) == job.total
    return job.mine(baseline) if each else baseline


def _named(model: Model, x: Tensor, name: str, seed: int) -> Tensor:
    if name == "zero":
        return torch.zeros_like(x)
    if name in ("black", "white"):
        black = model.black(x)
        if name == "black":
            return black.expand_as(x)
        std = 1.0 if model.std is None else torch.tensor(model.std, device=x.device, dtype=x.dtype).reshape(-1, 1, 1)
        return (black + 1.0 / std).expand_as(x)
    spatial = tuple(range(2, x.ndim))
    if name == "mean":
        return x.mean(spatial, keepdim=True).expand_as(x) if spatial else x.mean(1, keepdim=True).expand_as(x)
    if name == "uniform":
        noise = torch.rand(x.shape[1:], generator=torch.Generator().manual_seed(seed)).to(x.device)
        rest = tuple(range(1, x.ndim))
        low, high = x.amin(rest, keepdim=True), x.amax(rest, keepdim=True)
        return low + noise * (high - low)
    if name == "blur":
        if x.ndim != 4:
            raise MethodError("baseline='blur' is for images; use 'zero', 'mean' or 'uniform' here.")
        return blur(x, min(x.shape[-2:]) / 22.4)
    raise MethodError(f"baseline={name!r} is unknown; choose one of {', '.join(BASELINES)}.")


def blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of images `[N, C, H, W]`, edges reflected; kernel to 3 sigma, or to the image's edge."""
    for axis in (-2, -1):
        reach = min(int(3 * sigma + 0.5), x.shape[axis] - 1)
        if reach < 1:
            continue
        at = torch.arange(-reach, reach + 1, device=x.device, dtype=torch.float32)
        kernel = torch.exp(-0.5 * (at / sigma) ** 2)
        kernel = (kernel / kernel.sum()).to(x.dtype)
        shape = [1, 1, -1, 1] if axis == -2 else [1, 1, 1, -1]
        pad = [0, 0, reach, reach] if axis == -2 else [reach, reach, 0, 0]
        rows = torch.nn.functional.pad(x.flatten(0, 1)[:, None], pad, mode="reflect")
        x = torch.nn.functional.conv2d(rows, kernel.reshape(shape)).reshape(x.shape)
    return x
