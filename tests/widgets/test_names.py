"""Named regions: a trait of every linked view, in sentences, and kept with the page."""

from __future__ import annotations

import json
from pathlib import Path

import fakes
import numpy as np
import pytest

import salwidgets as sw
from salwidgets.errors import InputError
from salwidgets.widgets import Comparison, Heatmap, Narrative, link

HOSTILE = "<img src=x onerror=alert(1)>"


def test_linked_views_share_names_and_sentences_use_them() -> None:
    e = fakes.explanation()
    heat, words = Heatmap(e), Narrative(sw.verbalize(e))
    link(heat, words)
    before = [str(v) for v in words.shown]
    heat.regions = {"left ear": [0, 0, 30, 50], "tail": [30, 50, 60, 100]}
    assert words.regions == {"left ear": [0, 0, 30, 50], "tail": [30, 50, 60, 100]}
    text = words.shown[0].text
    assert "tail" in text
    assert "bottom" not in text
    assert all(c.verdict == "supported" for c in words.shown[0].claims)
    units = {u["label"] for p in words.passages for u in p["units"]}
    assert units <= {"left ear", "tail"}
    share = heat.region_shares()["tail"]
    values = e.values
    assert share.sum == pytest.approx(float(values[3:, 5:].sum()), rel=1e-5)
    assert heat.region_masks()["tail"].sum() == 30 * 50
    heat.regions = {}
    assert [str(v) for v in words.shown] == before


def test_names_join_when_views_are_linked_and_the_first_wins() -> None:
    a, b = Heatmap(fakes.explanation()), Comparison([fakes.explanation(), fakes.explanation(layer="b")])
    a.regions = {"ear": [0, 0, 10, 10]}
    b.regions = {"ear": [5, 5, 10, 10], "eye": [1, 2, 3, 4]}
    link(a, b)
    assert a.regions == b.regions == {"ear": [0, 0, 10, 10], "eye": [1, 2, 3, 4]}


def test_names_travel_with_the_page_as_text(tmp_path: Path) -> None:
    view = Heatmap(fakes.explanation())
    view.regions = {HOSTILE: [0, 0, 10, 10]}
    page = view.save_html(tmp_path / "page.html").read_text()
    assert HOSTILE not in page
    state = json.loads(page.split('id="salw-state">')[1].split("</script>")[0])
    assert {HOSTILE: [0, 0, 10, 10]} in [m["state"].get("regions") for m in state.values()]


@pytest.mark.parametrize("regions", [{"x": [3, 3, 1, 1]}, {"x": [1, 2, 3]}, {"x": "abcd"}, {" ": [0, 0, 1, 1]}, {"x": None}])
def test_what_is_no_box_is_refused(regions: dict) -> None:
    view = Heatmap(fakes.explanation())
    with pytest.raises(InputError):
        view.regions = regions
    assert view.regions == {}


def test_a_region_outside_of_the_picture_says_nothing_wrong() -> None:
    e = fakes.explanation()
    words = Narrative(sw.verbalize(e))
    words.regions = {"nowhere": [100, 200, 101, 201]}
    assert all(c.verdict != "contradicted" for c in words.shown[0].claims)
    assert np.isfinite(e.values).all()
