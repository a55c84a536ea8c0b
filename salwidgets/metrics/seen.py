"""What a model sees of an explained picture: for maps from elsewhere, whose input is the picture before preprocessing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..explanation import Explanation, resize

if TYPE_CHECKING:
    from ..models import Model


def seen(model: Model, e: Explanation) -> tuple[np.ndarray, np.ndarray | None]:
    """The input as ``model`` takes it, float32 without a batch axis; and the map cut to what the model sees of the picture.

    An explanation of a model keeps its input, and its map is taken as it is (None). A map from elsewhere
    (`sw.from_array`) keeps a picture, which goes through the model's preprocessing; where that cuts the picture, the map
    is cut in the same way.
    """
    if e.model or e.image is None or e.values.ndim != 2 or not _is_picture(e):
        return e.input, None
    if model.preprocess_item is None and model.mean is None and model.std is None:
        return e.input, None
    x = model.batch([e.image])[0][0].detach().float().cpu().numpy()
    if model.preprocess_item is None:
        return x, None
    if x.ndim != 3:
        raise InputError(f"the model's preprocessing turns the picture into {list(x.shape)}; a map {list(e.values.shape)} "
                         "can only be scored on images [C, H, W].")
    rows, columns = _places(model, e.image.shape[0], e.image.shape[1])
    full = resize(e.values, *e.image.shape[:2])
    return x, full[np.ix_(rows, columns)]


def _is_picture(e: Explanation) -> bool:
    assert e.image is not None
    plain = np.moveaxis(e.image.astype(np.float32) / 255, -1, 0)
    return plain.shape == e.input.shape and np.array_equal(plain, e.input)


def _places(model: Model, h: int, w: int) -> tuple[np.ndarray, np.ndarray]:
    """Which rows and columns of a picture the preprocessing shows: pictures that ramp from black to white go through it.

    Ours. Assumes that it resizes and cuts along the axes, and changes colours by a straight line.
    """
    def ramp(axis: int) -> np.ndarray:
        n = (h, w)[axis]
        line = np.linspace(0, 255, n)[:, None] if axis == 0 else np.linspace(0, 255, n)[None]
        grey = np.broadcast_to(line, (h, w))[..., None].repeat(3, -1)
        dark, bright = np.zeros((h, w, 3), np.uint8), np.full((h, w, 3), 255, np.uint8)
        x = model.batch([np.rint(grey).astype(np.uint8), dark, bright])[0].detach().float().cpu().numpy()
        share = (x[0, 0] - x[1, 0]) / np.where(x[2, 0] == x[1, 0], 1, x[2, 0] - x[1, 0])
        along = share.mean(1 - axis)
        at = np.arange(len(along))
        slope, start = np.polyfit(at, along, 1) if len(at) > 1 else (0.0, along[0])
        return np.clip(np.rint((start + slope * at) * (n - 1)), 0, n - 1).astype(int)

    return ramp(0), ramp(1)
