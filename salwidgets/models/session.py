"""Borrow a network and give it back as it was. The only place in the project that hooks a module."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ..errors import ModelError


@contextlib.contextmanager
def session(net: Any, device: torch.device, compiled: bool = False) -> Iterator[None]:
    """Run ``net`` in evaluation mode, with no parameter asking for a gradient, and outside inference mode.

    Training modes, requires_grad flags, buffers and the random state of torch are afterwards what they were,
    also after an error or KeyboardInterrupt.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(_random_state_kept(device))
        if compiled:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        if isinstance(net, nn.Module):
            modules = list(net.modules())
            stack.enter_context(_inference_tensors_replaced(modules))
            stack.enter_context(_buffers_kept(modules))
            stack.enter_context(_modes_kept(net, modules))
            stack.enter_context(_flags_kept(modules))
        yield


@contextlib.contextmanager
def _random_state_kept(device: torch.device) -> Iterator[None]:
    """A network that draws at random does so from seed 0 here, and the caller's random state is put back."""
    generators = [torch.default_generator]
    if device.type == "cuda":
        generators.append(torch.cuda.default_generators[device.index or 0])
    states = [g.get_state() for g in generators]
    try:
        for g in generators:  # torch.manual_seed would queue a call with a stack trace for a CUDA that is not there
            g.manual_seed(0)
        yield
    finally:
        for g, state in zip(generators, states, strict=True):
            g.set_state(state)


@contextlib.contextmanager
def _modes_kept(net: nn.Module, modules: list[nn.Module]) -> Iterator[None]:
    modes = [m.training for m in modules]
    if not any(modes):
        yield
        return
    was_training = net.training
    try:
        net.eval()
        yield
    finally:
        if was_training:
            net.train()  # models that override train() to undo what eval() did
        for module, training in zip(modules, modes, strict=True):
            module.training = training


@contextlib.contextmanager
def _inference_tensors_replaced(modules: list[nn.Module]) -> Iterator[None]:
    # A network built under inference_mode has weights that autograd refuses: lend it copies.
    kept: list[tuple[dict[str, Any], str, Tensor]] = [
        (tensors, name, t) for m in modules for tensors in (m._parameters, m._buffers)
        for name, t in tensors.items() if t is not None and t.is_inference()]
    try:
        for tensors, name, t in kept:
            copy = t.clone()
            tensors[name] = nn.Parameter(copy, requires_grad=False) if isinstance(t, nn.Parameter) else copy
        yield
    finally:
        for tensors, name, t in kept:
            tensors[name] = t


@contextlib.contextmanager
def _flags_kept(modules: list[nn.Module]) -> Iterator[None]:
    flagged = [p for m in modules for p in m._parameters.values() if p is not None and p.requires_grad and p.is_leaf]
    try:
        for p in flagged:
            p.requires_grad_(False)
        yield
    finally:
        for p in flagged:
            p.requires_grad_(True)


@contextlib.contextmanager
def _buffers_kept(modules: list[nn.Module]) -> Iterator[None]:
    # Buffers can be replaced (self.n = self.n + 1) or changed in place (self.n += 1): keep both the tensor and a copy.
    kept = [(module, name, buffer, None if buffer is None else buffer.detach().clone(), _version(buffer))
            for module in modules for name, buffer in module._buffers.items()]
    try:
        yield
    finally:
        with torch.no_grad():
            for module, name, buffer, copy, version in kept:
                if buffer is not None and copy is not None and _version(buffer) != version:
                    buffer.copy_(copy)
                # TorchScript keeps its buffers in a place of its own, where none can be replaced.
                if isinstance(module._buffers, dict) and module._buffers.get(name) is not buffer:
                    module._buffers[name] = buffer


def _version(buffer: Tensor | None) -> int | None:
    # Inference tensors keep no version: NaN-like None never equals a changed one, so they are not restored.
    return None if buffer is None or buffer.is_inference() else buffer._version


@dataclass
class Capture:
    """What one hooked module put out: ``tensor`` is its last call's output (a leaf, if it was cut)."""

    tensor: Tensor | None = None
    calls: int = 0
    outputs: list[Tensor] = field(default_factory=list)


