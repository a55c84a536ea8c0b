"""Integrated gradients: (x - x') times the gradient averaged along the straight path from the baseline x'.

The maps already computed are kept with their weights: a later question that is a combination of them (a contrast
of two classes that were asked) is a weighted sum and costs no model pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..errors import MethodError
from . import baselines
from .base import Answer, BatchEvidence, Columns, Job, Method, apply, one_hot, weights_of
from .gradients import ANY, check_channels, input_gradient, need_floats, to_map
from .progress import Progress
from .registry import register

_RULES = ("gauss-legendre", "trapezoid", "riemann-left", "riemann-right", "riemann-middle")
_MOST_STEPS = 512


def quadrature(rule: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1], float64 `[n]` each; the trapezoid of ``steps`` intervals has steps + 1 nodes."""
    if rule == "gauss-legendre":
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        return (nodes + 1) / 2, weights / 2
    if rule == "trapezoid":
        nodes = np.linspace(0, 1, steps + 1)
        weights = np.full(steps + 1, 1 / steps)
        weights[[0, -1]] /= 2
        return nodes, weights
    shift = {"riemann-left": 0.0, "riemann-middle": 0.5, "riemann-right": 1.0}[rule]
    return (np.arange(steps) + shift) / steps, np.full(steps, 1 / steps)


class PathEvidence(BatchEvidence):
    """Input, baseline and the maps computed so far; linear questions within their span cost nothing."""

    baseline: Tensor
    baseline_logits: Tensor
    way: IntegratedGradients
    known: list[tuple[Tensor, Tensor]]
    ends: tuple[Tensor, Tensor] | None = None
    """Inputs and baselines `[2 N, ...]` and their scores with a graph, until the first question has read its slopes."""

    def answer(self, columns: Columns) -> Answer:
        expected = apply(columns, self.logits) - apply(columns, self.baseline_logits)
        if all(q.linear for column in columns for q in column):
            full, notices = self._linear(weights_of(columns, self.logits))
        else:
            full, notices = self._integrate(columns, None)
        channels = self.params["channels"]
        maps = to_map(full, channels)
        return Answer(maps, None if channels == "max-abs" else expected.cpu(), notices)

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        return to_map(self._linear(one_hot(classes, self.logits))[0], self.params["channels"])

    def _linear(self, weights: Tensor) -> tuple[Tensor, tuple[str, ...]]:
        """Attributions `[Q, N, ...]` of weights `[Q, N, K]`: combined from what is known, integrated where not."""
        mixtures = [self._mixture(w) for w in weights]
        fresh = [i for i, m in enumerate(mixtures) if m is None]
        notices: tuple[str, ...] = ()
        made: dict[int, Tensor] = {}
        if fresh:
            full, notices = self._integrate(None, weights[fresh])
            for i, attribution in zip(fresh, full, strict=True):
                made[i] = attribution
                self.known.append((weights[i].clone(), attribution))
        rows = []
        for i, mixture in enumerate(mixtures):
            if mixture is None:
                rows.append(made[i])
            else:
                stack = torch.stack([a for _, a in self.known[:mixture.shape[0]]])
                rows.append(torch.einsum("rn,rn...->n...", mixture, stack))
        return torch.stack(rows), notices

    def _mixture(self, w: Tensor) -> Tensor | None:
        """Coefficients `[R, N]` that make ``w`` `[N, K]` from the known weights, or None if they do not span it."""
        if not self.known:
            return None
        span = torch.stack([k for k, _ in self.known]).permute(1, 2, 0).double().cpu()  # [N, K, R]
        wanted = w.double().cpu()[..., None]
        c = torch.linalg.pinv(span) @ wanted
        if float((span @ c - wanted).abs().max()) > 1e-6 * max(1e-12, float(wanted.abs().max())):
            return None
        return c[..., 0].T.to(device=w.device, dtype=torch.float32)

    def _integrate(self, columns: Columns | None, weights: Tensor | None) -> tuple[Tensor, tuple[str, ...]]:
        bar = self.progress or Progress(self.way.answer_passes(self.x), "integrating", self.way.show)
        with self.model.session(), nullcontext(bar) if bar is self.progress else bar:
            if self.params["until"] is None:
                nodes, w = quadrature(self.params["rule"], self.params["steps"])
                return self._sum(nodes, w, columns, weights, bar), ()
            return self._until(float(self.params["until"]), columns, weights, bar)

    def _sum(self, nodes: np.ndarray, node_weights: np.ndarray, columns: Columns | None, weights: Tensor | None,
             bar: Progress) -> Tensor:
        """sum over nodes of weight * gradient * (x - x'), `[Q, N, ...]` float32."""
        n, size = len(self.x), self.params["batch_size"]
        step = (self.x - self.baseline)
        q = len(columns) if columns is not None else len(weights)  # type: ignore[arg-type]
        total = torch.zeros(q, *self.x.shape, device=self.x.device)
        pairs = torch.cartesian_prod(torch.arange(len(nodes)), torch.arange(n))
        at = torch.as_tensor(nodes, dtype=self.x.dtype, device=self.x.device)
        share = torch.as_tensor(node_weights, dtype=torch.float32, device=self.x.device)
        for part in pairs.split(size):
            k, i = part[:, 0].to(self.x.device), part[:, 1].to(self.x.device)
            shape = (-1, *[1] * (self.x.ndim - 1))
            with torch.enable_grad():
                leaf = (self.baseline[i] + at[k].reshape(shape) * step[i]).requires_grad_()
                scores = self.model.forward(leaf.clone(), self.task)
                if weights is not None:
                    w = weights[:, i]
                else:  # not linear: each point of the path has weights of its own
                    w = weights_of([[column[j] for j in i.tolist()] for column in columns or []], scores.detach())
                g = input_gradient(scores, leaf, w, retain=False)
            total.index_add_(1, i, g.float() * share[k].reshape(shape))
            bar.step(len(part))
        return total * step.float()

    def _until(self, tolerance: float, columns: Columns | None, weights: Tensor | None,
               bar: Progress) -> tuple[Tensor, tuple[str, ...]]:
        """Nested trapezoids: intervals double, earlier gradients are used again, until the map stops changing."""
        steps = 16
        nodes, shares = quadrature("trapezoid", steps)
        if self.ends is None:
            current = self._sum(nodes, shares, columns, weights, bar)
        else:
            (leaf, scores), self.ends = self.ends, None
            if columns is None:
                assert weights is not None
                w = weights.repeat(1, 2, 1)
            else:
                w = weights_of([column * 2 for column in columns], scores.detach())
            slopes = input_gradient(scores, leaf, w, retain=False).float().unflatten(1, (2, len(self.x)))
            current = slopes.sum(1) * float(shares[0]) * (self.x - self.baseline).float()
            current = current + self._sum(nodes[1:-1], shares[1:-1], columns, weights, bar)
        while steps < _MOST_STEPS:
            middle, _ = quadrature("riemann-middle", steps)
            finer = (current + self._sum(middle, np.full(steps, 1 / steps), columns, weights, bar)) / 2
            steps *= 2
            change = (finer - current).flatten(2).abs().sum(2) / finer.flatten(2).abs().sum(2).clamp_min(1e-20)
            current = finer
            if float(change.max()) < tolerance:
                return current, (f"the integral settled at {steps} steps (map changed by {float(change.max()):.2%}).",)
        return current, (f"the integral had not settled within {tolerance:.1%} after {steps} steps "
                         f"(last change {float(change.max()):.1%}).",)


