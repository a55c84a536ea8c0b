"""Percentile bootstrap over images: how sure a mean is, with so many images and no more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_DRAWS = 2000


def interval(values: np.ndarray, images: Sequence[str], level: float = 0.95, seed: int = 0,
             draws: int = _DRAWS) -> tuple[np.ndarray, np.ndarray] | None:
    """Interval of the mean of ``values`` `[n, ...]` over images: (low `[...]`, high `[...]`).

    images: which image each row is about. Rows of one image are averaged first and drawn together, because they are not
    independent; rows that hold NaN are left out. None where fewer than two images are left: one image says nothing about
    others. Efron's percentile interval; coverage is below its level for few images (10 images: about 90 % in place of 95).
    """
    if not 0 < level < 1:
        raise ValueError(f"level={level!r}; give a share between 0 and 1.")
    v = np.asarray(values, np.float64)
    fine = np.asarray(np.isfinite(v).reshape(len(v), -1).all(1))
    kept = [i for i, ok in zip(images, fine.tolist(), strict=True) if ok]
    names = list(dict.fromkeys(kept))
    if len(names) < 2:
        return None
    which = np.array([names.index(i) for i in kept])
    sums = np.zeros((len(names), *v.shape[1:]))
    np.add.at(sums, which, v[fine])
    means = sums / np.bincount(which).reshape(-1, *[1] * (v.ndim - 1))
    counts = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
    drawn = np.tensordot(counts, means, 1) / len(names)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def image_mean(values: np.ndarray, images: Sequence[str]) -> tuple[float, int]:
    """Mean over images of the mean of each image's finite values, and how many images that were; NaN for none."""
    v = np.asarray(values, np.float64)
    rows: dict[str, list[float]] = {}
    for name, value in zip(images, v.tolist(), strict=True):
        if np.isfinite(value):
            rows.setdefault(name, []).append(value)
    if not rows:
        return float("nan"), 0
    return float(np.mean([np.mean(r) for r in rows.values()])), len(rows)
