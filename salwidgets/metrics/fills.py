"""What stands where an image is hidden: a still picture, or a painter that looks at what is left."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import MethodError

if TYPE_CHECKING:
    from ..models import Model

FILLS = ("black", "blur", "mean", "noise", "road")
_BLUR_SIGMA = 5.0
_ROAD_NOISE = 0.01
_TOLERANCE, _MOST_STEPS = 1e-3, 2000


@dataclass(frozen=True, eq=False)
class Fill:
    """still: inputs `[N, ...]` -> what they look like when all is hidden. paint: (inputs, gone bool `[N, 1, H, W]`) ->
    filled inputs, for fills that depend on what is left. key: tells fills apart."""

    key: Any
    still: Callable[[Tensor], Tensor]
    paint: Callable[[Tensor, Tensor], Tensor] | None = None


def make_fill(model: Model, fill: Any, seed: int = 0) -> Fill:
    """The fill called ``fill``.

    "black": through the model's mean and std; zeros for inputs that are no images. "blur": Gaussian, sigma 5 pixels, edges
    reflected. "mean": each input's mean per channel. "noise": uniform per value between black and white (inputs whose range
    is unknown: between their own extremes), the same picture for every input. "road": noisy linear imputation, see `impute`.
    An array broadcastable to an input: that picture. A function (inputs `[B, C, H, W]`, gone bool `[B, 1, H, W]`) ->
    inputs: a painter. `MethodError` for anything else.
    """
    if isinstance(fill, str):
        if fill not in FILLS:
            raise MethodError(f"fill={fill!r} is unknown; choose one of {', '.join(FILLS)}, or give an array or a function.")
        if fill == "road":
            return Fill("road", _mean, lambda x, gone: impute(x, gone, _noise_level(model, x), seed))
        return Fill(fill, lambda x: _still(model, x, fill, seed))
    if callable(fill):
        return Fill(("painter", id(fill)), _mean, fill)
    if isinstance(fill, (int, float, np.ndarray, np.number, Tensor)) and not isinstance(fill, bool):
        given = torch.as_tensor(fill).detach().cpu().float()
        key = hashlib.blake2b(given.numpy().tobytes() + str(list(given.shape)).encode(), digest_size=16).digest()
        return Fill(("array", key), lambda x: _spread(given, x))
    raise MethodError(f"fill={fill!r}; choose one of {', '.join(FILLS)}, or give an array or a function.")


def _spread(given: Tensor, x: Tensor) -> Tensor:
    try:
        return given.to(x).expand_as(x)
    except RuntimeError as e:
        raise MethodError(f"the fill has shape {list(given.shape)}; it must fit inputs {list(x.shape[1:])}.") from e


def _still(model: Model, x: Tensor, fill: str, seed: int) -> Tensor:
    image = x.ndim == 4
    if fill == "mean":
        return _mean(x)
    if fill == "black":
        return model.black(x).expand_as(x) if image else torch.zeros_like(x)
    if fill == "blur":
        if not image:
            raise MethodError("fill='blur' is for images; use 'black' (zeros), 'mean' or 'noise' here.")
        from ..explainers.baselines import blur

        return blur(x, _BLUR_SIGMA)
    noise = torch.rand(x.shape[1:], generator=torch.Generator().manual_seed(seed)).to(x)
    rest = tuple(range(1, x.ndim))
    low, high = x.amin(rest, keepdim=True), x.amax(rest, keepdim=True)
    unit = model.mean is None and model.std is None and (float(low.min()) < -1e-6 or float(high.max()) > 1 + 1e-6)
    if image and not unit:
        low = model.black(x)
        high = low + _std(model, x)
    return (low + noise * (high - low)).expand_as(x)


def _mean(x: Tensor) -> Tensor:
    return x.mean(tuple(range(2, x.ndim)), keepdim=True).expand_as(x) if x.ndim > 2 else x.mean(1, keepdim=True).expand_as(x)


def _std(model: Model, x: Tensor) -> Tensor:
    """What one step from black to white is in the model's input space, `[C or 1, 1, 1]`."""
    std = torch.tensor(1.0 if model.std is None else model.std, device=x.device, dtype=x.dtype)
    return 1.0 / std.reshape(-1, 1, 1)


