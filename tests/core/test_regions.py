"""Regions: a partition with scores, saved and read back with its explanation."""

import numpy as np
import pytest

import salwidgets as sw
from salwidgets.errors import InputError
from salwidgets.regions import Regions


def test_regions_travel_with_a_saved_explanation(tmp_path):
    labels = np.repeat(np.array([[0, 1, -1]]), 4, 0)
    e = sw.from_array(np.zeros((4, 3)), np.zeros((4, 3, 3), np.uint8), regions=Regions(labels, [1.0, -2.0], ("left", "mid")))
    e.save(tmp_path / "e")
    back = sw.load(tmp_path / "e")
    assert (back.regions.labels == labels).all() and back.regions.scores.tolist() == [1.0, -2.0]
    assert back.regions.names == ("left", "mid") and back.regions.mask(1).sum() == 4


@pytest.mark.parametrize("labels, scores, names", [
    (np.zeros((2, 2)), [1.0], ()), (np.full((2, 2), 3), [1.0], ()), (np.zeros((2, 2), int), [1.0], ("a", "b")),
    (np.zeros(4, int), [1.0], ())])
def test_regions_that_do_not_fit_are_refused(labels, scores, names):
    with pytest.raises(InputError):
        Regions(labels, scores, names)
