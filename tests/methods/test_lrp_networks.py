"""LRP on whole networks: ways of writing them, questions, refusals, zennit as the peer, trained networks."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import salwidgets as sw
from salwidgets.errors import MethodError, ModelError
from salwidgets.explainers import lrp
from tests.core import nets
from tests.methods.test_gradient_family import correlation, difference
from tests.methods.test_lrp import COMPOSITES, ask, lost, settled

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


# -- the same network, written differently -------------------------------------------------------------------------

class Written(nn.Module):
    """One network, written with modules, with functions, or so that it overwrites what it can."""

    def __init__(self, way):
        super().__init__()
        torch.manual_seed(7)
        self.way = way
        self.conv, self.bn, self.side = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Conv2d(6, 6, 1)
        self.relu, self.pool, self.mean = nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1)
        self.drop, self.fc = nn.Dropout(), nn.Linear(12, 4)

    def forward(self, x):
        if self.way == "modules":
            x = self.pool(self.relu(self.bn(self.conv(x))))
            y = self.relu(self.side(x) + x)
            return self.fc(self.drop(self.mean(torch.cat([y, x], 1)).flatten(1)))
        if self.way == "functions":
            x = F.conv2d(x, self.conv.weight, self.conv.bias, padding=1)
            x = F.batch_norm(x, self.bn.running_mean, self.bn.running_var, self.bn.weight, self.bn.bias)
            x = F.max_pool2d(torch.relu(x), kernel_size=2)
            y = torch.clamp(torch.add(F.conv2d(x, self.side.weight, self.side.bias), x), min=0)
            both = torch.stack([y, x], 1).permute(0, 2, 1, 3, 4).transpose(1, 2).reshape(len(x), 12, *x.shape[2:])
            pooled = F.adaptive_avg_pool2d(both, 1)[:, :, 0].squeeze(-1)
            return F.linear(F.dropout(pooled, training=self.training), self.fc.weight, self.fc.bias)
        x = self.bn(self.conv(x)).relu_()
        x = F.max_pool2d(x, 2)
        y = self.side(x)
        y += x
        F.relu(y, inplace=True)  # what it returns is not taken: y itself has changed
        pooled = [t.sum((2, 3)) / (t.shape[2] * t.shape[3]) for t in (y, x)]
        return torch.concat(pooled, -1) @ self.fc.weight.T + self.fc.bias


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("way", ["functions", "in place"])
def test_modules_functions_and_operations_in_place_give_one_map(way, composite):
    x = nets.images(2)
    expected = ask(settled(Written("modules")), x, composite=composite)
    for a, b in zip(ask(settled(Written(way)), x, composite=composite), expected, strict=True):
        assert difference(a.values, b.values) < 1e-3  # the stabiliser weighs more in a mean than in a sum
        assert lost(a) < 1e-4
        if way == "functions":
            assert a.params["bias_share"] == pytest.approx(b.params["bias_share"], rel=1e-4)


def test_a_network_that_centres_its_input_is_explained_like_one_that_is_given_it_centred():
    class Centring(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net((x - torch.tensor([0.4, 0.5, 0.6])[:, None, None]) / 0.25)

    net, x = settled(nets.plain()), nets.images(1)
    centred = (x - torch.tensor([0.4, 0.5, 0.6])[:, None, None]) / 0.25
    assert difference(ask(Centring(net).eval(), x).values, ask(net, centred).values) < 1e-6


@pytest.mark.parametrize("composite", COMPOSITES)
def test_a_batchnorm_written_out_is_folded_like_one(composite):
    class WrittenOut(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            bn = self.net[1]
            scale = bn.weight * (bn.running_var + bn.eps).rsqrt()
            y = self.net[0](x) * scale[None, :, None, None]
            return self.net[2:](y + (bn.bias - bn.running_mean * scale)[None, :, None, None])

    net, x = settled(nets.plain()), nets.images(2)
    for a, b in zip(ask(WrittenOut(net).eval(), x, composite=composite), ask(net, x, composite=composite), strict=True):
        assert difference(a.values, b.values) < 1e-4 and lost(a) < 1e-4


def test_padding_constants_and_interpolation_are_counted():
    class Padding(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(1)
            self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(5, 3)
            self.token = nn.Parameter(torch.ones(1, 1))

        def forward(self, x):
            y = F.interpolate(F.pad(F.relu(self.conv(x)), (1, 2, 1, 0), value=0.3), scale_factor=2, mode="bilinear")
            return self.fc(torch.cat([self.token.expand(len(x), 1), (1 - y).mean((2, 3))], 1))

    for composite in COMPOSITES:
        for e in ask(Padding().eval(), nets.images(2), composite=composite):
            assert lost(e) < 1e-3
    assert np.isfinite(e.values).all()


def test_one_column_heads_and_half_precision():
    e = ask(nets.OneColumn().eval(), nets.images(1))
    assert lost(e) < 1e-4
    wide, half = ask(settled(nets.Residual()), nets.images(1)), ask(settled(nets.Residual()).bfloat16(), nets.images(1))
    assert half.values.dtype == np.float32 and lost(half) < 0.02 and correlation(wide.values, half.values) > 0.98


# -- questions -----------------------------------------------------------------------------------------------------

def test_what_was_asked_spans_what_costs_no_pass(monkeypatch):
    passes = []
    plain = lrp.gradients
    monkeypatch.setattr(lrp, "gradients", lambda *a, **k: passes.append(len(a[2])) or plain(*a, **k))
    ev = sw.prepare(sw.Model(settled(nets.Residual())), nets.images(2), "lrp", progress=False)
    ev.explain([sw.why(0), sw.why(1), sw.why(2)])
    assert passes == [3]  # three questions, one backward pass
    contrast = ev.explain(sw.why(0).rather_than(1, 2))
    assert passes == [3]
    fresh = sw.explain(sw.Model(settled(nets.Residual())), nets.images(2), sw.why(0).rather_than(1, 2), method="lrp")
    for a, b in zip(contrast, fresh, strict=True):
        assert difference(a.values, b.values) < 1e-4
        assert a.params["bias_share"] == pytest.approx(b.params["bias_share"], rel=1e-3)


def test_a_question_that_is_not_linear_conserves_its_start():
    net, x = settled(nets.Residual()), nets.images(1)
    e = ask(net, x, sw.why([0, 1], pool="logsumexp"))
    with torch.no_grad():
        z = net(x)[0]
    start = float((z[:2].softmax(0) * z[:2]).sum())
    assert sum(e.params[k] for k in ("input_share", "bias_share", "absorbed_share")) == pytest.approx(start, rel=1e-4)
    assert e.completeness < 1e-4
    assert f"of {start:+.4g} logits" in e.notices[-1]


def test_rules_by_layer_name():
    net, x = settled(nets.Residual()), nets.images(1)
    plain = ask(net, x)
    assert difference(ask(net, x, rules={"stem": "flat"}).values, plain.values) == 0
    assert difference(ask(net, x, rules={"block": "z+"}).values, plain.values) == 0  # all that is in the container
    assert difference(ask(net, x, rules={"block": "z+", "block.conv1": "epsilon"}).values, plain.values) > 1e-3
    assert difference(ask(net, x, rules={"block.conv1": "gamma"}, gamma=0.0).values,
                      ask(net, x, rules={"block.conv1": "epsilon"}).values) < 1e-4


# -- refusals ------------------------------------------------------------------------------------------------------

class Squeezing(nn.Module):
    """Squeeze and excitation: channels times a gate made of themselves."""

    def __init__(self):
        super().__init__()
        self.conv, self.gate = nn.Conv2d(3, 4, 3), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1), nn.Sigmoid())

    def forward(self, x):
        x = self.conv(x)
        return (x * self.gate(x)).mean((2, 3))


def around(module):
    return nn.Sequential(nn.Conv2d(3, 4, 3), module, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()


REFUSED = {
    "silu": (around(nn.SiLU()), "silu in layer '1' .SiLU.: it multiplies its input by a gate.*'pass'"),
    "excitation": (nn.Sequential(Squeezing()), "mul in layer '0' .Squeezing.*both depend on the input"),
    "softmax": (around(nn.Softmax(1)), "softmax in layer '1'.*gradient-x-attention or integrated-gradients"),
    "group norm": (around(nn.GroupNorm(2, 4)), "group_norm in layer '1'.*integrated-gradients or deeplift"),
    "batch norm": (around(nn.BatchNorm2d(4, track_running_stats=False)), "batch_norm in layer '1'.*its own batch"),
    "unknown": (around(nn.LPPool2d(2, 2)), "lp_pool2d in layer '1' .LPPool2d.*Use"),
    "transformer": (nets.TinyViT(), "layer_norm in layer 'blocks.0.norm1'"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_has_no_rule_is_refused_by_name_and_leaves_nothing(kind):
    net, words = REFUSED[kind]
    net.train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(MethodError, match=f"lrp has no rule for {words}"):
        ask(net, nets.images(1))
    assert all(m.training for m in net.modules()) and all(p.requires_grad for p in net.parameters())
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in net.modules())
    assert torch.overrides._get_current_function_mode_stack() == []


def test_a_gate_passes_where_asked():
    e = ask(around(nn.SiLU()), nets.images(1), rules={"1": "pass"})
    assert lost(e) < 1e-4


@pytest.mark.parametrize(("params", "error", "words"), [
    ({"composite": "zplus"}, MethodError, "epsilon-plus"), ({"first": "zb"}, MethodError, "box"),
    ({"epsilon": -1}, MethodError, "at least 0"), ({"alpha": 1.0}, MethodError, "alpha - beta must be 1"),
    ({"rules": {"9": "flat"}}, ModelError, "no layer"), ({"rules": {"0": "best"}}, MethodError, "no rule is called"),
    ({"rules": {"2": "flat"}}, MethodError, "would do nothing"), ({"rules": {"0": "pass"}}, MethodError, "has weights"),
    ({"rules": "flat"}, MethodError, "dict"), ({"channels": "all"}, MethodError, "channels"),
])
def test_wrong_parameters_are_named(params, error, words):
    with pytest.raises(error, match=words):
        ask(nets.plain().eval(), nets.images(1), **params)


# -- zennit, and trained networks ----------------------------------------------------------------------------------

def trained(name):
    """(network, input, class), its canonizers in zennit's words; the residual net has settled random weights."""
    from examples.nets import find_data, imagenet_net

    data = find_data()
    if data is None:
        pytest.skip("no ../shared/data beside the repository (or set SALWIDGETS_DATA)")
    from PIL import Image

    net = imagenet_net("squeezenet1_1" if name == "resnet18" else name, data)
    x = net.preprocess(Image.open(data / "photos" / "dog_and_cat.png").convert("RGB"))
    if name != "resnet18":
        return net.module.eval(), x, 242
    from examples.nets.resnet import resnet18

    torch.manual_seed(0)
    return settled(resnet18()), x[..., 48:176, 48:176], 7


