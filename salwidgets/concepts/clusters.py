"""Descriptive clusters of explanations (after ViDi): which few patterns of evidence a model uses over many images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..explainers.progress import Progress, ProgressOption
from .checks import seed, whole_number
from .cluster_words import sentence
from .grouping import METHODS, SELECTS, Grouping, group, medoid
from .map_stack import MapStack, as_items, stack
from .rates import accuracy, unreliable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRID = 28
_UNIT = ("unit", "none")
_VAGUE = 0.1  # a silhouette below this is hardly a cluster (ours)


@dataclass(eq=False)
class Cluster:
    """One pattern of evidence.

    index: its place in the order of mean probability; members: indices of its images, the most typical first.
    favourable, unfavourable: float32 `[28, 28]`, the means of the maps' positive and negative parts (>= 0 and <= 0), in
    the maps' own unit. exemplar: the medoid, the member nearest to all others. probability: mean over members.
    accuracy: share of members named rightly. Both NaN where unknown. silhouette: mean over members. unreliable: members
    are right less often than all other images, beyond chance. labels: how often each true label occurs.
    """

    index: int
    members: np.ndarray
    favourable: np.ndarray
    unfavourable: np.ndarray
    exemplar: int
    probability: float = float("nan")
    accuracy: float = float("nan")
    silhouette: float = float("nan")
    unreliable: bool = False
    labels: dict[str, int] = field(default_factory=dict)
    sentence: str = ""

    @property
    def size(self) -> int:
        """Number of members."""
        return len(self.members)


class ExplanationClusters:
    """Attribution maps of any method -> 28 x 28 -> PCA -> k-means or HDBSCAN; clusters ordered by mean probability.

    n_clusters: a number, or "auto": the number from 2 to ``max_clusters`` with the best ``select``. method: "kmeans", or
    "hdbscan", which finds the number itself and leaves odd maps out (label -1). select: "silhouette" (Rousseeuw 1987), or
    "v-measure" (Rosenberg & Hirschberg 2007: do clusters agree with ``labels``?). n_components: principal components that
    are kept: a number, or a share of the variance. scale: "unit" divides each map by its norm before PCA, so that where
    the evidence lies decides and not how much there is (ours); "none" takes raw maps. min_cluster_size: for HDBSCAN; by
    default 5, or 2 % of the maps. random_state: same seed, same clusters. progress: as everywhere: None, True, False or a
    callable (done, total) that may raise to stop.

    The steps are those of the abstract of ViDi; grid, scale, exemplar and sentences are ours.

    After `fit`: labels_ int64 `[N]`; clusters_: list of `Cluster`; embedding_ float32 `[N, 2]`, the first two components;
    points_ `[N, n]`, all that are kept; silhouette_ `[N]` (NaN for one cluster); selection_: {number: figure of merit};
    n_clusters_; stack_: the maps; notices_: what a reader must know.

    >>> maps = np.zeros((12, 8, 8), np.float32)
    >>> maps[:6, 0, 0], maps[6:, 7, 7] = 1, 1
    >>> ExplanationClusters(progress=False).fit(maps).labels_.tolist()
    [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    """

    def __init__(self, n_clusters: int | str = "auto", method: str = "kmeans", select: str = "silhouette",
                 n_components: int | float = 20, scale: str = "unit", max_clusters: int = 10,
                 min_cluster_size: int | None = None, random_state: int = 0, progress: ProgressOption = None):
        self.n_clusters, self.method, self.select, self.n_components = n_clusters, method, select, n_components
        self.scale, self.max_clusters, self.min_cluster_size = scale, max_clusters, min_cluster_size
        self.random_state, self.progress = random_state, progress

    # -- fitting -----------------------------------------------------------------------------------------------------

    def fit(self, explanations: Any, labels: Iterable[Any] | None = None, probabilities: Any = None, correct: Any = None,
            images: Any = None) -> ExplanationClusters:
        """Find the clusters of ``explanations`` (any method, one map per image) and return self.

        explanations: `Explanations`, a list of them, or maps `[N, h, w]`. labels: the images' true classes, by name; with
        explanations that know their prediction they give ``correct`` too. probabilities, correct: `[N]`, by default read
        from the explanations. images: pictures, for maps that come as arrays. Maps may differ in size. One map, or maps
        that are all alike, make one cluster. Raises `InputError`.
        """
        self._check()
        items = as_items(explanations)
        with Progress(len(items) + self.max_clusters, "clustering", self.progress) as bar:
            self.stack_ = stack(items, GRID, labels, probabilities, correct, images, bar.step)
            self._fit_points(self.stack_)
            found = group(self.points_, self._settings(), self.stack_.labels, bar.step)
        self._take(found)
        return self

    def _fit_points(self, given: MapStack) -> None:
        from sklearn.decomposition import PCA

        rows = _rows(given.maps, self.scale)
        self.mean_, self.axes_ = rows.mean(0), np.zeros((0, rows.shape[1]), np.float32)
        self.explained_ = np.zeros(0)
        if len(rows) > 1 and np.ptp(rows, axis=0).max() > 0:
            whole = not isinstance(self.n_components, float)
            kept = min(int(self.n_components), *rows.shape) if whole else self.n_components
            pca = PCA(kept, random_state=self.random_state).fit(rows)
            self.axes_, self.explained_ = pca.components_.astype(np.float32), pca.explained_variance_ratio_
        self.points_ = self._project(rows)
        self.embedding_ = _two(self.points_)

    def _project(self, rows: np.ndarray) -> np.ndarray:
        if not len(self.axes_):
            return np.zeros((len(rows), 1), np.float32)
        return ((rows - self.mean_) @ self.axes_.T).astype(np.float32)

    def _settings(self) -> dict[str, Any]:
        return {"n_clusters": self.n_clusters, "method": self.method, "select": self.select, "seed": self.random_state,
                "max_clusters": self.max_clusters, "min_cluster_size": self.min_cluster_size}

    def _take(self, found: Grouping) -> None:
        given, ids = self.stack_, [k for k in np.unique(found.labels) if k >= 0]
        means = [np.nanmean(p) if np.isfinite(p).any() else -1.0
                 for p in (given.probabilities[found.labels == k] for k in ids)]
        own = [np.flatnonzero(found.labels == k) for k in ids]
        order = sorted(range(len(ids)), key=lambda j: (-means[j], -len(own[j]), int(own[j][0])))
        self.labels_ = np.full(len(given), -1, np.int64)
        for place, j in enumerate(order):
            self.labels_[found.labels == ids[j]] = place
        self.silhouette_, self.selection_, self.n_clusters_ = found.silhouette, found.selection, len(ids)
        self.clusters_ = [self._cluster(k) for k in range(len(ids))]
        self.centres_ = np.stack([self.points_[c.members].mean(0) for c in self.clusters_]) if ids else \
            np.zeros((0, self.points_.shape[1]), np.float32)
        for c in self.clusters_:
            c.sentence = sentence(c, len(given), self.n_clusters_, given.correct)
        self.notices_ = (*given.notices, *found.notices, *self._doubts())

    def _cluster(self, k: int) -> Cluster:
        given, members = self.stack_, np.flatnonzero(self.labels_ == k)
        members, exemplar = medoid(self.points_, members)
        maps, p = given.maps[members], given.probabilities[members]
        counts: dict[str, int] = {}
        for i in members if given.labels is not None else ():
            counts[str(given.labels[i])] = counts.get(str(given.labels[i]), 0) + 1  # type: ignore[index]
        silhouette = self.silhouette_[members]
        return Cluster(
            k, members, np.clip(maps, 0, None).mean(0), np.clip(maps, None, 0).mean(0), exemplar,
            float(np.nanmean(p)) if np.isfinite(p).any() else float("nan"), accuracy(given.correct, members),
            float(silhouette.mean()) if np.isfinite(silhouette).all() else float("nan"),
            unreliable(given.correct, members), dict(sorted(counts.items(), key=lambda c: (-c[1], c[0]))))

    def _doubts(self) -> list[str]:
        said = []
        if not np.isfinite(self.stack_.probabilities).any() and self.n_clusters_ > 1:
            said.append("No probabilities are known; the clusters are ordered by size. Pass probabilities=.")
        if self.stack_.labels is not None and self.stack_.correct is None:
            said.append("Whether an image is named rightly cannot be told from these labels: the explanations know no "
                        "prediction, or the labels are no class names. Pass correct=.")
        mean = float(np.nanmean(self.silhouette_)) if np.isfinite(self.silhouette_).any() else float("nan")
        if mean < _VAGUE:
            said.append(f"The clusters run into each other (mean silhouette {mean:.2f}): read them as regions of one cloud.")
        return said

    # -- using -------------------------------------------------------------------------------------------------------

    def transform(self, explanations: Any) -> np.ndarray:
        """Other explanations among the same principal components, float32 `[M, n]`."""
        self._fitted()
        return self._project(_rows(stack(explanations, GRID).maps, self.scale))

    def predict(self, explanations: Any) -> np.ndarray:
        """The cluster whose centre is nearest to each of other explanations, int64 `[M]`."""
        points = self.transform(explanations)
        if not len(self.centres_):
            raise InputError("no cluster was found in fit(); lower min_cluster_size, or use method='kmeans'.")
        return ((points[:, None] - self.centres_[None]) ** 2).sum(-1).argmin(1)

    def check(self, explanations: Any = None, labels: Iterable[Any] | None = None, correct: Any = None, *,
              paired: bool = False) -> Any:
        """Are the clusters as reliable on other images? A table (`Check`), one row per cluster.

        explanations: of other images, each counted in its nearest cluster (may be None where ``paired``). paired: they are
        edited versions of the fitted images in the same order, without a suspected cue, say; each counts in the cluster
        of its original. labels: true class names, or correct: bool, one per image. Raises `InputError`.
        """
        from .checking import Check

        self._fitted()
        if explanations is None and (not paired or correct is None):
            raise InputError("check() needs explanations; without them, paired=True and correct=.")
        n = len(self.labels_)
        other = None if explanations is None else stack(explanations, GRID, labels, None, correct)
        if paired and other is not None and len(other) != n:
            raise InputError(f"paired=True needs one explanation for each of the {n} fitted ones, not {len(other)}.")
        groups = self.labels_ if paired else self.predict(explanations)
        return Check.of([f"cluster {c.index + 1}" for c in self.clusters_], self.labels_, self.stack_.correct, groups,
                        correct if other is None else other.correct, paired)

    def figure(self) -> Figure:
        """The scatter, and each cluster's maps, exemplar and sentence, for a paper."""
        from .cluster_figure import cluster_figure

        self._fitted()
        return cluster_figure(self)

    def save(self, folder: str | Path) -> Path:
        """Write arrays.npz and manifest.json into ``folder`` (no pickle); `load` reads them back."""
        from .cluster_store import save

        self._fitted()
        return save(self, folder)

    @classmethod
    def load(cls, folder: str | Path) -> ExplanationClusters:
        """What `save` wrote, fitted. Raises `InputError` if it is missing, damaged or altered."""
        from .cluster_store import load

        return load(cls, folder)

    def __repr__(self) -> str:
        found = f"; {self.n_clusters_} clusters of {len(self.labels_)} maps" if hasattr(self, "labels_") else ""
        return (f"ExplanationClusters(n_clusters={self.n_clusters!r}, method={self.method!r}, select={self.select!r}, "
                f"n_components={self.n_components!r}, scale={self.scale!r}, random_state={self.random_state!r}){found}")

    def _check(self) -> None:
        for name, choices in (("method", METHODS), ("select", SELECTS), ("scale", _UNIT)):
            if getattr(self, name) not in choices:
                raise InputError(f"{name}={getattr(self, name)!r} is none of {', '.join(map(repr, choices))}.")
        k, c = self.n_clusters, self.n_components
        seed(self.random_state)
        if self.min_cluster_size is not None:
            whole_number("min_cluster_size", self.min_cluster_size, 2)
        if k != "auto" and (isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1):
            raise InputError(f"n_clusters={k!r} is no number of clusters; give one of at least 1, or 'auto'.")
        if k != "auto" and self.method == "hdbscan":
            raise InputError("HDBSCAN finds the number of clusters itself; leave n_clusters='auto', or use method='kmeans'.")
        if isinstance(c, bool) or not ((isinstance(c, int) and c >= 1) or (isinstance(c, float) and 0 < c < 1)):
            raise InputError(f"n_components={c!r}; give a number of at least 1, or a share of the variance in (0, 1).")
        if not isinstance(self.max_clusters, int) or self.max_clusters < 2:
            raise InputError(f"max_clusters={self.max_clusters!r}; give a number of at least 2.")

    def _fitted(self) -> None:
        if not hasattr(self, "labels_"):
            raise InputError("these clusters are not fitted yet; call fit(explanations) first.")


def _rows(maps: np.ndarray, scale: str) -> np.ndarray:
    rows = maps.reshape(len(maps), -1)
    if scale == "none":
        return rows
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)


def _two(points: np.ndarray) -> np.ndarray:
    two = np.zeros((len(points), 2), np.float32)
    two[:, : min(2, points.shape[1])] = points[:, :2]
    return two
