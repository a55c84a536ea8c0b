"""Layer-wise relevance beside the bare passes and beside zennit, and what a further question costs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import salwidgets as sw
from benchmarks.agreement_lrp import relevance
from benchmarks.measure import Row, ratio
from examples.nets.darknet import TinyDarknet
from examples.nets.resnet import resnet18
from examples.nets.squeezenet import SqueezeNet


def run(runs: int = 9, device: str = "cpu", batch: int = 1) -> list[Row]:
    """Rows: ratio to forward and backward to the input; the same with the passes that z+ needs besides; ratio to zennit.

    z+ divides by sums of positive products, which the network's own forward does not make: one more forward. Behind a leaky
    ReLU values have both signs, and positive products come from positive values with positive weights and from negative
    with negative: two more forwards, and two ways back.
    """
    rows = []
    for name, build in (("ResNet-18", resnet18), ("SqueezeNet", SqueezeNet), ("Tiny Darknet", TinyDarknet)):
        torch.manual_seed(0)
        net = build().eval().to(device).requires_grad_(False)
        x = torch.rand(batch, 3, 224, 224, device=device)
        model = sw.Model(net)

        def ours(model: sw.Model = model, x: Tensor = x) -> None:
            sw.explain(model, x, sw.why(7), method="lrp", first="flat", progress=False)

        def passes(net: nn.Module = net, x: Tensor = x) -> None:
            leaf = x.clone().requires_grad_()
            torch.autograd.grad(net(leaf.clone())[:, 7].sum(), leaf)

        both = name == "Tiny Darknet"

        def with_another(net: nn.Module = net, x: Tensor = x, both: bool = both) -> None:
            passes(net, x)
            if both:
                passes(net, x)
            with torch.no_grad():
                net(x)

        def theirs(net: nn.Module = net, x: Tensor = x) -> None:
            relevance(net, x, 7, "EpsilonPlusFlat")

        r, a, _ = ratio(ours, passes, runs)
        rows.append(Row(f"LRP, {name}, beside one forward and backward", r, "x", None, f"{a * 1e3:.0f} ms"))
        r, _, _ = ratio(ours, with_another, runs)
        needs = "3 forwards, 2 backwards" if both else "2 forwards, 1 backward"
        rows.append(Row(f"LRP, {name}, beside the passes its rule needs ({needs})", r, "x", 1.10))
        try:
            r, _, b = ratio(ours, theirs, runs)
            rows.append(Row(f"LRP, {name}, beside zennit", r, "x", 1, f"zennit {b * 1e3:.0f} ms"))
        except ImportError as e:
            print(f"zennit: {e}")
        r, _, _ = ratio(lambda m=model, x=x: sw.explain(m, x, sw.why(7), method="lrp", first="box",  # type: ignore[misc]
                                                        progress=False), with_another, runs)
        rows.append(Row(f"LRP, {name}, the first layer by its box rule, beside the same passes", r, "x"))
        evidence = sw.prepare(model, x, "lrp", progress=False)
        evidence.explain([sw.why(1), sw.why(2)])
        r, a, _ = ratio(lambda e=evidence: e.explain(sw.why(1).rather_than(2)), passes, runs)  # type: ignore[misc]
        rows.append(Row(f"LRP, {name}, a further question that the asked ones span", a * 1e3, "ms", 10))
    return rows


if __name__ == "__main__":
    from benchmarks.measure import table

    print(table(run()))
