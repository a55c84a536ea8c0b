"""Localisation: does the map lie on what it should point at, given as a mask of the image's size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, MethodError
from ..explanation import Explanation
from .maps import as_mask, image_map, on_masks, unit
from .registry import explanation_list, metric, one_each

STEP = 0.001  # the protocol's threshold grid (Choe et al. 2020)


@metric(family="localisation", better="higher", needs=("masks",), range="0..1",
        cannot="Anything but one pixel: whether the rest of the map is right, or whether the model uses the object.",
        source="Zhang et al. 2016, Top-down neural attention by excitation backprop, sec. 4.1 (lit); ties: ours")
def pointing_game(explanations: Sequence[Explanation], masks: Sequence[Any], *, tolerance: float = 15.0) -> np.ndarray:
    """Whether the map's maximum lies on the mask or within ``tolerance`` pixels (Euclidean, of the image) of it: 1 or 0.

    masks: bool `[H, W]` at the image's size. Several equal maxima count as the share of them that hit, so a constant map
    scores the area of the widened mask. 15 pixels are meant for photographs; on 64 x 64 take 4.

    >>> import numpy as np, salwidgets as sw
    >>> e = sw.from_array(np.eye(8), np.zeros((8, 8), np.uint8))
    >>> sw.metrics.pointing_game(e, np.eye(8, dtype=bool), tolerance=0)
    1.0
    """
    from scipy.ndimage import distance_transform_edt

    if not tolerance >= 0:
        raise MethodError(f"tolerance={tolerance!r} is no distance; give pixels, 0 or more.")
    return np.array([np.mean(distance_transform_edt(~mask)[m == m.max()] <= tolerance)
                     for m, mask in on_masks(explanations, masks)])


def _mass(m: np.ndarray, part: str) -> np.ndarray:
    """What counts as evidence: the positive part of a map, or its absolute value."""
    if part not in ("positive", "absolute"):
        raise MethodError(f"part={part!r} is unknown; choose 'positive' or 'absolute'.")
    return np.maximum(m, 0) if part == "positive" else np.abs(m)


@metric(family="localisation", better="higher", needs=("masks",), range="0..1",
        cannot="Where on the object the map lies, and whether the model needs the background: its right map would lose.",
        source="Arras et al. 2022, CLEVR-XAI, relevance mass accuracy (ref: quantus)")
def mass_in_mask(explanations: Sequence[Explanation], masks: Sequence[Any], *, part: str = "positive") -> np.ndarray:
    """The share of the map's mass that lies on the mask. A map without mass scores 0; a constant one the mask's area.

    masks: bool `[H, W]`. part: "positive" (what speaks for the target) or "absolute".
    """
    out = []
    for m, mask in on_masks(explanations, masks):
        mass = _mass(m, part)
        out.append(mass[mask].sum() / total if (total := mass.sum()) > 0 else 0.0)
    return np.array(out)


@metric(family="localisation", better="lower", needs=("masks",), range="0..1",
        cannot="How much of the object is covered: one active pixel on it is enough for 0.",
        source="ours")
def background_activation_share(explanations: Sequence[Explanation], masks: Sequence[Any], *,
                                threshold: float = 0.5) -> np.ndarray:
    """Of the area where the map is active, the share that lies outside the mask.

    Active is what reaches ``threshold`` of the way from the map's minimum to its maximum (ours). A constant map is active
    everywhere and scores the background's area.
    """
    _check_threshold(threshold)
    out = []
    for m, mask in on_masks(explanations, masks):
        active = m >= m.min() + threshold * (m.max() - m.min())
        out.append((active & ~mask).sum() / active.sum())
    return np.array(out)


@metric(family="localisation", better="higher", needs=("masks",), range="0..1",
        cannot="Anything apart from its threshold, which belongs chosen on a held-out part (choose_threshold).",
        source="Jaccard 1912; threshold on the min-max scaled map as in Choe et al. 2020 (ref)")
def mask_iou(explanations: Sequence[Explanation], masks: Sequence[Any], *, threshold: float = 0.5) -> np.ndarray:
    """Intersection over union of the mask and the pixels whose min-max scaled value lies above ``threshold``."""
    grid = thresholds(threshold)
    return np.array([_iou_curve(m, mask, grid)[0] for m, mask in on_masks(explanations, masks)])


@metric(family="localisation", better="higher", needs=("masks",), range="0..1",
        cannot="Whether the model needs the object; chance is the object's area, so compare within a data set.",
        source="Choe et al. 2020, Evaluating WSOL methods right, PxAP (ref); the mean over images instead of pooling: ours")
def pxap(explanations: Sequence[Explanation], masks: Sequence[Any]) -> np.ndarray:
    """Area under the precision-recall curve of the map's pixels, one per explanation; chance is the mask's area.

    Maps are min-max scaled and thresholded at 0, .001, … 1, as in the protocol, whose own figure pools the pixels of all
    images: `pooled_pxap`. A constant map scores chance.
    """
    return np.array([_average_precision(*_histograms(m, mask)) for m, mask in on_masks(explanations, masks)])


def pooled_pxap(explanations: Any, masks: Any) -> float:
    """PxAP of the protocol: one precision-recall curve over the pixels of all images (Choe et al. 2020 (ref)).

    masks: bool `[H, W]`, one or one per explanation.

    >>> import numpy as np, salwidgets as sw
    >>> e = sw.from_array(np.eye(8), np.zeros((8, 8), np.uint8))
    >>> sw.metrics.pooled_pxap([e, e], np.eye(8, dtype=bool))
    1.0
    """
    es, _ = explanation_list(explanations)
    each = [_histograms(m, mask) for m, mask in on_masks(es, one_each(masks, len(es), "masks"))]
    return _average_precision(*np.sum(each, axis=0))


def _histograms(m: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts of pixels on and off the mask per bin [t, t + .001) of the scaled map, and one bin for 1."""
    edges = np.append(np.arange(0, 1, STEP), 1.0)
    bins = np.searchsorted(edges, unit(m).ravel(), side="right") - 1
    inside = mask.ravel()
    return (np.bincount(bins[inside], minlength=len(edges)), np.bincount(bins[~inside], minlength=len(edges)))


