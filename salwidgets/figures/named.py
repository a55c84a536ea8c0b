"""Named regions on a drawn map: thin outlines, and names that keep inside the picture and off each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from ..errors import InputError
from .words import ended, extent, settle, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: boxes by name: (row0, column0, row1, column1) in pixels of the picture
Regions = Mapping[str, Sequence[float]]
DARK, LIGHT = "#14171a", "white"
_WIDE = 1.3  # inches of a map from which on names are larger
_LARGE, _SMALL = 6.5, 5.5  # points; 5 is the least that journals print
_LINE, _PAD = 1.25 / 72, 1.5 / 72  # inches: of a line for each point, between a name and an edge


def draw_regions(ax: Axes, regions: Regions, size: tuple[int, int], names: bool = True) -> None:
    """Outline boxes over a picture of ``size`` (H, W) whose pixels have their centres at whole numbers, as `imshow` does.

    What lies outside the picture is left out. names: whether each is written, at its upper left; else outlines only.
    Raises `InputError` for what is no box.
    """
    boxes = {name: inside for name, box in regions.items() if (inside := _inside(name, box, size))}
    inches = ax.bbox.width / ax.figure.get_figure(root=True).dpi
    points, line = (_LARGE, 0.8) if inches >= _WIDE else (_SMALL, 0.6)
    for r0, c0, r1, c1 in boxes.values():
        halo = withStroke(linewidth=2.5 * line, foreground=LIGHT, alpha=0.9)
        ax.add_patch(Rectangle((c0 - 0.5, r0 - 0.5), c1 - c0, r1 - r0, fill=False, edgecolor=DARK, linewidth=line,
                               zorder=2.5, path_effects=[halo]))  # above the lines of a contour
    if not names or not boxes:
        return
    pixel = size[1] / inches
    for text, x, y in _places(boxes, size, pixel, points):
        made = ax.text(x - 0.5, y - 0.5, text, fontsize=points, color=DARK, va="center", ha="left",
                       path_effects=[withStroke(linewidth=1.6, foreground=LIGHT)])
        settle([made])


def regions_line(regions: Regions) -> str:
    """What is outlined, in words, where no name has room."""
    said = "; ".join(f"{name} (rows {b[0]:g}\u2013{b[2]:g}, columns {b[1]:g}\u2013{b[3]:g})" for name, b in regions.items())
    return f"Outlined: {said}." if said else ""


def _inside(name: Any, box: Any, size: tuple[int, int]) -> tuple[float, float, float, float] | None:
    """The part of a box that lies in the picture, or None."""
    try:
        r0, c0, r1, c1 = (float(v) for v in box)
    except (TypeError, ValueError):
        r0 = c0 = r1 = c1 = 0.0
    if not (r0 < r1 and c0 < c1):
        raise InputError(f"the region {str(name)!r} needs (row0, column0, row1, column1) with row0 < row1 and column0 < "
                         f"column1, in pixels of the picture; got {box!r}.")
    r0, c0, r1, c1 = max(r0, 0.0), max(c0, 0.0), min(r1, float(size[0])), min(c1, float(size[1]))
    return (r0, c0, r1, c1) if r0 < r1 and c0 < c1 else None


def _places(boxes: Mapping[str, Sequence[float]], size: tuple[int, int], pixel: float,
            points: float) -> Iterator[tuple[str, float, float]]:
    """Text, left end and middle line of each name, in pixels of the picture, of which an inch has ``pixel``.

    The upper left corner of the box; where another name stands there already, the nearest line that is free.
    """
    high, pad = _LINE * points * pixel, _PAD * pixel
    taken: list[tuple[float, float, float]] = []
    for name, (row, column, _, _) in boxes.items():
        text, room = " ".join(shown(str(name)).split()), (size[1] - 2 * pad) / pixel
        text = text if extent(text, points) <= room else ended(text, room, points)
        wide = extent(text, points) * pixel + 2 * pad
        left = max(0.0, min(column, size[1] - wide))
        first = max(0.0, min(row, size[0] - high))
        top = _top(first, left, left + wide, high, size[0], taken)
        taken.append((top, left, left + wide))
        yield text, left + pad, top + 0.55 * high


def _top(first: float, left: float, right: float, high: float, end: float,
         taken: Sequence[tuple[float, float, float]]) -> float:
    """The free line of a height that is nearest to ``first``, of equals the lower one; ``first`` if there is none."""
    def far(top: float) -> float:
        return abs(top - first) + (0.1 * high if top < first else 0.0)

    tops = sorted((other + way * high for other, _, _ in taken for way in (1, -1)), key=far)
    return next((t for t in (first, *tops) if -1e-9 <= t <= end - high + 1e-9 and all(
        abs(t - other) >= high - 1e-9 or left >= stop or right <= start for other, start, stop in taken)), first)
