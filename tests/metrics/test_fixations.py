"""Fixations against pysaliency's numbers, scikit-learn, scipy and transcriptions; the gaze of real people where there."""

from __future__ import annotations

import numpy as np
import pytest

import salwidgets as sw
from examples.nets import find_data
from salwidgets.errors import InputError, MethodError
from salwidgets.explanation import resize
from salwidgets.metrics.fixations import CLICKME_CEILING, fixation_density

H, W = 48, 64
ROWS, COLUMNS = np.mgrid[:H, :W].astype(float)
WAVES = (np.sin(ROWS / 5) + np.cos(COLUMNS / 7) + 0.3 * np.sin(ROWS * COLUMNS / 50)).astype(np.float32)
POINTS = np.array([[20, 40], [21, 40], [20, 40], [5, 44], [40, 10], [30, 30], [10, 60], [47, 63], [0, 0], [33, 43]])


def external(values: np.ndarray, grey: int = 0, size: tuple[int, int] = (H, W)) -> sw.Explanation:
    return sw.from_array(values, np.full(size, grey, np.uint8))


def smooth(rng: np.random.Generator) -> np.ndarray:
    return resize(rng.normal(size=(6, 8)).astype(np.float32), H, W)


E = external(WAVES)


def test_numbers_of_pysaliency():
    """pysaliency 0.2.22 on the same map, points and a density smoothed by scipy (sigma 3)."""
    assert sw.metrics.nss(E, POINTS) == pytest.approx(0.062046287652839816, rel=1e-6)
    assert sw.metrics.cc(E, POINTS, sigma=3) == pytest.approx(0.08785745821014686, rel=1e-6)
    assert sw.metrics.sim(E, POINTS, sigma=3) == pytest.approx(0.36016044239000333, rel=1e-6)
    assert sw.metrics.kl(E, POINTS, sigma=3) == pytest.approx(1.3036616399862704, rel=1e-6)
    assert sw.metrics.information_gain(E, POINTS) == pytest.approx(-0.0493826015081531, rel=1e-6)


def test_auc_is_scikit_learns():
    from sklearn.metrics import roc_auc_score

    coarse = external(np.round(WAVES * 3))  # many equal values
    for e in (E, coarse):
        m = e.upsampled()
        fixated = np.zeros((H, W), bool)
        fixated[tuple(POINTS.T)] = True
        here, off = m[tuple(POINTS.T)], m[~fixated]
        truth = np.r_[np.ones(len(here)), np.zeros(len(off))]
        assert sw.metrics.auc_judd(e, POINTS) == pytest.approx(roc_auc_score(truth, np.r_[here, off]), rel=1e-12)
        others = np.array([[3, 3], [3, 4], [40, 40], [3, 3]])
        off = m[tuple(others.T)]
        truth = np.r_[np.ones(len(here)), np.zeros(len(off))]
        expected = roc_auc_score(truth, np.r_[here, off])
        assert sw.metrics.shuffled_auc(e, POINTS, others=others) == pytest.approx(expected, rel=1e-12)


def test_the_released_auc_judd():
    """Its loop, in plain words: each fixation's value is a threshold; trapezoids between the points."""
    points = np.unique(POINTS, axis=0)
    m = WAVES.astype(np.float64)
    at = sorted((m[r, c] for r, c in points), reverse=True)
    tp, fp = [0.0], [0.0]
    for i, t in enumerate(at):
        above = (m >= t).sum()
        tp.append((i + 1) / len(at))
        fp.append((above - (i + 1)) / (m.size - len(at)))
    tp, fp = [*tp, 1.0], [*fp, 1.0]
    area = sum((fp[k + 1] - fp[k]) * (tp[k + 1] + tp[k]) / 2 for k in range(len(tp) - 1))
    theirs = sw.metrics.auc_judd(E, points, variant="reference")
    assert theirs == pytest.approx(area, rel=1e-9)
    assert 0 < theirs - sw.metrics.auc_judd(E, points) <= 1 / (2 * len(points))


def test_shuffled_auc_takes_the_other_images_fixations_and_their_size():
    small = external(resize(WAVES, 24, 32), 1, (24, 32))
    halves = np.array([[10, 20], [2, 22]])
    both = sw.metrics.shuffled_auc([E, small], [POINTS, halves])
    assert both[0] == sw.metrics.shuffled_auc(E, POINTS, others=np.array([[21, 41], [5, 45]]))
    assert both[1] == sw.metrics.shuffled_auc(small, halves, others=(POINTS + 0.5) / 2)
    again = sw.metrics.shuffled_auc([E, E, small], [POINTS, POINTS, halves])  # the same image is no other image
    np.testing.assert_array_equal(again, both[[0, 0, 1]])


