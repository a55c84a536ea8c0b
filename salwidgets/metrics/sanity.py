"""Sanity: does a map depend on what the network has learnt, on the class, and not on how the network is written down?

Every check explains again, on copies: the network that was given is never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..errors import InputError, MethodError
from ..explainers.progress import Progress, ProgressOption
from ..explanation import Explanation
from ..models import Model
from ..questions import Question
from .again import picture_batch, remake, same_model, ways
from .likeness import pearson
from .randomised import randomise, twin
from .registry import metric


def _mean_likeness(order: str, model: Model, explanations: Sequence[Explanation], layers: int | Sequence[str] | None,
                   absolute: bool, seed: int, progress: ProgressOption) -> np.ndarray:
    made = randomise(model, explanations, order=order, layers=layers, absolute=absolute, seed=seed, progress=progress)
    return made.rank_correlation.mean(1)


@metric(family="sanity", better="lower", needs=("model",), range="-1..1", chance=0.0,
        passes="one explanation for each layer with weights",
        cannot="whether the map is right: pure noise passes, and so does any map that is merely fragile",
        source="Adebayo et al. 2018, sec. 3.1, cascading; mean over layers of the rank correlation (ours)")
def cascading_randomisation(model: Model, explanations: Sequence[Explanation], *,
                            layers: int | Sequence[str] | None = None, absolute: bool = False, seed: int = 0,
                            progress: ProgressOption = None) -> np.ndarray:
    """Mean rank correlation of a map with those of the network as its layers become random, one more at a time from the top.

    Lower is better: a method that reads the network must change with it. layers: names, or how many steps to make; None:
    every layer with weights. absolute: compare |map|. A map that becomes constant correlates with nothing: 0. `randomise`
    gives every layer's figures and maps. Errors: `MethodError` for maps from elsewhere and for models without weights.
    """
    return _mean_likeness("cascading", model, explanations, layers, absolute, seed, progress)


@metric(family="sanity", better="lower", needs=("model",), range="-1..1", chance=0.0,
        passes="one explanation for each layer with weights",
        cannot="whether the map is right: pure noise passes, and so does any map that is merely fragile",
        source="Adebayo et al. 2018, sec. 3.1, independent; mean over layers of the rank correlation (ours)")
def independent_randomisation(model: Model, explanations: Sequence[Explanation], *,
                              layers: int | Sequence[str] | None = None, absolute: bool = False, seed: int = 0,
                              progress: ProgressOption = None) -> np.ndarray:
    """The same with one layer random at a time, all others as trained; arguments as for `cascading_randomisation`."""
    return _mean_likeness("independent", model, explanations, layers, absolute, seed, progress)


@metric(family="sanity", better="lower", needs=("model",), range="-1..1", chance=0.0, passes="two explanations",
        cannot="whether either map is right; and what the question of the explanation has to do with it: it is not asked",
        source="Rebuffi et al. 2020, sec. 4.2 (class sensitivity)")
def class_sensitivity(model: Model, explanations: Sequence[Explanation], *, progress: ProgressOption = None) -> np.ndarray:
    """Pearson's correlation between the method's maps of the likeliest and of the least likely class of each input.

    Lower is better: near 0 or below, the method tells classes apart; 1, it draws the same map for every class. Only method,
    parameters and input of an explanation count. A constant map correlates with nothing: 0.
    """
    found = ways(explanations, "class_sensitivity")
    same_model(model, explanations, "class_sensitivity")
    extremes: dict[str, list[Question]] = {}
    for i, e in enumerate(explanations):
        if e.input_sha256 not in extremes:
            z = model.logits(picture_batch(e, i, model, "class_sensitivity"))[0]
            extremes[e.input_sha256] = [Question((int(z.argmax()),)), Question((int(z.argmin()),))]
    with Progress(len(explanations), "class sensitivity", progress) as bar:
        made = remake(model, explanations, found, "class_sensitivity", bar,
                      questions=lambda i, e: extremes[e.input_sha256])
    return np.array([pearson(*rows[0]) for rows in made])


_FUNCTIONS: dict[type[nn.Module], Callable[[Any], Callable[[torch.Tensor], torch.Tensor]]] = {
    nn.ReLU: lambda m: F.relu, nn.ReLU6: lambda m: F.relu6, nn.SiLU: lambda m: F.silu, nn.Sigmoid: lambda m: torch.sigmoid,
    nn.Tanh: lambda m: torch.tanh, nn.Hardswish: lambda m: F.hardswish, nn.Hardsigmoid: lambda m: F.hardsigmoid,
    nn.GELU: lambda m: lambda x: F.gelu(x, approximate=m.approximate), nn.ELU: lambda m: lambda x: F.elu(x, m.alpha),
    nn.LeakyReLU: lambda m: lambda x: F.leaky_relu(x, m.negative_slope), nn.Softplus: lambda m: lambda x: F.softplus(
        x, m.beta, m.threshold),
}


class _Written(nn.Module):
    """An activation as a function call, in a module of no known kind."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]):
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def _where(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x > 0, x, torch.zeros_like(x))


