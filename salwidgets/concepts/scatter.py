"""Images as points: filled where the model is right, a cross where it is wrong, grey where no group is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: ten colours that stay apart for colour-blind readers (Okabe & Ito 2008, with two more blues and a brown)
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8c564b", "#f0e442", "#5e4fa2", "#444444")
OTHER = "#b5b5b5"


def scatter(ax: Axes, points: np.ndarray, groups: np.ndarray, names: Sequence[str], correct: np.ndarray | None,
            edges: np.ndarray | None = None, rest: str = "no group") -> None:
    """Draw ``points`` `[N, 2]` in the colours of their ``groups``, with a legend of ``names``; -1 is grey: the ``rest``."""
    if edges is not None and len(edges):
        from matplotlib.collections import LineCollection

        ax.add_collection(LineCollection(list(points[edges]), colors="#00000022", linewidths=0.5))
    right = np.ones(len(points), bool) if correct is None else correct
    for k in (-1, *range(len(names))):
        colour = OTHER if k < 0 else PALETTE[k % len(PALETTE)]
        mine = groups == k
        if k >= 0:
            ax.scatter([], [], s=22, color=colour, label=names[k])
        for shown, marker, width in ((mine & right, "o", 0.4), (mine & ~right, "x", 1.1)):
            if shown.any():
                ax.scatter(points[shown, 0], points[shown, 1], s=20, color=colour, marker=marker, linewidths=width,
                           edgecolors="white" if marker == "o" else None)
    if (groups < 0).any():
        ax.scatter([], [], s=22, color=OTHER, label=f"{rest}: {int((groups < 0).sum())}")
    if correct is not None and not right.all():
        ax.scatter([], [], s=22, color="#222222", marker="x", label="named wrongly")
    ax.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
