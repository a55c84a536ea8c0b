"""Average drop and increase: what the model says when it sees the image through the map; and ROAD's curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..explanation import Explanation
from ..questions import Question
from .curves import Curves, _deletion, _insertion, read, the_runs
from .perturb import Runs
from .registry import metric

if TYPE_CHECKING:
    from ..explainers.progress import ProgressOption
    from ..models import Model


def _seen(runs: Runs, explanations: list[Explanation], fill: Any,
          question: Question | None) -> tuple[np.ndarray, np.ndarray]:
    """The target's probability at each image, and at the image seen through its map's positive part over its maximum."""
    questions = runs.questions(explanations, question)
    weights = []
    for e in explanations:
        positive = np.maximum(runs.map(e), 0)
        weights.append(positive / max(float(positive.max()), 1e-30))
    through = runs.masked(explanations, weights, fill)
    return read(questions, runs.originals(explanations), "probability"), read(questions, through, "probability")


@metric(family="faithfulness", better="lower", needs=("model",), passes="2", range="0..1",
        source="Chattopadhay et al. 2018 (Grad-CAM++), section 4.1, as a share",
        cannot="whether the map is right: a map that is bright everywhere hides nothing and drops nothing")
def average_drop(model: Model, explanations: list[Explanation], *, fill: Any = "black", question: Question | None = None,
                 batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
                 progress: ProgressOption = None) -> np.ndarray:
    """The share of the target's probability that is lost when the image is seen through the map, at least 0.

    The map's positive part, divided by its maximum, weighs image against fill. A map with nothing positive shows the fill
    alone. Where the answer has no positive probability to lose (a contrast that the foil leads) it is 0.
    """
    runs = the_runs(model, runs, batch_size, seed, progress)
    whole, part = _seen(runs, explanations, fill, question)
    return np.where(whole > 0, np.clip(whole - part, 0, None) / np.where(whole > 0, whole, 1), 0.0)


@metric(family="faithfulness", better="higher", needs=("model",), passes="2", range="0 or 1",
        source="Chattopadhay et al. 2018 (Grad-CAM++), section 4.1",
        cannot="by how much: a rise of a millionth counts as one, and a sure model can hardly rise")
def average_increase(model: Model, explanations: list[Explanation], *, fill: Any = "black",
                     question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
                     progress: ProgressOption = None) -> np.ndarray:
    """1 where the target's probability rises when the image is seen through the map, else 0. Parameters: `average_drop`."""
    runs = the_runs(model, runs, batch_size, seed, progress)
    whole, part = _seen(runs, explanations, fill, question)
    return (part > whole).astype(np.float64)


def _road_deletion(model: Model, explanations: list[Explanation], *, steps: int = 20, read: str = "probability",
                   question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
                   progress: ProgressOption = None) -> Curves:
    """`deletion`'s curves with fill="road"."""
    return _deletion(model, explanations, fill="road", steps=steps, read=read, question=question, batch_size=batch_size,
                     seed=seed, runs=runs, progress=progress)


@metric(family="faithfulness", better="lower", needs=("model",), passes="steps", range="0..1; contrasts -1..1",
        curves=_road_deletion, plays="most", source="Rong et al. 2022 (ROAD), section 4; area over all shares: ours",
        cannot="what the image would look like without the evidence: the fill smooths over it and invents nothing")
def road_deletion(model: Model, explanations: list[Explanation], *, steps: int = 20, read: str = "probability",
                  question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
                  progress: ProgressOption = None) -> np.ndarray:
    """`deletion` with hidden pixels imputed from what is left, so that the shape of the hole tells the model less."""
    return _road_deletion(model, explanations, steps=steps, read=read, question=question, batch_size=batch_size, seed=seed,
                          runs=runs, progress=progress).area


def _road_insertion(model: Model, explanations: list[Explanation], *, steps: int = 20, read: str = "probability",
                    question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
                    progress: ProgressOption = None) -> Curves:
    """`insertion`'s curves with fill="road"."""
    return _insertion(model, explanations, fill="road", steps=steps, read=read, question=question, batch_size=batch_size,
                      seed=seed, runs=runs, progress=progress)


@metric(family="faithfulness", better="higher", needs=("model",), passes="steps", range="0..1; contrasts -1..1",
        curves=_road_insertion, plays="show", source="Rong et al. 2022 (ROAD), section 4; area over all shares: ours",
        cannot="whether the map or the imputation gave the picture back: scattered pixels tell an interpolation most")
def road_insertion(model: Model, explanations: list[Explanation], *, steps: int = 20, read: str = "probability",
                   question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
                   progress: ProgressOption = None) -> np.ndarray:
    """`insertion` with what is not shown imputed from what is."""
    return _road_insertion(model, explanations, steps=steps, read=read, question=question, batch_size=batch_size, seed=seed,
                           runs=runs, progress=progress).area
