"""The rules of layer-wise relevance propagation, apart from the walk through the network (`lrp_graph`).

A layer with weights makes y_j = sum_i a_i w_ij + b_j. A rule says in which proportions the relevance R_j of y_j goes to
the inputs a_i, to the bias b_j, and to nothing (the stabiliser). All of these are computed, each by itself, so that
their sum is a check and not a definition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

STABILISER = 1e-6
"""Added to the denominators of all rules but epsilon, with their sign."""

RULES = ("epsilon", "z+", "gamma", "alpha-beta", "flat", "w2", "box")
NEVER_NEGATIVE = ("z+", "flat", "w2", "box")
"""Rules whose denominators are sums of what is at least 0."""


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

    weight: as the layer has it, or times the scale of a BatchNorm. bias: broadcastable to the output, or None.
    """

    weight: Tensor
    bias: Tensor | None
    out_channels: int = 1

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

    def channels(self, t: Tensor, ndim: int) -> Tensor:
        return t.reshape(-1, *[1] * (self.weight.ndim - 2))


@dataclass(eq=False)
class Scale(Linear):
    """A BatchNorm that stands alone: every value times its channel's factor."""

    def forward(self, v: Tensor, w: Tensor) -> Tensor:
        return v * w

    def back(self, g: Tensor, w: Tensor, shape: torch.Size) -> Tensor:
        return g * w


def _pairs(pad: tuple[int, ...] | None) -> list[tuple[int, int]]:
    return [] if pad is None else list(zip(pad[::2], pad[1::2], strict=True))


@dataclass
class Way:
    """One way that relevance goes back: legs (input values, weights, sign), the bias beside them, and a share.

    Its denominator is z = sum of sign * forward(values, weights) + bias. ``share`` of R_j goes this way: a number, or a
    function of the layer's own output y.
    """

    legs: list[tuple[Tensor, Tensor, float]]
    bias: Tensor | None
    share: float | Callable[[Tensor], Tensor] = 1.0


@dataclass(frozen=True)
class Rule:
    """A rule by name with its parameters. low, high: the range of the input, for "box"."""

    name: str
    epsilon: float = STABILISER
    gamma: float = 0.25
    alpha: float = 2.0
    beta: float = 1.0
    low: Tensor | None = field(default=None, compare=False)
    high: Tensor | None = field(default=None, compare=False)

    @property
    def stabiliser(self) -> float:
        return self.epsilon if self.name == "epsilon" else STABILISER

    def ways(self, a: Tensor, layer: Linear) -> list[Way]:
        """How relevance goes back through ``layer`` whose input is ``a``."""
        w, b = layer.weight, layer.bias
        ways: list[Way] = getattr(self, "_" + self.name.replace("-", "_").replace("+", "_plus"))(a, w, b)
        return ways

    def _epsilon(self, a: Tensor, w: Tensor, b: Tensor | None) -> list[Way]:
        """Bach et al. 2015, eq. 58: R_i = sum_j a_i w_ij / (z_j + epsilon sign z_j) R_j."""
        return [Way([(a, w, 1.0)], b)]

    def _z_plus(self, a: Tensor, w: Tensor, b: Tensor | None) -> list[Way]:
        """Montavon et al. 2017, eq. 18, for inputs of both signs: only contributions (a_i w_ij)+ take part."""
        return [Way(_products(a, w, 1), _part(b, 1))]

    def _alpha_beta(self, a: Tensor, w: Tensor, b: Tensor | None) -> list[Way]:
        """Bach et al. 2015, eq. 60: alpha of R_j to positive, -beta to negative contributions; alpha - beta = 1."""
        ways = [Way(_products(a, w, 1), _part(b, 1), self.alpha), Way(_products(a, w, -1), _part(b, -1), -self.beta)]
        return ways if self.beta else ways[:1]

    def _gamma(self, a: Tensor, w: Tensor, b: Tensor | None) -> list[Way]:
        """Montavon et al. 2019, sec. 10.2.3, and its form for inputs and outputs of both signs (Andeol et al. 2021)."""
        return [Way(_favoured(a, w, sign, self.gamma), None if b is None else b + self.gamma * _sided(b, sign),
                    _above if sign > 0 else _below) for sign in (1, -1)]

    def _flat(self, a: Tensor, w: Tensor, b: Tensor | None) -> list[Way]:
        """Lapuschkin et al. 2019: the same to every input that the output sees."""
        return [Way([(torch.ones_like(a), torch.ones_like(w), 1.0)], None)]

    def _w2(self, a: Tensor, w: Tensor, b: Tensor | None) -> list[Way]:
        """Montavon et al. 2017, eq. 12: in proportion to w_ij squared."""
        return [Way([(torch.ones_like(a), w * w, 1.0)], None)]

    def _box(self, a: Tensor, w: Tensor, b: Tensor | None) -> list[Way]:
        """Montavon et al. 2017, eq. 22, z^B: a_i w_ij - l_i w_ij+ - h_i w_ij-, for inputs between l and h.

        An input outside the range widens it at its own place (ours), which keeps every contribution positive.
        """
        assert self.low is not None and self.high is not None
        low, high = torch.minimum(self.low, a), torch.maximum(self.high, a)
        return [Way([(a, w, 1.0), (low, w.clamp(min=0), -1.0), (high, w.clamp(max=0), -1.0)], None)]


