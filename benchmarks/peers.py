"""FullGrad, SmoothGrad, Guided IG, Blur IG and Score-CAM beside their peers, in turns: our time over theirs.

Same network (ResNet-18, random weights), same input and number of points, both with the batch size named; the peers'
parameters are put to ours. pytorch-grad-cam, captum and the PAIR saliency package are skipped where they are absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import salwidgets as sw
from benchmarks.measure import Row, ratio
from examples.nets.peers import import_peer
from examples.nets.resnet import resnet18

CLASS = 7
STEPS = 50

Pair = tuple[str, Callable[[], Any], Callable[[], Any], int]
"""What is compared, ours, theirs, and how many turns."""


def run(quick: bool = False) -> Iterator[Row]:
    """The rows of this file."""
    torch.manual_seed(0)
    net = resnet18().eval().requires_grad_(False)
    for source in (_grad_cam, _captum, _pair):
        try:
            pairs = source(net)
        except ImportError as e:
            print(f"peers: {source.__name__}: {e}")
            continue
        for what, ours, theirs, turns in pairs:
            r, a, b = ratio(ours, theirs, max(3, turns // 3) if quick else turns, warm=1)
            yield Row(what, r, "of the peer's time", 1.0, f"{a:.3f} s, the peer {b:.3f} s")


def _ours(net: nn.Module, x: Tensor, method: str, **params: Any) -> Callable[[], Any]:
    model = sw.Model(net)
    return lambda: sw.explain(model, x, sw.why(CLASS), method=method, progress=False, **params)


def _grad_cam(net: Any) -> Iterator[Pair]:
    peer = import_peer("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    target = [ClassifierOutputTarget(CLASS)]
    x = torch.randn(1, 3, 224, 224)
    with peer.FullGrad(model=net, target_layers=[]) as full:
        def theirs() -> None:
            with torch.enable_grad():
                full(input_tensor=x.clone(), targets=target)

        for psi, said in (("abs", "the published picture"), (None, "signed and complete")):
            yield f"fullgrad ({said}), pytorch-grad-cam, at 224", _ours(net, x, "fullgrad", psi=psi), theirs, 15
    small = torch.randn(1, 3, 112, 112)
    with peer.ScoreCAM(model=net, target_layers=[net.layer4]) as score:
        score.batch_size = 64
        yield ("score-cam, the first question, pytorch-grad-cam, at 112, 64 at once", _ours(net, small, "score-cam"),
               lambda: score(input_tensor=small, targets=target), 5)


def _captum(net: nn.Module) -> Iterator[Pair]:
    import captum.attr as c

    x = torch.randn(1, 3, 112, 112)
    noisy = c.NoiseTunnel(c.Saliency(net))
    sigma = 0.15 * float(x.max() - x.min())
    yield ("smoothgrad, 25 copies, captum, at 112, all at once", _ours(net, x, "smoothgrad"),
           lambda: noisy.attribute(x, nt_type="smoothgrad", nt_samples=25, stdevs=sigma, target=CLASS, abs=False), 9)


def _pair(net: nn.Module) -> Iterator[Pair]:
    peer = import_peer("saliency.core")

    def call(images: np.ndarray, call_model_args: Any = None, expected_keys: Any = None) -> dict[str, np.ndarray]:
        with torch.enable_grad():
            leaf = torch.from_numpy(np.asarray(images, np.float32)).permute(0, 3, 1, 2).contiguous().requires_grad_()
            g = torch.autograd.grad(net(leaf)[:, CLASS].sum(), leaf)[0]
        return {peer.INPUT_OUTPUT_GRADIENTS: g.permute(0, 2, 3, 1).numpy()}

    x = torch.randn(1, 3, 112, 112)
    image = x[0].permute(1, 2, 0).numpy()
    plain, guided, blur = peer.GradientSaliency(), peer.GuidedIG(), peer.BlurIG()
    yield ("smoothgrad, 25 copies, PAIR, at 112 (it has no batches)", _ours(net, x, "smoothgrad"),
           lambda: plain.GetSmoothedMask(image, call, stdev_spread=0.15, nsamples=25, magnitude=False), 9)
    yield (f"guided-ig, {STEPS} steps, rule left, PAIR, at 112", _ours(net, x, "guided-ig", steps=STEPS, rule="left"),
           lambda: guided.GetMask(image, call, x_steps=STEPS), 5)
    yield (f"blur-ig, {STEPS} steps, PAIR, at 112, 32 at once", _ours(net, x, "blur-ig", steps=STEPS, grad_step=0.01),
           lambda: blur.GetMask(image, call, max_sigma=25, steps=STEPS, batch_size=32), 5)
    yield (f"blur-ig, {STEPS} steps, our rule, PAIR, at 112, 32 at once", _ours(net, x, "blur-ig", steps=STEPS),
           lambda: blur.GetMask(image, call, max_sigma=25, steps=STEPS, batch_size=32), 5)
