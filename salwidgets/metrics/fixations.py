"""Human agreement: does the map lie where people looked? Saliency models are scored the same way; no model is needed.

A truth is either fixation points, int `[n, 2]` (row, column), from 0, each counted (also twice on one pixel), or bool
`[H, W]` of fixated pixels; or a density, float `[H, W]`, not negative. Points are made a density by a Gaussian of ``sigma``
pixels (zero outside the image); the default, 3.5 % of the longer side, is the about one degree of vision of the MIT
benchmark, 35 pixels in 1000 (ours). A map is read as a density by its values, shifted to a minimum of 0 if it has negative
ones, over their sum; one without any mass is read as uniform.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import InputError, MethodError
from ..explanation import Explanation, resize
from .maps import _array, image_map, is_constant, name
from .registry import metric

CLICKME_CEILING = 0.65753  # Spearman between people on ClickMe maps (Fel et al. 2022)
_EPS = 2.2204e-16  # the MIT benchmark's
_BYLINSKII = "Bylinskii et al. 2019, What do different evaluation metrics tell us about saliency models? (ref)"
_WHERE = "Where people look is no proof of what the model uses: a right map of a model that looks elsewhere loses."


@metric(family="human", better="higher", needs=("fixations",), range="0..1", chance=0.5,
        cannot="How much mass lies off the fixations (only ranks count); a centre blob does well without seeing the image.",
        source="Judd et al. 2009; Bylinskii et al. 2019 (ref); exact ties instead of jitter: ours")
def auc_judd(explanations: Sequence[Explanation], fixations: Sequence[Any], *, variant: str = "exact") -> np.ndarray:
    """The chance that a fixation's value is above that of a pixel nobody fixated; equal values count half.

    variant: "exact", the area under the step-wise ROC curve; "reference", the released code's trapezoids between the
    fixations' thresholds, which lie up to 1 / 2n above it for n fixations.

    >>> import numpy as np, salwidgets as sw
    >>> e = sw.from_array(np.arange(16.).reshape(4, 4), np.zeros((4, 4), np.uint8))
    >>> sw.metrics.auc_judd(e, np.array([[3, 3], [3, 2]]))
    1.0
    """
    if variant not in ("exact", "reference"):
        raise MethodError(f"variant={variant!r} is unknown; choose 'exact' or 'reference'.")
    out = []
    for i, (e, given) in enumerate(zip(explanations, fixations, strict=True)):
        m, at = image_map(i, e), as_points(i, e, given)
        free = np.ones(m.shape, bool)
        free[at[:, 0], at[:, 1]] = False
        if not free.any():
            raise InputError(f"{name(i, e)}: every pixel is fixated, so there is nothing to tell fixations from.")
        here = m[at[:, 0], at[:, 1]]
        out.append(_auc(here, m[free]) if variant == "exact" else _auc_trapezoid(here, m[free]))
    return np.array(out)


@metric(family="human", better="higher", needs=("fixations",), range="0..1", chance=0.5,
        cannot="Anything about the centre: what all images share is taken out, even where people look there with reason.",
        source="Zhang et al. 2008, SUN; Bylinskii et al. 2019 (ref); all other fixations instead of random draws: ours")
def shuffled_auc(explanations: Sequence[Explanation], fixations: Sequence[Any], *, others: Any = None) -> np.ndarray:
    """As `auc_judd`, against the places fixated in *other* images, so that a liking for the centre earns nothing.

    others: points `[m, 2]` of other images, as (row, column) of this one; None takes the fixations of the other inputs
    among the explanations (scaled to this image's size), for which there must be two inputs. All of them are used, which
    is what the benchmark's random draws tend to.
    """
    points = [as_points(i, e, f) for i, (e, f) in enumerate(zip(explanations, fixations, strict=True))]
    keys = [e.input_sha256 for e in explanations]
    relative = {key: (p + 0.5) / np.array(e.size) for key, p, e in zip(keys, points, explanations, strict=True)}
    if others is None and len(relative) < 2:
        raise InputError("shuffled_auc needs the fixations of at least two images, or those of other "
                         "images: others=points [m, 2].")
    out = []
    for i, (e, at) in enumerate(zip(explanations, points, strict=True)):
        m = image_map(i, e)
        if others is not None:
            off = as_points(i, e, others)
        else:
            off = np.concatenate([p for key, p in relative.items() if key != keys[i]])
            off = np.floor(off * np.array(e.size)).astype(int)
        out.append(_auc(m[at[:, 0], at[:, 1]], m[off[:, 0], off[:, 1]]))
    return np.array(out)


def _auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """P(positive > negative) + P(equal) / 2, with one sort of the negatives."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left") + np.searchsorted(ordered, positive, "right")
    return float(below.mean() / (2 * len(ordered)))