def _noise_level(model: Model, x: Tensor) -> Tensor:
    return _ROAD_NOISE * _std(model, x)


def impute(x: Tensor, gone: Tensor, noise: Tensor | float = _ROAD_NOISE, seed: int = 0) -> Tensor:
    """Noisy linear imputation (ROAD: Rong et al., "A Consistent and Efficient Evaluation Strategy", 2022, section 4).

    x: images `[N, C, H, W]`. gone: bool `[N, 1, H, W]`. Every hidden pixel becomes the weighted mean of its neighbours, 1/6
    for the four beside it and 1/12 for the four across (fewer at the edge), hidden ones included, which is one linear
    system per image; then Gaussian noise of standard deviation ``noise`` (0.01 of black to white) is added. The systems of
    a batch are solved together by conjugate gradients. An image with nothing left becomes its mean colour (ours).
    """
    if x.ndim != 4:
        raise MethodError("fill='road' is for images; use 'black' (zeros), 'mean' or 'noise' here.")
    known = (~gone).to(x.dtype)
    hidden = 1 - known
    reach = _neighbours(torch.ones_like(x[:1, :1]))
    start = _pulled(x, known)
    right = (_neighbours(x * known) - (reach * start - _neighbours(start * hidden))) * hidden
    empty = gone.all(-1).all(-1)[..., None, None]
    shift = _solve(lambda v: (reach * v - _neighbours(v)) * hidden, torch.where(empty, 0, right), hidden / reach)
    g = torch.Generator().manual_seed(seed)
    drawn = noise * torch.randn(x.shape[1:], generator=g).to(x)
    return torch.where(gone, start + shift + drawn, x)


def _neighbours(v: Tensor) -> Tensor:
    """The weighted sum of each pixel's eight neighbours; the 3 x 3 weights are (1, 2, 1) by (1, 2, 1) less the centre."""
    rows = 2 * v
    rows[..., 1:, :] += v[..., :-1, :]
    rows[..., :-1, :] += v[..., 1:, :]
    out = 2 * rows
    out[..., 1:] += rows[..., :-1]
    out[..., :-1] += rows[..., 1:]
    return out.sub_(v, alpha=4).div_(12)


def _pulled(x: Tensor, known: Tensor) -> Tensor:
    """A first guess at hidden pixels: what is known, averaged over ever larger squares, the smallest that knows anything."""
    if min(x.shape[-2:]) <= 2:
        share = known.mean((2, 3), keepdim=True)
        mean = (x * known).mean((2, 3), keepdim=True) / share.clamp_min(1e-12)
        return torch.where(known > 0, x, torch.where(share > 0, mean, x.mean((2, 3), keepdim=True)))
    share = F.avg_pool2d(known, 2, ceil_mode=True)
    coarse = F.avg_pool2d(x * known, 2, ceil_mode=True) / share.clamp_min(1e-12)
    guess = _pulled(torch.where(share > 0, coarse, _mean(x)[..., :1, :1]), (share > 0).to(x.dtype))
    size = (int(x.shape[-2]), int(x.shape[-1]))
    return torch.where(known > 0, x, F.interpolate(guess, size=size, mode="bilinear"))


def _solve(system: Callable[[Tensor], Tensor], right: Tensor, inverse: Tensor) -> Tensor:
    """Conjugate gradients from zero, each image and channel by itself; ``inverse`` of the diagonal goes before."""
    def dot(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum((2, 3), keepdim=True)

    v, r = torch.zeros_like(right), right
    z = inverse * r
    p, rz = z, dot(r, z)
    goal = _TOLERANCE ** 2 * rz.clamp_min(1e-12)
    for step in range(_MOST_STEPS):
        if step % 8 == 0 and bool((rz <= goal).all()):
            break
        ap = system(p)
        alpha = rz / dot(p, ap).clamp_min(1e-30)
        v, r = v + alpha * p, r - alpha * ap
        z = inverse * r
        new = dot(r, z)
        p, rz = z + new / rz.clamp_min(1e-30) * p, new
    return v