def test_scipy_says_the_same_of_two_densities():
    from scipy.stats import entropy, pearsonr, spearmanr

    human = np.exp(-((ROWS - 20) ** 2 + (COLUMNS - 40) ** 2) / 200) + 1e-3
    other = external(np.abs(WAVES) + 0.05)
    m = other.upsampled().astype(np.float64)
    assert sw.metrics.cc(other, human) == pytest.approx(pearsonr(m.ravel(), human.ravel())[0], rel=1e-9)
    assert sw.metrics.kl(other, human) == pytest.approx(entropy(human.ravel(), m.ravel()), rel=1e-9)
    rho = spearmanr(np.round(m, 1).ravel(), human.ravel())[0]
    rounded = external(np.round(m, 1))
    assert sw.metrics.spearman(rounded, human) == pytest.approx(rho, rel=1e-9)
    assert sw.metrics.spearman(rounded, human, ceiling=CLICKME_CEILING) == pytest.approx(rho / 0.65753, rel=1e-9)


def test_the_perfect_map_is_best_and_random_maps_are_at_chance():
    density = fixation_density(POINTS, (H, W), 3.0)
    best = external(density)
    assert sw.metrics.cc(best, POINTS, sigma=3) == pytest.approx(1)
    assert sw.metrics.sim(best, POINTS, sigma=3) == pytest.approx(1, abs=1e-6)
    assert sw.metrics.kl(best, POINTS, sigma=3) == pytest.approx(0, abs=1e-6)
    assert sw.metrics.spearman(best, density) == pytest.approx(1, abs=1e-4)
    points = fixation_density(POINTS, (H, W), 0)
    assert sw.metrics.auc_judd(external(points), POINTS) == 1
    rng = np.random.default_rng(0)
    es = [external(smooth(rng), k) for k in range(120)]
    for name, chance, tolerance in (("auc_judd", 0.5, 0.03), ("nss", 0, 0.1), ("cc", 0, 0.05), ("spearman", 0, 0.05)):
        assert getattr(sw.metrics, name)(es, POINTS).mean() == pytest.approx(chance, abs=tolerance), name
        assert getattr(sw.metrics, name).info.chance == chance
    twenty = [rng.integers(0, (H, W), (20, 2)) for _ in es]
    assert sw.metrics.shuffled_auc(es, twenty).mean() == pytest.approx(0.5, abs=0.02)


def test_rank_scores_ignore_monotone_and_linear_ones_linear_rescaling():
    bent, stretched = external(np.exp(WAVES)), external(0.25 * WAVES - 3)
    for name in ("auc_judd", "spearman"):
        assert getattr(sw.metrics, name)(bent, POINTS) == pytest.approx(getattr(sw.metrics, name)(E, POINTS), rel=1e-9), name
    for name in ("auc_judd", "nss", "cc", "spearman"):
        score = getattr(sw.metrics, name)
        assert score(stretched, POINTS) == pytest.approx(score(E, POINTS), rel=1e-4), name


def test_information_gain_counts_bits():
    p = np.ones((H, W))
    p[:, :32] = 3  # three quarters of the mass on the left half: 1.5 times uniform there
    left = np.array([[4, 4], [40, 30]])
    assert sw.metrics.information_gain(external(p), left) == pytest.approx(np.log2(1.5), rel=1e-6)
    assert sw.metrics.information_gain(external(p), left, baseline=p) == pytest.approx(0, abs=1e-9)
    assert sw.metrics.information_gain(external(np.ones((H, W))), left, baseline=p) == pytest.approx(-np.log2(1.5), rel=1e-6)


def test_density_of_points():
    density = fixation_density(np.array([[24, 32]]), (H, W), 2.0)
    gauss = np.exp(-((ROWS - 24) ** 2 + (COLUMNS - 32) ** 2) / 8)
    np.testing.assert_allclose(density, gauss / gauss.sum(), atol=2e-6)
    twice = fixation_density(np.array([[3, 3], [3, 3], [40, 40]]), (H, W), 0)
    assert twice[3, 3] == pytest.approx(2 / 3)
    default = fixation_density(POINTS, (H, W))
    np.testing.assert_array_equal(default, fixation_density(POINTS, (H, W), 0.035 * 64))
    marked = np.zeros((H, W), bool)
    marked[tuple(POINTS.T)] = True
    assert sw.metrics.nss(E, marked) == sw.metrics.nss(E, np.unique(POINTS, axis=0))


