"""Complexity: how much there is to read in a map. Simple is easy to read, not right.

Maps of images are taken at the image's size, so that a coarse method is not called simple for its few cells; other maps as
they are. Only magnitudes count. A map that is 0 everywhere is read as a constant one, the least simple there is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import MethodError
from ..explanation import Explanation
from .maps import image_map
from .registry import metric

_SIMPLE = "Whether the map is right: one pixel in a corner is as simple as can be."


@metric(family="complexity", better="higher", range="0..1", cannot=_SIMPLE,
        source="Chalasani et al. 2020, Concise explanations; Gini after Hurley & Rickard 2009 (ref: quantus)")
def sparseness(explanations: Sequence[Explanation]) -> np.ndarray:
    """Gini index of the magnitudes: 0 if all are equal, 1 - 1/n if one of n holds everything.

    >>> import numpy as np, salwidgets as sw
    >>> sw.metrics.sparseness(sw.from_array(np.ones((4, 4)), np.zeros((4, 4), np.uint8)))
    0.0
    """
    out = []
    for i, e in enumerate(explanations):
        p = np.sort(_shares(i, e))
        out.append(max(0.0, np.sum((2 * np.arange(1, len(p) + 1) - len(p) - 1) * p) / len(p)))
    return np.array(out)


@metric(family="complexity", better="lower", range="0..log(pixels), in nats", cannot=_SIMPLE,
        source="Bhatt et al. 2020, Evaluating and aggregating feature-based explanations, eq. 4 (ref: quantus)")
def entropy(explanations: Sequence[Explanation]) -> np.ndarray:
    """Entropy of the magnitudes as shares of their sum, in nats: 0 for one pixel, log n for n equal ones."""
    out = []
    for i, e in enumerate(explanations):
        p = _shares(i, e)
        p = p[p > 0]
        out.append(max(0.0, -np.sum(p * np.log(p))))
    return np.array(out)


@metric(family="complexity", better="lower", range="0..1 of the image", cannot=_SIMPLE, source="ours")
def effective_area(explanations: Sequence[Explanation], *, mass: float = 0.9) -> np.ndarray:
    """The smallest share of the image that holds ``mass`` of the sum of magnitudes (ours).

    Pixels are taken from the largest down, the last one in part: a constant map scores ``mass`` itself.
    """
    if not 0 < mass <= 1:
        raise MethodError(f"mass={mass!r} is no share of the map; give one in (0, 1].")
    out = []
    for i, e in enumerate(explanations):
        p = np.sort(_shares(i, e))[::-1]
        held = np.concatenate([[0.0], np.cumsum(p)])
        k = min(int(np.searchsorted(held, mass * held[-1], "left")), len(p))  # so many pixels hold at least that much
        out.append((k - (held[k] - mass * held[-1]) / p[k - 1]) / len(p))
    return np.array(out)


def _shares(i: int, e: Explanation) -> np.ndarray:
    """The map's magnitudes as shares of their sum, float64 `[n]`; equal if all are 0."""
    a = np.abs(image_map(i, e) if e.values.ndim == 2 else e.values.astype(np.float64)).ravel()
    top = a.max()
    if top == 0:
        return np.full(len(a), 1 / len(a))
    a = a / top  # so that the sum of tiny values does not vanish
    return a / a.sum()