@register(name="integrated-gradients", family="path", linear=True, signed=True, complete=True, needs=("gradients",),
          passes="50 forwards and backwards", seed=False, modality=ANY,
          source="Sundararajan et al. 2017, eq. 1")
class IntegratedGradients(Method):
    """Integrated gradients.

    baseline: see `baselines.make`. steps and rule: the quadrature ("gauss-legendre", "trapezoid" or
    "riemann-left", "-middle", "-right"). until: a relative change of the map below which doubling stops
    (from 16 steps, at most 512); it takes the place of steps and rule. The stopping rule is ours.
    """

    defaults: ClassVar[dict[str, Any]] = {"baseline": "zero", "steps": 50, "rule": "gauss-legendre", "until": None,
                                "channels": "sum", "batch_size": 32, "seed": 0}
    show: Any = None

    def prepare(self, job: Job) -> PathEvidence:
        check_channels(self)
        if self.params["rule"] not in _RULES:
            raise MethodError(f"{self.info.name}: rule={self.params['rule']!r} is unknown; choose one of "
                              f"{', '.join(_RULES)}.")
        until = self.params["until"]
        if until is not None and not (isinstance(until, (int, float)) and 0 < until < 1):
            raise MethodError(f"{self.info.name}: until={until!r}; give a share between 0 and 1, for example 0.02.")
        need_floats(self, job.x)
        baseline = baselines.of(job, self.params["baseline"], self.params["seed"])
        ends = self._ends(job, baseline)
        with torch.no_grad():
            below = ends[1][len(job.x):] if ends else job.model.forward(baseline, job.task)
            logits = ends[1][:len(job.x)] if ends else job.model.forward(job.x, job.task)
        self.show = job.progress.show
        evidence = self.evidence(PathEvidence, job, logits.detach())
        evidence.baseline, evidence.baseline_logits, evidence.ends = baseline, below.detach(), ends
        evidence.way, evidence.known = self, []
        job.progress.step(2 * len(job.x))
        return evidence

    def _ends(self, job: Job, baseline: Tensor) -> tuple[Tensor, Tensor] | None:
        """Both ends of the paths and their scores with a graph, where they are nodes and fit into one pass: the
        passes that give the scores give the slopes, too."""
        if self.params["until"] is None or 2 * len(job.x) > self.params["batch_size"]:
            return None
        with torch.enable_grad():
            leaf = torch.cat([job.x, baseline]).detach().requires_grad_()
            return leaf, job.model.forward(leaf.clone(), job.task)

    def passes(self, x: Tensor) -> int:
        return 2 * len(x)

    def answer_passes(self, x: Tensor, questions: int = 1) -> int:
        return len(x) * (self.params["steps"] if self.params["until"] is None else 31)
