"""DeepLIFT, Blur IG and Guided IG: each against a slow transcription and an implementation not ours."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import salwidgets as sw
from salwidgets.explainers.blur_ig import blurred
from tests.core import nets
from tests.methods.test_gradient_family import FORMS, NETS, Form, correlation, difference, explain, gradient


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# -- DeepLIFT ------------------------------------------------------------------------------------------------


def slow_deeplift(net, x, below, cls):
    """`Form` by hand: multipliers from the scores down to the input."""
    h1, r1 = net.a(x - 0.5), net.a(below - 0.5)
    h2, r2 = net.b(h1.relu()), net.b(r1.relu())
    m = net.c.weight[cls][None, :, None, None].expand_as(h2) / h2[0, 0].numel()
    m = m * (h2.relu() - r2.relu()) / (h2 - r2)
    m = F.conv_transpose2d(m, net.b.weight) * (h1.relu() - r1.relu()) / (h1 - r1)
    return ((x - below) * F.conv_transpose2d(m, net.a.weight)).sum(1).detach().numpy()


@pytest.mark.parametrize("form", FORMS)
def test_deeplift_equals_a_slow_one(form):
    net, x = Form(form).eval(), nets.images(2)
    ours = explain(net, x, sw.why(3), "deeplift", baseline=0.2)
    expected = slow_deeplift(net, x, torch.full_like(x, 0.2), 3)
    for i in range(2):
        assert difference(ours[i].values, expected[i]) < 1e-4


@pytest.mark.parametrize("kind", ["cnn", "residual", "functional"])
def test_deeplift_is_complete_for_every_question(kind):
    q = [sw.why(0), sw.why(0).rather_than(1), sw.why([0, 2], pool="logsumexp"), sw.why(1, pool="log-odds")]
    for e in explain(NETS[kind](), nets.images(2), q, "deeplift", baseline="mean"):
        assert e.completeness < 1e-4


def test_deeplift_completeness_with_overlapping_pools():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.Sigmoid(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(6, 6, 3), nn.ELU(),
                        nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(24, 4))
    for e in explain(net, nets.images(2), [sw.why(c) for c in range(4)], "deeplift", baseline="uniform"):
        assert e.completeness < 1e-4
    series = nn.Sequential(nn.Conv1d(2, 4, 3), nn.Tanh(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(36, 3))
    assert explain(series, torch.rand(1, 2, 20), sw.why(1), "deeplift").completeness < 1e-4
    volume = nn.Sequential(nn.Conv3d(1, 3, 2), nn.GELU(), nn.MaxPool3d(2), nn.Flatten(), nn.Linear(24, 3))
    assert explain(volume, torch.rand(1, 1, 6, 5, 5), sw.why(1), "deeplift").completeness < 1e-4


def test_deeplift_without_a_rule_says_so():
    e = explain(nets.TinyViT(), nets.images(1), sw.why(0), "deeplift")
    assert e.completeness is None
    assert any("layer_norm" in n for n in e.notices)


def pooled(act=None, pool=None):
    torch.manual_seed(7)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), act or nn.Identity(), pool or nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(4 * 16 * 20, 5)).eval()


def test_deeplift_through_max_pools_equals_a_slow_one():
    net, x, below = pooled(nn.ReLU()), nets.images(1), torch.full((1, 3, 32, 40), 0.3)
    with torch.no_grad():
        z, z0 = net[0](x), net[0](below)
        a, a0 = z.relu(), z0.relu()
        g, m = net[4].weight[2].reshape(4, 16, 20), torch.zeros_like(a[0])
        for c, i, j in np.ndindex(4, 16, 20):
            place = (c, slice(2 * i, 2 * i + 2), slice(2 * j, 2 * j + 2))
            now, then, part = a[0][place].flatten(), a0[0][place].flatten(), torch.zeros(4)
            higher = max(now.max(), then.max())
            for at, change in ((now.argmax(), higher - then.max()), (then.argmax(), now.max() - higher)):
                if change != 0:
                    part[at] += g[c, i, j] * change / (now - then)[at]
            m[place] = part.reshape(2, 2)
        m = m * (a - a0)[0] / (z - z0)[0]
        slow = ((x - below) * F.conv_transpose2d(m[None], net[0].weight, padding=1)).sum(1)[0]
    assert difference(explain(net, x, sw.why(2), "deeplift", baseline=0.3).values, slow) < 1e-4


@pytest.mark.filterwarnings("ignore:.*hooks:UserWarning")
@pytest.mark.parametrize("act, pool", [(None, nn.MaxPool2d(2)), (nn.ReLU(), nn.AvgPool2d(2))])
def test_deeplift_of_captum(act, pool):
    # Not an activation right before MaxPool: there captum's map misses the score difference, by its own account.
    captum = pytest.importorskip("captum.attr")
    net, x = pooled(act, pool), nets.images(2)
    theirs = captum.DeepLift(net).attribute(x.clone().requires_grad_(), torch.full_like(x, 0.4), 2)
    ours = explain(net, x, sw.why(2), "deeplift", baseline=0.4)
    for i in range(2):
        assert difference(ours[i].values, theirs.sum(1)[i].detach().numpy()) < 1e-4


# -- paths ---------------------------------------------------------------------------------------------------


def test_blur_is_a_gaussian():
    x = nets.images(2)
    got = blurred(x, torch.tensor([0.0, 1.7]))
    assert torch.equal(got[0], x[0])
    d = torch.arange(-7, 8)
    k = torch.exp(-0.5 * (d / 1.7) ** 2)
    k = k / k.sum()
    slow = F.conv2d(x[1][:, None], (k[:, None] * k)[None, None], padding=7)[:, 0]
    assert difference(got[1], slow) < 1e-5


@pytest.mark.parametrize("kind", NETS)
def test_blur_ig(kind):
    net, x = NETS[kind]().eval(), nets.images(1)
    sigmas = torch.linspace(0, 6, 41)
    path = torch.cat([blurred(x, s[None]) for s in sigmas])
    g = gradient(net, path, 2)
    slow = ((g[:-1] + g[1:]) / 2 * (path[:-1] - path[1:])).sum((0, 1))
    ours = explain(net, x, sw.why(2), "blur-ig", max_sigma=6, steps=40)
    assert difference(ours.values, slow) < 1e-3
    q = [sw.why(0), sw.why(0).rather_than(1), sw.why(1, pool="log-odds")]
    for e in explain(net, nets.images(2), q, "blur-ig"):
        assert e.completeness < 0.01


def pair(name):
    from examples.nets.peers import import_peer

    try:
        return getattr(import_peer("saliency.core"), name)()
    except ImportError:
        pytest.skip("the PAIR saliency package is not installed")


def call_model(net, cls):
    """What PAIR's methods call: gradients `[B, H, W, C]` of one class."""
    def run(images, call_model_args=None, expected_keys=None):
        x = torch.as_tensor(np.asarray(images), dtype=torch.float32).movedim(-1, 1)
        return {"INPUT_OUTPUT_GRADIENTS": gradient(net, x, cls).movedim(1, -1).numpy()}

    return run


