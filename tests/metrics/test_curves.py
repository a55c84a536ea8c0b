"""Deletion, insertion, MoRF, LeRF, AOPC, average drop, ROAD: against plain loops, quantus and cases known by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.metrics import Runs
from salwidgets.metrics.fills import impute


def slow_curve(model, e, fill, steps, order="most", score="probability"):
    """One explanation's curve in plain loops: hide floor(k / steps of the pixels), score, look at the class."""
    x = torch.from_numpy(e.input)
    flat = e.upsampled().ravel()
    ranking = sorted(range(flat.size), key=lambda i: (-flat[i], i))
    ranking = ranking if order == "most" else ranking[::-1]
    hidden = torch.as_tensor(fill).expand_as(x)
    target = e.question.bound.target[0]
    y = []
    for k in range(steps + 1):
        shown = x.clone()
        for at in ranking[:k * flat.size // steps]:
            row, column = divmod(at, x.shape[2])
            shown[:, row, column] = hidden[:, row, column]
        logits = model.logits(shown[None])[0]
        y.append(float(torch.softmax(logits, 0)[target] if score == "probability" else logits[target]))
    return np.array(y)


def trapezoids(y):
    return sum((a + b) / 2 for a, b in itertools.pairwise(y)) / (len(y) - 1)


@pytest.mark.parametrize("method", [0, 1])
def test_deletion_and_morf_are_what_the_definition_says(cnn, maps, method):
    e = maps[1, 0, method]
    y = slow_curve(cnn, e, 0.0, 8)
    found = sw.metrics.deletion.curves(cnn, e, steps=8)
    np.testing.assert_allclose(found.y[0], y, atol=1e-5)
    assert sw.metrics.deletion(cnn, e, steps=8) == pytest.approx(trapezoids(y), abs=1e-5)
    z = slow_curve(cnn, e, 0.0, 8, score="logit")
    assert sw.metrics.morf(cnn, e, steps=8) == pytest.approx(trapezoids(z), abs=1e-4)
    assert sw.metrics.aopc(cnn, e, steps=8) == pytest.approx(float(np.mean(z[0] - z)), abs=1e-4)


def test_insertion_is_deletion_from_the_other_end(cnn, maps):
    e = maps[2, 0, 0]
    y = slow_curve(cnn, e, 0.0, 8, order="least")
    np.testing.assert_allclose(sw.metrics.insertion.curves(cnn, e, steps=8).y[0], y[::-1], atol=1e-5)
    z = slow_curve(cnn, e, 0.0, 8, order="least", score="logit")
    assert sw.metrics.lerf(cnn, e, steps=8) == pytest.approx(trapezoids(z), abs=1e-4)


def test_fills(cnn, maps):
    e = maps[0]
    x = torch.from_numpy(e.input)
    mean = x.mean((1, 2), keepdim=True)
    np.testing.assert_allclose(sw.metrics.deletion.curves(cnn, e, steps=4, fill="mean").y[0],
                               slow_curve(cnn, e, mean, 4), atol=1e-5)
    np.testing.assert_allclose(sw.metrics.deletion.curves(cnn, e, steps=4, fill=np.float32(0.5)).y[0],
                               slow_curve(cnn, e, 0.5, 4), atol=1e-5)
    from scipy.ndimage import gaussian_filter

    blurred = np.stack([gaussian_filter(c, 5, mode="mirror", truncate=3) for c in e.input])
    np.testing.assert_allclose(sw.metrics.deletion.curves(cnn, e, steps=4, fill="blur").y[0],
                               slow_curve(cnn, e, blurred, 4), atol=1e-4)
    a, b = (sw.metrics.deletion(cnn, e, steps=4, fill="noise") for _ in range(2))
    assert a == b != sw.metrics.deletion(cnn, e, steps=4, fill="noise", seed=1)
    with pytest.raises(sw.errors.MethodError, match="black, blur, mean, noise, road"):
        sw.metrics.deletion(cnn, e, fill="grey")
    with pytest.raises(sw.errors.MethodError, match=r"\[5, 5\]"):
        sw.metrics.deletion(cnn, e, fill=np.zeros((5, 5)))


def test_black_is_black_for_normalised_inputs():
    seen = []

    def watch(x):
        seen.append(x)
        return x.mean((2, 3))

    model = sw.Model(watch, classes=["r", "g", "b"], mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.5))
    e = sw.from_array(np.arange(64.0).reshape(8, 8), np.full((8, 8, 3), 128, np.uint8), sw.why("g"))
    sw.metrics.deletion(model, e, steps=1)
    x = torch.cat(seen)
    black = x[x[:, 0, 0, 0].argmin()]
    np.testing.assert_allclose(black[:, 0, 0].numpy(), [-2, -2, -1.2], atol=1e-6)
    grey = x[x[:, 0, 0, 0].argmax()][:, 0, 0].numpy()
    np.testing.assert_allclose(grey, (128 / 255 - np.array([0.4, 0.5, 0.6])) / [0.2, 0.25, 0.5], atol=1e-6)


