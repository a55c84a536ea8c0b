"""Heatmap and what all views share: traits, links, share, errors, the wire, the picture that stays."""

from __future__ import annotations

import base64
import io
from typing import Any

import fakes
import numpy as np
import pytest
from ipywidgets.widgets.widget import _remove_buffers
from PIL import Image

from salwidgets.errors import InputError
from salwidgets.explanation import Explanation, from_array
from salwidgets.questions import why
from salwidgets.scale import Scale
from salwidgets.widgets import Contrast, Heatmap, Link, link


def test_the_question_is_the_title_and_the_facts_are_beside_it() -> None:
    w = Heatmap(fakes.explanation(class_blind=True, prediction=("wolf", 0.5)))
    assert w.title == "Why “husky” rather than “wolf”?"
    assert {f["term"]: f["text"] for f in w.facts} == {
        "Score": "+8.31 logits", "Probability": "92 %", "Prediction": "“wolf”, 50 %",
        "Completeness": "1.7 % not accounted for (the map sums to 8.10, the score changes by 8.30)"}
    assert w.notices[0].startswith("Class-blind")
    assert w.caption == "grad-cam · layer features.12 · 6 × 10 cells on 60 × 100 pixels"


def test_a_small_map_crosses_as_196_bytes() -> None:
    w = Heatmap(fakes.explanation(7, 7))
    _, paths, buffers = _remove_buffers(w.get_state())
    sizes = {tuple(p): len(memoryview(b).cast("B")) for p, b in zip(paths, buffers, strict=True)}
    assert sizes == {("map", "view"): 196, ("picture", "view"): 60 * 100 * 3}
    assert w.map["shape"] == [7, 7]
    assert w.map["dtype"] == "float32"


def test_values_and_order_survive_the_wire() -> None:
    e = fakes.explanation()
    e.values = np.asfortranarray(e.values)
    packed = Heatmap(e).map
    np.testing.assert_array_equal(np.frombuffer(packed["view"], "<f4").reshape(packed["shape"]), e.values)


def test_share_and_mask_of_a_region() -> None:
    e = fakes.explanation()
    w = Heatmap(e)
    assert w.share is None
    assert not w.region_mask().any()
    w.selection = {"box": [10, 20, 40, 60]}
    inside = e.values[1:4, 2:6]
    share = w.share
    assert share is not None
    assert share.positive == pytest.approx(inside[inside > 0].sum() / e.values[e.values > 0].sum())
    assert share.absolute == pytest.approx(np.abs(inside).sum() / np.abs(e.values).sum())
    assert share.sum == pytest.approx(inside.sum(), rel=1e-6)
    assert w.region_mask().sum() == 30 * 40
    assert w.region_mask()[10:40, 20:60].all()


def test_share_is_exact_on_cells_that_do_not_end_on_pixels() -> None:
    values = np.ones((7, 7), np.float32)
    w = Heatmap(from_array(values, np.zeros((100, 100, 3), np.uint8)))
    w.selection = {"box": [0, 0, 200 / 7, 100]}
    assert w.share is not None
    assert w.share.positive == pytest.approx(2 / 7, abs=1e-12)
    assert w.share.negative is None


@pytest.mark.parametrize("box", [None, [1, 2, 3], [5, 0, 5, 9], [0, 9, 5, 1], "all"])
def test_a_wrong_region_is_an_input_error(box: Any) -> None:
    with pytest.raises(InputError, match="box"):
        Heatmap(fakes.explanation()).selection = {"box": box}


def test_linked_views_share_what_was_asked_for_and_no_more() -> None:
    a, b, c = (Heatmap(fakes.explanation()) for _ in range(3))
    assert isinstance(link(a, b, what=("cursor", "selection")), Link)
    a.selection = {"box": [0, 0, 10, 10]}
    assert b.selection == a.selection
    assert c.selection is None
    assert a.own_scale
    assert b.own_scale
    a.scale = a.scale.changed(opacity=0.1)
    assert b.scale.opacity == 0.8
    link(b, c)  # a comes along where it was linked before
    c.cursor = {"row": 5.0, "col": 5.0, "pinned": False}
    assert a.cursor == c.cursor
    assert (a.own_scale, b.own_scale, c.own_scale) == (True, True, True)
    link(a, b, what="scale")
    assert (a.own_scale, b.own_scale, c.own_scale) == (False, False, False)


def test_a_shared_scale_fits_all_maps() -> None:
    a, b = Heatmap(fakes.explanation()), Heatmap(fakes.explanation())
    b.explanation.values *= 10
    shared = link(a, b)
    assert a.scale == b.scale == Scale.fit(a.explanation.values, b.explanation.values, fixed=True)
    b.scale = Scale.fit(a.explanation.values, clip="max", opacity=0.5)
    assert a.scale.clip == "max"
    assert shared.scale["opacity"] == 0.5
    c = Heatmap(fakes.explanation(), link=shared)
    assert c.scale == a.scale


def test_link_errors_are_typed() -> None:
    a = Heatmap(fakes.explanation())
    other = Contrast(fakes.basis())
    for views, what in (((a,), "scale"), ((a, a), "scale"), ((a, "b"), "scale"), ((a, other), "colour")):
        with pytest.raises(InputError):
            link(*views, what=what)


@pytest.mark.parametrize("wrong", [None, 3, "husky", np.zeros((3, 3)), [1]])
def test_what_is_no_explanation_is_an_input_error(wrong: Any) -> None:
    with pytest.raises(InputError, match="Explanation"):
        Heatmap(wrong)


def test_other_wrong_arguments() -> None:
    with pytest.raises(InputError, match=r"\[h, w\]"):
        Heatmap(Explanation(np.zeros(4), np.zeros(4), why("a"), "rise"))
    with pytest.raises(InputError, match="Scale"):
        Heatmap(fakes.explanation(), scale="max")
    with pytest.raises(InputError, match="Link"):
        Heatmap(fakes.explanation(), link="a")
    with pytest.raises(TypeError):
        Heatmap(fakes.explanation(), colour="red")
    with pytest.raises(InputError):
        Heatmap(fakes.explanation()).scale = {"vmin": 1}


def test_a_map_without_a_picture_is_drawn_on_grey() -> None:
    e = fakes.explanation(image=None)
    assert Heatmap(e).picture["shape"] == [60, 100, 3]
    assert Heatmap(e).figure()


def test_missing_and_infinite_values_do_no_harm() -> None:
    e = fakes.explanation()
    e.values[0, :3] = [np.nan, np.inf, -np.inf]
    w = Heatmap(e)
    w.selection = {"box": [0, 0, 10, 100]}
    assert w.share is not None
    assert np.isfinite(w.share.sum)
    assert w.figure()
    assert np.isnan(w.value_at(0, 0))
    assert w.value_at(59, 99) == 2


def test_a_picture_stays_where_no_view_runs() -> None:
    bundle = Heatmap(fakes.explanation())._repr_mimebundle_()
    assert bundle is not None
    data, _ = bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"] == "Heatmap: Why “husky” rather than “wolf”?"
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB"))
    assert image.std() > 10