@pytest.mark.parametrize("kind", ["cnn", "vit"])
def test_blur_ig_of_pair(kind):
    net, x = NETS[kind]().eval(), nets.images(1)
    theirs = pair("BlurIG").GetMask(x[0].movedim(0, -1).double().numpy(), call_model(net, 2), max_sigma=8, steps=60,
                                    batch_size=1).sum(-1)
    same = explain(net, x, sw.why(2), "blur-ig", max_sigma=8, steps=60, grad_step=0.01).values
    assert correlation(same, theirs) > 0.999
    ours = explain(net, x, sw.why(2), "blur-ig", max_sigma=8, steps=60).values
    assert correlation(ours, theirs) > 0.9  # theirs takes the blur's derivative at sigma 0, where it has none


def slow_guided_ig(grad, x, below, steps, fraction, max_dist):
    """Algorithm 1, one value at a time where it matters; float64 arrays."""
    total_way = np.abs(x - below).sum()
    at, total = below.copy(), np.zeros_like(x)
    for step in range(1, steps + 1):
        g, before = grad(at), at.copy()
        low, high = max(step / steps - max_dist, 0), min(step / steps + max_dist, 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            gone = (at - below) / (x - below)
        behind = gone < low
        at[behind] = (below + (x - below) * low)[behind]
        limit = x if high == 1 else below + (x - below) * high
        free = at != limit
        while (gap := np.abs(at - x).sum() - total_way * (1 - step / steps)) > 1e-9 * max(1, total_way) and free.any():
            order = np.sort(np.where(free, np.abs(g), np.inf))
            chosen = free & (np.abs(g) <= order[int(fraction * (g.size - 1))])
            share = gap / np.abs(limit - at)[chosen].sum()
            if share >= 1:
                at[chosen], free = limit[chosen], free & ~chosen
            else:
                at[chosen] += share * (limit - at)[chosen]
                break
        total += g * (at - before)
    return total


def test_guided_ig():
    net, x = nets.TinyViT().eval(), nets.images(1)
    below = torch.rand(x.shape, generator=torch.Generator().manual_seed(2))

    def grad(at):
        return gradient(net, torch.as_tensor(at, dtype=torch.float32).reshape(x.shape), 2).numpy().ravel().astype(float)

    kw = {"steps": 20, "fraction": 0.2, "max_dist": 0.1}
    slow = slow_guided_ig(grad, x.numpy().ravel().astype(float), below.numpy().ravel().astype(float), **kw)
    ours = explain(net, x, sw.why(2), "guided-ig", baseline=below, rule="left", channels="none", **kw).values
    assert difference(ours.ravel(), slow) < 1e-3
    theirs = pair("GuidedIG").GetMask(x[0].movedim(0, -1).numpy(), call_model(net, 2), x_steps=20, fraction=0.2,
                                      x_baseline=below[0].movedim(0, -1).numpy(), max_dist=0.1)
    assert correlation(ours, np.moveaxis(theirs, -1, 0)) > 0.999


def test_guided_ig_at_no_distance_is_integrated_gradients():
    net, x = nets.TinyViT().eval(), nets.images(1)
    ours = explain(net, x, sw.why(2), "guided-ig", max_dist=0, steps=30).values
    straight = explain(net, x, sw.why(2), "integrated-gradients", rule="trapezoid", steps=30).values
    assert difference(ours, straight) < 1e-3


@pytest.mark.real
@pytest.mark.filterwarnings("ignore:.*hooks:UserWarning")
def test_squeezenet():
    captum = pytest.importorskip("captum.attr")
    from examples.nets import find_data, imagenet_net

    data = find_data()
    if data is None:
        pytest.skip("no ../shared/data beside the repository (or set SALWIDGETS_DATA)")
    net = imagenet_net("squeezenet1_1", data).module.eval()
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0)).cumsum(2).cumsum(3) / 60
    for method, peer in (("guided-backprop", captum.GuidedBackprop), ("deconvnet", captum.Deconvolution)):
        theirs = peer(net).attribute(x.clone().requires_grad_(), 281).sum(1)[0].detach().numpy()
        assert difference(explain(net, x, sw.why(281), method).values, theirs) < 1e-5
    assert explain(net, x, sw.why(281).rather_than(282), "deeplift").completeness < 1e-4
    assert explain(net, x, sw.why(281), "blur-ig").completeness < 0.01  # 0.1 % at 100 steps; 30 leave 1.2 %