def _above(y: Tensor) -> Tensor:
    return y > 0


def _below(y: Tensor) -> Tensor:
    return y < 0


def _sided(t: Tensor, sign: int) -> Tensor:
    return t.clamp(min=0) if sign > 0 else t.clamp(max=0)


def _part(b: Tensor | None, sign: int) -> Tensor | None:
    return None if b is None else _sided(b, sign)


def _signed_inputs(a: Tensor) -> list[tuple[Tensor, int]]:
    """(positive part, 1), (negative part, -1), without the second where nothing is negative: after every ReLU."""
    return [(a.clamp(min=0), 1), (a.clamp(max=0), -1)] if bool((a < 0).any()) else [(a, 1)]


def _products(a: Tensor, w: Tensor, sign: int) -> list[tuple[Tensor, Tensor, float]]:
    """Legs of all products a_i w_ij of one sign."""
    return [(part, _sided(w, sign * s), 1.0) for part, s in _signed_inputs(a)]


def _favoured(a: Tensor, w: Tensor, sign: int, gamma: float) -> list[tuple[Tensor, Tensor, float]]:
    """Legs of all products, those of one sign (1 + gamma) times."""
    return [(part, w + gamma * _sided(w, sign * s), 1.0) for part, s in _signed_inputs(a)]


class Weighted:
    """The way back through one layer. What the rule needs is made at the first backward pass and kept for the next."""

    def __init__(self, a: Kept, y: Kept | None, layer: Linear, rule: Rule, n: int):
        self.a, self.y, self.layer, self.rule, self.n = a, y, layer, rule, n
        self.ready: list[tuple[Way, Tensor, Any]] | None = None

    def __call__(self, r: Tensor) -> tuple[Tensor, ...]:
        if self.ready is None:
            self.ready = [self._prepared(way) for way in self.rule.ways(self.a.wide, self.layer)]
        shape = self.a.tensor.shape
        given: Tensor | None = None
        bias = absorbed = r.new_zeros(())
        spent: Tensor | None = None
        for way, z, share in self.ready:
            g = r / z if isinstance(share, float) and share == 1 else r * share / z
            for values, w, sign in way.legs:
                part = self.layer.back(g, w, shape) * (values if sign == 1 else sign * values)
                given = part if given is None else given + part
            sums = g.flatten(2).sum(2) if g.ndim > 2 else g
            if way.bias is not None:
                even = g.ndim > 2 and way.bias.ndim >= g.ndim - 1 and way.bias.shape[2 - g.ndim:].numel() == 1
                bias = bias + per_input(sums * way.bias.flatten() if even else g * way.bias, self.n)
            if self.rule.name in NEVER_NEGATIVE:
                absorbed = absorbed + per_input(sums, self.n) * self.rule.stabiliser
            else:
                absorbed = absorbed + per_input(g * push(z, self.rule.stabiliser), self.n)
            if isinstance(share, Tensor):
                spent = share if spent is None else spent + share
        if spent is not None:  # an output of exactly 0 has no side: what it was given goes nowhere
            absorbed = absorbed + per_input(r * (1 - spent), self.n)
        assert given is not None
        return given, bias + r.new_zeros(self.n), absorbed

    def _prepared(self, way: Way) -> tuple[Way, Tensor, Any]:
        y = None if self.y is None else self.y.wide
        z = y if self.rule.name == "epsilon" else None  # its denominator is what the layer has put out
        if z is None:
            for values, w, sign in way.legs:
                part = self.layer.forward(values, w)
                part = part if sign == 1 or z is not None else part.mul_(sign)
                z = part if z is None else z.add_(part, alpha=sign)
            assert z is not None
            z = z if way.bias is None else z.add_(way.bias)
        share = way.share if not callable(way.share) or y is None else way.share(y).to(z.dtype)
        if self.rule.name in NEVER_NEGATIVE:
            return way, z.clamp_(min=0).add_(self.rule.stabiliser), share  # rounding can leave a sum just below 0
        return way, stable(z, self.rule.stabiliser), share


