"""Areas of a picture: superpixels or a method's own regions, merged where neighbours stand out together.

Ours: a region stands out if its net value is positive (negative) and it holds at least 1.5 times the share of the
positive (negative) mass that its area would hold of evenly spread evidence. Neighbours that stand out on the same side
become one area; an area of less than 2 % of its side's mass, and all that does not stand out, is "the rest of the picture".
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from ..explanation import Explanation
from . import english
from .brief import Unit
from .units import Mass, on_cells, on_pixels, place_words, said

_DENSE, _SMALL = 1.5, 0.02


def superpixels(e: Explanation, n: int = 60) -> np.ndarray:
    """About ``n`` superpixels of the picture by SLIC (compactness 10), int `[H, W]`, 0 .. R-1; squares where there is no
    picture, or one of mere noise that SLIC cannot divide."""
    from skimage.segmentation import slic

    h, w = e.size
    if e.image is not None:
        labels = np.asarray(slic(np.asarray(e.image), n_segments=n, compactness=10, start_label=0, channel_axis=-1))
        if labels.max() >= n / 6:
            return labels
    side = max(round(n ** 0.5), 1)
    return (np.arange(h)[:, None] * side // h) * side + np.arange(w)[None, :] * side // w


def areas(mass: Mass, labels: np.ndarray, names: tuple[str, ...] = (), words: ModuleType = english) -> list[Unit]:
    """Units from region labels `[H, W]` (0 .. R-1, -1: none). With names, a unit for each; else merged areas."""
    sums = _Sums(mass, labels)
    if names:
        return [sums.unit(np.array([r]), said(name)) for r, name in enumerate(names) if sums.pixels[r] > 0]
    found: list[Unit] = []
    rest = sums.pixels > 0
    for sign in (1, -1):
        for group in _merged(labels, sums.dense(sign)):
            if (sums.up if sign > 0 else sums.down)[group].sum() < _SMALL * (mass.total_up if sign > 0 else mass.total_down):
                continue
            rest[group] = False
            where = place_words(sums.centre(group), words)
            found.append(sums.unit(group, words.LABELS["area"].format(where=where)))
    left = np.flatnonzero(rest)
    missing = labels < 0
    if len(left) or missing.any():
        found.append(sums.unit(left, words.LABELS["rest"], bool(missing.any())))
    return found


class _Sums:
    """What each region holds, in one pass over the pixels."""

    def __init__(self, mass: Mass, labels: np.ndarray):
        self.mass, self.labels = mass, labels
        n = int(labels.max()) + 1
        self.size = labels.size
        flat = labels.ravel() + 1
        up, down = (on_pixels(part, (labels.shape[0], labels.shape[1])).ravel() for part in (mass.up, mass.down))
        self._up, self._down = np.bincount(flat, up, n + 1), np.bincount(flat, down, n + 1)
        self._pixels = np.bincount(flat, minlength=n + 1)
        self.up, self.down, self.pixels = self._up[1:], self._down[1:], self._pixels[1:]

    def dense(self, sign: int) -> np.ndarray:
        """Which regions stand out on one side, bool `[R]`."""
        part, other = (self.up, self.down) if sign > 0 else (self.down, self.up)
        total = self.mass.total_up if sign > 0 else self.mass.total_down
        return np.asarray((part > other) & (part > 0) & (part * self.size >= _DENSE * self.pixels * total * (1 - 1e-9)))

    def centre(self, group: np.ndarray) -> tuple[float, float]:
        """Middle of a group's pixels (row, column), 0..1."""
        inside = self._inside(group, False)
        weights = inside.sum(1), inside.sum(0)
        row, column = (float((w * (np.arange(len(w)) + 0.5)).sum() / (w.sum() * len(w))) for w in weights)
        return row, column

    def unit(self, group: np.ndarray, label: str, outside: bool = False) -> Unit:
        """One unit of these regions, and of all pixels in none if ``outside``; its cells are made when looked at."""
        shape = (self.mass.up.shape[0], self.mass.up.shape[1])
        up, down, pixels = (float(a[1:][group].sum() + (a[0] if outside else 0))
                            for a in (self._up, self._down, self._pixels))
        return self.mass.summed("region", label, lambda: on_cells(self._inside(group, outside), shape), up, down,
                                pixels / self.size)

    def _inside(self, group: np.ndarray, outside: bool) -> np.ndarray:
        chosen = np.zeros(len(self._pixels), bool)
        chosen[group + 1] = True
        chosen[0] = outside
        return chosen[self.labels + 1]


def _merged(labels: np.ndarray, chosen: np.ndarray) -> list[np.ndarray]:
    """Groups of chosen regions that touch (4 neighbours), as indices."""
    index = np.flatnonzero(chosen)
    if not len(index):
        return []
    short = np.full(len(chosen) + 1, -1)
    short[index + 1] = np.arange(len(index))
    small = short[labels + 1]
    touch = np.zeros((len(index), len(index)), bool)
    for a, b in ((small[1:], small[:-1]), (small[:, 1:], small[:, :-1])):
        edge = (a != b) & (a >= 0) & (b >= 0)
        touch[a[edge], b[edge]] = True
    return [index[group] for group in _components(touch | touch.T)]


def _components(touch: np.ndarray) -> list[np.ndarray]:
    left = np.ones(len(touch), bool)
    groups = []
    while left.any():
        inside = np.zeros(len(touch), bool)
        front = np.zeros(len(touch), bool)
        front[left.argmax()] = True
        while front.any():
            inside |= front
            front = touch[front].any(0) & ~inside
        left &= ~inside
        groups.append(np.flatnonzero(inside))
    return groups

