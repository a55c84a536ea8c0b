"""NormGrad: how large the features and their gradients are at each cell, of one layer or several, before or after one
step of training on the very question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from ..errors import MethodError, ModelError
from ..models import Model
from ..models.layers import FeatureLayer
from ..questions import Question
from ..tasks import Task
from .backward import gradients
from .base import Answer, Columns, Job, weights_of
from .cam import Cam, CamEvidence, token_notices
from .cam_gradient import FACTS, check_choice
from .registry import register

T = TypeVar("T")


class LayersProbe:
    """One forward pass with the graph from the first of ``layers`` on: the features of each layer, and their gradients
    for any question."""

    def __init__(self, model: Model, x: Tensor, layers: Sequence[FeatureLayer], task: Task | None):
        self.layers = layers
        self._kept: dict[str, Tensor] = {}
        with torch.enable_grad(), model.replaced({layer.name: self._keep(layer.name) for layer in layers}):
            self._scores = model.forward(x, task)
        silent = [layer.name for layer in layers if layer.name not in self._kept]
        if silent:
            raise ModelError(f"layer {silent[0]!r} did not run; choose layers that every input passes.")
        self.logits = self._scores.detach()
        self.features = [layer.layout.to_map(self._kept[layer.name].detach()).float() for layer in layers]

    def _keep(self, name: str) -> Callable[[Tensor], Tensor]:
        def change(t: Tensor) -> Tensor:
            self._kept[name] = t if t.requires_grad else t.detach().requires_grad_()
            return self._kept[name].clone()  # a net may change it in place, which a leaf forbids

        return change

    def gradients(self, weights: Tensor) -> list[Tensor]:
        """d (weights . logits) / d features of each layer, `[Q, N, C, h, w]`, for weights `[Q, N, K]`."""
        if not self._scores.requires_grad:
            raise MethodError("the model's output does not depend on these layers in a differentiable way (it may run "
                              "under no_grad). Use occlusion or rise, which need scores only.")
        found = gradients(self._scores, [self._kept[layer.name] for layer in self.layers], weights)
        return [layer.layout.to_map(g).float() for layer, g in zip(self.layers, found, strict=True)]


class NormEvidence(CamEvidence):
    """Features of one layer with the head's graph, or of several with the graph between them."""

    way: NormGrad
    several: LayersProbe | None = None
    layers: tuple[FeatureLayer, ...] = ()

    def answer(self, columns: Columns) -> Answer:
        if self.params["variant"] != "meta-saliency":
            return super().answer(columns)
        with self.model.session():
            maps = [torch.cat([self._after_a_step(q, self.x[n:n + 1], n) for n, q in enumerate(column)])
                    for column in columns]
        return Answer(torch.stack(maps))

    def _maps(self, weights: Tensor) -> Tensor:
        if self.several is None:
            return super()._maps(weights)
        held = sum(a.numel() for a in self.several.features)
        return torch.cat([self.way.product(self.several.features, self.several.gradients(part))
                          for part in weights.split(self.at_once(held))])

    def _after_a_step(self, question: Question, x: Tensor, n: int) -> Tensor:
        """Map `[1, h, w]` of one question on input ``n``, of the network after a step towards the question's answer."""
        def probe() -> LayersProbe:
            return LayersProbe(self.model, x, self.layers, self.task)

        stepped = called_with(self.model, one_step(self.model, x, self.task, question, self.params["lr"], self.logits[n]),
                              probe)
        if self.progress is not None:
            self.progress.step(2)
        weights = weights_of([[question]], stepped.logits)
        return self.way.product(stepped.features, stepped.gradients(weights))[0]


class _Borrowed(nn.Module):
    """Calls ``work`` while torch lends the network other parameters."""

    def __init__(self, net: nn.Module, work: Callable[[], Any]):
        super().__init__()
        self.net, self.work = net, work

    def forward(self) -> Any:
        return self.work()


def called_with(model: Model, parameters: dict[str, Tensor], work: Callable[[], T]) -> T:
    """What ``work()`` returns where the network has ``parameters`` (by name) in place of its own, which are never written
    to: they are back when it ends, by an error too."""
    found: T = torch.func.functional_call(_Borrowed(model.net, work), {f"net.{k}": p for k, p in parameters.items()}, ())
    return found


