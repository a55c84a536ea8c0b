"""Mean or variance of another method's maps over noisy copies of the input: what SmoothGrad and VarGrad do around
methods that are more than a gradient at a point."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..errors import MethodError
from .base import Answer, BatchEvidence, Columns, Job, Method, keywords
from .gradients import to_map
from .progress import Progress
from .registry import get


def base_of(name: str, of: str, given: dict[str, object] | None, own: dict[str, object]) -> Method:
    """The method called ``of`` with its parameters ``given``, its channels kept apart; ``own``: of those that carry it,
    those that it has too. `MethodError` where its maps are no attributions of the input's values."""
    kind = get(of)
    values = kind.info.family in ("gradient", "path", "relevance") and "channels" in kind.defaults
    if not values or kind.info.name in ("smoothgrad", "vargrad"):
        raise MethodError(f"{name}: of={of!r} has no value for every input value; choose saliency, input-x-gradient, "
                          "integrated-gradients, blur-ig, guided-ig, deeplift, guided-backprop, deconvnet or lrp.")
    params = keywords(name, "of_params", given, kind)
    if "channels" in params:
        raise MethodError(f"{name}: channels are combined after the noise is averaged; give channels=, not of_params.")
    return kind(**{**{k: v for k, v in own.items() if k in kind.defaults}, **params, "channels": "none"})


class NoisyEvidence(BatchEvidence):
    """The copies' noise: every question asks the base method about every copy.

    noise: `[n, ...]`; sigma: `[N, 1, ...]`. Memory: the base method's for ``at_once`` copies of the batch.
    """

    way: Method
    job: Job
    noise: Tensor
    sigma: Tensor
    spread: bool
    at_once: int

    def answer(self, columns: Columns) -> Answer:
        bar = self.progress or Progress(len(self.noise) * len(self.x), "adding noise", self.job.progress.show)
        told: tuple[str, ...] = ()
        with nullcontext(bar) if bar is self.progress else bar:
            total, squares = 0.0, 0.0
            for part in self.noise.split(self.at_once):
                evidence = self._prepared(part)
                found = evidence.answer([column * len(part) for column in columns])
                maps = found.maps.double().unflatten(1, (len(part), len(self.x)))
                total, squares = total + maps.sum(1), squares + maps.square().sum(1)
                told = tuple(dict.fromkeys((*told, *evidence.notices, *found.notices)))
                bar.step(len(part) * len(self.x))
        return Answer(to_map(self._made(total, squares), self.params["channels"]), notices=told)

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        total, squares = 0.0, 0.0
        for part in self.noise.split(self.at_once):
            maps = self._prepared(part).class_maps(classes).double().unflatten(1, (len(part), len(self.x)))
            total, squares = total + maps.sum(1), squares + maps.square().sum(1)
        return to_map(self._made(total, squares), self.params["channels"])

    def _made(self, total: Tensor | float, squares: Tensor | float) -> Tensor:
        assert isinstance(total, Tensor) and isinstance(squares, Tensor)
        n = len(self.noise)
        return ((squares / n - (total / n).square()).clamp_min(0) if self.spread else total / n).float()

    def _prepared(self, part: Tensor) -> BatchEvidence:
        """The base method's evidence of some copies of all inputs."""
        copies = (self.x + part[:, None] * self.sigma).flatten(0, 1)
        silent = Progress(0, "", False)
        with torch.inference_mode(False), self.model.session():
            evidence = self.way.prepare(replace(self.job, x=copies, shared={}, progress=silent))
        evidence.progress = silent
        return evidence


def prepare(method: Method, way: Method, job: Job, noise: Tensor, sigma: Tensor, spread: bool) -> NoisyEvidence:
    """The evidence of ``method``, which is ``way`` on noisy copies of the batch."""
    with torch.no_grad():
        logits = job.model.forward(job.x, job.task)
    job.progress.step(len(job.x))
    evidence = method.evidence(NoisyEvidence, job, logits)
    evidence.way, evidence.job, evidence.noise, evidence.sigma, evidence.spread = way, job, noise, sigma, spread
    rows = any(isinstance(v, (Tensor, np.ndarray)) for v in way.params.values())  # they are of the inputs, not of copies
    evidence.at_once = 1 if rows else max(1, int(method.params["batch_size"]) // len(job.x))
    return evidence
