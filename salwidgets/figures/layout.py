"""Maps in rows at the true width of a column, with one colour bar for all or one under each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ..errors import InputError
from ..scale import Scale
from .drawing import QUIET, bar_note, draw_bar, draw_map, plain, scale_note, title_over
from .named import Regions, draw_regions
from .printed import PrintFigure
from .sizes import width_of
from .words import wrapped

OWN_SCALES = "Each map has a scale of its own: colours must not be compared between maps."
STYLES = ("overlay", "contour", "side-by-side")
_NARROWEST = 0.95  # inches of a map before a row is broken
_LARGEST = 3.4


@dataclass(frozen=True)
class Cell:
    """What stands at one place: a picture, with a map over it (``map`` counts the maps) or without."""

    image: NDArray[np.uint8]
    title: str
    map: int | None = None


@dataclass(frozen=True)
class _Sizes:
    """Inches and points of a layout."""

    width: float
    side: float
    gap: float
    margin: float
    title: float
    small: float


def maps_figure(maps: Sequence[NDArray[np.float32]], images: Any, titles: Sequence[str], scale: Scale | list[Scale], *,
                box: Sequence[float] | None = None, caption: str = "", picture: bool = False,
                width: str | float | None = None, style: str = "overlay", letters: bool = False, written: bool = True,
                heading: str = "", alt: str | Callable[[], str] = "", across: int | None = None,
                regions: Regions | None = None) -> PrintFigure:
    """Maps `[h, w]` side by side over ``images`` (one uint8 `[H, W, 3]`, or one per map), one colour bar for all.

    scale: one for all maps, or a list with one for each, which then stands under its map. picture: each image comes first
    without a map, once. width: of a column, by name or in inches (`width_of`); by default 2.5 inches a map. style: one of
    `STYLES`. letters: a, b, c ... before the titles. written: the caption is written under the maps; it is always in the
    figure's ``caption`` and in the file. heading, alt: as in `PrintFigure`. across: maps in a row, at most.
    box, regions: a brushed and named boxes on every map, (row0, column0, row1, column1) in pixels of the image; each name
    stands once, on the image without a map if that is shown, else on the first map.
    Raises `InputError`.
    """
    if style not in STYLES:
        raise InputError(f"style={style!r}: choose one of {', '.join(STYLES)}.")
    pictures = [images] * len(maps) if isinstance(images, np.ndarray) else list(images)
    rows = _rows(pictures, titles, picture)
    each = isinstance(scale, list)
    scales = scale if isinstance(scale, list) else [scale] * len(maps)
    sizes, rows = _fit(rows, width, across)
    note = OWN_SCALES if isinstance(scale, list) else bar_note(scale, maps)
    words = [w for line in [note, *(caption.splitlines() if written else [])]
             for w in wrapped(line, sizes.width - 2 * sizes.margin, sizes.small)]
    fig = PrintFigure(figsize=(sizes.width, 1), facecolor="white", heading=heading or titles[0], alt=alt, scales=scales,
                      caption=_whole(heading, titles, caption, scale, note), in_lines=style == "contour")
    foot = 0.06 + 0.0186 * sizes.small * len(words) + (0.05 if each else 0.45)
    bottom, spans = _place(fig, rows, sizes, each, foot, letters,
                           lambda ax, i, image: draw_map(ax, maps[i], image, scales[i], box, style), regions or {})
    inches = fig.get_figheight()
    if not each:
        bar_width = min(sizes.width - 2 * sizes.margin - 0.1, 4.6)
        spans = [((sizes.width - bar_width) / 2, bottom - 0.2, bar_width)]
    for (left, at, span), one in zip(spans, scales, strict=False):
        ax = fig.add_axes((left / sizes.width, at / inches, span / sizes.width, 0.1 / inches))
        draw_bar(ax, one, [], style=style, size=sizes.small)
    fig.text(sizes.margin / sizes.width, (bottom - (0.05 if each else 0.45)) / inches, "\n".join(words),
             fontsize=sizes.small, color=QUIET, va="top", linespacing=1.3)
    return fig.settle()


def _rows(pictures: Sequence[NDArray[np.uint8]], titles: Sequence[str], picture: bool) -> list[list[Cell]]:
    """A row for each different picture that has several maps, else all in one row."""
    groups: list[list[int]] = []
    for i, image in enumerate(pictures):
        same = next((g for g in groups if pictures[g[0]] is image or np.array_equal(pictures[g[0]], image)), None)
        if same is None:
            groups.append([i])
        else:
            same.append(i)
    if len({len(g) for g in groups}) > 1 or (len(groups) > 1 and len(groups[0]) == 1 and not picture):
        groups = [list(range(len(pictures)))]
    first = [[Cell(pictures[g[0]], "Image")] if picture else [] for g in groups]
    return [f + [Cell(pictures[i], titles[i], i) for i in g] for f, g in zip(first, groups, strict=True)]


def _fit(rows: list[list[Cell]], width: str | float | None, across: int | None) -> tuple[_Sizes, list[list[Cell]]]:
    """Sizes, and rows broken where the maps would be too small."""
    longest = max(len(r) for r in rows)
    if width is None:
        side, gap, margin = (_LARGEST if longest == 1 else 2.5), 0.12, 0.15
        per = min(longest, across or (longest if longest <= 5 else -(-longest // -(-longest // 5))))
        sizes = _Sizes(side * per + gap * (per - 1) + 2 * margin, side, gap, margin, 9, 7.5)
    else:
        inches, gap, margin = width_of(width), 0.06, 0.02
        fits = max(1, int((inches - 2 * margin + gap) / (_NARROWEST + gap)))
        lines = -(-longest // min(fits, across or fits))
        per = -(-longest // lines)
        side = min((inches - 2 * margin - gap * (per - 1)) / per, _LARGEST)
        sizes = _Sizes(inches, side, gap, margin, 7.5 if side > 1.3 else 6.5, 6.5)
    return sizes, [row[i:i + per] for row in rows for i in range(0, len(row), per)]


def _place(fig: PrintFigure, rows: list[list[Cell]], sizes: _Sizes, each: bool, foot: float, letters: bool,
           draw: Callable[[Axes, int, NDArray[np.uint8]], None],
           regions: Regions) -> tuple[float, list[tuple[float, float, float]]]:
    """Draws the rows and gives the figure its height; returns where the rows end and the places of bars under maps."""
    line = 0.0195 * sizes.title
    heads = [_titles(row, sizes, letters, sum(map(len, rows[:i])), rows[i - 1] if i else None)
             for i, row in enumerate(rows)]
    tops = [max(len(h) for h in head) * line + (0.06 if any(head) else 0.0) for head in heads]
    tall = [max(sizes.side * c.image.shape[0] / c.image.shape[1] for c in row) for row in rows]
    below = 0.34 if each else 0.0
    total = sum(tops) + sum(tall) + (sizes.gap + below) * len(rows) + foot
    fig.set_figheight(total)
    wide = max(len(r) for r in rows) * (sizes.side + sizes.gap) - sizes.gap
    bars: dict[int, tuple[float, float, float]] = {}
    y = total
    made: list[tuple[Cell, Axes]] = []
    for row, head, top, height in zip(rows, heads, tops, tall, strict=True):
        y -= top + height
        for k, (cell, lines) in enumerate(zip(row, head, strict=True)):
            left = (sizes.width - wide) / 2 + k * (sizes.side + sizes.gap)
            h = sizes.side * cell.image.shape[0] / cell.image.shape[1]
            ax = fig.add_axes((left / sizes.width, (y + height - h) / total, sizes.side / sizes.width, h / total))
            if lines:
                title_over(ax, lines, sizes.title, pad=3)
            if cell.map is not None:
                bars[cell.map] = (left + 0.08, y - 0.14, sizes.side - 0.16)
            made.append((cell, ax))
        y -= sizes.gap + below
    for k, (cell, ax) in enumerate(made):
        if cell.map is None:
            ax.imshow(cell.image, interpolation="nearest")
            plain(ax)
        else:
            draw(ax, cell.map, cell.image)
        if regions:
            named = not any(np.array_equal(cell.image, before.image) for before, _ in made[:k])
            draw_regions(ax, regions, (cell.image.shape[0], cell.image.shape[1]), named)
    return y + sizes.gap, [bars[i] for i in sorted(bars)]


def _titles(row: list[Cell], sizes: _Sizes, letters: bool, count: int, above: list[Cell] | None) -> list[list[str]]:
    """Lines over each cell; titles that stand in the row above are not said again."""
    same = above is not None and [c.title for c in above] == [c.title for c in row]
    found = []
    for k, cell in enumerate(row):
        letter = f"{chr(ord('a') + (count + k) % 26)}  " if letters else ""
        found.append(wrapped(letter + ("" if same else cell.title), sizes.side, sizes.title))
    return found


def _whole(heading: str, titles: Sequence[str], caption: str, scale: Scale | list[Scale], note: str) -> str:
    """The caption for a paper: what was asked, where the maps come from, how they are shown."""
    asked = [heading] if heading else list(dict.fromkeys(t.replace("\n", ", ") for t in titles))
    # each scale's limits are the map's own; what they share is the rule
    shown = scale_note(scale) if isinstance(scale, Scale) else f"Colours {scale[0].cmap} (rule {scale[0].clip})."
    lines = [*asked, *caption.splitlines(), shown, note]
    return "\n".join(dict.fromkeys(line for line in lines if line.strip()))