def _auc_trapezoid(positive: np.ndarray, negative: np.ndarray) -> float:
    """Area by trapezoids through the ROC points at the positives' values only."""
    levels = np.sort(positive)[::-1]
    ordered = np.sort(negative)
    tp = np.concatenate([[0.0], 1 - np.searchsorted(levels[::-1], levels, "left") / len(levels), [1.0]])
    fp = np.concatenate([[0.0], 1 - np.searchsorted(ordered, levels, "left") / len(ordered), [1.0]])
    return float(np.trapezoid(tp, fp)) if hasattr(np, "trapezoid") else float(np.sum((tp[1:] + tp[:-1]) * np.diff(fp)) / 2)


@metric(family="human", better="higher", needs=("fixations",), range="any, in standard deviations", chance=0.0,
        cannot=_WHERE, source="Peters et al. 2005; Bylinskii et al. 2019 (ref)")
def nss(explanations: Sequence[Explanation], fixations: Sequence[Any]) -> np.ndarray:
    """Normalised scanpath saliency: the mean value at the fixations, in standard deviations above the map's mean.

    The deviation divides by the number of pixels. A constant map scores 0.
    """
    out = []
    for i, (e, given) in enumerate(zip(explanations, fixations, strict=True)):
        m, at = image_map(i, e), as_points(i, e, given)
        out.append(0.0 if is_constant(m) else (m[at[:, 0], at[:, 1]].mean() - m.mean()) / m.std())
    return np.array(out)


@metric(family="human", better="higher", needs=("fixations",), range="-1..1", chance=0.0, cannot=_WHERE, source=_BYLINSKII)
def cc(explanations: Sequence[Explanation], fixations: Sequence[Any], *, sigma: float | None = None) -> np.ndarray:
    """Pearson's correlation of the map with the density of fixations. A constant map scores 0."""
    return np.array([_pearson(m, density) for m, density in _with_density(explanations, fixations, sigma)])


@metric(family="human", better="higher", needs=("fixations",), range="0..1",
        cannot="Which way it is wrong: missed fixations weigh more than false ones. A blurred map is favoured.",
        source=_BYLINSKII)
def sim(explanations: Sequence[Explanation], fixations: Sequence[Any], *, sigma: float | None = None) -> np.ndarray:
    """What the map and the density of fixations have in common: the sum of the smaller of the two at every pixel."""
    return np.array([np.minimum(as_density(m), q).sum() for m, q in _with_density(explanations, fixations, sigma)])


@metric(family="human", better="lower", needs=("fixations",), range="0 and up, in nats",
        cannot="Much beyond missed fixations: a fixated place where the map is 0 outweighs everything else.",
        source=_BYLINSKII)
def kl(explanations: Sequence[Explanation], fixations: Sequence[Any], *, sigma: float | None = None) -> np.ndarray:
    """Kullback-Leibler divergence of the density of fixations Q from the map's P: sum Q log(eps + Q / (P + eps)), in nats.

    eps = 2.2204e-16, as in the benchmark.
    """
    return np.array([np.sum(q * np.log(_EPS + q / (as_density(m) + _EPS)))
                     for m, q in _with_density(explanations, fixations, sigma)])


@metric(family="human", better="higher", needs=("fixations",), range="any, in bits per fixation", chance=None,
        cannot="Anything about a map that is no density: attributions are read as one first, which nobody meant them to be.",
        source="Kümmerer et al. 2015, Information-theoretic model comparison; Bylinskii et al. 2019 (ref)")
def information_gain(explanations: Sequence[Explanation], fixations: Sequence[Any], *, baseline: Any = None) -> np.ndarray:
    """How many bits per fixation the map, read as a density, tells more than ``baseline`` does.

    Mean over fixations of log2(eps + P) - log2(eps + B). baseline: a map `[H', W']` (any resolution, not negative), usually
    where people look in other images; None: uniform.
    """
    prior = None
    if baseline is not None:
        prior = _array(baseline).astype(np.float64)
        if prior.ndim != 2 or not np.isfinite(prior).all() or (prior < 0).any() or prior.sum() == 0:
            raise InputError(f"the baseline has shape {prior.shape}, or holds NaN, negative values or only zeros; give a "
                             "density [H, W].")
    out = []
    for i, (e, given) in enumerate(zip(explanations, fixations, strict=True)):
        p, at = as_density(image_map(i, e)), as_points(i, e, given)
        b = as_density(np.ones(p.shape) if prior is None else resize(prior, *p.shape).astype(np.float64))
        rows, columns = at.T
        out.append(np.mean(np.log2(_EPS + p[rows, columns]) - np.log2(_EPS + b[rows, columns])))
    return np.array(out)


