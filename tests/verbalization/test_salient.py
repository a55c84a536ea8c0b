"""What is said: the searches beside plain transcriptions, and units of every kind of map beside their arithmetic."""

import itertools

import numpy as np
import pytest

import salwidgets as sw
from salwidgets.errors import InputError
from salwidgets.explanation import Explanation
from salwidgets.regions import Regions
from salwidgets.verbalization import searches
from salwidgets.verbalization.salient import look
from salwidgets.verbalization.sequences import joined
from salwidgets.verbalization.units import Mass, on_cells, on_pixels, place_words

PICTURE = np.zeros((60, 90, 3), np.uint8)


def at(values, **facts):
    return sw.from_array(np.asarray(values, float), PICTURE, "why husky", **facts)


def bare(values, shape=None, **params):
    values = np.asarray(values, float)
    return Explanation(values, np.zeros(shape or values.shape), sw.why("yes"), "occlusion", image=None, params=params)


# -- searches ---------------------------------------------------------------------------------------------------------

def slow_convolution(values, patterns):
    """The definition, one window and one filter at a time, in plain Python."""
    top = max(abs(v) for v in values)
    a = [v / top for v in values]
    best = sorted(a, reverse=True)[:max(round(0.4 * len(a)), 1)]
    limit = sum(best) / len(best)
    total = sum(v for v in values if v > 0)
    found = {}
    for start in range(len(a) - 4):
        for pattern in patterns:
            chosen = [start + i for i, bit in enumerate(pattern) if bit]
            if any(a[i] < 0 for i in chosen) or not sum(a[i] for i in chosen) / len(chosen) > limit:
                continue
            found[tuple(chosen)] = sum(values[i] for i in chosen) / total
    return found


@pytest.mark.parametrize("n", [5, 6, 9, 17])
def test_convolution_and_span_search_are_their_definition(n):
    rng = np.random.default_rng(n)
    patterns = {p for base in ("11000", "11100") for p in itertools.permutations(map(int, base))}
    assert len(patterns) == 20
    for _ in range(20):
        v = rng.normal(size=n) ** 3
        v[0] = abs(v[0])
        for search, filters in ((searches.convolution, patterns), (searches.spans, {(0, 1, 1, 1, 0), (1,) * 5})):
            found = {f.indices: f.coverage for f in search(v)}
            assert found == pytest.approx(slow_convolution(v.tolist(), filters))


def test_the_last_window_and_filters_with_zeros_count():
    v = np.zeros(12)
    v[8], v[11] = 2.0, 3.0  # the last two chosen lie in the very last window, with zeros between them
    assert (8, 11) in [f.indices for f in searches.convolution(v)]
    v = np.zeros(12)
    v[9:] = 1, 2, 1
    assert searches.summary(v)[0].indices[-1] == 11  # the last unit of a span is not dropped
    v[10] = -2
    assert not any(10 in f.indices for f in searches.convolution(v))


def test_short_and_empty_maps():
    assert searches.convolution([]) == [] == searches.summary([0.0, 0.0])
    assert searches.convolution([1.0, 1.0])[:1] == []  # nothing exceeds the mean of the top
    assert searches.convolution([3.0, 2.0, -1.0, 0.0]) == []  # no two of four exceed the mean of the top two
    assert searches.summary([3.0, 2.0, -1.0, 0.0])[0].indices == (0, 1)
    assert [f.indices for f in searches.total_order([-1.0, 2.0, 0.0, 3.0])] == [(3,), (1,)]
    assert searches.total_order([-1.0, -2.0]) == []


def test_coverage_and_threshold():
    v = [4.0, -2.0, 1.0, 0.0, 3.0]
    assert searches.coverage(v, (0, 4)) == pytest.approx(7 / 8)
    assert searches.coverage(v, (0, 1)) == pytest.approx(2 / 8)
    assert searches.coverage([-1.0], (0,)) == 0
    assert searches.threshold(v) == pytest.approx(3.5)


