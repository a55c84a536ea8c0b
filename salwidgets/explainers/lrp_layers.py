"""The linear part of the layers that relevance goes back through: read off a call, with a BatchNorm folded in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..models.session import Call

CONVOLUTIONS = frozenset({"conv1d", "conv2d", "conv3d"})
TRANSPOSED = frozenset({"conv_transpose1d", "conv_transpose2d", "conv_transpose3d"})
MATMULS = frozenset({"matmul", "mm", "__matmul__"})
WEIGHTED = CONVOLUTIONS | TRANSPOSED | MATMULS | {"linear"}


@dataclass(eq=False)
class Kept:
    """A value that backward will need. An in-place operation that is about to overwrite it makes a copy first."""

    tensor: Tensor

    @property
    def wide(self) -> Tensor:
        """The value in float32 at least: sums of relevance need more digits than half precision has."""
        return wide(self.tensor)


def wide(t: Tensor) -> Tensor:
    """``t``, in float32 if it is narrower."""
    return t.float() if t.dtype in (torch.float16, torch.bfloat16) else t


@dataclass(eq=False)
class Linear:
    """The linear part of a layer: ``forward(v, w)`` without bias, and ``back(g, w)``, its transpose.

    weight: as the layer has it. bias: broadcastable to the output, or None. scale: of a BatchNorm behind it, per output
    channel, or None; the bias has it already.
    """

    weight: Tensor
    bias: Tensor | None
    scale: Tensor | None = field(default=None, kw_only=True)

    def weights(self) -> Tensor:
        """The weights, times the scale if there is one (then in memory of their own): made when a rule needs them."""
        return self.weight if self.scale is None else self.scaled(self.scale)

    def forward(self, v: Tensor, w: Tensor) -> Tensor:
        return F.linear(v, w)

    def back(self, g: Tensor, w: Tensor, shape: torch.Size) -> Tensor:
        return g @ w

    def scaled(self, scale: Tensor) -> Tensor:
        """The weights, with each output channel times ``scale``."""
        return self.weight * scale[:, None]

    def fed_by(self, scale: Tensor) -> Tensor:
        """The weights, with each input channel times ``scale``."""
        return self.weight * scale

    def seen(self, shape: torch.Size) -> Tensor:
        """How many of the inputs (of ``shape``) each output sees; broadcastable to the output."""
        return self.weight.new_full((1,) * len(shape), shape[-1])

    def spread(self, g: Tensor, shape: torch.Size) -> Tensor:
        """What every input gets if each output gives its ``g`` to all that it sees."""
        return g.sum(-1, keepdim=True).expand(shape)

    def channels(self, t: Tensor, ndim: int) -> Tensor:
        """A tensor per output channel, broadcastable to outputs of ``ndim`` axes."""
        return t


@dataclass(eq=False)
class Convolution(Linear):
    """A convolution, or a transposed one, in any number of dimensions; ``pad`` as `F.pad` takes it, before the call."""

    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    transposed: bool = False
    output_padding: tuple[int, ...] = ()
    groups: int = 1
    pad: tuple[int, ...] | None = None

    def _options(self) -> tuple[Any, ...]:
        return self.stride, self.padding, self.dilation, self.transposed, self.output_padding, self.groups

    def forward(self, v: Tensor, w: Tensor) -> Tensor:
        v = v if self.pad is None else F.pad(v, self.pad)
        return torch.convolution(v, w, None, *self._options())

    def back(self, g: Tensor, w: Tensor, shape: torch.Size) -> Tensor:
        size = list(shape)
        for i, (before, after) in enumerate(_pairs(self.pad)):
            size[-1 - i] += before + after
        like = w.new_empty(1).expand(size)  # only its shape is read
        out: Tensor = torch.ops.aten.convolution_backward(g, like, w, None, *self._options(), [True, False, False])[0]
        for i, (before, _) in enumerate(_pairs(self.pad)):
            out = out.narrow(out.ndim - 1 - i, before, shape[-1 - i])
        return out

    def scaled(self, scale: Tensor) -> Tensor:
        if not self.transposed:
            return self.weight * scale.reshape(-1, *[1] * (self.weight.ndim - 1))
        w = self.weight.unflatten(0, (self.groups, -1)) * scale.reshape(self.groups, 1, -1, *[1] * (self.weight.ndim - 2))
        return w.flatten(0, 1)

    def fed_by(self, scale: Tensor) -> Tensor:
        if self.transposed:
            return self.weight * scale.reshape(-1, *[1] * (self.weight.ndim - 1))
        w = self.weight.unflatten(0, (self.groups, -1))
        return (w * scale.reshape(self.groups, 1, -1, *[1] * (self.weight.ndim - 2))).flatten(0, 1)

    def _ones(self) -> Tensor:
        # With ones for weights the channels of a group are all alike: one stands for them.
        return self.weight.new_ones(self.groups, 1, *self.weight.shape[2:])

    def seen(self, shape: torch.Size) -> Tensor:
        z = self.forward(self.weight.new_ones(1, self.groups, *shape[2:]), self._ones()) * (shape[1] // self.groups)
        out = self.weight.shape[1] if self.transposed else self.weight.shape[0] // self.groups
        return z if self.groups == 1 else z.repeat_interleave(out, 1)

    def spread(self, g: Tensor, shape: torch.Size) -> Tensor:
        sums = g.unflatten(1, (self.groups, -1)).sum(2)
        part = self.back(sums, self._ones(), torch.Size((shape[0], self.groups, *shape[2:])))
        return part.expand(shape) if self.groups == 1 else part.repeat_interleave(shape[1] // self.groups, 1)

    def channels(self, t: Tensor, ndim: int) -> Tensor:
        return t.reshape(-1, *[1] * (self.weight.ndim - 2))


@dataclass(eq=False)
class Scale(Linear):
    """A BatchNorm that stands alone: every value times its channel's factor."""

    def forward(self, v: Tensor, w: Tensor) -> Tensor:
        return v * w

    def back(self, g: Tensor, w: Tensor, shape: torch.Size) -> Tensor:
        return g * w

    def seen(self, shape: torch.Size) -> Tensor:
        return torch.ones_like(self.weight)

    def spread(self, g: Tensor, shape: torch.Size) -> Tensor:
        return g


