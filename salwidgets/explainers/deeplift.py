"""DeepLIFT, rescale rule: every activation's slope is that between the baseline and the input, not that at the input.

The baseline goes through the network first and leaves its inputs to each activation behind; the input's pass takes
them up in the same order. Functional, in-place and reused activations are therefore met like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import MethodError
from ..models.session import Call, rewired
from . import baselines
from .base import Answer, Columns, Job, Method, apply, one_hot, weights_of
from .gradients import ANY, GradientEvidence, check_channels, input_gradient, need_floats, to_map
from .guided import no_torchscript
from .path import quadrature
from .registry import register

_ELEMENTWISE = frozenset({"abs", "celu", "clamp", "clamp_max", "clamp_min", "elu", "exp", "gelu", "hardsigmoid",
                          "hardswish", "hardtanh", "leaky_relu", "log", "log1p", "mish", "relu", "relu6", "rsqrt", "selu",
                          "sigmoid", "silu", "softplus", "sqrt", "square", "tanh"})
_POOLS = frozenset({"max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
                    "adaptive_max_pool3d"})
# The rule is for functions of one value. These mix values otherwise than by a fixed sum; products only if both depend
# on the input.
_MIXING = frozenset({"amax", "amin", "group_norm", "instance_norm", "layer_norm", "log_softmax", "logsumexp", "max",
                     "multi_head_attention_forward", "norm", "normalize", "pow", "rms_norm", "scaled_dot_product_attention",
                     "softmax", "std", "var"})
_PRODUCTS = frozenset({"bmm", "div", "einsum", "matmul", "mul", "true_divide", "__matmul__", "__mul__", "__truediv__"})
_CLOSE = 1e-6
_TINY = 1e-30


@dataclass
class _Seen:
    """What an activation or a pool was given for the baseline. own: a copy, which may be overwritten."""

    name: str
    below: Tensor
    own: bool = False
    made: tuple[Tensor, Tensor] | None = None


class _Reference:
    """The baseline's pass: keeps what each activation was given, and what pools made of it."""

    def __init__(self) -> None:
        self.seen: list[_Seen | None] = []

    def __call__(self, call: Call) -> Any:
        if call.name in _ELEMENTWISE:
            x = call.x.detach()
            self.seen.append(_Seen(call.name, x.clone(), own=True) if call.in_place else _Seen(call.name, x))
        elif call.name in _POOLS:
            made = _pooled(call, call.x.detach())
            self.seen.append(_Seen(call.name, call.x.detach(), made=made))
            return made[0]
        return NotImplemented


class _Rescale:
    """The input's pass: activations with the slope between their two inputs."""

    def __init__(self, seen: list[_Seen | None]):
        self.seen, self.at, self.mixing = seen, 0, set[str]()

    def __call__(self, call: Call) -> Any:
        name, x = call.name, call.x
        if name not in _ELEMENTWISE and name not in _POOLS:
            if name in _MIXING or (name in _PRODUCTS and sum(_depends(a) for a in call.args) > 1):
                self.mixing.add(name.strip("_"))
            return NotImplemented
        seen = self.seen[self.at] if self.at < len(self.seen) else None
        if seen is None or seen.name != name or seen.below.shape != x.shape:
            raise MethodError("deeplift: the network takes another way for the input than for the baseline, so their "
                              "activations cannot be compared. Use integrated-gradients.")
        self.seen[self.at] = None  # its memory serves what is made next
        self.at += 1
        if not _depends(x):
            return NotImplemented
        if seen.made is not None:
            return _pool(call, x, seen.below, seen.made)
        return _relu(call, x, seen) if name == "relu" else _activation(call, x, seen.below)


class _Line(torch.autograd.Function):
    """A value that is known (in ``box``: as an argument it would come back as a view) with a slope of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor, box: list[Tensor]) -> Tensor:
        ctx.save_for_backward(slope)
        return box[0]

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> Any:
        return g[0] * ctx.saved_tensors[0], None, None


class _Ramp(torch.autograd.Function):
    """ReLU in place, with a slope of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(slope)
        ctx.mark_dirty(x.relu_())
        return x

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> Any:
        return g[0] * ctx.saved_tensors[0], None


