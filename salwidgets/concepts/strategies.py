"""`StrategyGraph`: images laid out by the concepts that decided them, so that strategies that fail can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..captions import percent
from ..errors import InputError
from .checking import Check
from .checks import seed, whole_number
from .cluster_words import figures
from .rates import accuracy, opening, unreliable
from .strategy_points import Points, embed, fitted_points, neighbours, new_points, shares

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_EMBEDDINGS = ("auto", "umap", "pca")


@dataclass(eq=False)
class Strategy:
    """The images that one concept leads.

    concept: its index; name; members: indices of the images, those that it leads most clearly first; accuracy: share of
    them named rightly; probability: mean over them; share: its mean share of the answer over *all* images; prevalence:
    share of images that it leads; unreliable: members are right less often than all other images, beyond chance.
    coloured: it leads enough images to have a colour.
    """

    concept: int
    name: str
    members: np.ndarray
    accuracy: float
    probability: float
    share: float
    prevalence: float
    unreliable: bool
    coloured: bool
    sentence: str = ""

    @property
    def size(self) -> int:
        """Number of images that the concept leads."""
        return len(self.members)

    @property
    def images(self) -> np.ndarray:
        """The same as ``members``."""
        return self.members


class StrategyGraph:
    """Every image a point by its concept importances, in the colour of its leading concept (Fel et al. 2023, "A Holistic
    Approach to Unifying Automatic Concept Extraction and Concept Importance Estimation").

    extractor: a fitted `ConceptExtractor`. n_neighbors: draw an edge from each image to so many nearest by importance
    (0: none; ours). embedding: "umap", "pca", or "auto": UMAP where it is installed. min_images: a concept that leads
    fewer has no colour. random_state: same seed, same graph.

    After `fit`: embedding_ float32 `[N, 2]`, embedded_by_ ("umap" or "pca"); leading_ int64 `[N]` (-1: no concept
    matters); importance_ `[N, K]`; share_ `[K]`: mean share of the answer; prevalence_, reliability_ `[K]` (NaN where a
    concept leads no image); strategies_: a `Strategy` for each concept that leads an image, the largest first; edges_
    int64 `[E, 2]`; correct_ bool, probabilities_, predicted_ `[N]`; names_; thumbnails_ uint8 `[N, 64, 64, 3]` or None.

    >>> world = sw.worlds.shortcut(n=24)
    >>> extractor = sw.concepts.ConceptExtractor(world.model(), n_concepts=4).fit(world.images, "shellback", world.labels)
    >>> StrategyGraph(extractor).fit().embedding_.shape
    (24, 2)
    """

    def __init__(self, extractor: Any, n_neighbors: int = 0, embedding: str = "auto", min_images: int = 10,
                 random_state: int = 0):
        self.extractor, self.n_neighbors, self.embedding = extractor, n_neighbors, embedding
        self.min_images, self.random_state = min_images, random_state

    def fit(self, images: Any = None, labels: Sequence[Any] | None = None) -> StrategyGraph:
        """Lay out ``images``, by default those that the extractor was fitted on, and return self.

        labels: true classes, by name or index; without them, an image counts as right if it is seen as the target of the
        question. Raises `InputError`, and what the extractor raises for images that it cannot read.
        """
        self._check()
        points = fitted_points(self.extractor, labels) if images is None else new_points(self.extractor, images, labels)
        embedding, by, projection = embed(points.importance, self.embedding, self.random_state)
        self.edges_ = neighbours(points.importance, self.n_neighbors)
        self.embedding_, self.embedded_by_, self._projection = embedding, by, projection
        self.question_ = str(self.extractor.question_)
        self.names_ = list(self.extractor.names_)
        self._take(points)
        return self

    def _take(self, points: Points) -> None:
        k = points.importance.shape[1]
        self.importance_, self.leading_, self.correct_ = points.importance, points.leading, points.correct
        self.probabilities_, self.predicted_, self.thumbnails_ = points.probabilities, points.predicted, points.thumbnails
        each = shares(points.importance)
        self.share_ = each.mean(0)
        led = [np.flatnonzero(points.leading == j) for j in range(k)]
        self.prevalence_ = np.array([len(m) / max(1, sum(map(len, led))) for m in led], np.float32)
        self.reliability_ = np.array([accuracy(points.correct, m) for m in led], np.float32)
        order = sorted((j for j in range(k) if len(led[j])), key=lambda j: (-len(led[j]), j))
        self.strategies_ = [self._strategy(j, led[j][np.argsort(-each[led[j], j], kind="stable")]) for j in order]

    def _strategy(self, k: int, members: np.ndarray) -> Strategy:
        found = Strategy(
            k, self.names_[k], members, float(self.reliability_[k]), float(self.probabilities_[members].mean()),
            float(self.share_[k]), float(self.prevalence_[k]), unreliable(self.correct_, members),
            len(members) >= self.min_images)
        found.sentence = _sentence(found, self.leading_, self.correct_)
        return found

    # -- using -------------------------------------------------------------------------------------------------------

    @property
    def sentences_(self) -> list[str]:
        """One sentence per strategy, with the names that the extractor has now."""
        self._fitted()
        for s in self.strategies_:
            s.name = self._names()[s.concept]
            s.sentence = _sentence(s, self.leading_, self.correct_)
        return [s.sentence for s in self.strategies_]

    @property
    def coloured_(self) -> list[Strategy]:
        """The strategies that lead at least ``min_images``."""
        self._fitted()
        return [s for s in self.strategies_ if s.coloured]

    def transform(self, images: Any) -> np.ndarray:
        """Where other images lie in the embedding, float32 `[M, 2]`."""
        self._fitted()
        self._asked()
        found = new_points(self.extractor, images, None)
        out = np.zeros((len(found), 2), np.float32)
        if self._projection is not None:
            placed = self._projection.transform(found.importance)
            out[:, : placed.shape[1]] = placed
        return out

    def check(self, images: Any, labels: Sequence[Any], *, paired: bool = False) -> Check:
        """Is every strategy as reliable on other images? A table (`Check`), one row per concept that leads any.

        images: each counts for the concept that leads *it*. paired: they are edited versions of the fitted images in the
        same order, without a suspected cue, say; each counts for the concept that led its *original*. labels: their true
        classes. Raises `InputError`.
        """
        self._fitted()
        self._asked()
        if labels is None:
            raise InputError("check() asks whether images are named rightly; pass their labels.")
        found = new_points(self.extractor, images, labels)
        if paired and len(found) != len(self.leading_):
            raise InputError(f"paired=True needs one image for each of the {len(self.leading_)} fitted ones, not "
                             f"{len(found)}.")
        groups = self.leading_ if paired else found.leading
        rows = [k for k in range(len(self.names_)) if (self.leading_ == k).any() or (groups == k).any()]
        place = np.full(len(self.names_) + 1, -1)  # the last is for -1
        place[rows] = np.arange(len(rows))
        names = self._names()
        return Check.of([names[k] for k in rows], place[self.leading_], self.correct_, place[groups], found.correct, paired)

    def figure(self, n_images: int = 7) -> Figure:
        """The scatter, and ``n_images`` images and a sentence for every coloured strategy, for a paper."""
        from .strategy_figure import strategy_figure

        self._fitted()
        return strategy_figure(self, n_images)

    def save(self, folder: str | Path) -> Path:
        """Write arrays.npz and manifest.json into ``folder`` (no pickle, and without the extractor)."""
        from .strategy_store import save

        self._fitted()
        return save(self, folder)

    @classmethod
    def load(cls, folder: str | Path, extractor: Any = None) -> StrategyGraph:
        """What `save` wrote, fitted. extractor: needed only to place or check other images. Raises `InputError`."""
        from .strategy_store import load

        return load(cls, folder, extractor)

    def __repr__(self) -> str:
        found = f": {len(self.strategies_)} strategies of {len(self.leading_)} images" if hasattr(self, "leading_") else ""
        return (f"StrategyGraph(n_neighbors={self.n_neighbors!r}, embedding={self.embedding!r}, "
                f"min_images={self.min_images!r}, random_state={self.random_state!r}){found}")

    def _names(self) -> list[str]:
        return list(self.names_ if self.extractor is None else self.extractor.names_)

    def _check(self) -> None:
        if not hasattr(self.extractor, "image_importance_"):
            raise InputError("the extractor is not fitted yet; call ConceptExtractor(...).fit(images, cls) first.")
        if self.embedding not in _EMBEDDINGS:
            raise InputError(f"embedding={self.embedding!r} is none of {', '.join(map(repr, _EMBEDDINGS))}.")
        for name, least in (("n_neighbors", 0), ("min_images", 1)):
            whole_number(name, getattr(self, name), least)
        seed(self.random_state)

    def _fitted(self) -> None:
        if not hasattr(self, "leading_"):
            raise InputError("this graph is not fitted yet; call fit() first.")

    def _asked(self) -> None:
        if self.extractor is None:
            raise InputError("this graph was loaded without its extractor; use StrategyGraph.load(folder, extractor).")


def _sentence(s: Strategy, leading: np.ndarray, correct: np.ndarray) -> str:
    n = len(leading)
    leads = f"leads {s.size} of {n} images ({percent(s.size / n)})" if n > 1 else "leads the only image"
    side = "of the answer" if s.share >= 0 else "against the answer"
    return (f"{opening(s.name)} {leads} and holds {percent(abs(s.share))} {side} on average over all images"
            f"{figures(s, n, correct)}.")
