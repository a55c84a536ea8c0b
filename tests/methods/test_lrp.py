"""LRP: each rule against a slow transcription on dense matrices, conservation, refusals, and zennit on real networks."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import salwidgets as sw
from salwidgets.explainers import lrp, lrp_layers, lrp_rules
from tests.core import nets
from tests.methods.test_gradient_family import correlation, difference

# `examples` is no installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

COMPOSITES = ("epsilon-plus", "epsilon-gamma", "epsilon-alpha-beta", "epsilon", "gamma", "alpha-beta")
EPS = 1e-6


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def settled(net, seed=0):
    """BatchNorms with statistics as after training, biases that are not zero."""
    g = torch.Generator().manual_seed(seed)
    for m in net.modules():
        if isinstance(m, nn.modules.batchnorm._BatchNorm):
            for t, low, high in ((m.running_mean, -0.5, 0.5), (m.running_var, 0.5, 1.5), (m.weight.data, 0.5, 1.5),
                                 (m.bias.data, -0.3, 0.3)):
                t.copy_(torch.rand(t.shape, generator=g) * (high - low) + low)
    return net.eval()


def ask(net, x, question=None, **params):
    params.setdefault("channels", "none")
    return sw.explain(sw.Model(net), x, question or sw.why(1), method="lrp", progress=False, **params)


def lost(e):
    """What is missing of the score, as a share of it."""
    return abs(e.params["input_share"] + e.params["bias_share"] + e.params["absorbed_share"] - e.score) / abs(e.score)


# -- the rules, written out on dense matrices in double precision --------------------------------------------------

def matrix(f, x):
    """The matrix and the bias of an affine layer."""
    j = torch.autograd.functional.jacobian(lambda v: f(v[None])[0], x[0])
    y = f(x)[0]
    w = j.reshape(y.numel(), x.numel())
    return w, y.flatten() - w @ x.flatten()


def stab(z):
    return z + torch.where(z >= 0, EPS, -EPS)


def slow(rule, a, w, b, r, gamma=0.25, alpha=2.0, beta=1.0, low=None, high=None):
    """(relevance of the inputs, of the bias) for one layer: loops over nothing but the textbook's sums."""
    c = w * a[None]  # c_ji = a_i w_ji
    y = c.sum(1) + b
    pos, neg = c.clamp(min=0), c.clamp(max=0)
    plus, minus = b.clamp(min=0), b.clamp(max=0)
    if rule == "epsilon":
        return (c / stab(y)[:, None]).T @ r, (b / stab(y)) @ r
    if rule == "z+":
        z = stab(pos.sum(1) + plus)
        return (pos / z[:, None]).T @ r, (plus / z) @ r
    if rule == "alpha-beta":
        z, v = stab(pos.sum(1) + plus), stab(neg.sum(1) + minus)
        return (alpha * pos / z[:, None] - beta * neg / v[:, None]).T @ r, (alpha * plus / z - beta * minus / v) @ r
    if rule == "gamma":
        up, down = c + gamma * pos, c + gamma * neg
        bias = torch.where(y > 0, b + gamma * plus, b + gamma * minus)
        share = torch.where((y > 0)[:, None], up, down)
        z = stab(share.sum(1) + bias)
        return (share / z[:, None]).T @ r, (bias / z) @ r
    share = {"flat": lambda: (w != 0).double(), "w2": lambda: w * w,
             "box": lambda: c - w.clamp(min=0) * low - w.clamp(max=0) * high}[rule]()
    return (share / stab(share.sum(1))[:, None]).T @ r, torch.zeros(())


