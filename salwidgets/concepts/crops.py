"""Crops of images that show a concept best, found while images go by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

MOST = 24  # kept per concept


@dataclass(frozen=True, eq=False)
class Crop:
    """Where a concept is strong: image (its place among the images), box (row0, column0, row1, column1) in pixels,
    strength (the coefficient), thumbnail uint8 `[s, s, 3]`, the pixels inside the box (None if no picture)."""

    image: int
    box: tuple[int, int, int, int]
    strength: float
    thumbnail: np.ndarray | None

    def __repr__(self) -> str:
        return f"Crop(image={self.image}, box={self.box}, strength={self.strength:.3g})"


class BestCrops:
    """The strongest crops per concept, one per image, at most `MOST`."""

    def __init__(self, n_concepts: int):
        self.found: list[list[Crop]] = [[] for _ in range(n_concepts)]

    def update(self, first: int, strength: np.ndarray, box: Callable[[int, int], tuple[int, int, int, int]],
               pictures: np.ndarray | None) -> None:
        """Look at some more images, the first of which is number ``first``.

        strength: `[n, K]`, how strong each concept is where it is strongest; box(i, k): where that is in image i.
        pictures: uint8 `[n, H, W, 3]`.
        """
        level = np.array([f[-1].strength if len(f) == MOST else 0.0 for f in self.found])
        ranked = np.argsort(-strength, axis=0, kind="stable")[:MOST]
        better = np.take_along_axis(strength, ranked, 0) > level
        changed = set()
        for r, k in np.argwhere(better).tolist():
            i = int(ranked[r, k])
            where = box(i, k)
            cut = None if pictures is None else pictures[i, where[0]:where[2], where[1]:where[3]].copy()
            self.found[k].append(Crop(first + i, where, float(strength[i, k]), cut))
            changed.add(k)
        for k in changed:
            self.found[k] = sorted(self.found[k], key=lambda c: -c.strength)[:MOST]
