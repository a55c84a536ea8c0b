"""`ScoreTable`: what `scorecard` returns. One row per explanation, one column per metric, and how far to trust each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MethodError
from .bootstrap import image_mean, interval
from .curves import Curves, area
from .registry import MetricInfo

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from ..explanation import Explanation

IDENTITY = ("input", "question", "reference_frame", "granularity", "method", "model", "flags")


@dataclass(frozen=True)
class Row:
    """Which explanation a row is: its input (by place and by the SHA-256 of its picture), question, method and model."""

    input: int
    sha256: str
    question: str
    reference_frame: str
    granularity: str
    method: str
    model: str
    flags: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Reference frame and granularity: what kind of question."""
        return f"{self.reference_frame} {self.granularity}".strip() or "no question"


@dataclass(eq=False)
class Column:
    """One metric: its figures, float64 `[n]`, and curves (x `[S]`, y `[n, S]`) where it has any; NaN: it does not apply.

    notes: which explanations were left out, and why. passes: images scored for it that no earlier column had. elapsed: s.
    """

    label: str
    info: MetricInfo
    params: dict[str, Any]
    values: np.ndarray
    curves: tuple[np.ndarray, np.ndarray] | None = None
    notes: tuple[str, ...] = ()
    passes: int = 0
    elapsed: float = 0.0


