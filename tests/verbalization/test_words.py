"""Sentences and their checker: what the template says is true, and what is false is found out."""

import numpy as np
import pytest

import salwidgets as sw
from salwidgets.errors import InputError
from salwidgets.verbalization.claims import check_text
from salwidgets.verbalization.salient import PLACES, place_shares

PICTURE = np.zeros((60, 90, 3), np.uint8)


def at(values, question="why husky rather than wolf", **facts):
    return sw.from_array(np.asarray(values, float), PICTURE, question, **facts)


def corner():
    v = np.zeros((7, 7))
    v[1, 1], v[1, 5], v[5, 5] = 3, 2, -1
    return at(v, score=1.25, method="grad-cam")


def test_the_sentence_says_where_how_much_and_for_what():
    assert sw.verbalize(corner()).text == (
        "According to Grad-CAM, the top left speaks most for “husky” and against “wolf”, with 60 % of the supporting "
        "evidence, followed by the top right with 40 %. Together, the two hold 100 % of the supporting evidence on 22 % of "
        "the picture. The model itself scores “husky” higher than “wolf”.")
    assert sw.verbalize(corner(), length="line", audience="expert").text == (
        "In the Grad-CAM map, the top left holds 60 % of the positive mass for “husky” rather than “wolf”, followed by the "
        "top right with 40 % (score +1.25 logits).")


@pytest.mark.parametrize("values, words", [
    (np.ones((9, 9)), "no part of the picture stands out"),
    (np.zeros((4, 4)), "zero everywhere"),
    (-np.eye(9)[:, ::-1], "nothing speaks for"),
    (-np.pad([[1.0]], ((0, 5), (0, 5))), "The top left speaks most against “husky” and for “wolf”, with 100 % of "
                                         "the opposing evidence"),
])
def test_weak_and_one_sided_maps_are_called_so(values, words):
    v = sw.verbalize(at(values))
    assert words in v.text
    assert not any(c.verdict == "contradicted" for c in v.claims)


def test_caveats():
    v = np.zeros((6, 6))
    v[0, 0], v[5, 5] = 1, -1
    e = at(v, class_blind=True, completeness=sw.Completeness(1.0, 2.0, 2.0))
    text = sw.verbalize(e).text
    assert "Evidence against it makes up 50 % of the map." in text
    assert "class-blind" in text
    assert "unaccounted" in text
    broken = at([[np.nan, 1.0], [0.0, 0.0]])
    assert "not finite" in sw.verbalize(broken).text


@pytest.mark.parametrize("shape", [(7, 7), (13, 13), (1, 1), (2, 5), (64, 64), (50, 71)])
def test_every_template_claim_is_supported(shape):
    rng = np.random.default_rng(0)
    for power in (1, 3, 9):
        for _ in range(30):
            v = rng.normal(size=shape)
            e = at(np.sign(v) * np.abs(v) ** power, score=float(v.sum()))
            claims = sw.verbalize(e).claims
            assert claims
            assert {c.verdict for c in claims} == {"supported"}


@pytest.mark.parametrize("text, verdicts", [
    ("60 % of the evidence lies at the top left.", ["supported"]),
    ("80 % of the evidence lies at the top left.", ["contradicted"]),
    ("60 % of the evidence lies at the bottom.", ["contradicted"]),
    ("The top right holds 40 %.", ["supported"]),
    ("The upper right holds 41 % and 60 % is in the upper left.", ["contradicted", "supported"]),
    ("100 % of what speaks against it lies at the bottom right.", ["supported"]),
    ("Evidence against makes up 17 % of the map.", ["supported"]),
    ("It is 90 % husky.", ["not checkable"]),
    ("“99 % at the top” is 60 % at the top left.", ["supported"]),  # a class name says nothing about the map
])
def test_the_checker_tells_true_from_false(text, verdicts):
    assert sorted(c.verdict for c in check_text(text, corner())) == sorted(verdicts)


def test_shares_by_place_divide_cells_by_area():
    s = place_shares(at(np.ones((1, 1))))
    np.testing.assert_allclose(s.positive, np.full(9, 1 / 9))
    v = np.zeros((4, 4))
    v[0, 0] = 1
    s = place_shares(at(v))
    assert s.positive[PLACES.index("top left")] == pytest.approx(1.0)


def test_only_maps_of_images_and_known_writers():
    e = corner()
    with pytest.raises(InputError, match="writer"):
        sw.verbalize(e, writer="poet")
    e.values = np.zeros(5, np.float32)
    with pytest.raises(InputError, match="words of this text are not known"):
        sw.verbalize(e)
