"""Plain, slow transcriptions of formulas, for methods of which no other library has one: hooks, loops, one input.

They share no code with the library, only draws. `maps` yields them in the form that `benchmarks.agreement` compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import salwidgets as sw

PEER = "plain transcription"
Row = tuple[str, str, dict[str, Any], np.ndarray]


def maps(model: sw.Model, x: Tensor, cls: int) -> Iterator[Row]:
    """(method, peer, our parameters, map) of class ``cls`` on one input `[1, C, H, W]`."""
    found = model.feature_layer(x)
    kind, layer = found.layout, found.name
    features = _of_layer(model.net, layer, kind.to_map if kind.kind != "nchw" else lambda t: t)
    z = model.net(x)[0].detach()
    a, g = features(x, _one(z, {cls: 1.0}))
    yield "grad-cam", PEER, {}, sum(gk.mean() * ak for ak, gk in zip(a, g, strict=True))
    yield "threshold-grad-cam", PEER, {}, threshold_grad_cam(a, g)
    yield "normgrad", PEER, {}, np.sqrt((a**2).sum(0)) * np.sqrt((g**2).sum(0))
    yield "cf-cam", PEER, {}, cf_cam(a, g)
    rivals = sorted((k for k in range(len(z)) if k != cls), key=lambda k: abs(float(z[k] - z[cls])))[:3]
    fine = features(x, _one(z, {cls: 1.0, **dict.fromkeys(rivals, -1 / 3)}))[1]
    yield "finer-cam", PEER, {}, sum(gk.mean() * ak for ak, gk in zip(a, fine, strict=True))
    noise = torch.randn(4, *x.shape[1:], generator=torch.Generator().manual_seed(0))
    copies = [features(x + 0.3 * (x.max() - x.min()) * e, _one(z, {cls: 1.0}))[1] for e in noise]
    yield "smooth-grad-cam++", PEER, {}, smooth_grad_cam_pp(a, np.stack(copies))
    if any(isinstance(m, nn.Conv2d) for m in model.net.modules()) and kind.kind == "nchw":
        yield "fullgrad", PEER, {"psi": "abs"}, fullgrad(model.net, x, cls)
    if x.shape[-1] <= 64:
        yield "rise", PEER, {"n_masks": 64}, rise(model.net, x, cls)
    if hasattr(model.net, "blocks"):
        yield from _of_tokens(model.net, x, cls, kind)


def _one(z: Tensor, weights: dict[int, float]) -> Tensor:
    w = torch.zeros_like(z)
    for k, v in weights.items():
        w[k] = v
    return w


def _of_layer(net: nn.Module, layer: str,
              to_map: Callable[[Tensor], Tensor]) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """A function of (x, weights of logits) that gives features and their gradient `[C, h, w]`, float64."""

    def run(x: Tensor, weights: Tensor) -> tuple[np.ndarray, np.ndarray]:
        kept: list[Tensor] = []

        def keep(module: nn.Module, args: Any, output: Tensor) -> Tensor:
            kept.append(output)
            return output.clone()  # what a later layer changes in place is not what this layer put out

        handle = net.get_submodule(layer).register_forward_hook(keep)
        score = net(x.detach().clone().requires_grad_())[0] @ weights
        handle.remove()
        g = torch.autograd.grad(score, kept[0])[0]
        return tuple(to_map(t.detach())[0].double().numpy() for t in (kept[0], g))  # type: ignore[return-value]

    return run


def threshold_grad_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Khalfaoui-Hassani et al. 2024: relu per channel, mean, scaled to [0, 1], floor at 0.3."""
    m = np.mean([np.maximum(0, gk.mean() * ak) for ak, gk in zip(a, g, strict=True)], 0)
    m = (m - m.min()) / (m.max() - m.min())
    return np.where(m < 0.3, 0, m)


def cf_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    """He et al. 2025, with scikit-learn's DBSCAN and SciPy's Gaussian filter."""
    from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped, unused-ignore]
    from sklearn.cluster import DBSCAN  # type: ignore[import-untyped, unused-ignore]

    norms = np.sqrt((a**2).sum((1, 2)))
    w = np.array([gk.mean() for gk in g])
    weak = np.flatnonzero(norms < np.percentile(norms, 75))
    flat = a[weak].reshape(len(weak), -1)
    d = np.stack([np.sqrt(((flat - row) ** 2).sum(1)) for row in flat])
    eps = max(float(np.percentile(d[~np.eye(len(d), dtype=bool)], 25)), 1e-5)
    labels = DBSCAN(eps=eps, min_samples=max(2, int(0.05 * len(weak))), metric="precomputed").fit(d).labels_
    kept = np.ones(len(a), bool)
    kept[weak[labels < 0]] = False
    for label in range(labels.max() + 1):
        members = weak[labels == label]
        w[members] = gaussian_filter(g[members].mean(0), 1.0, mode="mirror", truncate=3.0).mean()
    e = np.where(kept, np.exp(w), 0)
    return np.tensordot(e / e.sum(), a, 1)


