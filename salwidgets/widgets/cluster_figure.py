"""`ClusterView` for print: the points with their legend, and the maps and exemplar of a picked group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..captions import percent
from ..figures import QUIET, PrintFigure, width_of
from ..figures.words import wrapped
from .cluster_points import NONE, Group, Points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: the colours and shapes of js/src/marks.ts
COLOURS = ((0, 114, 178), (230, 159, 0), (0, 158, 115), (213, 94, 0), (204, 121, 167), (86, 180, 233), (200, 180, 20))
NOBODY = (128, 128, 128)
_SHAPES = ("o", "s", "^", "D", "X", "v")
_LEGEND = 16  # groups that the legend names
_PLOT, _SIDE_BY_SIDE, _CARD = 4.3, 2.1, 2.3  # inches: the points at most, a legend beside them, a card beside that
_LINE, _SMALL, _SIDE, _MARGIN = 0.165, 7.5, 1.05, 0.06


def cluster_figure(found: Points, heading: str, pictures: Sequence[NDArray[np.uint8]], selected: Sequence[int], cluster: int,
                   hidden: Sequence[int], *, width: str | float | None, alt: Callable[[], str]) -> PrintFigure:
    """What a `ClusterView` shows now. width: of a column; by default 6.6 inches, 8.9 with a picked group."""
    group = found.groups[cluster] if cluster >= 0 else None
    inches = (6.6 if group is None else 8.9) if width is None else width_of(width)
    plot = min(_PLOT, inches - 2 * _MARGIN)
    beside = inches >= plot + _SIDE_BY_SIDE
    right = beside and inches >= plot + _SIDE_BY_SIDE + _CARD
    titles = wrapped(heading, inches - 2 * _MARGIN, 10.5)
    lines = legend_lines(found, hidden)
    head, tall = 0.2 * len(titles) + 0.12, 0.86 * plot
    below = 0.0 if beside else 0.22 + _LINE * len(lines)
    card = _card_height(group, pictures, inches) if group is not None else 0.0
    tallest = max(tall, 0.3 + _LINE * len(lines) if beside else 0, card if right else 0)
    total = head + tallest + below + (0 if right else card) + 0.1
    fig = PrintFigure(figsize=(inches, total), facecolor="white", heading=heading, alt=alt)
    fig.text(_MARGIN / inches, 1 - 0.05 / total, "\n".join(titles), fontsize=10.5, weight="bold", va="top")
    ax = fig.add_axes((_MARGIN / inches, 1 - (head + tall) / total, (plot - _MARGIN) / inches, tall / total))
    _scatter(ax, found, selected, cluster, hidden)
    _legend(fig, lines, (plot + 0.1, head) if beside else (_MARGIN, head + tall + 0.1))
    if group is not None:
        at = (plot + _SIDE_BY_SIDE + 0.1, head) if right else (_MARGIN, total - card - 0.02)
        _card(fig, group, pictures, at, inches - at[0] - _MARGIN)
    return fig.settle()


def legend_lines(found: Points, hidden: Sequence[int]) -> list[tuple[int, str]]:
    """Group (-1: none, -2: no mark) and words of every line, the largest group first."""
    shown = sorted((k for k in range(len(found.groups)) if k not in hidden and found.groups[k].size),
                   key=lambda k: -found.groups[k].size)
    judged = any(g.accuracy is not None for g in found.groups)
    lines = [(-2, f"images, {found.figure.lower()}" if judged else "images")]
    lines += [(k, _words(found.groups[k])) for k in shown[:_LEGEND]]
    if len(shown) > _LEGEND:
        lines.append((-2, f"and {len(shown) - _LEGEND} smaller ones"))
    lone = int((found.of < 0).sum())
    if lone and len(found.groups) not in hidden:
        lines.append((-1, f"{NONE} · {lone:,}"))
    return lines + ([(-3, "hollow: answered wrongly")] if (found.correct == 0).any() else [])


def _words(group: Group) -> str:
    name = group.name if len(group.name) <= 24 else f"{group.name[:22]} …"
    return " · ".join([name, f"{group.size:,}", *([percent(group.accuracy)] if group.accuracy is not None else [])])


def _scatter(ax: Axes, found: Points, selected: Sequence[int], cluster: int, hidden: Sequence[int]) -> None:
    chosen = np.zeros(len(found.points), bool)
    chosen[list(selected)] = True
    lit = chosen if len(selected) else (found.of == cluster if cluster >= 0 else np.ones(len(chosen), bool))
    off = np.isin(np.where(found.of < 0, len(found.groups), found.of), list(hidden))
    size = 5 if len(chosen) > 4000 else 12 if len(chosen) > 600 else 26
    for faint in (True, False):
        for k in range(-1, len(found.groups)):
            for wrong in (False, True):
                here = (found.of == k) & (lit != faint) & ~off & ((found.correct == 0) == wrong)
                if here.any():
                    x, y = found.points[here].T
                    ax.scatter(x, y, s=size, marker=_SHAPES[max(k, 0) % 6], alpha=0.22 if faint else 1.0,
                               facecolors="none" if wrong else [colour(k)], edgecolors=[colour(k)], linewidths=0.8)
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_color("#cccccc")


def colour(group: int) -> tuple[float, float, float]:
    """RGB 0..1 of a group's marks; grey for points of no group."""
    r, g, b = NOBODY if group < 0 else COLOURS[group % len(COLOURS)]
    return r / 255, g / 255, b / 255


