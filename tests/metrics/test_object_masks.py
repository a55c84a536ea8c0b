"""Object masks against the numbers of PySODMetrics, a slow transcription and properties; a real segmentation where there."""

from __future__ import annotations

import numpy as np
import pytest

import salwidgets as sw
from examples.nets import find_data
from salwidgets.errors import InputError, MethodError
from salwidgets.explanation import resize

H, W = 48, 64
ROWS, COLUMNS = np.mgrid[:H, :W].astype(float)
WAVES = (np.sin(ROWS / 5) + np.cos(COLUMNS / 7) + 0.3 * np.sin(ROWS * COLUMNS / 50)).astype(np.float32)
MASK = (ROWS - 20) ** 2 / 150 + (COLUMNS - 40) ** 2 / 300 < 1
NAMES = ("s_measure", "e_measure", "weighted_f")


def external(values: np.ndarray) -> sw.Explanation:
    return sw.from_array(values, np.zeros(values.shape, np.uint8))


def test_numbers_of_pysodmetrics():
    """py_sod_metrics 1.6.2 (no normalisation to 8 bits) on the same map; its E-measure divides by one pixel less."""
    e, n = external(WAVES), MASK.size
    assert sw.metrics.mae(e, MASK) == pytest.approx(0.5574246596330507, rel=1e-6)
    assert sw.metrics.s_measure(e, MASK) == pytest.approx(0.2685182041425341, rel=1e-6)
    assert sw.metrics.weighted_f(e, MASK) == pytest.approx(0.20825512017085465, rel=1e-6)
    for mode, theirs in (("mean", 0.32783987991675645), ("max", 0.6616410921409259), ("adaptive", 0.25139215539761317)):
        assert sw.metrics.e_measure(e, MASK, mode=mode) == pytest.approx(theirs * (n - 1) / n, rel=1e-6)


def test_e_measure_is_the_papers_formula_pixel_by_pixel():
    v = (WAVES.astype(np.float64) - WAVES.min()) / (WAVES.max() - WAVES.min())
    each = []
    for k in range(256):
        cut = (np.floor(v * 255) >= k).astype(float)
        a, b = cut - cut.mean(), MASK - MASK.mean()
        each.append((((2 * a * b / (a * a + b * b + 1e-300)) + 1) ** 2 / 4).mean())
    assert sw.metrics.e_measure(external(WAVES), MASK, mode="max") == pytest.approx(max(each), rel=1e-9)
    assert sw.metrics.e_measure(external(WAVES), MASK) == pytest.approx(np.mean(each), rel=1e-9)


def test_the_mask_itself_is_best_and_its_inversion_worst():
    right, wrong = external(MASK * 1.0), external(~MASK * 1.0)
    assert sw.metrics.mae(right, MASK) == 0 and sw.metrics.mae(wrong, MASK) == 1
    assert sw.metrics.s_measure(right, MASK) == pytest.approx(1)
    assert sw.metrics.weighted_f(right, MASK) == pytest.approx(1)
    assert sw.metrics.e_measure(right, MASK, mode="max") == pytest.approx(1)
    assert sw.metrics.e_measure(right, MASK, mode="adaptive") == pytest.approx(1)
    rng = np.random.default_rng(0)
    noise = [external(resize(rng.normal(size=(6, 8)).astype(np.float32), H, W)) for _ in range(30)]
    for name in NAMES:
        score = getattr(sw.metrics, name)
        random = score(noise, MASK)
        assert score(right, MASK) > random.max() and score(wrong, MASK) < random.mean(), name


def test_scaling_is_taken_out_and_constant_maps_are_zero_maps():
    for name in (*NAMES, "mae"):
        score = getattr(sw.metrics, name)
        assert score(external(5 * WAVES + 3), MASK) == pytest.approx(score(external(WAVES), MASK), rel=1e-3), name
        assert score(external(np.full((H, W), 7.0)), MASK) == score(external(np.zeros((H, W))), MASK), name
    assert sw.metrics.mae(external(np.zeros((H, W))), MASK) == pytest.approx(MASK.mean())


def test_a_mask_of_everything():
    everything = np.ones((H, W), bool)
    v = (WAVES - WAVES.min()) / (WAVES.max() - WAVES.min())
    assert sw.metrics.s_measure(external(WAVES), everything) == pytest.approx(v.mean(), rel=1e-5)
    assert sw.metrics.mae(external(WAVES), everything) == pytest.approx(1 - v.mean(), rel=1e-5)
    assert 0 < sw.metrics.e_measure(external(WAVES), everything) < 1
    assert 0 < sw.metrics.weighted_f(external(WAVES), everything) < 1


def test_an_object_at_the_edge_has_empty_quarters():
    corner = np.zeros((H, W), bool)
    corner[-1, -1] = True  # its centroid leaves nothing below and to the right
    assert sw.metrics.s_measure(external(corner * 1.0), corner) == pytest.approx(1)
    assert 0 <= sw.metrics.s_measure(external(WAVES), corner) < sw.metrics.s_measure(external(corner * 1.0), corner)


def test_errors_are_named():
    with pytest.raises(MethodError, match="mode="):
        sw.metrics.e_measure(external(WAVES), MASK, mode="best")
    with pytest.raises(InputError, match=r"explanation 0 .*empty"):
        sw.metrics.weighted_f(external(WAVES), np.zeros((H, W), bool))


@pytest.mark.real
@pytest.mark.skipif(find_data() is None, reason="no ../shared/data beside the repository")
def test_a_real_birds_outline():
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    data = find_data()
    assert data is not None
    mask = np.array(Image.open(data / "photos" / "bird_segmentation_mask.png")) > 0
    bird = Image.open(data / "photos" / "bird_segmentation.png").convert("RGB")
    rows, columns = np.mgrid[:mask.shape[0], :mask.shape[1]]
    centre = np.exp(-((rows / mask.shape[0] - 0.5) ** 2 + (columns / mask.shape[1] - 0.5) ** 2) * 8)
    es = [sw.from_array(m, bird) for m in (mask * 1.0, gaussian_filter(mask * 1.0, 12), centre, ~mask * 1.0)]
    for name in NAMES:
        scores = getattr(sw.metrics, name)(es, mask)
        assert (np.diff(scores) < 0).all(), (name, scores)
    assert (np.diff(sw.metrics.mae(es, mask)) > 0).all()
    assert (np.diff(sw.metrics.pxap(es, mask)) < 0).all()
