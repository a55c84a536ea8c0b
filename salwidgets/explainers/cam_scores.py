"""Class activation maps whose channel weights come from scores, not gradients: mask or remove one channel at a time.

Scores of all K classes are kept per channel, so further questions cost no model pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from .base import Answer, Columns, Job, apply, apply_change
from .cam import Cam, CamEvidence
from .cam_gradient import check_choice, weighted
from .heads import PooledHead
from .occlusion import need_images
from .registry import register

_DROP_BYTES = 64_000_000  # what a squeezed head's maps, one per channel and class, may take at once


class ScoreEvidence(CamEvidence):
    """Scores `[N, C, K]` of the input seen through each channel's mask."""

    scores: Tensor

    def answer(self, columns: Columns) -> Answer:
        maps = weighted(apply(columns, self.scores).softmax(-1), self.probe.features)
        return Answer(maps.relu() if self.params["relu"] else maps)

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        return weighted(self.scores[..., list(classes)].movedim(-1, 0).softmax(-1), self.probe.features)


@register(name="score-cam", family="cam", linear=False, signed=False, complete=False, needs=("features", "scores"),
          passes="1 + channels forwards", seed=False, source="Wang et al. 2020, eq. 4 to 7")
class ScoreCam(Cam):
    """w_k = softmax over channels of the score of x M_k, with M_k the channel upsampled (corners aligned) and scaled
    to [0, 1] (ref). Scores are logits, in the question's units.

    batch_size: masked copies per model pass. Weights are positive: the map shows where features are, more than what
    speaks against.
    """

    defaults: ClassVar[dict[str, Any]] = {**Cam.defaults, "batch_size": 64}
    evidence_kind = ScoreEvidence

    def prepare(self, job: Job) -> CamEvidence:
        need_images(self, job.x)
        evidence, x = super().prepare(job), job.x
        assert isinstance(evidence, ScoreEvidence)
        a = evidence.probe.features
        found = []
        _foresee(job, a.shape[1])
        with torch.no_grad():
            for part in torch.arange(a.shape[0] * a.shape[1], device=x.device).split(self.params["batch_size"]):
                n, k = part // a.shape[1], part % a.shape[1]
                seen = x[n] if len(x) > 1 else x
                found.append(job.model.forward(seen * channel_masks(a[n, k], x.shape[-2:]).to(x.dtype), job.task))
                job.progress.step(len(part))
        evidence.scores = torch.cat(found).unflatten(0, tuple(a.shape[:2]))
        return evidence


def _foresee(job: Job, channels: int) -> None:
    """Tell the bar of a pass for every channel of every input, as soon as the channels are known."""
    if job.first == 0:
        job.progress.expect(channels * job.total)


