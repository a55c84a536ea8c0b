"""`ClusterView` for print: the points with their legend, and the maps and exemplar of a picked group."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..captions import percent
from ..figures import QUIET, PrintFigure
from .cluster_points import NONE, Group, Points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: the colours and shapes of js/src/marks.ts
COLOURS = ((0, 114, 178), (230, 159, 0), (0, 158, 115), (213, 94, 0), (204, 121, 167), (86, 180, 233), (200, 180, 20))
NOBODY = (128, 128, 128)
_SHAPES = ("o", "s", "^", "D", "X", "v")
_LEGEND = 16  # groups that the legend names


def cluster_figure(found: Points, heading: str, pictures: Sequence[NDArray[np.uint8]], selected: Sequence[int], cluster: int,
                   hidden: Sequence[int]) -> Figure:
    """What a `ClusterView` shows now."""
    group = found.groups[cluster] if cluster >= 0 else None
    beside = group is not None and (bool(group.maps) or (bool(pictures) and group.exemplar >= 0))
    width, height = 9.2 if beside else 7.0, 4.6
    fig = PrintFigure(figsize=(width, height), facecolor="white")
    ax = fig.add_axes((0.02, 0.04, 4.3 / width, 0.84))
    _scatter(ax, found, selected, cluster, hidden)
    fig.text(0.02, 0.965, textwrap.shorten(heading, 90, placeholder=" …"), fontsize=10.5, weight="bold", va="top")
    _legend(fig, found, hidden, 4.5 / width)
    if group is not None and beside:
        _card(fig, group, pictures, 6.9 / width, width)
    return fig


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
                               facecolors="none" if wrong else [_colour(k)], edgecolors=[_colour(k)], linewidths=0.8)
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_color("#cccccc")


def _colour(group: int) -> tuple[float, float, float]:
    r, g, b = NOBODY if group < 0 else COLOURS[group % len(COLOURS)]
    return r / 255, g / 255, b / 255


def _legend(fig: Figure, found: Points, hidden: Sequence[int], left: float) -> None:
    from matplotlib.font_manager import FontProperties
    from matplotlib.lines import Line2D

    shown = [k for k in range(len(found.groups)) if k not in hidden]
    shown.sort(key=lambda k: -found.groups[k].size)
    lines = [(k, _line(found, found.groups[k])) for k in shown[:_LEGEND]]
    if (found.of < 0).any() and len(found.groups) not in hidden:
        lines.append((-1, f"{NONE} · {int((found.of < 0).sum())}"))
    handles = [Line2D([], [], linestyle="none", marker=_SHAPES[max(k, 0) % 6], color=_colour(k), markersize=5.5, label=text)
               for k, text in lines]
    if (found.correct == 0).any():
        handles.append(Line2D([], [], linestyle="none", marker="o", markerfacecolor="none", color="#555555", markersize=5.5,
                              label="hollow: answered wrongly"))
    legend = fig.legend(handles=handles, loc="upper left", bbox_to_anchor=(left, 0.9), fontsize=7.5, frameon=False,
                        handletextpad=0.3, borderaxespad=0)
    legend.set_title(f"images{', ' + found.figure.lower() if any(g.accuracy is not None for g in found.groups) else ''}",
                     prop=FontProperties(size=7.5))
    if len(shown) > _LEGEND:
        fig.text(left, 0.03, f"and {len(shown) - _LEGEND} smaller ones", fontsize=7, color=QUIET)


def _line(found: Points, group: Group) -> str:
    name = textwrap.shorten(group.name, 28, placeholder=" …")
    return " · ".join([name, f"{group.size:,}", *([percent(group.accuracy)] if group.accuracy is not None else [])])


def _card(fig: Figure, group: Group, pictures: Sequence[Any], left: float, width: float) -> None:
    side = 1.05
    height = fig.get_figheight()
    fig.text(left, 0.9, textwrap.shorten(group.name, 34, placeholder=" …"), fontsize=9, weight="bold", va="top")
    tops = 0.86 - side / height
    if group.maps:
        limit = max(float(np.abs(m).max()) for m in group.maps) or 1.0
        for i, (values, text) in enumerate(zip(group.maps, ("speaks for it", "speaks against it"), strict=False)):
            ax = fig.add_axes((left + i * (side + 0.08) / width, tops, side / width, side / height))
            ax.imshow(np.abs(values) * (1 - 2 * i), cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
            ax.set_axis_off()
            ax.set_title(text, fontsize=7, y=-0.16)
        tops -= (side + 0.25) / height
    if pictures and group.exemplar >= 0:
        ax = fig.add_axes((left, tops, side / width, side / height))
        ax.imshow(pictures[group.exemplar])
        ax.set_axis_off()
        ax.set_title("exemplar", fontsize=7, y=-0.16)
        tops -= 0.25 / height
    fig.text(left, tops - 0.02, "\n".join(textwrap.wrap(group.sentence, 38)), fontsize=7.5, va="top", color=QUIET)
