"""Searches for the parts of an ordered map that are worth a sentence: words of a text, intervals of a series.

After "Saliency Map Verbalization" (Feldhus et al. 2023): convolution search, span search, total order, summary; the
intended definitions, not those of the released code. The comparison of two maps is ours. Values are divided by max |a|.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

#: the 20 binary filters of the convolution search, and the two of the span search
FILTERS = np.array(sorted({*permutations((1, 1, 0, 0, 0)), *permutations((1, 1, 1, 0, 0))}, reverse=True))
SPANS = np.array([(0, 1, 1, 1, 0), (1, 1, 1, 1, 1)])
_WINDOW = 5
_TOP = 0.4


@dataclass(frozen=True, order=True)
class Found:
    """A set of units. indices: increasing. coverage: its share of all positive value. mean: of its values / max |a|."""

    indices: tuple[int, ...]
    coverage: float
    mean: float


def coverage(values: np.ndarray, indices: Iterable[int]) -> float:
    """sum of the chosen values / sum of all positive values; 0 if none is positive."""
    v = np.asarray(values, np.float64)
    total = np.maximum(v, 0).sum()
    return float(v[list(indices)].sum() / total) if total > 0 else 0.0


def threshold(values: np.ndarray) -> float:
    """T: the mean of the top 40 % of the values (at least one of them)."""
    v = np.sort(np.asarray(values, np.float64))[::-1]
    return float(v[:max(round(_TOP * len(v)), 1)].mean()) if len(v) else 0.0


def convolution(values: Sequence[float] | np.ndarray, filters: np.ndarray = FILTERS) -> list[Found]:
    """Windows of five units in which a binary filter chooses units whose mean exceeds `threshold`, none of them negative.

    Strongest coverage first, each set of units once. Fewer than five units are one window, filled up with places that
    no filter may choose.

    >>> [f.indices for f in convolution([0, 3, 0, 2, 0, 0, 0, 0])][0]
    (1, 3)
    """
    v = np.asarray(values, np.float64)
    size = np.abs(v).max(initial=0.0)
    if size == 0:
        return []
    a = np.concatenate([v / size, np.full(max(_WINDOW - len(v), 0), np.nan)])
    windows = np.lib.stride_tricks.sliding_window_view(a, _WINDOW)
    chosen = filters.astype(bool)
    with np.errstate(invalid="ignore"):
        picked = np.where(chosen[None], windows[:, None], 0.0)     # [windows, filters, 5]
        means = picked.sum(-1) / chosen.sum(-1)                      # NaN where a filter reaches past the end
        keep = (means > threshold(v / size)) & ~(picked < 0).any(-1)
    found: dict[tuple[int, ...], Found] = {}
    for w, f in zip(*np.nonzero(keep)):
        at = tuple(int(i) for i in w + np.flatnonzero(chosen[f]))
        found.setdefault(at, Found(at, coverage(v, at), float(means[w, f])))
    return sorted(found.values(), key=lambda s: (-s.coverage, s.indices))


def spans(values: Sequence[float] | np.ndarray) -> list[Found]:
    """The convolution search with the filters 01110 and 11111: units side by side."""
    return convolution(values, SPANS)


def total_order(values: Sequence[float] | np.ndarray, k: int | None = None) -> list[Found]:
    """Single units with a positive value, largest first, at most ``k``."""
    v = np.asarray(values, np.float64)
    size = np.abs(v).max(initial=0.0)
    order = [int(i) for i in np.argsort(-v, kind="stable") if v[i] > 0]
    return [Found((i,), coverage(v, (i,)), float(v[i] / size)) for i in order[:k]]


def comparison(values: Sequence[float] | np.ndarray, other: Sequence[float] | np.ndarray) -> list[Found]:
    """What speaks for one answer and not for another: units whose value is positive and larger than in ``other``.

    Both maps are divided by their own max |a| first; largest difference first. coverage: share of ``values``. Ours.
    """
    v, w = np.asarray(values, np.float64), np.asarray(other, np.float64)
    a, b = (x / (np.abs(x).max(initial=0.0) or 1.0) for x in (v, w))
    order = [int(i) for i in np.argsort(-(a - b), kind="stable") if a[i] > 0 and a[i] > b[i]]
    return [Found((i,), coverage(v, (i,)), float(a[i])) for i in order]


def merged(indices: Iterable[int]) -> list[tuple[int, ...]]:
    """Runs of neighbours among the indices, in order."""
    runs: list[list[int]] = []
    for i in sorted(set(indices)):
        if runs and i == runs[-1][-1] + 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    return [tuple(r) for r in runs]


def summary(values: Sequence[float] | np.ndarray, k: int = 5, quantile: float = 0.75) -> list[Found]:
    """The top ``k`` sets of each search, their units joined and merged into spans; kept are spans whose coverage is at
    least the ``quantile`` of all of theirs. Strongest coverage first.

    >>> [f.indices for f in summary([0, 0, 4, 5, 0, 0, 0, 1, 0, 0])]
    [(2, 3)]
    """
    v = np.asarray(values, np.float64)
    size = np.abs(v).max(initial=0.0)
    found = [f for search in (convolution(v), spans(v), total_order(v)) for f in search[:k]]
    runs = [Found(r, coverage(v, r), float(v[list(r)].mean() / size)) for r in merged(i for f in found for i in f.indices)]
    if not runs:
        return []
    least = float(np.quantile([f.coverage for f in runs], quantile))
    return sorted((f for f in runs if f.coverage >= least - 1e-12), key=lambda s: (-s.coverage, s.indices))
