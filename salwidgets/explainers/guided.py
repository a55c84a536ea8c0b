"""Backward passes that pass positive gradients only: guided backpropagation, deconvnet, guided Grad-CAM.

The forward pass is the network's own; only what ReLU does on the way back is another rule. It is put in the place of
the torch function while the graph is built, so that modules, reused modules, in-place and functional calls are all met.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import MethodError
from ..models import Model
from ..models.session import Call, rewired
from .base import Answer, BatchEvidence, Columns, Job, Method, one_hot, weights_of
from .cam import FeatureProbe, GradCam, one_layer
from .gradients import check_channels, input_gradient, need_floats, to_map
from .lrp_layers import Kept
from .registry import register

NOTICE = ("Maps of this kind mostly recover the image: they change little with the class, and little when the network's "
          "weights are replaced by noise (Nie et al. 2018, Adebayo et al. 2018). Compare with grad-cam or occlusion.")

# Activations that neither rule is defined for; they keep their own derivative.
_OTHER = frozenset({"celu", "elu", "gelu", "glu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "mish", "prelu",
                    "relu6", "rrelu", "selu", "sigmoid", "silu", "softplus", "tanh"})


class _Guided(torch.autograd.Function):
    """ReLU whose backward is relu(g) where the input is positive; ``keep`` takes what backward reads."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, in_place: bool, keep: Callable[[Tensor], Kept]) -> Tensor:
        y = x.relu_() if in_place else x.relu()
        if in_place:
            ctx.mark_dirty(y)
        ctx.kept = keep(y)
        return y

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> Any:
        plain: Tensor = torch.ops.aten.threshold_backward(g[0], ctx.kept.tensor, 0)
        return plain.relu_(), None, None


class _Deconv(torch.autograd.Function):
    """ReLU whose backward is relu(g), wherever the input was."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, in_place: bool, keep: Callable[[Tensor], Kept]) -> Tensor:
        if in_place:
            ctx.mark_dirty(x.relu_())
        return x if in_place else x.relu()

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> Any:
        return g[0].relu(), None, None


def no_torchscript(method: str, model: Model) -> None:
    """Raises `MethodError` where functions run inside TorchScript, which shows them to nobody."""
    net = model.net
    if isinstance(net, nn.Module) and any(isinstance(m, torch.jit.ScriptModule) for m in net.modules()):
        raise MethodError(f"{method} has to see the network's activations, and TorchScript hides them. Give the network "
                          "that was scripted, or use saliency or integrated-gradients.")


class _Rule:
    """Puts ``function`` in the place of ReLU, and remembers which activations it met."""

    def __init__(self, function: type[torch.autograd.Function]):
        self.function = function
        self.relus, self.others = 0, set[str]()
        self.kept: dict[int, Kept] = {}

    def __call__(self, call: Call) -> Any:
        if call.in_place or call.name == "__setitem__":
            self._save(call.x)
        if call.name in _OTHER:
            self.others.add(call.name)
        if call.name != "relu":
            return NotImplemented
        self.relus += 1
        in_place = call.in_place and not call.x._is_view()
        if in_place:
            call.kwargs.pop("inplace", None)  # done
        return self.function.apply(call.x, in_place, self._keep)

    def _keep(self, y: Tensor) -> Kept:
        kept = self.kept[y.untyped_storage().data_ptr()] = Kept(y.detach())
        return kept

    def _save(self, x: Any) -> None:
        """What backward needs of ``x``, which is about to be changed in place, is copied."""
        kept = self.kept.pop(x.untyped_storage().data_ptr(), None) if isinstance(x, Tensor) else None
        if kept is not None:
            kept.tensor = kept.tensor.clone()

    def notices(self) -> tuple[str, ...]:
        if not self.relus:
            return ("the network has no ReLU, so this map is the plain gradient.",)
        if self.others:
            return (f"only ReLU passes positive gradients alone; {', '.join(sorted(self.others))} kept the plain "
                    "derivative.",)
        return ()


class GuidedEvidence(BatchEvidence):
    """The forward graph of a batch with the other rule for ReLU in it; ``probe``: Grad-CAM's, where that is multiplied."""

    leaf: Tensor
    graph: Tensor
    probe: FeatureProbe | None = None

    def answer(self, columns: Columns) -> Answer:
        return Answer(self._maps(weights_of(columns, self.logits)))

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        return self._maps(one_hot(classes, self.logits))

    def _maps(self, weights: Tensor) -> Tensor:
        with torch.enable_grad():
            g = input_gradient(self.graph, self.leaf, weights, retain=True).float()
        if self.probe is not None:
            cam = GradCam().combine(self.probe.features, self.probe.gradients(weights)).relu()
            g = g * F.interpolate(cam, size=g.shape[-2:], mode=self.params["upsample"],
                                  **({} if self.params["upsample"] == "nearest" else {"align_corners": False}))[:, :, None]
        return to_map(g, self.params["channels"])


