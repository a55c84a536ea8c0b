"""Sentences and their check: how long a template takes once the regions are known, and the words of a text."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

import salwidgets as sw
from benchmarks.measure import Row, seconds
from salwidgets.explanation import Explanation
from salwidgets.regions import Regions


def run() -> list[Row]:
    """Medians of 15 runs after two warm-ups, milliseconds."""
    return [*templates()]


def templates() -> list[Row]:
    """From a map and its regions to sentences: looking, ranking and writing; checking is a row of its own."""
    from salwidgets.verbalization import TemplateWriter
    from salwidgets.verbalization.salient import look

    e, named = picture(), picture(named=True)
    writer = TemplateWriter()
    words = text()
    rows = []
    for what, source, length, bound in (
            ("report, 224 x 224, 200 regions merged to areas", e, "report", 20.0),
            ("report, 224 x 224, 200 named regions", named, "report", 20.0),
            ("line, 224 x 224, 200 regions merged to areas", e, "line", 20.0),
            ("report, text of 200 words", words, "report", None)):
        took = _median(lambda s=source, n=length: writer.write(look(s), length=n))
        rows.append(Row(f"template: {what}", took, "ms", bound))
    return rows


def picture(named: bool = False, side: int = 224, regions: int = 200) -> Explanation:
    """A smooth signed map of 224 x 224 over 200 regions (nearest of random centres)."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(0, side, (regions, 2))
    at = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1)
    labels = ((at[:, :, None] - centres) ** 2).sum(-1).argmin(-1)
    scores = rng.normal(size=regions).astype(np.float32)
    values = scores[labels] + rng.normal(size=labels.shape) * 0.1
    names = tuple(f"part {i}" for i in range(regions)) if named else ()
    return sw.from_array(values, np.zeros((side, side, 3), np.uint8), "why husky rather than wolf", method="kernel-shap",
                         score=1.0, regions=Regions(labels, scores, names))


def text(n: int = 200) -> Explanation:
    """A map over 200 words."""
    rng = np.random.default_rng(0)
    return Explanation(rng.normal(size=n) ** 3, np.zeros((n, 8)), sw.why("positive"), "integrated-gradients", image=None,
                       params={"tokens": [f"word{i}" for i in range(n)]})


def _median(f: Callable[[], Any], runs: int = 15) -> float:
    for _ in range(2):
        f()
    return 1000 * statistics.median(seconds(f) for _ in range(runs))


if __name__ == "__main__":
    from benchmarks.measure import table

    print(table(run()))