class Tiny(nn.Module):
    """Convolution and BatchNorm, max pooling, a residual sum with a projection, a mean, a dense layer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.conv1, self.bn1 = nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.side, self.fc = nn.Conv2d(4, 6, 1), nn.Linear(6, 3)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        x = F.max_pool2d(self.relu(self.bn1(self.conv1(x))), 2)
        y = self.bn2(self.conv2(x))
        y += self.side(x)
        return self.fc(self.relu(y).mean((2, 3)))


def slow_tiny(net, x, cls, dense, conv, first):
    """Relevance of the input and of all biases."""
    net, x = net.double(), x.double()
    a1 = F.relu(net.bn1(net.conv1(x)))
    p, where = F.max_pool2d(a1, 2, return_indices=True)
    u, v = net.bn2(net.conv2(p)), net.side(p)
    h = F.relu(u + v)
    m = h.mean((2, 3))
    r = torch.zeros(3, dtype=torch.double)
    r[cls] = net.fc(m)[0, cls]
    r, bias = slow(dense, m.flatten(), *matrix(net.fc, m), r)
    r, _ = slow("epsilon", h.flatten(), *matrix(lambda t: t.mean((2, 3)), h), r)
    share = r / stab((u + v).flatten())
    back, total = torch.zeros(p.numel(), dtype=torch.double), bias
    for f, value in ((lambda t: net.bn2(net.conv2(t)), u), (net.side, v)):
        given, bias = slow(conv, p.flatten(), *matrix(f, p), share * value.flatten())
        back, total = back + given, total + bias
    r = torch.zeros(a1.numel(), dtype=torch.double)
    size = a1[0, 0].numel()
    for k, i in enumerate(where.flatten().tolist()):
        r[k // p[0, 0].numel() * size + i] += back[k]
    given, bias = slow(first, x.flatten(), *matrix(lambda t: net.bn1(net.conv1(t)), x), r)
    return given.reshape(x.shape[1:]), float(total + bias)


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("first", ["flat", "w2", None])
def test_every_rule_equals_the_slow_one(composite, first):
    dense, conv, _ = lrp.COMPOSITES[composite]
    x = torch.randn(1, 2, 6, 8, generator=torch.Generator().manual_seed(1))  # both signs
    with torch.no_grad():
        expected, bias = slow_tiny(settled(Tiny()), x, 1, dense, conv, first or conv)
    e = ask(settled(Tiny()), x, composite=composite, first=first)
    assert difference(e.values, expected.numpy()) < 2e-3
    assert correlation(e.values, expected.numpy()) > 0.99999
    assert e.params["bias_share"] == pytest.approx(bias, rel=2e-3)
    assert lost(e) < 1e-4


LAYERS = {
    "strided": (nn.Conv2d(4, 6, 3, stride=2, padding=1), (4, 7, 9)),
    "grouped, dilated": (nn.Conv2d(4, 6, 3, groups=2, dilation=2, padding=(1, 2)), (4, 7, 9)),
    "same, even": (nn.Conv2d(4, 3, 4, padding="same"), (4, 7, 9)),
    "valid": (nn.Conv2d(4, 3, 2, padding="valid"), (4, 5, 5)),
    "circular": (nn.Conv2d(4, 3, 3, padding=1, padding_mode="circular"), (4, 5, 6)),
    "transposed": (nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), (4, 4, 5)),
    "series": (nn.Conv1d(4, 5, 3, padding=1), (4, 11)),
    "volume": (nn.Conv3d(2, 3, 2), (2, 3, 4, 4)),
    "dense": (nn.Linear(7, 5), (7,)),
}


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("rule", ["epsilon", "z+", "gamma", "alpha-beta", "flat"])
@pytest.mark.parametrize("kind", LAYERS)
def test_every_kind_of_layer_with_a_batchnorm_behind(kind, rule):
    layer, shape = LAYERS[kind]
    x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(2))
    norms = {1: nn.BatchNorm1d, 2: nn.BatchNorm1d, 3: nn.BatchNorm2d, 4: nn.BatchNorm3d}
    bn = settled(norms[len(shape)](layer(x).shape[1]))
    net = nn.Sequential(layer, bn, nn.Flatten()).eval()
    e = ask(net, x, rules={"0": rule})
    assert lost(e) < 1e-4
    if rule == "flat" and kind == "grouped, dilated":
        return  # the rule shares within a layer's own reach; zeros of the matrix say the same, tested in "strided"
    with torch.no_grad():
        w, b = matrix(net.double(), x.double())
        r = torch.zeros(len(b), dtype=torch.double)
        r[1] = net(x.double())[0, 1]
        expected, bias = slow(rule, x.double().flatten(), w, b, r)
    net.float()
    assert difference(e.values.ravel(), expected.numpy()) < 1e-3
    assert e.params["bias_share"] == pytest.approx(float(bias), rel=1e-3, abs=1e-6)


def test_box_equals_the_slow_one_and_reads_the_range_off_the_model():
    torch.manual_seed(3)
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.ReLU(), nn.Linear(4 * 20, 3)).eval()
    low = -torch.tensor(mean) / torch.tensor(std)
    high = low + 1 / torch.tensor(std)
    x = (torch.rand(1, 3, 4, 5) - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    e = sw.explain(sw.Model(net, mean=mean, std=std), x, sw.why(2), method="lrp", channels="none")
    assert e.params["first"] == "box" and ask(net, x).params["first"] == "flat"
    with torch.no_grad():
        d, v = net.double(), x.double()
        a = d[:3](v)
        r = torch.zeros(3, dtype=torch.double)
        r[2] = d(v)[0, 2]
        r, bias = slow("epsilon", a.flatten(), *matrix(d[3], a), r)
        ends = [t.double()[:, None, None].expand(3, 4, 5).flatten() for t in (low, high)]
        expected, _ = slow("box", v.flatten(), *matrix(d[:2], v), r, low=ends[0], high=ends[1])
    assert difference(e.values.ravel(), expected.numpy()) < 1e-3
    assert e.params["bias_share"] == pytest.approx(float(bias), rel=1e-3)


def test_box_behind_a_flattening_is_refused_with_the_mend():
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, 4)).eval()
    model, x = sw.Model(net, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3)), torch.rand(1, 3, 4, 4)
    with pytest.raises(sw.errors.MethodError, match="first='flat'"):
        sw.explain(model, x, sw.why(2), method="lrp", progress=False)
    assert lost(sw.explain(model, x, sw.why(2), method="lrp", first="flat", progress=False)) < 1e-4


# -- BatchNorm, in every place -------------------------------------------------------------------------------------

@pytest.mark.parametrize("rule", ["epsilon", "z+", "gamma"])
def test_batchnorm_before_a_layer_is_folded(rule):
    torch.manual_seed(4)
    conv, bn = nn.Conv2d(4, 5, 3, padding=1), settled(nn.BatchNorm2d(4))
    start = nn.Conv2d(4, 4, 1)
    net = nn.Sequential(start, nn.ReLU(), bn, conv, nn.Flatten(), nn.Linear(5 * 30, 2)).eval()
    x = torch.randn(1, 4, 5, 6)
    e = ask(net, x, rules={"3": rule}, first="epsilon")
    with torch.no_grad():
        net, v = net.double(), x.double()
        a = net[:2](v)
        r = torch.zeros(2, dtype=torch.double)
        r[1] = net(v)[0, 1]
        h = net[:5](v)
        r, b1 = slow("epsilon", h.flatten(), *matrix(net[5], h), r)
        r, b2 = slow(rule, a.flatten(), *matrix(net[2:5], a), r)
        r, b3 = slow("epsilon", v.flatten(), *matrix(net[0], v), r)
    assert difference(e.values.ravel(), r.numpy()) < 1e-3
    assert e.params["bias_share"] == pytest.approx(float(b1 + b2 + b3), rel=1e-3)


def test_batchnorm_alone_and_at_the_input():
    torch.manual_seed(6)
    net = settled(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), nn.ReLU(),
                                nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)))
    for composite in COMPOSITES:
        assert lost(ask(net, nets.images(1), composite=composite)) < 1e-4
    # In front of all layers it is preprocessing: the map is that of the network behind it, on what it puts out.
    x = nets.images(1)
    with torch.no_grad():
        behind = net[0](x)
    assert difference(ask(net, x).values, ask(net[1:], behind).values) < 1e-5


# -- conservation --------------------------------------------------------------------------------------------------

def world_net():
    world = sw.worlds.creatures(n=3)
    return world.model("cnn").net, world.images[2:3]


def dense_net():
    from examples.nets.densenet import DenseNet

    torch.manual_seed(0)
    return DenseNet(depths=(2, 3), growth=8, classes=5), torch.randn(1, 3, 64, 64)


def residual_net():
    from examples.nets.resnet import resnet18

    torch.manual_seed(0)
    return resnet18(5), torch.randn(1, 3, 64, 64)


def vgg_net():
    from examples.nets.vgg import VGG

    torch.manual_seed(0)
    return VGG(stages=((8, 1), (16, 2)), classes=5), torch.randn(1, 3, 56, 56)


CONSERVING = {"creatures": world_net, "densenet": dense_net, "resnet": residual_net, "vgg": vgg_net,
              "plain": lambda: (nets.plain(), nets.images(1)), "residual": lambda: (nets.Residual(), nets.images(1)),
              "functional": lambda: (nets.Functional(), nets.images(1))}


def conserves(kind, composite):
    net, x = CONSERVING[kind]()
    net = net if kind == "creatures" else settled(net)
    q = sw.why(1).rather_than(2)
    e = ask(net, x, q, composite=composite)
    with torch.no_grad():
        z = net(x)[0]
    return lost(e) < 1e-3 and e.score == pytest.approx(float(z[1] - z[2]), rel=1e-4) and e.completeness < 1e-3


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("kind", CONSERVING)
def test_the_score_is_conserved(kind, composite):
    assert conserves(kind, composite)


def sum_to_both(self, r):
    none = r.new_zeros(self.n)
    return *(lrp_rules.unbroadcast(r, kept.tensor.shape) for kept, _ in self.terms), none, none


def pool_unshared(self, r):
    return r, r.new_zeros(self.n), r.new_zeros(self.n)


@pytest.mark.parametrize(("where", "name", "wrong"), [
    (lrp_rules.Split, "__call__", sum_to_both), (lrp_rules.Over, "__call__", pool_unshared),
    (lrp_rules.Rule, "_epsilon", lambda self, a, w, b: [lrp_rules.Way([(a, w, 1.0)], None)]),
    (lrp_layers.Convolution, "scaled", lambda self, scale: self.weight),
])
def test_a_planted_wrong_rule_breaks_conservation(monkeypatch, where, name, wrong):
    assert conserves("resnet", "epsilon")
    monkeypatch.setattr(where, name, wrong)
    assert not conserves("resnet", "epsilon")


def test_relevance_that_is_lost_out_of_sight_is_said():
    class Hidden(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 3

        @staticmethod
        def backward(ctx, g):
            return g * 3

    net = nets.plain()
    hiding = nn.Sequential(net[:6], nn.Module(), net[6:])
    hiding[1].forward = Hidden.apply
    assert any("missing" in n for n in ask(hiding.eval(), nets.images(1)).notices)
    assert not any("missing" in n for n in ask(net.eval(), nets.images(1)).notices)
