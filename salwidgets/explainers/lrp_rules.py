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

from ..errors import MethodError
from .lrp_layers import Kept, Linear, wide

STABILISER = 1e-6
"""Added to the denominators of all rules but epsilon, with their sign."""

RULES = ("epsilon", "z+", "gamma", "alpha-beta", "flat", "w2", "box")
NEVER_NEGATIVE = ("z+", "flat", "w2", "box")
"""Rules whose denominators are sums of what is at least 0."""


@dataclass
class Way:
    """One way that relevance goes back: legs (input values, weights, sign), the bias beside them, and a share.

    Its denominator is z = sum of sign * forward(values, weights) + bias. ``share`` of R_j goes this way: a number, or a
    function of the layer's own output y. Without legs it goes alike to all inputs that the output sees.
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
        w, b = layer.weights(), layer.bias
        if self.name == "z+" and layer.scale is not None:
            return self._z_plus(a, w, b, own=True)
        ways: list[Way] = getattr(self, "_" + self.name.replace("-", "_").replace("+", "_plus"))(a, w, b)
        return ways

    def _epsilon(self, a: Tensor, w: Tensor, b: Tensor | None) -> list[Way]:
        """Bach et al. 2015, eq. 58: R_i = sum_j a_i w_ij / (z_j + epsilon sign z_j) R_j."""
        return [Way([(a, w, 1.0)], b)]

    def _z_plus(self, a: Tensor, w: Tensor, b: Tensor | None, own: bool = False) -> list[Way]:
        """Montavon et al. 2017, eq. 18, for inputs of both signs: only contributions (a_i w_ij)+ take part.

        own: nobody else needs ``w``, which may be overwritten.
        """
        return [Way(_products(a, w, 1, own), _part(b, 1))]

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
        return [Way([], None)]

    def _w2(self, a: Tensor, w: Tensor, b: Tensor | None) -> list[Way]:
        """Montavon et al. 2017, eq. 12: in proportion to w_ij squared."""
        return [Way([(torch.ones_like(a[:1]), w * w, 1.0)], None)]

    def _box(self, a: Tensor, w: Tensor, b: Tensor | None) -> list[Way]:
        """Montavon et al. 2017, eq. 22, z^B: a_i w_ij - l_i w_ij+ - h_i w_ij-, for inputs between l and h.

        An input outside the range widens it at its own place (ours), which keeps every contribution positive.
        """
        assert self.low is not None and self.high is not None
        if a.ndim != 4:
            raise MethodError("lrp: rule 'box' needs pixels as rows and columns, and this network's first layer is given "
                              "them in another shape. Use first='flat'.")
        # w is w+ + w-, so the three terms are two, neither of which is ever below zero: (a - l) w+ and (a - h) w-.
        above, below = (a - self.low).clamp_(min=0), (a - self.high).clamp_(max=0)
        return [Way([(above, w.clamp(min=0), 1.0), (below, w.clamp(max=0), 1.0)], None)]


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
    return [(a.clamp(min=0), 1), (a.clamp(max=0), -1)] if a.numel() and bool(a.min() < 0) else [(a, 1)]


def _products(a: Tensor, w: Tensor, sign: int, own: bool = False) -> list[tuple[Tensor, Tensor, float]]:
    """Legs of all products a_i w_ij of one sign; ``own``: ``w`` may be overwritten."""
    parts = _signed_inputs(a)
    if own and len(parts) == 1:
        return [(a, w.clamp_(min=0) if sign > 0 else w.clamp_(max=0), 1.0)]
    return [(part, _sided(w, sign * s), 1.0) for part, s in parts]


def _favoured(a: Tensor, w: Tensor, sign: int, gamma: float) -> list[tuple[Tensor, Tensor, float]]:
    """Legs of all products, those of one sign (1 + gamma) times."""
    return [(part, w + gamma * _sided(w, sign * s), 1.0) for part, s in _signed_inputs(a)]


class Weighted:
    """The way back through one layer. What the rule needs is made at the first backward pass and kept for the next."""

    def __init__(self, a: Kept, y: Kept | None, layer: Linear, rule: Rule, n: int):
        self.a, self.y, self.layer, self.rule, self.n = a, y, layer, rule, n
        self.ready: list[tuple[Way, Tensor, Any]] | None = None

    def __call__(self, r: Tensor) -> tuple[Tensor | None, ...]:
        if self.ready is None:
            self.ready = [self._prepared(way) for way in self.rule.ways(self.a.wide, self.layer)]
        shape = self.a.tensor.shape
        given: Tensor | None = None
        bias: Tensor | None = None
        absorbed: Tensor | None = None
        spent: Tensor | None = None
        for way, z, share in self.ready:
            g = r / z if isinstance(share, float) and share == 1 else r * share / z
            if not way.legs:
                given = _plus(given, self.layer.spread(g, shape))
            for values, w, sign in way.legs:
                given = _plus(given, self.layer.back(g, w, shape).mul_(values if sign == 1 else sign * values))
            sums = g.flatten(2).sum(2) if g.ndim > 2 else g
            if way.bias is not None:
                even = g.ndim > 2 and way.bias.ndim >= g.ndim - 1 and way.bias.shape[2 - g.ndim:].numel() == 1
                bias = _plus(bias, per_input(sums * way.bias.flatten() if even else g * way.bias, self.n))
            if self.rule.name in NEVER_NEGATIVE:
                lost = per_input(sums, self.n) * self.rule.stabiliser
            else:
                lost = per_input(push(z, self.rule.stabiliser).mul(g), self.n)
            absorbed = _plus(absorbed, lost)
            if isinstance(share, Tensor):
                spent = share if spent is None else spent + share
        if spent is not None:  # an output of exactly 0 has no side: what it was given goes nowhere
            absorbed = _plus(absorbed, per_input(r * (1 - spent), self.n))
        assert given is not None
        return given, bias, absorbed

    def _prepared(self, way: Way) -> tuple[Way, Tensor, Any]:
        y = None if self.y is None else self.y.wide
        z = y if self.rule.name == "epsilon" else None  # its denominator is what the layer has put out
        if z is None:
            z = None if way.legs else self.layer.seen(self.a.tensor.shape)
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


def _plus(sum_so_far: Tensor | None, t: Tensor) -> Tensor:
    return t if sum_so_far is None else sum_so_far + t


def stable(z: Tensor, epsilon: float) -> Tensor:
    """``z`` moved away from zero by ``epsilon``."""
    return z + push(z, epsilon)


def push(z: Tensor, epsilon: float) -> Tensor:
    """``epsilon`` with the sign of ``z``, plus at zero."""
    return torch.copysign(z.new_tensor(epsilon), z)


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

    def __call__(self, r: Tensor) -> tuple[Tensor | None, ...]:
        parts = [kept.wide if sign == 1 else sign * kept.wide for kept, sign in self.terms]
        z = parts[0] + (parts[1] if self.constant is None else self.constant)
        moved = push(z, STABILISER)
        g = r / z.add_(moved)
        bias = None if self.constant is None else per_input(g * self.constant, self.n)
        absorbed = per_input(moved.mul(g), self.n)
        return (*(unbroadcast(g * part, part.shape) for part in parts), bias, absorbed)


class Pass:
    """One value made of one value: its relevance goes back whole. ``shape``: of the input, if it was broadcast."""

    def __init__(self, shape: torch.Size, n: int):
        self.shape, self.n = shape, n

    def __call__(self, r: Tensor) -> tuple[Tensor | None, ...]:
        return unbroadcast(r, self.shape), None, None


class Times:
    """The lower half of a fixed linear map: what comes back through the map itself is multiplied by its input."""

    def __init__(self, a: Kept | None, n: int):
        self.a, self.n = a, n

    def __call__(self, r: Tensor) -> tuple[Tensor | None, ...]:
        return (r if self.a is None else r * self.a.wide), None, None


class Over:
    """The upper half of a fixed linear map: relevance over the map's output ``z``."""

    def __init__(self, z: Tensor, n: int):
        self.z, self.n = z, n

    def __call__(self, r: Tensor) -> tuple[Tensor | None, ...]:
        g = r / stable(self.z, STABILISER)
        return g, None, per_input(g * push(self.z, STABILISER), self.n)


