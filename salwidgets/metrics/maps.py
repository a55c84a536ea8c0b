"""Maps and the truths they are held against, brought to one size and checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..explanation import Explanation


def name(i: int, e: Explanation) -> str:
    """How errors name explanation ``i``."""
    return f"explanation {i} ({e.method})"


def image_map(i: int, e: Explanation) -> np.ndarray:
    """The map at the input's height and width, float64 `[H, W]`; `InputError` if it does not lie on an image."""
    if e.values.ndim != 2:
        raise InputError(f"{name(i, e)}: a map of shape {e.values.shape} lies on no image; this metric needs [H, W].")
    return e.upsampled().astype(np.float64)


def as_mask(i: int, e: Explanation, given: Any) -> np.ndarray:
    """``given`` as bool `[H, W]` at the input's size: bool, or numbers that are 0 outside and one other value inside.

    `InputError`: another size, NaN, more than two values, or nothing inside.
    """
    a = _array(given)
    if a.ndim == 3 and 1 in (a.shape[0], a.shape[-1]):
        a = a[0] if a.shape[0] == 1 else a[..., 0]
    if a.shape != e.size:
        raise InputError(f"{name(i, e)}: its mask has shape {a.shape}, the image {e.size}; give bool [H, W] at the "
                         "image's size.")
    if a.dtype != bool:
        if a.dtype.kind not in "iuf" or not np.isfinite(a).all() or len(np.unique(a[a != 0])) > 1 or (a < 0).any():
            raise InputError(f"{name(i, e)}: its mask holds NaN or more than two values; give bool: mask > 0.5.")
        a = a != 0
    if not a.any():
        raise InputError(f"{name(i, e)}: its mask is empty: there is nothing to find; leave this explanation out.")
    return a


def on_masks(explanations: Sequence[Explanation], masks: Sequence[Any]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each map, float64 `[H, W]` at its input's size, with its mask, bool `[H, W]`."""
    for i, (e, given) in enumerate(zip(explanations, masks, strict=True)):
        yield image_map(i, e), as_mask(i, e, given)


def unit(values: np.ndarray) -> np.ndarray:
    """``values`` min-max scaled to [0, 1], as the benchmarks' protocols do; a constant map becomes 0 everywhere."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def is_constant(values: np.ndarray) -> bool:
    """Whether a map says the same everywhere, so that it ranks nothing."""
    return bool(values.min() == values.max())


def _array(given: Any) -> np.ndarray:
    """``given`` as an array; tensors are detached."""
    return np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
