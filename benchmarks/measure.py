"""Timing by turns: A, B, B, A … so that a machine whose speed drifts slows both; the median ratio is quoted.

With one thread (which `python -m benchmarks` sets by itself) and no GPU the clock is the process's own: what others do on
the machine at the time counts less. Otherwise it is the wall's.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


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


def own_clock() -> bool:
    """Whether `seconds` reads the process's own time."""
    return torch.get_num_threads() == 1 and not torch.cuda.is_initialized()


def seconds(f: Callable[[], Any]) -> float:
    """One call's time; on a GPU, until it has done its work."""
    clock = time.process_time if own_clock() else time.perf_counter
    start = clock()
    f()
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return clock() - start


def ratio(a: Callable[[], Any], b: Callable[[], Any], runs: int = 15, warm: int = 2) -> tuple[float, float, float]:
    """Median of time(a) / time(b) over ``runs`` turns after ``warm`` others, and the median times of both."""
    for _ in range(warm):
        a(), b()
    pairs = [(seconds(a), seconds(b)) if i % 2 else (seconds(b), seconds(a))[::-1] for i in range(runs)]
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
