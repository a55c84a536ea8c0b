"""A map as a picture of an object: the four figures of salient object detection. No model is needed.

The map is min-max scaled to [0, 1]; a constant map becomes 0 everywhere. masks: bool `[H, W]` at the image's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import MethodError
from ..explanation import Explanation
from .maps import on_masks, unit
from .registry import metric

_TINY = np.spacing(1.0)
_SHAPE = "Whether the model uses the object: a perfect cut-out may have nothing to do with its reasons."


@metric(family="human", better="lower", needs=("masks",), range="0..1", source="Perazzi et al. 2012, Saliency filters (ref)",
        cannot="Small objects: a map that is 0 everywhere scores the object's area, nearly perfect if that is small.")
def mae(explanations: Sequence[Explanation], masks: Sequence[Any]) -> np.ndarray:
    """Mean absolute error between the scaled map and the mask.

    >>> import numpy as np, salwidgets as sw
    >>> sw.metrics.mae(sw.from_array(np.eye(8), np.zeros((8, 8), np.uint8)), np.eye(8, dtype=bool))
    0.0
    """
    return np.array([np.abs(unit(m) - mask).mean() for m, mask in on_masks(explanations, masks)])


@metric(family="human", better="higher", needs=("masks",), range="0..1", cannot=_SHAPE,
        source="Fan et al. 2017, Structure-measure (ref)")
def s_measure(explanations: Sequence[Explanation], masks: Sequence[Any], *, alpha: float = 0.5) -> np.ndarray:
    """S-measure: alpha * object similarity + (1 - alpha) * regional similarity, at least 0.

    Object: 2 m / (m^2 + 1 + s) for mean m and deviation s of the map on the object and of 1 - map off it, weighted by area.
    Regional: the structural similarity of the four quarters around the object's centroid, weighted by area. A mask that
    covers the whole image scores the map's mean.
    """
    out = []
    for m, mask in on_masks(explanations, masks):
        v = unit(m)
        if mask.all():
            out.append(v.mean())
            continue
        share = mask.mean()
        whole = share * _object(v[mask]) + (1 - share) * _object(1 - v[~mask])
        out.append(max(0.0, alpha * whole + (1 - alpha) * _quarters(v, mask)))
    return np.array(out)


def _object(v: np.ndarray) -> float:
    """How close to 1, and how even, the values of one side are."""
    spread = v.std(ddof=1) if v.size > 1 else 0.0
    return float(2 * v.mean() / (v.mean() ** 2 + 1 + spread + _TINY))


def _quarters(v: np.ndarray, mask: np.ndarray) -> float:
    """Similarity of the quarters that meet at the mask's centroid (which belongs to the upper left one)."""
    y, x = (int(c) + 1 for c in np.argwhere(mask).mean(0).round())
    cuts = [(rows, columns) for rows in (slice(None, y), slice(y, None)) for columns in (slice(None, x), slice(x, None))]
    return float(sum(mask[cut].size / mask.size * _similarity(v[cut], mask[cut]) for cut in cuts if mask[cut].size))


def _similarity(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity of two whole patches, without the stabilising constants."""
    n = a.size - 1 + _TINY
    x, y = a.mean(), b.mean()
    across = np.sum((a - x) * (b - y)) / n
    above = 4 * x * y * across
    below = (x * x + y * y) * (np.sum((a - x) ** 2) + np.sum((b - y) ** 2)) / n
    if above != 0:
        return float(above / (below + _TINY))
    return 1.0 if below == 0 else 0.0


@metric(family="human", better="higher", needs=("masks",), range="0..1", cannot=_SHAPE,
        source="Fan et al. 2018, Enhanced-alignment measure, eqs. 2-5 (lit); thresholds as in PySODMetrics (ref)")
def e_measure(explanations: Sequence[Explanation], masks: Sequence[Any], *, mode: str = "mean") -> np.ndarray:
    """E-measure of the map cut at a threshold: mean of ((2 a b / (a^2 + b^2) + 1) / 2)^2, a and b the centred cut and mask.

    mode: "mean" or "max" over the 256 thresholds of an 8-bit map, or "adaptive": at twice the map's mean (at most 1). The
    mean over pixels is the paper's; the released code divides by one pixel less.
    """
    if mode not in ("mean", "max", "adaptive"):
        raise MethodError(f"mode={mode!r} is unknown; choose 'mean', 'max' or 'adaptive'.")
    out = []
    for m, mask in on_masks(explanations, masks):
        v = unit(m)
        if mode == "adaptive":
            cut = v >= min(2 * v.mean(), 1.0)
            out.append(_alignment(np.array([(cut & mask).sum()]), np.array([cut.sum()]), mask)[0])
            continue
        level = np.floor(v * 255).astype(np.int64)
        above = [np.bincount(level[pick], minlength=256)[::-1].cumsum()[::-1] for pick in (mask, np.ones_like(mask))]
        curve = _alignment(above[0], above[1], mask)
        out.append(curve.mean() if mode == "mean" else curve.max())
    return np.array(out)


def _alignment(hits: np.ndarray, on: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """E-measure `[S]` of cuts with ``on`` `[S]` pixels, ``hits`` `[S]` of them in the mask: pixels fall into four kinds."""
    n, inside = mask.size, int(mask.sum())
    if inside == n:
        return on / n
    cut, truth = on / n, inside / n
    total = np.zeros(len(on))
    for count, a, b in ((hits, 1 - cut, 1 - truth), (on - hits, 1 - cut, -truth), (inside - hits, -cut, 1 - truth),
                        (n - on - inside + hits, -cut, -truth)):
        total += count * (2 * a * b / (a * a + b * b + _TINY) + 1) ** 2 / 4
    return total / n


@metric(family="human", better="higher", needs=("masks",), range="0..1", cannot=_SHAPE,
        source="Margolin et al. 2014, How to evaluate foreground maps? (ref)")
def weighted_f(explanations: Sequence[Explanation], masks: Sequence[Any], *, beta2: float = 1.0) -> np.ndarray:
    """Weighted F-measure: errors next to found object pixels weigh less, errors far from the object more.

    On the object an error is replaced by its Gaussian mean (7 x 7, sigma 5) where that is smaller; off it, it weighs
    2 - 0.5^(d / 5), d pixels from the object. beta2: weight of recall against precision.
    """
    return np.array([_weighted_f(unit(m), mask, beta2) for m, mask in on_masks(explanations, masks)])


def _weighted_f(v: np.ndarray, mask: np.ndarray, beta2: float) -> float:
    from scipy.ndimage import correlate1d, distance_transform_edt

    far, nearest = distance_transform_edt(~mask, return_indices=True)
    error = np.abs(v - mask)
    spread = error[nearest[0], nearest[1]]  # off the object: the error of the nearest object pixel
    kernel = np.exp(-np.arange(-3, 4) ** 2 / 50.0)
    kernel /= kernel.sum()
    smooth = correlate1d(correlate1d(spread, kernel, 0, mode="constant"), kernel, 1, mode="constant")
    error = np.where(mask, np.minimum(error, smooth), error * (2 - 0.5 ** (far / 5)))
    recall = 1 - error[mask].mean()
    found = mask.sum() - error[mask].sum()
    precision = found / (_TINY + found + error[~mask].sum())
    return float((1 + beta2) * recall * precision / (_TINY + recall + beta2 * precision))