def channel_masks(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps `[B, h, w]` upsampled to ``size`` and scaled to [0, 1], `[B, 1, H, W]`; a constant map is 0."""
    up = torch.nn.functional.interpolate(maps[:, None], size=tuple(size), mode="bilinear", align_corners=True)
    low, high = up.amin((-2, -1), keepdim=True), up.amax((-2, -1), keepdim=True)
    return up.sub_(low).div_(high.sub_(low).add_(1e-8))


class AblationEvidence(CamEvidence):
    """What every channel's absence takes from the scores: ``drops`` `[N, C, K]`, or, where the head squeezes a map of
    class scores, that map ``z`` `[N, K, h, w]` from which they follow."""

    drops: Tensor | None = None
    z: Tensor | None = None

    def answer(self, columns: Columns) -> Answer:
        if all(c.linear for column in columns for c in column):
            weights = self.question_weights(columns)
            used = weights.flatten(0, 1).abs().amax(0).nonzero().flatten()
            w = torch.einsum("qnr,ncr->qnc", weights[..., used], self.dropped(used.tolist()))
        else:
            w = apply_change(columns, self.dropped(range(self.logits.shape[1])), self.logits[:, None])
        if self.params["variant"] == "reference":
            w = w / apply(columns, self.logits)[..., None]
        maps = weighted(w, self.probe.features)
        return Answer(maps.relu() if self.params["relu"] else maps)

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        return weighted(self.dropped(classes).movedim(-1, 0), self.probe.features)

    def dropped(self, classes: Sequence[int]) -> Tensor:
        """score - score without channel k, `[N, C, R]`, for single classes."""
        if self.drops is not None:
            return self.drops[..., list(classes)]
        assert self.z is not None and self.probe.head is not None
        a, z, w = self.probe.features, self.z[:, list(classes)], self.probe.head.weight[list(classes)]
        size = max(1, _DROP_BYTES // (4 * a[:, 0].numel() * len(w)))
        full = z.relu().mean((-2, -1))[:, None]
        parts = [full - (z[:, None] - torch.einsum("rc,nchw->ncrhw", wc, ac)).relu().mean((-2, -1))
                 for wc, ac in zip(w.split(size, 1), a.split(size, 1), strict=True)]
        return torch.cat(parts, 1)


@register(name="ablation-cam", family="cam", linear=True, signed=True, complete=False, needs=("features", "scores"),
          passes="1 forward, or 1 + channels where the head is no pooling and linear layer", seed=False,
          source="Desai & Ramaswamy 2020, eq. 3, not divided by the score")
class AblationCam(Cam):
    """w_k = y - y_k, what the score loses when channel k is 0 at the layer (ours: the published y divides by y, which
    turns the map over where y < 0; ``variant="reference"`` does that, and is not linear in the question).

    Where the head is pooling and one linear layer every y_k is known in closed form; otherwise the network runs once
    per channel, ``batch_size`` at a time. On tokens, the channel is removed from the cells of the map.
    """

    defaults: ClassVar[dict[str, Any]] = {**Cam.defaults, "variant": "difference", "batch_size": 64}
    evidence_kind = AblationEvidence

    def prepare(self, job: Job) -> CamEvidence:
        check_choice(self, "variant", "difference", "reference")
        evidence = super().prepare(job)
        assert isinstance(evidence, AblationEvidence)
        if self.params["variant"] == "reference":
            evidence.info = replace(evidence.info, linear=False)
        head = evidence.probe.head
        if head is None:
            evidence.drops = evidence.logits[:, None] - self._without_each(job, evidence)
        elif head.outer is None:
            evidence.drops = closed_drops(evidence.probe.features, head)
        else:
            evidence.z = squeezed(job, evidence)
        return evidence

    def _without_each(self, job: Job, evidence: CamEvidence) -> Tensor:
        """Scores `[N, C, K]` with one channel of the layer's output at 0."""
        layer, (count, channels) = evidence.probe.layer, evidence.probe.features.shape[:2]
        found = []
        _foresee(job, channels)
        with torch.no_grad():
            for part in torch.arange(count * channels, device=job.x.device).split(self.params["batch_size"]):
                def remove(t: Tensor, k: Tensor = part % channels) -> Tensor:
                    t = t.clone()
                    layer.layout.to_map(t)[torch.arange(len(k), device=t.device), k] = 0
                    return t

                with job.model.replaced({layer.name: remove}, call=layer.calls):
                    found.append(job.model.forward(job.x[part // channels], job.task))
                job.progress.step(len(part))
        return torch.cat(found).unflatten(0, (count, channels))


def closed_drops(a: Tensor, head: PooledHead) -> Tensor:
    """W[k, c] mean(act(A_c)), `[N, C, K]`: what logit k of a pooled linear head loses without channel c."""
    seen = a if head.inner is None else a * head.inner
    return seen.mean((-2, -1))[..., None] * head.weight.T


def squeezed(job: Job, evidence: CamEvidence) -> Tensor:
    """The map of class scores W A + b `[N, K, h, w]`, before its relu (one in place has overwritten what ran)."""
    name, head = evidence.probe.layer.head, evidence.probe.head
    assert name is not None and head is not None
    bias = job.model.net.get_submodule(name).bias
    z = torch.einsum("kc,nchw->nkhw", head.weight, evidence.probe.features)
    return z if bias is None else z + bias.detach().float()[:, None, None]
