"""Truth against plain transcriptions, world.effect and maps made to be right or wrong."""

from __future__ import annotations

import numpy as np
import pytest

import salwidgets as sw
from salwidgets.errors import InputError, MethodError
from salwidgets.explanation import resize


@pytest.fixture(scope="module")
def world() -> sw.worlds.CreatureWorld:
    return sw.worlds.creatures(n=12, seed=20_000)


@pytest.fixture(scope="module")
def model(world) -> sw.Model:
    return world.model("cnn")


def picture(world, i: int) -> np.ndarray:
    return world.images[i].numpy()


def contrast(world, i: int) -> sw.Question:
    name = world.labels[i]
    siblings = [s for s in world.taxonomy.members(world.taxonomy.parent(name)) if s != name]
    return sw.why(name).rather_than(siblings[0])


@pytest.fixture(scope="module")
def noise(world) -> tuple[list[sw.Explanation], list[int]]:
    rng = np.random.default_rng(0)
    at = [i for i in range(len(world)) if world.truth(contrast(world, i), i).any()] * 4
    maps = [resize(rng.normal(size=(8, 8)).astype(np.float32), 64, 64) for _ in at]
    return [sw.from_array(m, picture(world, i), contrast(world, i)) for m, i in zip(maps, at, strict=True)], at


def plain_share(values: np.ndarray, truth: np.ndarray, parts: np.ndarray) -> float:
    """Pixel by pixel: positive mass on the truth over positive mass on any part."""
    on_truth = on_parts = 0.0
    for y, x in zip(*np.nonzero(parts), strict=True):
        on_parts += max(0.0, float(values[y, x]))
        on_truth += max(0.0, float(values[y, x])) * bool(truth[y, x])
    return on_truth / on_parts if on_parts else 0.0


def plain_peak(values: np.ndarray, truth: np.ndarray) -> bool:
    """Whether any pixel of the truth is within 4 pixels of the maximum, by scipy's distances."""
    from scipy.ndimage import distance_transform_edt

    away = distance_transform_edt(~truth)
    return bool(values.max() > 0 and away[np.unravel_index(values.argmax(), values.shape)] <= 4)


def test_both_are_what_they_say_pixel_by_pixel(world, noise):
    es, at = noise
    share, peak = [], []
    for e, i in zip(es, at, strict=True):
        truth = world.truth(e.question, i)
        share.append(plain_share(e.upsampled(), truth, np.any(list(world.parts(i).values()), axis=0)))
        peak.append(plain_peak(e.upsampled(), truth))
    np.testing.assert_allclose(sw.metrics.truth_share(es, world), share, rtol=1e-5)
    np.testing.assert_array_equal(sw.metrics.truth_peak(es, world), peak)
    assert 0 < np.mean(peak) < 0.5


def test_the_truth_itself_is_best(world, noise):
    es, at = noise
    truths = [world.truth(e.question, i) for e, i in zip(es, at, strict=True)]
    right = [sw.from_array(t * 1.0, picture(world, i), e.question) for t, i, e in zip(truths, at, es, strict=True)]
    wrong = [sw.from_array(-1.0 * t, picture(world, i), e.question) for t, i, e in zip(truths, at, es, strict=True)]
    for name in ("truth_share", "truth_peak"):
        score = getattr(sw.metrics, name)
        assert (score(right, world) == 1).all() and (score(wrong, world) == 0).all()
    bent = [sw.from_array(np.exp(e.values), picture(world, i), e.question) for e, i in zip(es, at, strict=True)]
    shifted = sw.metrics.truth_peak(bent, world)
    np.testing.assert_array_equal(shifted, sw.metrics.truth_peak(es, world))