def test_constant_maps_have_defined_scores():
    flat = external(np.full((H, W), 2.0))
    assert sw.metrics.auc_judd(flat, POINTS) == sw.metrics.shuffled_auc(flat, POINTS, others=POINTS[:2]) == 0.5
    assert sw.metrics.nss(flat, POINTS) == sw.metrics.cc(flat, POINTS) == sw.metrics.spearman(flat, POINTS) == 0
    assert sw.metrics.information_gain(flat, POINTS) == pytest.approx(0)
    assert sw.metrics.sim(external(np.zeros((H, W))), POINTS) == pytest.approx(sw.metrics.sim(flat, POINTS))
    assert np.isfinite(sw.metrics.kl(flat, POINTS))


@pytest.mark.parametrize(("given", "said"), [
    (np.zeros((0, 2)), "no fixations"),
    (np.array([[48, 3]]), r"\(48, 3\) lies outside"),
    (np.array([[3, -1]]), "outside"),
    (np.array([[np.nan, 3.0]]), "NaN"),
    (np.zeros((4, 3)), "shape"),
])
def test_fixations_that_cannot_be_used_are_named(given, said):
    for name in ("auc_judd", "nss", "information_gain", "shuffled_auc", "cc", "kl"):
        with pytest.raises(InputError, match=f"explanation 1 .*{said}"):
            getattr(sw.metrics, name)([E, external(WAVES, 1)], [POINTS, given])


def test_what_is_missing_is_named():
    with pytest.raises(MethodError, match="needs human fixations"):
        sw.metrics.nss(E)
    with pytest.raises(InputError, match="at least two images"):
        sw.metrics.shuffled_auc(E, POINTS)
    with pytest.raises(InputError, match="no points"):
        sw.metrics.auc_judd(E, np.abs(WAVES))  # a density has no fixations
    for bad in (np.zeros((H, W)), -np.ones((H, W)), np.full((H, W), np.nan)):
        with pytest.raises(InputError, match="human map"):
            sw.metrics.sim(E, bad)
    with pytest.raises(InputError, match="does not fit"):
        sw.metrics.cc(E, np.ones((H, W + 1)))
    with pytest.raises(InputError, match="baseline"):
        sw.metrics.information_gain(E, POINTS, baseline=np.zeros((4, 4)))
    with pytest.raises(MethodError, match="ceiling"):
        sw.metrics.spearman(E, POINTS, ceiling=0)
    with pytest.raises(MethodError, match="sigma"):
        sw.metrics.cc(E, POINTS, sigma=-1)
    with pytest.raises(InputError, match="every pixel"):
        sw.metrics.auc_judd(E, np.ones((H, W), bool))


@pytest.mark.real
@pytest.mark.skipif(find_data() is None, reason="no ../shared/data beside the repository")
def test_people_agree_with_people():
    """One half of the workers predicts the other half: better than the centre, and than the gaze on another photograph."""
    from PIL import Image

    data = find_data()
    assert data is not None
    halves, es, centres = [], [], []
    rows, columns = np.mgrid[:480, :640]
    centre = np.exp(-((rows - 240) ** 2 / 160 ** 2 + (columns - 320) ** 2 / 213 ** 2) / 2)
    for photo in ("123749", "123855", "123909"):
        gaze = np.load(data / "gaze" / f"{photo}_fixations.npz")["worker_row_col"].astype(int)
        gaze[:, 1:] -= 1
        gaze = gaze[(gaze[:, 1:] >= 0).all(1)]
        picture = Image.open(data / "gaze" / f"COCO_train2014_000000{photo}.jpg").convert("RGB")
        even, odd = (gaze[gaze[:, 0] % 2 == k, 1:] for k in (0, 1))
        halves.append(odd)
        es.append(sw.from_array(fixation_density(even, (480, 640)), picture))
        centres.append(sw.from_array(centre, picture))
    swapped = [sw.from_array(es[k - 1].values, es[k].image) for k in range(3)]
    seen = [fixation_density(h, (480, 640)) for h in halves]
    for name in ("auc_judd", "shuffled_auc", "nss", "cc", "sim", "information_gain", "spearman"):
        score, truth = getattr(sw.metrics, name), seen if name in ("cc", "sim", "spearman") else halves
        people, middle, others = (score(v, truth) for v in (es, centres, swapped))
        assert (people > middle).all() and (people > others).all(), name
    assert (sw.metrics.kl(es, seen) < sw.metrics.kl(swapped, seen)).all()
    assert (sw.metrics.cc(es, seen) > 0.85).all()
    # a blob in the middle does well on photographs, until what all of them share is taken out
    assert sw.metrics.auc_judd(centres, halves).mean() > sw.metrics.shuffled_auc(centres, halves).mean() + 0.1