def _average_precision(on: np.ndarray, off: np.ndarray) -> float:
    """Sum of precision times the step in recall, from the highest threshold down."""
    hits, all_above = np.cumsum(on[::-1]), np.cumsum((on + off)[::-1])
    precision = hits / np.maximum(all_above, 1)
    return float(np.sum(precision * np.diff(hits, prepend=0)) / hits[-1])


def thresholds(threshold: float | None = None) -> np.ndarray:
    """The protocol's grid 0, .001, … .999, or the one ``threshold`` given, float64 `[S]`."""
    if threshold is None:
        return np.arange(0, 1, STEP)
    _check_threshold(threshold)
    return np.array([float(threshold)])


def _check_threshold(threshold: float) -> None:
    if not 0 <= threshold < 1:
        raise MethodError(f"threshold={threshold!r} cuts nothing; maps are scaled to [0, 1], so give 0 <= threshold < 1.")


def _iou_curve(m: np.ndarray, mask: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """IoU of mask and {scaled map > t} for every t of ``grid``, `[S]`, by counting once."""
    level = np.searchsorted(grid, unit(m).ravel(), side="left")  # the pixel is on for the first `level` thresholds
    inside = mask.ravel()
    on, off = (np.bincount(level[pick], minlength=len(grid) + 1)[::-1].cumsum()[::-1][1:] for pick in (inside, ~inside))
    return on / (inside.sum() + off)


@dataclass(frozen=True)
class ChosenThreshold:
    """A threshold and the held-out part that it was chosen on.

    threshold: on the min-max scaled map. score: what it reaches on the held-out part (mean IoU for masks, share of
    images localised for boxes). held_out, rest: indices of the explanations it was chosen on, and of those to be scored.
    """

    threshold: float
    score: float
    held_out: tuple[int, ...]
    rest: tuple[int, ...]

    def __float__(self) -> float:
        return self.threshold


def choose_threshold(explanations: Any, truths: Any, *, held_out: float | Sequence[int] = 0.2, iou: float = 0.5,
                     seed: int = 0) -> ChosenThreshold:
    """The threshold that is best on a small held-out part; only the rest may then be scored with it.

    That is the protocol's split: whatever is tuned sees annotations of a few images that are not scored (Choe et al. 2020).
    truths: masks (bool `[H, W]`), for `mask_iou`; or boxes (`[K, 4]`), for `max_box_acc` at ``iou``. held_out: a share of
    the *inputs* (all explanations of an input stay together; at least one), or the indices of explanations. Of equally good
    thresholds the lowest is taken.

    >>> import numpy as np, salwidgets as sw
    >>> truth = np.eye(8, dtype=bool)
    >>> es = [sw.from_array(truth, np.full((8, 8), k, np.uint8)) for k in range(5)]
    >>> chosen = sw.metrics.choose_threshold(es, truth)
    >>> chosen.threshold, len(chosen.held_out), len(chosen.rest)
    (0.0, 1, 4)
    """
    from .boxes import iou_by_threshold, is_boxes

    es, _ = explanation_list(explanations)
    each = one_each(truths, len(es), "truths")
    picked = _held_out(es, held_out, seed)
    grid = thresholds()
    curves = []
    for i in picked:
        m = image_map(i, es[i])
        if is_boxes(each[i]):
            curves.append(iou_by_threshold(i, es[i], each[i], grid)[1] >= iou)
        else:
            curves.append(_iou_curve(m, as_mask(i, es[i], each[i]), grid))
    mean = np.mean(curves, axis=0)
    best = int(mean.argmax())
    rest = tuple(i for i in range(len(es)) if i not in set(picked))
    return ChosenThreshold(float(grid[best]), float(mean[best]), tuple(picked), rest)


def _held_out(es: Sequence[Explanation], held_out: float | Sequence[int], seed: int) -> list[int]:
    """Indices of the explanations of the held-out inputs."""
    if not isinstance(held_out, (int, float)):
        picked = sorted({int(i) for i in held_out})
        if not picked or picked[0] < 0 or picked[-1] >= len(es) or len(picked) == len(es):
            raise InputError(f"held_out={list(held_out)} is no part of {len(es)} explanations; some must remain "
                             "to be scored.")
        return picked
    inputs = [e.input_sha256 for e in es]
    distinct = list(dict.fromkeys(inputs))
    count = max(1, round(held_out * len(distinct)))
    if not 0 < held_out < 1 or count >= len(distinct):
        raise InputError(f"held_out={held_out!r} of {len(distinct)} inputs leaves nothing to score; give a share in "
                         "(0, 1) and at least two inputs, or the indices of the explanations to choose on.")
    drawn = {distinct[k] for k in np.random.default_rng(seed).choice(len(distinct), count, replace=False)}
    return [i for i, key in enumerate(inputs) if key in drawn]