def stable(z: Tensor, epsilon: float) -> Tensor:
    """``z`` moved away from zero by ``epsilon``."""
    return z + push(z, epsilon)


def push(z: Tensor, epsilon: float) -> Tensor:
    """``epsilon`` with the sign of ``z``, plus at zero."""
    return torch.where(z >= 0, epsilon, -epsilon).to(z.dtype)


def per_input(t: Tensor, n: int) -> Tensor:
    """Sums `[N]` over all but the batch, which is the first axis or (tokens merged into it) its slow part."""
    return t.reshape(n, -1).sum(1)


def unbroadcast(r: Tensor, shape: torch.Size) -> Tensor:
    """The sums of ``r`` over the axes along which a tensor of ``shape`` was repeated."""
    if r.shape == shape:
        return r
    extra = r.ndim - len(shape)
    axes = [i for i in range(r.ndim) if i < extra or (shape[i - extra] == 1 and r.shape[i] != 1)]
    return r.sum(axes, keepdim=True).reshape(shape) if axes else r


class Split:
    """A sum of two: each gets its share of the sum. A constant's share counts as bias."""

    def __init__(self, terms: list[tuple[Kept, float]], constant: Tensor | None, n: int):
        self.terms, self.constant, self.n = terms, constant, n

    def __call__(self, r: Tensor) -> tuple[Tensor, ...]:
        parts = [sign * kept.wide for kept, sign in self.terms]
        z = sum(parts, torch.zeros(())) if self.constant is None else sum(parts, self.constant)
        assert isinstance(z, Tensor)
        g = r / stable(z, STABILISER)
        bias = r.new_zeros(self.n) if self.constant is None else per_input(g * self.constant, self.n)
        absorbed = per_input(g * push(z, STABILISER), self.n)
        return (*(unbroadcast(g * part, part.shape) for part in parts), bias, absorbed)


class Pass:
    """One value made of one value: its relevance goes back whole. ``shape``: of the input, if it was broadcast."""

    def __init__(self, shape: torch.Size, n: int):
        self.shape, self.n = shape, n

    def __call__(self, r: Tensor) -> tuple[Tensor, ...]:
        none = r.new_zeros(self.n)
        return unbroadcast(r, self.shape), none, none


class Times:
    """The lower half of a fixed linear map: what comes back through the map itself is multiplied by its input."""

    def __init__(self, a: Kept | None, n: int):
        self.a, self.n = a, n

    def __call__(self, r: Tensor) -> tuple[Tensor, ...]:
        none = r.new_zeros(self.n)
        return (r if self.a is None else r * self.a.wide), none, none


class Over:
    """The upper half of a fixed linear map: relevance over the map's output ``z``."""

    def __init__(self, z: Tensor, n: int):
        self.z, self.n = z, n

    def __call__(self, r: Tensor) -> tuple[Tensor, ...]:
        g = r / stable(self.z, STABILISER)
        return g, r.new_zeros(self.n), per_input(g * push(self.z, STABILISER), self.n)


class Constant:
    """Values of which some do not depend on the input: what those are given counts as bias.

    keep: 1 where a value does depend on it; None if none does, and there is no input to give anything to.
    """

    def __init__(self, keep: Tensor | None, n: int):
        self.keep, self.n = keep, n

    def __call__(self, r: Tensor) -> tuple[Tensor, ...]:
        if self.keep is None:
            return per_input(r, self.n), r.new_zeros(self.n)
        return r * self.keep, per_input(r * (1 - self.keep), self.n), r.new_zeros(self.n)


class Step(torch.autograd.Function):
    """One operation of the network: forward hands on the value it was given, backward asks the rule."""

    @staticmethod
    def forward(ctx: Any, back: Callable[[Tensor], tuple[Tensor, ...]], value: list[Tensor], *tensors: Tensor) -> Tensor:
        ctx.back = back
        return value.pop()  # in a list, so that autograd does not take it for an input

    @staticmethod
    def backward(ctx: Any, *r: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *ctx.back(wide(r[0]))