def linear_model(weight):
    """Two logits: the weighted sum of the first channel, and zero."""
    return sw.Model(lambda x: torch.stack([(x[:, 0] * weight).sum((1, 2)), torch.zeros(len(x))], 1), classes=["a", "b"])


def test_a_linear_model_by_hand():
    weight = torch.tensor([[4.0, 3.0], [2.0, 1.0]])
    model = linear_model(weight)
    e = sw.from_array(weight.numpy(), np.full((2, 2, 3), 255, np.uint8), sw.why("a"))
    np.testing.assert_allclose(sw.metrics.morf.curves(model, e, steps=4).y[0], [10, 6, 3, 1, 0], atol=1e-5)
    np.testing.assert_allclose(sw.metrics.lerf.curves(model, e, steps=4).y[0], [10, 9, 7, 4, 0], atol=1e-5)
    assert sw.metrics.aopc(model, e, steps=4) == pytest.approx(6.0)
    p = 1 / (1 + np.exp(-np.array([10, 6, 3, 1, 0.0])))
    assert sw.metrics.deletion(model, e, steps=4) == pytest.approx(trapezoids(p), abs=1e-6)


def test_average_drop_and_increase_by_hand():
    weight = torch.tensor([[1.0, 0.0], [0.0, -2.0]])
    model = linear_model(weight)
    picture = np.full((2, 2, 3), 255, np.uint8)
    p = 1 / (1 + np.exp(1.0))  # logit -1
    good = sw.from_array([[2.0, 0], [0, -3]], picture, sw.why("a"))  # keeps the helpful corner: logit 1
    bad = sw.from_array([[0.0, 0], [0, 5]], picture, sw.why("a"))  # keeps the harmful one: logit -2
    np.testing.assert_array_equal(sw.metrics.average_increase(model, [good, bad]), [1, 0])
    np.testing.assert_allclose(sw.metrics.average_drop(model, [good, bad]), [0, (p - 1 / (1 + np.exp(2.0))) / p], atol=1e-6)


def test_every_question_is_answered_from_one_run(cnn, world, kinds):
    runs = Runs(cnn)
    first = sw.explain(cnn, world.images[0], kinds["class"], method="occlusion", window=16, stride=8, progress=False)
    sw.metrics.deletion(cnn, first, runs=runs), sw.metrics.insertion(cnn, first, runs=runs)
    assert runs.passes == 40  # 42, less the two that both curves share: the image and the fill
    for q in kinds.values():
        y = sw.metrics.deletion.curves(cnn, first, question=q, runs=runs).y[0]
        s = sw.metrics.morf.curves(cnn, first, question=q, runs=runs).y[0]
        bound = q.bind(cnn.classes, cnn.taxonomy)
        z = runs.curve([first], np.arange(21) / 20)[0]
        np.testing.assert_allclose(s, bound.score(z).numpy(), atol=1e-4)
        p = torch.softmax(z, -1).numpy()
        foil = p[:, list(bound.bound.foil)].sum(1) if bound.foil else 0
        np.testing.assert_allclose(y, p[:, list(bound.bound.target)].sum(1) - foil, atol=1e-6)
    assert runs.passes == 40


def test_equal_images_are_scored_once(cnn, maps):
    runs = Runs(cnn)
    e = maps[0]
    twin = sw.Explanation(2 * e.values, e.input.copy(), e.question, "twin", image=e.image, model=e.model)
    sw.metrics.deletion(cnn, [e, twin], steps=10, runs=runs)
    assert runs.passes == 11
    sw.metrics.aopc(cnn, [e, twin], steps=5, runs=runs)
    assert runs.passes == 11
    with pytest.raises(sw.errors.MethodError, match="another model"):
        sw.metrics.deletion(sw.Model(torch.nn.Flatten()), e, runs=runs)


def test_monotone_rescaling_changes_nothing(cnn, world, random_maps):
    m = random_maps(1)[0]
    es = [sw.from_array(v, world.images[0], sw.why(world.labels[0])) for v in (m, 3 * m + 7, np.arctan(m), np.exp(m))]
    for metric in (sw.metrics.deletion, sw.metrics.insertion, sw.metrics.aopc):
        scores = metric(cnn, es, steps=10)
        np.testing.assert_allclose(scores, scores[0], atol=1e-6)