def zennit_map(net, x, cls, composite, **kw):
    """Relevance `[3, H, W]` by zennit, started with the logit."""
    from examples.nets.peers import import_peer

    try:
        import_peer("zennit")
    except ImportError:
        pytest.skip("zennit is not installed")
    import zennit.composites
    import zennit.torchvision

    kind = getattr(zennit.composites, composite)
    with kind(canonizers=[zennit.torchvision.ResNetCanonizer()], **kw).context(net) as lent:
        leaf = x.clone().requires_grad_()
        z = lent(leaf)
        return torch.autograd.grad(z, leaf, F.one_hot(torch.tensor([cls]), z.shape[1]) * z.detach())[0][0].numpy()


@pytest.mark.real
@pytest.mark.parametrize("name", ["squeezenet1_1", "tiny_darknet", "resnet18"])
def test_zennit_and_conservation_on_real_networks(name):
    net, x, cls = trained(name)
    low, high = x.amin((0, 2, 3), keepdim=True) - 0.1, x.amax((0, 2, 3), keepdim=True) + 0.1
    for composite, peer, first, kw in (("epsilon-plus", "EpsilonPlusFlat", "flat", {}),
                                       ("epsilon-plus", "EpsilonPlus", None, {}),
                                       ("epsilon-gamma", "EpsilonGammaBox", "box", {"low": low, "high": high})):
        if first == "box":
            model = sw.Model(net, mean=(-low / (high - low)).flatten().tolist(), std=(1 / (high - low)).flatten().tolist())
            e = sw.explain(model, x, sw.why(cls), method="lrp", composite=composite, channels="none", progress=False)
        else:
            e = ask(net, x, sw.why(cls), composite=composite, first=first)
        assert lost(e) < 1e-3 and e.completeness < 1e-3
        assert correlation(e.values, zennit_map(net, x, cls, peer, **kw)) > 0.999, peer


@pytest.mark.real
@pytest.mark.parametrize("name", ["squeezenet1_1", "tiny_darknet"])
def test_every_composite_conserves_on_trained_networks(name):
    net, x, cls = trained(name)
    for composite in COMPOSITES:
        e = ask(net, x, sw.why(cls).rather_than(282), composite=composite)
        assert lost(e) < 1e-3 and not any("missing" in n for n in e.notices), composite
