"""`Scorecard`: a table of metrics to sort, their curves with a play head, and whether the metrics agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets
from numpy.typing import NDArray

from ..captions import percent
from ..errors import InputError
from ..scale import Scale
from .base import View
from .compact import LITTLE, compact_maps, compact_pictures
from .link import Link
from .score_state import drawn, figures, perturbed, pictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..metrics.score_table import ScoreTable


class Scorecard(View):
    """Shows a `ScoreTable`: means with intervals, what each metric cannot tell, curves, agreement between metrics.

    table: what `salwidgets.metrics.scorecard` returned, or `salwidgets.metrics.load` read.
    explanations: those that were scored, in their order; by default those the table holds. Without (a loaded table) there
        are figures and curves, but no maps and no pictures at the play head.
    metric: whose curves are shown first; by default the first that has any.
    scale: a `Scale` for the map of the chosen explanation; by default each map has limits of its own, which a badge says.
    link: the `Link` of another view. Cursor, region, zoom and scale are shared; so is which picture is picked.

    The browser draws the picture at the play head from the map's ranking and the fill: black, mean, blur and noise (seed
    0); a fill that depends on what is left (road, a function) is not drawn. It is drawn on the picture at no more than 512
    pixels a side; the model saw it through its preprocessing.
    Traits ``row`` (the explanation that is chosen), ``metric``, ``at`` (the play head: a point of the curve), ``sort`` (a
    metric, or "" for the order of the table) and ``descending`` follow the browser, and may be set.
    Raises `InputError`.

    >>> world = sw.worlds.creatures(n=2)
    >>> es = sw.explain(world.model("cnn"), world.images, sw.why(), method=["grad-cam", "saliency"])
    >>> sw.Scorecard(sw.metrics.scorecard(world.model("cnn"), es, ["deletion", "sparseness"])).metric
    'deletion'
    """

    rows: Any = traitlets.List().tag(sync=True)
    groups: Any = traitlets.List().tag(sync=True)
    columns: Any = traitlets.List().tag(sync=True)
    agreement: Any = traitlets.List().tag(sync=True)
    notices: Any = traitlets.List().tag(sync=True)
    curves = traitlets.Dict().tag(sync=True, echo_update=False)
    maps = traitlets.Dict().tag(sync=True, echo_update=False)
    pictures = traitlets.Dict().tag(sync=True, echo_update=False)
    places: Any = traitlets.List().tag(sync=True)
    sheets: Any = traitlets.List().tag(sync=True)
    stills: Any = traitlets.Dict().tag(sync=True)
    stored = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    each = traitlets.Bool(True).tag(sync=True)
    row = traitlets.Int(0).tag(sync=True, echo_update=False)
    metric = traitlets.Unicode().tag(sync=True)
    at = traitlets.Int(0).tag(sync=True, echo_update=False)
    sort = traitlets.Unicode("").tag(sync=True)
    descending = traitlets.Bool(True).tag(sync=True)

    def __init__(self, table: ScoreTable, *, explanations: Any = None, metric: str | None = None, row: int = 0, at: int = 0,
                 scale: Scale | None = None, link: Link | None = None) -> None:
        if not (hasattr(table, "columns") and hasattr(table, "agreement") and hasattr(table, "groups")):
            raise InputError(f"Scorecard shows a ScoreTable (what sw.metrics.scorecard returns), not "
                             f"{type(table).__name__}.")
        if not table.rows or not table.columns:
            raise InputError("the table is empty: score at least one explanation by one metric.")
        self.table = table
        self.explanations = drawn(table, explanations)
        state, self._sheets = pictures(table, self.explanations)
        with_curves = [c.label for c in table.columns if c.curves is not None]
        image = self._sheets[0] if self._sheets else np.full((1, 1, 3), 128, np.uint8)
        maps = self.shown_maps()
        n = len({r.sha256 for r in table.rows})
        super().__init__(
            scale=Scale.fit(*maps) if scale is None else scale, link=link, image=image, _view="scorecard",
            each=scale is None, title=f"{len(table)} explanations of {n} image{'s'[:n != 1]} by {len(table.columns)} "
            f"metric{'s'[:len(table.columns) != 1]}", metric=metric or (with_curves or [table.metrics[0]])[0], row=row,
            **figures(table), **state)
        self.at = at

    # -- checks ----------------------------------------------------------------------------------------------

    @traitlets.validate("metric")
    def _check_metric(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in self.table.metrics:
            raise InputError(f"metric={proposal['value']!r} is not in the table; it has {', '.join(self.table.metrics)}.")
        return str(proposal["value"])

    @traitlets.validate("sort")
    def _check_sort(self, proposal: dict[str, Any]) -> str:
        return "" if proposal["value"] == "" else self._check_metric(proposal)

    @traitlets.validate("row")
    def _check_row(self, proposal: dict[str, Any]) -> int:
        row, n = int(proposal["value"]), len(self.table)
        if not -n <= row < n:
            raise InputError(f"row={row} is out of range: there are {n} explanations, 0 to {n - 1}.")
        return row % n

    @traitlets.validate("at")
    def _check_at(self, proposal: dict[str, Any]) -> int:
        curves = self.table.column(self.metric).curves
        most = 0 if curves is None else len(curves[0]) - 1
        return max(0, min(most, int(proposal["value"])))

    # -- reading ---------------------------------------------------------------------------------------------

    @property
    def heading(self) -> str:
        return str(self.title)

    def shown_maps(self) -> list[NDArray[np.float32]]:
        return [np.asarray(e.values, np.float32) for e in self.explanations] or [np.zeros((1, 1), np.float32)]

    def shown_map(self) -> NDArray[np.float32]:
        """The map of the explanation that is chosen."""
        return self.shown_maps()[self.row if self.explanations else 0]

    def order(self) -> list[int]:
        """The groups (method, kind of question, model) as they stand now, those without a figure last."""
        groups = range(len(self.groups))
        if not self.sort:
            return list(groups)
        cells = next(c["cells"] for c in self.columns if c["label"] == self.sort)
        means = {g: cells[g]["mean"] for g in groups if cells[g] is not None and cells[g]["mean"] is not None}
        sign = -1 if self.descending else 1
        return [*sorted(means, key=lambda g: sign * means[g]), *(g for g in groups if g not in means)]

    def still(self) -> NDArray[np.uint8] | None:
        """What stands where the chosen picture is hidden, uint8 `[H, W, 3]`; None for a fill that cannot be drawn."""
        column = self.table.column(self.metric)
        if not self.explanations or column.curves is None or column.info.plays == "":
            return None
        place = self.places[self.row]["picture"]
        still = self.stills.get(str(column.params.get("fill", "")), [None] * len(self._sheets))[place]
        if still is None:
            return None
        size = (*self._sheets[place].shape[:2], 3)
        return np.full(size, still["colour"], np.uint8) if "colour" in still else self._all_sheets()[still["sheet"]]

    def _all_sheets(self) -> list[NDArray[np.uint8]]:
        flat, out, start = np.frombuffer(self.pictures["view"], np.uint8), [], 0
        for h, w in self.sheets:
            out.append(flat[start:start + 3 * h * w].reshape(h, w, 3))
            start += 3 * h * w
        return out

    def perturbed(self) -> NDArray[np.uint8] | None:
        """The picture at the play head, uint8 `[H, W, 3]`; None where there is none."""
        still, curves = self.still(), self.table.column(self.metric).curves
        if still is None or curves is None:
            return None
        image = self._sheets[self.places[self.row]["picture"]]
        plays = self.table.column(self.metric).info.plays
        return perturbed(self.explanations[self.row], image, still, plays, float(curves[0][self.at]))

    def page_state(self) -> dict[str, Any]:
        """The state as an exported page keeps it: many maps as float16, with the error in words, pictures deflated."""
        state: dict[str, Any] = self.get_state()
        maps = self.shown_maps()
        if self.explanations and sum(m.nbytes for m in maps) > LITTLE:
            state["maps"], error = compact_maps(np.concatenate([m.ravel() for m in maps]), [m.size for m in maps])
            state["stored"] = (f"This page keeps the maps as float16: largest error {percent(error)} of a map's range; "
                               "cells closer than that may be hidden in another order than the model saw.")
        if len(self.pictures["view"]) > LITTLE // 4:
            state["pictures"], _ = compact_pictures(self._all_sheets(), exact=True)
        return state

    @property
    def alt(self) -> str:
        row, column = self.table.rows[self.row], self.table.column(self.metric)
        means = [f"{g['method']} {c['mean']:.3g}" for g, c in zip(self.groups, next(
            c["cells"] for c in self.columns if c["label"] == self.metric), strict=True) if c is not None]
        return (f"{self.heading}. {self.metric} ({column.info.better} is better), means: {', '.join(means)}. Chosen: "
                f"{row.method}, input {row.input + 1}, {row.question}")

    def figure(self, *, width: str | float | None = None) -> Figure:
        """The curves with the play head and the picture there; for a metric without curves, its means with intervals.

        width: of a column, by name or in inches (`salwidgets.figures.width_of`). `ScoreTable.plot` draws all metrics.
        """
        from .score_figure import score_figure

        return score_figure(self, width)
