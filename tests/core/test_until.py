"""Integrated gradients that stop by themselves: each point of the path is passed once, and it is said where they stopped."""

import numpy as np
import pytest
import torch

import salwidgets as sw
from tests.core import nets
from tests.core.test_explainers import NAMES, TREE, close, model


class Counting(torch.nn.Module):
    """Counts the images that go through a network."""

    def __init__(self, net):
        super().__init__()
        self.net, self.seen = net, 0

    def forward(self, x):
        self.seen += len(x)
        return self.net(x)


@pytest.mark.parametrize("question", [sw.why("a"), sw.why(), sw.why("vowel", pool="logsumexp")], ids=str)
@pytest.mark.parametrize("batch_size", [32, 2])
def test_until_passes_each_point_of_the_path_once(question, batch_size):
    counting = Counting(nets.Functional())
    counted = sw.Model(counting, classes=NAMES, taxonomy=TREE)
    given = {"method": "integrated-gradients", "batch_size": batch_size, "progress": False}
    e = sw.explain(counted, nets.images(1), question, until=0.001, **given)
    steps = int(e.notices[-1].split(" steps")[0].split()[-1])
    assert counting.seen == steps + 1  # the ends are points, and give the input's and the baseline's scores
    close(e.values, sw.explain(counted, nets.images(1), question, steps=steps, rule="trapezoid", **given).values)


def test_until_answers_a_second_question_from_the_same_evidence():
    evidence = sw.prepare(model("functional"), nets.images(2), "integrated-gradients", until=0.001)
    for question in (sw.why("a"), sw.why("b"), sw.why("a").rather_than("b")):
        for i, e in enumerate(evidence.explain(question)):
            alone = sw.explain(model("functional"), nets.images(2)[i], question, "integrated-gradients", steps=512,
                               rule="trapezoid")
            close(e.values, alone.values, 1e-2)


def test_until_stops_by_itself_and_says_where():
    e = sw.explain(model("vit"), nets.images(1), sw.why("a"), method="integrated-gradients", until=0.01)
    fine = sw.explain(model("vit"), nets.images(1), sw.why("a"), method="integrated-gradients", steps=500)
    assert np.corrcoef(e.values.ravel(), fine.values.ravel())[0, 1] > 0.999
    assert "settled at" in e.notices[0]
