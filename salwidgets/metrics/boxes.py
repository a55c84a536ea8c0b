"""Boxes around what a map lights up, against boxes around the objects: MaxBoxAcc and MaxBoxAccV2.

All thresholds are read off one component tree: its nodes are the connected parts that appear as the threshold falls, each
with the thresholds it lives at and its box. So 1000 thresholds cost about as much as a few dozen labellings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InputError, MethodError
from ..explanation import Explanation
from .localisation import thresholds
from .maps import _array, as_mask, image_map, name, unit
from .registry import metric

_SOURCE = "Choe et al. 2020, Evaluating WSOL methods right (ref); pixel-exact boxes without 8-bit rounding: ours"


@metric(family="localisation", better="higher", needs=("boxes",), range="0..1 (one image: 0 or 1)", source=_SOURCE,
        cannot="How well the map fits inside the box, and whether the model needs the object; the threshold is the best for "
               "these very images unless one chosen elsewhere is given.")
def max_box_acc(explanations: Sequence[Explanation], boxes: Sequence[Any], *, iou: float = 0.5,
                threshold: float | None = None) -> np.ndarray:
    """Whether the box of the map's largest connected part overlaps a true box by ``iou`` or more: 1 or 0 per explanation.

    The map is min-max scaled and cut at one threshold for all explanations: the best of 0, .001, … .999 (the mean of the
    result is then MaxBoxAcc of the set), or ``threshold``, such as `choose_threshold`'s. boxes: `[K, 4]` or `[4]`, pixels
    (x0, y0, x1, y1), the corners included; or a mask bool `[H, W]`, whose connected parts are boxed. Parts are connected by
    sides or corners; the largest has the most pixels. A constant map has no parts and scores 0.

    >>> import numpy as np, salwidgets as sw
    >>> e = sw.from_array(np.eye(8), np.zeros((8, 8), np.uint8))
    >>> sw.metrics.max_box_acc(e, [0, 0, 7, 7])
    1.0
    """
    _check_iou(iou)
    grid = thresholds(threshold)
    right = np.array([iou_by_threshold(i, e, b, grid)[1] >= iou
                      for i, (e, b) in enumerate(zip(explanations, boxes, strict=True))])
    return right[:, right.mean(0).argmax()].astype(np.float64)


@metric(family="localisation", better="higher", needs=("boxes",), range="0..1", source=_SOURCE,
        cannot="Which part of the map was used: the best connected part counts, at the thresholds best for this set.")
def max_box_acc_v2(explanations: Sequence[Explanation], boxes: Sequence[Any], *, ious: tuple[float, ...] = (0.3, 0.5, 0.7),
                   threshold: float | None = None) -> np.ndarray:
    """MaxBoxAccV2: the share of ``ious`` at which any connected part's box matches any true box.

    As `max_box_acc`, but the best over parts x boxes, and the mean over three overlaps, each with its own best threshold.
    The mean of the result is MaxBoxAccV2 of the set.
    """
    for v in ious:
        _check_iou(v)
    grid = thresholds(threshold)
    best = np.array([iou_by_threshold(i, e, b, grid)[0] for i, (e, b) in enumerate(zip(explanations, boxes, strict=True))])
    right = best[None] >= np.asarray(ious)[:, None, None]  # [overlaps, n, S]
    at = right.mean(1).argmax(-1)
    return np.take_along_axis(right, at[:, None, None], -1)[..., 0].mean(0)


def _check_iou(iou: float) -> None:
    if not 0 < iou <= 1:
        raise MethodError(f"an overlap of {iou!r} is none; intersection over union lies in (0, 1].")


def is_boxes(given: Any) -> bool:
    """Whether a truth is boxes `[4]` or `[K, 4]` rather than a mask."""
    a = _array(given)
    return a.dtype.kind in "iuf" and (a.shape == (4,) or (a.ndim == 2 and a.shape[1] == 4))


def as_boxes(i: int, e: Explanation, given: Any) -> np.ndarray:
    """``given`` as float64 `[K, 4]` (x0, y0, x1, y1), corners included; masks are boxed part by part. Typed errors."""
    a = _array(given)
    if not is_boxes(a):
        if a.ndim != 2 or a.shape != e.size:
            raise InputError(f"{name(i, e)}: boxes of shape {a.shape} cannot be read; give [K, 4] pixels (x0, y0, x1, y1), "
                             "or a bool mask of the image's size.")
        return component_boxes(as_mask(i, e, a).astype(np.int64))[0].astype(np.float64)
    a = a.reshape(-1, 4).astype(np.float64)
    h, w = e.size
    if not len(a):
        raise InputError(f"{name(i, e)}: there are no boxes to find; leave this explanation out.")
    if not np.isfinite(a).all() or (a[:, :2] > a[:, 2:]).any() or (a < 0).any() or (a[:, 2:] >= (w, h)).any():
        raise InputError(f"{name(i, e)}: a box must satisfy 0 <= x0 <= x1 < {w} and 0 <= y0 <= y1 < {h}; got {a.tolist()}.")
    return a


def component_boxes(level: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Connected parts of {level > k} for every k at once.

    level: non-negative integers `[H, W]`. Returns boxes `[N, 4]` (x0, y0, x1, y1, inclusive), sizes in pixels `[N]`, and
    ``first`` and ``last`` `[N]`: the part exists for first <= k < last. Parts are 8-connected.
    """
    from skimage.morphology import max_tree

    parent = max_tree(level.astype(np.int32), connectivity=2)[0].ravel()
    flat = level.ravel()
    every = np.arange(len(flat))
    is_node = (flat[parent] != flat) | (parent == every)
    nodes = np.flatnonzero(is_node)
    place = np.cumsum(is_node) - 1
    own = place[np.where(is_node, every, parent)]
    y, x = np.divmod(every, level.shape[1])
    size = np.bincount(own, minlength=len(nodes))
    corners = np.concatenate([np.full((2, len(nodes)), max(level.shape)), np.full((2, len(nodes)), -1)])
    for axis, at in enumerate((x, y)):
        np.minimum.at(corners[axis], own, at)
        np.maximum.at(corners[axis + 2], own, at)
    up, height = place[parent[nodes]], flat[nodes]
    _hand_up(np.argsort(-height, kind="stable"), up, size, corners)
    first = np.where(up == np.arange(len(nodes)), 0, height[up])
    kept = first < height
    return corners.T[kept], size[kept], first[kept], height[kept]