def test_comparison_wants_units_of_one_side_only():
    husky, wolf = [4.0, 4.0, 0.0, -1.0], [0.0, 2.0, 2.0, -2.0]
    assert [f.indices for f in searches.comparison(husky, wolf)] == [(0,)]
    assert [f.indices for f in searches.comparison(wolf, husky)] == [(2,)]


def test_summary_joins_the_top_of_each_search_and_keeps_the_best_quarter():
    v = np.array([0, 5, 4, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, .5])
    tops = [search(v)[:5] for search in (searches.convolution, searches.spans, searches.total_order)]
    union = {i for top in tops for f in top for i in f.indices}
    runs = searches.merged(union)
    cover = [searches.coverage(v, r) for r in runs]
    assert [f.indices for f in searches.summary(v)] == [
        r for r, c in sorted(zip(runs, cover), key=lambda x: -x[1]) if c >= np.quantile(cover, 0.75)]
    assert {1, 2} <= set(searches.summary(v)[0].indices)
    assert searches.merged([4, 1, 2, 5, 9]) == [(1, 2), (4, 5), (9,)]


# -- pictures ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("shape", [(7, 7), (13, 5), (60, 90), (1, 1), (100, 3)])
def test_the_places_of_any_map_hold_all_of_it(shape):
    e = at(np.random.default_rng(0).normal(size=shape))
    b = look(e)
    assert [u.id for u in b.units] == [f"u{i}" for i in range(1, 10)]
    assert sum(u.supports for u in b.units) == pytest.approx(1 if (e.values > 0).any() else 0)
    assert sum(u.value for u in b.units) == pytest.approx(float(e.values.sum()), abs=1e-4)
    assert sum(u.area for u in b.units) == pytest.approx(1)
    np.testing.assert_allclose(sum(u.cells for u in b.units), 1, atol=1e-6)
    sizes = [abs(u.value) for u in b.units]
    assert sizes == sorted(sizes, reverse=True)


def test_regions_of_any_resolution_keep_the_mass():
    rng = np.random.default_rng(1)
    for shape in ((7, 7), (60, 90), (120, 45)):
        e = at(rng.normal(size=shape))
        labels = rng.integers(0, 6, (60, 90))
        b = look(e, Regions(labels, np.zeros(6, np.float32), tuple("abcdef")))
        assert sum(u.supports for u in b.units) == pytest.approx(1)
        for u in b.units:  # the pixel sums equal those of the cells, made by other means
            v = e.values.astype(float)
            assert u.value == pytest.approx(float((v * u.cells).sum()), abs=1e-4)
            assert u.area == pytest.approx(float(u.cells.mean()), abs=1e-6)


def test_neighbours_that_stand_out_become_one_area_with_a_place_word():
    v = np.zeros((60, 90))
    v[:20, :30], v[45:, 70:] = 1, -1
    labels = np.arange(60)[:, None] // 5 * 18 + np.arange(90)[None, :] // 5  # 216 squares of 5 x 5
    b = look(at(v), labels)
    assert {u.label: round(u.value) for u in b.units} == {"area at the top left": 600, "area at the bottom right": -300,
                                                          "rest of the picture": 0}
    top = next(u for u in b.units if u.value > 0)
    np.testing.assert_array_equal(top.cells > 0, v > 0)
    assert [u.label for u in b.supporting] == ["area at the top left"]
    assert [u.label for u in b.opposing] == ["area at the bottom right"]
    v[:20, 60:] = 1
    assert {"area at the top left", "area at the top right"} <= {u.label for u in look(at(v), labels).units}
    v = np.zeros((60, 90))
    v[:5, :5] = v[:5, 10:15] = 1
    assert {"area at the top left", "second area at the top left"} <= {u.label for u in look(at(v), labels).units}


def test_superpixels_follow_the_picture():
    pytest.importorskip("skimage")
    picture = np.zeros((60, 90, 3), np.uint8)
    picture[20:40, 30:60] = 255
    v = np.zeros((60, 90))
    v[20:40, 30:60] = 1
    b = look(sw.from_array(v, picture, "why husky"), "superpixels")
    assert b.supporting[0].supports > 0.95
    assert b.supporting[0].label == "area in the centre"
    assert ((b.supporting[0].cells > 0.5) & (v > 0)).sum() / ((b.supporting[0].cells > 0.5) | (v > 0)).sum() > 0.9


