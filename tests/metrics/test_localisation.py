"""Localisation against quantus, scikit-learn and slow transcriptions; boxes against labelling at every threshold."""

from __future__ import annotations

import numpy as np
import pytest

import salwidgets as sw
from examples.nets.peers import import_peer
from salwidgets.errors import InputError, MethodError
from salwidgets.explanation import resize
from salwidgets.metrics.boxes import box_iou, component_boxes, iou_by_threshold
from salwidgets.metrics.localisation import thresholds

H, W = 40, 56


def smooth(rng: np.random.Generator, grid: tuple[int, int] = (5, 7)) -> np.ndarray:
    return resize(rng.normal(size=grid).astype(np.float32), H, W)


def external(values: np.ndarray, grey: int = 0) -> sw.Explanation:
    return sw.from_array(values, np.full((H, W), grey, np.uint8))


def disc(y: float, x: float, r: float) -> np.ndarray:
    rows, columns = np.mgrid[:H, :W]
    return (rows - y) ** 2 + (columns - x) ** 2 < r * r


@pytest.fixture(scope="module")
def pairs() -> tuple[list[sw.Explanation], list[np.ndarray]]:
    rng = np.random.default_rng(0)
    masks = [disc(rng.uniform(8, 32), rng.uniform(8, 48), rng.uniform(5, 10)) for _ in range(60)]
    return [external(smooth(rng), k) for k in range(60)], masks


def unit(e: sw.Explanation) -> np.ndarray:
    m = e.upsampled().astype(np.float64)
    return (m - m.min()) / (m.max() - m.min())


# -- masks ---------------------------------------------------------------------------------------------------


def test_pointing_and_mass_equal_quantus(pairs):
    try:
        quantus = import_peer("quantus")
    except ImportError:
        pytest.skip("quantus is not installed")
    es, masks = pairs
    a, s = np.stack([e.upsampled() for e in es]).astype(np.float64), np.stack(masks)
    theirs = quantus.PointingGame(disable_warnings=True).evaluate_batch(a_batch=a.copy(), s_batch=s)
    np.testing.assert_array_equal(sw.metrics.pointing_game(es, masks, tolerance=0), theirs)
    theirs = quantus.RelevanceMassAccuracy(disable_warnings=True).evaluate_batch(a_batch=np.maximum(a, 0), s_batch=s)
    np.testing.assert_allclose(sw.metrics.mass_in_mask(es, masks), theirs, rtol=1e-10)


def test_pointing_tolerance_is_a_distance_in_pixels():
    mask = np.zeros((H, W), bool)
    mask[10, 10] = True
    values = np.zeros((H, W))
    values[13, 14] = 1  # 5 pixels away
    assert sw.metrics.pointing_game(external(values), mask, tolerance=5) == 1
    assert sw.metrics.pointing_game(external(values), mask, tolerance=4.9) == 0
    values[10, 10] = 1  # two equal maxima, one hits
    assert sw.metrics.pointing_game(external(values), mask, tolerance=0) == 0.5


def test_pxap_is_scikit_learns_average_precision_of_the_binned_map(pairs):
    from sklearn.metrics import average_precision_score

    es, masks = pairs
    edges = np.append(np.arange(0, 1, 0.001), 1.0)
    binned = [np.digitize(unit(e), edges) for e in es]
    each = [average_precision_score(m.ravel(), b.ravel()) for m, b in zip(masks, binned, strict=True)]
    np.testing.assert_allclose(sw.metrics.pxap(es, masks), each, rtol=1e-10)
    pooled = average_precision_score(np.concatenate([m.ravel() for m in masks]), np.concatenate([b.ravel() for b in binned]))
    assert sw.metrics.pooled_pxap(es, masks) == pytest.approx(pooled, rel=1e-10)


def test_random_maps_score_at_chance_and_the_mask_scores_best(pairs):
    es, masks = pairs
    area = np.mean([m.mean() for m in masks])
    assert sw.metrics.pxap(es, masks).mean() == pytest.approx(area, abs=0.05)
    assert sw.metrics.mass_in_mask(es, masks).mean() == pytest.approx(area, abs=0.04)
    assert sw.metrics.background_activation_share(es, masks).mean() == pytest.approx(1 - area, abs=0.04)
    right = [external(m.astype(float)) for m in masks]
    for name, best in (("pointing_game", 1), ("mass_in_mask", 1), ("background_activation_share", 0), ("mask_iou", 1),
                       ("pxap", 1), ("max_box_acc", 1), ("max_box_acc_v2", 1)):
        np.testing.assert_array_equal(getattr(sw.metrics, name)(right, masks), best, err_msg=name)
        wrong = getattr(sw.metrics, name)([external(~m * 1.0) for m in masks], masks)
        assert abs(wrong.mean() - best) > 0.4, name


