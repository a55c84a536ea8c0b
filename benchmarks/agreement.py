"""Agreement with implementations that are not ours, on the same weights and inputs.

python -m benchmarks.agreement [OUT.md]

Peers are compared where they are installed (captum; pytorch-grad-cam and the PAIR saliency package without their
torchvision). Maps of pytorch-grad-cam come cut at zero, scaled to [0, 1] and enlarged; ours are brought to the same
form before they are compared. The other comparisons are of raw maps.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import salwidgets as sw
from examples.nets import find_data, imagenet_net
from examples.nets.peers import import_peer
from salwidgets.explanation import resize

KNOWN = {name: sw.explainers.registry.get(name) for name in (m.name for m in sw.methods())}
CAMS = {"grad-cam": "GradCAM", "grad-cam++": "GradCAMPlusPlus", "xgrad-cam": "XGradCAM", "hires-cam": "HiResCAM",
        "layer-cam": "LayerCAM", "eigen-cam": "EigenCAM", "eigen-grad-cam": "EigenGradCAM", "score-cam": "ScoreCAM",
        "ablation-cam": "AblationCAM"}
REMARKS = {("eigen-cam", "pytorch-grad-cam"): "the sign of a singular vector is free; compared up to sign",
           ("deeplift", "captum"): "the peer fails its own convergence check where an activation stands before a max pool; "
                                   "the rescale rule says nothing of attention and LayerNorm, and ours notes that",
           ("ablation-cam", "pytorch-grad-cam"): "the peer puts a very negative number, not zero, into a channel of signed "
                                                 "features (its own departure from the paper)"}
Case = tuple[str, sw.Model, Tensor, int]


def cases() -> Iterator[Case]:
    """Name, model, input and class: the world's nets, and the ImageNet nets where they are there."""
    world = sw.worlds.creatures(n=3)
    for net in ("cnn", "vit"):
        yield f"creatures {net}", world.model(net), world.images[2:3], world.classes.index(world.labels[2])
    data = find_data()
    for name, cls in (("squeezenet1_1", 242), ("tiny_darknet", 242), ("vit_tiny", 242)) if data else ():
        from PIL import Image

        net = imagenet_net(name)
        model = sw.Model(net.module, classes=net.classes, preprocess=net.preprocess, mean=net.mean, std=net.std)
        yield name, model, model.preprocess(Image.open(data / "photos" / "dog_and_cat.png")), cls


def captum_maps(model: sw.Model, x: Tensor, cls: int) -> Iterator[tuple[str, str, dict[str, Any], np.ndarray]]:
    """(method, peer, our parameters, map) for what captum has."""
    import captum.attr as c

    net = model.net
    layer = net.get_submodule(model.feature_layer(x).name)
    leaf = x.clone().requires_grad_()
    if model.feature_layer(x).layout.kind == "nchw":
        theirs = c.LayerGradCam(net, layer).attribute(x, target=cls, relu_attributions=False)
        yield "grad-cam", "captum", {}, _np(theirs[0, 0])
    yield "saliency", "captum", {}, _np(c.Saliency(net).attribute(leaf, target=cls, abs=False)[0].sum(0))
    yield "input-x-gradient", "captum", {}, _np(c.InputXGradient(net).attribute(leaf, target=cls)[0].sum(0))
    yield ("integrated-gradients", "captum", {"steps": 32},
           _np(c.IntegratedGradients(net).attribute(x, target=cls, n_steps=32, internal_batch_size=16)[0].sum(0)))
    w, s = round(x.shape[-1] / 4), round(x.shape[-1] / 6)
    yield ("occlusion", "captum", {"window": w, "stride": s},
           _np(c.Occlusion(net).attribute(x, target=cls, sliding_window_shapes=(3, w, w), strides=(3, s, s))[0, 0]))
    for method, kind in (("guided-backprop", c.GuidedBackprop), ("deconvnet", c.Deconvolution), ("deeplift", c.DeepLift)):
        if method in KNOWN:
            try:
                yield method, "captum", {}, _np(kind(net).attribute(leaf, target=cls)[0].sum(0))
            except Exception as e:  # captum refuses reused modules, among others
                print(f"captum cannot: {method}: {e}"[:160])