def _pairs(pad: tuple[int, ...] | None) -> list[tuple[int, int]]:
    return [] if pad is None else list(zip(pad[::2], pad[1::2], strict=True))


def layer_of(name: str, call: Call) -> Linear | None:
    """The linear part of a call, its bias still `[channels]`."""
    x, weight = call.x, value_of(call, 1, "weight", None)
    if name in MATMULS:
        other = value_of(call, 1, "other", None)
        if not isinstance(other, Tensor) or other.ndim != 2:
            return None
        return Linear(wide(other.detach()).mT, None)
    bias = value_of(call, 2, "bias", None)
    if any(t is not None and t.requires_grad for t in (weight, bias)):
        return None
    weight, bias = wide(weight.detach()), None if bias is None else wide(bias.detach())
    if name == "linear":
        return Linear(weight, bias)
    d = weight.ndim - 2
    if x.ndim != d + 2:
        return None
    if name in TRANSPOSED:
        stride, padding, out_padding, groups, dilation = (
            value_of(call, i, k, v) for i, k, v in ((3, "stride", 1), (4, "padding", 0), (5, "output_padding", 0),
                                                  (6, "groups", 1), (7, "dilation", 1)))
        return Convolution(weight, bias, stride=_each(stride, d), padding=_each(padding, d), transposed=True,
                           dilation=_each(dilation, d), output_padding=_each(out_padding, d), groups=groups)
    stride, padding, dilation, groups = (value_of(call, i, k, v) for i, k, v in (
        (3, "stride", 1), (4, "padding", 0), (5, "dilation", 1), (6, "groups", 1)))
    pad = None
    if isinstance(padding, str):
        if padding == "same":
            total = [e * (k - 1) for e, k in zip(_each(dilation, d), weight.shape[2:], strict=True)]
            pad = tuple(p for t in reversed(total) for p in (t // 2, t - t // 2))
        padding = 0
    return Convolution(weight, bias, stride=_each(stride, d), padding=_each(padding, d), dilation=_each(dilation, d),
                       output_padding=_each(0, d), groups=groups, pad=pad)


def _each(value: Any, d: int) -> tuple[int, ...]:
    return (int(value),) * d if isinstance(value, int) else tuple(int(v) for v in value) * (d if len(value) == 1 else 1)


def value_of(call: Call, position: int, name: str, default: Any) -> Any:
    return call.args[position] if len(call.args) > position else call.kwargs.get(name, default)
