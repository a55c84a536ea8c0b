"""Where the cells of an icicle lie, and the icicle as a figure. js/src/icicle.ts lays out the same cells in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..captions import percent
from .classnodes import ClassNodes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CELLS = 400
MOST_LEVELS = 24


@dataclass(frozen=True)
class Cell:
    """A node where it is drawn, or, with ``more`` > 0, that many children of ``node`` that are too narrow each."""

    node: int
    level: int
    left: float
    width: float
    more: int = 0


def icicle(nodes: ClassNodes, weight: NDArray[np.float64], focus: int, width: float, narrowest: float) -> list[Cell]:
    """The cells below ``focus``, which takes the whole ``width``; no node is drawn narrower than ``narrowest``.

    Children share their parent's width by weight. Where together they weigh more than it (a class below several of them),
    all become narrower. If there would be more than 400 cells, ``narrowest`` grows.
    """
    while True:
        cells = _cells(nodes, weight, focus, width, narrowest)
        if len(cells) <= MOST_CELLS:
            return cells
        narrowest *= 1.5


def _cells(nodes: ClassNodes, weight: NDArray[np.float64], focus: int, width: float, narrowest: float) -> list[Cell]:
    cells = [Cell(focus, 0, 0.0, width)]
    for cell in cells:  # grows while it is walked
        below = nodes.below(cell.node)
        if cell.more or not len(below) or cell.level + 1 >= MOST_LEVELS or len(cells) > MOST_CELLS:
            continue
        heavy = weight[below]
        total = max(float(weight[cell.node]), float(heavy.sum()))
        if total <= 0:
            continue
        order = np.argsort(-heavy, kind="stable")
        left, shown = cell.left, 0
        for i in order[:MOST_CELLS + 1].tolist():
            w = cell.width * float(heavy[i]) / total
            if w < narrowest:
                break
            cells.append(Cell(int(below[i]), cell.level + 1, left, w))
            left, shown = left + w, shown + 1
        rest = cell.width * float(heavy[order[shown:]].sum()) / total
        if shown < len(below) and rest >= narrowest / 2:
            cells.append(Cell(cell.node, cell.level + 1, left, rest, len(below) - shown))
    return cells


def icicle_figure(nodes: ClassNodes, asked: tuple[str, str], heading: str, known: bool = True) -> Figure:
    """The whole tree as an icicle for print; target and foil are outlined (solid, dashed) and named."""
    from matplotlib.patches import Rectangle

    from ..figures import QUIET, PrintFigure

    weight = nodes.probability if known else nodes.sizes.astype(np.float64)
    cells = icicle(nodes, weight, nodes.root, 100.0, 0.4)
    levels = max(c.level for c in cells) + 1
    height = 0.62 + 0.3 * levels
    fig = PrintFigure(figsize=(6.8, height + 0.35), facecolor="white", heading=heading)
    ax = fig.add_axes((0.02, 0.35 / (height + 0.35), 0.96, 0.3 * levels / (height + 0.35)))
    sides = {nodes.at[n]: style for n, style in zip(asked, ("solid", "dashed"), strict=True) if n in nodes.at}
    for c in cells:
        shade = 0.0 if c.more or not known else float(np.clip(nodes.probability[c.node], 0, 1))
        face = (1 - 0.35 * shade, 1 - 0.2 * shade, 1.0) if not c.more else (0.94, 0.94, 0.94)
        style = None if c.more else sides.get(c.node)
        ax.add_patch(Rectangle((c.left, c.level), c.width, 1, facecolor=face, edgecolor="#111111" if style else "white",
                               linewidth=1.6 if style else 0.8, linestyle=style or "solid", zorder=3 if style else 1))
        chars = int(c.width * 1.02)
        text = f"{c.more} more" if c.more else nodes.names[c.node]
        if known and not c.more:
            text = f"{text} {percent(float(nodes.probability[c.node]))}" if chars > len(text) + 6 else text
        if chars >= 4:
            shown = text if len(text) <= chars else text[:max(1, chars - 1)] + "…"
            ax.text(c.left + 0.6, c.level + 0.5, shown, fontsize=7.5, va="center", parse_math=False, zorder=4)
    ax.set_xlim(0, 100)
    ax.set_ylim(levels, 0)
    ax.set_axis_off()
    fig.text(0.02, 1 - 0.12 / (height + 0.35), heading, fontsize=10, weight="bold", va="top", parse_math=False)
    words = "Widths are probabilities" if known else "Widths are numbers of classes; probabilities are not known"
    fig.text(0.02, 0.08 / (height + 0.35), f"{words}; {nodes.n_classes} classes. Target: solid frame"
             f"{', foil: dashed frame' if asked[1] else ''}.", fontsize=7.5, color=QUIET)
    return fig.settle()