class Guided(Method):
    """Base of the family: ``rule`` is the autograd function that stands for ReLU."""

    defaults = {"channels": "sum"}
    rule: type[torch.autograd.Function]

    def prepare(self, job: Job) -> GuidedEvidence:
        check_channels(self)
        need_floats(self, job.x)
        no_torchscript(self.info.name, job.model)
        key = ("guided graph", self.rule)
        if key not in job.shared:
            rule = _Rule(self.rule)
            with torch.enable_grad(), rewired(rule):
                leaf = job.x.detach().clone().requires_grad_()
                job.shared[key] = leaf, job.model.forward(leaf.clone(), job.task), rule.notices()
        leaf, scores, notices = job.shared[key]
        evidence = self.evidence(GuidedEvidence, job, scores.detach(), None, (NOTICE, *notices))
        evidence.leaf, evidence.graph = leaf, scores
        job.progress.step(len(job.x))
        return evidence


@register(name="guided-backprop", family="gradient", linear=False, signed=True, complete=False, needs=("gradients",),
          passes="1 forward, 1 backward", seed=False, modality=("image", "series", "volume", "tabular"),
          source="Springenberg et al. 2015, fig. 1")
class GuidedBackprop(Guided):
    """The gradient, where every ReLU passes g back as relu(g) [input > 0]; `[N, H, W]`, signed.

    Questions are weights on the logits, and their gradient starts there: a contrast starts with both signs. Other
    activations keep their derivative, and a notice says so. channels: as for saliency.
    """

    rule = _Guided


@register(name="deconvnet", family="gradient", linear=False, signed=True, complete=False, needs=("gradients",),
          passes="1 forward, 1 backward", seed=False, modality=("image", "series", "volume", "tabular"),
          source="Zeiler & Fergus 2014, sec. 2.1, as in Springenberg et al. 2015")
class DeconvNet(Guided):
    """The gradient, where every ReLU passes g back as relu(g), whatever its input was; pooling keeps its switches.

    Map `[N, H, W]`, signed. channels: as for saliency.
    """

    rule = _Deconv


@register(name="guided-grad-cam", family="gradient", linear=False, signed=True, complete=False,
          needs=("features", "gradients"), passes="2 forwards, 1 backward, 1 head backward", seed=False,
          source="Selvaraju et al. 2017, sec. 3.2 (ref)")
class GuidedGradCam(Guided):
    """Guided backpropagation times relu(Grad-CAM), brought to the input's size; `[N, H, W]`, signed.

    layer: as for grad-cam. upsample: "bilinear" (as published) or "nearest". channels: as for saliency.
    """

    defaults = {"layer": None, "channels": "sum", "upsample": "bilinear"}
    rule = _Guided

    def prepare(self, job: Job) -> GuidedEvidence:
        if self.params["upsample"] not in ("bilinear", "nearest"):
            raise MethodError(f"{self.info.name}: upsample={self.params['upsample']!r}; use 'bilinear' or 'nearest'.")
        layer = one_layer(self)
        key = ("features", layer)
        if key not in job.shared:
            job.shared[key] = FeatureProbe(job.model, job.x, layer, job.task)
        evidence = super().prepare(job)
        probe: FeatureProbe = job.shared[key]
        evidence.probe, evidence.layer = probe, probe.layer.name
        evidence.notices += probe.layer.notices
        return evidence
