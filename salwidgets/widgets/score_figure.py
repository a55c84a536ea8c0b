"""The figure of a `Scorecard`: every method's mean curve, the play head, and the picture there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .score_state import PLAYS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .scorecard import Scorecard


def curves_figure(view: Scorecard) -> Figure:
    """Mean curves of the groups, the chosen one with its interval; beside them the picture at the play head."""
    import numpy as np
    from matplotlib.figure import Figure

    table, picture = view.table, view.perturbed()
    column, curves = table.column(view.metric), table.curves[view.metric]
    figure = Figure(figsize=(7.2 if picture is not None else 4.6, 3.4), layout="constrained")
    axes = figure.subplots(1, 1 if picture is None else 2, squeeze=False, width_ratios=[1] if picture is None else [3, 2])[0]
    kinds = {k for _, k, _ in table.groups()}
    for group, rows in table.groups().items():
        mine = view.row in rows
        y = curves.y[rows]
        fine = np.isfinite(y).all(1)
        if not fine.any():
            continue
        name = group[0] if len(kinds) == 1 else f"{group[0]}, {group[1]}"
        axes[0].plot(curves.x, y[fine].mean(0), label=name, linewidth=2.2 if mine else 1, zorder=3 if mine else 2)
    axes[0].axvline(curves.x[view.at], color="0.3", linestyle=":", linewidth=1)
    axes[0].set_title(f"{view.metric} {column.info.arrow}", fontsize=9)
    axes[0].set_xlabel(f"share {PLAYS[column.info.plays].split(',')[0]}" if column.info.plays else "x", fontsize=8)
    axes[0].tick_params(labelsize=8)
    axes[0].legend(fontsize=7)
    if picture is not None:
        row = table.rows[view.row]
        axes[1].imshow(picture)
        axes[1].set_axis_off()
        axes[1].set_title(f"{row.method}, input {row.input + 1}: {100 * curves.x[view.at]:.0f} % "
                          f"{PLAYS[column.info.plays].split(',')[0]}", fontsize=9, parse_math=False)
    return figure
