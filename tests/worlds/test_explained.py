"""Contrast questions between siblings on fresh creatures: the maps find what differs, on both nets."""

from __future__ import annotations

import numpy as np
import pytest

import salwidgets as sw
from benchmarks.truth import measure, part_share, peak_is_near


def test_the_scores_of_this_test_are_right():
    truth = np.zeros((9, 9), bool)
    truth[4, 4] = True
    parts = truth.copy()
    parts[0, 0] = True
    values = np.zeros((9, 9))
    values[4, 8] = 2.0
    assert peak_is_near(values, truth)
    values[0, 0] = 3.0
    assert not peak_is_near(values, truth)  # 5.7 pixels away
    assert part_share(values, truth, parts) == 0
    values[4, 4] = 1.0
    assert part_share(values, truth, parts) == pytest.approx(0.25)
    assert not peak_is_near(-values, truth)  # no positive mass counts as nothing found
    assert part_share(-values, truth, parts) == 0


@pytest.mark.slow
@pytest.mark.parametrize("net", ["cnn", "vit"])
def test_occlusion_finds_what_differs(net):
    world = sw.worlds.creatures(n=24, seed=31_000)
    found = measure(world, net, "occlusion", window=12, stride=4)
    assert np.mean(found.peak["contrast"]) >= 0.85
    assert np.mean(found.share["contrast"]) >= 0.65
    assert np.mean(found.share["contrast"]) - np.mean(found.share["pointwise"]) >= 0.20
    floor = measure(world, "-", "random")
    assert np.mean(floor.peak["contrast"]) < 0.3
    assert np.mean(floor.share["contrast"]) < 0.4


@pytest.mark.parametrize("net", ["cnn", "vit"])
def test_grad_cam_feels_the_question(net):
    world = sw.worlds.creatures(n=24, seed=31_000)
    found = measure(world, net, "grad-cam")
    assert np.mean(found.peak["contrast"]) > np.mean(found.peak["pointwise"])
