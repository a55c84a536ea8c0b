"""FullGrad: the shares of input and biases add up to the score, and the published picture is a slow transcription's."""

import pytest
import torch
from torch.nn import functional as F

import salwidgets as sw
from tests.core import nets
from tests.methods.test_cam_family import Squeeze, close, model


@pytest.mark.parametrize("net", [nets.plain, lambda: nets.plain(True), nets.Functional, nets.Residual, Squeeze])
def test_it_adds_up_to_the_score(net):
    net = net().eval()
    torch.manual_seed(3)
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.running_mean.normal_()
            m.running_var.uniform_(0.5, 2)
            m.weight.data.normal_()
            m.bias.data.normal_()
    x = nets.images(2)
    q = [sw.why("a"), sw.why("b").rather_than("e"), sw.why("vowel")]
    linear = [m.bias.detach() for m in net.modules() if isinstance(m, torch.nn.Linear)]
    for e in sw.explain(model(net), x, q, method="fullgrad"):
        assert abs(e.completeness.gap) <= 1e-4 * abs(e.values).sum()
        placeless = sum(float(e.question.weights @ b.numpy()) for b in linear)
        assert e.values.sum() == pytest.approx(e.score - placeless, rel=1e-4, abs=1e-6)
        assert not e.notices


def test_a_network_that_is_not_piecewise_linear_says_so():
    e = sw.explain(model(nets.TinyViT()), nets.images(1), sw.why("a"), method="fullgrad")
    assert "does not add up" in e.notices[0]


def test_the_published_picture():
    net, x = nets.plain().eval(), nets.images(1).requires_grad_()
    kept = {}
    layers = {0: net[0].bias, 1: net[1].bias - net[1].running_mean * net[1].weight / (net[1].running_var + 1e-5).sqrt(),
              4: net[4].bias}
    t = x
    for i, module in enumerate(net):
        t = module(t.clone())
        kept[i] = t
    g = torch.autograd.grad(t[0, 1], [x, *(kept[i] for i in layers)])
    with torch.no_grad():
        expected = 0
        for share in (g[0] * x, *(gi * b[:, None, None] for gi, b in zip(g[1:], layers.values(), strict=True))):
            share = (share.abs() - share.abs().min()) / (share.abs().max() - share.abs().min() + 1e-6)
            share = F.interpolate(share, size=x.shape[-2:], mode="bilinear", align_corners=True)
            expected = expected + share.sum(1)[0]
    e = sw.explain(model(net), x.detach(), sw.why("b"), method="fullgrad", psi="abs")
    close(e.values, expected)
    assert e.completeness is None