def test_truth_beats_chance_beats_its_inversion_under_blur(cnn, world, random_maps):
    """Smooth random maps score the same shown and hidden; the true parts better, their inversion worse."""
    runs, rows = Runs(cnn), []
    for i in range(6):
        truth = world.truth(sw.why(world.labels[i]), i).astype(np.float32)
        values = [truth, -truth, *random_maps(4, seed=i)]
        rows.append([sw.from_array(v, world.images[i], sw.why(world.labels[i])) for v in values])
    flat = [e for row in rows for e in row]
    shown = sw.metrics.insertion(cnn, flat, fill="blur", steps=10, runs=runs).reshape(6, 6)
    hidden = sw.metrics.deletion(cnn, flat, fill="blur", steps=10, runs=runs).reshape(6, 6)
    assert shown[:, 0].mean() > shown[:, 2:].mean() + 0.1 and shown[:, 2:].mean() > shown[:, 1].mean() + 0.1
    assert hidden[:, 0].mean() < hidden[:, 2:].mean() - 0.05 and hidden[:, 2:].mean() < hidden[:, 1].mean() - 0.1
    assert abs((shown - hidden)[:, 2:].mean()) < 0.1  # a map that knows nothing: the same from either end


def test_with_a_black_fill_pixel_noise_wins_deletion(cnn, world):
    """The lesson: scattered black pixels destroy the picture, so a map of noise deletes faster than the truth."""
    rng = np.random.default_rng(0)
    truth, noise = [], []
    for i in range(6):
        q = sw.why(world.labels[i])
        truth.append(sw.from_array(world.truth(q, i).astype(float), world.images[i], q))
        noise.append(sw.from_array(rng.random((64, 64)), world.images[i], q))
    assert sw.metrics.deletion(cnn, noise, steps=10).mean() < sw.metrics.deletion(cnn, truth, steps=10).mean()


def test_constant_maps_are_defined_and_flagged(cnn, world):
    e = sw.from_array(np.ones((8, 8)), world.images[0], sw.why(world.labels[0]))
    found = sw.metrics.deletion.curves(cnn, e, steps=4)
    assert found.constant.tolist() == [True] and np.isfinite(found.area).all()
    assert sw.metrics.average_drop(cnn, e) == pytest.approx(0, abs=1e-6)
    nothing = sw.from_array(np.zeros((8, 8)), world.images[0], sw.why(world.labels[0]))
    assert 0.5 < sw.metrics.average_drop(cnn, nothing) <= 1


def test_maps_that_do_not_fit_are_refused(cnn, maps):
    e = maps[0]
    odd = sw.Explanation(np.zeros((80, 64)), e.input, e.question, "odd", image=None)
    with pytest.raises(sw.errors.InputError, match=r"odd has shape \[80, 64\]"):
        sw.metrics.deletion(cnn, odd)
    with pytest.raises(sw.errors.QuestionError, match=r"explanation 0 .* 12 classes; this model has 2"):
        sw.metrics.deletion(linear_model(torch.ones(64, 64)), e)
    for bad in ({"steps": 0}, {"read": "logit"}, {"batch_size": 0}):
        with pytest.raises(sw.errors.MethodError, match=next(iter(bad))):
            sw.metrics.deletion(cnn, e, **bad)


def test_a_map_of_a_picture_goes_through_the_preprocessing():
    """The model sees the middle of a picture at half its size; the map of the picture is cut in the same way."""
    def half_middle(picture):
        a = np.asarray(picture, np.float32)[::2, ::2][:, 4:12] / 255
        return (torch.from_numpy(a).permute(2, 0, 1) - 0.5) / 0.5

    columns = []

    def watch(x):
        columns.append((x[:, 0] > 0).float().mean(1))
        return torch.stack([x.mean((1, 2, 3)), torch.zeros(len(x))], 1)

    model = sw.Model(watch, classes=["a", "b"], preprocess=half_middle, mean=[0.5] * 3, std=[0.5] * 3)
    values = np.zeros((16, 32))
    values[:, 8:12] = 1  # the first two columns of what the model sees
    e = sw.from_array(values, np.full((16, 32, 3), 255, np.uint8), sw.why("a"))
    sw.metrics.deletion(model, e, steps=4)
    shares = torch.cat(columns).numpy()
    assert shares.shape[1] == 8
    assert any(np.allclose(s, [0, 0, 1, 1, 1, 1, 1, 1]) for s in shares)


