"""Maps by the PAIR saliency package, for `benchmarks.agreement`; its noise is the one that ours makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

import salwidgets as sw
from examples.nets.peers import import_peer

PEER = "PAIR saliency"
Row = tuple[str, str, dict[str, Any], np.ndarray]
N, STEPS, SIGMA = 6, 16, 8


def maps(model: sw.Model, x: Tensor, cls: int) -> Iterator[Row]:
    """(method, peer, our parameters, map) of class ``cls`` on one input."""
    peer = import_peer("saliency.core")
    call, image = _call(model, cls), x[0].movedim(0, -1)
    noise = torch.randn(N, *x.shape[1:], generator=torch.Generator().manual_seed(0)) * 0.15 * (x.max() - x.min())

    def smoothed(squares: bool) -> np.ndarray:
        with mock.patch("numpy.random.normal", side_effect=list(noise.movedim(1, -1).numpy())):
            found: np.ndarray = peer.GradientSaliency().GetSmoothedMask(image.numpy(), call, nsamples=N, magnitude=squares)
        return found

    mean = smoothed(False)
    yield "smoothgrad", PEER, {"n_samples": N}, mean.sum(-1)
    yield "vargrad", PEER, {"n_samples": N}, (smoothed(True) - mean**2).sum(-1)
    blurred = peer.BlurIG().GetMask(image.double().numpy(), call, max_sigma=SIGMA, steps=STEPS, batch_size=1)
    yield "blur-ig", PEER, {"max_sigma": SIGMA, "steps": STEPS, "grad_step": 0.01}, blurred.sum(-1)
    guided = peer.GuidedIG().GetMask(image.numpy(), call, x_steps=STEPS, fraction=0.25, max_dist=0.1,
                                     x_baseline=np.zeros_like(image.numpy()))
    yield ("guided-ig", PEER, {"steps": STEPS, "fraction": 0.25, "max_dist": 0.1, "baseline": "zero", "rule": "left"},
           guided.sum(-1))


def _call(model: sw.Model, cls: int) -> Callable[..., dict[str, np.ndarray]]:
    def run(images: Any, call_model_args: Any = None, expected_keys: Any = None) -> dict[str, np.ndarray]:
        x = torch.as_tensor(np.asarray(images), dtype=torch.float32).movedim(-1, 1).contiguous().requires_grad_()
        g = torch.autograd.grad(model.net(x)[:, cls].sum(), x)[0]
        return {"INPUT_OUTPUT_GRADIENTS": g.movedim(1, -1).numpy()}

    return run
