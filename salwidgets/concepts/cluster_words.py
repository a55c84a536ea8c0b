"""Where the evidence of a map lies, in words, and one sentence about a cluster."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..captions import percent
from ..verbalization.english import LABELS, PLACES
from .map_stack import resampling
from .rates import accuracy

_MOST = 0.5  # up to three ninths of the picture that hold this much of the evidence are named (ours)
_LITTLE = 0.05  # a side with less than this share of all evidence is hardly there (ours)


def place(part: np.ndarray) -> str:
    """The fewest ninths of the picture, at most three, that hold at least half of a map's mass, with their shares, as in
    "in the centre (41 %) and at the right (12 %)"; "spread over the picture" where more are needed; "" for an empty map.

    >>> place(np.eye(28)[::-1] * np.r_[np.ones(8), np.zeros(20)])
    'at the bottom left (100 %)'
    """
    mass = np.abs(part).astype(np.float64)
    total = mass.sum()
    if not total > 0:
        return ""
    h, w = mass.shape
    ninths = ((resampling(h, 3) * (h / 3)) @ mass @ (resampling(w, 3) * (w / 3)).T / total).ravel()
    order = np.argsort(-ninths, kind="stable")
    needed = int(np.searchsorted(np.cumsum(ninths[order]), _MOST - 1e-6)) + 1
    if needed > 3:
        return "spread over the picture"
    *most, last = (f"{_at(int(k))} ({percent(min(float(ninths[k]), 1.0))})" for k in order[:needed])
    return f"{', '.join(most)} and {last}" if most else last


def _at(ninth: int) -> str:
    where = PLACES[ninth]
    return LABELS["centre"] if where == "centre" else LABELS["at"].format(place=where)


def sentence(cluster: Any, n: int, k: int, correct: np.ndarray | None) -> str:
    """What a cluster is, how sure the model is in it, and how often it is right there."""
    images = f"{cluster.size} of {n} images, {percent(cluster.size / n)}" if n > 1 else "the only image"
    head = f"Cluster {cluster.index + 1} of {k} ({images}): "
    return head + _evidence(cluster.favourable, cluster.unfavourable) + figures(cluster, n, correct) + "."


def _evidence(favourable: np.ndarray, unfavourable: np.ndarray) -> str:
    speaks = evidence_places(favourable, unfavourable)
    if not any(speaks):
        return "the maps are empty"
    return ", ".join(f"what speaks {word} the answer is {where}" if where else f"next to nothing speaks {word} the answer"
                     for word, where in zip(("for", "against"), speaks, strict=True))


def evidence_places(favourable: np.ndarray, unfavourable: np.ndarray) -> tuple[str, str]:
    """Where what speaks for the answer lies, and what speaks against it; "" for a side with hardly any evidence."""
    masses = [float(np.abs(part).sum(dtype=np.float64)) for part in (favourable, unfavourable)]
    found = [place(part) if mass >= _LITTLE * sum(masses) else ""
             for part, mass in zip((favourable, unfavourable), masses, strict=True)]
    return found[0], found[1]


def figures(found: Any, n: int, correct: np.ndarray | None) -> str:
    """Mean probability and accuracy of a cluster or strategy, beside that of the other images; "" where unknown."""
    said = "" if math.isnan(found.probability) else f"; mean probability {percent(found.probability)}"
    if math.isnan(found.accuracy) or correct is None:
        return said
    said += f"{',' if said else ';'} {percent(found.accuracy)} named rightly"
    rest = np.delete(np.arange(n), found.members)
    if len(rest):
        said += f" against {percent(accuracy(correct, rest))} of the others"
    return said + (": less reliable than the others" if found.unreliable else "")
