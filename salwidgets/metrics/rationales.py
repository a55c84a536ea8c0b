"""Rationales: do the tokens a map marks agree with the ones people marked? No model is needed.

rationales: bool (or 0 and 1) `[T]`, one mark per value of the map; or spans, a list of (start, end), end excluded. Where a
decision is needed, the tokens with the highest values are taken, as many as people mark on average: ``share`` of the text,
by default the mean share of the rationales given (ERASER's rule). Of equal values the first tokens are taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import InputError, MethodError
from ..explanation import Explanation
from .maps import _array, is_constant, name
from .registry import metric

Spans = list[tuple[int, int]]
_ERASER = "DeYoung et al. 2020, ERASER, sec. 4.1 (ref)"
_PEOPLE = "What people find convincing is not what the model used: a faithful map of a model with other reasons loses."


@metric(family="human", better="higher", needs=("rationales",), range="0..1", cannot=_PEOPLE, source=_ERASER)
def token_f1(explanations: Sequence[Explanation], rationales: Sequence[Any], *, share: float | None = None) -> np.ndarray:
    """F1 of the tokens taken against the tokens people marked. A constant map takes none and scores 0.

    >>> import numpy as np, salwidgets as sw
    >>> e = sw.Explanation(np.array([.1, .9, .8, 0.]), np.zeros(4), None, "external")
    >>> sw.metrics.token_f1(e, [0, 1, 1, 0])
    1.0
    """
    out = []
    for taken, truth, _ in _decided(explanations, rationales, share):
        hits = (taken & truth).sum()
        out.append(_f1(hits / max(taken.sum(), 1), hits / truth.sum()))
    return np.array(out)


@metric(family="human", better="higher", needs=("rationales",), range="0..1", cannot=_PEOPLE, source=_ERASER)
def iou_f1(explanations: Sequence[Explanation], rationales: Sequence[Any], *, share: float | None = None,
           threshold: float = 0.5) -> np.ndarray:
    """F1 of spans: a run of taken tokens and a marked span match if they overlap by ``threshold`` (intersection over union).

    Precision is the share of runs that match a span, recall the share of spans that a run matches. (The released code
    counts matching runs for recall too, so two runs on one span count twice there: ours differs only then.)
    """
    if not 0 < threshold <= 1:
        raise MethodError(f"threshold={threshold!r} is no overlap; intersection over union lies in (0, 1].")
    out = []
    for taken, _, spans in _decided(explanations, rationales, share):
        runs = _runs(taken)
        if not runs:
            out.append(0.0)
            continue
        a, b = np.array(runs)[:, None], np.array(spans)[None]
        shared = np.maximum(np.minimum(a[..., 1], b[..., 1]) - np.maximum(a[..., 0], b[..., 0]), 0)
        match = shared / (np.diff(a)[..., 0] + np.diff(b)[..., 0] - shared) >= threshold
        out.append(_f1(match.any(1).mean(), match.any(0).mean()))
    return np.array(out)


@metric(family="human", better="higher", needs=("rationales",), range="0..1", cannot=_PEOPLE, source=_ERASER)
def auprc(explanations: Sequence[Explanation], rationales: Sequence[Any]) -> np.ndarray:
    """Area under the precision-recall curve of the map's values, by trapezoids between distinct values, as in ERASER.

    Chance is about the share of marked tokens, and a constant map is given just that (trapezoids would give it more than
    half).
    """
    out = []
    for v, truth, _ in _marked(explanations, rationales):
        if is_constant(v):
            out.append(truth.mean())
            continue
        order = np.argsort(-v, kind="stable")
        last = np.append(np.flatnonzero(np.diff(v[order])), len(v) - 1)  # the last token of each distinct value
        hits = np.cumsum(truth[order])[last]
        precision = np.concatenate([[1.0], hits / (last + 1)])
        recall = np.concatenate([[0.0], hits / truth.sum()])
        out.append(np.sum(np.diff(recall) * (precision[1:] + precision[:-1]) / 2))
    return np.array(out)


def _f1(precision: float, recall: float) -> float:
    return float(2 * precision * recall / (precision + recall)) if precision + recall > 0 else 0.0


def _decided(explanations: Sequence[Explanation], rationales: Sequence[Any],
             share: float | None) -> Iterator[tuple[np.ndarray, np.ndarray, Spans]]:
    """The tokens each map takes, bool `[T]`, the marked ones, bool `[T]`, and the marked spans."""
    if share is not None and not 0 < share <= 1:
        raise MethodError(f"share={share!r} is no share of the tokens; give one in (0, 1].")
    each = list(_marked(explanations, rationales))
    part = float(np.mean([truth.mean() for _, truth, _ in each])) if share is None else share
    for v, truth, spans in each:
        taken = np.zeros(len(v), bool)
        if not is_constant(v):
            taken[np.argsort(-v, kind="stable")[:max(1, round(part * len(v)))]] = True
        yield taken, truth, spans


def _marked(explanations: Sequence[Explanation],
            rationales: Sequence[Any]) -> Iterator[tuple[np.ndarray, np.ndarray, Spans]]:
    """Each map `[T]`, with the marks bool `[T]` and spans of its rationale."""
    for i, (e, given) in enumerate(zip(explanations, rationales, strict=True)):
        if e.values.ndim != 1:
            raise InputError(f"{name(i, e)}: a map of shape {e.values.shape} has no tokens; rationales need one value "
                             "per token, [T].")
        spans = as_spans(i, e, given)
        marks = np.zeros(e.values.size, bool)
        for start, end in spans:
            marks[start:end] = True
        yield e.values.astype(np.float64), marks, spans


def as_spans(i: int, e: Explanation, given: Any) -> Spans:
    """A rationale as spans (start, end), end excluded; marks `[T]` become their runs. Typed errors name the explanation."""
    a, n = _array(given), e.values.size
    if a.ndim == 1 and len(a) == n and (a.dtype == bool or (a.dtype.kind in "iuf" and set(np.unique(a)) <= {0, 1})):
        spans = _runs(a.astype(bool))
    elif a.ndim <= 2 and a.dtype.kind in "iu" and (a.shape == (2,) or (a.ndim == 2 and a.shape[1] == 2)):
        spans = sorted((int(s), int(t)) for s, t in a.reshape(-1, 2))
        if any(not 0 <= s < t <= n for s, t in spans):
            raise InputError(f"{name(i, e)}: a span must satisfy 0 <= start < end <= {n} tokens; got {spans}.")
    elif a.size:
        raise InputError(f"{name(i, e)}: a rationale of shape {a.shape} does not fit {n} tokens; give bool [{n}], or spans "
                         "(start, end) with end excluded.")
    else:
        spans = []
    if not spans:
        raise InputError(f"{name(i, e)}: its rationale is empty: nobody marked a token; leave this explanation out.")
    return spans


def _runs(marks: np.ndarray) -> Spans:
    """Runs of marked tokens as (start, end), end excluded."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marks, [False]]).astype(np.int8)))
    return [(int(s), int(t)) for s, t in edges.reshape(-1, 2)]
