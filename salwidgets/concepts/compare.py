"""Two versions of a model, one question: an old and a new checkpoint, or a teacher and a student; what changed?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..captions import percent
from ..errors import InputError
from .cluster_words import evidence_places
from .clusters import ExplanationClusters
from .map_stack import resampling
from .rates import first
from .strategy_points import Points, fitted_points, new_points, shares
from .versions import Pair, Side, VersionComparison, pair_up

_ALIKE = 0.4  # correlation of concept maps below which two concepts are no counterparts (ours)
_COMMON = 0.2  # overlap, or cosine of mean maps, below which two clusters are none (ours)


def compare_concepts(a: Any, b: Any, images: Any = None, labels: Sequence[Any] | None = None, *,
                     names: tuple[str, str] = ("the old model", "the new model"),
                     least: float = _ALIKE) -> VersionComparison:
    """Concept by concept, what changed from ``a`` to ``b``: two `ConceptExtractor`s, fitted for one question.

    The models may be of different kinds, and the layers of different widths: concepts are matched by where they are seen,
    by the correlation of their maps over all cells of all images (ours), one to one with the Hungarian method.

    images: what both look at; by default those that they were fitted on, which must be the same. labels: true classes.
    names: of the two models, for sentences. least: correlation below which concepts are no counterparts.
    Raises `InputError`: not fitted, other questions, other images.

    >>> world = sw.worlds.shortcut(n=24)
    >>> old, new = (sw.concepts.ConceptExtractor(world.model(name), n_concepts=4).fit(world.images, "shellback")
    ...             for name in ("shortcut", "mended"))
    >>> compare_concepts(old, new).similarity.shape
    (4, 4)
    """
    _fitted(a, b)
    _ask_the_same(str(a.question_), str(b.question_))
    if images is None:
        _same_images(a, b)
        maps, points = [a.coefficients_, b.coefficients_], [fitted_points(e, labels) for e in (a, b)]
    else:
        maps = [e.transform(images) for e in (a, b)]
        points = [new_points(e, images, labels) for e in (a, b)]
    if len(points[0]) != len(points[1]):
        raise InputError(f"{len(points[0])} images were read for one model and {len(points[1])} for the other; give images "
                         "that can be read twice.")
    similarity = _correlations(*_on_one_grid(*maps))
    old, new = (_concepts(p, e.names_) for p, e in zip(points, (a, b), strict=True))
    n = len(points[0])
    pairs = pair_up(old, new, similarity, least, (n, n), True)
    for p in pairs:
        p.sentence = _concept_sentence(p, similarity, points[1], old, new, names)
    right = [p.correct for p in points]
    from .version_figure import concept_pictures

    return VersionComparison(
        "concepts", names, pairs, similarity, (float(right[0].mean()), float(right[1].mean())),
        np.flatnonzero(~right[0] & right[1]), np.flatnonzero(right[0] & ~right[1]), str(a.question_), (n, n), True,
        draw=partial(concept_pictures, thumbnails=points[0].thumbnails))


def compare_clusters(a: ExplanationClusters, b: ExplanationClusters, *, least: float = _COMMON,
                     names: tuple[str, str] = ("the old model", "the new model")) -> VersionComparison:
    """Cluster by cluster, what changed from ``a`` to ``b``: two fitted `ExplanationClusters` of one question.

    Over the same images, clusters are matched by the images that they share (images of both over images of either), so
    that it shows where the evidence *moved*; over different images, by the cosine of their mean maps (both ours). One to
    one, with the Hungarian method. least: below it, clusters are no counterparts. Raises `InputError`.
    """
    for c in (a, b):
        if not isinstance(c, ExplanationClusters) or not hasattr(c, "labels_"):
            raise InputError("compare_clusters() takes two fitted ExplanationClusters; call fit(explanations) first.")
    if a.stack_.question and b.stack_.question:
        _ask_the_same(a.stack_.question, b.stack_.question)
    same, notices = _same_inputs(a, b)
    old, new = (_clusters(c) for c in (a, b))
    n = (len(a.labels_), len(b.labels_))
    cosine = np.array([[_cosine(x, y) for y in b.clusters_] for x in a.clusters_]).reshape(len(old), len(new))
    common = np.array([[_overlap(x.members, y.members) for y in new] for x in old]).reshape(cosine.shape)
    similarity = common if same else cosine
    pairs = pair_up(old, new, similarity, least, n, same)
    for p in pairs:
        p.sentence = _cluster_sentence(p, cosine, names, n)
    right = [c.stack_.correct for c in (a, b)]
    known = same and right[0] is not None and right[1] is not None
    from .version_figure import cluster_pictures

    return VersionComparison(
        "clusters", names, pairs, similarity, (_mean(right[0]), _mean(right[1])),
        np.flatnonzero(~right[0] & right[1]) if known else np.zeros(0, int),  # type: ignore[operator]
        np.flatnonzero(right[0] & ~right[1]) if known else np.zeros(0, int),  # type: ignore[operator]
        a.stack_.question, n, same, notices, draw=partial(cluster_pictures, old=a, new=b))


# -- concepts ----------------------------------------------------------------------------------------------------------


def _concepts(points: Points, names: Sequence[str]) -> list[Side]:
    each, found = shares(points.importance).mean(0), []
    led = max(1, int((points.leading >= 0).sum()))
    for k, name in enumerate(names):
        own = np.flatnonzero(points.leading == k)
        own = own[np.argsort(-points.importance[own, k], kind="stable")]
        found.append(Side(k, name, own, len(own) / led, _mean(points.correct[own]), _mean(points.probabilities[own]),
                          float(each[k])))
    return found


def _on_one_grid(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maps `[N, K, h, w]` of both brought to the coarser of the two grids."""
    h, w = min(a.shape[2], b.shape[2]), min(a.shape[3], b.shape[3])
    fitted = [m if m.shape[2:] == (h, w) else
              np.einsum("ah,nkhw,bw->nkab", resampling(m.shape[2], h), m, resampling(m.shape[3], w), optimize=True)
              for m in (a, b)]
    return fitted[0], fitted[1]


