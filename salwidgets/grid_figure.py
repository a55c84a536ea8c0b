"""A grid of maps as a matplotlib figure: rows, columns, one colour bar or the limits under each map."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .captions import signed
from .figures import OWN_SCALES, QUIET, PrintFigure, bar_note, draw_bar, draw_map, width_of
from .figures.drawing import scale_note, title_over
from .figures.named import Regions, draw_regions, regions_line
from .figures.words import fitting, headed, wrapped
from .scale import Scale

_WIDEST = 11.0  # inches, unless a width is asked for
_WRAP = 8  # maps in a line when there is only one row
_SMALLEST = 4.0  # points of the names over narrow maps
_NAMED = 0.9  # inches of a map from which on names of regions are written on the first, not below


def grid_figure(maps: Sequence[NDArray[np.float32]], images: Sequence[NDArray[np.uint8]], at: Sequence[tuple[int, int]],
                rows: Sequence[str], columns: Sequence[str], scale: Scale | list[Scale], *, lines: Sequence[str] = (),
                box: Sequence[float] | None = None, size: tuple[int, int] | None = None, width: str | float | None = None,
                heading: str = "", alt: str | Callable[[], str] = "", regions: Regions | None = None) -> PrintFigure:
    """Maps `[h, w]` over their images (uint8 `[H, W, 3]`), each at its (row, column), labelled.

    scale: one for all, or a list with one for each map, whose limits then stand below it. lines: what is written below.
    box, regions: a brushed and named regions, (row0, column0, row1, column1) in pixels of a picture of ``size``.
    width: of a column, by name or in inches (`salwidgets.figures.width_of`); by default 1.7 inches a map, 11 inches at
    most. heading, alt: as in `PrintFigure`.
    """
    places, down, across = _wrapped(at, len(rows), len(columns))
    inches = _WIDEST if width is None else width_of(width)
    left = (1.1 if inches > 4 else 0.7) if len(rows) > 1 else (0.15 if width is None else 0.04)
    gap, edge = (0.08, 0.15) if width is None else (0.05, 0.02)
    side = min(1.7, (inches - left - edge) / across - gap)
    total_width = max(left + across * (side + gap) + edge, 3.2) if width is None else inches
    ratio = images[0].shape[0] / images[0].shape[1]
    each, text = isinstance(scale, list), 7.5 if side > 1 else 6.0
    scales = scale if isinstance(scale, list) else [scale] * len(maps)
    lines = [*lines, *([regions_line(regions)] if regions and side < _NAMED else [])]
    head = fitting(columns, side, text, _SMALLEST)
    heads = [headed(c, side, head, 3) for c in columns]
    label = 0.0195 * head * max(map(len, heads)) + 0.07
    cell_h = side * ratio + gap + (0.16 if each else 0.0) + (label if len(rows) == 1 else 0.0)
    note = OWN_SCALES if each else bar_note(scales[0], maps)
    words = [w for line in (note, *lines) for w in wrapped(line, total_width - 2 * edge, 7)]
    foot = 0.08 + 0.13 * len(words) + (0.05 if each else 0.5)
    total = foot + down * cell_h + (label if len(rows) > 1 else 0.0) + 0.05
    shown = scale_note(scale) if isinstance(scale, Scale) else f"Colours {scales[0].cmap} (rule {scales[0].clip})."
    fig = PrintFigure(figsize=(total_width, total), facecolor="white", heading=heading, alt=alt, scales=scales,
                      caption="\n".join(dict.fromkeys([*([heading] if heading else []), *lines, shown, note])))
    top = total - 0.05 - label
    for i, (row, column) in enumerate(places):
        low = top - row * cell_h - side * ratio
        ax = fig.add_axes(((left + column * (side + gap)) / total_width, low / total, side / total_width,
                           side * ratio / total))
        brushed = None if box is None else _scaled(box, images[i], size)
        named = {name: _scaled(one, images[i], size) for name, one in (regions or {}).items()}
        draw_map(ax, maps[i], images[i], scales[i], brushed)
        draw_regions(ax, named, (images[i].shape[0], images[i].shape[1]), i == 0 and side >= _NAMED)
        if len(rows) == 1:
            title_over(ax, heads[at[i][1]], head, pad=3)
        if each:
            ax.set_xlabel(f"{signed(scales[i].vmin)} to {signed(scales[i].vmax)}", fontsize=6, color=QUIET, labelpad=1)
    for column, words_over in enumerate(heads if len(rows) > 1 else ()):  # also over a column whose first cell is empty
        fig.text((left + column * (side + gap) + side / 2) / total_width, (top + 3 / 72) / total, "\n".join(words_over),
                 fontsize=head, ha="center", va="bottom", linespacing=1.2)
    for row, name in enumerate(rows if len(rows) > 1 else ()):
        middle = top - row * cell_h - side * ratio / 2
        most = max(1, int(side * ratio / (0.0195 * text)))
        fig.text((left - 0.06) / total_width, middle / total, "\n".join(headed(name, left - 0.1, text, most)),
                 fontsize=text, ha="right", va="center")
    if not each:
        bar = min(total_width - 0.2, 4.6)
        draw_bar(fig.add_axes(((total_width - bar) / 2 / total_width, (foot - 0.2) / total, bar / total_width, 0.1 / total)),
                 scales[0], [], size=7)
    fig.text(max(edge, 0.02) / total_width, (foot - (0.1 if each else 0.5)) / total, "\n".join(words), fontsize=7,
             color=QUIET, va="top", linespacing=1.3)
    return fig.settle()


def _scaled(box: Sequence[float], image: NDArray[np.uint8], size: tuple[int, int] | None) -> list[float]:
    """A region in the pixels of an image that may be of another size."""
    y, x = (n / m for n, m in zip(image.shape[:2], size or image.shape[:2], strict=True))
    return [box[0] * y, box[1] * x, box[2] * y, box[3] * x]


def _wrapped(at: Sequence[tuple[int, int]], rows: int, columns: int) -> tuple[list[tuple[int, int]], int, int]:
    """Places, lines and maps in a line; a single row is broken into lines."""
    if rows > 1 or columns <= _WRAP:
        return list(at), rows, columns
    return [(c // _WRAP, c % _WRAP) for _, c in at], -(-columns // _WRAP), _WRAP