def test_a_monotone_rescaling_changes_nothing_that_ranks(pairs):
    es, masks = pairs
    moved = [external(np.exp(3 * e.upsampled()) - 7) for e in es]
    np.testing.assert_array_equal(sw.metrics.pointing_game(moved, masks), sw.metrics.pointing_game(es, masks))
    stretched = [external(4 * e.upsampled() + 2) for e in es]  # min-max scaling takes this out
    for name in ("mask_iou", "pxap", "background_activation_share"):
        score = getattr(sw.metrics, name)
        np.testing.assert_allclose(score(stretched, masks), score(es, masks), atol=3e-3)


def test_constant_maps_have_defined_scores():
    mask = disc(20, 20, 8)
    flat, none = external(np.ones((H, W))), external(np.zeros((H, W)))
    assert sw.metrics.mass_in_mask(flat, mask) == pytest.approx(mask.mean())
    assert sw.metrics.mass_in_mask(none, mask) == 0
    assert sw.metrics.pxap(none, mask) == pytest.approx(mask.mean())
    assert sw.metrics.background_activation_share(none, mask) == pytest.approx(1 - mask.mean())
    assert sw.metrics.max_box_acc_v2(none, mask) == sw.metrics.mask_iou(none, mask) == 0
    assert sw.metrics.pointing_game(none, mask, tolerance=0) == pytest.approx(mask.mean())


def test_mask_iou_by_hand():
    values = np.zeros((H, W))
    values[:10, :10], values[:10, 10:20], values[20, 20] = 0.6, 0.4, 1.0
    mask = np.zeros((H, W), bool)
    mask[:10, :10] = True
    assert sw.metrics.mask_iou(external(values), mask) == pytest.approx(100 / 101)
    assert sw.metrics.mask_iou(external(values), mask, threshold=0.3) == pytest.approx(100 / 201)
    assert sw.metrics.background_activation_share(external(values), mask) == pytest.approx(1 / 101)


# -- boxes ---------------------------------------------------------------------------------------------------


def slow_best(m: np.ndarray, truth: np.ndarray, grid: np.ndarray) -> tuple[list[float], list[list[float]]]:
    """Label {m > t} at every t: the best overlap of all parts, and those of the largest parts."""
    from skimage.measure import label, regionprops

    best, largest = [], []
    for t in grid:
        parts = regionprops(label(m > t, connectivity=2))
        ious = []
        for p in parts:
            y0, x0, y1, x1 = p.bbox
            on = np.zeros((99, 99), bool)
            on[y0:y1, x0:x1] = True
            each = []
            for bx0, by0, bx1, by1 in truth:
                true = np.zeros((99, 99), bool)
                true[by0:by1 + 1, bx0:bx1 + 1] = True
                each.append((on & true).sum() / (on | true).sum())
            ious.append(max(each))
        sizes = [p.area for p in parts]
        best.append(max(ious, default=0.0))
        largest.append([v for v, s in zip(ious, sizes, strict=True) if s == max(sizes)] or [0.0])
    return best, largest


@pytest.mark.parametrize("grid", [(5, 7), (H, W)], ids=["smooth", "noise"])
def test_one_tree_is_labelling_at_every_threshold(grid):
    rng = np.random.default_rng(3)
    e, truth = external(smooth(rng, grid)), np.array([[5, 3, 30, 22], [20, 10, 50, 35]])
    at = thresholds()[::50 if grid == (5, 7) else 200]
    best, largest = slow_best(unit(e), truth, at)
    ours, ours_largest = iou_by_threshold(0, e, truth, at)
    np.testing.assert_allclose(ours, best, atol=1e-12)
    assert all(min(abs(np.subtract(v, x))) < 1e-12 for x, v in zip(ours_largest, largest, strict=True))


def test_boxes_of_the_protocols_own_worked_examples():
    """Numbers of the released unit tests, with boxes that end on the part's last pixel instead of one beyond it."""
    unimodal = np.array([[0, 0, 0, 0, 0], [0, .4, .4, .4, .6], [0, .4, 1, .8, .6], [0, .4, .4, .4, .6]])
    boxes, _, first, last = component_boxes(np.searchsorted(np.arange(0, 1, 0.2).round(9), unimodal))
    found = {k: boxes[(first <= k) & (k < last)].tolist() for k in range(5)}
    assert found == {0: [[1, 1, 4, 3]], 1: [[1, 1, 4, 3]], 2: [[2, 1, 4, 3]], 3: [[2, 2, 3, 2]], 4: [[2, 2, 2, 2]]}
    assert box_iou(np.array([[1, 2, 5, 6]]), np.array([[3, 1, 4, 5]]))[0, 0] == pytest.approx(8 / 27)
    np.testing.assert_array_equal(box_iou(np.array([[1, 1, 3, 3], [4, 4, 5, 5]]), np.array([[1, 1, 3, 3], [4, 4, 5, 5]])),
                                  np.eye(2))


def test_max_box_acc_takes_one_threshold_for_all_and_v2_one_per_overlap(pairs):
    es, masks = pairs[0][:12], pairs[1][:12]
    grid = thresholds()
    curves = [iou_by_threshold(i, e, m, grid) for i, (e, m) in enumerate(zip(es, masks, strict=True))]
    largest = np.array([c[1] for c in curves])
    assert sw.metrics.max_box_acc(es, masks, iou=0.3).mean() == (largest >= 0.3).mean(0).max()
    best = np.array([c[0] for c in curves])
    expected = np.mean([(best >= v).mean(0).max() for v in (0.3, 0.5, 0.7)])
    assert sw.metrics.max_box_acc_v2(es, masks).mean() == pytest.approx(expected)
    fixed = sw.metrics.max_box_acc(es, masks, iou=0.3, threshold=0.5)
    np.testing.assert_array_equal(fixed, largest[:, 500] >= 0.3)