@contextlib.contextmanager
def captured(net: nn.Module, layers: list[str], cut: bool = True, copy: bool = False) -> Iterator[dict[str, Capture]]:
    """Hook ``layers`` by name while the block runs.

    cut: the output becomes a leaf that asks for a gradient and its clone is handed on, so that backward stops
    there and nothing before it is recorded. (A bare leaf would break nets that change it in place.)
    Not cut: the output is kept as it is; ``copy``: as a copy without a graph, which no later layer can change.
    """
    found: dict[str, Capture] = {}
    handles = []
    try:
        for name in layers:
            found[name] = Capture()
            handles.append(submodule(net, name).register_forward_hook(_keep(found[name], cut, copy)))
        yield found
    finally:
        for handle in handles:
            handle.remove()


@contextlib.contextmanager
def replaced(net: nn.Module, changes: dict[str, Callable[[Tensor], Tensor]], call: int | None = None) -> Iterator[None]:
    """While the block runs, each named layer hands on ``change(output)`` in place of its output.

    call: change only this run of a layer (from 1, counted over the block), if one forward runs it several times.
    """
    handles = []

    def hook_of(change: Callable[[Tensor], Tensor]) -> Any:
        calls = 0

        def hook(module: nn.Module, args: Any, output: Any) -> Any:
            nonlocal calls
            tensor, put_back = _main_tensor(output)
            if tensor is None:
                return None
            calls += 1
            return put_back(change(tensor)) if call in (None, calls) else None

        return hook

    try:
        for name, change in changes.items():
            handles.append(submodule(net, name).register_forward_hook(hook_of(change)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def submodule(net: nn.Module, name: str) -> nn.Module:
    """The layer called ``name``; `ModelError` with the nearest names if there is none."""
    try:
        return net.get_submodule(name)
    except AttributeError:
        from ..taxonomy import nearest

        near = ", ".join(repr(n) for n in nearest(name, (n for n, _ in net.named_modules() if n)))
        raise ModelError(f"the model has no layer {name!r}." + (f" Nearest: {near}." if near else "")) from None


def _keep(capture: Capture, cut: bool, copy: bool = False) -> Any:
    def hook(module: nn.Module, args: Any, output: Any) -> Any:
        tensor, put_back = _main_tensor(output)
        if tensor is None:
            return None
        capture.calls += 1
        if not cut:
            capture.tensor = tensor.detach().clone() if copy else tensor
            return None
        capture.tensor = tensor.detach().requires_grad_()
        return put_back(capture.tensor.clone())

    return hook


def _main_tensor(output: Any) -> tuple[Tensor | None, Any]:
    """The first float tensor of a module's output, and how to put another in its place."""
    if isinstance(output, Tensor):
        return (output if output.is_floating_point() else None), lambda t: t
    if isinstance(output, (tuple, list)) and output and isinstance(output[0], Tensor):
        kind = type(output)
        rest = output[1:]
        if hasattr(output, "_fields"):
            return output[0], lambda t: kind(t, *rest)
        return output[0], lambda t: kind([t, *rest])
    if isinstance(output, dict):
        for key, value in output.items():
            if isinstance(value, Tensor) and value.is_floating_point():
                def swap(t: Tensor, key: Any = key) -> Any:
                    output[key] = t
                    return output
                return value, swap
    return None, lambda t: t


@dataclass
class Run:
    """One module call seen by `watched`: its name, module, and what it put out (``plain``: a bare tensor)."""

    name: str
    module: nn.Module
    output: Tensor
    plain: bool = True


@contextlib.contextmanager
def watched(net: nn.Module) -> Iterator[list[Run]]:
    """Record every module call of a forward, in order of completion. Outputs are held while the block runs."""
    runs: list[Run] = []
    handles = []

    def watch(name: str) -> Any:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            tensor, _ = _main_tensor(output)
            if tensor is not None:
                runs.append(Run(name, module, tensor, isinstance(output, Tensor)))

        return hook

    try:
        for name, module in net.named_modules():
            if name:
                handles.append(module.register_forward_hook(watch(name)))
        yield runs
    finally:
        for handle in handles:
            handle.remove()
        runs.clear()


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a torch function seen by `rewired`. ``name`` is the function's, without the underscore of in-place
    variants; ``x`` its first tensor; ``run(t)`` is what it makes of ``t`` in place of ``x``, leaving ``t`` alone."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def x(self) -> Any:
        return self.args[0] if self.args else self.kwargs.get("input")

    @property
    def in_place(self) -> bool:
        raw = getattr(self.function, "__name__", "")
        return bool(self.kwargs.get("inplace")) or (raw.endswith("_") and not raw.endswith("__"))

    def run(self, t: Tensor) -> Any:
        t = t.clone() if self.in_place else t
        if self.args:
            return self.function(t, *self.args[1:], **self.kwargs)
        return self.function(**{**self.kwargs, "input": t})


class _Rewired(TorchFunctionMode):
    def __init__(self, rule: Callable[[Call], Any]):
        super().__init__()
        self.rule = rule

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        call = Call(name if name.endswith("__") else name.rstrip("_"), func, tuple(args), dict(kwargs or {}))
        out = self.rule(call)
        if out is NotImplemented:
            return func(*call.args, **call.kwargs)
        # An in-place function has changed its input, and what reads that input later must see it.
        return call.x.copy_(out) if call.in_place and out is not call.x else out


@contextlib.contextmanager
def rewired(rule: Callable[[Call], Any]) -> Iterator[None]:
    """Put ``rule(call)`` in the place of torch's functions while the block runs; NotImplemented leaves a call as it is.

    Modules, reused modules and functional calls all come to the same function in the end, so this sees each of them
    without touching the network: there is nothing to put back but the mode itself, which an error ends too.
    """
    with _Rewired(rule):
        yield


@contextlib.contextmanager
def attending(seen: Callable[[Tensor], Tensor], net: nn.Module | None = None, handed: Sequence[str] = ()) -> Iterator[None]:
    """Hand every attention matrix that a forward makes through ``seen``, and let the net go on with what it returns.

    handed: modules of ``net``, if it has such, that put each matrix out as it is (a dropout behind the softmax). They are
    hooked, which costs next to nothing; otherwise a function mode looks at every call of the forward.

    Seen are softmaxes over the last axis of square matrices `[..., T, T]`, however they come about: written out,
    inside `scaled_dot_product_attention` (which is written out here), and inside `nn.MultiheadAttention`, whose fused
    path torch itself leaves while a function mode is on. Nothing global is replaced, so nothing can stay replaced.
    """
    if net is None or not handed:
        with _Attending(seen):
            yield
        return
    handles = []
    try:
        for name in handed:
            handles.append(submodule(net, name).register_forward_hook(lambda module, args, output: seen(output)))
        yield
    finally:
        for handle in handles:
            handle.remove()


_ATTENTION = {F.scaled_dot_product_attention, F.multi_head_attention_forward,
              F.softmax, torch.softmax, Tensor.softmax, torch.special.softmax}


class _Attending(TorchFunctionMode):
    def __init__(self, seen: Callable[[Tensor], Tensor]):
        super().__init__()
        self.seen = seen
        # torch's own function on a copy of its global names: its inner calls are not seen by the mode that calls it.
        plain: Any = F.multi_head_attention_forward
        names = {**plain.__globals__, "softmax": self.softmax, "scaled_dot_product_attention": self.fused}
        self.multi_head: Any = FunctionType(plain.__code__, names, plain.__name__, plain.__defaults__, plain.__closure__)
        self.multi_head.__kwdefaults__ = plain.__kwdefaults__

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func not in _ATTENTION:  # nearly every call of a forward comes through here
            return func(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            return self.fused(*args, **kwargs)
        if func is F.multi_head_attention_forward:
            return self.multi_head(*args, **kwargs)
        return self._passed(func(*args, **kwargs), args, kwargs)

    def softmax(self, *args: Any, **kwargs: Any) -> Tensor:
        """`F.softmax`, seen."""
        return self._passed(F.softmax(*args, **kwargs), args, kwargs)

    def fused(self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
              is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False) -> Tensor:
        """`scaled_dot_product_attention` as its documentation writes it out: softmax(q k^T scale + mask) v."""
        if enable_gqa:
            key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
            value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
        scores = query * (1 / math.sqrt(query.shape[-1]) if scale is None else scale) @ key.transpose(-2, -1)
        if is_causal:
            later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
            scores = scores.masked_fill(later, -math.inf)
        if attn_mask is not None:
            scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
        attention = self.softmax(scores, dim=-1)
        return (F.dropout(attention, dropout_p) if dropout_p else attention) @ value

    def _passed(self, out: Tensor, args: Any, kwargs: Any) -> Tensor:
        axis = kwargs.get("dim", args[1] if len(args) > 1 else None)
        square = out.ndim in (3, 4) and out.shape[-1] == out.shape[-2] > 1
        return self.seen(out) if square and axis in (-1, out.ndim - 1) else out