class _Places(torch.autograd.Function):
    """A pool's value (in ``box``), with slopes at the places where its input and the baseline's have their maxima."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, space: int, box: list[Tensor], *places_and_slopes: Tensor) -> Tensor:
        ctx.save_for_backward(*places_and_slopes)
        ctx.shape, ctx.space = x.shape, space
        return box[0]

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> Any:
        place, slope, place_below, slope_below = ctx.saved_tensors
        flat = g[0].flatten(ctx.space)
        given = g[0].new_zeros(ctx.shape).flatten(ctx.space)
        given.scatter_add_(-1, place, flat * slope).scatter_add_(-1, place_below, flat * slope_below)
        return given.reshape(ctx.shape), None, None, None, None, None, None


def _depends(a: Any) -> bool:
    return isinstance(a, Tensor) and a.requires_grad


def _near(gap: Tensor, x: Tensor, below: Tensor) -> Tensor:
    """Where two inputs with the difference ``gap`` differ by rounding only: the slope between them would be noise."""
    return gap.abs() <= x.abs().add_(below.abs()).mul_(_CLOSE).add_(1e-10)


def _relu(call: Call, x: Tensor, seen: _Seen) -> Tensor:
    """ReLU, with the share of the way between both inputs that lies above zero for a slope."""
    here, below = x.detach(), seen.below
    way = (below - here).abs_().clamp_(min=max(_TINY, torch.finfo(x.dtype).tiny))
    higher = torch.maximum(here, below, out=below if seen.own else None)
    slope = higher.div_(way).clamp_(0, 1)
    if call.in_place and not x._is_view():
        call.kwargs.pop("inplace", None)  # done
        return cast(Tensor, _Ramp.apply(x, slope))
    return cast(Tensor, _Line.apply(x, slope, [here.relu()]))


def _activation(call: Call, x: Tensor, below: Tensor) -> Tensor:
    """f(x) with the slope (f(x) - f(x')) / (x - x'), or f'(x) where both inputs agree."""
    here = x.detach()
    gap = here - below
    near = _near(gap, here, below)
    leaf = x.detach().requires_grad_()
    with torch.enable_grad():
        y = call.run(leaf)
    own, y = torch.autograd.grad(y.sum(), leaf)[0], y.detach()
    between = (y - call.run(below)).div_(gap.masked_fill_(near, 1))
    return cast(Tensor, _Line.apply(x, torch.where(near, own.to(between.dtype), between), [y]))


def _pooled(call: Call, x: Tensor) -> tuple[Tensor, Tensor]:
    """What the pool makes of ``x``, and the places of the maxima."""
    options = {**call.kwargs, "return_indices": True}
    options.pop("input", None)
    return cast("tuple[Tensor, Tensor]", getattr(F, call.name)(x, *call.args[1:], **options))


def _pool(call: Call, x: Tensor, below: Tensor, made: tuple[Tensor, Tensor]) -> Tensor:
    """Max pooling: with m the larger of both maxima, m - y' is due to the place of the input's maximum and y - m to that
    of the baseline's; each is spread over the way that the value there has gone."""
    here = x.detach()
    value, place = _pooled(call, here)
    space = -2 if value.ndim == x.ndim and call.name.endswith("2d") else (-1 if call.name.endswith("1d") else -3)
    y, y_below, at, at_below = (t.flatten(space) for t in (value, made[0], place, made[1]))
    step = y - y_below

    def slope(share: Tensor, now: Tensor, then: Tensor) -> tuple[Tensor, Tensor]:
        """share / (now - then), or 0 where nothing moved (`_near`); and 1 there, else 0. In numbers, not with `where`,
        which takes as long on a CPU as ten sums."""
        gap = now - then
        still = then.abs().add_(now.abs()).mul_(_CLOSE).add_(1e-10).sub_(gap.abs()).sign_().add_(1).clamp_(max=1)
        return share.mul_(1 - still).div_(gap.add_(still)), still

    up, still = slope(step.clamp(min=0), y, below.flatten(space).gather(-1, at))
    up.add_(still)  # there the input's own maximum passes its gradient on, as without the rule
    down, _ = slope(step.clamp_(max=0), here.flatten(space).gather(-1, at_below), y_below)
    return cast(Tensor, _Places.apply(x, space, [value], at, up, at_below, down))


class DeepLiftEvidence(GradientEvidence):
    """The input's graph with the baseline's slopes in it: a question costs one backward pass."""

    baseline: Tensor
    baseline_logits: Tensor
    promised: bool

    def answer(self, columns: Columns) -> Answer:
        if all(q.linear for column in columns for q in column):
            weights = weights_of(columns, self.logits)
        else:  # the slope of the question itself, along the straight line between both scores
            nodes, shares = quadrature("gauss-legendre", 32)
            step = self.logits - self.baseline_logits
            weights = sum((weights_of(columns, self.baseline_logits + float(a) * step) * float(s)
                           for a, s in zip(nodes, shares, strict=True)), torch.zeros(()))
        expected = apply(columns, self.logits) - apply(columns, self.baseline_logits)
        known = self.promised and self.params["channels"] != "max-abs"
        return Answer(self._maps(weights), expected.cpu() if known else None)

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        return self._maps(one_hot(classes, self.logits))

    def _maps(self, weights: Tensor) -> Tensor:
        with torch.enable_grad():
            g = input_gradient(self.graph, self.leaf, weights, retain=True).float()
        return to_map(g * (self.leaf.detach() - self.baseline).float(), self.params["channels"])


@register(name="deeplift", family="gradient", linear=True, signed=True, complete=True, needs=("gradients",),
          passes="2 forwards, 1 backward", seed=False, modality=ANY,
          source="Shrikumar et al. 2017, rescale rule; max pooling as in captum (ref)")
class DeepLift(Method):
    """(x - x') times the gradient in which every activation f has the slope (f(z) - f(z')) / (z - z').

    z' is what the activation is given for the baseline x' (see `baselines.make`); where z and z' agree, the slope is
    f'(z). Map `[N, H, W]`, signed; it sums to score(x) - score(x'). Questions that are not linear take their own slope
    averaged along the line between both score vectors (ours), which keeps that sum. Normalisation over the input's own
    values, attention, softmax and products of activations have no such rule: they keep their derivative, a notice names
    them, and no sum is promised then.
    """

    defaults: ClassVar[dict[str, Any]] = {"baseline": "zero", "channels": "sum", "seed": 0}

    def prepare(self, job: Job) -> DeepLiftEvidence:
        check_channels(self)
        need_floats(self, job.x)
        no_torchscript("deeplift", job.model)
        baseline = baselines.of(job, self.params["baseline"], self.params["seed"])
        reference = _Reference()
        with torch.no_grad(), rewired(reference):
            below = job.model.forward(baseline, job.task)
        rule = _Rescale(reference.seen)
        with torch.enable_grad():
            leaf = job.x.detach().clone().requires_grad_()
            with rewired(rule):
                scores = job.model.forward(leaf.clone(), job.task)
        notices = () if not rule.mixing else (
            f"the rescale rule is not defined for {', '.join(sorted(rule.mixing))}: these keep their derivative, and the "
            "map need not sum to the score difference.",)
        evidence = self.evidence(DeepLiftEvidence, job, scores.detach(), None, notices)
        evidence.leaf, evidence.graph, evidence.baseline, evidence.baseline_logits = leaf, scores, baseline, below
        evidence.promised = not rule.mixing
        job.progress.step(self.passes(job.x))
        return evidence

    def passes(self, x: Tensor) -> int:
        return 2 * len(x)
