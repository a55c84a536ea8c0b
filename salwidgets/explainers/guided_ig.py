"""Guided integrated gradients: a path that first moves what the score hardly depends on.

Every question on every input has a path of its own, whose steps follow each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..errors import MethodError
from . import baselines
from .base import Answer, BatchEvidence, Columns, Job, Method, apply, one_hot, weights_of
from .gradients import check_channels, input_gradient, need_floats, to_map
from .progress import Progress
from .registry import register

_CLOSE = 1e-9


def advance(t: Tensor, g: Tensor, length: Tensor, share: float, fraction: float, max_dist: float) -> Tensor:
    """One step of the path, for rows of values `[R, D]` (float64) that have gone shares ``t`` of their ways (2: of no way
    at all) of ``length``: they go on until 1 - ``share`` of all their lengths is left. Values of smallest |``g``| move
    first, ``fraction`` of all at a time; none strays more than ``max_dist`` from ``share``."""
    ahead, behind = min(share + max_dist, 1.0), max(share - max_dist, 0.0)
    whole = length.sum(1)
    close = _CLOSE * (whole * (1 - share)).clamp_min_(1.0)
    t = t.clamp_min(behind)
    size = g.abs().masked_fill_(t >= ahead, torch.inf)
    rank = int(fraction * (t.shape[1] - 1)) + 1
    open_rows = torch.arange(len(t), device=t.device)
    while len(open_rows):
        gap = whole[open_rows] * share - torch.linalg.vecdot(_take(length, open_rows), _take(t, open_rows))
        # A distance above the target by rounding only is no gap; below it, a later step catches up.
        wanted = gap > close[open_rows]
        open_rows, gap = open_rows[wanted], gap[wanted]
        if not len(open_rows):
            break
        order, here = _take(size, open_rows), _take(t, open_rows)
        threshold = order.kthvalue(rank, dim=1, keepdim=True).values
        chosen = order <= threshold.clamp_max_(torch.finfo(order.dtype).max)
        way = (ahead - here).mul_(chosen)
        room = torch.linalg.vecdot(_take(length, open_rows), way)
        part = torch.where(room > 0, (gap / room.clamp_min(1e-300)).clamp_max(1.0), 1.0)
        arrived = (part >= 1)[:, None] & chosen
        t = _put(t, open_rows, torch.where(arrived, ahead, here.addcmul(way, part[:, None])))
        size = _put(size, open_rows, order.masked_fill_(arrived, torch.inf))
        open_rows = open_rows[arrived.any(1)]
    return t


def _take(t: Tensor, rows: Tensor) -> Tensor:
    """Rows of ``t``; all of them, which is the rule, are no copy."""
    return t if len(rows) == len(t) else t[rows]


def _put(t: Tensor, rows: Tensor, values: Tensor) -> Tensor:
    """``t`` with ``values`` in some rows; they themselves, if they are all."""
    return values if len(rows) == len(t) else t.index_copy_(0, rows, values)


class GuidedIGEvidence(BatchEvidence):
    """Input and baseline; every question walks its own path."""

    baseline: Tensor
    baseline_logits: Tensor
    show: Any

    def answer(self, columns: Columns) -> Answer:
        linear = all(q.linear for column in columns for q in column)
        full = self._walk(None if linear else columns, weights_of(columns, self.logits))
        expected = apply(columns, self.logits) - apply(columns, self.baseline_logits)
        channels = self.params["channels"]
        return Answer(to_map(full, channels), None if channels == "max-abs" else expected.cpu())

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        return to_map(self._walk(None, one_hot(classes, self.logits)), self.params["channels"])

    def _walk(self, columns: Columns | None, weights: Tensor) -> Tensor:
        """Attributions `[Q, N, ...]`."""
        q, n = len(weights), len(self.x)
        rows = torch.cartesian_prod(torch.arange(q), torch.arange(n)).to(self.x.device)
        bar = self.progress or Progress(len(rows) * (int(self.params["steps"]) + 1), "walking", self.show)
        with self.model.session(), nullcontext(bar) if bar is self.progress else bar:
            parts = [self._paths(part, columns, weights, bar) for part in rows.split(int(self.params["at_once"]))]
        return torch.cat(parts).reshape(q, n, *self.x.shape[1:]).float()

    def _paths(self, rows: Tensor, columns: Columns | None, weights: Tensor, bar: Progress) -> Tensor:
        """Attributions `[R, D]` of pairs (question, input) `[R, 2]`."""
        i, steps, released = rows[:, 1], int(self.params["steps"]), self.params["rule"] == "left"
        # The walk is kept in more digits than the network has: its length is measured at every step.
        start, end = self.baseline[i].flatten(1).double(), self.x[i].flatten(1).double()
        way = end - start
        # Where every value is, as a share of its way, which is a number to compare with; 2 where there is none to go.
        t, total = (way == 0).double() * 2, torch.zeros_like(way)
        length, g = way.abs(), self._gradient(start, rows, columns, weights)
        bar.step(len(rows))
        for step in range(1, steps + 1):
            moved = advance(t, g, length, step / steps, self.params["fraction"], self.params["max_dist"])
            gone, t, slope = moved - t, moved, g
            if not released or step < steps:
                after = self._gradient(torch.lerp(start, end, t), rows, columns, weights)  # exactly the end where t is 1
                slope, g = g if released else (g + after) / 2, after
                bar.step(len(rows))
            total += gone.mul_(slope)
        return total * way

    def _gradient(self, x: Tensor, rows: Tensor, columns: Columns | None, weights: Tensor) -> Tensor:
        """Gradients `[R, D]` of each row's own question at points `[R, D]`."""
        with torch.enable_grad():
            leaf = x.to(self.x.dtype).reshape(-1, *self.x.shape[1:]).requires_grad_()
            scores = self.model.forward(leaf.clone(), self.task)
            w = weights[rows[:, 0], rows[:, 1]]
            if columns is not None:  # not linear: each point of a path has weights of its own
                w = torch.cat([weights_of([[columns[q][n]]], scores.detach()[r:r + 1])[0]
                               for r, (q, n) in enumerate(rows.tolist())])
            return input_gradient(scores, leaf, w[None], retain=False)[0].flatten(1)


