"""What a `ClusterView` shows, read from a strategy graph, from clusters of explanations or from plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .pictures import keys_of

#: points of no group
NONE = "no cluster"


@dataclass
class Group:
    """One cluster. Figures that nobody knows are None; maps are float32 `[h, w]`, of any sign: their sizes are drawn."""

    name: str
    size: int
    accuracy: float | None = None
    probability: float | None = None
    share: float | None = None
    sentence: str = ""
    exemplar: int = -1
    maps: tuple[NDArray[np.float32], ...] = ()
    #: its members are right less often than all other images, beyond chance
    unreliable: bool = False


@dataclass
class Points:
    """Images as points `[N, 2]`, the group of each (-1: none), and what is known of each."""

    points: NDArray[np.float32]
    of: NDArray[np.int64]
    groups: list[Group]
    #: 1 right, 0 wrong, -1 unknown
    correct: NDArray[np.int8]
    thumbnails: Any = None
    captions: list[str] = field(default_factory=list)
    edges: NDArray[np.uint32] = field(default_factory=lambda: np.zeros((0, 2), np.uint32))
    noun: str = "cluster"
    figure: str = "Accuracy"
    title: str = ""
    axes: str = ""
    keys: list[str] = field(default_factory=list)


def read(given: Any, points: Any, labels: Any, **more: Any) -> Points:
    """Points of what was given. Raises `InputError` for what is neither fitted nor whole."""
    if given is None:
        return from_arrays(points, labels, **more)
    kind = type(given).__name__
    if points is not None or labels is not None:
        raise InputError(f"ClusterView takes a fitted {kind}, or points= and labels=, not both.")
    if hasattr(given, "strategies_"):
        found = _from_graph(given)
    elif hasattr(given, "clusters_"):
        found = _from_clusters(given)
    else:
        raise InputError("ClusterView shows a fitted StrategyGraph, fitted ExplanationClusters, or points=[N, 2] with "
                         f"labels=; {kind} is none of them" + (": call its fit() first." if hasattr(given, "fit") else "."))
    return _with(found, **more)


def from_arrays(points: Any, labels: Any = None, **more: Any) -> Points:
    """Points of plain arrays: labels are names or numbers; -1, None, "" and NaN stand for no group."""
    where = check_points(points)
    n = len(where)
    of, found = _grouped(labels, n)
    title = f"{n:,} images" if n != 1 else "1 image"
    return _with(Points(where, of, [Group(name, int((of == k).sum())) for k, name in enumerate(found)],
                        np.full(n, -1, np.int8), title=title), **more)


def check_points(points: Any) -> NDArray[np.float32]:
    """float32 `[N, 2]`, finite, N >= 1. Raises `InputError`."""
    if points is None:
        raise InputError("ClusterView needs a fitted StrategyGraph or ExplanationClusters, or points=[N, 2].")
    try:
        where = np.asarray(points, np.float32)
    except (TypeError, ValueError) as e:
        raise InputError(f"points must be numbers [N, 2]; {e}.") from e
    if where.ndim != 2 or where.shape[1] != 2:
        raise InputError(f"points must have the shape [N, 2], got {list(where.shape)}.")
    if not len(where):
        raise InputError("points is empty: there is no image to show.")
    bad = np.flatnonzero(~np.isfinite(where).all(1))
    if bad.size:
        raise InputError(f"{bad.size} of {len(where)} points hold NaN or infinity (the first is point {bad[0]}); leave "
                         "these images out.")
    return where


def _grouped(labels: Any, n: int) -> tuple[NDArray[np.int64], list[str]]:
    if labels is None:
        return np.zeros(n, np.int64), ["all images"]
    given = labels.tolist() if hasattr(labels, "tolist") else list(labels)
    if len(given) != n:
        raise InputError(f"labels: {len(given)} for {n} points.")
    absent = [v is None or v == "" or v == -1 or v != v for v in given]
    known = sorted({v for v, off in zip(given, absent, strict=True) if not off}, key=lambda v: (isinstance(v, str), v))
    order = {v: i for i, v in enumerate(known)}
    of = np.array([-1 if off else order[v] for v, off in zip(given, absent, strict=True)], np.int64)
    names = [v if isinstance(v, str) else f"cluster {int(v) + 1}" if isinstance(v, int) else str(v) for v in known]
    return of, names or ["all images"]


def _with(found: Points, *, names: Sequence[str] | None = None, thumbnails: Any = None, images: Any = None,
          captions: Any = None, correct: Any = None, edges: Any = None) -> Points:
    """What the caller says overrides what the object knows."""
    n = len(found.points)
    if names is not None:
        for group, name in zip(found.groups, check_names(names, len(found.groups)), strict=True):
            group.name = name
    for what, given in (("thumbnails", thumbnails), ("images", images), ("captions", captions), ("correct", correct)):
        if given is not None and len(given) != n:
            raise InputError(f"{what}: {len(given)} for {n} points.")
    if images is not None or not found.keys:
        pictures = next((p for p in (images, thumbnails, found.thumbnails) if p is not None), None)
        found.keys = [] if pictures is None else [keys_of(p) for p in pictures]
    if thumbnails is not None or images is not None:
        found.thumbnails = images if thumbnails is None else thumbnails
    if found.thumbnails is not None and len(found.thumbnails) != n:
        found.thumbnails = None
    if captions is not None:
        found.captions = [str(c) for c in captions]
    if correct is not None:
        found.correct = marks(correct)
        for k, group in enumerate(found.groups):
            known = found.correct[(found.of == k) & (found.correct >= 0)]
            group.accuracy = float(known.mean()) if len(known) else None
    if edges is not None:
        found.edges = _edges(edges, n)
    return found


def check_names(names: Any, n: int) -> list[str]:
    """``n`` names as text, none of them empty. Raises `InputError`."""
    if isinstance(names, str) or not hasattr(names, "__len__") or len(names) != n:
        count = "one text" if isinstance(names, str) else len(names) if hasattr(names, "__len__") else type(names).__name__
        raise InputError(f"names: {count} for {n} groups; give a list with one name for each.")
    found = [str(name).strip() for name in names]
    if not all(found):
        raise InputError(f"names: name {found.index('')} is empty; give every group a name.")
    return found


def marks(correct: Any) -> NDArray[np.int8]:
    """int8 `[N]` of booleans, or of numbers with NaN for what is not known."""
    values = np.asarray(correct, np.float32)
    return np.where(np.isnan(values), -1, values > 0.5).astype(np.int8)


def _edges(edges: Any, n: int) -> NDArray[np.uint32]:
    found = np.asarray(edges)
    if found.size and (found.ndim != 2 or found.shape[1] != 2 or found.min() < 0 or found.max() >= n):
        raise InputError(f"edges must be pairs [E, 2] of point numbers 0 to {n - 1}, got shape {list(found.shape)}.")
    return found.reshape(-1, 2).astype(np.uint32)


def known(value: Any) -> float | None:
    """A finite number, or None."""
    return float(value) if value is not None and np.isfinite(value) else None


def _from_graph(graph: Any) -> Points:
    extractor = graph.extractor
    where, leading = check_points(graph.embedding_), np.asarray(graph.leading_, np.int64)
    names = graph.names_ if extractor is None else extractor.names_
    sentences = dict(zip((int(s.concept) for s in graph.strategies_), graph.sentences_, strict=True))
    groups = [Group(str(name), 0, share=known(share)) for name, share in zip(names, graph.share_, strict=True)]
    for s in graph.strategies_:
        groups[s.concept] = Group(str(names[s.concept]), len(s.members), known(s.accuracy), known(s.probability),
                                  known(graph.share_[s.concept]), sentences[int(s.concept)], int(s.members[0]), (),
                                  bool(s.unreliable))
    model = getattr(extractor, "_model", None)
    captions = [] if model is None else [f"seen as {model.classes[int(c)]}" for c in graph.predicted_]
    title = str(graph.question_ or "Strategies of the model")
    return Points(where, leading, groups, marks(graph.correct_), graph.thumbnails_, captions,
                  _edges(graph.edges_, len(where)), "strategy", "Reliability", title,
                  f"Near images are decided by the same concepts ({str(graph.embedded_by_).upper()}).")


def _from_clusters(found: Any) -> Points:
    where, stack = check_points(found.embedding_), found.stack_
    order = {int(c.index): i for i, c in enumerate(found.clusters_)}
    of = np.array([order.get(int(v), -1) for v in found.labels_], np.int64)
    groups = [Group(f"cluster {i + 1}", int(c.size), known(c.accuracy), known(c.probability), None, str(c.sentence),
                    int(c.exemplar), (np.asarray(c.favourable, np.float32), np.asarray(c.unfavourable, np.float32)),
                    bool(c.unreliable)) for i, c in enumerate(found.clusters_)]
    correct = np.full(len(where), -1, np.int8) if stack.correct is None else marks(stack.correct)
    return Points(where, of, groups, correct, stack.thumbnails, [str(v) for v in stack.labels or ()],
                  title=str(stack.question or "Clusters of explanations"), keys=[d[:12] for d in stack.digests or ()],
                  axes="Near images have evidence in the same places (first two principal components of the maps).")
