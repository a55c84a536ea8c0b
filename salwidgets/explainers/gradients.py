"""Gradients at the input. The forward graph is kept, so a question costs one backward pass; several go in one batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import MethodError
from .backward import gradients
from .base import Answer, BatchEvidence, Columns, Job, Method, one_hot, weights_of
from .registry import register

_AT_ONCE = 8  # questions per batched backward: each holds a copy of every activation's gradient
_FILLS_A_CPU = 50_000  # input values from which a batched backward is no faster there, and up to 1.4 times slower

ANY = ("image", "series", "volume", "tabular")


def to_map(attribution: Tensor, channels: str) -> Tensor:
    """Attributions `[..., N, C, *space]` as maps: colour channels are summed with their sign ("sum", the default),
    the channel of largest magnitude is taken ("max-abs"), or all are kept ("none"). Series `[C, L]` keep theirs."""
    spatial = attribution.ndim - 3  # [Q, N, C, *space]
    if channels == "none" or spatial < 2:
        return attribution
    if channels == "sum":
        return attribution.sum(2)
    return attribution.gather(2, attribution.abs().argmax(2, keepdim=True)).squeeze(2)


def check_channels(method: Method) -> None:
    """Raises `MethodError` for an unknown ``channels``."""
    if method.params["channels"] not in ("sum", "max-abs", "none"):
        raise MethodError(f"{method.info.name}: channels={method.params['channels']!r}; use 'sum', 'max-abs' or 'none'.")


def need_floats(method: Method, x: Tensor) -> None:
    """Raises `MethodError` unless ``x`` holds floats."""
    if not x.is_floating_point():
        raise MethodError(f"{method.info.name} needs inputs of floats; these are {x.dtype}. Use occlusion or rise.")


def input_gradient(scores: Tensor, leaf: Tensor, weights: Tensor, retain: bool) -> Tensor:
    """d (weights . scores) / d leaf, `[Q, N, ...]`, for weights `[Q, N, K]`; each input's own gradient."""
    if not scores.requires_grad:
        raise MethodError("the model's output does not depend on its input in a differentiable way (it may run under "
                          "no_grad, or look inputs up by index). Use occlusion or rise, which need scores only.")
    parts = weights.split(1 if leaf.device.type == "cpu" and leaf.numel() >= _FILLS_A_CPU else _AT_ONCE)
    found = [gradients(scores, [leaf], part, retain=retain or i + 1 < len(parts), allow_unused=False)[0]
             for i, part in enumerate(parts)]
    return found[0] if len(found) == 1 else torch.cat(found)


class GradientEvidence(BatchEvidence):
    """The forward graph of a batch, from the scores down to the input."""

    leaf: Tensor
    graph: Tensor
    way: Gradient

    def answer(self, columns: Columns) -> Answer:
        return Answer(self._maps(weights_of(columns, self.logits)))

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        return self._maps(one_hot(classes, self.logits))

    def _maps(self, weights: Tensor) -> Tensor:
        with torch.enable_grad():
            g = input_gradient(self.graph, self.leaf, weights, retain=True)
        return to_map(self.way.attribute(self.leaf.detach(), g).float(), self.params["channels"])


class Gradient(Method):
    """Base of the family: a method says what input `[N, ...]` and gradient `[Q, N, ...]` make."""

    defaults = {"channels": "sum"}

    def attribute(self, x: Tensor, g: Tensor) -> Tensor:
        """Attributions `[Q, N, ...]`."""
        raise TypeError(f"{type(self).__name__} must say what input and gradient make")

    def prepare(self, job: Job) -> GradientEvidence:
        check_channels(self)
        need_floats(self, job.x)
        if "input graph" not in job.shared:
            with torch.enable_grad():
                leaf = job.x.detach().clone().requires_grad_()
                job.shared["input graph"] = leaf, job.model.forward(leaf.clone(), job.task)
        leaf, scores = job.shared["input graph"]
        evidence = self.evidence(GradientEvidence, job, scores.detach())
        evidence.leaf, evidence.graph, evidence.way = leaf, scores, self
        job.progress.step(len(job.x))
        return evidence


@register(name="input-x-gradient", family="gradient", linear=True, signed=True, complete=False, needs=("gradients",),
          passes="1 forward, 1 backward", seed=False, modality=ANY, source="Shrikumar et al. 2016")
class InputXGradient(Gradient):
    """Input times gradient: the score's first-order change if each value went to zero."""

    def attribute(self, x: Tensor, g: Tensor) -> Tensor:
        return g * x


@register(name="saliency", family="gradient", linear=True, signed=True, complete=False, needs=("gradients",),
          passes="1 forward, 1 backward", seed=False, modality=ANY, source="Simonyan et al. 2013, without the abs")
class Saliency(Gradient):
    """The gradient with its sign; ``channels="max-abs"`` and an abs of the values give the published picture."""

    def attribute(self, x: Tensor, g: Tensor) -> Tensor:
        return g
