"""Scorecard in exported pages and in JupyterLab: the picture at the play head equals numpy's, order, keys, links, traits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import score_fakes
from chromium import pixels
from jupyter import jupyterlab, open_notebook, run_cell, write_notebook
from test_jupyterlab import drag
from test_pages import PLAIN, opened, settle  # noqa: F401 - a fixture

from salwidgets.scale import Scale
from salwidgets.widgets import Comparison, Heatmap, Scorecard, link

HERE = Path(__file__).parent
MAP = ".salw-scorecard .salw-stage:not([hidden]) .salw-map"


def played(page: Any) -> np.ndarray:
    return pixels(page.locator(".salw-played"))[..., :3]


@pytest.mark.parametrize("fill", ["black", "mean", "blur", "noise"])
def test_the_picture_at_the_play_head_equals_numpys(opened: Any, fill: str) -> None:  # noqa: F811
    view = Scorecard(score_fakes.table(fill=fill))
    page = opened(view)
    for metric, row, at in (("deletion", 0, 3), ("insertion", 1, 7), ("lerf", 2, 5), ("deletion", 3, 10),
                            ("insertion", 0, 0)):
        page.locator(".salw-score-pick").nth(row % 2).click()
        page.get_by_label("Explanation", exact=True).select_option(str(row))
        page.get_by_label("Curves").select_option(metric)
        page.get_by_label("Play head").fill(str(at))
        settle(page)
        view.metric, view.row, view.at = metric, row, at
        np.testing.assert_array_equal(played(page), view.perturbed())
        values = view.shown_map()
        view.scale = Scale.fit(values, **PLAIN)
        assert pixels(page.locator(MAP)).shape[:2] == values.shape


def test_the_map_of_the_chosen_row_has_numpys_colours(opened: Any) -> None:  # noqa: F811
    view = Scorecard(score_fakes.table())
    view.scale = view.scale.changed(**PLAIN)
    page = opened(view)
    for group in (1, 0):
        page.locator(".salw-score-pick").nth(group).click()
        settle(page)
        values = score_fakes.explanations()[group].values
        np.testing.assert_array_equal(pixels(page.locator(MAP)), Scale.fit(values, **PLAIN).rgba(values))


def test_float16_pages_show_the_maps_and_the_very_pictures(opened: Any, monkeypatch: Any) -> None:  # noqa: F811
    """Many maps are rounded, which the page says; pictures lose nothing, so the play head is off by near ties at most."""
    view = Scorecard(score_fakes.table(fill="blur"))
    view.scale = view.scale.changed(**PLAIN)
    raw = view.page_state()
    monkeypatch.setattr("salwidgets.widgets.scorecard.LITTLE", 0)
    state = view.page_state()
    assert [raw["maps"]["dtype"], state["maps"]["dtype"], state["pictures"]["packing"]] == ["float32", "float16", "deflate"]
    assert len(state["maps"]["view"]) < 0.6 * len(raw["maps"]["view"])
    page = opened(view)
    assert "float16: largest error" in page.locator(".salw-scorecard").inner_text()
    for row in (1, 2):
        page.locator(".salw-score-pick").nth(row % 2).click()
        page.get_by_label("Explanation", exact=True).select_option(str(row))
        page.get_by_label("Play head").fill("0")
        settle(page)
        view.row, view.at = row, 0
        np.testing.assert_array_equal(played(page), view.perturbed())
        want = Scale.fit(view.shown_map(), **PLAIN).rgba(view.shown_map()).astype(int)
        assert np.abs(pixels(page.locator(MAP)).astype(int) - want).max() <= 4  # a neighbouring colour
        page.get_by_label("Play head").fill("4")
        settle(page)
        view.at = 4
        assert (played(page) != view.perturbed()).any(-1).mean() < 0.01


def test_the_order_is_pythons_and_the_best_comes_first(opened: Any) -> None:  # noqa: F811
    view = Scorecard(score_fakes.table())
    page = opened(view)
    names = page.locator(".salw-score-pick")
    for clicks, (sort, descending) in enumerate([("deletion", False), ("deletion", True), ("", True)], 1):
        page.locator(".salw-score-sort").first.click()
        settle(page)
        view.sort, view.descending = sort, descending
        assert names.all_inner_texts() == [view.groups[g]["method"] for g in view.order()], clicks
    assert page.locator("th[aria-sort]").count() == 0


def test_everything_by_keyboard(opened: Any) -> None:  # noqa: F811
    view = Scorecard(score_fakes.table())
    page = opened(view)
    sort = page.locator(".salw-score-sort").nth(3)
    sort.focus()
    assert "corner" in page.locator(".salw-score-about").inner_text()  # what sparseness cannot tell
    page.keyboard.press("Enter")
    settle(page)
    assert sort.evaluate("el => el === document.activeElement")
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    page.locator(".salw-score-pick").nth(1).focus()
    page.keyboard.press("Enter")
    for key in (".", ".", ".", ",", "n"):
        page.keyboard.press(key)
    settle(page)
    view.row, view.at = 2, 2
    np.testing.assert_array_equal(played(page), view.perturbed())
    said = page.locator(".salw-live").inner_text().replace("\u202f", " ")
    assert said.startswith("rise, input 2") and "At 20 % hidden, the most important first: 0.549." in said
    page.keyboard.press("p")
    page.get_by_role("button", name="Pause").wait_for()
    page.keyboard.press("p")
    page.get_by_role("button", name="Play").wait_for()


def test_a_click_on_the_curves_moves_the_head(opened: Any) -> None:  # noqa: F811
    view = Scorecard(score_fakes.table())
    page = opened(view)
    box = page.locator(".salw-curves .salw-chart").bounding_box()
    page.mouse.click(box["x"] + 0.62 * box["width"], box["y"] + 20)
    settle(page)
    view.at = 6
    np.testing.assert_array_equal(played(page), view.perturbed())
    assert page.get_by_label("Play head").get_attribute("aria-valuetext").replace("\u202f", " ").startswith("60 % hidden")


def test_linked_views_share_region_and_picked_picture(opened: Any) -> None:  # noqa: F811
    es = score_fakes.explanations()
    view, heat, grid = Scorecard(score_fakes.table()), Heatmap(es[2]), Comparison(es)
    link(view, heat, grid)
    page = opened(view, heat, grid)
    drag(page, page.locator(".salw-scorecard .salw-stage:not([hidden])"), (0.22, 0.18), (0.55, 0.63))
    settle(page)
    assert "rows 10–40, columns 20–60" in page.locator(".salw-heatmap .salw-readout").inner_text()
    badge = page.get_by_text("among the picked images").first
    assert not badge.is_visible()
    page.get_by_label("Explanation", exact=True).select_option("2")
    settle(page)
    assert badge.is_visible()


def test_a_loaded_table_and_a_fill_that_cannot_be_drawn(opened: Any) -> None:  # noqa: F811
    table = score_fakes.table()
    table.explanations = ()
    page = opened(Scorecard(table))
    assert page.get_by_text("This table was loaded without its explanations").is_visible()
    assert page.locator(".salw-stage").count() == 0
    assert page.locator(".salw-agreement td").first.is_visible()
    road = opened(Scorecard(score_fakes.table(fill="road")))
    assert road.get_by_text("depends on what is left").is_visible()
    assert not road.locator(".salw-played").is_visible()


CELLS = [f"import sys; sys.path.insert(0, {str(HERE)!r}); import json, score_fakes; from salwidgets.widgets import *",
         "view = Scorecard(score_fakes.table()); view",
         "print(json.dumps([view.row, view.metric, view.at, view.sort, view.descending, view.order(), "
         "view.perturbed().astype(int).sum().item()]))",
         "view.metric, view.row, view.at, view.sort = 'insertion', 3, 9, ''"]


def test_traits_go_both_ways_in_jupyterlab(browser: Any, tmp_path: Path) -> None:
    write_notebook(tmp_path / "scores.ipynb", CELLS)
    with jupyterlab(tmp_path) as url:
        page = open_notebook(browser, url, "scores.ipynb", width=1400)
        run_cell(page, 0), run_cell(page, 1)
        page.wait_for_selector(".salw-played")
        page.locator(".salw-score-pick").nth(1).click()
        page.locator(".salw-score-sort").first.click()
        page.get_by_label("Play head").fill("4")
        page.wait_for_timeout(900)
        row, metric, at, sort, descending, order, total = json.loads(run_cell(page, 2))
        assert [row, metric, at, sort, descending, order] == [1, "deletion", 4, "deletion", False, [1, 0]]
        assert int(played(page).astype(int).sum()) == total
        run_cell(page, 3)
        page.wait_for_timeout(600)
        view = Scorecard(score_fakes.table(), metric="insertion", row=3, at=9)
        np.testing.assert_array_equal(played(page), view.perturbed())
        page.context.close()
