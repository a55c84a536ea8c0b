"""Complexity against quantus, scipy and cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

import salwidgets as sw
from examples.nets.peers import import_peer
from salwidgets.errors import InputError, MethodError

SIZE = 24


def external(values: np.ndarray) -> sw.Explanation:
    return sw.from_array(values, np.zeros((SIZE, SIZE), np.uint8))


@pytest.fixture(scope="module")
def maps() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(8, SIZE, SIZE)).astype(np.float32)


def test_sparseness_and_entropy_equal_quantus(maps):
    try:
        quantus = import_peer("quantus")
    except ImportError:
        pytest.skip("quantus is not installed")
    es = [external(m) for m in maps]
    a = np.abs(maps).astype(np.float64)
    x = np.zeros((8, 1, SIZE, SIZE))
    theirs = quantus.Sparseness(disable_warnings=True).evaluate_batch(x, a.copy())
    np.testing.assert_allclose(sw.metrics.sparseness(es), theirs, rtol=1e-5)  # it adds 1e-7 to every value
    theirs = quantus.Complexity(disable_warnings=True).evaluate_batch(x, a.copy())
    np.testing.assert_allclose(sw.metrics.entropy(es), theirs, rtol=1e-6)


def test_gini_is_the_mean_difference_of_all_pairs(maps):
    a = np.abs(maps[0, :10, :10]).ravel().astype(np.float64)
    pairs = np.abs(a[:, None] - a[None]).sum() / (2 * len(a) ** 2 * a.mean())
    e = sw.from_array(maps[0, :10, :10], np.zeros((10, 10), np.uint8))
    assert sw.metrics.sparseness(e) == pytest.approx(pairs, rel=1e-9)


def test_entropy_is_scipys(maps):
    from scipy.stats import entropy

    assert sw.metrics.entropy(external(maps[1])) == pytest.approx(entropy(np.abs(maps[1]).astype(np.float64).ravel()))


def test_effective_area_by_taking_pixels_one_by_one(maps):
    for mass in (0.25, 0.9, 1.0):
        p = sorted(np.abs(maps[2]).astype(np.float64).ravel(), reverse=True)
        wanted, held, taken = mass * sum(p), 0.0, 0.0
        for v in p:
            if held + v >= wanted * (1 - 1e-15):
                taken += (wanted - held) / v
                break
            held += v
            taken += 1
        assert sw.metrics.effective_area(external(maps[2]), mass=mass) == pytest.approx(taken / SIZE ** 2, rel=1e-6)


def test_by_hand():
    n = SIZE ** 2
    one = np.zeros((SIZE, SIZE))
    one[3, 4] = -2.0
    assert sw.metrics.sparseness(external(one)) == pytest.approx(1 - 1 / n)
    assert sw.metrics.entropy(external(one)) == 0
    assert sw.metrics.effective_area(external(one)) == pytest.approx(0.9 / n)
    flat = external(np.full((SIZE, SIZE), 3.0))
    assert sw.metrics.sparseness(flat) == pytest.approx(0, abs=1e-12)
    assert sw.metrics.entropy(flat) == pytest.approx(np.log(n))
    assert sw.metrics.effective_area(flat) == pytest.approx(0.9)
    assert sw.metrics.effective_area(flat, mass=1) == pytest.approx(1)
    four = np.zeros((SIZE, SIZE))
    four[:2, :2] = 1
    assert sw.metrics.entropy(external(four)) == pytest.approx(np.log(4))
    assert sw.metrics.effective_area(external(four), mass=0.5) == pytest.approx(2 / n)


def test_a_map_of_nothing_is_read_as_a_constant_one():
    flat, nothing = external(np.ones((SIZE, SIZE))), external(np.zeros((SIZE, SIZE)))
    for name in ("sparseness", "entropy", "effective_area"):
        assert getattr(sw.metrics, name)(nothing) == pytest.approx(getattr(sw.metrics, name)(flat), abs=1e-12)


def test_scale_and_sign_do_not_count(maps):
    for name in ("sparseness", "entropy", "effective_area"):
        score = getattr(sw.metrics, name)
        for factor in (-1, 1e-30, 1e20):
            assert score(external(maps[3] * np.float32(factor))) == pytest.approx(score(external(maps[3])), rel=1e-5)


def test_a_coarse_map_is_taken_at_the_images_size(maps):
    coarse = maps[4, :4, :4]
    for name in ("sparseness", "entropy", "effective_area"):
        score = getattr(sw.metrics, name)
        assert score(external(coarse)) == score(external(external(coarse).upsampled()))


def test_text_and_errors(maps):
    text = sw.Explanation(np.array([0.0, 0.0, 0.0, 5.0]), np.zeros(4), None, "external")
    assert sw.metrics.sparseness(text) == pytest.approx(0.75)
    with pytest.raises(MethodError, match="mass="):
        sw.metrics.effective_area(text, mass=0)
    with pytest.raises(InputError, match=r"explanation 1 .*NaN"):
        sw.metrics.entropy([text, external(np.full((SIZE, SIZE), np.nan))])
