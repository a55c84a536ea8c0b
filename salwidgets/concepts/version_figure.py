"""Two versions of a model side by side, for a paper: one row per pair of concepts or clusters."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from ..captions import percent
from ..figures import QUIET, PrintFigure, draw_bar, draw_map
from ..scale import Scale
from .versions import Pair, Side, VersionComparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .clusters import ExplanationClusters

_OLD, _NEW = "#8a8a8a", "#0072b2"
_WIDTH, _SIDE, _GAP, _BAR, _TOP, _MOST = 9.6, 0.85, 0.06, 1.7, 0.95, 12  # inches, rows
Draw = Callable[[Side, bool, list["Axes"]], None]


def concept_pictures(found: VersionComparison, thumbnails: np.ndarray | None) -> Figure:
    """Two images for each concept: those that it leads most clearly."""
    def draw(side: Side, new: bool, axes: list[Axes]) -> None:
        for ax, i in zip(axes, side.members, strict=False):
            if thumbnails is not None:
                ax.imshow(thumbnails[i], interpolation="nearest")

    return version_figure(found, draw)


def cluster_pictures(found: VersionComparison, old: ExplanationClusters, new: ExplanationClusters) -> Figure:
    """The exemplar and the mean map of each cluster; one scale per version."""
    scales = [Scale.fit(*maps) if maps else Scale(vmin=-1.0, vmax=1.0) for maps in (_means(c) for c in (old, new))]

    def draw(side: Side, is_new: bool, axes: list[Axes]) -> None:
        source = new if is_new else old
        cluster, shown = source.clusters_[side.index], source.stack_.thumbnails
        grey = np.full((64, 64, 3), 160, np.uint8)
        axes[0].imshow(grey if shown is None else shown[cluster.exemplar], interpolation="nearest")
        under = grey if shown is None else shown[cluster.members].mean(0).astype(np.uint8)
        draw_map(axes[1], cluster.favourable + cluster.unfavourable, under, scales[is_new])

    return version_figure(found, draw, scales)


def version_figure(found: VersionComparison, draw: Draw | None, scales: list[Scale] | None = None) -> Figure:
    """Pictures of the old version, bars of how many images it leads in both, pictures of the new one, and a sentence."""
    pairs = [p for p in found.pairs if p.weight > 0][:_MOST]
    row = _SIDE + 0.22
    height = _TOP + max(1, len(pairs)) * row + (0.75 if scales else 0.35)
    words = " ".join([*found._accuracies(), *(p.sentence for p in pairs), *found.notices])
    fig = PrintFigure(figsize=(_WIDTH, height), facecolor="white", heading=found.question or f"Two versions: {found.kind}",
                      caption=words, alt=f"{found.kind.capitalize()} of {found.names[0]} beside {found.names[1]}. {words}")
    fig.text(0.15 / _WIDTH, 1 - 0.12 / height, fig.heading, fontsize=11, va="top")
    fig.text(0.15 / _WIDTH, 1 - 0.4 / height, " ".join(found._accuracies()), fontsize=8, va="top")
    wide = 2 * (_SIDE + _GAP)
    lefts = (0.15, 0.15 + wide + _BAR + 0.35)
    for left, name, colour in zip(lefts, found.names, (_OLD, _NEW), strict=True):
        fig.text(left / _WIDTH, 1 - (_TOP - 0.08) / height, name, fontsize=8.5, color=colour, va="bottom")
    fig.text((lefts[0] + wide + 0.1) / _WIDTH, 1 - (_TOP - 0.08) / height, "share of images", fontsize=7.5, color=QUIET)
    reach = max([p.weight for p in pairs], default=1.0)

    def axes(left: float, top: float, width: float, tall: float) -> Axes:
        return fig.add_axes((left / _WIDTH, 1 - (top + tall) / height, width / _WIDTH, tall / height))

    for i, p in enumerate(pairs):
        top = _TOP + i * row
        for side, left, new in ((p.old, lefts[0], False), (p.new, lefts[1], True)):
            _side(side, [axes(left + j * (_SIDE + _GAP), top, _SIDE, _SIDE) for j in range(2)], draw, new)
        _bars(axes(lefts[0] + wide + 0.1, top + 0.14, _BAR, _SIDE - 0.2), p, reach)
        fig.text((lefts[1] + wide + 0.15) / _WIDTH, 1 - (top + _SIDE / 2) / height,
                 "\n".join(textwrap.wrap(p.sentence, int((_WIDTH - lefts[1] - wide - 0.2) * 16))), fontsize=7, va="center",
                 linespacing=1.3)
    for left, scale in zip(lefts, scales or (), strict=False):
        draw_bar(axes(left + 0.1, height - 0.6, 3.0, 0.1), scale, [])
    text = "Each version has a scale of its own." if scales else "Images that each concept leads most clearly."
    left_out = sum(p.weight > 0 for p in found.pairs) - len(pairs)
    fig.text(0.15 / _WIDTH, 0.16 / height, text + (f" {left_out} smaller pairs are left out." if left_out > 0 else ""),
             fontsize=6.5, color=QUIET)
    return fig


def _side(side: Side | None, axes: list[Axes], draw: Draw | None, new: bool) -> None:
    empty = "no counterpart" if side is None else "" if len(side.members) else "leads no image"
    for ax in axes:
        ax.set_visible(not empty or (side is not None and ax is axes[0]))
        ax.set_xticks([])
        ax.set_yticks([])
        for spine in ax.spines.values():
            spine.set_color("#dddddd")
    if empty:
        box = axes[0].get_position()
        axes[0].figure.text(box.x0, (box.y0 + box.y1) / 2, empty, fontsize=7, color=QUIET, va="center")
        axes[0].patch.set_visible(False)
        axes[0].spines[:].set_visible(False)
    elif draw is not None and side is not None:
        draw(side, new, axes)
    if side is not None:
        axes[0].set_xlabel(side.name, fontsize=7, labelpad=2, loc="left")


def _bars(ax: Any, p: Pair, reach: float) -> None:
    for y, side, colour in ((1, p.old, _OLD), (0, p.new, _NEW)):
        value = 0.0 if side is None else side.prevalence
        ax.barh([y], [value], color=colour, height=0.75)
        ax.text(value + 0.02 * reach, y, percent(value) if value else "none", fontsize=7, va="center")
    ax.set_xlim(0, reach * 1.35)
    ax.set_ylim(-0.6, 1.6)
    ax.axis("off")


def _means(found: ExplanationClusters) -> list[np.ndarray]:
    return [c.favourable + c.unfavourable for c in found.clusters_]
