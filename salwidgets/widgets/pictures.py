"""Pictures that several views know: a key to recognise one by, and many small ones on one sheet."""

from __future__ import annotations

import hashlib
import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .wire import pack

#: sides of a small picture are at most this many pixels, and all together hold at most `_ALL` pixels
_LARGEST, _ALL = 96, 12_000_000
#: sheets above this many bytes cross as JPEG
_RAW = 2**20


def picture_key(image: Any) -> str:
    """Twelve characters that equal pictures share: how one view finds the pictures that another one speaks of."""
    array = np.ascontiguousarray(image)
    return hashlib.sha256(repr(array.shape).encode() + array.tobytes()).hexdigest()[:12]


def keys_of(given: Any, image: Any = None) -> str:
    """The keys of an explanation or a picture, with a space between: an explanation is known by its input as well.

    image: the picture that is drawn, if it is known. Empty for what has no picture.
    """
    picture = picture_of(given) if image is None else image
    seen = str(given.input_sha256)[:12] if hasattr(given, "input_sha256") else ""
    return " ".join(filter(None, (seen, "" if picture is None else picture_key(picture))))


def picture_of(given: Any) -> NDArray[np.uint8] | None:
    """uint8 `[H, W, 3]` of an explanation, or of what `explanation.as_picture` takes; None where there is no picture."""
    from ..explanation import as_picture

    if hasattr(given, "image") and hasattr(given, "values"):
        given = np.full((*given.size, 3), 128, np.uint8) if given.image is None else given.image
    try:
        return as_picture(given)
    except (InputError, TypeError, ValueError):
        return None


def small(pictures: Any) -> list[NDArray[np.uint8]]:
    """Pictures of any sizes, each made to fit the side that so many may have. Proportions stay, nothing grows.

    Raises `InputError` for what is no picture.
    """
    found = [picture_of(p) for p in pictures]
    bad = next((i for i, p in enumerate(found) if p is None), None)
    if bad is not None:
        given = pictures[bad]
        kind = getattr(given, "dtype", type(given).__name__)
        raise InputError(f"picture {bad} must be uint8 [h, w, 3], a float image in [0, 1], or a PIL image; got {kind} "
                         f"{list(np.shape(given))}.")
    side = min(_LARGEST, max(8, 8 * int(math.sqrt(_ALL / max(1, len(found))) / 8)))
    return [_fit(p, side) for p in found if p is not None]


def _fit(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    longest = max(image.shape[:2])
    if longest <= side:
        return image
    from PIL import Image

    size = max(1, round(image.shape[1] * side / longest)), max(1, round(image.shape[0] * side / longest))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def sheet(pictures: list[NDArray[np.uint8]]) -> dict[str, Any]:
    """A trait with all pictures on one sheet: ``{"view", "dtype", "shape", "tile", "columns", "size"}``.

    Every picture lies in the middle of a tile; ``tile`` is its rows and columns, ``size`` the sheet's. Many pictures make a
    JPEG (quality 88), few are kept as they are. No picture: an empty sheet.
    """
    if not pictures:
        return {**pack(np.zeros(0, np.uint8), "uint8"), "tile": [0, 0], "columns": 1, "size": [0, 0], "count": 0}
    n = len(pictures)
    rows, cols = max(p.shape[0] for p in pictures), max(p.shape[1] for p in pictures)
    if n * rows * cols * 3 > _RAW:  # JPEG works in blocks of 8: tiles on its grid do not bleed into each other
        rows, cols = 8 * math.ceil(rows / 8), 8 * math.ceil(cols / 8)
    across = max(1, min(n, round(math.sqrt(n * rows / cols))))
    out = np.full((math.ceil(n / across) * rows, across * cols, 3), 128, np.uint8)
    for i, p in enumerate(pictures):
        r, c = (i // across) * rows + (rows - p.shape[0]) // 2, (i % across) * cols + (cols - p.shape[1]) // 2
        out[r:r + p.shape[0], c:c + p.shape[1]] = p
    laid = {"tile": [rows, cols], "columns": across, "size": list(out.shape[:2]), "count": n}
    if out.nbytes <= _RAW:
        return {**pack(out, "uint8"), **laid}
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(out).save(file, format="JPEG", quality=88, subsampling=0)
    return {"view": file.getvalue(), "dtype": "jpeg", "shape": [file.tell()], **laid}
