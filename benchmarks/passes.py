"""Every method beside the bare model passes that its definition needs, at the same batch size.

A method has a line in `RULES`: which passes one question on one input needs, and with which parameters it is measured.
Four kinds of passes, all with no parameter asking for a gradient: a *forward* without a graph; one *with attention
matrices*, which torch's fused attention never makes; one *to the input*, forward with a graph and back to the input; one
*to the features*, forward with the graph cut at the last map before pooling, and back through the head alone. Methods that
take many passes are measured at 112 x 112 (or 64 x 64).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

import salwidgets as sw
from benchmarks.measure import Row, ratio
from examples.nets.resnet import resnet18
from examples.nets.vit import vit_tiny_patch16_224

BOUND = {"cpu": 1.10, "cuda": 1.05}

Passes = tuple[str, int, int]
"""Kind ("forward", "attention", "input" or "features"), how many, and how many at once."""


@dataclass(frozen=True)
class Rule:
    """The passes that one question on one input needs; ``remark``: what the method does besides, if that is much."""

    passes: tuple[Passes, ...]
    size: int = 224
    params: dict[str, Any] = field(default_factory=dict)
    net: str = "ResNet-18"
    remark: str = ""

    def __str__(self) -> str:
        names = {"forward": "forward", "attention": "with attention matrices", "input": "to the input",
                 "features": "to the features"}
        return " + ".join(f"{n} {names[kind]}" + (f", {at_once} at once" if 1 < at_once < n else "")
                          for kind, n, at_once in self.passes)


_FEATURES = Rule((("features", 1, 1),))
_INPUT = Rule((("input", 1, 1),))
_NOISY = Rule((("forward", 1, 1), ("input", 25, 32)), 112)

GRID = np.kron(np.arange(25).reshape(5, 5), np.ones((23, 23), int))[:112, :112]  # 25 regions: noise has none of its own
RULES: dict[str, Rule] = {
    **dict.fromkeys(("grad-cam", "grad-cam++", "xgrad-cam", "hires-cam", "layer-cam", "eigen-grad-cam",
                     "threshold-grad-cam", "normgrad", "finer-cam"), _FEATURES),
    "eigen-cam": Rule((("forward", 1, 1),)),
    "cf-cam": Rule((("features", 1, 1),), remark="and the distances of 384 channels, clustered"),
    "smooth-grad-cam++": Rule((("forward", 1, 1), ("features", 4, 4))),
    "score-cam": Rule((("forward", 1, 1), ("forward", 512, 64)), 64),
    "ablation-cam": Rule((("forward", 1, 1),), remark="the head without each of 512 channels, in closed form"),
    "fullgrad": _INPUT,
    "saliency": _INPUT,
    "input-x-gradient": _INPUT,
    "guided-backprop": _INPUT,
    "deconvnet": _INPUT,
    "guided-grad-cam": Rule((("input", 1, 1), ("features", 1, 1))),
    "deeplift": Rule((("forward", 1, 1), ("input", 1, 1)), remark="and a slope for every value at a ReLU or a pool"),
    "smoothgrad": _NOISY,
    "vargrad": _NOISY,
    "gradient-shap": _NOISY,
    "integrated-gradients": Rule((("forward", 2, 1), ("input", 50, 32)), 112),
    "blur-ig": Rule((("forward", 2, 1), ("input", 101, 32)), 112),
    "guided-ig": Rule((("forward", 2, 1), ("input", 51, 1)), 112),
    "occlusion": Rule((("forward", 1, 1), ("forward", 169, 64)), 112, {"window": 16, "stride": 8}),
    "rise": Rule((("forward", 1, 1), ("forward", 192, 64)), 112, {"n_masks": 192}),
    "kernel-shap": Rule((("forward", 2, 1), ("forward", 192, 64)), 112, {"n_samples": 192, "segments": GRID}),
    "regional": Rule((("forward", 1, 1), ("forward", 250, 64)), 112, {"segments": GRID}),
    "xrai": Rule((("forward", 1, 1), ("input", 200, 32)), remark="and its segments and regions"),
    "meaningful-perturbation": Rule((("forward", 1, 1), ("input", 300, 1)), 64, remark="and 14 forwards to judge it"),
    "fido": Rule((("forward", 1, 1), ("input", 400, 4)), 64, remark="and 32 forwards to judge it"),
    "lrp": Rule((("forward", 1, 1), ("input", 1, 1)), remark="a rule goes through its layer several times"),
    "rollout": Rule((("attention", 1, 1),), net="ViT-Tiny"),
    "gradient-x-attention": Rule((("input", 1, 1),), net="ViT-Tiny"),
    "class-embedding": Rule((("forward", 1, 1),), net="ViT-Tiny", remark="and the head on the 197 tokens of a block"),
}
NETS: dict[str, tuple[Callable[[], nn.Module], str]] = {  # how it is made, and its feature layer
    "ResNet-18": (resnet18, "layer4"), "ViT-Tiny": (vit_tiny_patch16_224, "blocks.11.norm1")}


def run(device: str = "cpu", quick: bool = False, only: Sequence[str] | None = None) -> Iterator[Row]:
    """The rows of this file; ``only``: of some methods."""
    known = [m.name for m in sw.methods() if only is None or m.name in only]
    if without := [n for n in known if n not in RULES]:
        print(f"passes: no rule for {', '.join(without)}")
    yield from (_row(name, RULES[name], device, quick) for name in known if name in RULES)


def _row(name: str, rule: Rule, device: str, quick: bool) -> Row:
    torch.manual_seed(0)
    make, layer = NETS[rule.net]
    net = make().eval().requires_grad_(False).to(device)
    model, x = sw.Model(net), torch.randn(1, 3, rule.size, rule.size, device=device)
    plain = [(kind, x.repeat(min(size, count - i), 1, 1, 1)) for kind, count, size in rule.passes
             for i in range(0, count, size)]

    def bare() -> None:
        for kind, batch in plain:
            _pass(net, layer, kind, batch)

    def ask() -> None:
        sw.explain(model, x, sw.why(7), method=name, progress=False, **rule.params)

    few = sum(len(batch) for _, batch in plain) < 10
    r, a, b = ratio(ask, bare, (5 if quick else 31) if few else (3 if quick else 5), warm=3 if few else 1)
    remark = f"{a * 1e3:.0f} ms; bare {b * 1e3:.0f} ms: {rule}" + (f"; {rule.remark}" if rule.remark else "")
    return Row(f"{name}, {rule.net} at {rule.size}", r, "bare passes", BOUND[device], remark)


def _pass(net: nn.Module, layer: str, kind: str, batch: Tensor) -> None:
    """One bare pass of a batch."""
    if kind in ("forward", "attention"):
        with torch.no_grad(), patch("torch.nn.functional.scaled_dot_product_attention", _written_out) \
                if kind == "attention" else nullcontext():
            net(batch)
        return
    leaf = batch.clone()
    found: list[Tensor] = [leaf]

    def cut(module: nn.Module, args: Any, output: Tensor) -> Tensor:
        found[0] = output.detach().requires_grad_()
        return found[0].clone()

    with torch.enable_grad():
        if kind == "input":
            torch.autograd.grad(net(leaf.requires_grad_())[:, 7].sum(), leaf)
            return
        hook = net.get_submodule(layer).register_forward_hook(cut)
        try:
            torch.autograd.grad(net(leaf)[:, 7].sum(), found[0])
        finally:
            hook.remove()


def _written_out(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention with the matrix that a fused kernel does not keep."""
    return (query / query.shape[-1]**0.5 @ key.transpose(-2, -1)).softmax(-1) @ value
