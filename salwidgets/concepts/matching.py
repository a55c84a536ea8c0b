"""Which concept is which: two dictionaries matched one to one, and how stable a dictionary is when it is learnt again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .dictionary import fit_in_rounds, make_dictionary


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine `[K, L]` between components `[K, C]` and `[L, C]`; 0 for components that are zero."""
    x, y = (np.asarray(m, float) / np.maximum(np.linalg.norm(m, axis=1, keepdims=True), 1e-12) for m in (a, b))
    return np.asarray(x @ y.T)


def matched(similarity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of ``similarity`` `[K, L]` paired one to one with the largest sum (Hungarian method, scipy)."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-np.nan_to_num(similarity, nan=-1e9))
    return rows, columns


def likeness(a: np.ndarray, b: np.ndarray, signed: bool = True) -> float:
    """Mean cosine of matched components; ``signed=False`` counts opposite directions as the same (PCA)."""
    found = cosines(a, b)
    found = found if signed else np.abs(found)
    return float(found[matched(found)].mean())


def stability(dictionary: Any, rows: list[np.ndarray], seeds: list[int],
              step: Callable[[int], None] = lambda n: None) -> float:
    """Mean `likeness` between all pairs of dictionaries learnt from ``rows[i]`` with ``seeds[i]``; NaN for fewer than two.

    1 means the same concepts every time. dictionary: a name, or an object whose copies are fitted. step: told of each.
    """
    learnt = []
    for some, seed in zip(rows, seeds, strict=True):
        k = getattr(dictionary, "n_concepts", None)
        made = make_dictionary(dictionary, k, seed) if k is not None else make_dictionary(dictionary, random_state=seed)
        learnt.append(np.asarray(fit_in_rounds(made, some, lambda: step(0)).components_))
        step(1)
    signed = getattr(dictionary, "kind", "") != "pca"
    pairs = [likeness(a, b, signed) for i, a in enumerate(learnt) for b in learnt[i + 1:]]
    return float(np.mean(pairs)) if pairs else float("nan")


def folds_of(groups: np.ndarray, folds: int, seed: int) -> list[np.ndarray]:
    """For each fold, the rows of all other folds, bool `[n]`; rows of one image (``groups`` `[n]`) stay together."""
    names = np.unique(groups)
    order = np.random.default_rng(seed).permutation(len(names))
    place = np.empty(len(names), int)
    place[order] = np.arange(len(names)) % folds
    part = place[np.searchsorted(names, groups)]
    return [part != f for f in range(min(folds, len(names)))] if len(names) > 1 else []