def test_effects_are_the_worlds_and_every_image_is_scored_once(world, model, monkeypatch):
    es = sw.explain(model, world.images[:3], [contrast(world, 0), sw.why(world.labels[1])], "saliency", progress=False)
    expected = []
    for k, e in enumerate(es):
        effect = world.effect(model, e.question, k // 2)
        sums = [e.upsampled()[mask].sum() for mask in world.parts(k // 2).values()]
        expected.append(np.corrcoef(sums, list(effect.values()))[0, 1])
    seen = []
    monkeypatch.setattr(sw.Model, "logits", lambda self, x, _run=sw.Model.logits: seen.append(len(x)) or _run(self, x))
    np.testing.assert_allclose(sw.metrics.effect_correlation(model, es, world), expected, rtol=1e-4)
    assert seen == [1 + len(world.parts(i)) for i in range(3)]


def test_a_map_of_the_effects_correlates_and_its_negative_anticorrelates(world, model):
    from scipy.stats import spearmanr

    for i in (0, 5):
        question = contrast(world, i)
        effect, masks = world.effect(model, question, i), world.parts(i)
        overlap = np.sum(list(masks.values()), axis=0)
        values = np.zeros((64, 64))
        for part, mask in masks.items():
            own = mask & (overlap == 1)
            values[own] = effect[part] / own.sum()
        e = sw.from_array(values, picture(world, i), question)
        assert sw.metrics.effect_correlation(model, e, world) == pytest.approx(1, abs=1e-3)
        opposite = sw.from_array(-values, picture(world, i), question)
        assert sw.metrics.effect_correlation(model, opposite, world) == pytest.approx(-1, abs=1e-3)
        sums = [e.upsampled()[m].sum() for m in masks.values()]
        rho = spearmanr(sums, list(effect.values()))[0]
        assert sw.metrics.effect_correlation(model, e, world, kind="spearman") == pytest.approx(rho, abs=1e-6)


def test_noise_is_at_chance_and_occlusion_far_above(world, model, noise):
    es, at = noise
    assert sw.metrics.effect_correlation(model, es, world).mean() == pytest.approx(0, abs=0.2)
    first = sorted(set(at))[:4]
    found = [sw.explain(model, world.images[i], contrast(world, i), "occlusion", window=12, stride=4, progress=False)
             for i in first]
    assert sw.metrics.effect_correlation(model, found, world).mean() > 0.5
    assert sw.metrics.truth_share(found, world).mean() > sw.metrics.truth_share(es, world).mean() + 0.2


def test_constant_maps_have_defined_scores(world, model):
    question = contrast(world, 0)
    nothing = sw.from_array(np.zeros((8, 8)), picture(world, 0), question)
    assert sw.metrics.truth_share(nothing, world) == sw.metrics.truth_peak(nothing, world) == 0
    assert sw.metrics.effect_correlation(model, nothing, world) == 0
    flat = sw.from_array(np.ones((8, 8)), picture(world, 0), question)
    truth, parts = world.truth(question, 0), np.any(list(world.parts(0).values()), axis=0)
    assert sw.metrics.truth_share(flat, world) == pytest.approx((truth & parts).sum() / parts.sum())


def test_what_cannot_be_scored_is_named(world, model):
    good = sw.from_array(np.eye(8), picture(world, 0), contrast(world, 0))
    stranger = sw.from_array(np.eye(8), np.zeros((64, 64, 3), np.uint8), contrast(world, 0))
    silent = sw.from_array(np.eye(8), picture(world, 1))
    for name, args in (("truth_share", ()), ("truth_peak", ()), ("effect_correlation", (model,))):
        score = getattr(sw.metrics, name)
        with pytest.raises(InputError, match=r"explanation 1 .*none of the world's 12 images"):
            score(*args, [good, stranger], world)
        with pytest.raises(InputError, match=r"explanation 1 .*no question"):
            score(*args, [good, silent], world)
        with pytest.raises(MethodError, match="is no world"):
            score(*args, good, "creatures")
        with pytest.raises(MethodError, match="needs a world"):
            score(*args, good)
    with pytest.raises(MethodError, match="kind="):
        sw.metrics.effect_correlation(model, good, world, kind="kendall")


def test_a_question_that_nothing_in_the_image_answers(world):
    for i in range(len(world)):
        for a in world.classes:
            for b in world.classes:
                if a != b and not world.truth(sw.why(a).rather_than(b), i).any():
                    e = sw.from_array(np.eye(8), picture(world, i), sw.why(a).rather_than(b))
                    with pytest.raises(InputError, match="nothing that can be seen answers"):
                        sw.metrics.truth_share(e, world)
                    return
    pytest.fail("every image answers every question: the case is never reached")