def _hand_up(order: np.ndarray, up: np.ndarray, size: np.ndarray, corners: np.ndarray) -> None:
    """Add every node's size and box `[4, N]` to its parent's, in place; ``order`` has children before parents.

    Plain lists: each node waits for its children, and most levels have few nodes, so arrays per level are slower.
    """
    n, (x0, y0, x1, y1) = size.tolist(), corners.tolist()
    for k, p in zip(order.tolist(), up[order].tolist(), strict=True):
        if k != p:
            n[p] += n[k]
            x0[p], y0[p] = min(x0[p], x0[k]), min(y0[p], y0[k])
            x1[p], y1[p] = max(x1[p], x1[k]), max(y1[p], y1[k])
    size[:], corners[:] = n, (x0, y0, x1, y1)


def iou_by_threshold(i: int, e: Explanation, given: Any, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Best overlap with any true box at each threshold, `[S]` each: over all connected parts, and of the largest part."""
    truth = as_boxes(i, e, given)
    level = np.searchsorted(grid, unit(image_map(i, e)), side="left")
    found, size, first, last = component_boxes(level)
    overlap = box_iou(found, truth).max(1)
    any_part, largest = np.zeros(len(grid)), np.zeros(len(grid))
    # growing sizes, so that the last one written at a threshold is the largest there
    order = np.lexsort((-np.arange(len(size)), size))
    lives = (last - first)[order]
    at = np.arange(lives.sum()) + np.repeat(first[order] - (np.cumsum(lives) - lives), lives)
    values = np.repeat(overlap[order], lives)
    np.maximum.at(any_part, at, values)
    largest[at] = values
    return any_part, largest


def box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union `[N, K]` of boxes `[N, 4]` and `[K, 4]`, corners included."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.maximum(high - low + 1, 0), -1)
    area_a, area_b = (np.prod(v[:, 2:] - v[:, :2] + 1, -1) for v in (a, b))
    return shared / (area_a[:, None] + area_b[None] - shared)
