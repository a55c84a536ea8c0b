"""Large arrays in an exported page: maps as float16 with one factor each, pictures without loss or as JPEG, deflated."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: maps below this many bytes stay float32
LITTLE = 2**20
#: pictures above this many bytes, deflated, become JPEG
_LOSSLESS = 2**20


def compact_maps(values: NDArray[np.float32], lengths: Sequence[int]) -> tuple[dict[str, Any], float]:
    """A trait ``{"view", "dtype": "float16", ...}`` of maps one after the other, and its largest error.

    values: float32 `[sum(lengths)]`. Every map is divided by its largest size before it is rounded, so that neither
    large nor tiny units overflow. The low bytes come first, as they are (they are noise); then the high bytes, deflated.
    Returns the error as a share of the range (largest minus smallest value) of the map it occurs in, at most 2^-11.
    """
    half = np.empty(len(values), "<f2")
    factors, error, start = [], 0.0, 0
    for n in lengths:
        part = values[start:start + n].astype(np.float64)
        finite = part[np.isfinite(part)]
        factor = float(np.abs(finite).max()) if finite.size and np.abs(finite).max() > 0 else 1.0
        half[start:start + n] = part / factor
        if finite.size and np.ptp(finite) > 0:
            back = (half[start:start + n].astype(np.float64) * factor).astype(np.float32)
            error = max(error, float(np.nanmax(np.abs(back[np.isfinite(part)] - finite)) / np.ptp(finite)))
        factors.append([start, int(n), factor])
        start += n
    low, high = half.view(np.uint8).reshape(-1, 2).T
    return {"view": low.tobytes() + zlib.compress(high.tobytes(), 6), "dtype": "float16", "shape": [len(values)],
            "factors": factors}, error


def compact_pictures(pictures: Sequence[NDArray[np.uint8]], *, exact: bool = False) -> tuple[dict[str, Any], bool]:
    """A trait with all pictures, and whether it is without loss. Many photographs become JPEG, quality 90.

    exact: never with loss.
    """
    # Rows as differences to the row above: what PNG calls the filter "up".
    raw = [np.diff(p, axis=0, prepend=np.zeros_like(p[:1])).ravel() for p in pictures]
    flat = np.concatenate(raw)
    data = zlib.compress(flat.tobytes(), 9)
    if exact or len(data) <= _LOSSLESS:
        return {"view": data, "dtype": "uint8", "shape": [len(flat)], "packing": "deflate"}, True
    files = [_jpeg(p) for p in pictures]
    return {"view": b"".join(files), "dtype": "jpeg", "shape": [len(f) for f in files]}, False


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).save(out, format="JPEG", quality=90, optimize=True)
    return out.getvalue()
