"""Infidelity and faithfulness correlation: against captum, quantus, plain loops and a model whose answer is known."""

import numpy as np
import pytest
import torch
from torch import nn

import salwidgets as sw
from examples.nets.peers import import_peer
from salwidgets.errors import InputError, MethodError
from salwidgets.metrics import Runs, faithfulness_correlation, infidelity
from salwidgets.metrics.agreement_with_model import _squares, _subsets
from salwidgets.metrics.likeness import pearson, ranks, spearman

H, W = 8, 10


@pytest.fixture(scope="module")
def linear():
    """Scores that are sums over pixels: the map w * x says exactly what hiding pixels takes away."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(H * W, 3))
    return sw.Model(net, classes=list("abc"))


def right(model, x, c=0, sign=1.0):
    w = model.net[1].weight[c].detach().view(H, W)
    e = sw.explain(model, x, sw.why("abc"[c]), method="input-x-gradient", progress=False)
    e.values = (sign * w * x[0]).numpy()
    return e


@pytest.fixture
def x():
    return torch.rand(1, H, W, generator=torch.Generator().manual_seed(3))


def test_a_map_that_foretells_every_change_has_no_error(linear, x):
    e = right(linear, x)
    assert infidelity(linear, e) == pytest.approx(0, abs=1e-9)
    assert infidelity(linear, e, normalize=False) == pytest.approx(0, abs=1e-9)
    assert faithfulness_correlation(linear, e, cells=4) == pytest.approx(1, abs=1e-6)
    assert faithfulness_correlation(linear, e, cells=None, share=0.2) == pytest.approx(1, abs=1e-6)


def test_its_opposite_foretells_nothing(linear, x):
    e = right(linear, x, sign=-1.0)
    assert infidelity(linear, e) == 1.0  # the best scale is not below 0
    assert faithfulness_correlation(linear, e, cells=4) == pytest.approx(-1, abs=1e-6)


def test_the_gradient_foretells_noise_on_a_linear_model(linear, x):
    e = sw.explain(linear, x, sw.why("b"), method="saliency", progress=False)
    assert infidelity(linear, e, perturbation="noise", normalize=False) == pytest.approx(0, abs=1e-9)


def test_equation_1_in_plain_loops(cnn, maps):
    for e in list(maps)[:2]:
        x, target = torch.from_numpy(e.input), e.question.bound.target[0]
        whole = float(cnn.logits(x[None])[0, target])
        errors = []
        for square in _squares(np.random.default_rng(4), 12, (0.2,), 64, 64):
            hidden = x.clone()
            hidden[:, square > 0] = 0
            told = sum(float(v) for v in e.upsampled()[square > 0])
            errors.append((told - (whole - float(cnn.logits(hidden[None])[0, target]))) ** 2)
        got = infidelity(cnn, e, n_samples=12, sides=(0.2,), seed=4, normalize=False)
        assert got == pytest.approx(np.mean(errors), rel=1e-3)


@pytest.mark.parametrize("normalize", [False, True])
def test_captum_with_the_same_noise(cnn, world, normalize):
    from captum.metrics import infidelity as peer

    e = sw.explain(cnn, world.images[1], sw.why(), method="saliency", channels="none", progress=False)
    attributions = torch.from_numpy(e.values)[None]
    summed = sw.explain(cnn, world.images[1], sw.why(), method="saliency", progress=False)
    noise = np.random.default_rng(0).normal(size=(16, 64, 64)) * 0.1 * float(np.ptp(e.input))
    draws = iter(torch.from_numpy(noise.astype(np.float32))[:, None].expand(-1, 3, -1, -1))

    def perturb(inputs):
        rows = torch.stack([next(draws) for _ in range(len(inputs))])
        return rows, inputs - rows

    theirs = float(peer(cnn.net, perturb, torch.from_numpy(e.input)[None], attributions, target=e.question.bound.target[0],
                        n_perturb_samples=16, normalize=normalize))
    ours = infidelity(cnn, summed, perturbation="noise", n_samples=16, normalize=normalize)
    if normalize:  # ours is divided by the mean square of the changes; captum's scale may be negative, and is not here
        logits = cnn.logits(torch.from_numpy((e.input - noise[:, None]).astype(np.float32)))
        drops = summed.score - summed.question.score(logits.double()).numpy()
        theirs /= np.mean(drops ** 2)
    assert ours == pytest.approx(theirs, rel=1e-3)


def test_quantus_with_the_same_subsets(monkeypatch):
    try:
        quantus = import_peer("quantus")
    except ImportError:
        pytest.skip("quantus is not installed")
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * H * W, 3)).eval()
    model = sw.Model(net, classes=list("abc"))
    image = torch.rand(1, H, W) - 0.3
    e = sw.explain(model, image, sw.why("c"), method="input-x-gradient", progress=False)
    places = _subsets(np.random.default_rng(0), 20, None, 0.25, H, W).reshape(20, -1)
    draws = iter(np.flatnonzero(p) for p in places)
    monkeypatch.setattr(np.random, "choice", lambda *a, **k: next(draws))
    metric = quantus.FaithfulnessCorrelation(nr_runs=20, subset_size=20, abs=False, normalise=False, return_aggregate=False,
                                             disable_warnings=True, display_progressbar=False,
                                             perturb_func_kwargs={"perturb_baseline": 0.0})
    theirs = metric(model=net, x_batch=e.input[None], y_batch=np.array([2]), a_batch=e.values[None, None], softmax=False)
    ours = faithfulness_correlation(model, e, cells=None, share=0.25, n_samples=20)
    assert ours == pytest.approx(theirs[0], abs=1e-5)


def test_every_question_of_an_input_shares_the_passes(cnn, world, kinds):
    es = sw.explain(cnn, world.images[0], list(kinds.values()), method=["grad-cam", "saliency"], progress=False)
    runs = Runs(cnn)
    got = infidelity(cnn, es, n_samples=10, runs=runs)
    assert got.shape == (10,)
    assert runs.passes == 11
    alone = infidelity(cnn, es[0, 1, 1], n_samples=10)
    assert got[3] == pytest.approx(alone, rel=1e-6)
    faithfulness_correlation(cnn, es, n_samples=10, runs=runs)
    assert runs.passes == 21


def test_noise_maps_are_at_chance_and_grad_cam_is_not(cnn, world, random_maps):
    es = sw.explain(cnn, world.images, sw.why(), progress=False)
    runs = Runs(cnn)
    good = [faithfulness_correlation(cnn, es, runs=runs).mean(), infidelity(cnn, es, runs=runs).mean()]
    noise = []
    for seed in range(4):
        for e, v in zip(es, random_maps(len(es), seed=seed), strict=True):
            e.values = v
        noise.append([faithfulness_correlation(cnn, es, runs=runs).mean(), infidelity(cnn, es, runs=runs).mean()])
    assert abs(np.mean(noise, 0)[0]) < 0.2
    assert np.mean(noise, 0)[1] > 0.8
    assert good[0] > 0.4
    assert good[1] < 0.6


def test_scale_does_not_count_and_constant_maps_foretell_nothing(cnn, maps):
    e = maps[0]
    before = infidelity(cnn, e), faithfulness_correlation(cnn, e)
    values = e.values
    try:
        e.values = values * 1e6
        assert (infidelity(cnn, e), faithfulness_correlation(cnn, e)) == pytest.approx(before, rel=1e-5)
        e.values = np.zeros_like(values)
        assert (infidelity(cnn, e), faithfulness_correlation(cnn, e)) == (1.0, 0.0)
    finally:
        e.values = values


def test_squares_and_subsets_are_what_they_say():
    squares = _squares(np.random.default_rng(0), 6, (0.25, 0.5), 16, 24)
    assert squares.sum((1, 2)).tolist() == [16, 64, 16, 64, 16, 64]
    for s in squares:
        rows, columns = np.nonzero(s)
        assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == round(s.sum() ** 0.5)
    subsets = _subsets(np.random.default_rng(0), 5, 4, 0.25, 10, 13)
    cells = subsets[:, [0, 3, 5, 8]][:, :, [0, 4, 7, 10]]
    assert (cells.sum((1, 2)) == 4).all()


@pytest.mark.parametrize("metric, bad, says", [
    (infidelity, {"perturbation": "fog"}, "squares"), (infidelity, {"n_samples": 1}, "n_samples"),
    (infidelity, {"sides": (2.0,)}, "sides"), (faithfulness_correlation, {"share": 1.0}, "share"),
    (faithfulness_correlation, {"cells": 65}, "cells")])
def test_bad_parameters(cnn, maps, metric, bad, says):
    with pytest.raises(InputError, match=says):
        metric(cnn, maps[0], **bad)


def test_bad_input(cnn, maps):
    with pytest.raises(MethodError, match="model"):
        infidelity(maps[0], maps[0])
    with pytest.raises(InputError, match="NaN"):
        infidelity(cnn, sw.from_array(np.full((4, 4), np.nan), np.zeros((64, 64, 3), np.uint8)))


def test_likeness_is_scipys():
    from scipy import stats

    chance = np.random.default_rng(0)
    for _ in range(20):
        a, b = chance.integers(0, 6, 40), chance.normal(size=40)
        assert ranks(a) == pytest.approx(stats.rankdata(a))
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
        assert pearson(a, b) == pytest.approx(stats.pearsonr(a, b).statistic)
    assert spearman(np.ones(5), chance.normal(size=5)) == 0
    assert pearson(np.full(5, 0.1), np.full(5, 0.3)) == 0
    assert pearson(1e-30 * a, 1e30 * b) == pytest.approx(stats.pearsonr(a, b).statistic)
