"""The walk through the network: every torch function of a forward pass gets its way back for relevance.

Autograd carries relevance in place of gradients. Functions that only move values (reshape, concatenation, slicing, max
pooling, whose winner takes all) are left as they are: what autograd hands back through them is the relevance. All
others are replaced by a `Step` that computes what the network computes and sends relevance back by a rule; modules,
reused modules, in-place and functional calls all come to these functions. A function without a rule is refused.

BatchNorm is folded without changing the network: its `Step` starts at the *input* of the convolution before it, with the
folded weights, and the convolution's own `Step` is then on nobody's way back.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.weak import WeakTensorKeyDictionary

from ..errors import MethodError
from ..models.session import Call
from . import lrp_rules as rules
from .lrp_layers import MATMULS, WEIGHTED, Kept, Linear, Scale, layer_of, value_of, wide
from .lrp_rules import Back, Constant, InPlace, Over, Pass, Rule, Same, Split, Step, Times, Weighted

# x.shape, x.mT …: which one it is does not matter, values are only moved, if anything.
ASKS = frozenset({"__get__", "dim", "is_floating_point", "numel", "size"})
ROUTES = frozenset({
    "__getitem__", "__iter__", "__setitem__", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d",
    "amax", "bfloat16", "channel_shuffle", "chunk", "clone", "contiguous", "double", "expand", "expand_as", "flatten",
    "flip", "float", "gather", "half", "index_select", "max", "max_pool1d", "max_pool1d_with_indices", "max_pool2d",
    "max_pool2d_with_indices", "max_pool3d", "max_pool3d_with_indices", "maximum", "min", "minimum", "movedim", "narrow",
    "permute", "pixel_shuffle", "pixel_unshuffle", "repeat", "repeat_interleave", "requires_grad", "reshape",
    "reshape_as", "roll", "select", "split", "squeeze", "swapaxes", "t", "tensor_split", "tile", "to", "transpose",
    "type", "type_as", "unbind", "unflatten", "unsqueeze", "view", "view_as"})
PASSES = frozenset({
    "__neg__", "__pos__", "alpha_dropout", "celu", "clamp", "clamp_max", "clamp_min", "clip", "dropout", "dropout1d",
    "dropout2d", "dropout3d", "elu", "feature_alpha_dropout", "hardshrink", "hardsigmoid", "hardtanh", "leaky_relu",
    "logsigmoid", "neg", "negative", "prelu", "relu", "relu6", "rrelu", "selu", "sigmoid", "softplus", "softshrink",
    "softsign", "tanh", "tanhshrink", "threshold"})
GATES = frozenset({"gelu", "hardswish", "mish", "silu"})
MAPS = frozenset({
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d",
    "interpolate", "mean", "sum", "upsample", "upsample_bilinear", "upsample_nearest"})
JOINS = frozenset({"cat", "concat", "concatenate", "stack", "hstack", "vstack"})
SUMS = {"add": 1.0, "__add__": 1.0, "__radd__": 1.0, "__iadd__": 1.0, "sub": -1.0, "subtract": -1.0, "__sub__": -1.0,
        "__isub__": -1.0, "rsub": -1.0, "__rsub__": -1.0}
PRODUCTS = frozenset({"mul", "multiply", "__mul__", "__rmul__", "__imul__", "div", "divide", "true_divide", "__truediv__",
                      "__itruediv__"})

_WHY = {**dict.fromkeys(("softmax", "log_softmax", "multi_head_attention_forward", "scaled_dot_product_attention"),
                        "its outputs compete for one sum (attention)"),
        **dict.fromkeys(("layer_norm", "group_norm", "instance_norm", "local_response_norm", "normalize", "rms_norm"),
                        "it divides by a spread of its own inputs"),
        **dict.fromkeys((*GATES, "glu"), "it multiplies its input by a gate made of it")}


@dataclass(frozen=True)
class Choice:
    """Which rule where: dense layers, convolutions (and BatchNorms that stand alone), the first layer, named layers."""

    dense: Rule
    conv: Rule
    first: Rule | None
    named: Mapping[str, Rule | str]


@dataclass(eq=False)
class _Layer:
    """What is known of a tensor that a layer with weights has put out: enough to fold a BatchNorm into it."""

    source: Tensor
    kept: Kept
    layer: Linear
    rule: Rule
    alone: bool = False


class Graph:
    """The rule for `rewired`: one forward pass on ``n`` inputs, starting at ``leaf``.

    shares: the two leaves `[N]` whose "gradients" are what biases and stabilisers were given.
    """

    def __init__(self, leaf: Tensor, choice: Choice, layers: dict[nn.Module, str]):
        self.n, self.choice, self.layers = len(leaf), choice, layers
        self.shares = [torch.zeros(self.n, dtype=wide(leaf[:0]).dtype, device=leaf.device, requires_grad=True)
                       for _ in range(2)]
        self.made: Any = WeakTensorKeyDictionary()
        self.raw: Any = WeakTensorKeyDictionary({leaf: True})  # pixels: values before any layer with weights
        self.kept: dict[int, list[Kept]] = {}
        self.used, self.firsts = set[str](), list[str]()

    def __call__(self, call: Call) -> Any:
        name = call.name.removeprefix("torch.")
        if name in ASKS:
            return NotImplemented
        inputs = [t for t in _tensors((call.args, call.kwargs)) if t.requires_grad]
        if not inputs:
            return NotImplemented
        in_place = call.in_place and isinstance(call.x, Tensor)
        if in_place:
            self._save(call.x)
        out = self._step(name, call, inputs)
        if name not in WEIGHTED and isinstance(out, (Tensor, tuple, list)) and all(t in self.raw for t in inputs):
            for t in _tensors((out,)):
                self.raw[t] = True
        if in_place:
            self._overwritten(call.x, out)
        return out

    def _step(self, name: str, call: Call, inputs: list[Tensor]) -> Any:
        if name in ROUTES or (name == "pad" and value_of(call, 2, "mode", "constant") != "constant"):
            if name == "__setitem__":
                self._overwritten(call.args[0], None)
            return call.function(*call.args, **call.kwargs)
        if name in PASSES:
            return self._pass(call)
        if name in GATES:
            if self._named() != "pass":
                raise self._refused(name, " To let it pass whole, give rules={layer: 'pass'}.")
            return self._pass(call)
        if name in SUMS:
            return self._sum(name, call, inputs)
        if name in PRODUCTS:
            if len(inputs) > 1:
                raise self._refused(name, "", "it multiplies two values that both depend on the input (a gate)")
            if "div" in name and inputs[0] is not call.x:
                raise self._refused(name, "", "it divides by a value that depends on the input")
            return self._factor(name, call, inputs[0])
        if name in MAPS:
            return self._map(call)
        if name in JOINS:
            return self._join(call)
        if name == "pad":
            return self._pad(call)
        if name == "batch_norm":
            return self._batch_norm(call)
        if name in WEIGHTED and not (name in MATMULS and len(inputs) > 1):
            return self._weighted(name, call)
        out = call.run(call.x) if call.in_place else call.function(*call.args, **call.kwargs)
        if any(t.requires_grad for t in _tensors((out,))):
            raise self._refused(name)
        return out

    # -- one kind of function each -----------------------------------------------------------------------------

    def _pass(self, call: Call, x: Tensor | None = None) -> Tensor:
        x = call.x if x is None else x
        if call.in_place and x is call.x:  # unseen by autograd: what comes back goes on whole
            with torch.no_grad():
                call.function(*call.args, **call.kwargs)
            call.kwargs.pop("inplace", None)  # done
            return x
        value = self._plain(call)
        return Same.apply([value], x) if value.shape == x.shape else self._stepped(Pass(x.shape, self.n), value, x)

    def _factor(self, name: str, call: Call, x: Tensor) -> Tensor:
        """A product with a constant; one per channel right behind a layer is a BatchNorm's, and goes into its weights."""
        before, other = self.made.get(x), next((a for a in (*call.args, *call.kwargs.values()) if a is not x), None)
        axis = -1 if before is None or type(before.layer) is Linear else 1
        if before is None or before.alone or not isinstance(other, Tensor) or other.numel() != x.shape[axis] or \
                ((1,) * x.ndim + other.shape)[-x.ndim:][axis] != x.shape[axis]:
            return self._pass(call, x)
        scale = wide(other.detach().flatten())
        scale = 1 / scale if "div" in name else scale
        layer, value = _times(before.layer, scale), self._plain(call)
        if layer.bias is not None:
            layer.bias = layer.bias * layer.channels(scale, value.ndim)
        return self._put_out(before.source, before.kept, layer, before.rule, value)

    def _sum(self, name: str, call: Call, inputs: list[Tensor]) -> Tensor:
        first, second = call.x, value_of(call, 1, "other", None)
        alpha = float(value_of(call, 2, "alpha", 1))
        signs = (-alpha, 1.0) if "rsub" in name else (1.0, SUMS[name] * alpha)
        both = [(t, s) for t, s in zip((first, second), signs, strict=True) if isinstance(t, Tensor) and t.requires_grad]
        if call.in_place and len(both) == 2 and first._base is None and not _shared(first, second):
            terms = [(Kept(first.detach().clone()), 1.0), (self._keep(second), both[1][1])]
            return self._put(InPlace, Split(terms, None, self.n), lambda: call.function(*call.args, **call.kwargs), first,
                             second)
        value = self._plain(call)
        if len(both) == 1:
            x, sign = both[0]
            if x in self.raw:
                return self._stepped(Pass(x.shape, self.n), value, x)
            before, other = self.made.get(x), second if x is first else first
            if before is not None and sign == 1 and _same_for_all(other, value):  # a bias that is added apart
                added = wide(torch.as_tensor(other, dtype=value.dtype, device=value.device)) * (signs[1] if x is first
                                                                                                else signs[0])
                old = before.layer.bias
                layer = replace(before.layer, bias=added if old is None else old + added)
                return self._put_out(before.source, before.kept, layer, before.rule, value, before.alone)
            constant = wide(value) - sign * wide(x.detach())
            back: Any = Split([(self._keep(x), sign)], constant, self.n)
            return self._stepped(back, value, x)
        return self._stepped(Split([(self._keep(t), s) for t, s in both], None, self.n), value, *(t for t, _ in both))

    def _map(self, call: Call) -> Tensor:
        """A fixed linear map (pooling by means, sums, interpolation): its own transpose, between two steps."""
        x = call.x
        raw = x in self.raw
        values = torch.ones_like(x) if raw else x.detach()
        lower = self._stepped(Times(None if raw else self._keep(x), self.n), values.clone(), x)
        out = call.run(lower)
        if not isinstance(out, Tensor) or out.ndim == 0 or out.shape[0] % self.n:
            raise self._refused(call.name, "", "it mixes the inputs of a batch")
        value = self._plain(call) if raw else out.detach().clone()
        return self._stepped(Over(wide(out.detach()), self.n), value, out)

    def _join(self, call: Call) -> Tensor:
        key = "tensors" if "tensors" in call.kwargs else None
        parts = call.kwargs["tensors"] if key else call.args[0]
        parts = [t if t.requires_grad or len(t) != self.n else self._stepped(Constant(None, self.n), t.detach().clone())
                 for t in parts]
        args = call.args if key else (parts, *call.args[1:])
        out: Tensor = call.function(*args, **({**call.kwargs, "tensors": parts} if key else call.kwargs))
        return out

    def _pad(self, call: Call) -> Tensor:
        x, pad = call.x, value_of(call, 1, "pad", None)
        out = call.function(*call.args, **call.kwargs)
        keep = F.pad(torch.ones_like(x), pad)
        return self._stepped(Constant(keep, self.n), out.detach().clone(), out)

    def _weighted(self, name: str, call: Call) -> Tensor:
        x = call.x
        if not isinstance(x, Tensor) or not x.requires_grad:
            raise self._refused(name, "", "its weights depend on the input")
        layer = layer_of(name, call)
        if layer is None:
            raise self._refused(name)
        value = self._plain(call)
        if layer.bias is not None:
            layer.bias = layer.channels(layer.bias, value.ndim)
        rule = self._rule(x, self.choice.dense if isinstance(layer, Linear) and type(layer) is Linear else self.choice.conv)
        before = self.made.get(x)
        if before is not None and before.alone:  # a BatchNorm right before: its factors go into the weights
            shift = layer.forward(before.layer.bias.expand(1, *x.shape[1:]), layer.weight)
            layer = replace(layer, weight=layer.fed_by(before.layer.weight.flatten()),
                            bias=shift if layer.bias is None else shift + layer.bias)
            return self._put_out(before.source, before.kept, layer, rule, value)
        return self._put_out(x, self._keep(x), layer, rule, value)

    def _batch_norm(self, call: Call) -> Tensor:
        names = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
        given = {**dict(zip(names, call.args, strict=False)), **call.kwargs}
        x, mean, var = given["input"], given["running_mean"], given["running_var"]
        if given.get("training") or mean is None:
            raise self._refused("batch_norm", "", "it normalises by its own batch, having no running statistics")
        scale = torch.rsqrt(var + given.get("eps", 1e-5)) * (1 if given.get("weight") is None else given["weight"])
        shift = (0 if given.get("bias") is None else given["bias"]) - mean * scale
        scale, shift, value = wide(scale), wide(shift), self._plain(call)
        if x in self.raw:
            return self._stepped(Pass(x.shape, self.n), value, x)
        before = self.made.get(x)
        if before is not None and not before.alone:
            old = before.layer
            layer = _times(old, scale)
            layer.bias = layer.channels(shift, value.ndim)
            if old.bias is not None:
                layer.bias = layer.bias + old.bias * layer.channels(scale, value.ndim)
            return self._put_out(before.source, before.kept, layer, before.rule, value)
        axes = (1, -1, *[1] * (x.ndim - 2))
        alone = Scale(scale.reshape(axes), shift.reshape(axes))
        return self._put_out(x, self._keep(x), alone, self._rule(x, self.choice.conv), value, alone=True)

    def _put_out(self, x: Tensor, kept: Kept, layer: Linear, rule: Rule, value: Tensor, alone: bool = False) -> Tensor:
        y = self._keep(value) if rule.name in ("epsilon", "gamma") else None  # the others do not look at the output
        out = self._stepped(Weighted(kept, y, layer, rule, self.n), value, x)
        self.made[out] = _Layer(x, kept, layer, rule, alone)
        return out

    # -- tools -----------------------------------------------------------------------------------------------

    def _plain(self, call: Call) -> Tensor:
        """What the network itself computes, without a graph, in memory of its own."""
        with torch.no_grad():
            value: Tensor = call.run(call.x) if call.in_place else call.function(*call.args, **call.kwargs)
        return value.clone() if any(_shared(value, t) for t in _tensors((call.args, call.kwargs))) else value

    def _stepped(self, back: Back, value: Tensor, *inputs: Tensor) -> Tensor:
        return self._put(Step, back, [value], *inputs)

    def _put(self, function: type[torch.autograd.Function], back: Back, value: Any, *inputs: Tensor) -> Tensor:
        out: Tensor = function.apply(back, value, *inputs, *self.shares)
        return out

    def _keep(self, t: Tensor) -> Kept:
        kept = Kept(t.detach())
        self.kept.setdefault(t.untyped_storage().data_ptr(), []).append(kept)
        return kept

    def _save(self, x: Tensor) -> None:
        """``x`` is about to be changed in place: what backward needs of it is copied."""
        for kept in self.kept.pop(x.untyped_storage().data_ptr(), []):
            kept.tensor = kept.tensor.clone()

    def _overwritten(self, x: Tensor, out: Any) -> None:
        """What was kept of ``x`` until now is copied, what was known of it forgotten."""
        self._save(x)
        self.made.pop(x, None)
        if out is None or out not in self.raw:
            self.raw.pop(x, None)

    def _rule(self, x: Tensor, usual: Rule) -> Rule:
        named = self._named()
        if named == "pass":
            raise MethodError(f"lrp: rule 'pass' is for activations, and {self._here()} has weights; choose one of "
                              f"{', '.join(rules.RULES)}.")
        if isinstance(named, Rule):
            return named
        if x in self.raw and self.choice.first is not None:
            return self.choice.first
        return usual

    def _named(self) -> Rule | str | None:
        """The rule that the caller gave for the layer that is running, or for one that holds it."""
        if not self.choice.named:
            return None
        name = self._layer_name() or ""
        while name:
            if name in self.choice.named:
                self.used.add(name)
                return self.choice.named[name]
            name = name.rpartition(".")[0]
        return None

    def _layer_name(self) -> str | None:
        """The innermost module that is running: read off the call stack, which needs no hooks."""
        frame = sys._getframe(1)
        while frame is not None:
            module = frame.f_locals.get("self")
            if isinstance(module, nn.Module) and module in self.layers:
                return self.layers[module]
            frame = frame.f_back  # type: ignore[assignment]
        return None

    def _here(self) -> str:
        name = self._layer_name()
        if not name:
            return "the network's own forward"
        return f"layer {name!r} ({next(type(m).__name__ for m, n in self.layers.items() if n == name)})"

    def _refused(self, name: str, mend: str = "", why: str | None = None) -> MethodError:
        name = name.strip("_")
        why = why or _WHY.get(name, "no rule is defined for it")
        other = "gradient-x-attention or integrated-gradients" if "attention" in why else "integrated-gradients or deeplift"
        return MethodError(f"lrp has no rule for {name} in {self._here()}: {why}. Use {other}.{mend}")


def _times(layer: Linear, scale: Tensor) -> Linear:
    """The layer with every output channel times ``scale``; its bias is the caller's."""
    return replace(layer, scale=scale if layer.scale is None else layer.scale * scale)


def _shared(t: Tensor, u: Tensor) -> bool:
    """Whether two tensors lie in the same memory."""
    return t.untyped_storage().data_ptr() == u.untyped_storage().data_ptr()


def _same_for_all(constant: Any, value: Tensor) -> bool:
    """Whether a constant is the same for every input of the batch."""
    return not isinstance(constant, Tensor) or constant.ndim < value.ndim or constant.shape[0] == 1


def _tensors(items: Any) -> list[Tensor]:
    found: list[Tensor] = []
    for item in items.values() if isinstance(items, Mapping) else items:
        if isinstance(item, Tensor):
            found.append(item)
        elif isinstance(item, (tuple, list, Mapping)):
            found += _tensors(item)
    return found


__all__ = ["Choice", "Graph"]
