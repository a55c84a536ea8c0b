"""Perturbation curves: how the answer's score falls as what a map names is hidden, and rises as it is shown.

x is the share of positions changed, from 0 to 1 in ``steps`` equal steps; the area is by trapezoids. A curve is read as a
*probability* (of the target; of the target minus that of the foil for a contrast: ours) or as the question's own *score*
(logits, pools and all). Showing the most important first is hiding the least important first, read backwards, so that
insertion and LeRF, deletion, MoRF and AOPC share their passes, and every question shares all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import MethodError
from ..explanation import Explanation
from ..questions import Question
from .bootstrap import interval
from .perturb import Runs
from .registry import metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..explainers.progress import ProgressOption
    from ..models import Model


@dataclass(eq=False)
class Curves:
    """x: float64 `[S]`. y: float64 `[n, S]`, one row per explanation. area: float64 `[n]`. constant: bool `[n]`, maps that
    rank nothing, whose figure says nothing about them. images: which image each row is about, for intervals."""

    x: np.ndarray
    y: np.ndarray
    area: np.ndarray
    constant: np.ndarray
    images: tuple[str, ...] = ()

    @property
    def mean(self) -> np.ndarray:
        """The mean curve, `[S]`; rows that are NaN are left out."""
        fine = self.y[np.isfinite(self.y).all(1)]
        return fine.mean(0) if len(fine) else np.full(len(self.x), np.nan)

    @property
    def median(self) -> np.ndarray:
        """The median curve, `[S]`; rows that are NaN are left out."""
        fine = self.y[np.isfinite(self.y).all(1)]
        return np.asarray(np.median(fine, 0)) if len(fine) else np.full(len(self.x), np.nan)

    def interval(self, level: float = 0.95, seed: int = 0) -> tuple[np.ndarray, np.ndarray] | None:
        """Percentile bootstrap interval of the mean curve over images: (low `[S]`, high `[S]`); None for one image."""
        return interval(self.y, self.images or tuple(map(str, range(len(self.y)))), level, seed)

    def plot(self, ax: Axes | None = None, label: str | None = None) -> Axes:
        """The mean curve with its interval; never shows a window."""
        if ax is None:
            from matplotlib.figure import Figure

            ax = Figure(figsize=(4, 3), layout="constrained").subplots()
        line, = ax.plot(self.x, self.mean, label=label)
        around = self.interval()
        if around is not None:
            ax.fill_between(self.x, *around, color=line.get_color(), alpha=0.2, linewidth=0)
        return ax


def the_runs(model: Model, runs: Runs | None, batch_size: int, seed: int, progress: ProgressOption) -> Runs:
    """``runs``, or new ones; `MethodError` if they are of another model."""
    if runs is None:
        return Runs(model, batch_size, seed, progress)
    if runs.model is not model and runs.model.module is not model.module:
        raise MethodError(f"these runs are of another model ({runs.model.name}); give Runs(model).")
    return runs


def read(questions: Sequence[Question], logits: Tensor, as_: str) -> np.ndarray:
    """What the questions score on logits `[n, ..., K]`: float64 `[n, ...]`; rows that share a question are read at once.

    as_: "probability" or "score"; questions that are no competition between classes (a match, a box) have a score only.
    """
    if as_ not in ("probability", "score"):
        raise MethodError(f"read={as_!r}; give 'probability' or 'score'.")
    same: dict[Any, list[int]] = {}
    for i, q in enumerate(questions):
        same.setdefault((q.bound, q.pool, q.task), []).append(i)
    out = np.empty(logits.shape[:-1], np.float64)
    for rows in same.values():
        q = questions[rows[0]]
        z = logits[rows].double()
        if as_ == "score" or (q.task is not None and not q.task.probabilistic):
            values = q.score(z)
        else:
            values = q.probability(z)
            if q.foil:
                values = values - _foil(q).probability(z)
        out[rows] = values.numpy()
    return out


def _foil(q: Question) -> Question:
    """The question about the foil alone."""
    b = q.bound
    return Question(q.foil, (), q.pool, q.task, type(b)(b.foil, (), b.n_classes, b.activation, b.foil_names, (),
                                                        b.foil_label, "", len(b.foil) > 1))


def class_probabilities(questions: Sequence[Question], logits: Tensor) -> np.ndarray:
    """Float64 probabilities of every class, of logits `[n, ..., K]`, by the activation that the questions are bound to."""
    if questions[0].bound.activation == "sigmoid":
        return torch.sigmoid(logits.double()).numpy()
    return torch.softmax(logits.double(), -1).numpy()


def area(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Area under curves `[n, S]` by trapezoids, `[n]`."""
    return np.asarray(((y[:, 1:] + y[:, :-1]) / 2 * np.diff(x)).sum(1))


