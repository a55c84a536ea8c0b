"""The cascading sanity check as a player: pixels and figures of each step, a region through the steps, and JupyterLab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import pixels
from every import Randomised, mapped
from jupyter import interrupt, jupyterlab, open_notebook, run_cell, start_cell, wait_for_kernel, write_notebook
from test_jupyterlab import drag
from test_pages import PLAIN, opened, settle  # noqa: F401 - a fixture

from salwidgets.captions import percent
from salwidgets.regions import share_of
from salwidgets.scale import Scale
from salwidgets.widgets import Heatmap, Layers, Randomisation, link

HERE = Path(__file__).parent
SHOWN = ".salw-stage:not([hidden]) .salw-map"


def result() -> Randomised:
    """The trained map and three steps, 6 x 10 cells, each of its own size."""
    rng = np.random.default_rng(0)
    e = mapped(rng.normal(size=(6, 10)))
    maps = rng.normal(size=(3, 6, 10)).astype(np.float32) * np.array([1, 3, 10], np.float32)[:, None, None]
    return Randomised([e], ["fc", "<b>conv2</b>", "conv1"], [maps], layers=["fc", "conv2", "conv1"],
                      rank_correlation=np.array([[0.51, np.nan, -0.25]]), ssim=np.array([[0.4, 0.3, 0.2]]))


def slider(page: Any) -> Any:
    return page.locator(".salw-scrubber input")


def test_each_step_is_drawn_as_numpy_says_with_limits_of_its_own(opened: Any) -> None:  # noqa: F811
    r = result()
    view = Randomisation(r)
    view.scale = view.scale.changed(**PLAIN)
    page = opened(view)
    maps = [r.explanations[0].values, *r.maps[0]]
    names = ["trained", "fc random", "<b>conv2</b> and all above it random", "conv1 and all above it random"]
    for at, (values, name) in enumerate(zip(maps, names, strict=True)):
        slider(page).fill(str(at))
        settle(page)
        np.testing.assert_array_equal(pixels(page.locator(SHOWN)), Scale.fit(values, **PLAIN).rgba(values))
        assert page.locator(".salw-step").inner_text() == f"{name} ({at + 1} of 4)"
        assert slider(page).get_attribute("aria-valuetext") == f"{name} ({at + 1} of 4)"
    page.get_by_label("a scale of its own for each step").uncheck()
    settle(page)
    shared = Scale.fit(*maps, **PLAIN)
    np.testing.assert_array_equal(pixels(page.locator(SHOWN)), shared.rgba(maps[3]))


def test_the_rank_correlation_stands_under_the_map_and_in_the_table(opened: Any) -> None:  # noqa: F811
    page = opened(Randomisation(result()))
    page.get_by_text("All steps as a table").click()
    settle(page)
    rows = [r.locator("th, td").all_inner_texts() for r in page.locator(".salw-fold[open] tr").all()]
    at = [rows[0].index(name) for name in ("rank correlation", "SSIM")]
    want = [["1.00", "1.00"], ["0.510", "0.400"], ["none", "0.300"], ["−0.250", "0.200"]]
    assert [[row[i] for i in at] for row in rows[1:]] == want
    # the mean that the facts say leaves out what is no number
    assert "rank correlation 0.130 over 3 steps" in page.locator(".salw-facts").first.inner_text()


def test_keys_move_and_play_runs_to_the_end_and_stops(opened: Any) -> None:  # noqa: F811
    page = opened(Randomisation(result()))
    slider(page).focus()
    for key, want in (("ArrowRight", 1), ("End", 3), ("ArrowLeft", 2), ("Home", 0)):
        page.keyboard.press(key)
        settle(page)
        assert page.locator(".salw-step").inner_text().endswith(f"({want + 1} of 4)")
    play = page.get_by_role("button", name="Play")
    play.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_role("button", name="Play").wait_for(timeout=10_000)
    assert page.locator(".salw-step").inner_text().endswith("(4 of 4)")


def test_a_region_is_followed_through_the_steps(opened: Any) -> None:  # noqa: F811
    r = result()
    view, heat = Randomisation(r), Heatmap(r.explanations[0])
    link(view, heat, what=("cursor", "selection", "view"))
    page = opened(heat, view)  # what is brushed stays where it is while the other view grows
    page.get_by_text("All steps as a table").click()
    drag(page, page.locator(".salw-heatmap .salw-stage"), (0.22, 0.18), (0.55, 0.63))
    settle(page)
    last = page.locator(".salw-through .salw-fold[open] td:last-child").all_inner_texts()
    shares = [share_of(m, (60, 100), [10, 20, 40, 60]).positive for m in (r.explanations[0].values, *r.maps[0])]
    assert [float(text) for text in last] == pytest.approx(shares, abs=0.006)
    slider(page).fill("2")
    settle(page)
    said = page.locator(".salw-through .salw-readout").inner_text().replace("\u202f", " ")
    assert f"{percent(shares[2])} of positive" in said


@pytest.mark.parametrize("width", [1120, 320])
def test_a_brush_moves_nothing_below(opened: Any, width: int) -> None:  # noqa: F811
    """A view that grew when a brush begins would move the map that is being brushed, if it lies below."""
    r = result()
    views = [Layers(r.explanations * 2), Randomisation(r), Heatmap(r.explanations[0])]
    link(*views, what=("cursor", "selection", "view"))
    page = opened(*views)
    page.set_viewport_size({"width": width, "height": 900})
    stages = page.locator(".salw-stage:not([hidden])")
    tops = "all => all.map(el => Math.round(el.getBoundingClientRect().top + scrollY))"
    before = stages.evaluate_all(tops)
    drag(page, page.locator(".salw-heatmap .salw-stage"), (0.22, 0.18), (0.55, 0.63))
    settle(page)
    assert "share of the positive in the region: 0." in page.locator(".salw-through").first.inner_text()
    assert stages.evaluate_all(tops) == before


def test_the_map_is_told_in_words(opened: Any) -> None:  # noqa: F811
    page = opened(Randomisation(result()))
    page.wait_for_timeout(500)
    label = page.locator(".salw-stage:not([hidden])").get_attribute("aria-label")
    assert label.startswith("Map at trained (1 of 4) for the question: ")
    assert "Most of it: " in label and " %, " in label.replace("\u202f", " ")


def test_in_jupyterlab_scrubbing_needs_no_kernel_and_python_hears_where_it_rests(browser: Any, tmp_path: Path) -> None:
    write_notebook(tmp_path / "r.ipynb", [
        f"import sys; sys.path.insert(0, {str(HERE)!r}); import json, test_randomisation as t; import salwidgets as sw",
        "r = sw.Randomisation(t.result()); r", "print(json.dumps([r.at]))", "r.at = 1",
        "import time\nfor _ in range(100): time.sleep(.1)",
        "l = sw.Layers([*t.result().explanations, t.mapped(t.result().maps[0][1, :3, :5])]); sw.link(r, l); l",
        "print(json.dumps([l.at, l.selection['box'], l.share.positive]))"])
    with jupyterlab(tmp_path) as url:
        page = open_notebook(browser, url, "r.ipynb", width=1400)
        for cell in (0, 1):
            run_cell(page, cell)
        page.wait_for_selector(SHOWN)
        page.wait_for_timeout(500)
        start_cell(page, 4)
        wait_for_kernel(page, "busy")
        before = pixels(page.locator(SHOWN))
        for at in (1, 2, 3):
            slider(page).fill(str(at))
        page.wait_for_timeout(200)
        assert not np.array_equal(before, pixels(page.locator(SHOWN)))
        assert page.locator(".salw-step").inner_text().endswith("(4 of 4)")
        interrupt(page)
        wait_for_kernel(page, "idle")
        page.wait_for_timeout(900)
        assert json.loads(run_cell(page, 2)) == [3]
        run_cell(page, 3)
        page.wait_for_timeout(400)
        assert page.locator(".salw-step").inner_text().endswith("(2 of 4)")
        run_cell(page, 5)
        layers = page.locator(".salw-through").nth(1)
        layers.locator(".salw-stage:not([hidden])").wait_for()
        page.wait_for_timeout(500)
        layers.locator(".salw-scrubber input").fill("0")  # from a grid of 3 x 5 to one of 6 x 10
        drag(page, layers.locator(".salw-stage:not([hidden])"), (0.22, 0.18), (0.55, 0.63))
        page.wait_for_timeout(900)
        at, box, share = json.loads(run_cell(page, 6))
        assert [at, box] == [0, [10, 20, 40, 60]]
        assert share == pytest.approx(share_of(result().explanations[0].values, (60, 100), box).positive)
        assert "rows 10–40, columns 20–60" in page.locator(".salw-through").first.inner_text()
        page.context.close()
