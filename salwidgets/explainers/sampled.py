"""Maps that are a sum over points around or below the input: sum_k gradient(p_k) * f_k.

Noise, blur and random baselines differ only in their points and factors, so they share this core: all points of all
inputs go through the model in full batches, all questions read the same forward passes, and maps already made answer
every later question that is a combination of them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .base import Answer, Columns, Job, Method, apply, one_hot, weights_of
from .gradients import check_channels, input_gradient, need_floats, to_map
from .path import PathEvidence
from .progress import Progress

Draw = Callable[[Tensor, Tensor, int], tuple[Tensor, "Tensor | float"]]


@dataclass(eq=False)
class Points:
    """Where gradients are read. ``draw(j, i, k)``: node k of copy j `[P]` of input i `[P]`, as the point `[P, ...]` and
    the factor of its gradient. A copy's attribution is the sum over its ``nodes``; the map is the sum over copies times
    ``scale``, or with ``spread`` the copies' variance. ``start``: where the path begins `[N, ...]`, if it is one."""

    copies: int
    draw: Draw
    nodes: int = 1
    scale: float = 1.0
    spread: bool = False
    start: Tensor | None = None


class SampledEvidence(PathEvidence):
    """The points of a batch; linear questions within the span of earlier ones cost nothing."""

    points: Points
    label: str
    show: Any

    def answer(self, columns: Columns) -> Answer:
        expected = None
        if self.points.start is not None and self.params["channels"] != "max-abs":
            expected = (apply(columns, self.logits) - apply(columns, self.baseline_logits)).cpu()
        notices: tuple[str, ...] = ()
        if not all(q.linear for column in columns for q in column):
            full, notices = self._integrate(columns, None)
        elif self.info.linear:
            full, notices = self._linear(weights_of(columns, self.logits))
        else:
            full, notices = self._integrate(None, weights_of(columns, self.logits))
        return Answer(to_map(full, self.params["channels"]), expected, notices)

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        return to_map(self._linear(one_hot(classes, self.logits))[0], self.params["channels"])

    def _integrate(self, columns: Columns | None, weights: Tensor | None) -> tuple[Tensor, tuple[str, ...]]:
        bar = self.progress or Progress(len(self.x) * self.points.copies * self.points.nodes, self.label, self.show)
        with self.model.session(), nullcontext(bar) if bar is self.progress else bar:
            return self._collect(columns, weights, bar), ()

    def _collect(self, columns: Columns | None, weights: Tensor | None, bar: Progress) -> Tensor:
        """Attributions `[Q, N, ...]` float32."""
        points = self.points
        q = len(columns) if columns is not None else len(weights)  # type: ignore[arg-type]
        # A variance is a small difference of large sums.
        dtype = torch.float64 if points.spread else torch.float32
        total = torch.zeros(q, *self.x.shape, device=self.x.device, dtype=dtype)
        squares = torch.zeros_like(total) if points.spread else None
        pairs = torch.cartesian_prod(torch.arange(points.copies), torch.arange(len(self.x))).to(self.x.device)
        for part in pairs.split(self.params["batch_size"]):
            j, i = part[:, 0], part[:, 1]
            each: Tensor | None = None
            for k in range(points.nodes):
                at, factor = points.draw(j, i, k)
                g = self._gradient(at, i, columns, weights)
                g = g.mul_(factor) if isinstance(factor, Tensor) or factor != 1.0 else g
                each = g if each is None else each.add_(g)
                bar.step(len(part))
            assert each is not None
            total.index_add_(1, i, each.to(dtype))
            if squares is not None:
                squares.index_add_(1, i, each.to(dtype).square())
        if squares is not None:
            return (squares / points.copies - (total / points.copies).square()).clamp_min(0).float()
        return total * points.scale

    def _gradient(self, at: Tensor, i: Tensor, columns: Columns | None, weights: Tensor | None) -> Tensor:
        """Gradients `[Q, P, ...]` of the questions at points `[P, ...]` that belong to inputs ``i``."""
        with torch.enable_grad():
            leaf = at.detach().to(self.x.dtype).requires_grad_()
            scores = self.model.forward(leaf.clone(), self.task)
            if weights is not None:
                w = weights[:, i]
            else:  # not linear: each point has weights of its own
                w = weights_of([[column[n] for n in i.tolist()] for column in columns or []], scores.detach())
            return input_gradient(scores, leaf, w, retain=False).float()


class Sampled(Method):
    """Base of the family: a method says which points a batch has."""

    label = "sampling"

    @abstractmethod
    def points(self, job: Job) -> Points:
        """The points of one batch."""

    def n_points(self) -> int:
        """Model passes per input and answer."""
        return int(self.params["n_samples"])

    def prepare(self, job: Job) -> SampledEvidence:
        check_channels(self)
        need_floats(self, job.x)
        points = self.points(job)
        with torch.no_grad():
            logits = job.model.forward(job.x, job.task)
            below = None if points.start is None else job.model.forward(points.start, job.task)
        evidence = self.evidence(SampledEvidence, job, logits)
        evidence.points, evidence.known, evidence.label, evidence.show = points, [], self.label, job.progress.show
        if points.start is not None and below is not None:
            evidence.baseline, evidence.baseline_logits = points.start, below
        job.progress.step(self.passes(job.x))
        return evidence

    def answer_passes(self, x: Tensor, questions: int = 1) -> int:
        return len(x) * self.n_points()


def wide(values: Tensor, x: Tensor) -> Tensor:
    """Values `[P]` so that they broadcast over points like ``x``."""
    return values.to(device=x.device, dtype=x.dtype).reshape(-1, *[1] * (x.ndim - 1))