@dataclass(eq=False)
class ScoreTable:
    """One table of figures. rows: `Row`. columns: `Column`. passes: images scored in all. elapsed: seconds.
    explanations: what was scored, in the order of the rows; empty for a table that was loaded.

    It shows as a table in a notebook; `to_pandas` has every figure, `summary` means with intervals, `agreement` whether the
    metrics tell the same story.
    """

    rows: list[Row]
    columns: list[Column]
    passes: int = 0
    elapsed: float = 0.0
    explanations: tuple[Explanation, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def metrics(self) -> list[str]:
        """The columns' names."""
        return [c.label for c in self.columns]

    @property
    def notes(self) -> list[str]:
        """What a reader must know beside the figures, in sentences."""
        said = [f"{c.label}: {note}" for c in self.columns for note in c.notes]
        flat = [i for i, r in enumerate(self.rows) if "constant map" in r.flags]
        if flat:
            which = ", ".join(map(str, flat[:6])) + (" …" if len(flat) > 6 else "")
            said.append(f"Constant maps rank nothing; their figures say nothing about them: explanation {which}.")
        n = len({r.sha256 for r in self.rows})
        if n == 1:
            said.append("One image: there is no interval, and nothing is said about other images.")
        elif n < 10:
            said.append(f"{n} images are few: the intervals are too narrow.")
        return said

    def column(self, metric: str) -> Column:
        """The column called ``metric``; `MethodError` if there is none."""
        for c in self.columns:
            if c.label == metric:
                return c
        raise MethodError(f"the table has no metric {metric!r}; it has {', '.join(self.metrics)}.")

    def __getitem__(self, metric: str) -> np.ndarray:
        return self.column(metric).values

    @property
    def curves(self) -> dict[str, Curves]:
        """The curves of each metric that has any."""
        flat = np.array(["constant map" in r.flags for r in self.rows])
        images = tuple(r.sha256 for r in self.rows)
        return {c.label: Curves(c.curves[0], c.curves[1], area(c.curves[1], c.curves[0]), flat, images)
                for c in self.columns if c.curves is not None}

    # -- as tables -------------------------------------------------------------------------------------------

    def to_pandas(self) -> DataFrame:
        """One row per explanation: input, question, reference_frame, granularity, method, model, flags, and the metrics."""
        import pandas as pd

        identity = {name: [getattr(r, name) for r in self.rows] for name in IDENTITY}
        identity["flags"] = ["; ".join(r.flags) for r in self.rows]
        return pd.DataFrame(identity | {c.label: c.values for c in self.columns})

    def summary(self, level: float = 0.95, seed: int = 0) -> DataFrame:
        """One row per method, kind of question, model and metric: mean, low, high, images, explanations.

        mean: over images (those of one image first). low, high: percentile bootstrap interval over images at ``level``; NaN
        for a single image, which has none. explanations: how many had a figure.
        """
        import pandas as pd

        out = []
        for (method, kind, model), rows in self.groups().items():
            images = [self.rows[i].sha256 for i in rows]
            for c in self.columns:
                values = c.values[rows]
                mean, n = image_mean(values, images)
                if n == 0:
                    continue
                around = interval(values, images, level, seed)
                low, high = (float("nan"), float("nan")) if around is None else (float(around[0]), float(around[1]))
                out.append({"method": method, "questions": kind, "model": model, "metric": c.label, "better": c.info.better,
                            "mean": mean, "low": low, "high": high, "images": n,
                            "explanations": int(np.isfinite(values).sum())})
        names = ["method", "questions", "model", "metric", "better", "mean", "low", "high", "images", "explanations"]
        return pd.DataFrame(out, columns=names)

    def groups(self) -> dict[tuple[str, str, str], list[int]]:
        """Rows by (method, kind of question, model), in order of appearance."""
        groups: dict[tuple[str, str, str], list[int]] = {}
        for i, r in enumerate(self.rows):
            groups.setdefault((r.method, r.kind, r.model), []).append(i)
        return groups

    def agreement(self, within: bool | None = None) -> DataFrame:
        """Spearman's rank correlation between metrics, each turned so that higher is better: +1 if they rank alike.

        within: rank the methods of each image and question among themselves, then correlate all these ranks, so that easy
        and hard images do not count as agreement; None: if any image and question has three explanations or more.
        NaN where two metrics share fewer than three figures, or one of them does not vary.
        """
        import pandas as pd

        cells = self._cells()
        if within is None:
            within = max(map(len, cells)) >= 3
        groups = [c for c in cells if len(c) >= 2] if within else [list(range(len(self)))]
        turned = [c.values * (1 if c.info.better == "higher" else -1) for c in self.columns]
        table = [[_alike(a, b, groups) for b in turned] for a in turned]
        return pd.DataFrame(table, self.metrics, self.metrics)

    def _cells(self) -> list[list[int]]:
        cells: dict[tuple[str, str, str], list[int]] = {}
        for i, r in enumerate(self.rows):
            cells.setdefault((r.sha256, r.question, r.model), []).append(i)
        return list(cells.values())

    # -- to look at ------------------------------------------------------------------------------------------

    def plot(self, metrics: list[str] | None = None) -> Figure:
        """Means with intervals, one panel per metric, as a matplotlib figure; never shows a window."""
        from .table_show import plot

        return plot(self, metrics)

    def to_latex(self, level: float = 0.95) -> str:
        """The summary as a LaTeX table (booktabs): means, intervals, arrows; the best mean of each kind in bold."""
        from .table_show import to_latex

        return to_latex(self, level)

    def _repr_html_(self) -> str:
        from .table_show import to_html

        return to_html(self)

    def __repr__(self) -> str:
        n = len({r.sha256 for r in self.rows})
        methods = len({r.method for r in self.rows})
        return (f"<ScoreTable {len(self)} explanations ({n} image{'s'[:n != 1]}, {methods} method{'s'[:methods != 1]}) by "
                f"{len(self.columns)} metrics: {', '.join(self.metrics)}; {self.passes} passes, {self.elapsed:.1f} s>")

    # -- to keep ---------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> Path:
        """Write scores.json, scores.csv and curves.npz into ``folder``; `salwidgets.metrics.load` reads them back."""
        from .table_store import save

        return save(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> ScoreTable:
        """Read back what `save` wrote; `InputError` if it is missing, damaged or none of ours."""
        from .table_store import load

        return load(folder)


def _alike(a: np.ndarray, b: np.ndarray, groups: list[list[int]]) -> float:
    """Correlation of ranks within groups, pooled; NaN where there is too little."""
    from scipy.stats import rankdata

    left: list[float] = []
    right: list[float] = []
    for rows in groups:
        fine = [i for i in rows if np.isfinite(a[i]) and np.isfinite(b[i])]
        if len(fine) >= 2:
            for ranks, values in ((left, a), (right, b)):
                r = rankdata(values[fine])
                ranks.extend((r - r.mean()).tolist())
    u, v = np.array(left), np.array(right)
    size = float(np.sqrt((u @ u) * (v @ v))) if len(u) >= 3 else 0.0
    return float(u @ v) / size if size > 0 else float("nan")