def one_step(model: Model, x: Tensor, task: Task | None, question: Question, lr: float,
             expected: Tensor) -> dict[str, Tensor]:
    """Parameters, by name, after one step of gradient descent on the loss of ``question`` on one input `[1, ...]`.

    The loss is the cross-entropy of the target against all other classes, or against the foils: log(1 + exp(-odds)), with
    odds the question's log-odds. expected: the logits `[K]` that the network gave before.
    """
    own = {name: p.detach().requires_grad_() for name, p in model.net.named_parameters() if p.is_floating_point()}
    with torch.enable_grad():
        scores = called_with(model, own, lambda: model.forward(x, task))
        if not torch.allclose(scores.detach()[0], expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max())):
            raise ModelError("the model's weights were changed after this evidence was prepared; prepare it again.")
        loss = nn.functional.softplus(-replace(question, pool="log-odds").score(scores)).sum()
        if not loss.requires_grad:
            raise MethodError("normgrad: the model's scores do not depend on its parameters in a differentiable way, so "
                              "there is no step to take. Use variant='plain', or occlusion, which needs scores only.")
        steps = torch.autograd.grad(loss, list(own.values()), allow_unused=True)
    return {name: p.detach() if g is None else p.detach() - lr * g for (name, p), g in zip(own.items(), steps, strict=True)}


@register(name="normgrad", linear=False, signed=False, source="Rebuffi et al. 2020, eq. 6", **FACTS)
class NormGrad(Cam):
    """||A_u|| ||g_u|| at each cell u, norms over channels (ref): large wherever the score could be changed, for or against.

    variant: "plain"; "selective", ||relu(A g)_u|| (ref); or "meta-saliency", the plain map of the network after one step of
    gradient descent, with rate ``lr`` (1e-4), on the question's cross-entropy (ref for a class; for contrasts and groups the
    cross-entropy of the two sides, ours). The network itself is never changed; a step costs each question and input a
    forward and a backward of the whole network and a second forward.
    layer: one name, or several: the product of their maps, each enlarged bilinearly to the largest (lit).
    """

    defaults: ClassVar[dict[str, Any]] = {**Cam.defaults, "variant": "plain", "lr": 1e-4}
    evidence_kind = NormEvidence

    def combine(self, a: Tensor, g: Tensor) -> Tensor:
        if self.params["variant"] == "selective":
            return (a * g).relu().norm(dim=-3)
        return a.norm(dim=-3) * g.norm(dim=-3)

    def product(self, features: Sequence[Tensor], found: Sequence[Tensor]) -> Tensor:
        """The product of the layers' maps `[Q, N, h, w]`, at the size of the one with the most cells."""
        maps = [self.combine(a, g) for a, g in zip(features, found, strict=True)]
        size = max((m.shape[-2:] for m in maps), key=lambda s: s[0] * s[1])
        out = torch.ones_like(maps[0][..., :1, :1])
        for m in maps:
            same = m.shape[-2:] == size
            out = out * (m if same else nn.functional.interpolate(m, size=size, mode="bilinear", align_corners=False))
        return out

    def prepare(self, job: Job) -> NormEvidence:
        check_choice(self, "variant", "plain", "selective", "meta-saliency")
        meta, asked = self.params["variant"] == "meta-saliency", self.params["layer"]
        if meta and job.task is not None and not job.task.probabilistic:
            raise MethodError("normgrad: variant='meta-saliency' takes a step on a cross-entropy, and this task's scores "
                              "are no classes that compete. Use variant='plain'.")
        if asked is not None and not isinstance(asked, str):
            evidence = self._of_several(job, asked)
        else:
            prepared = super().prepare(job)
            assert isinstance(prepared, NormEvidence)
            evidence, evidence.layers = prepared, (prepared.probe.layer,)
        return evidence

    def _of_several(self, job: Job, names: Any) -> NormEvidence:
        if not isinstance(names, (list, tuple)) or not names or not all(isinstance(n, str) for n in names) \
                or len(set(names)) < len(names):
            raise MethodError(f"normgrad: layer={names!r}; give the name of a layer, or a list of different names.")
        layers = tuple(job.model.feature_layer(job.x, name) for name in names)
        probe = LayersProbe(job.model, job.x, layers, job.task)
        said = (*(n for layer in layers for n in layer.notices), *token_notices(job, layers))
        evidence = self.evidence(NormEvidence, job, probe.logits, ", ".join(names), said)
        evidence.several, evidence.layers, evidence.way = probe, layers, self
        job.progress.step(len(job.x))
        return evidence

    def answer_passes(self, x: Tensor, questions: int = 1) -> int:
        return 2 * questions * len(x) if self.params["variant"] == "meta-saliency" else 0
