"""Region methods beside the PAIR saliency package and captum: sources of rows for `benchmarks.agreement`.

XRAI is compared twice: with PAIR's segments and base map (the algorithm alone), and from end to end (other integration
rule, same 100 steps and baselines). KernelSHAP: captum solves its least squares on our copies and weights. Regional
prediction difference has no other implementation: a plain loop over regions and draws stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

import salwidgets as sw
from salwidgets.explainers import segments
from salwidgets.explainers.kernel_shap import coalitions

Found = Iterator[tuple[str, str, dict[str, Any], np.ndarray]]


def maps(model: sw.Model, x: Tensor, cls: int) -> Found:
    """Rows of XRAI and KernelSHAP; those whose peer is not installed are left out."""
    for peer, source in (("saliency", pair_maps), ("captum", shap_maps)):
        if find_spec(peer) is not None:
            yield from source(model, x, cls)


def pair_maps(model: sw.Model, x: Tensor, cls: int) -> Found:
    """(method, peer, our parameters, map) for XRAI, full and fast."""
    from saliency.core import xrai as peer

    image = segments.images(model, x)[0]
    masks = np.stack(peer._get_segments_felzenszwalb(image))
    rng = np.random.default_rng(0)
    base = sw.explain(model, x, sw.why(cls), method="input-x-gradient", channels="none", progress=False).values.max(0)
    base = base + rng.normal(scale=base.std(), size=base.shape)
    three = np.repeat(base[..., None], image.shape[2], 2)
    for fast in (False, True):
        params = peer.XRAIParameters(algorithm="fast" if fast else "full")
        theirs = peer.XRAI().GetMask(image, None, segments=list(masks), base_attribution=three, extra_parameters=params)
        yield "xrai", f"saliency, same base map, {params.algorithm}", {"base": base, "segments": masks, "fast": fast}, theirs
    ends = [sw.explainers.baselines.make(model, x, b)[0].permute(1, 2, 0).numpy() for b in ("black", "white")]
    attribution = np.mean([peer.IntegratedGradients().GetMask(
        x[0].permute(1, 2, 0).numpy(), lambda v, **_: _gradients(model, v, cls), x_baseline=end, x_steps=100, batch_size=25)
        for end in ends], 0)
    theirs = peer.XRAI().GetMask(image, None, base_attribution=attribution, extra_parameters=peer.XRAIParameters())
    yield "xrai", "saliency, end to end", {}, theirs


def shap_maps(model: sw.Model, x: Tensor, cls: int) -> Found:
    """(method, peer, our parameters, map) for KernelSHAP on 24 blocks of the image."""
    import captum.attr as c

    h, w = x.shape[-2:]
    labels = (np.arange(h)[:, None] * 4 // h) * 6 + np.arange(w) * 6 // w
    shown, weights = coalitions(24, 300)

    class Given(c.KernelShap):  # type: ignore[misc, unused-ignore]
        """captum's least squares on given copies and weights."""

        def kernel_shap_perturb_generator(self, original_inp: Any, **kwargs: Any) -> Iterator[Tensor]:
            ends = np.array([[1] * 24, [0] * 24])
            yield from torch.from_numpy(np.concatenate([ends, shown])).long()[:, None]

        def kernel_shap_similarity_kernel(self, _: Any, __: Any, sample: Tensor, **kwargs: Any) -> Tensor:
            match = (shown == sample.numpy().astype(bool)).all(1)
            return torch.tensor([float(weights[match][0]) if match.any() else self.inf_weight])

    mask = torch.from_numpy(labels)[None, None].expand(1, x.shape[1], -1, -1)
    theirs = Given(model.net).attribute(x, target=cls, feature_mask=mask, n_samples=len(shown) + 2)[0, 0].numpy()
    yield ("kernel-shap", "captum, same copies", {"segments": labels, "n_samples": 300},
           theirs / np.bincount(labels.ravel())[labels])


def regional_maps(model: sw.Model, x: Tensor, cls: int) -> Found:
    """(method, peer, our parameters, map) for the regional prediction difference on 12 blocks, 3 draws each."""
    h, w = x.shape[-2:]
    labels = (np.arange(h)[:, None] * 3 // h) * 4 + np.arange(w) * 4 // w
    frame = np.concatenate([v.reshape(x.shape[1], -1) for v in (x[0, :, 0], x[0, :, -1], x[0, :, 1:-1, 0],
                                                                x[0, :, 1:-1, -1])], 1).astype(float)
    spread, axes = np.linalg.eigh(np.cov(frame, bias=True))
    z = torch.randn(3, x.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float64).numpy()
    colours = frame.mean(1) + z @ (axes * np.sqrt(np.maximum(spread, 0))).T

    def evidence(p: float, count: int = 100_000) -> float:
        k = model.predict(x).logits.shape[1]
        p = (p * count + 1) / (count + k)
        return float(np.log2(p / (1 - p)))

    whole, values = evidence(float(model.predict(x).probabilities[0, cls])), np.zeros(12)
    for r in range(12):
        seen = 0.0
        for colour in colours:
            filled = x.clone()
            filled[0][:, torch.from_numpy(labels == r)] = torch.as_tensor(colour, dtype=x.dtype)[:, None]
            seen += float(model.predict(filled).probabilities[0, cls]) / len(colours)
        values[r] = whole - evidence(seen)
    yield "regional", "plain transcription", {"segments": labels, "n_samples": 3}, values[labels]


def _gradients(model: sw.Model, batch: Any, cls: int) -> dict[str, Any]:
    leaf = torch.as_tensor(np.asarray(batch)).permute(0, 3, 1, 2).float().contiguous().requires_grad_()
    grad = torch.autograd.grad(model.net(leaf)[:, cls].sum(), leaf)[0]
    return {"INPUT_OUTPUT_GRADIENTS": grad.permute(0, 2, 3, 1).numpy()}
