"""Noise and guided backward passes: each against a slow transcription and an implementation not ours."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import salwidgets as sw
from salwidgets.errors import MethodError
from tests.core import nets

NETS = {"cnn": nets.plain, "residual": nets.Residual, "functional": nets.Functional, "vit": nets.TinyViT}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def difference(a, b) -> float:
    """Largest difference, relative to the largest value."""
    b = np.asarray(b)
    return float(np.abs(np.asarray(a) - b).max() / np.abs(b).max())


def correlation(a, b) -> float:
    return float(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1])


def explain(net, x, q, method, **kw):
    return sw.explain(sw.Model(net), x, q, method=method, progress=False, **kw)


def gradient(net, x, cls):
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(net(x)[:, cls].sum(), x)[0]


# -- noise ---------------------------------------------------------------------------------------------------


def copies(x, n, level, seed=0):
    noise = torch.randn(n, *x.shape[1:], generator=torch.Generator().manual_seed(seed))
    return [x + e * level * (x.max() - x.min()) for e in noise]


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("of", ["saliency", "input-x-gradient"])
def test_noise_equals_a_plain_loop(kind, of):
    net, x = NETS[kind]().eval(), nets.images(1)
    each = [gradient(net, c, 2) * (1 if of == "saliency" else c) for c in copies(x, 7, 0.2, seed=3)]
    stack = torch.stack(each)[:, 0]
    kw = {"of": of, "n_samples": 7, "noise_level": 0.2, "seed": 3}
    assert difference(explain(net, x, sw.why(2), "smoothgrad", **kw).values, stack.mean(0).sum(0)) < 1e-4
    assert difference(explain(net, x, sw.why(2), "vargrad", **kw).values, stack.var(0, unbiased=False).sum(0)) < 1e-3


def test_noise_around_integrated_gradients():
    net, x = nets.TinyViT().eval(), nets.images(1)
    each = [explain(net, c, sw.why(1), "integrated-gradients", steps=8).values for c in copies(x, 3, 0.15)]
    kw = {"of": "integrated-gradients", "n_samples": 3, "steps": 8, "channels": "sum"}
    assert difference(explain(net, x, sw.why(1), "smoothgrad", **kw).values, np.mean(each, 0)) < 1e-4
    assert explain(net, x, sw.why(1), "vargrad", **kw).values.min() >= 0


def test_smoothgrad_and_vargrad_of_other_libraries():
    captum = pytest.importorskip("captum.attr")
    net, x = nets.plain().eval(), nets.images(1)
    torch.manual_seed(0)
    sigma = 0.15 * float(x.max() - x.min())
    kw = {"nt_samples": 1500, "nt_samples_batch_size": 100, "stdevs": sigma, "target": 1, "abs": False}
    tunnel = captum.NoiseTunnel(captum.Saliency(net))
    for kind, method in (("smoothgrad", "smoothgrad"), ("vargrad", "vargrad")):
        theirs = tunnel.attribute(x, nt_type=kind, **kw).sum(1)[0].detach().numpy()
        ours = explain(net, x, sw.why(1), method, n_samples=1500, batch_size=100).values
        assert correlation(ours, theirs) > 0.98  # other draws: equal in the mean only


def test_later_combinations_cost_no_pass():
    ev = sw.prepare(sw.Model(nets.plain()), nets.images(2), "smoothgrad", classes=[0, 1])
    calls = []
    ev.model.net.register_forward_hook(lambda *a: calls.append(1))
    ev.explain(sw.why(0).rather_than(1))
    assert not calls
    ev.explain([sw.why(2), sw.why(3), sw.why(4)])
    assert len(calls) == 2  # 50 points in batches of 32, shared by the three questions


def test_gradient_shap():
    net, x = nets.plain().eval(), nets.images(1)
    below = torch.rand(4, 3, 32, 40, generator=torch.Generator().manual_seed(1))
    ours = explain(net, x, sw.why(2), "gradient-shap", baselines=below, n_samples=9, noise_level=0.1, seed=5).values
    chance = torch.Generator().manual_seed(5)
    alpha = torch.rand(9, generator=chance)
    which = torch.randint(4, (9,), generator=chance)
    total = torch.zeros_like(x)
    for a, w, c in zip(alpha, which, copies(x, 9, 0.1, seed=5), strict=True):
        b = below[w][None]
        total += (c - b) * gradient(net, b + a * (c - b), 2) / 9
    assert difference(ours, total.sum(1)[0]) < 1e-4

    captum = pytest.importorskip("captum.attr")
    torch.manual_seed(0)
    np.random.seed(0)
    theirs = captum.GradientShap(net).attribute(x, baselines=below, n_samples=1500, target=2).sum(1)[0].detach().numpy()
    ours = explain(net, x, sw.why(2), "gradient-shap", baselines=below, n_samples=1500).values
    assert correlation(ours, theirs) > 0.98


# -- the backward pass of ReLU -------------------------------------------------------------------------------


class Form(nn.Module):
    """One network, with its ReLUs written in five ways."""

    def __init__(self, form):
        super().__init__()
        torch.manual_seed(6)
        self.a, self.b, self.c = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3), nn.Linear(6, 5)
        self.relu1, self.relu2 = nn.ReLU(form == "inplace"), nn.ReLU(form == "inplace")
        self.form = form

    def act(self, t, module):
        if self.form in ("modules", "inplace"):
            return module(t)
        if self.form == "reused":
            return self.relu1(t)
        if self.form == "functional-inplace":
            F.relu(t, inplace=True)  # the result is not used: what counts is that t has changed
            return t
        return {"functional": F.relu, "torch": torch.relu, "method": torch.Tensor.relu}[self.form](t)

    def forward(self, x):
        h = self.act(self.a(x - 0.5), self.relu1)
        return self.c(self.act(self.b(h), self.relu2).mean((2, 3)))


FORMS = ["modules", "inplace", "reused", "functional", "functional-inplace", "torch", "method"]


def slow_guided(net, x, cls, guided=True):
    """The same network by hand: backward through its five layers, one after the other."""
    h1 = net.a(x - 0.5)
    h2 = net.b(h1.relu())
    g = net.c.weight[cls][None, :, None, None].expand_as(h2) / h2[0, 0].numel()
    g = g.relu() * ((h2 > 0) if guided else 1)
    g = F.conv_transpose2d(g, net.b.weight)
    g = g.relu() * ((h1 > 0) if guided else 1)
    return F.conv_transpose2d(g, net.a.weight).sum(1).detach().numpy()


@pytest.mark.parametrize("form", FORMS)
def test_every_way_to_write_relu(form):
    net, x = Form(form).eval(), nets.images(2)
    for method, guided in (("guided-backprop", True), ("deconvnet", False)):
        es = explain(net, x, sw.why(3), method)
        expected = slow_guided(net, x, 3, guided)
        for i in range(2):
            assert difference(es[i].values, expected[i]) < 1e-5
        assert "recover the image" in es[0].notices[0]
        assert not any("ReLU" in n for n in es[0].notices)


@pytest.mark.parametrize("kind", ["cnn", "inplace"])
def test_guided_of_other_libraries(kind):
    captum = pytest.importorskip("captum.attr")
    net, x = nets.plain(kind == "inplace").eval(), nets.images(2)
    for method, theirs in (("guided-backprop", captum.GuidedBackprop), ("deconvnet", captum.Deconvolution)):
        with pytest.warns(UserWarning, match="hooks"):
            expected = theirs(nets.plain().eval()).attribute(x.clone().requires_grad_(), target=2).sum(1).detach().numpy()
        for i in range(2):
            assert difference(explain(net, x, sw.why(2), method)[i].values, expected[i]) < 1e-5


def test_guided_backprop_of_pytorch_grad_cam():
    from examples.nets.peers import import_peer

    try:
        peer = import_peer("pytorch_grad_cam")
    except ImportError:
        pytest.skip("pytorch-grad-cam is not installed")
    x = nets.images(1)
    theirs = peer.GuidedBackpropReLUModel(nets.plain().eval(), "cpu")(x.clone(), 2).sum(2)
    assert difference(explain(nets.plain(), x, sw.why(2), "guided-backprop").values, theirs) < 1e-5


def test_guided_grad_cam():
    net, x, q = nets.plain().eval(), nets.images(2), sw.why(2)
    guided = explain(net, x, q, "guided-backprop", channels="none")
    cam = explain(net, x, q, "grad-cam", relu=True)
    ours = explain(net, x, q, "guided-grad-cam")
    for i in range(2):
        up = F.interpolate(torch.tensor(cam[i].values)[None, None], size=(32, 40), mode="bilinear")[0, 0].numpy()
        assert difference(ours[i].values, guided[i].values.sum(0) * up) < 1e-5
    captum = pytest.importorskip("captum.attr")
    layer = dict(net.named_modules())[cam[0].layer]
    with pytest.warns(UserWarning, match="hooks"):
        theirs = captum.GuidedGradCam(net, layer).attribute(x.clone().requires_grad_(), target=2).sum(1).detach().numpy()
    near = explain(net, x, q, "guided-grad-cam", upsample="nearest")
    for i in range(2):
        assert difference(near[i].values, theirs[i]) < 1e-4


def test_other_activations_are_said():
    said = explain(nets.TinyViT(), nets.images(1), sw.why(0), "guided-backprop").notices
    assert any("no ReLU" in n for n in said)
    mixed = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.SiLU(), nn.AdaptiveAvgPool2d(1),
                          nn.Flatten(), nn.Linear(4, 3))
    assert any("silu" in n for n in explain(mixed, nets.images(1), sw.why(0), "deconvnet").notices)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_refused():
    scripted = torch.jit.trace(Form("modules").eval(), nets.images(1))
    for method in ("guided-backprop", "deeplift"):
        with pytest.raises(MethodError, match="TorchScript"):
            explain(scripted, nets.images(1), sw.why(0), method)


@pytest.mark.parametrize("method", ["guided-backprop", "deconvnet", "guided-grad-cam", "deeplift"])
def test_nothing_stays_patched_after_an_error(method):
    class Breaks(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.breaks = nets.plain(), True

        def forward(self, x):
            z = self.net(F.relu(x))
            if self.breaks and torch.overrides._get_current_function_mode() is not None:
                raise RuntimeError("boom")
            return z

    net, x = Breaks(), nets.images(1)
    before = gradient(net.eval(), x, 1)
    modules = [type(m) for m in net.modules()]
    with pytest.raises(RuntimeError, match="boom"):
        explain(net, x, sw.why(1), method)
    assert torch.overrides._get_current_function_mode() is None
    assert torch.equal(gradient(net, x, 1), before)
    assert [type(m) for m in net.modules()] == modules
    net.breaks = False
    explain(net, x, sw.why(1), method)
    assert torch.equal(gradient(net, x, 1), before)


# -- parameters ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method, params", [
    ("smoothgrad", {"of": "grad-cam"}), ("smoothgrad", {"noise_level": -1}), ("vargrad", {"n_samples": 0}),
    ("gradient-shap", {"baselines": []}), ("gradient-shap", {"baselines": torch.zeros(2, 3, 4, 4)}),
    ("guided-backprop", {"channels": "mean"}), ("guided-grad-cam", {"upsample": "cubic"}),
    ("blur-ig", {"max_sigma": 0}), ("guided-ig", {"fraction": 2}), ("guided-ig", {"rule": "right"}),
    ("guided-ig", {"at_once": 0}), ("deeplift", {"baseline": "grey"}),
])
def test_bad_parameters(method, params):
    with pytest.raises(MethodError):
        explain(nets.plain(), nets.images(1), sw.why(0), method, **params)