def _correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation `[K, L]` of concept maps over all cells of all images; 0 for a map that never varies."""
    x, y = (np.moveaxis(m, 1, 0).reshape(m.shape[1], -1).astype(np.float64) for m in (a, b))
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    norms = np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1))
    return np.asarray(np.divide(x @ y.T, norms, out=np.zeros_like(norms), where=norms > 0))


def _concept_sentence(p: Pair, similarity: np.ndarray, new_points: Points, old: Sequence[Side], new: Sequence[Side],
                      names: tuple[str, str]) -> str:
    if p.weight == 0:
        return ""
    if p.old is None and p.new is not None:
        best = f": the most alike, “{old[int(similarity[:, p.new.index].argmax())].name}”, correlates " \
               f"{similarity[:, p.new.index].max():.2f}" if len(old) else ""
        return f"“{p.new.name}” of {names[1]} has no counterpart in {names[0]}{best}. It leads {_figures(p.new)}."
    assert p.old is not None
    if p.new is None:
        best = f": the most alike, “{new[int(similarity[p.old.index].argmax())].name}”, correlates " \
               f"{similarity[p.old.index].max():.2f}" if len(new) else ""
        return (f"“{p.old.name}” of {names[0]} has no counterpart in {names[1]}{best}. It led {_figures(p.old)}"
                f"{_heirs(p.old, new_points, new)}.")
    moved = f"leads {percent(p.old.prevalence)} of images → {percent(p.new.prevalence)}"
    held = f"share of the answer {percent(abs(p.old.share))} → {percent(abs(p.new.share))}"
    return (f"“{p.old.name}” → “{p.new.name}” (correlation {p.similarity:.2f}) {_WORDS[p.change]}: {moved}, {held}"
            f"{_rates(p.old, p.new)}.")


_WORDS = {"kept": "stays", "grew": "grew", "shrank": "shrank"}


def _heirs(side: Side, points: Points, new: Sequence[Side]) -> str:
    """Which concepts lead its images now."""
    now = points.leading[side.members]
    counts = np.bincount(now[now >= 0], minlength=len(new))
    heirs = [f"“{new[k].name}” {counts[k]}" for k in np.argsort(-counts, kind="stable")[:2] if counts[k]]
    return f"; these images are now led by {' and '.join(heirs)}" if heirs and len(side.members) else ""


def _figures(side: Side) -> str:
    said = f"{len(side.members)} image{'s'[:len(side.members) != 1]} ({percent(side.prevalence)})"
    return said if math.isnan(side.accuracy) else f"{said}, {percent(side.accuracy)} of them named rightly"


def _rates(old: Side, new: Side) -> str:
    if math.isnan(old.accuracy) or math.isnan(new.accuracy):
        return ""
    return f", named rightly {percent(old.accuracy)} → {percent(new.accuracy)}"


# -- clusters ----------------------------------------------------------------------------------------------------------


def _clusters(found: ExplanationClusters) -> list[Side]:
    n = len(found.labels_)
    return [Side(c.index, f"cluster {c.index + 1}", c.members, c.size / n, c.accuracy, c.probability,
                 where=evidence_places(c.favourable, c.unfavourable)[0]) for c in found.clusters_]


def _cluster_sentence(p: Pair, cosine: np.ndarray, names: tuple[str, str], n: tuple[int, int]) -> str:
    if p.old is None or p.new is None:
        side = p.old if p.new is None else p.new
        assert side is not None
        own, other = names if p.new is None else names[::-1]
        return (f"{first(side.name)} of {own} has no counterpart in {other}: {_figures(side)}; {_for(side)}.")
    common = "" if math.isnan(p.overlap) else \
        f"{np.intersect1d(p.old.members, p.new.members).size} of their {np.union1d(p.old.members, p.new.members).size} " \
        "images in common, "
    said = f"{first(p.old.name)} of {names[0]} → {p.new.name} of {names[1]} ({common}cosine of the mean maps " \
           f"{cosine[p.old.index, p.new.index]:.2f}): "
    said += _for(p.old)
    if p.old.where != p.new.where:
        said += f" → {p.new.where or 'next to nothing does'}"
    if not math.isnan(p.old.probability) and not math.isnan(p.new.probability):
        said += f"; mean probability {percent(p.old.probability)} → {percent(p.new.probability)}"
    return said + _rates(p.old, p.new) + "."


def _for(side: Side) -> str:
    return f"what speaks for the answer is {side.where}" if side.where else "next to nothing speaks for the answer"


def _cosine(x: Any, y: Any) -> float:
    u, v = ((c.favourable + c.unfavourable).ravel().astype(np.float64) for c in (x, y))
    size = np.linalg.norm(u) * np.linalg.norm(v)
    return float(u @ v / size) if size > 0 else 0.0


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    return np.intersect1d(a, b).size / max(1, np.union1d(a, b).size)


# -- checks ------------------------------------------------------------------------------------------------------------


def _mean(values: np.ndarray | None) -> float:
    return float(np.mean(values)) if values is not None and len(values) else math.nan


def _fitted(*extractors: Any) -> None:
    for e in extractors:
        if not hasattr(e, "image_importance_"):
            raise InputError("compare_concepts() takes two fitted ConceptExtractors; call fit(images, cls) first.")


def _ask_the_same(a: str, b: str) -> None:
    if a != b:
        raise InputError(f"the two answer different questions, {a} and {b}; fit both for the same one.")


def _same_images(a: Any, b: Any) -> None:
    if a.coefficients_ is None or b.coefficients_ is None:
        raise InputError("the concept maps were too large to keep; pass the images to compare on.")
    alike = len(a.scores_) == len(b.scores_) and (
        a.images_ is None or b.images_ is None or np.array_equal(a.images_, b.images_))
    if not alike:
        raise InputError("the two were fitted on different images; pass the images to compare on.")


def _same_inputs(a: ExplanationClusters, b: ExplanationClusters) -> tuple[bool, tuple[str, ...]]:
    left, right = a.stack_.digests, b.stack_.digests
    if left is not None and right is not None:
        return left == right, ()
    if len(a.labels_) != len(b.labels_):
        return False, ()
    return True, ("Which images the maps belong to is not known; as there are equally many, they are taken to be the same, "
                  "in the same order.",)
