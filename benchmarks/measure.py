"""Timing by turns: A, B, A, B … so that a machine whose speed drifts slows both; the median ratio is quoted."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, the figure, its bound (None: no bound) and a remark."""

    what: str
    figure: float
    unit: str
    bound: float | None = None
    remark: str = ""

    @property
    def verdict(self) -> str:
        """"ok", "MISSED", or nothing where there is no bound."""
        return "" if self.bound is None else "ok" if self.figure <= self.bound else "MISSED"


def seconds(f: Callable[[], Any]) -> float:
    """One call's wall time."""
    start = time.perf_counter()
    f()
    return time.perf_counter() - start


def ratio(a: Callable[[], Any], b: Callable[[], Any], runs: int = 15) -> tuple[float, float, float]:
    """Median of time(a) / time(b) over ``runs`` turns after two warm-ups, and the median times of both."""
    for _ in range(2):
        a(), b()
    pairs = [(seconds(a), seconds(b)) for _ in range(runs)]
    return (statistics.median(x / y for x, y in pairs), statistics.median(x for x, _ in pairs),
            statistics.median(y for _, y in pairs))


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    cells = [["measured", "figure", "bound", "", "remark"]]
    for r in rows:
        figure = f"{r.figure:.3g} {r.unit}".strip()
        bound = "" if r.bound is None else f"<= {r.bound:g} {r.unit}".strip()
        cells.append([r.what, figure, bound, r.verdict, r.remark])
    width = [max(len(c[i]) for c in cells) for i in range(5)]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, width, strict=True)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in width) + "|")
    return "\n".join(lines)
