"""Class activation maps. One probe per batch: the graph is cut at the features, so a question costs the head only.

A method of this family says how features A `[N, C, h, w]` and gradients g = d score / d A `[Q, N, C, h, w]` make
maps `[Q, N, h, w]`. Maps stay signed; ``relu=True`` cuts the negative part off as the papers do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..errors import MethodError, ModelError
from ..models import Model
from ..models.attention import reads_class_token
from ..models.layers import FeatureLayer
from ..tasks import Task
from .backward import gradients
from .base import Answer, BatchEvidence, Columns, Job, Method, one_hot, weights_of
from .heads import PooledHead, pooled_head
from .registry import register

_GRADIENT_BYTES = 256_000_000  # bound on the gradients held at once; more questions are answered in parts
_KEPT_BYTES = 64_000_000  # gradients of the last question, kept for the next method that asks it

TOKEN_NOTICE = ("This network classifies from a class token: maps of this kind can be near chance on such networks. "
                "Compare with occlusion or rise before you rely on it.")


class FeatureProbe:
    """One forward pass with the graph cut at the feature layer; gradients of any question cost the head only."""

    def __init__(self, model: Model, x: Tensor, layer: str | None, task: Task | None):
        self.layer: FeatureLayer = model.feature_layer(x, layer)
        after = [self.layer.head] if self.layer.head and task is None else []
        with torch.enable_grad(), model.captured([self.layer.name]) as found, model.captured(after, cut=False) as head:
            self._scores = model.forward(x, task)
        leaf = found[self.layer.name].tensor
        if leaf is None:
            raise ModelError(f"layer {self.layer.name!r} did not run; choose a layer that every input passes.")
        self._leaf = leaf
        self.features = self.layer.layout.to_map(leaf.detach()).float()
        self.logits = self._scores.detach()
        self._last: tuple[Tensor, Tensor] | None = None
        self.head: PooledHead | None = None
        for name in after:
            z = head[name].tensor
            if z is not None:
                self.head = pooled_head(model.net.get_submodule(name), self.features, z.detach(), self.logits)

    def gradients(self, weights: Tensor) -> Tensor:
        """d (weights . logits) / d features, `[Q, N, C, h, w]`, for weights `[Q, N, K]`."""
        if not self._scores.requires_grad:
            raise MethodError("the model's output does not depend on the feature layer in a differentiable way (it "
                              "may run under no_grad). Use occlusion or rise, which need scores only.")
        w = weights.to(self._scores.dtype)
        if self._last is not None and torch.equal(self._last[0], w):
            return self._last[1]
        g = gradients(self._scores, [self._leaf], w)[0]
        maps = self.layer.layout.to_map(g).float()
        self._last = (w, maps) if maps.numel() * 4 <= _KEPT_BYTES else None
        return maps


class CamEvidence(BatchEvidence):
    """Features with the head's graph; see `FeatureProbe`."""

    cheap_basis: ClassVar[bool] = True
    probe: FeatureProbe
    way: Cam

    def answer(self, columns: Columns) -> Answer:
        weights = self.question_weights(columns)
        used = weights.flatten(0, 1).abs().amax(0).nonzero().flatten()
        # A closed head gives class maps for next to nothing; otherwise fewer classes than questions save passes.
        if self.info.linear and (self._closed() or len(used) < len(weights)):
            maps = torch.einsum("qnr,rnhw->qnhw", weights[..., used], self.class_maps(used.tolist()))
        else:
            maps = self._maps(weights)
        notices: tuple[str, ...] = ()
        if not bool(maps.any()):
            notices = (f"the score does not depend on layer {self.layer}: the map is zero everywhere.",)
        return Answer(maps.relu() if self.params["relu"] else maps, notices=notices)

    def question_weights(self, columns: Columns) -> Tensor:
        """d score / d logits `[Q, N, K]` of the questions."""
        return weights_of(columns, self.logits)

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        if self.probe.head is not None and self._closed():
            return self.way.closed(self.probe.features, self.probe.head, classes)
        return self._maps(one_hot(classes, self.logits))

    def _closed(self) -> bool:
        return self.probe.head is not None and type(self.way).closed is not Cam.closed

    def _maps(self, weights: Tensor) -> Tensor:
        a = self.probe.features
        if self.info.class_blind:
            return self.way.combine(a, a[None]).expand(len(weights), -1, -1, -1)
        return torch.cat([self.way.combine(a, self.probe.gradients(part)) for part in weights.split(self.at_once())])

    def at_once(self, held: int | None = None) -> int:
        """How many questions' gradients, of ``held`` numbers each (those of the features), may be held at once."""
        return max(1, _GRADIENT_BYTES // max(1, 4 * (self.probe.features.numel() if held is None else held)))

    def _map_bytes(self) -> int:
        return 4 * self.probe.features[:, 0].numel()


def token_notices(job: Job, layers: Sequence[FeatureLayer]) -> tuple[str, ...]:
    """What must be said of maps of these layers, if the network classifies from a class token."""
    prefixed = any(layer.layout.kind == "tokens" and layer.layout.prefix for layer in layers)
    return (TOKEN_NOTICE,) if prefixed and reads_class_token(job.model, job.x) else ()


def one_layer(method: Method) -> str | None:
    """The parameter ``layer``, a name or None; `MethodError` if it is neither."""
    layer = method.params["layer"]
    if layer is not None and not isinstance(layer, str):
        raise MethodError(f"{method.info.name}: layer={layer!r}; give the name of one layer. normgrad combines several.")
    return layer


class Cam(Method):
    """Base of the family: one overridden method says how activations and gradients make a map."""

    defaults: ClassVar[dict[str, Any]] = {"layer": None, "relu": False}
    evidence_kind: ClassVar[type[CamEvidence]] = CamEvidence

    def combine(self, a: Tensor, g: Tensor) -> Tensor:
        """Maps `[Q, N, h, w]` from features `[N, C, h, w]` and gradients `[Q, N, C, h, w]`."""
        raise TypeError(f"{type(self).__name__} must say how to combine activations and gradients")

    def closed(self, a: Tensor, head: PooledHead, classes: Sequence[int]) -> Tensor:
        """Maps `[R, N, h, w]` of single classes from a head in closed form, for methods that need no more than that."""
        raise TypeError(f"{type(self).__name__} has no closed form")

    def prepare(self, job: Job) -> CamEvidence:
        layer = one_layer(self)
        key = ("features", layer)
        if key not in job.shared:
            job.shared[key] = FeatureProbe(job.model, job.x, layer, job.task)
        probe: FeatureProbe = job.shared[key]
        notices = probe.layer.notices + token_notices(job, [probe.layer])
        evidence = self.evidence(self.evidence_kind, job, probe.logits, probe.layer.name, notices)
        evidence.probe, evidence.way = probe, self
        job.progress.step(len(job.x))
        return evidence


@register(name="grad-cam", family="cam", linear=True, signed=True, complete=False, needs=("features", "gradients"),
          passes="1 forward, 1 head backward", seed=False, source="Selvaraju et al. 2017, eq. 1 and 2")
class GradCam(Cam):
    """Weights are the gradients' means over the map: sum_k mean(g_k) A_k."""

    def combine(self, a: Tensor, g: Tensor) -> Tensor:
        return torch.einsum("qnc,nchw->qnhw", g.mean((-2, -1)), a)

    def closed(self, a: Tensor, head: PooledHead, classes: Sequence[int]) -> Tensor:
        return torch.einsum("qnc,nchw->qnhw", head.mean_gradient(classes, len(a)), a)


@register(name="hires-cam", family="cam", linear=True, signed=True, complete=False, needs=("features", "gradients"),
          passes="1 forward, 1 head backward", seed=False, source="Draelos & Carin 2020, eq. 2")
class HiResCam(Cam):
    """Gradients weigh each cell: sum_k g_k A_k. On a head that is pooling and a linear layer it equals Grad-CAM."""

    def combine(self, a: Tensor, g: Tensor) -> Tensor:
        return torch.einsum("qnchw,nchw->qnhw", g, a)

    def closed(self, a: Tensor, head: PooledHead, classes: Sequence[int]) -> Tensor:
        return head.gradient_times(a, classes)
