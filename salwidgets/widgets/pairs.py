"""Target against foil on a basis: sides, weights, maps, titles. js/src/{questions,basis}.ts do it in the browser."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .nodes import Node


def apart(target: Node, foil: Node) -> tuple[list[int], list[int]]:
    """Rows of both sides without the classes they share: the larger side gives them up, both if they overlap in part.

    Equal sides are returned as they are: there is no contrast to show.
    """
    shared = set(target.rows) & set(foil.rows)
    if len(shared) == len(set(target.rows)) == len(set(foil.rows)):
        return target.rows, foil.rows
    a = [r for r in target.rows if r not in shared] if len(shared) < len(target.rows) else target.rows
    b = [r for r in foil.rows if r not in shared] if len(shared) < len(foil.rows) else foil.rows
    return a, b


def weights(mix: float) -> tuple[float, float]:
    """Weights of A and B: only A at 0, their difference at 0.5, only minus B at 1."""
    return min(1.0, 2 * (1 - mix)), min(1.0, 2 * mix)


def mix_title(target: str, foil: str, mix: float) -> str:
    """The third panel's question in words."""
    if mix <= 0:
        return f"Why “{target}”?"
    if mix >= 1:
        return f"Why not “{foil}”?"
    contrast = f"Why “{target}” rather than “{foil}”"
    if mix == 0.5:
        return f"{contrast}?"
    a, b = weights(mix)
    name, part = (foil, b) if mix < 0.5 else (target, a)
    return f"{contrast}, with “{name}” counted at {math.floor(part * 100 + 0.5)}\u202f%?"


@dataclass(frozen=True)
class Pair:
    """Both sides of a contrast on one input: maps float32 `[h, w]`, scores in logits."""

    A: NDArray[np.float32]
    B: NDArray[np.float32]
    score_a: float
    score_b: float
    same: bool

    def mixture(self, mix: float) -> NDArray[np.float32]:
        """min(1, 2(1-s)) A - min(1, 2s) B; a side of weight zero is left out, so that its NaN do not spread."""
        a, b = weights(mix)
        left, right = a * self.A.astype(np.float64), b * self.B.astype(np.float64)
        return np.asarray(left if b == 0 else -right if a == 0 else left - right, np.float32)

    def score(self, mix: float) -> float:
        """Score of the mixture's question."""
        a, b = weights(mix)
        return a * self.score_a - b * self.score_b


def pair_of(maps: NDArray[np.float32], logits: NDArray[np.float32], target: Node, foil: Node) -> Pair:
    """The pair for two nodes; maps `[R, h, w]`, logits `[R]` of the rows. Groups are means over their members."""
    a, b = apart(target, foil)

    def mean(rows: list[int]) -> tuple[Any, float]:
        return maps[rows].astype(np.float64).mean(0).astype(np.float32), float(logits[rows].astype(np.float64).mean())

    (A, score_a), (B, score_b) = mean(a), mean(b)
    return Pair(A, B, score_a, score_b, set(a) == set(b))
