"""From what a user has (PIL, ndarray, path, tensor) to what a model takes, and back to a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError


def to_batch(inputs: Any, preprocess: Callable[[Any], Any] | None, mean: Sequence[float] | None,
             std: Sequence[float] | None, axes: int | None = 3) -> tuple[Tensor, bool]:
    """A batch `[N, ...]` and whether ``inputs`` was a single one.

    Tensors and float arrays are taken as the model's own input: `[C, H, W]` is one image, `[N, C, H, W]` a batch.
    axes: how many axes one input has (3 for images); None where the model does not say.
    Paths, PIL images and uint8 arrays `[H, W(, 3|4)]` are pictures: they go through ``preprocess``, or, without
    one, become `[3, H, W]` in [0, 1], normalised by ``mean`` and ``std``.
    Raises `InputError` naming the input's index: NaN or infinite, empty, unreadable, wrong dtype or shape.
    """
    if isinstance(inputs, (list, tuple)):
        if not inputs:
            raise InputError("the list of inputs is empty; give at least one image.")
        rows = [_one(item, preprocess, mean, std, f"input {i}") for i, item in enumerate(inputs)]
        shapes = {tuple(r.shape) for r in rows}
        if len(shapes) > 1:
            raise InputError(f"the inputs have different shapes {sorted(shapes)}; give a preprocess that makes them "
                             "equal, or explain them one by one.")
        batch, single = torch.stack(rows), False
    else:
        many = _many_pictures(inputs)
        if many is not None:
            return to_batch(many, preprocess, mean, std, axes)
        batch = _one(inputs, preprocess, mean, std, "the input")
        alone = batch.ndim <= (_guess_axes(batch) if axes is None else axes)
        batch = batch[None] if alone else batch
        single = alone or len(batch) == 1
    if axes is not None and not batch.is_floating_point():
        raise _no_floats(batch, "the input" if single else "the batch")
    check(batch)
    return batch, single


def _guess_axes(x: Tensor) -> int:
    """Axes of one input for a model without convolutions: `[F]`, or `[1|3, H, W]` where it looks like an image."""
    image = x.ndim == 3 and x.shape[0] in (1, 3) and min(x.shape[1:]) >= 8
    return 3 if image or x.ndim == 4 else 1


def _many_pictures(inputs: Any) -> list[Any] | None:
    """A uint8 array `[N, H, W, C]` as a list of pictures; a batch of one stays a single input elsewhere."""
    if isinstance(inputs, np.ndarray) and inputs.dtype == np.uint8 and inputs.ndim == 4:
        return list(inputs)
    return None


def _one(item: Any, preprocess: Callable[[Any], Any] | None, mean: Any, std: Any, name: str) -> Tensor:
    if isinstance(item, Tensor):
        return _checked_dtype(item, name)
    if isinstance(item, np.ndarray) and item.dtype != np.uint8:
        if item.dtype == object:
            raise InputError(f"{name} is an array of objects; give numbers.")
        a = item.astype(np.float32) if item.dtype.kind == "f" else item
        return _checked_dtype(torch.from_numpy(np.ascontiguousarray(a)), name)
    picture = _picture(item, name)
    if preprocess is not None:
        made = preprocess(picture)
        if hasattr(made, "pixel_values"):
            made = made.pixel_values
        elif isinstance(made, dict):
            made = made["pixel_values"]
        made = torch.as_tensor(np.asarray(made) if not isinstance(made, Tensor) else made)
        return made[0] if made.ndim == 4 and len(made) == 1 else made
    x = torch.from_numpy(np.array(picture, np.float32) / 255).permute(2, 0, 1)
    return (x - _column(mean, 0.0)) / _column(std, 1.0)


def _picture(item: Any, name: str) -> Any:
    """A PIL image in RGB."""
    from PIL import Image

    if isinstance(item, (str, Path)):
        try:
            with Image.open(item) as opened:
                return opened.convert("RGB")
        except OSError as e:
            raise InputError(f"{name}: cannot read the image {str(item)!r}: {e}.") from e
    if isinstance(item, Image.Image):
        return item.convert("RGB")
    if isinstance(item, np.ndarray):
        if item.size == 0 or item.ndim not in (2, 3) or (item.ndim == 3 and item.shape[-1] not in (1, 3, 4)):
            raise InputError(f"{name} is a uint8 array {list(item.shape)}; a picture is [H, W], [H, W, 3] or [H, W, 4].")
        return Image.fromarray(item[..., 0] if item.ndim == 3 and item.shape[-1] == 1 else item).convert("RGB")
    raise InputError(f"{name} is a {type(item).__name__}; give a path, a PIL image, a numpy array or a tensor.")


def _checked_dtype(x: Tensor, name: str) -> Tensor:
    if x.dtype in (torch.uint8, torch.bool) or x.is_complex():
        raise _no_floats(x, name)
    return x.detach()


def _no_floats(x: Tensor, name: str) -> InputError:
    return InputError(f"{name} is a {str(x.dtype).removeprefix('torch.')} tensor; models take floats. Convert it as the "
                      "model was trained (x.float() / 255, normalised), or give the picture itself.")


def check(batch: Tensor) -> None:
    """Raises `InputError` if a batch is empty or holds NaN or infinity; names the rows."""
    if batch.numel() == 0:
        raise InputError(f"the input is empty: shape {list(batch.shape)}. Give at least one image with pixels.")
    if batch.is_floating_point() and not bool(torch.isfinite(batch.abs().amax())):
        fine = torch.isfinite(batch).flatten(1).all(1)
        if not bool(fine.all()):
            rows = (~fine).nonzero().flatten().tolist()
            raise InputError(f"input {', '.join(map(str, rows[:5]))} of {len(batch)} holds NaN or infinity; "
                             "clean it first (torch.nan_to_num), or leave it out.")


def _column(values: Any, default: float) -> Tensor:
    return torch.tensor(default if values is None else values, dtype=torch.float32).reshape(-1, 1, 1)


def to_pictures(batch: Tensor, mean: Sequence[float] | None, std: Sequence[float] | None) -> np.ndarray | None:
    """uint8 `[N, H, W, 3]` to draw a batch of images `[N, C, H, W]`; None for inputs that are no pictures.

    With ``mean`` and ``std`` the normalisation is undone. Without them, inputs in [0, 1] are drawn as they are
    and any others are stretched, each image over its own range: a picture to look at, not a measurement.
    """
    if batch.ndim != 4 or batch.shape[1] not in (1, 3, 4) or not batch.is_floating_point():
        return None
    x = batch[:, :3].detach().float().cpu()
    if mean is not None or std is not None:
        x = x * _column(std, 1.0)[:3] + _column(mean, 0.0)[:3]
    elif float(x.min()) < -1e-6 or float(x.max()) > 1 + 1e-6:
        low = x.flatten(1).amin(1).view(-1, 1, 1, 1)
        x = (x - low) / (x.flatten(1).amax(1).view(-1, 1, 1, 1) - low).clamp_min(1e-12)
    pictures = (x.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    return pictures.expand(-1, -1, -1, 3).contiguous().numpy()
