"""Questions about other outputs than class scores are explained: a region of a segmentation, a match, a box, a token."""

import numpy as np
import pytest
import torch

import salwidgets as sw
from tests.core import nets


def test_segment():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 1))
    mask = np.zeros((32, 40), bool)
    mask[4:12, 6:20] = True
    q = sw.why_segment(mask, 2)
    x = nets.images(1)
    e = sw.explain(sw.Model(net), x, q, method="integrated-gradients")
    assert str(e.question) == "Why “class 2” in this region?"
    expected = net(x)[0, 2].detach().numpy()[mask].mean()
    assert e.score == pytest.approx(expected, rel=1e-4)
    assert np.abs(e.values[:, 30:]).max() == 0  # nothing outside the mask's receptive field matters


def test_match():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1),
                              torch.nn.Flatten())
    x = nets.images(2)
    e = sw.explain(sw.Model(net), x[0], sw.why_match(net(x[1:])), method="occlusion")
    expected = torch.nn.functional.cosine_similarity(net(x[:1]), net(x[1:]))
    assert e.score == pytest.approx(float(expected.detach()), rel=1e-4)
    assert e.probability is None


def test_box():
    def detector(x):
        n = len(x)
        boxes = torch.tensor([[0.0, 0, 10, 10], [5, 5, 20, 20]]).expand(n, 2, 4)
        strength = x[:, :, 5:20, 5:20].mean((1, 2, 3))
        return {"boxes": boxes, "scores": torch.stack([torch.full((n, 2), 0.1), torch.ones(n, 2)], -1),
                "objectness": torch.stack([torch.zeros(n), strength], 1)}

    q = sw.why_box({"box": (5, 5, 20, 20), "label": 1})
    e = sw.explain(sw.Model(detector), nets.images(1), q, method="rise", n_masks=600)
    inside = e.values[5:20, 5:20].mean()
    assert inside > 3 * abs(e.values[24:, 24:].mean())


def test_token():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 6))
    e = sw.explain(sw.Model(net, classes=list("uvwxyz")), torch.rand(1, 3, 4), sw.why_token("w", 1),
                   method="input-x-gradient")
    assert np.abs(e.values[[0, 2]]).max() == 0
    assert np.abs(e.values[1]).max() > 0
