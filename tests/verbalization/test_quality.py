"""How good words are: what they name of the evidence, how they read, what a reader learns; on hand-made cases."""

import numpy as np
import pytest

import salwidgets as sw
from salwidgets.errors import InputError
from salwidgets.verbalization.quality import TopK, coverage_at, quality, reading_ease, sentence_length, simulated

VALUES = np.zeros((6, 6), np.float32)
VALUES[:2, :2], VALUES[4:, 4:], VALUES[2:4, 2:4] = 3, 1, -2  # top left 12, bottom right 4, centre -8
MAP = sw.from_array(VALUES, np.zeros((60, 60, 3), np.uint8))


def units():
    return sw.verbalize(MAP, units="places").brief.units


@pytest.mark.parametrize("k, text, share", [
    (1, "The top left matters, then the bottom right.", 0.75), (2, "The top left matters, then the bottom right.", 1.0),
    (1, "The bottom right matters, then the top left.", 0.25), (3, "It is hard to say.", 0.0), (1, "Only the centre.", 0.0)])
def test_coverage_is_the_share_of_what_is_named_first(k, text, share):
    assert coverage_at(k, [text], MAP, units()) == pytest.approx(share, abs=1e-6)


def test_no_units_is_no_count():
    with pytest.raises(InputError, match="k=0"):
        coverage_at(0, ["x"], MAP, units())


def test_sentences_are_measured_as_flesch_did():
    assert sentence_length(["One two three.", "Four five"]) == 2.5
    assert reading_ease(["The cat sat on the mat."]) == pytest.approx(206.835 - 1.015 * 6 - 84.6)
    assert reading_ease(["Incomprehensibility characterises explanations."]) < 0 < reading_ease(["We see a star."])


def test_a_reader_names_the_class_from_its_parts_alone():
    has = {"owl": {"star", "wing"}, "fox": {"star", "tail"}}
    assert simulated("The wing holds 60 %, the star 30 %.", has) == {"owl": 1.0, "fox": 0.0}
    assert simulated("The tail speaks against it with 60 %.", has)["owl"] == 1.0
    assert simulated("The star holds 90 %.", has) == {"owl": 0.5, "fox": 0.5}
    assert simulated("This is a fox.", has) == {"owl": 0.5, "fox": 0.5}  # names are not read


def test_the_top_units_cover_more_than_random_ones():
    top, random = (quality(sw.verbalize(MAP, writer, units="places")) for writer in (TopK(1), TopK(1, "random")))
    assert top.coverage_1 == pytest.approx(0.75, abs=1e-6)
    assert random.coverage_1 <= top.coverage_1
    assert quality(sw.verbalize(MAP, units="places")).true == 1.0
