"""A strategy graph for a paper: every image as a point, and for each strategy its images and a sentence."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from ..captions import percent
from ..figures import QUIET, PrintFigure
from .scatter import PALETTE, scatter

if TYPE_CHECKING:
    from .strategies import StrategyGraph

_WIDTH, _SIDE, _GAP, _TOP, _TEXT = 9.6, 0.72, 0.07, 3.7, 3.7  # inches
_WRONG = "#c00000"


def strategy_figure(graph: StrategyGraph, n_images: int) -> Figure:
    """The scatter above; below, one row per coloured strategy, images that are named wrongly framed in red."""
    said = dict(zip([s.concept for s in graph.strategies_], graph.sentences_, strict=True))
    shown = graph.coloured_
    across = max(1, min(int(n_images), int((_WIDTH - _TEXT - 0.3) / (_SIDE + _GAP))))
    height = _TOP + max(1, len(shown)) * (_SIDE + 0.2) + 0.55
    words = " ".join(said[s.concept] for s in shown)
    fig = PrintFigure(figsize=(_WIDTH, height), facecolor="white", heading=graph.question_, caption=words,
                      alt=f"{len(graph.leading_)} images as points, coloured by the concept that leads each. {words}")
    fig.text(0.15 / _WIDTH, 1 - 0.12 / height, graph.question_, fontsize=11, va="top")
    groups = np.full(len(graph.leading_), -1)
    for j, s in enumerate(shown):
        groups[s.members] = j
    ax = fig.add_axes((0.45 / _WIDTH, 1 - (_TOP - 0.35) / height, 5.3 / _WIDTH, (_TOP - 0.9) / height))
    names = [f"{s.name}: {s.size}" + ("" if np.isnan(s.accuracy) else f", {percent(s.accuracy)} right") for s in shown]
    scatter(ax, graph.embedding_, groups, names, graph.correct_, graph.edges_, rest=f"leads fewer than {graph.min_images}")
    kind = "UMAP" if graph.embedded_by_ == "umap" else "principal components"
    ax.set_xlabel(f"images by the importance of concepts ({kind})", fontsize=7)
    for j, s in enumerate(shown):
        top = _TOP + j * (_SIDE + 0.2)
        for i, member in enumerate(s.members[:across] if graph.thumbnails_ is not None else ()):
            tile = fig.add_axes(((0.15 + i * (_SIDE + _GAP)) / _WIDTH, 1 - (top + _SIDE) / height, _SIDE / _WIDTH,
                                 _SIDE / height))
            tile.imshow(graph.thumbnails_[member], interpolation="nearest")  # type: ignore[index]
            tile.set_xticks([])
            tile.set_yticks([])
            for spine in tile.spines.values():
                spine.set_color(PALETTE[j % len(PALETTE)] if graph.correct_[member] else _WRONG)
                spine.set_linewidth(2.0)
        fig.text((0.3 + across * (_SIDE + _GAP)) / _WIDTH, 1 - (top + _SIDE / 2) / height,
                 "\n".join(textwrap.wrap(said[s.concept], int((_WIDTH - 0.4 - across * (_SIDE + _GAP)) * 15))), fontsize=7.5,
                 va="center", linespacing=1.35)
    text = (f"{len(graph.leading_)} images; a colour for every concept that leads at least {graph.min_images}. Crosses and "
            "red frames: named wrongly. Images stand in the order of their concept's share.")
    fig.text(0.15 / _WIDTH, 0.38 / height, "\n".join(textwrap.wrap(text, 150)), fontsize=6.5, color=QUIET, va="top")
    return fig