def smooth_grad_cam_pp(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Omeiza et al. 2019, for features `[C, h, w]` and gradients of noisy copies `[S, C, h, w]`."""
    out = np.zeros(a.shape[1:])
    for k, ak in enumerate(a):
        d1, d2, d3 = (np.mean([copy[k] ** p for copy in g], 0) for p in (1, 2, 3))
        out += (np.maximum(d1, 0) * d2 / (2 * d2 + ak.sum() * d3 + 1e-8)).sum() * ak
    return out


def fullgrad(net: nn.Module, x: Tensor, cls: int) -> np.ndarray:
    """Srinivas & Fleuret 2019 as published: |x dx| and |b g| of every layer, each scaled to [0, 1], added up."""
    kept: list[tuple[Tensor, Tensor]] = []

    def keep(module: Any, args: Any, output: Tensor) -> Tensor:
        b = module.bias
        if isinstance(module, nn.BatchNorm2d):
            b = module.bias - module.running_mean * module.weight / torch.sqrt(module.running_var + module.eps)
        if b is not None:
            kept.append((output, b.detach()[:, None, None]))
        return output.clone()

    handles = [m.register_forward_hook(keep) for m in net.modules() if isinstance(m, (nn.Conv2d, nn.BatchNorm2d))]
    leaf = x.detach().clone().requires_grad_()
    score = net(leaf.clone())[0, cls]
    for handle in handles:
        handle.remove()
    first, *g = torch.autograd.grad(score, [leaf, *(t for t, _ in kept)])
    total = torch.zeros(x.shape[-2:])
    for share in [first * x, *(gi * b for gi, (_, b) in zip(g, kept, strict=True))]:
        v = share.detach().abs()
        v = (v - v.min()) / (v.max() - v.min() + 1e-6)
        total = total + F.interpolate(v, size=x.shape[-2:], mode="bilinear", align_corners=True).sum(1)[0]
    return total.double().numpy()


def rise(net: nn.Module, x: Tensor, cls: int) -> np.ndarray:
    """Petsiuk et al. 2018, eq. 6, less the mean score, over the very masks that ours draws from seed 0."""
    from salwidgets.explainers.rise import Masks

    masks = Masks(64, 7, 0.5, x.shape[-2], x.shape[-1], 0).draw(torch.arange(64))
    with torch.no_grad():
        scores = [float(net(x * m)[0, cls]) for m in masks]
    total = np.zeros(x.shape[-2:])
    for score, mask in zip(scores, masks, strict=True):
        total += (score - np.mean(scores)) * mask.double().numpy() / (64 * 0.5)
    return total


def _of_tokens(net: Any, x: Tensor, cls: int, layout: Any) -> Iterator[Row]:
    """Rollout, gradient x attention and class embedding of a timm-like network that reads its class token."""
    attention: list[Tensor] = []
    tokens: list[Tensor] = []
    handles = [b.attn.attn_drop.register_forward_hook(lambda m, i, o: attention.append(o)) for b in net.blocks]
    handles += [net.blocks[-1].register_forward_hook(lambda m, i, o: tokens.append(o))]
    score = net(x.detach().clone().requires_grad_())[0, cls]
    for handle in handles:
        handle.remove()
    gradients = torch.autograd.grad(score, attention)
    count = attention[0].shape[-1]
    rolled, r = np.eye(count), np.eye(count)
    for matrix, gradient in zip(attention, gradients, strict=True):
        one, g = matrix[0].detach().double().numpy(), gradient[0].double().numpy()
        rolled = (0.5 * one.mean(0) + 0.5 * np.eye(count)) @ rolled
        r = r + np.maximum(0, one * g).mean(0) @ r
    cells, size = slice(layout.prefix, None), (layout.height, layout.width)
    yield "rollout", PEER, {}, rolled[0, cells].reshape(size)
    yield "gradient-x-attention", PEER, {}, (r - np.eye(count))[0, cells].reshape(size)
    said = [net.head(net.norm(t))[cls].item() for t in tokens[0][0, cells]]
    yield "class-embedding", PEER, {}, np.array(said).reshape(size)