def _legend(fig: PrintFigure, lines: Sequence[tuple[int, str]], at: tuple[float, float]) -> None:
    from matplotlib.lines import Line2D

    width, height = fig.get_size_inches()
    for i, (k, text) in enumerate(lines):
        y = 1 - (at[1] + 0.1 + _LINE * i) / height
        if k != -2:
            edge, inner = ("#555555", "none") if k == -3 else (colour(k), colour(k))
            fig.add_artist(Line2D([(at[0] + 0.06) / width], [y], marker=_SHAPES[max(k, 0) % 6], linestyle="none",
                                  markersize=5, color=edge, markerfacecolor=inner))
        fig.text((at[0] + (0.18 if k != -2 else 0)) / width, y, text, fontsize=_SMALL, va="center",
                 color=QUIET if k == -2 else "black")


def _card_height(group: Group, pictures: Sequence[Any], inches: float) -> float:
    shown = (_SIDE + 0.25) * (bool(group.maps) + bool(pictures and group.exemplar >= 0))
    return 0.35 + shown + 0.14 * len(wrapped(group.sentence, min(inches - 2 * _MARGIN, _CARD), _SMALL)) + 0.1


def _card(fig: PrintFigure, group: Group, pictures: Sequence[Any], at: tuple[float, float], room: float) -> None:
    width, height = fig.get_size_inches()
    left, top = at
    fig.text(left / width, 1 - top / height, wrapped(group.name, room, 9)[0], fontsize=9, weight="bold", va="top")
    top += 0.25
    if group.maps:
        limit = max(float(np.abs(m).max()) for m in group.maps) or 1.0
        for i, (values, said) in enumerate(zip(group.maps, ("speaks for it", "speaks against it"), strict=False)):
            _picture(fig, np.abs(values) * (1 - 2 * i), said, left + i * (_SIDE + 0.08), top,
                     cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        top += _SIDE + 0.25
    if pictures and group.exemplar >= 0:
        _picture(fig, pictures[group.exemplar], "exemplar", left, top)
        top += _SIDE + 0.25
    fig.text(left / width, 1 - top / height, "\n".join(wrapped(group.sentence, min(room, _CARD), _SMALL)), fontsize=_SMALL,
             va="top", color=QUIET, linespacing=1.3)


def _picture(fig: PrintFigure, image: Any, said: str, left: float, top: float, **how: Any) -> None:
    width, height = fig.get_size_inches()
    ax = fig.add_axes((left / width, 1 - (top + _SIDE) / height, _SIDE / width, _SIDE / height))
    ax.imshow(image, **how)
    ax.set_axis_off()
    fig.text((left + _SIDE / 2) / width, 1 - (top + _SIDE + 0.03) / height, said, fontsize=7, ha="center", va="top")
