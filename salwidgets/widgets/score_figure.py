"""The figure of a `Scorecard`: curves with the play head and the picture there; or one metric's means with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..figures import QUIET, PrintFigure, width_of
from ..figures.words import wrapped
from .score_state import PLAYS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .scorecard import Scorecard

_MARGIN, _LEFT, _LINE, _SMALL, _PLOT = 0.06, 0.5, 0.165, 7.5, 2.3  # inches; points; inches


def score_figure(view: Scorecard, width: str | float | None = None) -> PrintFigure:
    """What the view shows now; ``width`` of a column, by default 7 inches."""
    inches = 7.0 if width is None else width_of(width)
    picture = view.perturbed()
    beside = picture is not None and inches >= 5
    wide = (0.58 if beside else 1) * inches
    lines = _lines(view)
    words = [wrapped(text, wide - _LEFT - 0.3, _SMALL) for _, text, _ in lines]
    heading, caption = _words(view)
    titles = wrapped(heading, inches - 2 * _MARGIN, 10)
    head, legend = 0.2 * len(titles) + 0.1, _LINE * sum(map(len, words))
    side = 0.0 if picture is None else (inches - wide - 0.3 if beside else min(inches - 2 * _MARGIN, 2.6))
    tall = _PLOT + 0.5 + legend
    shown = 0.0 if picture is None else side * picture.shape[0] / picture.shape[1]
    below = [] if picture is None else wrapped(_point(view), side, _SMALL)
    foot = 0.14 + _LINE * len(below)
    total = head + (max(tall, shown + foot) if beside else tall + (shown + 0.1 + foot if picture is not None else 0))
    fig = PrintFigure(figsize=(inches, total), facecolor="white", heading=heading, caption=caption, alt=lambda: view.alt)
    fig.text(_MARGIN / inches, 1 - 0.05 / total, "\n".join(titles), fontsize=10, weight="bold", va="top")
    ax = fig.add_axes((_LEFT / inches, 1 - (head + _PLOT) / total, (wide - _LEFT - 0.1) / inches, _PLOT / total))
    _plot(ax, view, lines)
    y = head + _PLOT + 0.46
    for (colour, _, _), text in zip(lines, words, strict=True):
        fig.add_artist(_swatch(fig, colour, (_LEFT / inches, 1 - y / total), 0.16 / inches))
        fig.text((_LEFT + 0.24) / inches, 1 - (y - 0.05) / total, "\n".join(text), fontsize=_SMALL, va="top")
        y += _LINE * len(text)
    if picture is not None:
        x = (wide + 0.2) if beside else (inches - side) / 2
        top = head if beside else head + tall + 0.1
        where = fig.add_axes((x / inches, 1 - (top + shown) / total, side / inches, shown / total))
        where.imshow(picture)
        where.set_axis_off()
        fig.text((x + side / 2) / inches, 1 - (top + shown + 0.06) / total, "\n".join(below), fontsize=_SMALL, ha="center",
                 va="top", color=QUIET)
    return fig.settle()


def _lines(view: Scorecard) -> list[tuple[str, str, list[int]]]:
    """Colour, words and rows of every group that has a figure."""
    column = view.table.column(view.metric)
    names = [f"{g['method']}, {g['kind']}" for g in view.groups]
    several = len({g["kind"] for g in view.groups}) > 1
    out = []
    for k, g in enumerate(view.groups):
        fine = [i for i in g["rows"] if np.isfinite(column.values[i])]
        if not fine:
            continue
        text = names[k] if several else str(g["method"])
        figures = column.values[fine] if column.curves is None else column.curves[1][fine, view.at]
        out.append((f"C{k % 10}", f"{text[:60]}: {figures.mean():.3g}", fine))
    return out


def _plot(ax: Axes, view: Scorecard, lines: list[tuple[str, str, list[int]]]) -> None:
    column = view.table.column(view.metric)
    ax.tick_params(labelsize=7)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    if column.curves is None:
        cells = [c for c in next(c["cells"] for c in view.columns if c["label"] == view.metric) if c is not None]
        for k, ((colour, _, _), cell) in enumerate(zip(lines, cells, strict=True)):
            ax.plot([cell["mean"]], [k], "o", color=colour, markersize=4)
            if cell["low"] is not None:
                ax.plot([cell["low"], cell["high"]], [k, k], color=colour, linewidth=1.2)
        ax.set_yticks([])
        ax.invert_yaxis()
        ax.set_xlabel(f"{view.metric} {column.info.arrow}", fontsize=8)
        return
    x, y = column.curves
    for colour, _, rows in lines:
        mine = view.row in rows
        ax.plot(x, y[rows].mean(0), color=colour, linewidth=2 if mine else 1, zorder=3 if mine else 2)
    ax.axvline(x[view.at], color="0.3", linestyle=":", linewidth=1)
    ax.set_xlabel(f"share {PLAYS[column.info.plays]}" if column.info.plays else "x", fontsize=8)
    ax.set_ylabel(f"{view.metric} {column.info.arrow}", fontsize=8)


def _swatch(fig: PrintFigure, colour: str, at: tuple[float, float], wide: float) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([at[0], at[0] + wide], [at[1], at[1]], color=colour, linewidth=2, transform=fig.transFigure)


def _point(view: Scorecard) -> str:
    column = view.table.column(view.metric)
    assert column.curves is not None
    row = view.table.rows[view.row]
    return f"{row.method[:40]}, input {row.input + 1}: {100 * column.curves[0][view.at]:.0f} % {PLAYS[column.info.plays]}"


def _words(view: Scorecard) -> tuple[str, str]:
    """Heading and caption."""
    c = view.table.column(view.metric)
    fill = f", {c.params['fill']} fill" if "fill" in c.params else ""
    said = f"{view.metric}{fill}: {c.info.better} is better. It cannot tell: {c.info.cannot.rstrip('.')}. Mean over the "
    return f"{view.metric} {c.info.arrow}", f"{said}explanations of each method; {view.heading}. {c.info.source}."
