"""FullGrad: the input's share of the score and every bias's share, which together are the score itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..errors import MethodError
from .backward import gradients
from .base import Answer, BatchEvidence, Columns, Job, Method, one_hot, weights_of
from .registry import register

_BYTES = 256_000_000  # bound on the gradients of all layers held at once
_MENDABLE = 0.01  # a gap beyond this share of the map's mass is said in words

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


class FullGradEvidence(BatchEvidence):
    """The forward graph with every layer that has a bias: its output and its bias, broadcastable to that."""

    leaf: Tensor
    scores: Tensor
    biased: list[tuple[Tensor, Tensor]]

    def answer(self, columns: Columns) -> Answer:
        weights = weights_of(columns, self.logits)
        maps, unplaced = self._maps(weights)
        if self.params["psi"] is not None:
            return Answer(maps)
        expected = torch.einsum("qnk,nk->qn", weights, self.logits) - unplaced
        gap = (maps.sum((-2, -1)) - expected).abs() / maps.abs().sum((-2, -1)).clamp_min(1e-12)
        notices: tuple[str, ...] = ()
        if float(gap.max()) > _MENDABLE:
            notices = ("the map does not add up to the score: this network is not piecewise linear, or has biases "
                       "outside of convolutions, batch norms and linear layers (layer norms, GELU, attention).",)
        return Answer(maps.relu(), None, notices) if self.params["relu"] else Answer(maps, expected, notices)

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        return self._maps(one_hot(classes, self.logits))[0]

    def _maps(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Maps `[Q, N, H, W]`, and what biases without a place on the image add to each score, `[Q, N]`."""
        held = 4 * (self.leaf.numel() + sum(t.numel() for t, _ in self.biased))
        parts = [self._some(w) for w in weights.split(max(1, _BYTES // held))]
        return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])

    def _some(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        g_input, *g_layers = all_gradients(self.scores, [self.leaf, *(t for t, _ in self.biased)], weights)
        x, size = self.leaf.detach(), self.leaf.shape[-2:]
        raw = self.params["psi"] is None
        maps = (g_input * x).float().sum(2) if raw else scaled(g_input * x)
        unplaced = maps.new_zeros(maps.shape[:2])
        for (_, bias), g in zip(self.biased, g_layers, strict=True):
            share = (g * bias).float()
            if share.ndim != 5:
                unplaced += share.flatten(2).sum(2)
            elif raw:
                maps = maps + spread(share.sum(2), size)
            else:
                maps = maps + nn.functional.interpolate(scaled(share), size=size, mode="bilinear", align_corners=True)
        return maps, unplaced


def all_gradients(scores: Tensor, tensors: list[Tensor], weights: Tensor) -> list[Tensor]:
    """d (weights . scores) / d each tensor, `[Q, *shape]`, for weights `[Q, N, K]`; the graph is kept."""
    if not scores.requires_grad:
        raise MethodError("the model's output does not depend on its input in a differentiable way (it may run under "
                          "no_grad). Use occlusion or rise, which need scores only.")
    return gradients(scores, tensors, weights)


def scaled(share: Tensor) -> Tensor:
    """|share| `[Q, N, C, h, w]`, scaled to [0, 1] over the whole layer of one input, summed over channels."""
    v = share.float().abs()
    low, high = v.amin((-3, -2, -1), keepdim=True), v.amax((-3, -2, -1), keepdim=True)
    return ((v - low) / (high - low + 1e-6)).sum(2)


def spread(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps `[..., h, w]` at the image's size, bilinearly, with each cell's value shared out among its pixels: sums
    are kept."""
    rows, columns = (_sharing(n, m).to(maps) for n, m in zip(maps.shape[-2:], size, strict=True))
    return rows @ maps @ columns.T


@lru_cache(maxsize=32)
def _sharing(cells: int, pixels: int) -> Tensor:
    """`[pixels, cells]` whose columns sum to 1."""
    up = nn.functional.interpolate(torch.eye(cells)[None], size=pixels, mode="linear", align_corners=False)[0].T
    # Where a layer is finer than the image, cells that no pixel reads are given to the nearest one.
    lost = up.sum(0) == 0
    nearest = (torch.arange(cells) * pixels // cells)
    up[nearest[lost], lost.nonzero().flatten()] = 1.0
    return up / up.sum(0)


def bias_of(module: nn.Module) -> Tensor | None:
    """What a layer adds to a linear function of its input, shaped to its output; None if nothing."""
    if isinstance(module, nn.BatchNorm2d):
        if module.running_mean is None or module.running_var is None:
            return None
        scale = (module.running_var + module.eps).rsqrt()
        if module.weight is not None:
            scale = scale * module.weight
        shift = -module.running_mean * scale
        return (shift if module.bias is None else shift + module.bias).detach()[:, None, None]
    if isinstance(module, (*_CONVOLUTIONS, nn.Linear)) and module.bias is not None:
        bias = module.bias.detach()
        return bias if isinstance(module, nn.Linear) else bias[:, None, None]
    return None


@register(name="fullgrad", family="cam", linear=True, signed=True, complete=True, needs=("gradients",),
          passes="1 forward, 1 backward per question", seed=False, source="Srinivas & Fleuret 2019, eq. 4 and 5")
class FullGrad(Method):
    """x * dx + sum over layers of b_l * g_l, at the input's size.

    psi: None (ours) keeps signs and sums: the map adds up to the score less what biases of linear layers, which have
    no place on the image, add to it; of a pool that is not linear, to its linearised score. ``psi="abs"`` is the
    published picture (ref): absolute values, each layer scaled to [0, 1], upsampled with corners aligned; it is
    neither linear nor complete. b_l: biases of convolutions, and beta - mean gamma / sqrt(var + eps) of batch norms.
    """

    defaults: ClassVar[dict[str, Any]] = {"psi": None, "relu": False}

    def prepare(self, job: Job) -> FullGradEvidence:
        model, x = job.model, job.x
        if self.params["psi"] not in (None, "abs"):
            raise MethodError(f"fullgrad: psi={self.params['psi']!r}; use None (signed, complete) or 'abs' (published).")
        if x.ndim != 4 or not x.is_floating_point():
            raise MethodError(f"fullgrad places biases on images [N, C, H, W]; these inputs are {list(x.shape)} of "
                              f"{x.dtype}. Use integrated-gradients.")
        biases = {name: b for name, m in model.net.named_modules() if name and (b := bias_of(m)) is not None}
        biased: list[tuple[Tensor, Tensor]] = []

        def keep(bias: Tensor) -> Any:
            def change(t: Tensor) -> Tensor:
                if t.requires_grad:
                    biased.append((t, bias))
                return t.clone()  # an activation in place would otherwise put its own output here

            return change

        with torch.enable_grad(), model.replaced({name: keep(b) for name, b in biases.items()}):
            leaf = x.detach().clone().requires_grad_()
            scores = model.forward(leaf.clone(), job.task)
        evidence = self.evidence(FullGradEvidence, job, scores.detach())
        if self.params["psi"] is not None:
            evidence.info = replace(evidence.info, linear=False, complete=False)
        evidence.leaf, evidence.scores, evidence.biased = leaf, scores, biased
        job.progress.step(len(x))
        return evidence
