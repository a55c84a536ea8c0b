"""Heads in closed form: recognised by numbers, equal to autograd, and left alone where they are something else."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import salwidgets as sw
from salwidgets.explainers.cam import CamEvidence, FeatureProbe
from tests.core import nets


def trunk() -> nn.Sequential:
    torch.manual_seed(5)
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.Tanh())  # signed features: relu in the head matters


class Head(nn.Module):
    """Features, then one of several heads."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.features, self.form = trunk(), form
        wide = {"squeeze": nn.Conv2d(6, 5, 1), "squeeze-inplace": nn.Conv2d(6, 5, 1), "conv": nn.Conv2d(6, 5, 1),
                "hidden": nn.Conv2d(6, 5, 1),
                "strided": nn.Conv2d(6, 5, 1, stride=2)}
        self.classifier = wide.get(form, nn.Linear(6, 5))
        self.act = nn.ReLU(inplace=form == "squeeze-inplace")

    def forward(self, x):
        a = self.features(x)
        if self.form == "linear":
            return self.classifier(a.mean((2, 3)))
        if self.form == "relu":
            return self.classifier(F.relu(a, inplace=True).mean((2, 3)))
        if self.form == "max":
            return self.classifier(a.amax((2, 3)))
        if self.form == "hidden":  # what the classifier sees is not what the feature layer put out
            return self.classifier(F.leaky_relu(a, 0.5)).mean((2, 3))
        if self.form == "square":
            return self.classifier(a.mean((2, 3)) ** 2)
        z = self.classifier(a)
        return (z if self.form in ("conv", "strided") else self.act(z)).mean((2, 3))


CLOSED = ["linear", "relu", "conv", "squeeze", "squeeze-inplace"]
OPEN = ["max", "square", "hidden"]


def ask(net, method, monkeypatch=None):
    q = [sw.why(0), sw.why(1).rather_than(2), sw.why([0, 3]), sw.why([1, 2], pool="log-odds"), sw.why()]
    return sw.explain(sw.Model(net), nets.images(3), q, method=method)


@pytest.mark.parametrize("method", ["grad-cam", "hires-cam"])
@pytest.mark.parametrize("form", CLOSED + OPEN)
def test_it_equals_autograd(form, method, monkeypatch):
    found = ask(Head(form), method)
    monkeypatch.setattr(CamEvidence, "_closed", lambda self: False)
    for a, b in zip(found, ask(Head(form), method), strict=True):
        np.testing.assert_allclose(a.values, b.values, atol=2e-5 * max(1e-9, np.abs(b.values).max()))


@pytest.mark.parametrize("form", CLOSED + OPEN + ["strided"])
def test_it_is_recognised_by_numbers(form):
    model = sw.Model(Head(form))
    with model.session():
        probe = FeatureProbe(model, nets.images(2), None, None)
    assert (probe.head is not None) == (form in CLOSED)


@pytest.mark.parametrize("make, closed", [(nets.plain, True), (nets.Functional, True), (nets.Residual, True),
                                          (nets.TinyViT, False), (nets.OneColumn, False)])
def test_which_networks_have_one(make, closed):
    model = sw.Model(make())
    with model.session():
        assert (FeatureProbe(model, nets.images(2), None, None).head is not None) == closed


def test_a_thousand_classes_cost_no_backward_pass(monkeypatch):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1000))
    ev = sw.prepare(sw.Model(net), nets.images(1))
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: pytest.fail("a backward pass was made"))
    assert ev.basis().maps.shape == (1, 1000, 30, 38)