def rewritten(model: Model, how: str = "functional") -> Model:
    """A copy of the model that computes the same, written otherwise.

    how: "functional": activation modules (ReLU, GELU …) become function calls. "where": ReLU modules become
    ``where(x > 0, x, 0)``, which no method can know for a ReLU. `MethodError` where there is nothing to write otherwise.
    """
    if how not in ("functional", "where"):
        raise InputError(f"how={how!r}; use 'functional' or 'where'.")
    copy = twin(model, "implementation_check")
    kinds = {nn.ReLU: lambda m: _where} if how == "where" else _FUNCTIONS
    places = [(parent, name, kinds[type(child)](child)) for parent in copy.net.modules()
              for name, child in parent.named_children() if type(child) in kinds]
    if not places:
        raise MethodError(f"{model.name} has no {'ReLU' if how == 'where' else 'activation'} modules that could be written "
                          "otherwise; implementation_check needs some.")
    for parent, name, function in places:
        setattr(parent, name, _Written(function))
    return copy


@metric(family="sanity", better="lower", needs=("model",), range="0 and up", passes="one explanation",
        cannot="whether the map is right; only that it does not hang on how the network is written",
        source="ours, after implementation invariance (Sundararajan et al. 2017, sec. 2.2)")
def implementation_check(model: Model, explanations: Sequence[Explanation], *, how: str = "functional",
                         progress: ProgressOption = None) -> np.ndarray:
    """How far a map moves when the same function is written otherwise: ||M' - M|| / ||M||, 0: it does not care.

    how: as for `rewritten`: "functional" (F.relu in place of nn.ReLU, and so on), or "where" (a ReLU in disguise: methods
    with a rule of their own for ReLU cannot know it there). The scores are the same, which is checked. A map that is zero
    everywhere: 0 if it stays so, else infinity. Errors: `MethodError` where there is nothing to write otherwise, where the
    method refuses the other network, and for maps from elsewhere.
    """
    found = ways(explanations, "implementation_check")
    same_model(model, explanations, "implementation_check")
    other = rewritten(model, how)
    x = picture_batch(explanations[0], 0, model, "implementation_check")
    if not torch.allclose(other.logits(x), model.logits(x), rtol=1e-3, atol=1e-4):
        raise MethodError(f"{model.name} gives other scores when its activations are called as functions, so it is not the "
                          "same network: a hook or a subclass may do more than the activation.")
    with Progress(len(explanations), "implementation", progress) as bar:
        made = remake(other, explanations, found, "implementation_check", bar)
    return np.array([_moved(e.values, rows[0][0]) for e, rows in zip(explanations, made, strict=True)])


def _moved(a: np.ndarray, b: np.ndarray) -> float:
    norm, change = float(np.linalg.norm(a)), float(np.linalg.norm(a.astype(np.float64) - b))
    return change / norm if norm > 0 else (0.0 if change == 0 else float("inf"))
