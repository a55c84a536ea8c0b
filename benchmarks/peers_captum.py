"""Maps by captum, for `benchmarks.agreement`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

import salwidgets as sw

PEER = "captum"
Row = tuple[str, str, dict[str, Any], np.ndarray]
REMARKS = {("deeplift", PEER): "max pools right behind an activation are handled differently (the peer is wrong where its "
                               "map misses the promised sum, as on overlapping pools); neither has a rule for attention and "
                               "LayerNorm, and ours says so"}
N_SHAP = 8


def maps(model: sw.Model, x: Tensor, cls: int) -> Iterator[Row]:
    """(method, peer, our parameters, map) of class ``cls`` on one input."""
    import captum.attr as c

    net, found = model.net, model.feature_layer(x)
    layer, leaf = net.get_submodule(found.name), x.clone().requires_grad_()
    spatial = found.layout.kind == "nchw"
    if spatial:
        yield "grad-cam", PEER, {}, _np(c.LayerGradCam(net, layer).attribute(x, target=cls, relu_attributions=False)[0, 0])
    yield "saliency", PEER, {}, _sum(c.Saliency(net).attribute(leaf, target=cls, abs=False))
    yield "input-x-gradient", PEER, {}, _sum(c.InputXGradient(net).attribute(leaf, target=cls))
    yield ("integrated-gradients", PEER, {"steps": 32},
           _sum(c.IntegratedGradients(net).attribute(x, target=cls, n_steps=32, internal_batch_size=16)))
    w, s = round(x.shape[-1] / 4), round(x.shape[-1] / 6)
    yield ("occlusion", PEER, {"window": w, "stride": s},
           _np(c.Occlusion(net).attribute(x, target=cls, sliding_window_shapes=(3, w, w), strides=(3, s, s))[0, 0]))
    chance = torch.rand(N_SHAP, generator=torch.Generator().manual_seed(0)).double().numpy()
    with mock.patch("numpy.random.uniform", return_value=chance):  # the draws that ours makes from seed 0
        shap = c.GradientShap(net).attribute(x, torch.zeros_like(x), n_samples=N_SHAP, target=cls)
    yield "gradient-shap", PEER, {"n_samples": N_SHAP}, _sum(shap)
    for method, kind in (("guided-backprop", c.GuidedBackprop), ("deconvnet", c.Deconvolution), ("deeplift", c.DeepLift)):
        try:
            yield method, PEER, {}, _sum(kind(net).attribute(leaf, target=cls))
        except Exception as e:  # captum refuses reused modules, among others
            print(f"captum cannot: {method}: {e}"[:160])
    if spatial:
        yield "guided-grad-cam", PEER, {"upsample": "nearest"}, _sum(c.GuidedGradCam(net, layer).attribute(leaf, target=cls))


def _sum(t: Tensor) -> np.ndarray:
    """Channels summed, `[H, W]`."""
    return _np(t[0].sum(0))


def _np(t: Tensor) -> np.ndarray:
    return t.detach().float().cpu().numpy()