@metric(family="human", better="higher", needs=("fixations",), range="-1..1, over the ceiling", chance=0.0, cannot=_WHERE,
        source="Fel et al. 2022, Harmonizing the object recognition strategies (ref)")
def spearman(explanations: Sequence[Explanation], fixations: Sequence[Any], *, ceiling: float = 1.0,
             sigma: float | None = None) -> np.ndarray:
    """Spearman's rank correlation of the map with a human importance map, over a stated human ``ceiling``.

    ceiling: how well people agree among themselves; 0.65753 (`fixations.CLICKME_CEILING`) for ClickMe maps. 1 divides by
    nothing. fixations: human maps `[H, W]`, or points. A constant map scores 0.
    """
    from scipy.stats import rankdata

    if not 0 < ceiling <= 1:
        raise MethodError(f"ceiling={ceiling!r} is no correlation between people; it lies in (0, 1].")
    return np.array([_pearson(rankdata(m).reshape(m.shape), rankdata(q).reshape(q.shape)) / ceiling
                     for m, q in _with_density(explanations, fixations, sigma)])


# -- reading truths ----------------------------------------------------------------------------------------------


def as_points(i: int, e: Explanation, given: Any) -> np.ndarray:
    """``given`` as int64 `[n, 2]` (row, column), checked against the image; bool `[H, W]` gives its pixels."""
    a = _array(given)
    if a.dtype == bool and a.shape == e.size:
        a = np.argwhere(a)
    if a.shape == (2,):
        a = a[None]
    if a.ndim != 2 or a.shape[1] != 2 or a.dtype.kind not in "iuf":
        raise InputError(f"{name(i, e)}: fixations of shape {a.shape} and dtype {a.dtype} are no points; this metric needs "
                         "[n, 2] (row, column), or bool [H, W] of the fixated pixels.")
    if not len(a):
        raise InputError(f"{name(i, e)}: there are no fixations; leave this explanation out.")
    if not np.isfinite(a).all():
        raise InputError(f"{name(i, e)}: its fixations hold NaN; leave out the lost samples.")
    at = np.floor(a).astype(np.int64)
    if (at < 0).any() or (at >= np.array(e.size)).any():
        wrong = at[((at < 0) | (at >= np.array(e.size))).any(1)][0].tolist()
        raise InputError(f"{name(i, e)}: the fixation (row, column) = {tuple(wrong)} lies outside the image {e.size}; rows "
                         "and columns count from 0.")
    return at


def fixation_density(points: np.ndarray, size: tuple[int, int], sigma: float | None = None) -> np.ndarray:
    """Fixations `[n, 2]` (row, column) as a density `[H, W]` that sums to 1: a Gaussian of ``sigma`` pixels around each.

    sigma: None is 3.5 % of the longer side; 0 leaves points. Mass that falls outside the image is lost, then all is
    divided by the sum.
    """
    from scipy.ndimage import gaussian_filter

    sigma = 0.035 * max(size) if sigma is None else float(sigma)
    if not sigma >= 0:
        raise MethodError(f"sigma={sigma!r} is no width; give pixels, 0 or more.")
    counts = np.zeros(size)
    np.add.at(counts, (points[:, 0], points[:, 1]), 1.0)
    return as_density(gaussian_filter(counts, sigma, mode="constant") if sigma else counts)


def as_density(m: np.ndarray) -> np.ndarray:
    """A map as a density: shifted to a minimum of 0 if it has negative values, over its sum; uniform without mass."""
    m = m - min(m.min(), 0.0)
    total = m.sum()
    return m / total if total > 0 else np.full(m.shape, 1 / m.size)


def _with_density(explanations: Sequence[Explanation], fixations: Sequence[Any],
                  sigma: float | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each map `[H, W]` with the density of its fixations `[H, W]`."""
    for i, (e, given) in enumerate(zip(explanations, fixations, strict=True)):
        m, a = image_map(i, e), _array(given)
        if a.shape == e.size and a.dtype != bool:
            if a.dtype.kind not in "iuf" or not np.isfinite(a).all() or (a < 0).any() or not a.any():
                raise InputError(f"{name(i, e)}: its human map holds NaN, negative values or nothing but zeros.")
            yield m, as_density(a.astype(np.float64))
        elif a.ndim == 2 and a.shape[1] != 2:
            raise InputError(f"{name(i, e)}: a human map of shape {a.shape} does not fit the image {e.size}; give [H, W] "
                             "at its size, or points [n, 2] (row, column).")
        else:
            yield m, fixation_density(as_points(i, e, given), m.shape, sigma)


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation; 0 if either is constant."""
    if is_constant(a) or is_constant(b):
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    return float(np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b)))
