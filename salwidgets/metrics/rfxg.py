"""RFxG faithfulness: does a map answer the question that was asked, by reference frame and granularity?

x_a is the image with its top floor(a H W) pixels by the map replaced, a = 0.1 … 0.9 in steps of 0.1; D_k(a) =
p_k(x) - p_k(x_a) is what class k loses. The area is by trapezoids over a and not divided by its width of 0.8. Higher is
better for all four, with the default signs; ``variant="reference"`` gives the formulas of the code that the RFxG
("Reference-Frame x Granularity") authors released, whose signs and constants differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MethodError, QuestionError
from ..explanation import Explanation
from ..questions import Question
from .curves import Curves, area, class_probabilities, rows_of, the_runs
from .perturb import Runs
from .registry import metric

if TYPE_CHECKING:
    from ..explainers.progress import ProgressOption
    from ..models import Model

SHARES = np.arange(1, 10) / 10
VARIANTS = ("default", "reference")

Sides = tuple[list[int], list[int]]
Formula = Callable[[np.ndarray, np.ndarray, Sides, str], np.ndarray]
"""(p at the image `[K]`, p along the curve `[S, K]`, indices of target and foil, variant) -> y `[S]`"""


def _pgs_y(p: np.ndarray, path: np.ndarray, sides: Sides, variant: str) -> np.ndarray:
    return (p - path)[:, sides[0]].mean(1)


def _ccs_y(p: np.ndarray, path: np.ndarray, sides: Sides, variant: str) -> np.ndarray:
    target, foil = sides
    if variant == "reference":
        return path[:, target].mean(1) - path[:, foil].mean(1)
    drop = p - path
    return drop[:, target].mean(1) - drop[:, foil].mean(1)


def _cgc_y(p: np.ndarray, path: np.ndarray, sides: Sides, variant: str) -> np.ndarray:
    target, others = sides
    drop = p - path
    if variant == "reference":
        return 0.5 * (-drop[:, [*target, *others]].mean(1) - drop[:, target].mean(1))
    return 0.5 * (drop[:, target].mean(1) - drop[:, others].mean(1))


def _cgs_y(p: np.ndarray, path: np.ndarray, sides: Sides, variant: str) -> np.ndarray:
    target, foil = sides
    drop = p - path
    if variant == "reference":
        return 0.5 * (-drop[:, target].mean(1) - drop[:, foil].mean(1))
    return 0.5 * (drop[:, target].mean(1) - drop[:, foil].mean(1))


def _pointwise(q: Question) -> bool:
    return not q.foil and q.task is None


def _class_contrast(q: Question) -> bool:
    return bool(q.foil) and q.task is None and len(q.bound.target) == 1


def _in_group(q: Question) -> bool:
    return q.task is None and len(q.bound.target) == 1 and len(q.bound.foil) != 1


def _group_contrast(q: Question) -> bool:
    return bool(q.foil) and q.task is None and (len(q.bound.target) > 1 or len(q.bound.foil) > 1)


def _sides(model: Model, q: Question, i: int, name: str, grouped: bool) -> Sides:
    """Target and foil as indices; for a class without a foil where a group is needed: the rest of its first parent."""
    target, foil = list(q.bound.target), list(q.bound.foil)
    if foil or not grouped:
        return target, foil
    tree, own = model.taxonomy, q.bound.target_names[0]
    parent = tree.parent(own) if tree is not None and own in tree else None
    if tree is not None and parent is not None:
        names = list(model.classes)
        foil = [names.index(m) for m in tree.members(parent) if m in names and m != own]
    if not foil:
        raise QuestionError(f"{name} compares a class with the rest of its group; explanation {i} answers “{q}”, and the "
                            "model's class tree names no group of it. Ask sw.why(cls).rather_than(group), or give "
                            "Model(taxonomy=...).")
    return target, foil


def _curves(name: str, formula: Formula, applies: Callable[[Question], bool], model: Model, explanations: list[Explanation],
            fill: Any, variant: str, question: Question | None, runs: Runs) -> Curves:
    if variant not in VARIANTS:
        raise MethodError(f"variant={variant!r}; choose one of {', '.join(VARIANTS)}.")
    questions = runs.questions(explanations, question)
    for i, q in enumerate(questions):
        if not applies(q):
            raise MethodError(f"{name} is about {_ABOUT[name]}; explanation {i} answers “{q}”.")
    logits = runs.curve(explanations, [0.0, *SHARES.tolist()], fill, "most")
    p = class_probabilities(questions, logits)
    y = np.stack([formula(p[i, 0], p[i, 1:], _sides(model, q, i, name, name == "cgc"), variant)
                  for i, q in enumerate(questions)])
    return Curves(SHARES, y, area(y, SHARES), *rows_of(runs, explanations))


_ABOUT = {"pgs": "pointwise questions (a class or a group)", "ccs": "one class rather than another",
          "cgc": "one class rather than the rest of its group", "cgs": "a group rather than another"}
_PAPER = "RFxG (Reference-Frame x Granularity)"


def _pgs(model: Model, explanations: list[Explanation], *, fill: Any = "black", variant: str = "default",
         question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
         progress: ProgressOption = None) -> Curves:
    """The curves of `pgs` over the share hidden."""
    runs = the_runs(model, runs, batch_size, seed, progress)
    return _curves("pgs", _pgs_y, _pointwise, model, explanations, fill, variant, question, runs)


@metric(family="RFxG", better="higher", needs=("model",), passes="10", range="-0.8..0.8", applies=_pointwise,
        questions=_ABOUT["pgs"], curves=_pgs, plays="most",
        source=f"{_PAPER}, pointwise group score",
        cannot="which members of the group carried the fall: it is their mean")
def pgs(model: Model, explanations: list[Explanation], *, fill: Any = "black", variant: str = "default",
        question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
        progress: ProgressOption = None) -> np.ndarray:
    """Pointwise group score: area of mean_{k in G} D_k(a); for a class, G is that class alone.

    fill: "black", "blur" (sigma 5 pixels) or "noise" (uniform), and any other of `fills.make_fill`. variant: "default" or
    "reference" (the same here). question: ask this in place of each map's own question. runs: shared passes.

    >>> world = sw.worlds.creatures(n=1)
    >>> e = sw.explain(world.model("cnn"), world.images[0], sw.why(world.taxonomy.parent(world.labels[0])))
    >>> -0.8 <= pgs(world.model("cnn"), e) <= 0.8
    True
    """
    return _pgs(model, explanations, fill=fill, variant=variant, question=question, batch_size=batch_size, seed=seed,
                runs=runs, progress=progress).area


def _ccs(model: Model, explanations: list[Explanation], *, fill: Any = "black", variant: str = "default",
         question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
         progress: ProgressOption = None) -> Curves:
    """The curves of `ccs` over the share hidden."""
    runs = the_runs(model, runs, batch_size, seed, progress)
    return _curves("ccs", _ccs_y, _class_contrast, model, explanations, fill, variant, question, runs)


@metric(family="RFxG", better="higher", needs=("model",), passes="10", range="-1.6..1.6", applies=_class_contrast,
        questions=_ABOUT["ccs"], curves=_ccs, plays="most",
        source=f"{_PAPER}, contrastive class score; sign-consistent: ours",
        cannot="a contrast from a plain answer where the foil has no probability to begin with: then it is the deletion of "
               "the target")
def ccs(model: Model, explanations: list[Explanation], *, fill: Any = "black", variant: str = "default",
        question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
        progress: ProgressOption = None) -> np.ndarray:
    """Contrastive class score: area of D_a(a) - D_b(a); several foils count by their mean (ours).

    It equals 0.8 (p_a - p_b) less the value of variant="reference", which is the area of p_a(x_a) - p_b(x_a): there lower
    is better. Parameters as in `pgs`.
    """
    return _ccs(model, explanations, fill=fill, variant=variant, question=question, batch_size=batch_size, seed=seed,
                runs=runs, progress=progress).area


def _cgc(model: Model, explanations: list[Explanation], *, fill: Any = "black", variant: str = "default",
         question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
         progress: ProgressOption = None) -> Curves:
    """The curves of `cgc` over the share hidden."""
    runs = the_runs(model, runs, batch_size, seed, progress)
    return _curves("cgc", _cgc_y, _in_group, model, explanations, fill, variant, question, runs)


@metric(family="RFxG", better="higher", needs=("model",), passes="10", range="-0.8..0.8", applies=_in_group,
        questions=_ABOUT["cgc"], curves=_cgc, plays="most",
        source=f"{_PAPER}, class-in-group score; sign-consistent: ours",
        cannot="whether the rest of the group fell or rose evenly: it is their mean")
def cgc(model: Model, explanations: list[Explanation], *, fill: Any = "black", variant: str = "default",
        question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
        progress: ProgressOption = None) -> np.ndarray:
    """Class in its group: area of 0.5 (D_a - mean_{k in G minus a} D_k).

    The group is the question's foil; for a class without a foil, its first parent in the model's class tree.
    variant="reference": 0.5 (mean_{k in G} (-D_k) - D_a), with a in G. Parameters as in `pgs`.
    """
    return _cgc(model, explanations, fill=fill, variant=variant, question=question, batch_size=batch_size, seed=seed,
                runs=runs, progress=progress).area


def _cgs(model: Model, explanations: list[Explanation], *, fill: Any = "black", variant: str = "default",
         question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
         progress: ProgressOption = None) -> Curves:
    """The curves of `cgs` over the share hidden."""
    runs = the_runs(model, runs, batch_size, seed, progress)
    return _curves("cgs", _cgs_y, _group_contrast, model, explanations, fill, variant, question, runs)


@metric(family="RFxG", better="higher", needs=("model",), passes="10", range="-0.8..0.8", applies=_group_contrast,
        questions=_ABOUT["cgs"], curves=_cgs, plays="most",
        source=f"{_PAPER}, contrastive group score; sign-consistent: ours",
        cannot="which members of either group moved: it compares their means, which are small in large groups")
def cgs(model: Model, explanations: list[Explanation], *, fill: Any = "black", variant: str = "default",
        question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
        progress: ProgressOption = None) -> np.ndarray:
    """Contrastive group score: area of 0.5 (mean_A D - mean_B D); at least one side is a group.

    variant="reference": 0.5 (mean_A (-D) + mean_B (-D)), which does not tell the sides apart. Parameters as in `pgs`.
    """
    return _cgs(model, explanations, fill=fill, variant=variant, question=question, batch_size=batch_size, seed=seed,
                runs=runs, progress=progress).area
