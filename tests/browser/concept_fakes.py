"""A made-up extractor (its concepts are the mean colours of cells) and points: no model, known numbers, not square."""

from __future__ import annotations

from typing import Any

import numpy as np

from salwidgets.concepts.crops import Crop
from salwidgets.errors import InputError, ModelError

H, W = 3, 4  # cells of the layer


class Fitted:
    """What a fitted ConceptExtractor is to the views."""

    dictionary, mode, importance, layer_ = "nmf", "holistic", "sobol", "block"

    def __init__(self, importance: Any = (0.2, -0.7, 0.1), model: bool = True, name: str = "concept") -> None:
        rng = np.random.default_rng(0)
        self.images_ = rng.integers(0, 255, (5, 12, 16, 3)).astype(np.uint8)
        self.components_ = np.eye(3, dtype=np.float32)
        self.importance_ = np.array(importance, np.float32)
        self.prevalence_ = np.array([0.5, 0.5, 0], np.float32)
        self.reliability_ = np.array([1, 0.25, np.nan], np.float32)
        self.leading_, self.labels_ = np.array([0, 1, 0, 1, 1]), None
        self.scores_, self.reconstruction_error_ = np.zeros(5), 0.2
        self.names_ = [f"{name} {k}" for k in (1, 2, 3)]
        self.question_, self.notices_ = f"Why “{name}” rather than “b”?", ("few",)
        self.known = model
        self.coefficients_: Any = self.cells(np.moveaxis(self.images_, -1, 1) / 255)
        self.calls: list[int] = []

    def cells(self, x: Any) -> np.ndarray:
        """Mean colours of 3 x 4 cells, float32 `[N, 3, 3, 4]`."""
        return np.asarray(x, np.float32).reshape(len(x), 3, H, x.shape[2] // H, W, x.shape[3] // W).mean((3, 5))

    def transform(self, x: Any) -> np.ndarray:
        if not self.known:
            raise ModelError("this extractor was loaded without its model")
        self.calls.append(len(x))
        return self.cells(x.numpy())

    def best_crops(self, k: int, n: int = 8) -> list[Crop]:
        at = [(int(i), float(self.coefficients_[i, k].max())) for i in np.argsort(-self.coefficients_[:, k].max((1, 2)))]
        return [Crop(i, (0, 0, 4, 4), s, self.images_[i, :4, :4]) for i, s in at][:n]

    def rename(self, k: int, name: str) -> None:
        self.names_[k] = name

    def _index(self, k: int) -> int:
        if not 0 <= k < 3:
            raise InputError(f"there is no concept {k}")
        return k


def blobs(n: int = 60, groups: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points `[n, 2]` in heaps that lie well apart, and the heap of each."""
    rng = np.random.default_rng(seed)
    of = rng.integers(0, groups, n)
    angle = 2 * np.pi * of / groups + 0.4
    return (np.stack([10 * np.cos(angle), 6 * np.sin(angle)], -1) + rng.normal(size=(n, 2))).astype(np.float32), of


def tiles(n: int, height: int = 10, width: int = 14) -> np.ndarray:
    """Pictures uint8 `[n, height, width, 3]`, each of another colour, with a bright corner."""
    rng = np.random.default_rng(1)
    out = np.repeat(np.repeat(rng.integers(20, 200, (n, 1, 1, 3)), height, 1), width, 2).astype(np.uint8)
    out[:, :3, :4] = 250
    return out
