"""Performance information curves: against the PAIR package, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.metrics import Runs, pic


@pytest.fixture
def pair(monkeypatch):
    from examples.nets.peers import import_peer

    monkeypatch.setattr(np, "trapz", np.trapezoid, raising=False)  # the package was written for an older numpy
    try:
        return import_peer("saliency.metrics.pic")
    except ImportError:
        pytest.skip("the PAIR package (saliency) is not installed")


def test_sic_and_aic_are_those_of_pair(cnn, maps, pair):
    runs = Runs(cnn)
    es = [maps[0], maps[3]]
    found = {False: sw.metrics.pic_sic(cnn, es, runs=runs), True: sw.metrics.pic_aic(cnn, es, runs=runs)}
    assert runs.passes <= 2 * (2 + len(pic.THRESHOLDS)) + 2  # the second metric scored nothing anew
    for i, e in enumerate(es):
        mask = pic.first_mask(64, 64, 0, torch.from_numpy(e.input))
        target = e.question.bound.target[0]
        for accuracy, mine in found.items():
            def predict(pictures, accuracy=accuracy, target=target):
                p = cnn.predict(torch.from_numpy(pictures).movedim(-1, 1).float() / 255).probabilities
                return (p.argmax(1) == target).astype(float) if accuracy else p[:, target]

            try:
                theirs = pair.compute_pic_metric(e.image, e.upsampled(), mask, predict, pic.THRESHOLDS).auc
            except pair.ComputePicMetricError:
                theirs = np.nan
            np.testing.assert_allclose(mine[i], theirs, atol=2e-5)


def test_the_curve_by_hand():
    """Half of the information gives the whole of the performance, and it may not fall again."""
    entropy = np.array([200.0, 100, 150, 175])
    y = pic.information_curve(entropy, np.array([0.9, 0.1, 0.9, 0.3]), 0.8)
    assert y[0] == 0 and y[500:].min() == 1 and y[250] == pytest.approx(0.5)
    assert np.trapezoid(y, np.linspace(0, 1, 1001)) == pytest.approx(0.75)


def test_what_cannot_be_measured_is_left_out(cnn, maps):
    entropy = np.array([200.0, 100, 150])
    assert pic.information_curve(entropy, np.array([0.7, 0.1, 0.5]), 0.8) is None  # unsure
    assert pic.information_curve(entropy, np.array([0.9, 0.95, 0.5]), 0.8) is None  # knows it when blurred
    assert pic.information_curve(np.array([100.0, 100, 150]), np.array([0.9, 0.1, 0.5]), 0.8) is None
    contrast = sw.why(cnn.classes[0]).rather_than(cnn.classes[1])
    least = next(c for c in cnn.classes if c != maps[0].prediction[0])
    assert np.isnan(sw.metrics.pic_sic(cnn, maps[0], question=sw.why(least)))
    assert np.isnan(sw.metrics.pic_sic.curves(cnn, maps[0], question=contrast, min_probability=1.0).median).all()


def test_inputs_that_are_no_pictures_are_refused():
    model = sw.Model(lambda x: x.mean((2, 3)), classes=["a", "b", "c"])
    x = np.random.default_rng(0).normal(size=(3, 8, 8))
    e = sw.Explanation(np.zeros((8, 8)), x, sw.why("a").bind(["a", "b", "c"]), "own", image=None)
    with pytest.raises(sw.errors.InputError, match="explanation 0: its input is no picture"):
        sw.metrics.pic_sic(model, e)


def test_normalised_inputs_become_the_same_pictures(world, maps, monkeypatch):
    """The same net behind a normalisation gives the same curve, from the same pixels at the start."""
    cnn, e = world.model("cnn"), maps[0]

    class Undone(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = cnn.module

        def forward(self, x):
            return self.net(x * 0.25 + 0.5)

    start = np.random.default_rng(0).random((64, 64)) < 0.01
    monkeypatch.setattr(pic, "first_mask", lambda h, w, seed, x: start)
    model = sw.Model(Undone(), classes=world.classes, mean=[0.5] * 3, std=[0.25] * 3)
    same = sw.from_array(e.values, e.image, sw.why(e.question.target_names[0]))
    np.testing.assert_allclose(sw.metrics.pic_sic(model, same), sw.metrics.pic_sic(cnn, same), atol=1e-4)
