"""NormGrad's variants, each against a plain and slow transcription: a deep copy trained by one step of SGD, hooks, loops."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import salwidgets as sw
from salwidgets.errors import MethodError, ModelError
from tests.core import nets
from tests.methods.test_cam_family import Deep, Squeeze, close, features_and_gradients

NAMES = list("abcde")
TREE = sw.Taxonomy.from_nested({"vowel": ["a", "e"], "consonant": ["b", "c", "d"]})
QUESTIONS = {"class": (sw.why("b"), [1], [0, 2, 3, 4]), "contrast": (sw.why("b").rather_than("e"), [1], [4]),
             "group": (sw.why("vowel"), [0, 4], [1, 2, 3]),
             "group contrast": (sw.why("vowel").rather_than("b", "c"), [0, 4], [1, 2])}


def model(net, **kw):
    return sw.Model(net.eval(), classes=NAMES, taxonomy=TREE, **kw)


def stepped(net, x, loss, lr):
    """A copy of the network after one step of torch's own SGD on ``loss(logits)`` of one input."""
    net = copy.deepcopy(net)
    loss(net(x)).backward()
    torch.optim.SGD(net.parameters(), lr=lr).step()
    return net.requires_grad_(False)


def norms(a, g):
    """||A_u|| ||g_u||, cell by cell."""
    h, w = a.shape[1:]
    return np.array([[float((a[:, i, j]**2).sum()**0.5 * (g[:, i, j]**2).sum()**0.5) for j in range(w)] for i in range(h)])


def map_of(net, x, layer, weights):
    """NormGrad of one input at one layer, by a hook."""
    kept = []
    handle = net.get_submodule(layer).register_forward_hook(lambda m, i, o: kept.append(o.clone()) or kept[-1])
    score = net(x.clone().requires_grad_())[0] @ weights
    handle.remove()
    return norms(kept[0][0].detach(), torch.autograd.grad(score, kept[0])[0][0])


@pytest.mark.parametrize("net", [Deep, Squeeze, nets.Functional])
def test_the_selective_variant(net):
    net, x = net().eval(), nets.images(1)
    w = torch.tensor([0.0, 1, 0, 0, 0])
    a, g = features_and_gradients(net, x, w)
    slow = np.sqrt(sum(np.maximum(0, ak * gk) ** 2 for ak, gk in zip(a.numpy(), g.numpy(), strict=True)))
    close(sw.explain(model(net), x, sw.why("b"), method="normgrad", variant="selective", layer="features").values, slow)


@pytest.mark.parametrize("kind", QUESTIONS)
@pytest.mark.parametrize("net, lr", [(Deep, 0.3), (nets.plain, 30.0), (nets.Residual, 3.0)])
def test_meta_saliency_is_the_map_of_a_trained_copy(net, lr, kind):
    """Rates so large that the map must change."""
    net, x = net().eval(), nets.images(2)
    question, target, other = QUESTIONS[kind]
    m = model(net)
    es = sw.explain(m, x, question, method="normgrad", variant="meta-saliency", lr=lr)
    plain = sw.explain(m, x, question, method="normgrad")
    for i in range(2):
        def loss(z):
            return torch.logsumexp(z[0, target + other], 0) - torch.logsumexp(z[0, target], 0)

        copied = stepped(net, x[i:i + 1], loss, lr)
        w = torch.from_numpy(es[i].question.weights)
        expected = map_of(copied, x[i:i + 1], es[i].layer, w)
        close(es[i].values, expected, 1e-3)
        assert np.corrcoef(plain[i].values.ravel(), expected.ravel())[0, 1] < 0.9999


def test_the_loss_of_a_class_is_torchs_cross_entropy():
    net, x = Deep().eval(), nets.images(1)
    e = sw.explain(model(net), x, sw.why("c"), method="normgrad", variant="meta-saliency", lr=1.0)
    copied = stepped(net, x, lambda z: F.cross_entropy(z, torch.tensor([2])), 1.0)
    close(e.values, map_of(copied, x, "features", torch.tensor([0.0, 0, 1, 0, 0])), 1e-4)
    many = sw.explain(model(net, activation="sigmoid"), x, sw.why("c"), method="normgrad", variant="meta-saliency", lr=1.0)
    copied = stepped(net, x, lambda z: F.binary_cross_entropy_with_logits(z[:, 2], torch.ones(1)), 1.0)
    close(many.values, map_of(copied, x, "features", torch.tensor([0.0, 0, 1, 0, 0])), 1e-4)


