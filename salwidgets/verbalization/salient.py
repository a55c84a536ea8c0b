"""What is worth saying about a map: how its evidence is shared out over the places of the picture.

The places are the nine fields of a 3 x 3 grid, with the names that a reader would use. Ours, after the habit of
describing pictures by thirds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..explanation import Explanation

PLACES = ("top left", "top", "top right", "left", "centre", "right", "bottom left", "bottom", "bottom right")
_STANDS_OUT = 1.5 / 9  # half as much again as a place has if the evidence is spread evenly


@dataclass(frozen=True)
class PlaceShares:
    """How a map's positive and negative mass lie on the nine places (shares of each sum to 1, or are all 0).

    opposing: the negative part's share of sum |map|. finite: False if the map holds NaN or infinity.
    """

    positive: np.ndarray
    negative: np.ndarray
    opposing: float
    finite: bool

    def leading(self, sign: int = 1) -> list[int]:
        """Indices of the places that stand out, strongest first: at least 1/6 of the mass, and at least 60 % of the
        strongest place's; empty if none does."""
        shares = self.positive if sign > 0 else self.negative
        order = np.argsort(-shares, kind="stable")
        best = shares[order[0]]
        return [int(i) for i in order[:3] if shares[i] >= _STANDS_OUT and shares[i] >= 0.6 * best]


def place_shares(e: Explanation) -> PlaceShares:
    """Shares of a 2-D map's mass by place. A cell that lies on several places is divided by its area on each."""
    v = e.values.astype(np.float64)
    if v.ndim != 2:
        raise InputError(f"only maps of images can be described by place; this one has shape {v.shape}.")
    finite = bool(np.isfinite(v).all())
    v = np.nan_to_num(v, nan=0.0, posinf=0.0, neginf=0.0)
    rows, columns = _thirds(v.shape[0]), _thirds(v.shape[1])
    up, down = (rows @ part @ columns.T for part in (np.maximum(v, 0), np.maximum(-v, 0)))
    total = up.sum() + down.sum()
    return PlaceShares(_shares(up), _shares(down), float(down.sum() / total) if total > 0 else 0.0, finite)


def _thirds(n: int) -> np.ndarray:
    """How much of each of ``n`` cells lies in each third, `[3, n]`; columns sum to 1."""
    edges = np.arange(4) * n / 3
    cells = np.arange(n)
    low = np.maximum(edges[:-1, None], cells)
    high = np.minimum(edges[1:, None], cells + 1)
    return np.maximum(high - low, 0)


def _shares(mass: np.ndarray) -> np.ndarray:
    total = mass.sum()
    return (mass / total if total > 0 else mass).ravel()