def test_a_box_and_its_filled_mask_are_one_truth():
    e = external(disc(20, 30, 9) * 1.0)
    mask = np.zeros((H, W), bool)
    mask[8:30, 20:45] = True
    assert sw.metrics.max_box_acc(e, [20, 8, 44, 29]) == sw.metrics.max_box_acc(e, mask)
    ours, _ = iou_by_threshold(0, e, [20, 8, 44, 29], np.array([0.5]))
    assert ours[0] == pytest.approx(17 * 17 / (22 * 25))


# -- the protocol's split ------------------------------------------------------------------------------------


def test_the_threshold_is_chosen_on_the_held_out_part_only(pairs):
    es, masks = pairs[0][:20], pairs[1][:20]
    chosen = sw.metrics.choose_threshold(es, masks, held_out=0.25)
    assert len(chosen.held_out) == 5 and sorted(chosen.held_out + chosen.rest) == list(range(20))
    few, their_masks = [es[i] for i in chosen.held_out], [masks[i] for i in chosen.held_out]
    scores = [np.mean(sw.metrics.mask_iou(few, their_masks, threshold=t)) for t in thresholds()]
    assert chosen.threshold == pytest.approx(thresholds()[int(np.argmax(scores))])
    assert chosen.score == pytest.approx(max(scores))
    spoilt = [m if i in chosen.held_out else disc(0, 0, 4) for i, m in enumerate(masks)]
    assert sw.metrics.choose_threshold(es, spoilt, held_out=0.25) == chosen  # the rest was never looked at
    assert sw.metrics.choose_threshold(es, masks, held_out=[3, 4]).held_out == (3, 4)
    boxes = [[5, 5, 30, 30]] * 20
    assert 0 <= sw.metrics.choose_threshold(es, boxes, held_out=0.25, iou=0.3).score <= 1


def test_explanations_of_one_input_stay_together():
    es = [external(disc(20, 20, 6 + k) * 1.0, grey) for grey in range(4) for k in range(3)]
    chosen = sw.metrics.choose_threshold(es, disc(20, 20, 8), held_out=0.25)
    assert {i // 3 for i in chosen.held_out} != {0, 1, 2, 3} and len(chosen.held_out) == 3
    assert not {i // 3 for i in chosen.held_out} & {i // 3 for i in chosen.rest}


# -- bad input -----------------------------------------------------------------------------------------------

MASK = disc(20, 20, 8)


@pytest.mark.parametrize(("mask", "said"), [
    (np.zeros((H, W), bool), "explanation 1 .*empty"),
    (MASK[:-1], r"explanation 1 .*\(39, 56\).*\(40, 56\)"),
    (np.where(MASK, np.nan, 0), "explanation 1 .*NaN"),
    (MASK * 0.3 + 0.1 * disc(5, 5, 2), "more than two values"),
])
def test_masks_that_cannot_be_used_are_named(mask, said):
    es = [external(MASK * 1.0)] * 2
    for name in ("pointing_game", "mass_in_mask", "pxap", "mask_iou", "background_activation_share", "s_measure", "mae"):
        with pytest.raises(InputError, match=said):
            getattr(sw.metrics, name)(es, [MASK, mask])


@pytest.mark.parametrize("boxes", [[5, 5, 56, 20], [9, 5, 3, 20], [[1, 1, np.nan, 3]], np.zeros((0, 4)), np.zeros((3, 3)),
                                   [-1, 0, 3, 3]])
def test_boxes_that_cannot_be_used_are_named(boxes):
    with pytest.raises(InputError, match="explanation 0"):
        sw.metrics.max_box_acc(external(MASK * 1.0), np.asarray(boxes, float))


def test_masks_as_numbers_and_missing_ones():
    e = external(np.random.default_rng(0).normal(size=(5, 7)))
    for same in (MASK.astype(np.uint8) * 255, MASK[None] * 1.0):
        assert sw.metrics.pxap(e, same) == sw.metrics.pxap(e, MASK)
    with pytest.raises(MethodError, match="needs masks"):
        sw.metrics.pxap(e)
    with pytest.raises(MethodError, match="threshold"):
        sw.metrics.mask_iou(e, MASK, threshold=1.5)
    with pytest.raises(MethodError, match="part="):
        sw.metrics.mass_in_mask(e, MASK, part="negative")
    with pytest.raises(InputError, match="leaves nothing"):
        sw.metrics.choose_threshold([e], MASK)
    text = sw.Explanation(np.ones(4), np.zeros(4), None, "external")
    with pytest.raises(InputError, match=r"needs \[H, W\]"):
        sw.metrics.pxap([e, text], [MASK, MASK])
