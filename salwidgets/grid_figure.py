"""A grid of maps as a matplotlib figure: rows, columns, one colour bar or the limits under each map."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .captions import signed
from .figures import OWN_SCALES, QUIET, PrintFigure, bar_note, draw_bar, draw_map
from .scale import Scale

_WIDEST = 11.0  # inches
_WRAP = 8  # maps in a line when there is only one row


def grid_figure(maps: Sequence[NDArray[np.float32]], images: Sequence[NDArray[np.uint8]], at: Sequence[tuple[int, int]],
                rows: Sequence[str], columns: Sequence[str], scale: Scale | list[Scale], *, lines: Sequence[str] = (),
                box: Sequence[float] | None = None, size: tuple[int, int] | None = None) -> Figure:
    """Maps `[h, w]` over their images (uint8 `[H, W, 3]`), each at its (row, column), labelled.

    scale: one for all, or a list with one for each map, whose limits then stand below it. lines: what is written below.
    box: a region (row0, column0, row1, column1) in pixels of a picture of ``size``.
    """
    places, down, across = _wrapped(at, len(rows), len(columns))
    side = min(1.7, (_WIDEST - 1.2) / across)
    ratio = images[0].shape[0] / images[0].shape[1]
    each = isinstance(scale, list)
    scales = scale if isinstance(scale, list) else [scale] * len(maps)
    left, gap, label = (1.1 if len(rows) > 1 else 0.15), 0.08, 0.36
    cell_w, cell_h = side + gap, side * ratio + gap + (0.16 if each else 0.0) + (label if len(rows) == 1 else 0.0)
    note = OWN_SCALES if each else bar_note(scales[0], maps)
    width = max(left + across * cell_w + 0.15, 3.2)
    words = [w for line in (note, *lines) for w in textwrap.wrap(line, int(width * 17))]
    foot = 0.3 + 0.165 * len(words) + (0.0 if each else 0.35)
    total = foot + down * cell_h + (label if len(rows) > 1 else 0.0) + 0.05
    fig = PrintFigure(figsize=(width, total), facecolor="white")
    for i, (row, column) in enumerate(places):
        top = total - 0.05 - label - row * cell_h
        ax = fig.add_axes(((left + column * cell_w) / width, (top - side * ratio) / total, side / width,
                           side * ratio / total))
        shown = None
        if box is not None:
            y, x = (n / m for n, m in zip(images[i].shape[:2], size or images[i].shape[:2], strict=True))
            shown = [box[0] * y, box[1] * x, box[2] * y, box[3] * x]
        draw_map(ax, maps[i], images[i], scales[i], shown)
        if row == 0 or len(rows) == 1:
            ax.set_title("\n".join(textwrap.wrap(columns[at[i][1]], int(side * 13))[:2]), fontsize=7.5, pad=3)
        if each:
            ax.set_xlabel(f"{signed(scales[i].vmin)} to {signed(scales[i].vmax)}", fontsize=6, color=QUIET, labelpad=1)
    for row, text in enumerate(rows if len(rows) > 1 else ()):
        middle = total - 0.05 - label - row * cell_h - side * ratio / 2
        fig.text((left - 0.08) / width, middle / total, "\n".join(textwrap.wrap(text, 16)[:5]), fontsize=7.5, ha="right",
                 va="center")
    if not each:
        bar_width = min(width - 0.5, 4.6)
        bar = fig.add_axes(((width - bar_width) / 2 / width, (foot - 0.2) / total, bar_width / width, 0.1 / total))
        draw_bar(bar, scales[0], [])
    fig.text(0.15 / width, (foot - (0.1 if each else 0.45)) / total, "\n".join(words), fontsize=7, color=QUIET, va="top",
             linespacing=1.35)
    return fig


def _wrapped(at: Sequence[tuple[int, int]], rows: int, columns: int) -> tuple[list[tuple[int, int]], int, int]:
    """Places, lines and maps in a line; a single row is broken into lines."""
    if rows > 1 or columns <= _WRAP:
        return list(at), rows, columns
    return [(c // _WRAP, c % _WRAP) for _, c in at], -(-columns // _WRAP), _WRAP
