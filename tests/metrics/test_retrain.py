"""Remove and retrain: on a made-up world in which one patch tells everything, so that the right curves are known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import salwidgets as sw
from salwidgets.errors import InputError, MethodError
from salwidgets.explanation import Explanation
from salwidgets.metrics import remove_and_retrain, retraining
from salwidgets.metrics.retrain import RANDOM, remove

N, SIZE, SIDE = 200, 16, 8
_WAVE = np.array([1, 1, 0, 0, 1, 1, 0, 0], np.float32)
TEXTURES = [np.tile(_WAVE, (SIDE, 1)), np.tile(_WAVE, (SIDE, 1)).T, np.full((SIDE, SIDE), 0.5, np.float32),
            np.abs(_WAVE[:, None] - _WAVE)]
"""Of one mean, so that the colour that stands for a removed patch tells nothing."""


@pytest.fixture(scope="module")
def patches():
    """Grey noise with a patch anywhere; its texture is the class. truth: where it is."""
    chance = np.random.default_rng(0)
    images = 0.5 + 0.1 * (chance.random((N, 3, SIZE, SIZE)).astype(np.float32) - 0.5)
    truth = np.zeros((N, SIZE, SIZE), np.float32)
    for i in range(N):
        y, x = chance.integers(0, SIZE - SIDE + 1, 2)
        truth[i, y:y + SIDE, x:x + SIDE] = 1
        images[i, :, y:y + SIDE, x:x + SIDE] = TEXTURES[i % 4]
    tree = sw.Taxonomy.from_nested({"top": ["c0", "c1"], "bottom": ["c2", "c3"]})
    return SimpleNamespace(images=torch.from_numpy(images), labels=[f"c{i % 4}" for i in range(N)], taxonomy=tree), truth


def explanations(world, maps, method):
    return [Explanation(v, x.numpy(), None, method) for v, x in zip(maps, world.images, strict=True)]


SMALL = {"epochs": 12, "widths": (8, 8, 8), "size": SIZE, "granularity": "class", "progress": False}


def test_without_the_patch_nothing_can_be_learnt_and_without_the_rest_everything(patches):
    world, truth = patches
    es = [*explanations(world, truth, "right"), *explanations(world, -truth, "wrong")]
    made = retraining(es, world, fractions=(0.25,), **SMALL)
    assert made.accuracy["right"][0] == made.accuracy["wrong"][0] > 0.9
    assert made.accuracy["right"][1] < 0.55  # the patch is a quarter of the pixels, and so is chance
    assert made.accuracy["wrong"][1] > 0.9
    assert made.accuracy[RANDOM][1] > 0.9
    assert made.drop("right") == pytest.approx(made.accuracy["right"][0] - made.accuracy["right"][1])
    assert "right" in repr(made)
    assert len(made.plot().lines) == 3


def test_the_metric_is_the_fall_beyond_that_of_random_pixels(patches):
    world, truth = patches
    es = [*explanations(world, truth, "right"), *explanations(world, -truth, "wrong")][::-1]  # in any order
    values = remove_and_retrain(es, world, fractions=(0.25,), granularity="group", epochs=3, progress=False)
    again = retraining(es, world, fractions=(0.25,), granularity="group", epochs=3, progress=False)
    assert values.shape == (2 * N,)
    assert set(values[:N]) == {again.drop("wrong") - again.drop(RANDOM)}  # the same seed, the same trainings
    assert set(values[N:]) == {again.drop("right") - again.drop(RANDOM)}
    assert again.classes == ("bottom", "top")


def test_removal_in_plain_loops():
    images = torch.rand(2, 3, 4, 5)
    values = np.random.default_rng(0).normal(size=(2, 20))
    order = np.argsort(-values, axis=1)
    got = remove(images, order, 0.3)
    for i in range(2):
        gone = set(sorted(range(20), key=lambda p: -values[i, p])[:6])
        for p in range(20):
            want = images[i].mean((1, 2)) if p in gone else images[i, :, p // 5, p % 5]
            assert torch.allclose(got[i, :, p // 5, p % 5], want)
    assert torch.equal(remove(images, order, 0.0), images)


def test_random_state_is_kept_and_progress_can_stop(patches):
    world, truth = patches
    es = explanations(world, truth, "right")
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    seen = []

    def stop(done, total):
        seen.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retraining(es, world, fractions=(0.1,), **SMALL | {"progress": stop})
    assert seen == [(1, 36), (2, 36)]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_maps_of_a_model_on_the_creatures():
    world = sw.worlds.creatures(n=50, seed=1)
    es = sw.explain(world.model("cnn"), world.images, sw.why(), method=["grad-cam", "saliency"], progress=False)
    made = retraining(es, world, fractions=(0.5,), epochs=1, widths=(4, 4, 4), size=16, progress=False)
    assert list(made.accuracy) == ["grad-cam", "saliency", RANDOM]
    assert (made.train, made.test) == (35, 15)


def test_bad_input(patches):
    world, truth = patches
    es = explanations(world, truth, "right")
    with pytest.raises(InputError, match="1 of 200 are missing"):
        retraining(es[:-1], world, **SMALL)
    with pytest.raises(InputError, match="two maps of image 0"):
        retraining([*es, es[0]], world, **SMALL)
    with pytest.raises(InputError, match="no image of this world"):
        retraining([*es, Explanation(truth[0], np.zeros((3, 16, 16)), None, "right")], world, **SMALL)
    with pytest.raises(InputError, match="fractions"):
        retraining(es, world, fractions=(1.5,), **SMALL)
    with pytest.raises(InputError, match="granularity"):
        retraining(es, world, **SMALL | {"granularity": "kingdom"})
    with pytest.raises(InputError, match="test_share"):
        retraining(es, world, test_share=0.9, **SMALL)
    with pytest.raises(MethodError, match="world"):
        remove_and_retrain(es)
    with pytest.raises(MethodError, match="world with images"):
        remove_and_retrain(es, nn.Identity())
