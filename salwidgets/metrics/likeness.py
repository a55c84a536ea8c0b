"""How alike two maps are: rank correlation, correlation, structural similarity. Constant maps are like nothing: 0."""

from __future__ import annotations

import numpy as np


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks of the values from 1, flat float64; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(np.asarray(values).ravel(), return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[inverse]


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of two arrays of one size, in -1..1; 0 where one of them is constant.

    >>> pearson([1, 2, 3], [2, 4, 6])
    1.0
    """
    x, y = (np.asarray(v, np.float64).ravel() for v in (a, b))
    x, y = x - x.mean(), y - y.mean()
    # Rounding leaves a constant array with differences near 1e-16 of its level, which would correlate at random.
    if not (np.ptp(a) > 0 and np.ptp(b) > 0):
        return 0.0
    x, y = x / np.abs(x).max(), y / np.abs(y).max()
    return float(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1, 1))


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation, in -1..1, with shared ranks; 0 where one array is constant.

    >>> spearman([1, 2, 3], [1, 10, 100])
    1.0
    """
    return pearson(ranks(a), ranks(b))


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Mean structural similarity (Wang et al. 2004) of two maps `[H, W]`, each divided by its largest |value|.

    Windows of 7 x 7, or the largest odd size that fits. Adebayo et al. 2018 scale to [-1, 1] as here. A map that is zero
    everywhere stays zero.
    """
    from skimage.metrics import structural_similarity

    def scaled(v: np.ndarray) -> np.ndarray:
        most = np.abs(v).max()
        return np.asarray(v, np.float64) / (most if most > 0 else 1)

    side = min(7, *a.shape)
    side -= 1 - side % 2
    if side < 3:
        return pearson(a, b)
    return float(structural_similarity(scaled(a), scaled(b), data_range=2.0, win_size=side))