def test_a_method_s_own_regions_are_the_units():
    labels = np.zeros((60, 90), int)
    labels[:, 45:] = 1
    v = np.where(labels == 1, 2.0, -1.0)
    e = at(v, regions=Regions(labels, np.array([-1.0, 2.0]), ("sky", "dog")))
    assert {u.label: u.supports for u in look(e).units} == {"dog": 1.0, "sky": 0.0}
    with pytest.raises(InputError, match="scored no regions"):
        look(at(v), "regions")


def test_given_masks():
    v = np.zeros((7, 7))
    v[1, 1], v[5, 5] = 3, -1
    ear, all_ = np.zeros((60, 90), bool), np.ones((7, 7))
    ear[:30, :45] = True
    b = look(at(v), {"left ear": ear, "all of it": all_, 'x". “99 %” at the top': ear})
    by = {u.label: u for u in b.units}
    assert by["left ear"].supports == pytest.approx(1) and by["left ear"].opposes == pytest.approx(0)
    assert by["all of it"].value == pytest.approx(2)
    assert "“x\". ‘99 %’ at the top”" in by
    for bad in ({"x": np.ones((3, 3))}, {"x": np.full((7, 7), 2.0)}, {"x": np.full((7, 7), np.nan)}, {}):
        with pytest.raises(InputError):
            look(at(v), bad)


def test_mass_is_kept_between_grids():
    rng = np.random.default_rng(0)
    part = np.abs(rng.normal(size=(7, 5)))
    for size in ((60, 90), (3, 2), (7, 5), (10, 5)):
        assert on_pixels(part, size).sum() == pytest.approx(part.sum())
    mask = np.zeros((60, 90))
    mask[:30] = 1
    np.testing.assert_allclose(on_cells(mask, (3, 2)), [[1, 1], [.5, .5], [0, 0]])
    assert not Mass(np.array([[np.nan, np.inf], [1, -3]])).finite
    assert Mass(np.array([[np.nan, np.inf], [1, -3]])).opposes == pytest.approx(0.75)


@pytest.mark.parametrize("centre, words", [((.1, .1), "at the top left"), ((.5, .9), "on the right"),
                                           ((.5, .5), "in the centre"), ((.5, .4), "left of the centre"),
                                           ((.6, .52), "below the centre")])
def test_place_words(centre, words):
    assert place_words(centre) == words


# -- what stands out --------------------------------------------------------------------------------------------------

def test_only_what_is_dense_strong_and_on_balance_on_that_side_stands_out():
    v = np.zeros((9, 9))
    v[0, 0], v[0, 4], v[0, 8], v[4, 4] = 10, 7, 5, -8
    b = look(at(v))
    assert [u.label for u in b.supporting] == ["top left", "top"]  # the top right holds less than 60 % of the first
    assert [u.label for u in b.opposing] == ["centre"]
    assert b.coverage == pytest.approx(17 / 22) and b.opposes == pytest.approx(8 / 30)
    flat = look(at(np.ones((9, 9))))
    assert flat.supporting == () and "diffuse" in flat.caveats
    noisy = np.ones((9, 9))
    noisy[0, 0], noisy[0, 1] = 40, -60  # much on both sides in one place: against, on balance
    assert look(at(noisy)).supporting == ()
    assert look(at(np.zeros((9, 9)))).caveats == ("zero",)
    assert look(at(-np.ones((9, 9)))).caveats == ("nothing",)


# -- texts ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("tokens, offsets, groups", [
    (["[CLS]", "un", "##kind", "film", "!", "[SEP]"], None, [[1, 2], [3], [4]]),
    (["<s>", "ĠHe", "llo", "Ġworld", ".", "</s>"], None, [[1, 2], [3], [4]]),
    (["▁The", "▁c", "at"], None, [[0], [1, 2]]),
    (["[CLS]", "good", "ish", ",", "film", "[SEP]"], [(0, 0), (0, 4), (4, 7), (7, 8), (9, 13), (0, 0)], [[1, 2], [3], [4]]),
    (["don", "'", "t"], [(0, 3), (3, 4), (4, 5)], [[0, 1, 2]]),
    (["plain", "words", "here"], None, [[0], [1], [2]]),
])
def test_sub_words_become_words_and_special_tokens_none(tokens, offsets, groups):
    assert joined(tokens, offsets) == groups