def test_questions_that_are_not_linear_are_read_at_the_trained_copys_logits():
    net, x, question = Deep().eval(), nets.images(1), sw.why("vowel", pool="logsumexp")
    e = sw.explain(model(net), x, question, method="normgrad", variant="meta-saliency", lr=5.0)
    copied = stepped(net, x, lambda z: torch.logsumexp(z[0], 0) - torch.logsumexp(z[0, [0, 4]], 0), 5.0)
    p = torch.softmax(copied(x)[0, [0, 4]], 0)
    close(e.values, map_of(copied, x, "features", torch.stack([p[0], *torch.zeros(3), p[1]])), 1e-3)


@pytest.mark.parametrize("variant", ["plain", "meta-saliency"])
@pytest.mark.parametrize("net, layers", [(nets.plain, ["2", "5"]), (nets.Residual, ["block", "stem"]),
                                         (nets.TinyViT, ["blocks.0.norm1", "blocks.1.norm1"])])
def test_layers_are_multiplied(net, layers, variant):
    net, x, question = net().eval(), nets.images(2), sw.why("b").rather_than("e")
    kw = {"method": "normgrad", "variant": variant, "lr": 2.0}
    each = [sw.explain(model(net), x, question, layer=name, **kw) for name in layers]
    both = sw.explain(model(net), x, [question, sw.why("a")], layer=layers, **kw)
    for i in range(2):
        maps = [torch.from_numpy(e[i].values)[None, None] for e in each]
        size = max(maps, key=torch.numel).shape[-2:]
        large = [F.interpolate(m, size=size, mode="bilinear", align_corners=False)[0, 0] for m in maps]
        expected = np.prod([m.numpy() for m in large], 0)
        close(both[i, 0, 0].values, expected)
        assert both[i, 0, 0].layer == ", ".join(layers)


def test_several_layers_cost_one_forward():
    net, calls = nets.plain().eval(), []
    m, x = model(net), nets.images(1)
    sw.explain(m, x, sw.why("a"), method="normgrad", layer=["2", "5"])  # finds the layers
    net.register_forward_hook(lambda *a: calls.append(1))
    sw.explain(m, x, [sw.why("a"), sw.why("b")], method="normgrad", layer=["2", "5"])
    assert len(calls) == 1


def test_the_network_keeps_its_weights():
    net = nets.plain().train()
    before = {k: (v, v.clone()) for k, v in [*net.named_parameters(), *net.named_buffers()]}

    class Boom(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.calls, self.fine = net, 0, 10**9

        def forward(self, x):
            self.calls += 1
            if self.calls > self.fine:
                raise KeyboardInterrupt
            return self.net(x)

    broken = Boom()
    sw.explain(sw.Model(broken), nets.images(1), sw.why(0), method="normgrad", variant="meta-saliency", lr=10.0)
    for fine in range(broken.calls):
        broken.calls, broken.fine = 0, fine
        with pytest.raises(KeyboardInterrupt):
            sw.explain(sw.Model(broken), nets.images(1), sw.why(0), method="normgrad", variant="meta-saliency", lr=10.0)
        for name, now in [*net.named_parameters(), *net.named_buffers()]:
            assert now is before[name][0]
            assert torch.equal(now, before[name][1])
        assert all(p.requires_grad and p.grad is None for p in net.parameters())
        assert all(m.training for m in net.modules())


def test_refusals():
    m, x = model(nets.plain()), nets.images(1)
    for layer in ([], ["2", "2"], ["2", 5], 5):
        with pytest.raises(MethodError, match="list of different names"):
            sw.explain(m, x, sw.why("a"), method="normgrad", layer=layer)
    with pytest.raises(ModelError, match="no layer"):
        sw.explain(m, x, sw.why("a"), method="normgrad", layer=["2", "elsewhere"])
    with pytest.raises(MethodError, match="normgrad combines several"):
        sw.explain(m, x, sw.why("a"), method="grad-cam", layer=["2", "5"])
    embedding = sw.Model(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    match = sw.why_match(embedding.net(nets.images(2)[1:]).detach())
    assert sw.explain(embedding, x, match, method="normgrad").values.max() > 0
    with pytest.raises(MethodError, match="variant='plain'"):
        sw.explain(embedding, x, match, method="normgrad", variant="meta-saliency")
    evidence = sw.prepare(m, x, "normgrad", variant="meta-saliency")
    with torch.no_grad():
        for p in m.net.parameters():
            p.mul_(1.3)
    with pytest.raises(ModelError, match="changed after"):
        evidence.explain(sw.why("a"))
