"""The registry's facts hold for every metric, and wrong calls say what is wrong."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest

import salwidgets as sw
from salwidgets.metrics.registry import FAMILIES, NEEDS, one_each

ALL = [m.name for m in sw.metrics.metrics()]


@pytest.mark.parametrize("name", ALL)
def test_every_metric_is_a_function_that_says_what_it_is(name):
    metric = getattr(sw.metrics, name)
    info = metric.info
    assert inspect.isfunction(metric) and metric.__name__ == info.name == name
    assert info.family in FAMILIES and info.better in ("higher", "lower") and set(info.needs) <= set(NEEDS)
    assert len(info.cannot) > 20 and info.source and info.range
    assert metric.__doc__
    names = list(inspect.signature(metric).parameters)
    first = [*(["model"] if "model" in info.needs else []), "explanations"]
    assert names[:len(first)] == first
    assert all(p.kind is p.KEYWORD_ONLY for n, p in inspect.signature(metric).parameters.items() if n in info.parameters)


def test_importing_the_room_is_cheap():
    code = ("import sys, salwidgets as sw; sw.metrics; "
            "heavy = {'torch', 'pandas', 'sklearn', 'skimage', 'scipy'} & set(sys.modules); assert not heavy, heavy")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_table_prints():
    table = sw.metrics.metrics()
    assert "deletion" in repr(table) and "faithfulness" in repr(table)
    assert "what it cannot tell" in table._repr_html_()


def test_unknown_names_come_with_the_nearest():
    with pytest.raises(sw.errors.MethodError, match="deletion"):
        sw.metrics.scorecard(None, sw.from_array(np.eye(4), np.zeros((4, 4, 3), np.uint8)), ["deletoin"])
    with pytest.raises(AttributeError, match="no metric"):
        sw.metrics.no_such_thing  # noqa: B018


def test_one_explanation_gives_a_float_and_many_an_array(cnn, maps):
    one = sw.metrics.deletion(cnn, maps[0], steps=2)
    many = sw.metrics.deletion(cnn, maps[:2], steps=2)
    assert isinstance(one, float)
    assert many.shape == (4,) and many.dtype == np.float64 and many[0] == pytest.approx(one, abs=1e-6)
    assert isinstance(sw.metrics.sparseness(maps[0]), float)


def test_a_bare_module_is_taken_for_a_model(cnn, maps):
    assert sw.metrics.deletion(cnn.module, maps[0], steps=2) == pytest.approx(sw.metrics.deletion(cnn, maps[0], steps=2))


def test_wrong_calls_name_what_is_wrong(cnn, maps, world):
    e = maps[0]
    with pytest.raises(sw.errors.MethodError, match="needs the model"):
        sw.metrics.deletion(e)
    with pytest.raises(sw.errors.MethodError, match="needs the explanations"):
        sw.metrics.deletion(cnn)
    with pytest.raises(sw.errors.MethodError, match="masks"):
        sw.metrics.pointing_game(e)
    with pytest.raises(sw.errors.MethodError, match="no parameter 'stpes'"):
        sw.metrics.deletion(cnn, e, stpes=3)
    with pytest.raises(sw.errors.InputError, match="from_array"):
        sw.metrics.deletion(cnn, [np.eye(3)])
    with pytest.raises(sw.errors.InputError, match="empty"):
        sw.metrics.deletion(cnn, [])
    broken = sw.from_array(np.full((8, 8), np.nan), e.image)
    with pytest.raises(sw.errors.InputError, match=r"explanation 1 .*NaN"):
        sw.metrics.deletion(cnn, [e, broken])
    with pytest.raises(sw.errors.InputError, match="3 masks for 2 explanations"):
        sw.metrics.mass_in_mask(list(maps)[:2], [np.ones((64, 64), bool)] * 3)


def test_one_truth_serves_all_and_a_box_is_no_list():
    assert one_each((1, 2, 3, 4), 4, "boxes") == [(1, 2, 3, 4)] * 4
    assert len(one_each(np.zeros((3, 5, 5)), 3, "masks")) == 3
    assert one_each([1, 0, 1], 1, "rationales") == [[1, 0, 1]]