class Constant:
    """Values of which some do not depend on the input: what those are given counts as bias.

    keep: 1 where a value does depend on it; None if none does, and there is no input to give anything to.
    """

    def __init__(self, keep: Tensor | None, n: int):
        self.keep, self.n = keep, n

    def __call__(self, r: Tensor) -> tuple[Tensor | None, ...]:
        if self.keep is None:
            return per_input(r, self.n), None
        return r * self.keep, per_input(r * (1 - self.keep), self.n), None


Back = Callable[[Tensor], "tuple[Tensor | None, ...]"]


class Step(torch.autograd.Function):
    """One operation of the network: forward hands on the value it was given, backward asks the rule."""

    @staticmethod
    def forward(ctx: Any, back: Back, value: list[Tensor], *tensors: Tensor) -> Tensor:
        ctx.back = back
        return value.pop()  # in a list, so that autograd does not take it for an input

    @staticmethod
    def backward(ctx: Any, *r: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *ctx.back(wide(r[0]))


class InPlace(torch.autograd.Function):
    """An operation that changes its first tensor: ``run`` does, backward asks the rule."""

    @staticmethod
    def forward(ctx: Any, back: Back, run: Callable[[], Any], x: Tensor, *tensors: Tensor) -> Tensor:
        run()
        ctx.back = back
        ctx.mark_dirty(x)
        return x

    @staticmethod
    def backward(ctx: Any, *r: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *ctx.back(wide(r[0]))


class Same(torch.autograd.Function):
    """A value whose relevance goes whole, and shape by shape, to what it was made of."""

    @staticmethod
    def forward(ctx: Any, value: list[Tensor], x: Tensor) -> Tensor:
        return value.pop()

    @staticmethod
    def backward(ctx: Any, *r: Tensor) -> tuple[Tensor | None, ...]:
        return None, r[0]
