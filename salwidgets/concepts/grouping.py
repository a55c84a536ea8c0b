"""Points into groups: k-means with the number chosen by silhouette or v-measure, or HDBSCAN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import InputError

METHODS = ("kmeans", "hdbscan")
SELECTS = ("silhouette", "v-measure")
_SAMPLE = 3000  # silhouettes of more points are taken over as many, drawn at random


@dataclass(eq=False)
class Grouping:
    """labels: int `[N]`, -1 for none; silhouette: `[N]`, NaN where undefined or not sampled; selection: merit by number."""

    labels: np.ndarray
    silhouette: np.ndarray
    selection: dict[int, float] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def group(points: np.ndarray, settings: dict[str, Any], truth: list[Any] | None, step: Callable[[int], None]) -> Grouping:
    """Group ``points`` `[N, n]` as `ExplanationClusters` says. ``truth``: labels, which v-measure needs."""
    n, auto = len(points), settings["n_clusters"] == "auto"
    if settings["select"] == "v-measure" and auto and truth is None:
        raise InputError("select='v-measure' compares clusters with labels; pass labels= to fit(), or use 'silhouette'.")
    if not auto and settings["n_clusters"] > n:
        raise InputError(f"{settings['n_clusters']} clusters of {n} explanations cannot be; ask for at most {n}.")
    distinct = len(np.unique(np.round(points / max(float(np.abs(points).max()), 1e-30), 5), axis=0))
    if distinct == 1:
        said = ("Only one explanation was given: it is its own cluster.",) if n == 1 else \
            (f"All {n} maps are alike: they are one cluster.",)
        return Grouping(np.zeros(n, np.int64), np.full(n, np.nan), notices=said)
    sample = _sample(points, settings["seed"])
    if settings["method"] == "hdbscan":
        return _hdbscan(points, settings, truth, sample, step)
    return _kmeans(points, settings, truth, sample, distinct, step)


def medoid(points: np.ndarray, members: np.ndarray) -> tuple[np.ndarray, int]:
    """``members`` from the most to the least typical (by their summed distance to all members), and the first of them."""
    from sklearn.metrics import pairwise_distances_chunked

    own = points[members]
    total = np.concatenate(list(pairwise_distances_chunked(own, reduce_func=lambda d, _: d.sum(1))))
    order = members[np.argsort(total, kind="stable")]
    return order, int(order[0])


class _Sample:
    """Silhouettes from one table of distances, over a sample where there are many points."""

    def __init__(self, points: np.ndarray, rows: np.ndarray):
        from sklearn.metrics import pairwise_distances

        self.rows, self.n = rows, len(points)
        self.distances = pairwise_distances(points[rows].astype(np.float64))

    def silhouettes(self, labels: np.ndarray) -> np.ndarray:
        from sklearn.metrics import silhouette_samples

        out = np.full(self.n, np.nan)
        inside = labels[self.rows] >= 0
        rows = self.rows[inside]
        if 2 <= len(np.unique(labels[rows])) < len(rows):
            square = self.distances[np.ix_(inside, inside)]
            out[rows] = silhouette_samples(square, labels[rows], metric="precomputed")
        return out


def _sample(points: np.ndarray, seed: int) -> _Sample:
    n = len(points)
    rows = np.arange(n) if n <= _SAMPLE else np.sort(np.random.default_rng(seed).choice(n, _SAMPLE, replace=False))
    return _Sample(points, rows)


def _kmeans(points: np.ndarray, settings: dict[str, Any], truth: list[Any] | None, sample: _Sample, distinct: int,
            step: Callable[[int], None]) -> Grouping:
    import warnings

    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    auto = settings["n_clusters"] == "auto"
    most = min(settings["max_clusters"] if auto else settings["n_clusters"], distinct)
    numbers = [k for k in range(2, most + 1) if k < len(points)] or [most] if auto else [most]
    tried: dict[int, np.ndarray] = {}
    for k in numbers:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # fewer points differ than clusters: said as a notice
            tried[k] = KMeans(k, n_init=10, random_state=settings["seed"]).fit(points).labels_.astype(np.int64)
        step(1)
    spread = {k: sample.silhouettes(labels) for k, labels in tried.items()}
    selection = {k: _merit(settings["select"], labels, spread[k], truth) for k, labels in tried.items()}
    best = max(numbers, key=lambda k: (np.nan_to_num(selection[k], nan=-2.0), -k))
    notices = [f"Only {distinct} maps differ: {distinct} clusters were made in place of {settings['n_clusters']}."] \
        if not auto and distinct < settings["n_clusters"] else []
    return Grouping(tried[best], spread[best], selection, tuple(notices))


def _hdbscan(points: np.ndarray, settings: dict[str, Any], truth: list[Any] | None, sample: _Sample,
             step: Callable[[int], None]) -> Grouping:
    from sklearn.cluster import HDBSCAN

    n = len(points)
    least = settings["min_cluster_size"] or max(5, n // 50)
    if least > n:
        return Grouping(np.zeros(n, np.int64), np.full(n, np.nan), notices=(
            f"{n} maps are fewer than a cluster needs ({least}): they are shown as one.",))
    # a copy, because some versions of scikit-learn change what they are given
    labels = HDBSCAN(min_cluster_size=least, copy=True).fit(points.astype(np.float64)).labels_.astype(np.int64)
    step(1)
    out, found = int((labels < 0).sum()), len(np.unique(labels[labels >= 0]))
    notices = [f"{out} of {n} maps are in no cluster (HDBSCAN takes them for noise)."] if out else []
    spread = sample.silhouettes(labels)
    return Grouping(labels, spread, {found: _merit(settings["select"], labels, spread, truth)}, tuple(notices))


def _merit(select: str, labels: np.ndarray, spread: np.ndarray, truth: list[Any] | None) -> float:
    if select == "v-measure" and truth is not None:
        from sklearn.metrics import v_measure_score

        return float(v_measure_score([str(t) for t in truth], labels))
    return float(np.nanmean(spread)) if np.isfinite(spread).any() else float("nan")
