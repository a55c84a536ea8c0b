"""Regions of an image: those that a method scored, and what part of a map a brushed box holds.

The sums of boxes are the same, cell by cell, as js/src/geometry.ts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import InputError


@dataclass(frozen=True, eq=False)
class Regions:
    """A partition of an image into regions, and what a method found each of them worth.

    labels: int32 `[H, W]` at the input's size, 0 .. R-1; -1 where no region lies. scores: float32 `[R]`, in the
    question's units where the method has any; higher speaks more for the target. names: one per region, or empty.
    """

    labels: NDArray[np.int32]
    scores: NDArray[np.float32]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        labels, scores = np.asarray(self.labels), np.asarray(self.scores, np.float32)
        if labels.ndim != 2 or labels.dtype.kind not in "iu" or scores.ndim != 1:
            raise InputError(f"regions need whole-number labels [H, W] and scores [R]; got {labels.dtype} "
                             f"{list(labels.shape)} and {list(scores.shape)}.")
        if labels.size == 0 or labels.min() < -1 or labels.max() >= len(scores):
            raise InputError(f"region labels must lie between -1 and {len(scores) - 1}, the last score's index.")
        if self.names and len(self.names) != len(scores):
            raise InputError(f"{len(self.names)} names do not fit {len(scores)} regions.")
        object.__setattr__(self, "labels", np.ascontiguousarray(labels, np.int32))
        object.__setattr__(self, "scores", np.ascontiguousarray(scores))

    def __len__(self) -> int:
        return len(self.scores)

    def order(self) -> NDArray[np.intp]:
        """Indices of the regions, highest score first; ties in the order of their labels."""
        return np.argsort(-self.scores, kind="stable")

    def mask(self, index: int) -> NDArray[np.bool_]:
        """Pixels of one region, bool `[H, W]`."""
        return np.asarray(self.labels == index)

    def __repr__(self) -> str:
        return f"<{len(self)} regions of {self.labels.shape[0]}x{self.labels.shape[1]} pixels>"


class Share(NamedTuple):
    """Shares (0..1) of a map's mass inside a box; None where the map has no such mass.

    positive: of all positive values. negative: of all negative ones. absolute: of all sizes. sum: of the values inside.
    """

    positive: float | None
    negative: float | None
    absolute: float | None
    sum: float


def coverage(low: float, high: float, n: int, pixels: int) -> NDArray[np.float64]:
    """How much of each of ``n`` cells over ``pixels`` pixels lies between two pixels, 0..1, float64 `[n]`."""
    edges = np.arange(n + 1) * pixels / n
    start, stop = edges[:-1], edges[1:]
    part = (np.minimum(high, stop) - np.maximum(low, start)) / (stop - start)
    return np.clip(np.where(part > 1 - 1e-9, 1.0, np.where(part < 1e-9, 0.0, part)), 0.0, 1.0)


def share_of(values: Any, image: tuple[int, int], box: Sequence[float]) -> Share:
    """Share of ``values`` `[h, w]` in ``box`` = (row0, column0, row1, column1) in pixels of an ``image`` (H, W)."""
    array = np.asarray(values, np.float64)
    array = np.where(np.isfinite(array), array, 0.0)
    down = coverage(box[0], box[2], array.shape[0], image[0])
    across = coverage(box[1], box[3], array.shape[1], image[1])
    inside = array * down[:, None] * across[None, :]
    up, low = float(array[array > 0].sum()), float(array[array < 0].sum())
    up_in, low_in = float(inside[array > 0].sum()), float(inside[array < 0].sum())
    return Share(
        positive=up_in / up if up else None,
        negative=abs(low_in / low) if low else None,
        absolute=(up_in - low_in) / (up - low) if up - low else None,
        sum=up_in + low_in,
    )


def mask_of(image: tuple[int, int], box: Sequence[float] | None) -> NDArray[np.bool_]:
    """Pixels whose centre lies in the box, bool `[H, W]`; all False without a box."""
    if box is None:
        return np.zeros(image, bool)
    rows, columns = np.arange(image[0]) + 0.5, np.arange(image[1]) + 0.5
    down = (rows > box[0]) & (rows < box[2])
    return np.asarray(down[:, None] & ((columns > box[1]) & (columns < box[3]))[None, :])