@register(name="guided-ig", family="path", linear=False, signed=True, complete=False, needs=("gradients",),
          passes="51 forwards and backwards for each question", seed=False,
          modality=("image", "series", "volume", "tabular"), source="Kapishnikov et al. 2021, algorithm 1 (ref)")
class GuidedIG(Method):
    """Integrated gradients along a path that moves the values of smallest |gradient| first.

    A step walks 1 / ``steps`` of the L1 distance from the baseline to the input; in it, the ``fraction`` of values with
    the smallest gradients goes first, and no value strays further than ``max_dist`` (a share of its own way) from the
    straight line: 0 is integrated gradients, 1 lets the path go anywhere between. baseline: see `baselines.make`. The
    path depends on the question, so the method is not linear. Map `[N, H, W]`, signed.

    rule: "trapezoid" takes the mean gradient of both ends of a step (ours, 50 steps); "left" that of its beginning
    (ref, 200 steps). The sum is compared with score(x) - score(baseline), but not promised: a path that follows small
    gradients slides along the kinks of ReLU, where more steps do not close a gap of one or two per cent.

    at_once: paths walked in one batch. Which of nearly equal gradients goes first depends on their last digit, and that
    on the batch: with 1, an input has the same map alone or in company (ours); more is faster on a GPU.
    """

    defaults: ClassVar[dict[str, Any]] = {"baseline": "zero", "steps": 50, "fraction": 0.25, "max_dist": 0.02,
                                          "rule": "trapezoid", "channels": "sum", "at_once": 1, "seed": 0}

    def prepare(self, job: Job) -> GuidedIGEvidence:
        check_channels(self)
        need_floats(self, job.x)
        for name in ("fraction", "max_dist"):
            self.number(name, below=1.0)
        if self.params["rule"] not in ("trapezoid", "left"):
            raise MethodError(f"guided-ig: rule={self.params['rule']!r}; use 'trapezoid' or 'left'.")
        baseline = baselines.of(job, self.params["baseline"], self.params["seed"])
        with torch.no_grad():
            logits, below = job.model.forward(job.x, job.task), job.model.forward(baseline, job.task)
        evidence = self.evidence(GuidedIGEvidence, job, logits)
        evidence.baseline, evidence.baseline_logits, evidence.show = baseline, below, job.progress.show
        job.progress.step(2 * len(job.x))
        return evidence

    def passes(self, x: Tensor) -> int:
        return 2 * len(x)

    def answer_passes(self, x: Tensor, questions: int = 1) -> int:
        return questions * len(x) * (int(self.params["steps"]) + 1)
