"""CAMs beside pytorch-grad-cam and torch-cam on the same weights; raw maps, before either scales or enlarges them."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import salwidgets as sw
from tests.core import nets

# `examples` is no installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

CLASS = 1
GRAD_CAM = {"grad-cam": "GradCAM", "grad-cam++": "GradCAMPlusPlus", "xgrad-cam": "XGradCAM", "hires-cam": "HiResCAM",
            "layer-cam": "LayerCAM", "eigen-cam": "EigenCAM", "eigen-grad-cam": "EigenGradCAM", "score-cam": "ScoreCAM",
            "ablation-cam": "AblationCAM"}
# Its GradCAMpp divides a copy of alpha and throws that away (`alpha[mask].div_(...)`): see the last test.
TORCH_CAM = {"grad-cam": "GradCAM", "xgrad-cam": "XGradCAM", "layer-cam": "LayerCAM"}
PARAMS = {"ablation-cam": {"variant": "reference"}}


class Cells(torch.nn.Module):
    """Features that no activation overwrites (pytorch-grad-cam reads what a later relu in place left), and a head whose
    gradients differ from cell to cell."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.features = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, stride=4), torch.nn.ReLU())
        self.flatten, self.head = torch.nn.Flatten(), torch.nn.Linear(8 * 8 * 10, 5)

    def forward(self, x):
        return self.head(self.flatten(self.features(x)))


def world(name, request):
    """Model, input, class and feature layer of one of the nets."""
    if name == "cells":
        return sw.Model(Cells().eval()), nets.images(1), CLASS, "features"
    from examples.nets import find_data, imagenet_net

    data = find_data()
    if data is None:
        pytest.skip("no ../shared/data beside the repository (or set SALWIDGETS_DATA)")
    from PIL import Image

    net = imagenet_net("squeezenet1_1", data)
    x = net.preprocess(Image.open(data / "photos" / "dog_and_cat.png").convert("RGB"))
    return sw.Model(net.module.eval()), x, 242, "features"


NETS = ["cells", pytest.param("squeezenet", marks=[pytest.mark.real, pytest.mark.slow])]


def agreement(ours, theirs, either_sign=False):
    """Correlation, and the largest difference as a share of the largest value."""
    ours = np.asarray(ours, np.float64)
    if either_sign and (ours * theirs).sum() < 0:
        ours = -ours
    return np.corrcoef(ours.ravel(), theirs.ravel())[0, 1], np.abs(ours - theirs).max() / np.abs(theirs).max()


def pytorch_grad_cam_map(name, model, x, cls, layer):
    """The map that the peer computes with hooks of its own, taken before it is scaled."""
    from examples.nets.peers import import_peer

    try:
        peer = import_peer("pytorch_grad_cam")
    except ImportError:
        pytest.skip("pytorch-grad-cam is not installed")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    kept = []
    with torch.enable_grad(), getattr(peer, name)(model=model.net, target_layers=[model.net.get_submodule(layer)]) as cam:
        plain = cam.get_cam_image
        cam.get_cam_image = lambda *a, **k: kept.append(plain(*a, **k)) or kept[-1]
        cam(input_tensor=x.clone().requires_grad_(), targets=[ClassifierOutputTarget(cls)])
    model.net.zero_grad()
    return np.asarray(kept[0][0], np.float64)


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("method", GRAD_CAM)
def test_pytorch_grad_cam(method, net, request):
    model, x, cls, layer = world(net, request)
    if method == "score-cam" and x.shape[-1] > 112:  # two times 512 passes
        x = x[..., 56:168, 56:168]
    theirs = pytorch_grad_cam_map(GRAD_CAM[method], model, x, cls, layer)
    e = sw.explain(model, x, sw.why(cls), method=method, layer=layer, progress=False, **PARAMS.get(method, {}))
    e = e if isinstance(e, sw.Explanation) else e[0]
    r, difference = agreement(e.values, theirs, either_sign=method.startswith("eigen"))  # theirs has no sign of its own
    print(f"{net} {method} pytorch-grad-cam: r {r:.6f}, largest difference {difference:.1e}")
    assert r > 0.9999
    assert difference < 1e-3


def torch_cam_map(cam, model, x, cls):
    cam._relu = False
    return cam(cls, model.net(x.clone().requires_grad_()), normalized=False)[0][0].detach().double().numpy()


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("method", TORCH_CAM)
def test_torch_cam(method, net, request):
    peer = pytest.importorskip("torchcam.methods")
    model, x, cls, layer = world(net, request)
    with torch.enable_grad(), getattr(peer, TORCH_CAM[method])(model.net, layer, input_shape=tuple(x.shape[1:])) as cam:
        theirs = torch_cam_map(cam, model, x, cls)
    e = sw.explain(model, x, sw.why(cls), method=method, layer=layer, progress=False)
    e = e if isinstance(e, sw.Explanation) else e[0]
    r, difference = agreement(e.values, theirs)
    print(f"{net} {method} torch-cam: r {r:.6f}, largest difference {difference:.1e}")
    assert r > 0.9999
    assert difference < 1e-3


@pytest.mark.parametrize("std", [0.0, 0.3])
def test_smooth_grad_cam_pp_of_torch_cam(std):
    """Where gradients are the same in every cell: elsewhere the peer sums A D3 over the cells, where the paper has
    D3 of the one cell times sum A. It weighs the features of its last noisy copy, so that one gets no noise here."""
    peer = pytest.importorskip("torchcam.methods")
    net, x = nets.plain().eval(), nets.images(1)
    with torch.enable_grad(), peer.SmoothGradCAMpp(net, "5", input_shape=(3, 32, 40), num_samples=3) as cam:
        draws = iter([torch.randn(x.shape, generator=torch.Generator().manual_seed(i)) * std * (i < 2) for i in range(3)])
        cam._distrib = type("Draws", (), {"sample": staticmethod(lambda size: next(draws))})()
        theirs = torch_cam_map(cam, sw.Model(net), x, CLASS)
    e = sw.explain(sw.Model(net), x, sw.why(CLASS), method="smooth-grad-cam++", std=std, layer="5")
    r, difference = agreement(e.values, theirs)
    print(f"plain smooth-grad-cam++ torch-cam: r {r:.6f}, largest difference {difference:.1e}")
    assert r > 0.9999
    assert difference < 1e-3


def test_grad_cam_pp_of_torch_cam_is_not_divided():
    """If this fails, the peer has been mended: compare with it above."""
    peer = pytest.importorskip("torchcam.methods")
    net, x = Cells().eval(), nets.images(1)
    with torch.enable_grad(), peer.GradCAMpp(net, "features", input_shape=(3, 32, 40)) as cam:
        theirs = torch_cam_map(cam, sw.Model(net), x, CLASS)
    a = net.features(x)[0].detach().double()
    g = net.head.weight[CLASS].detach().double().reshape(a.shape)
    expected = ((g.relu() ** 3).sum((1, 2))[:, None, None] * a).sum(0).numpy()
    np.testing.assert_allclose(theirs, expected, rtol=1e-4)
