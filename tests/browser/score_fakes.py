"""A made-up score table over made-up maps: two methods, two pictures that are not square, curves, no model."""

from __future__ import annotations

import fakes
import numpy as np

import salwidgets as sw
from salwidgets.explanation import Explanation
from salwidgets.metrics.registry import get
from salwidgets.metrics.score_table import Column, Row, ScoreTable

X = np.arange(11) / 10


def explanations(name: str = "rise") -> list[Explanation]:
    """Method by picture: 6 x 10 cells over 60 x 100 pixels, and a map of every pixel."""
    rng = np.random.default_rng(0)
    out = []
    for k in range(2):
        picture = fakes.picture().copy()
        picture[40:50, 20 + 30 * k:60] = (10, 200, 30)
        for method, shape in ((name, (6, 10)), ("saliency", (60, 100))):
            out.append(sw.from_array(rng.normal(size=shape).astype(np.float32), picture, sw.why(name), method=method))
    return out


def table(name: str = "rise", fill: str = "black") -> ScoreTable:
    """Four rows, columns with and without curves; one figure that is not there."""
    es = explanations(name)
    rows = [Row(i // 2, f"sha{i // 2}", str(e.question), "pointwise", "class", e.method, name, ("constant map",) * (i == 3))
            for i, e in enumerate(es)]
    fall = np.stack([np.exp(-k * X) for k in (2.0, 5.0, 3.0, 6.0)])
    columns = [Column("deletion", get("deletion").info, {"fill": fill}, fall.mean(1), (X, fall)),
               Column("insertion", get("insertion").info, {"fill": fill}, 1 - fall.mean(1), (X, fall[:, ::-1].copy())),
               Column("lerf", get("lerf").info, {"fill": fill}, fall.mean(1), (X, fall)),
               Column(f"sparseness {name}", get("sparseness").info, {}, np.array([0.1, 0.5, np.nan, 0.7]), None, (name,))]
    return ScoreTable(rows, columns, 44, 1.0, tuple(es))