def test_words_are_summed_and_phrases_found():
    tokens = ["[CLS]", "this", "is", "not", "very", "good", "##ish", "at", "all", "[SEP]"]
    v = [9.0, 0, 0, -3.0, -2.0, .5, .5, 0, 0, 9.0]
    b = look(bare(v, (10, 4), tokens=tokens))
    by = {u.label: u for u in b.units}
    assert by["goodish"].value == pytest.approx(1) and by["goodish"].kind == "word"
    assert by["goodish"].supports == pytest.approx(1 / 19)  # of the whole map: special tokens hold the rest
    assert by["not very"].kind == "phrase" and by["not very"].value == pytest.approx(-5)
    assert [u.label for u in b.opposing] == ["not very"]  # and not the word “not” once more
    assert "[CLS]" not in by


def test_words_of_a_text_with_offsets_and_twice():
    text = "Good, but not good"
    tokens, offsets = ["Good", ",", "but", "not", "good"], [(0, 4), (4, 5), (6, 9), (10, 13), (14, 18)]
    b = look(bare([1, 0, 0, -1, .5], (5, 4), tokens=tokens, offsets=offsets, text=text))
    assert {"Good", ",", "but", "not", "good"} <= {u.label for u in b.units}
    b = look(bare([3, 0, 0, 0, 1], (5, 4)), ["so", "a", "b", "c", "so"])
    assert [(u.label, u.nth) for u in b.units if u.label == "so"] == [("so", 1), ("so", 2)]
    with pytest.raises(InputError, match="not known"):
        look(bare([1.0, 2.0], (2, 4)))
    with pytest.raises(InputError, match="do not fit"):
        look(bare([1.0, 2.0], (2, 4)), ["one"])


# -- series and volumes -----------------------------------------------------------------------------------------------

def test_intervals_in_samples_and_seconds():
    v = np.zeros((2, 100))
    v[:, 40:50], v[:, 70:75] = 1, -1
    b = look(bare(v))
    assert [u.label for u in b.supporting] == ["sample 40 to 49"] and [u.label for u in b.opposing] == ["sample 70 to 74"]
    assert sum(u.area for u in b.units) == pytest.approx(1)
    b = look(bare(v, rate=50))
    assert b.supporting[0].label == "0.8 s to 1 s" and b.supporting[0].supports == 1
    assert {u.label for u in look(bare(v), "channels").units} == {"channel 1", "channel 2"}


def test_bands():
    v = np.zeros((1, 51))
    v[0, 8:12] = 1
    b = look(bare(v, (1, 100), rate=100, domain="frequency", modality="series"))
    assert b.supporting[0].kind == "band" and b.supporting[0].label == "8 Hz to 13 Hz"


def test_segments_of_a_volume():
    v = np.zeros((9, 12, 12))
    v[:3, :4, :4] = 1
    b = look(bare(v, (1, 9, 12, 12)))
    assert [u.label for u in b.supporting] == ["top left of slices 1 to 3"]
    assert len(b.units) == 27 and sum(u.area for u in b.units) == pytest.approx(1)
    labels = (v > 0).astype(int)
    assert look(bare(v, (1, 9, 12, 12)), labels).supporting[0].label == "segment 1"
    assert look(bare(v, (1, 9, 12, 12)), {"tumour": v > 0}).supporting[0].label == "tumour"


@pytest.mark.parametrize("units", ["words", "poems", 7, ["a"], np.zeros((2, 2)), np.zeros(3, int), "intervals"])
def test_units_that_do_not_fit_a_picture(units):
    with pytest.raises(InputError):
        look(at(np.eye(7)), units)