def test_series_and_volumes():
    series = sw.Model(lambda x: torch.stack([x.sum((1, 2)), -x.sum((1, 2))], 1), classes=["up", "down"])
    x = np.arange(1.0, 9.0, dtype=np.float32).reshape(2, 4)
    question = sw.why("up").bind(["up", "down"])
    for values, hidden in ((x, [36, 21, 10, 3, 0]), (x.sum(0), [36, 24, 14, 6, 0])):
        e = sw.Explanation(values, x, question, "own", image=None)
        np.testing.assert_allclose(sw.metrics.morf.curves(series, e, steps=4).y[0], hidden, atol=1e-5)


def test_imputation_solves_the_papers_system():
    """Every hidden pixel is the weighted mean of its neighbours, by a dense solver and by quantus."""
    rng = np.random.default_rng(0)
    x = rng.random((2, 3, 12, 10)).astype(np.float32)
    gone = rng.random((2, 1, 12, 10)) < np.array([0.4, 0.9])[:, None, None, None]
    filled = impute(torch.from_numpy(x), torch.from_numpy(gone), 0.0).numpy()
    for n in range(2):
        np.testing.assert_allclose(filled[n], dense_imputation(x[n], gone[n, 0]), atol=2e-3)
        np.testing.assert_array_equal(filled[n][:, ~gone[n, 0]], x[n][:, ~gone[n, 0]])
    everything = impute(torch.from_numpy(x), torch.ones(2, 1, 12, 10, dtype=torch.bool), 0.0)
    np.testing.assert_allclose(everything.numpy(), x.mean((2, 3), keepdims=True).repeat(12, 2).repeat(10, 3), atol=1e-5)


def dense_imputation(x, gone):
    c, h, w = x.shape
    a, b = np.eye(h * w), x.reshape(c, -1).T.astype(np.float64).copy()
    for r, k in np.argwhere(gone):
        i = r * w + k
        near = [((r + dr) * w + k + dk, 1 / 6 if dr * dk == 0 else 1 / 12) for dr in (-1, 0, 1) for dk in (-1, 0, 1)
                if (dr or dk) and 0 <= r + dr < h and 0 <= k + dk < w]
        total = sum(weight for _, weight in near)
        b[i] = 0
        for j, weight in near:
            a[i, j] = -weight / total
    return np.linalg.solve(a, b).T.reshape(c, h, w)


def test_imputation_agrees_with_quantus(world):
    from examples.nets.peers import import_peer

    try:
        peer = import_peer("quantus.functions.perturb_func").noisy_linear_imputation
    except ImportError:
        pytest.skip("quantus is not installed")
    x = world.images[:1, :, 10:42, 10:42]
    gone = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)) < 0.6
    theirs = peer(x[0].numpy().copy(), np.flatnonzero(gone.numpy()), noise=0.0).reshape(3, 32, 32)
    np.testing.assert_allclose(impute(x, gone, 0.0)[0].numpy(), theirs, atol=1e-3)


def test_road_runs_and_the_noise_is_small(cnn, maps):
    assert 0 <= sw.metrics.road_deletion(cnn, maps[0], steps=4) <= 1
    assert sw.metrics.road_insertion(cnn, maps[0], steps=4) == pytest.approx(
        sw.metrics.insertion(cnn, maps[0], steps=4, fill="road"), abs=1e-6)
    x = torch.zeros(1, 3, 32, 32)
    noisy = impute(x, torch.ones(1, 1, 32, 32, dtype=torch.bool))
    assert float(noisy.std()) == pytest.approx(0.01, rel=0.1)


def test_bootstrap_intervals_over_images():
    from salwidgets.metrics.bootstrap import image_mean, interval

    rng = np.random.default_rng(1)
    values = rng.normal(size=40)
    low, high = interval(values, [str(i) for i in range(40)])
    half = 1.96 * values.std() / np.sqrt(40)  # the normal interval, which the bootstrap must come near
    assert low == pytest.approx(values.mean() - half, abs=0.06) and high == pytest.approx(values.mean() + half, abs=0.06)
    repeated = interval(values.repeat(5), [str(i) for i in range(40) for _ in range(5)])
    np.testing.assert_allclose(repeated, (low, high))  # five maps of an image are no five images
    assert interval(values, ["same"] * 40) is None
    assert image_mean(np.array([1.0, 3.0, 8.0, np.nan]), ["a", "a", "b", "c"]) == (5.0, 2)
    curves = interval(np.stack([values, 2 * values], 1), [str(i) for i in range(40)])
    np.testing.assert_allclose(curves[0], [low, 2 * low])
