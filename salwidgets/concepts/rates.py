"""How often a group of images is named rightly, how sure that is, and whether it differs from the other images."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import InputError

_Z = 1.959963984540054  # 95 %


def interval(right: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927), ``right`` of ``n``; (0, 1) where ``n`` is 0.

    >>> low, high = interval(5, 10)
    >>> round(low, 3), round(high, 3)
    (0.237, 0.763)
    """
    if n == 0:
        return 0.0, 1.0
    share, z2 = right / n, _Z * _Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = _Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return (0.0 if right == 0 else middle - reach), (1.0 if right == n else middle + reach)


def accuracy(correct: np.ndarray | None, members: np.ndarray) -> float:
    """Share of ``members`` (indices) that are right; NaN where nothing is known or there is no member."""
    return float(np.mean(correct[members])) if correct is not None and len(members) else float("nan")


def unreliable(correct: np.ndarray | None, members: np.ndarray) -> bool:
    """Whether members are right less often than all other images: their 95 % intervals do not meet (ours)."""
    if correct is None or not len(members) or len(members) == len(correct):
        return False
    rest = np.delete(correct, members)
    return interval(int(correct[members].sum()), len(members))[1] < interval(int(rest.sum()), len(rest))[0]


def first(text: str) -> str:
    """A text that begins a sentence: its first letter large, the others as they are."""
    return text[:1].upper() + text[1:]


def opening(name: str) -> str:
    """A concept or cluster at the beginning of a sentence; names that somebody gave stand in quotes.

    >>> opening("concept 3"), opening("butterfly wings")
    ('Concept 3', '“butterfly wings”')
    """
    return first(name) if re.fullmatch(r"(concept|cluster) \d+", name) else f"“{name}”"


def flags(values: Any, n: int, name: str = "correct") -> np.ndarray | None:
    """``values`` as bool ``[n]``, or None; `InputError` where they are something else."""
    if values is None:
        return None
    a = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    if a.shape != (n,):
        raise InputError(f"{name} has shape {list(a.shape)} for {n} images; give one true or false for each.")
    if a.dtype.kind not in "biuf" or not np.isin(a, (0, 1)).all():
        raise InputError(f"{name} holds values of dtype {a.dtype} other than true and false (or 1 and 0).")
    return a.astype(bool)


def names(labels: Iterable[Any] | None, n: int) -> list[Any] | None:
    """One label per image (a class name or index) as plain values; `InputError` for another number of them."""
    if labels is None:
        return None
    if isinstance(labels, str):
        raise InputError(f"labels is the text {labels!r}; give a list with one label per image.")
    found = [v.item() if hasattr(v, "item") else v for v in labels]
    if len(found) != n:
        raise InputError(f"{len(found)} labels for {n} images; give one for each, in the same order.")
    return found
