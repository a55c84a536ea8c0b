"""Maps by pytorch-grad-cam and torch-cam, for `benchmarks.agreement`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

import salwidgets as sw
from examples.nets.peers import import_peer

JACOB, TORCHCAM = "pytorch-grad-cam", "torch-cam"
Row = tuple[str, str, dict[str, Any], np.ndarray]
CAMS = {"grad-cam": "GradCAM", "grad-cam++": "GradCAMPlusPlus", "xgrad-cam": "XGradCAM", "hires-cam": "HiResCAM",
        "layer-cam": "LayerCAM", "eigen-cam": "EigenCAM", "eigen-grad-cam": "EigenGradCAM", "score-cam": "ScoreCAM",
        "ablation-cam": "AblationCAM", "fullgrad": "FullGrad"}
OTHERS = {"grad-cam": "GradCAM", "grad-cam++": "GradCAMpp", "smooth-grad-cam++": "SmoothGradCAMpp", "xgrad-cam": "XGradCAM",
          "layer-cam": "LayerCAM", "score-cam": "ScoreCAM"}
SLOW = ("score-cam", "ablation-cam")
PARAMS = {"ablation-cam": {"variant": "reference"}, "fullgrad": {"psi": "abs"}}
OVERWRITTEN = "the peer is wrong where an activation in place follows the layer: it reads what that left of the features"
REMARKS = {("eigen-cam", JACOB): "the sign of a singular vector is free; compared up to sign",
           ("eigen-grad-cam", JACOB): "the sign of a singular vector is free; compared up to sign",
           ("fullgrad", JACOB): "the peer departs from the paper: it scales every channel to [0, 1], not the whole layer",
           ("ablation-cam", JACOB): "the peer departs from the paper: it puts a very negative number, not zero, into a "
                                    "channel of signed features",
           ("grad-cam++", TORCHCAM): "the peer is wrong: it divides a copy of alpha and throws that away",
           ("smooth-grad-cam++", TORCHCAM): "same noise; the peer departs from the paper: it sums A D3 over the cells, and "
                                            "weighs the features and the gradient of its last noisy copy"}


def maps(model: sw.Model, x: Tensor, cls: int) -> Iterator[Row]:
    """(method, peer, our parameters, map) for what pytorch-grad-cam has; cut at zero, scaled and enlarged by it."""
    peer = import_peer("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    found = model.feature_layer(x)
    reshape = None if found.layout.kind == "nchw" else found.layout.to_map
    for method, name in CAMS.items():
        if (method in SLOW and (reshape is not None or x.shape[-1] > 64)) or (method == "fullgrad" and reshape is not None):
            continue
        with getattr(peer, name)(model=model.net, target_layers=[] if method == "fullgrad" else
                                 [model.net.get_submodule(found.name)], reshape_transform=reshape) as cam:
            if hasattr(cam, "batch_size"):
                cam.batch_size = 32
            theirs = cam(input_tensor=x.clone().requires_grad_(), targets=[ClassifierOutputTarget(cls)])
            yield method, JACOB, PARAMS.get(method, {}), np.asarray(theirs[0])
    model.net.zero_grad()


def torchcam_maps(model: sw.Model, x: Tensor, cls: int) -> Iterator[Row]:
    """(method, peer, our parameters, map) for what torch-cam has, raw; it takes no tokens."""
    import torchcam.methods as peer  # type: ignore[import-untyped, unused-ignore]

    found = model.feature_layer(x)
    if found.layout.kind != "nchw":
        return
    for method, name in OTHERS.items():
        if method in SLOW and x.shape[-1] > 64:
            continue
        with getattr(peer, name)(model.net, found.name, input_shape=tuple(x.shape[1:])) as cam:
            cam._relu = False
            if method == "smooth-grad-cam++":
                noise = torch.randn(4, *x.shape[1:], generator=torch.Generator().manual_seed(0))
                draws = iter([n[None] * 0.3 * (x.max() - x.min()) for n in noise])  # those that ours makes from seed 0
                cam._distrib = type("Draws", (), {"sample": staticmethod(lambda size, draws=draws: next(draws))})()
            scores = model.net(x.clone().requires_grad_())
            yield method, TORCHCAM, {}, cam(cls, scores, normalized=False)[0][0].detach().float().numpy()
    model.net.zero_grad()
