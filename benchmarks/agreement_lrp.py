"""zennit's layer-wise relevance beside ours: same composite, same start (the class's logit)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import salwidgets as sw
from examples.nets.peers import import_peer

REMARKS = {("lrp", "zennit"): "the peer folds a BatchNorm but leaves one with its eps behind, by which every layer is "
                              "divided once more"}


def relevance(net: nn.Module, x: Tensor, cls: int, composite: str) -> Tensor:
    """zennit's relevance `[N, C, H, W]` of the class's logit."""
    import_peer("zennit")
    import zennit.composites
    import zennit.torchvision

    rules = getattr(zennit.composites, composite)(canonizers=[zennit.torchvision.ResNetCanonizer()])
    with rules.context(net) as lent, torch.enable_grad():
        leaf = x.clone().requires_grad_()
        z = lent(leaf)
        start = torch.zeros_like(z)
        start[:, cls] = z[:, cls].detach()
        return torch.autograd.grad(z, leaf, start)[0]


def sums_are_modules(net: nn.Module) -> bool:
    """Whether zennit can split the net's sums: those of torchvision's ResNets, or none. Others it hands to both sides."""
    return type(net).__name__ in ("SqueezeNet", "TinyDarknet", "VGG", "ResNet")


def maps(model: sw.Model, x: Tensor, cls: int) -> Iterator[tuple[str, str, dict[str, Any], np.ndarray]]:
    """(method, peer, our parameters, map)."""
    if not sums_are_modules(model.net):
        return
    for ours, first, theirs in (("epsilon-plus", "flat", "EpsilonPlusFlat"), ("epsilon-plus", None, "EpsilonPlus"),
                                ("epsilon-alpha-beta", None, "EpsilonAlpha2Beta1")):
        found = relevance(model.net, x, cls, theirs)[0].sum(0)
        yield "lrp", "zennit", {"composite": ours, "first": first}, found.detach().float().numpy()