def grad_cam_maps(model: sw.Model, x: Tensor, cls: int) -> Iterator[tuple[str, str, dict[str, Any], np.ndarray]]:
    """(method, peer, our parameters, map) for what pytorch-grad-cam has."""
    peer = import_peer("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    found = model.feature_layer(x)
    reshape = None if found.layout.kind == "nchw" else found.layout.to_map
    for method, name in CAMS.items():
        if method not in KNOWN or (method in ("score-cam", "ablation-cam")
                                                                      and (reshape is not None or x.shape[-1] > 64)):
            continue
        with getattr(peer, name)(model=model.net, target_layers=[model.net.get_submodule(found.name)],
                                 reshape_transform=reshape) as cam:
            if hasattr(cam, "batch_size"):
                cam.batch_size = 32
            params = {"variant": "reference"} if method == "ablation-cam" else {}
            theirs = cam(input_tensor=x, targets=[ClassifierOutputTarget(cls)])
            yield method, "pytorch-grad-cam", params, np.asarray(theirs[0])
    model.net.zero_grad()


def compare(method: str, peer: str, e: sw.Explanation, theirs: np.ndarray) -> tuple[float, float]:
    """Correlation, and the largest difference as a share of the largest value."""
    ours = e.values.astype(np.float64)
    theirs = theirs.astype(np.float64)
    if peer == "pytorch-grad-cam":
        signs = (1, -1) if method.startswith("eigen") else (1,)
        return max((_agree(_as_drawn(s * ours, theirs.shape), theirs) for s in signs), key=lambda pair: pair[0])
    return _agree(ours, theirs)


def _as_drawn(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    v = np.maximum(values, 0)
    v = resize((v - v.min()).astype(np.float32), *shape).astype(np.float64)
    return (v - v.min()) / max(1e-12, (v - v.min()).max())


def _agree(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    if not (a.std() > 0 and b.std() > 0):
        return float("nan"), float(np.abs(a - b).max())
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1]), float(np.abs(a - b).max() / np.abs(b).max())


def _np(t: Tensor) -> np.ndarray:
    return t.detach().float().cpu().numpy()


def run() -> str:
    """The table as Markdown."""
    lines = ["| network | method | peer | correlation | largest difference | remark |", "|---|---|---|---|---|---|"]
    sources: list[Callable[..., Any]] = [captum_maps, grad_cam_maps]
    for name, model, x, cls in cases():  # the two slow CAMs are compared on the smaller networks only
        for source in sources:
            try:
                rows = list(_with_session(source, model, x, cls))
            except ImportError as e:
                print(f"{source.__name__}: {e}")
                continue
            for method, peer, params, theirs in rows:
                e = sw.explain(model, x, sw.why(cls), method=method, progress=False, **params)
                r, difference = compare(method, peer, e, theirs)
                remark = REMARKS.get((method, peer), "") if method.startswith("eigen") or r < 0.999 else ""
                lines.append(f"| {name} | {method} | {peer} | {r:.5f} | {difference:.1e} | {remark} |")
                print(lines[-1], flush=True)
    return "\n".join(lines)


def _with_session(source: Callable[..., Any], model: sw.Model, x: Tensor, cls: int) -> Iterator[Any]:
    model.net.eval()
    with torch.enable_grad():
        yield from source(model, x, cls)


_HEAD = """# Agreement with implementations that are not ours

Made by `make tables`: the same weights, the same input, the same class. *Largest difference* is a share of the peer's
largest value. Maps of pytorch-grad-cam are cut at zero, scaled to [0, 1] and enlarged by it; ours are brought to that form.

"""


def main() -> None:
    """Write the table to the file named on the command line, or only print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?")
    args = parser.parse_args()
    text = _HEAD + run() + "\n"
    if args.out:
        Path(args.out).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
