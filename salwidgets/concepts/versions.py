"""`VersionComparison`: two versions of a model, one question; which concepts or clusters stayed, came, went or changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..captions import percent
from .matching import matched
from .rates import first, interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHANGES = ("kept", "grew", "shrank", "gone", "new")


@dataclass(eq=False)
class Side:
    """One concept or cluster in one version: its index, name, the images it leads or holds, and their figures; share: of
    the answer (concepts only); where: what its evidence is, in words (clusters only)."""

    index: int
    name: str
    members: np.ndarray
    prevalence: float
    accuracy: float
    probability: float
    share: float = float("nan")
    where: str = ""


@dataclass(eq=False)
class Pair:
    """A concept or cluster of the old version and its counterpart in the new one; one of them is None where there is none.

    similarity: what they were matched by, -1 to 1; NaN for "gone" and "new". overlap: images of both over images of
    either; NaN where the images differ. change: "kept", "grew" or "shrank" (it leads more or fewer images, and the 95 %
    intervals of the two shares do not meet), "gone", "new". sentence: what changed.
    """

    old: Side | None
    new: Side | None
    similarity: float
    overlap: float
    change: str
    sentence: str = ""

    @property
    def weight(self) -> float:
        """The larger of its two shares of images."""
        return max(0.0 if s is None else s.prevalence for s in (self.old, self.new))


@dataclass(eq=False)
class VersionComparison:
    """What `compare_concepts` and `compare_clusters` found.

    kind: "concepts" or "clusters"; names: of the two versions; pairs: list of `Pair`, those that hold most images first;
    similarity: `[K_old, K_new]`, what was matched; accuracy: of both (NaN where unknown); mended, broken: images that only
    the new, or only the old version names rightly (empty where the images differ); question; n: images, old and new.
    """

    kind: str
    names: tuple[str, str]
    pairs: list[Pair]
    similarity: np.ndarray
    accuracy: tuple[float, float]
    mended: np.ndarray
    broken: np.ndarray
    question: str
    n: tuple[int, int]
    same_images: bool
    notices: tuple[str, ...] = ()
    draw: Callable[[VersionComparison], Figure] | None = field(default=None, repr=False)

    @property
    def sentences(self) -> list[str]:
        """First how often both are right, then a sentence for every pair, those that changed first."""
        order = sorted(self.pairs, key=lambda p: (p.change == "kept", -p.weight))
        return [*self._accuracies(), *(p.sentence for p in order if p.sentence)]

    def _accuracies(self) -> list[str]:
        if not all(map(math.isfinite, self.accuracy)):
            return []
        (old, new), (a, b) = self.names, self.accuracy
        said = f"{first(old)} names {percent(a)} of {self.n[0]} images rightly, {new} {percent(b)}"
        if self.n[0] != self.n[1]:
            said += f" of {self.n[1]}"
        if self.same_images:
            said += f": {len(self.mended)} mended, {len(self.broken)} broken"
        return [said + "."]

    def to_pandas(self) -> Any:
        """One row per pair: old, new, change, similarity, overlap, and images, prevalence, share of the answer (concepts),
        accuracy and mean probability of both versions."""
        import pandas as pd

        def row(p: Pair) -> dict[str, Any]:
            found: dict[str, Any] = {"old": p.old and p.old.name, "new": p.new and p.new.name, "change": p.change,
                                     "similarity": p.similarity, "overlap": p.overlap}
            for word in ("images", "prevalence", "share", "accuracy", "probability"):
                for version, side in (("old", p.old), ("new", p.new)):
                    value = None if side is None else len(side.members) if word == "images" else getattr(side, word)
                    found[f"{word}_{version}"] = (0 if word == "images" else float("nan")) if value is None else value
            return found

        table = pd.DataFrame([row(p) for p in self.pairs])
        return table if self.kind == "concepts" else table.drop(columns=["share_old", "share_new"], errors="ignore")

    def figure(self) -> Figure:
        """Both versions side by side, one row per pair that holds any image, for a paper."""
        from .version_figure import version_figure

        return self.draw(self) if self.draw is not None else version_figure(self, None)

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str:
        from html import escape

        table: str = self.to_pandas().round(3).to_html(index=False, escape=True)
        return table + "".join(f"<p>{escape(s)}</p>" for s in [*self.sentences, *self.notices])


def pair_up(old: Sequence[Side], new: Sequence[Side], similarity: np.ndarray, least: float, n: tuple[int, int],
            same_images: bool) -> list[Pair]:
    """Match the two sides by ``similarity`` `[len(old), len(new)]`, one to one, with the largest sum (Hungarian method);
    pairs below ``least`` are no counterparts."""
    rows, columns = matched(np.clip(similarity, 0, None)) if similarity.size else (np.zeros(0, int), np.zeros(0, int))
    found = []
    for i, j in zip(rows.tolist(), columns.tolist(), strict=True):
        if similarity[i, j] >= least:
            both = np.intersect1d(old[i].members, new[j].members).size if same_images else math.nan
            either = np.union1d(old[i].members, new[j].members).size if same_images else math.nan
            overlap = both / either if either else math.nan
            found.append(Pair(old[i], new[j], float(similarity[i, j]), overlap, _change(old[i], new[j], n)))
    known_old, known_new = ({id(s) for s in side} for side in (
        [p.old for p in found], [p.new for p in found]))
    found += [Pair(s, None, math.nan, math.nan, "gone") for s in old if id(s) not in known_old]
    found += [Pair(None, s, math.nan, math.nan, "new") for s in new if id(s) not in known_new]
    return sorted(found, key=lambda p: -p.weight)


def _change(old: Side, new: Side, n: tuple[int, int]) -> str:
    (a_low, a_high), (b_low, b_high) = interval(len(old.members), n[0]), interval(len(new.members), n[1])
    return "grew" if b_low > a_high else "shrank" if b_high < a_low else "kept"