def grid(steps: int) -> np.ndarray:
    """Shares from 0 to 1 in ``steps`` equal steps."""
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1:
        raise MethodError(f"steps={steps!r}; give a whole number of at least 1.")
    return np.arange(steps + 1) / steps


def curves_of(runs: Runs, explanations: list[Explanation], x: np.ndarray, fill: Any, order: str, as_: str,
              question: Question | None) -> Curves:
    """Curves at shares ``x``; order: "most" or "least" replaced first, or "show": most shown first, from the fill."""
    gone, first = (1 - x, "least") if order == "show" else (x, order)
    asked = [question or e.question for e in explanations]
    bound = all(q is not None and q.binding is not None for q in asked)  # then the image goes along with its copies
    logits = runs.curve(explanations, gone.tolist(), fill, first) if bound else None
    questions = runs.questions(explanations, question)
    if logits is None:
        logits = runs.curve(explanations, gone.tolist(), fill, first)
    y = read(questions, logits, as_)
    return Curves(x, y, area(y, x), *rows_of(runs, explanations))


def rows_of(runs: Runs, explanations: list[Explanation]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Which maps are constant, and which image each explanation is about."""
    ranked = [runs.ranked(e) for e in explanations]
    return np.array([r.constant for r in ranked]), tuple(str(r.input) for r in ranked)


def _deletion(model: Model, explanations: list[Explanation], *, fill: Any = "black", steps: int = 20,
              read: str = "probability", question: Question | None = None, batch_size: int = 64, seed: int = 0,
              runs: Runs | None = None, progress: ProgressOption = None) -> Curves:
    """The deletion curves: x is the share hidden."""
    runs = the_runs(model, runs, batch_size, seed, progress)
    return curves_of(runs, explanations, grid(steps), fill, "most", read, question)


@metric(family="faithfulness", better="lower", needs=("model",), passes="steps", range="0..1; contrasts -1..1",
        curves=_deletion, plays="most", source="Petsiuk et al. 2018 (RISE), section 4.2",
        cannot="whether the map or the fill made the score fall: with a black fill, scattered pixels that break the image's "
               "texture win")
def deletion(model: Model, explanations: list[Explanation], *, fill: Any = "black", steps: int = 20,
             read: str = "probability", question: Question | None = None, batch_size: int = 64, seed: int = 0,
             runs: Runs | None = None, progress: ProgressOption = None) -> np.ndarray:
    """Area under the deletion curve: the target's probability while the pixels that the map values most are hidden first.

    explanations: one (a float comes back) or several (float64 `[n]`). fill: what hidden pixels become: "black", "blur",
    "mean", "noise", "road", an array or a painter (see `fills.make_fill`). steps: equal steps from nothing to all; the
    curve has ``steps`` + 1 points. read: "probability", or "score" for the question's own (logits). question: ask this in
    place of each map's own question; a map without a question is asked why(). runs: a `Runs` to share passes with other
    metrics. batch_size, seed: of new runs. Ties in a map fall in reading order, so a constant map is hidden row by row.

    >>> world = sw.worlds.creatures(n=1)
    >>> e = sw.explain(world.model("cnn"), world.images[0], sw.why())
    >>> 0 <= deletion(world.model("cnn"), e, steps=4) <= 1
    True
    """
    return _deletion(model, explanations, fill=fill, steps=steps, read=read, question=question, batch_size=batch_size,
                     seed=seed, runs=runs, progress=progress).area


def _insertion(model: Model, explanations: list[Explanation], *, fill: Any = "black", steps: int = 20,
               read: str = "probability", question: Question | None = None, batch_size: int = 64, seed: int = 0,
               runs: Runs | None = None, progress: ProgressOption = None) -> Curves:
    """The insertion curves: x is the share shown."""
    runs = the_runs(model, runs, batch_size, seed, progress)
    return curves_of(runs, explanations, grid(steps), fill, "show", read, question)


@metric(family="faithfulness", better="higher", needs=("model",), passes="steps", range="0..1; contrasts -1..1",
        curves=_insertion, plays="show", source="Petsiuk et al. 2018 (RISE), section 4.2",
        cannot="whether a small map is right or a large one is merely safe: what the model needs beside the evidence counts "
               "against the map")
def insertion(model: Model, explanations: list[Explanation], *, fill: Any = "black", steps: int = 20,
              read: str = "probability", question: Question | None = None, batch_size: int = 64, seed: int = 0,
              runs: Runs | None = None, progress: ProgressOption = None) -> np.ndarray:
    """Area under the insertion curve: the target's probability while the pixels that the map values most are shown first.

    It starts from the fill; the paper starts from a blurred image (fill="blur"). Parameters as in `deletion`.
    """
    return _insertion(model, explanations, fill=fill, steps=steps, read=read, question=question, batch_size=batch_size,
                      seed=seed, runs=runs, progress=progress).area


def _morf(model: Model, explanations: list[Explanation], *, fill: Any = "black", steps: int = 20, read: str = "score",
          question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
          progress: ProgressOption = None) -> Curves:
    """The curves with the most relevant hidden first."""
    runs = the_runs(model, runs, batch_size, seed, progress)
    return curves_of(runs, explanations, grid(steps), fill, "most", read, question)


@metric(family="faithfulness", better="lower", needs=("model",), passes="steps", range="the question's units", curves=_morf,
        plays="most",
        source="Samek et al. 2017, eq. 10-12 (pixels in place of 9 x 9 regions: ours)",
        cannot="how one image compares with another: the area is in logits, which have no common scale")
def morf(model: Model, explanations: list[Explanation], *, fill: Any = "black", steps: int = 20, read: str = "score",
         question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
         progress: ProgressOption = None) -> np.ndarray:
    """Area under the question's score while the most relevant pixels are hidden first. Parameters as in `deletion`."""
    return _morf(model, explanations, fill=fill, steps=steps, read=read, question=question, batch_size=batch_size,
                 seed=seed, runs=runs, progress=progress).area


def _lerf(model: Model, explanations: list[Explanation], *, fill: Any = "black", steps: int = 20, read: str = "score",
          question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
          progress: ProgressOption = None) -> Curves:
    """The curves with the least relevant hidden first."""
    runs = the_runs(model, runs, batch_size, seed, progress)
    return curves_of(runs, explanations, grid(steps), fill, "least", read, question)


@metric(family="faithfulness", better="higher", needs=("model",), passes="steps", range="the question's units", curves=_lerf,
        plays="least",
        source="Samek et al. 2017, section III-C (pixels in place of 9 x 9 regions: ours)",
        cannot="whether the top of the map is in the right order: only its bottom is tried at first")
def lerf(model: Model, explanations: list[Explanation], *, fill: Any = "black", steps: int = 20, read: str = "score",
         question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
         progress: ProgressOption = None) -> np.ndarray:
    """Area under the question's score while the least relevant pixels are hidden first. Parameters as in `deletion`."""
    return _lerf(model, explanations, fill=fill, steps=steps, read=read, question=question, batch_size=batch_size,
                 seed=seed, runs=runs, progress=progress).area


@metric(family="faithfulness", better="higher", needs=("model",), passes="steps", range="the question's units",
        source="Samek et al. 2017, eq. 12 (pixels in place of 9 x 9 regions: ours)",
        cannot="how one image compares with another: it is in logits; and which part of the map earned it")
def aopc(model: Model, explanations: list[Explanation], *, fill: Any = "black", steps: int = 20, until: float = 1.0,
         read: str = "score", question: Question | None = None, batch_size: int = 64, seed: int = 0,
         runs: Runs | None = None, progress: ProgressOption = None) -> np.ndarray:
    """Area over the MoRF perturbation curve: mean over the steps 0 … L of score(image) - score(step), L = ``steps``.

    until: the share of pixels hidden at the last step (the paper stops at 16 % of the image). Parameters as in `deletion`.
    """
    if not 0 < until <= 1:
        raise MethodError(f"until={until!r}; give a share above 0 and at most 1.")
    runs = the_runs(model, runs, batch_size, seed, progress)
    y = curves_of(runs, explanations, grid(steps) * until, fill, "most", read, question).y
    return np.asarray((y[:, :1] - y).mean(1))
