"""Concepts as figures for papers: a row per concept, and quality over the number of concepts."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from ..captions import percent, signed
from ..figures import QUIET, PrintFigure, width_of
from ..figures.drawing import plain
from .checks import whole_number

if TYPE_CHECKING:
    from .choosing import ConceptChoice
    from .extractor import ConceptExtractor

_FOR, _AGAINST, _NEUTRAL = "#b2182b", "#2166ac", "#4d4d4d"
_SIDE, _LEAST, _GAP, _LABEL, _BAR, _RIGHT = 0.82, 0.35, 0.06, 1.2, 0.9, 1.25  # inches


def concept_figure(extractor: ConceptExtractor, n_crops: int = 6, concepts: Sequence[int] | None = None,
                   width: str | float | None = None) -> Figure:
    """Name, best crops, importance, prevalence and reliability of each concept, the most important first."""
    order = [int(k) for k in extractor.order_] if concepts is None else [extractor._index(k) for k in concepts]
    across = whole_number("n_crops", n_crops, 1)
    if width is None:
        width, side = _LABEL + across * (_SIDE + _GAP) + _BAR + _RIGHT, _SIDE
    else:
        width = width_of(width)
        room = width - _LABEL - _BAR - _RIGHT
        across = max(1, min(across, int(room / (_LEAST + _GAP))))
        side = max(_LEAST, min(_SIDE, room / across - _GAP))
    lines = [line for text in _caption(extractor) for line in textwrap.wrap(text, int(width * 17))]
    head, foot, cell = 0.62, 0.2 + 0.165 * len(lines), max(side, 0.5) + _GAP
    total = head + len(order) * cell + foot
    fig = PrintFigure(figsize=(width, total), facecolor="white", heading=str(extractor.question_),
                      caption="\n".join([str(extractor.question_), *_caption(extractor)]), alt=_alt(extractor, order))
    fig.text(0.15 / width, 1 - 0.1 / total, str(extractor.question_), fontsize=10, va="top")
    bars = _LABEL + across * (side + _GAP) + 0.1
    top = total - head
    for x, words in ((bars, _importance_title(extractor)), (bars + _BAR + 0.12, "leads / right")):
        fig.text(x / width, (top + 0.06) / total, words, fontsize=7, color=QUIET)
    reach = float(np.abs(extractor.importance_).max()) or 1.0
    low = -reach if (extractor.importance_ < 0).any() else 0.0
    for row, k in enumerate(order):
        y = top - (row + 1) * cell
        middle = (y + (cell - _GAP) / 2) / total
        fig.text((_LABEL - 0.08) / width, middle, "\n".join(textwrap.wrap(extractor.names_[k], 17)[:4]), fontsize=8,
                 ha="right", va="center")
        for c, crop in enumerate(extractor.best_crops(k, across)):
            ax = fig.add_axes(((_LABEL + c * (side + _GAP)) / width, middle - side / 2 / total, side / width, side / total))
            ax.imshow(np.zeros((1, 1, 3)) + 0.5 if crop.thumbnail is None else crop.thumbnail, interpolation="nearest")
            plain(ax)
        ax = fig.add_axes((bars / width, middle - 0.13 / total, _BAR / width, 0.3 / total))
        _bar(ax, float(extractor.importance_[k]), low, reach)
        right = extractor.reliability_[k]
        said = f"{percent(float(extractor.prevalence_[k]))} of images\n" + \
            ("leads none" if np.isnan(right) else f"{percent(float(right))} of them right")
        fig.text((bars + _BAR + 0.12) / width, middle, said, fontsize=7.5, va="center", linespacing=1.4)
    fig.text(0.15 / width, (foot - 0.1) / total, "\n".join(lines), fontsize=7, color=QUIET, va="top", linespacing=1.35)
    return fig


def _alt(extractor: ConceptExtractor, order: Sequence[int]) -> str:
    """The rows in words."""
    rows = [f"{extractor.names_[k]}: importance {signed(float(extractor.importance_[k]))}, leads "
            f"{percent(float(extractor.prevalence_[k]))} of images." for k in order]
    return f"Concepts for {extractor.question_} " + " ".join(rows)


def _bar(ax: Any, value: float, low: float, high: float) -> None:
    colour = _NEUTRAL if low == 0 else _FOR if value > 0 else _AGAINST
    ax.barh([0], [value], color=colour, height=0.8)
    ax.axvline(0, color="#999999", linewidth=0.6)
    ax.set_xlim(low * 1.05, high * 1.05)
    ax.set_ylim(-0.6, 0.6)
    ax.set_xlabel(signed(value) if low else f"{value:.3g}", fontsize=7, labelpad=1)
    plain(ax)


def _importance_title(extractor: ConceptExtractor) -> str:
    if extractor.importance == "sobol":
        return "importance\n(total Sobol)"
    return f"importance\n({extractor.importance})"


def _caption(extractor: ConceptExtractor) -> list[str]:
    kind = extractor.dictionary if isinstance(extractor.dictionary, str) else type(extractor.dictionary).__name__
    n = len(extractor.scores_)
    right = "as labelled" if extractor.labels_ is not None else "as what is asked about (no labels)"
    text = (f"{len(extractor.components_)} concepts ({kind}, {extractor.mode}) of {extractor.layer_} over {n} image"
            f"{'s'[:n != 1]}; {percent(extractor.reconstruction_error_)} of the activations (l2) left out. Importance is "
            "the mean over images; leads: share of images in which the concept matters most; right: "
            f"predicted {right}.")
    return [text, *extractor.notices_]


def choice_figure(choice: ConceptChoice) -> Figure:
    """Reconstruction, sparsity and stability over the number of concepts, the proposed number marked."""
    names = [n for n in ("relative_l2", "hoyer", "stability_seeds", "stability_folds") if np.isfinite(choice.table[n]).any()]
    fig = PrintFigure(figsize=(2.35 * len(names) + 0.4, 2.6), facecolor="white")
    for i, name in enumerate(names):
        ax = fig.add_subplot(1, len(names), i + 1)
        ax.plot(choice.sizes, choice.table[name], color=_NEUTRAL, marker="o", markersize=3, linewidth=1)
        ax.axvline(choice.n_concepts, color=_FOR, linewidth=1, linestyle="dashed")
        ax.set_title(_TITLES[name], fontsize=8)
        ax.set_xlabel("concepts", fontsize=7.5)
        ax.tick_params(labelsize=7)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    fig.text(0.02, 0.02, "\n".join(textwrap.wrap(choice.reason, int(fig.get_figwidth() * 17))), fontsize=7, color=QUIET)
    fig.subplots_adjust(0.08, 0.33, 0.985, 0.9, 0.35)
    return fig


_TITLES = {"relative_l2": "left out (relative l2)", "hoyer": "sparsity (Hoyer)", "stability_seeds": "stability over seeds",
           "stability_folds": "stability over folds"}
