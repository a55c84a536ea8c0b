"""Networks and callers that trip other libraries, for every method: the same map, or the same kind of answer.

(A batch of one, several at once and one question per input are in tests/core/test_explainers.py for every method.)
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import salwidgets as sw
from tests.core import nets
from tests.methods.small import FITTING, INFO, few, model, network, reference

ROUGH = {"cf-cam": "its clusters are decided by distances that bf16 rounds",
         "guided-ig": "its path is decided by a ranking of gradients that bf16 rounds",
         **{m: "small parts of the image change these scores by less than bf16's last digit" for m in INFO
            if INFO[m].family in ("perturbation", "mask") or m == "xrai"}}
PROBABLE = {"regional", "meaningful-perturbation", "fido"}  # read probabilities, which activation="sigmoid" makes others


class Answering(nn.Module):
    """The same network, whose output is an object."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return SimpleNamespace(loss=None, logits=self.net(x))


class Dense(nn.Module):
    """Layers fed with all that was made before, and a functional ReLU in place at the end, as in DenseNet."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(7)
        self.stem = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.layers = nn.ModuleList(nn.Sequential(nn.BatchNorm2d(6 + 4 * i), nn.ReLU(inplace=True),
                                                  nn.Conv2d(6 + 4 * i, 4, 3, padding=1)) for i in range(2))
        self.norm, self.head = nn.BatchNorm2d(14), nn.Linear(14, 5)

    def forward(self, x):
        made = [self.stem(x)]
        for layer in self.layers:
            made.append(layer(torch.cat(made, 1)))
        return self.head(F.relu(self.norm(torch.cat(made, 1)), inplace=True).mean((2, 3)))


def compiled_in_place(net):
    net.compile()
    return net


SAME = {"in-place relu": lambda net: nets.plain(inplace=True), "object": Answering,
        "frozen": lambda net: net.requires_grad_(False), "training": lambda net: net.train(), "compiled": torch.compile,
        "compiled in place": compiled_in_place, "DataParallel": nn.DataParallel}
CALLERS = {"no_grad": torch.no_grad, "inference_mode": torch.inference_mode}


def ask(net, method, question="b", x=None, **kw):
    question = sw.why(question) if isinstance(question, (str, int)) else question
    return sw.explain(model(net, **kw), nets.images(1) if x is None else x, question, method=method, progress=False,
                      **few(method))


def close(a, b, tolerance=1e-4):
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1e-12, np.abs(b).max()))


@pytest.mark.parametrize("trap", SAME)
@pytest.mark.parametrize("method, kind", FITTING)
def test_the_same_map(method, kind, trap):
    if trap == "in-place relu" and kind == "vit":
        pytest.skip("no ReLU in this network")
    close(ask(SAME[trap](network(kind)), method).values, reference(method, kind))


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("method, kind", FITTING)
def test_the_same_map_for_callers_without_gradients(method, kind, caller):
    with CALLERS[caller]():
        net, x = network(kind), nets.images(1)  # under inference_mode: weights and inputs that autograd refuses
        evidence = sw.prepare(model(net), x, method, progress=False, **few(method))
        close(evidence.explain(sw.why("b")).values, reference(method, kind))
        close(ask(net, method, x=x).values, reference(method, kind))
        assert torch.is_inference_mode_enabled() == (caller == "inference_mode")
        assert not torch.is_grad_enabled()
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize("net", [Dense, nets.Residual, nets.Functional])
@pytest.mark.parametrize("method", [m for m, kind in FITTING if kind == "cnn"])
def test_dense_residual_and_functional_networks(method, net):
    e, contrast = ask(net(), method, x=nets.images(2), question="b"), ask(net(), method, sw.why("b").rather_than("d"))
    for one in (*e, contrast):
        assert np.isfinite(one.values).all()
        assert np.abs(one.values).max() > 0 or any("zero everywhere" in n for n in one.notices)
    if INFO[method].complete:
        assert contrast.completeness < 0.1 or contrast.completeness is None


@pytest.mark.parametrize("method, kind", FITTING)
def test_half_precision(method, kind):
    e = ask(network(kind).to(torch.bfloat16), method)
    assert e.values.dtype == np.float32
    assert np.isfinite(e.values).all()
    if method not in ROUGH:
        assert np.corrcoef(e.values.ravel(), reference(method, kind).ravel())[0, 1] > 0.9
    with torch.autocast("cpu", dtype=torch.bfloat16):
        e = ask(network(kind), method)
    assert e.values.dtype == np.float32
    assert np.isfinite(e.values).all()


class One(nn.Module):
    """The network with a single score, b - e of the whole one."""

    def __init__(self, kind):
        super().__init__()
        self.net = network(kind)
        last = self.net[-1] if kind == "cnn" else self.net.head
        with torch.no_grad():
            last.weight, last.bias = (nn.Parameter(t[1:2] - t[4:5]) for t in (last.weight, last.bias))

    def forward(self, x):
        return self.net(x)


@pytest.mark.parametrize("method, kind", FITTING)
def test_one_column_heads_are_two_classes(method, kind):
    m, x = sw.Model(One(kind), classes=["no", "yes"]), nets.images(1)
    q = [sw.why("yes"), sw.why("no"), sw.why("yes").rather_than("no"), sw.why("yes", pool="probability")]
    es = [sw.explain(m, x, one, method=method, progress=False, **few(method)) for one in q]
    z = float(One(kind)(x).detach())
    assert [e.score for e in es] == pytest.approx([z / 2, -z / 2, z, 1 / (1 + np.exp(-z))], rel=1e-4)
    assert all(np.isfinite(e.values).all() for e in es)
    if INFO[method].linear:
        close(es[2].values, 2 * es[0].values)
        close(es[1].values, -es[0].values)
        close(es[2].values, ask(network(kind), method, sw.why("b").rather_than("e")).values, 1e-3)


@pytest.mark.parametrize("method, kind", FITTING)
def test_multi_label_heads(method, kind):
    z = network(kind)(nets.images(1))[0].detach().double().numpy()
    p = 1 / (1 + np.exp(-z))
    asked = {sw.why("b"): z[1], sw.why("b", pool="probability"): p[1], sw.why("b", pool="log-odds"): z[1],
              sw.why("vowel", pool="probability"): 1 - (1 - p[0]) * (1 - p[4]),
             sw.why("vowel").rather_than("c"): (z[0] + z[4]) / 2 - z[2]}
    for question, score in asked.items():
        e = ask(network(kind), method, question, activation="sigmoid")
        assert e.score == pytest.approx(score, rel=1e-4, abs=1e-6)
        assert np.isfinite(e.values).all()
        if question.target == ("b",):
            assert e.probability == pytest.approx(p[1], rel=1e-4)
    if method not in PROBABLE:  # a class's logit is the same function, whatever the classes are to each other
        close(ask(network(kind), method, activation="sigmoid").values, reference(method, kind))
