"""Heads that are pooling and one linear layer: their class gradients are known in closed form.

For logits = W mean(act(A)) + b (ResNet, DenseNet) and logits = mean(act(W A + b)) (SqueezeNet), with act the identity
or relu, d logit_k / d A[c, i] = W[k, c] * mask / area, where the mask says where relu let the value through. A
thousand classes then cost one small matrix product, not a thousand backward passes. Whether a network's head has one
of these forms is checked by computing its logits that way and comparing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_AGREE = 1e-4


@dataclass(frozen=True, eq=False)
class PooledHead:
    """weight `[K, C]`; ``inner``: where act(A) passes, `[N, C, h, w]`; ``outer``: W A + b `[N, K, h, w]`, whose
    positive values act passes; None where act is the identity."""

    weight: Tensor
    area: int
    inner: Tensor | None = None
    outer: Tensor | None = None

    def mean_gradient(self, classes: Sequence[int], n: int) -> Tensor:
        """The mean over the map of d logit / d A, `[R, N, C]`."""
        index = list(classes)
        g = (self.weight[index] / self.area)[:, None].expand(-1, n, -1)
        if self.inner is not None:
            g = g * self.inner.mean((-2, -1))
        if self.outer is not None:
            g = g * (self.outer[:, index] > 0).float().mean((-2, -1)).T[..., None]
        return g

    def gradient_times(self, a: Tensor, classes: Sequence[int]) -> Tensor:
        """sum over channels of d logit / d A times A, `[R, N, h, w]`, for features ``a`` `[N, C, h, w]`."""
        index = list(classes)
        seen = a if self.inner is None else a * self.inner
        maps = torch.einsum("rc,nchw->rnhw", self.weight[index] / self.area, seen)
        return maps if self.outer is None else maps * (self.outer[:, index] > 0).transpose(0, 1)


def pooled_head(layer: nn.Linear | nn.Conv2d, a: Tensor, z: Tensor, logits: Tensor) -> PooledHead | None:
    """The closed form of the head whose only layer with weights is ``layer``, or None if its logits say otherwise.

    a: features `[N, C, h, w]`; z: what ``layer`` put out; logits: `[N, K]`, what the model put out.
    """
    weight = layer.weight.detach().float().flatten(1)
    bias = 0.0 if layer.bias is None else layer.bias.detach().float()
    if weight.shape != (logits.shape[1], a.shape[1]):
        return None
    area = a.shape[-2] * a.shape[-1]
    if z.ndim == 4:
        if z.shape[-2:] != a.shape[-2:] or not _comes_from(z.float(), a, weight, bias):
            return None
        if _same(z.float().mean((-2, -1)), logits):
            # No negative value: a relu in place changed z itself, and what it passed is what is positive.
            return PooledHead(weight, area, outer=z if float(z.min()) >= 0 else None)
        if _same(z.float().relu().mean((-2, -1)), logits):
            return PooledHead(weight, area, outer=z)
        return None
    if _same(a.mean((-2, -1)) @ weight.T + bias, logits):
        return PooledHead(weight, area)
    if _same(a.relu().mean((-2, -1)) @ weight.T + bias, logits):
        return PooledHead(weight, area, inner=(a > 0).float())
    return None


def _comes_from(z: Tensor, a: Tensor, weight: Tensor, bias: Tensor | float) -> bool:
    """Whether z is W a + b, possibly with a relu done in place, looked at in some cells and classes: what that layer
    was given cannot be anything else than a and still agree there."""
    classes, cells = slice(None, None, max(1, len(weight) // 128)), slice(None, None, max(1, a[0, 0].numel() // 4))
    expected = a.flatten(2)[..., cells].transpose(1, 2) @ weight[classes].T
    expected = expected + (bias[classes] if isinstance(bias, Tensor) else bias)
    found = z.flatten(2)[:, classes, cells].transpose(1, 2)
    return _same(found, expected) or _same(found, expected.relu())


def _same(x: Tensor, y: Tensor) -> bool:
    return float((x - y).abs().max()) <= _AGREE * max(1e-12, float(y.abs().max()))
