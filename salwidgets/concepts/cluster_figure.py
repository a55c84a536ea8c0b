"""Explanation clusters for a paper: every image as a point, and for each cluster its maps, exemplar and sentence."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from ..figures import QUIET, PrintFigure, bar_note, draw_bar, draw_map
from ..scale import Scale
from .scatter import PALETTE, scatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .clusters import ExplanationClusters

_WIDTH, _SIDE, _GAP, _TOP = 9.6, 1.25, 0.2, 3.4  # inches
_HEADING = "Clusters of explanations"
_COLUMNS = ("exemplar", "speaks for", "speaks against", "map of the exemplar")


def cluster_figure(clusters: ExplanationClusters) -> Figure:
    """The scatter above, one row per cluster below, one scale for all maps."""
    found = clusters.clusters_
    rows = len(found)
    height = _TOP + rows * (_SIDE + _GAP) + 0.95
    said = " ".join([*(c.sentence for c in found), *clusters.notices_])
    fig = PrintFigure(figsize=(_WIDTH, height), facecolor="white", heading=clusters.stack_.question or _HEADING,
                      caption=said, alt=f"{len(clusters.labels_)} explanations as points in {rows} clusters. {said}")

    def axes(left: float, top: float, width: float, tall: float) -> Axes:
        return fig.add_axes((left / _WIDTH, 1 - (top + tall) / height, width / _WIDTH, tall / height))

    fig.text(0.15 / _WIDTH, 1 - 0.12 / height, fig.heading, fontsize=11, va="top")
    names = [f"cluster {c.index + 1}: {c.size}" for c in found]
    scatter(axes(0.45, 0.5, 5.3, _TOP - 0.95), clusters.embedding_, clusters.labels_, names, clusters.stack_.correct)
    shares = [f"{100 * v:.0f} %" for v in clusters.explained_[:2]]
    fig.axes[0].set_xlabel("first principal component" + (f" ({shares[0]} of the variance)" if shares else ""), fontsize=7)
    fig.axes[0].set_ylabel("second" + (f" ({shares[1]})" if len(shares) > 1 else ""), fontsize=7)
    maps = [m for c in found for m in (c.favourable, c.unfavourable)]
    scale = Scale.fit(*maps) if maps else Scale(vmin=-1.0, vmax=1.0)
    for i, c in enumerate(found):
        top = _TOP + 0.2 + i * (_SIDE + _GAP)
        picture = _picture(clusters.stack_.thumbnails, c.exemplar)
        own = _picture(clusters.stack_.thumbnails, None, c.members)
        _image(axes(0.15, top, _SIDE, _SIDE), picture, PALETTE[i % len(PALETTE)])
        panels = ((c.favourable, own), (c.unfavourable, own), (clusters.stack_.maps[c.exemplar], picture))
        for j, (values, under) in enumerate(panels):
            draw_map(axes(0.15 + (j + 1) * (_SIDE + 0.08), top, _SIDE, _SIDE), values, under, scale)
        if i == 0:
            for ax, text in zip(fig.axes[-4:], _COLUMNS, strict=True):
                ax.set_title(text, fontsize=7.5, pad=3)
        fig.text((0.3 + 4 * (_SIDE + 0.08)) / _WIDTH, 1 - (top + _SIDE / 2) / height,
                 "\n".join(textwrap.wrap(c.sentence, 62)), fontsize=7.5, va="center", linespacing=1.35)
    if maps:
        draw_bar(axes(0.3, height - 0.62, 4.4, 0.11), scale, [])
    notes = " ".join([bar_note(scale, maps) if maps else "", *clusters.notices_]).strip()
    fig.text(5.0 / _WIDTH, 0.62 / height, "\n".join(textwrap.wrap(notes, 78)[:5]), fontsize=6.5, color=QUIET, va="top")
    return fig


def _picture(thumbnails: Any, i: int | None, members: np.ndarray | None = None) -> np.ndarray:
    """One image, or the mean of all members, which shows what their maps lie on; grey where there are no pictures."""
    if thumbnails is None:
        return np.full((64, 64, 3), 160, np.uint8)
    return np.asarray(thumbnails[i] if members is None else thumbnails[members].mean(0).astype(np.uint8))


def _image(ax: Axes, picture: np.ndarray, colour: str) -> None:
    ax.imshow(picture, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color(colour)
        spine.set_linewidth(2.5)
