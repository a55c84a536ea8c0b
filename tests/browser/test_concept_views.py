"""ClusterView and ConceptView in exported pages and in JupyterLab: pixels, lasso, links, names, 10,000 points."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import concept_fakes
import numpy as np
import pytest
from chromium import pixels
from jupyter import jupyterlab, open_notebook, run_cell, write_notebook
from test_comparison import COUNT
from test_pages import opened, settle  # noqa: F401 - a fixture

from salwidgets.explanation import from_array
from salwidgets.questions import why
from salwidgets.widgets import ClusterView, Comparison, ConceptView, Heatmap, link
from salwidgets.widgets.cluster_figure import COLOURS

HERE = Path(__file__).parent
POINTS = np.array([[0, 0], [4, 0], [0, 2], [4, 2], [2, 1]], np.float32)
LABELS = ["a", "b", "a", "b", "c"]


def screen(page: Any, points: np.ndarray = POINTS) -> Any:
    """Where points lie on the canvas, in CSS pixels `[N, 2]`: as large as fits with 18 pixels around, y upwards."""
    width, height = page.locator(".salw-scatter").evaluate("e => [e.clientWidth, e.clientHeight]")
    low, high = points.min(0), points.max(0)
    k = min((width - 36) / (high[0] - low[0]), (height - 36) / (high[1] - low[1]))
    middle = (low + high) / 2
    return np.array([width / 2, height / 2]) + (points - middle).astype(float) * [k, -k]


def around(page: Any, *corners: tuple[float, float], keys: tuple[str, ...] = ()) -> None:
    """Draw a line through these corners (CSS pixels in the scatter) with the pointer."""
    stage = page.locator(".salw-scatter")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    for key in keys:
        page.keyboard.down(key)
    page.mouse.move(float(box["x"] + corners[0][0]), float(box["y"] + corners[0][1]))
    page.mouse.down()
    for x, y in corners[1:]:
        page.mouse.move(float(box["x"] + x), float(box["y"] + y), steps=6)
    page.mouse.up()
    for key in keys:
        page.keyboard.up(key)
    settle(page)


def corners(at: np.ndarray, room: float = 14) -> list[tuple[float, float]]:
    """A box around these places."""
    (x0, y0), (x1, y1) = at.min(0) - room, at.max(0) + room
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0 + 1)]


def pictures(n: int) -> list[Any]:
    """Explanations of n pictures of 60 x 100 pixels."""
    rng = np.random.default_rng(3)
    shown = rng.integers(0, 255, (n, 60, 100, 3)).astype(np.uint8)
    return [from_array(rng.normal(size=(6, 10)), p, why("husky"), method=f"m{i}") for i, p in enumerate(shown)]


def test_points_are_drawn_where_they_are_in_the_colours_of_their_groups(opened: Any) -> None:  # noqa: F811
    page = opened(ClusterView(points=POINTS, labels=LABELS, correct=[1, 1, 1, 0, 1]))
    drawn = pixels(page.locator(".salw-points"))
    for (x, y), label, right in zip(screen(page), LABELS, [1, 1, 1, 0, 1], strict=True):
        pixel = drawn[round(y), round(x)]
        want = [*COLOURS["abc".index(label)], 255] if right else [0, 0, 0, 0]  # a wrong answer is hollow
        assert pixel.tolist() == want
        assert drawn[round(y) - 8:round(y) + 9, round(x) - 8:round(x) + 9, 3].max() == 255
    assert (drawn[..., 3] > 0).mean() < 0.01
    page.get_by_label("Show a", exact=True).uncheck()
    settle(page)
    x, y = screen(page)[0]
    assert pixels(page.locator(".salw-points"))[round(y), round(x), 3] == 0


def test_a_lasso_picks_adds_and_takes_away_and_linked_maps_step_back(opened: Any) -> None:  # noqa: F811
    es = pictures(5)
    view = ClusterView(points=POINTS, labels=LABELS, images=es)
    grid, heat = Comparison(es[:4], columns="methods"), Heatmap(es[1])
    link(view, grid, heat)
    page = opened(view, grid, heat)
    at = screen(page)
    left = page.evaluate("[...document.querySelectorAll('.salw-unpicked')].length")
    assert left == 0
    around(page, *corners(at[[1, 3]]))
    page.wait_for_timeout(150)
    assert page.locator(".salw-clusters .salw-live").inner_text().startswith("2 images picked: 2 in b.")
    away = page.locator(".salw-tile").evaluate_all("els => els.map(e => e.classList.contains('salw-unpicked'))")
    assert away == [True, False, True, False]
    assert page.get_by_text("among the picked images").is_visible()
    around(page, *corners(at[[0]]), keys=("Control",))
    assert page.locator(".salw-clusters .salw-live").inner_text().startswith("3 images picked")
    around(page, *corners(at[[1]]), keys=("Alt",))
    assert page.locator(".salw-clusters .salw-live").inner_text().startswith("2 images picked: 1 in ")
    assert not page.get_by_text("among the picked images").is_visible()
    shown = page.locator(".salw-gallery canvas")
    np.testing.assert_array_equal(pixels(shown.first)[..., :3], view._pictures[0])
    page.locator(".salw-scatter").press("Escape")
    settle(page)
    assert page.locator(".salw-unpicked").count() == 0


def test_previews_follow_pointer_and_keys_and_show_the_right_picture(opened: Any) -> None:  # noqa: F811
    thumbs = concept_fakes.tiles(5)
    page = opened(ClusterView(points=POINTS, labels=LABELS, thumbnails=thumbs, captions=[f"image <b>{i}" for i in range(5)]))
    box = page.locator(".salw-scatter").bounding_box()
    for i, (x, y) in enumerate(screen(page)):
        page.mouse.move(float(box["x"] + x + 3), float(box["y"] + y - 3))
        settle(page)
        np.testing.assert_array_equal(pixels(page.locator(".salw-preview canvas"))[..., :3], thumbs[i])
        assert f"image <b>{i}" in page.locator(".salw-preview").inner_text()
    page.mouse.move(1, 1)
    settle(page)
    assert page.locator(".salw-preview").is_hidden()
    page.locator(".salw-scatter").focus()
    for key, said in (("ArrowUp", "Image 3"), ("ArrowRight", "Image 4"), ("ArrowDown", "Image 2"), ("ArrowDown", "Image 2")):
        page.keyboard.press(key)
        settle(page)
        assert page.locator(".salw-clusters .salw-live").inner_text().startswith(said), key
    page.keyboard.press("i")
    page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("Enter")
    settle(page)
    assert page.locator(".salw-panel-title").inner_text() == "b"


def test_a_concept_lights_its_cells_in_own_and_linked_pictures(opened: Any) -> None:  # noqa: F811
    es = pictures(3)
    extractor = concept_fakes.Fitted()
    view, heat, grid = ConceptView(extractor), Heatmap(es[0]), Comparison(es, columns="methods")
    link(view, heat, grid)
    page = opened(view, heat, grid)
    veil = ".salw-veil:not([hidden])"
    row = page.locator(".salw-concept-table tbody tr").first
    row.hover()
    page.wait_for_timeout(150)
    k = view.order()[0]
    own = len(page.locator(".salw-concept-strip .salw-stage").all())
    assert page.locator(f".salw-heatmap {veil}").count() == 1
    assert page.locator(f".salw-comparison {veil}").count() == 3
    assert page.locator(f".salw-concept-strip {veil}").count() == own > 0
    cells = view._maps[view._keys.index(heat.picture_keys[0])][k]
    want = cells >= max(cells.max() / 2, 255 / 8)
    path = page.locator(".salw-heatmap .salw-veil").get_attribute("d").removeprefix("M0 0H100V60H0Z")
    inside = page.evaluate("""(path) => {
        const shape = new Path2D(path), c = document.createElement("canvas").getContext("2d");
        const holds = (_, i) => c.isPointInPath(shape, 25 * (i % 4) + 12, 20 * Math.floor(i / 4) + 10);
        return Array.from({ length: 12 }, holds); }""", path)
    np.testing.assert_array_equal(np.array(inside).reshape(3, 4), want)
    page.mouse.move(1, 1)
    settle(page)
    assert page.locator(veil).count() == 0
    row.locator("button").focus()
    page.keyboard.press("Enter")
    page.locator(".salw-concept-table thead button").first.focus()
    page.wait_for_timeout(150)
    assert page.locator(f".salw-heatmap {veil}").count() == 1  # it stays lit
    page.keyboard.press("Escape")
    settle(page)
    assert page.locator(veil).count() == 0


def test_concepts_are_sorted_and_named_with_no_kernel(opened: Any) -> None:  # noqa: F811
    view = ConceptView(concept_fakes.Fitted())
    page = opened(view)
    names = ".salw-concept-table tbody input"
    assert page.locator(names).evaluate_all("els => els.map(e => e.value)") == ["concept 2", "concept 1", "concept 3"]
    page.get_by_role("button", name="Reliability").click()
    settle(page)
    assert page.locator(names).evaluate_all("els => els.map(e => e.value)") == ["concept 1", "concept 2", "concept 3"]
    page.locator(names).first.fill("zebra <b>")
    page.locator(names).first.press("Enter")
    page.get_by_role("button", name="Concept", exact=True).click()
    settle(page)
    assert page.locator(names).evaluate_all("els => els.map(e => e.value)") == ["concept 2", "concept 3", "zebra <b>"]
    crops = page.locator(".salw-concept-table tbody tr").nth(2).locator("canvas")
    best = view.extractor.best_crops(0, 6)
    np.testing.assert_array_equal(pixels(crops.first)[..., :3], best[0].thumbnail)


@pytest.mark.parametrize("gesture", ["pan", "zoom", "lasso", "hover"])
def test_ten_thousand_points_answer_every_gesture(browser: Any, gesture: str) -> None:
    import clouds

    with clouds.open_page(clouds.cloud(10_000), browser) as page:
        found = clouds.frames(page, gesture, 20)  # how fast it is stands in the benchmarks
    assert 0 < found["median_ms"] <= found["p95_ms"], found


CELLS = [
    f"import sys; sys.path.insert(0, {str(HERE)!r}); import concept_fakes, json, test_concept_views as t\n"
    "from salwidgets.widgets import *",
    "w = ClusterView(points=t.POINTS, labels=t.LABELS, images=t.pictures(5)); w",
    "e = concept_fakes.Fitted(); v = ConceptView(e); link(v, w); v",
    "print(json.dumps([w.selected, w.cluster, (w.links['selection'].picked or {}).get('keys', [])]))",
    "print(json.dumps([v.names, e.names_, v.concept, v.sort]))",
    "w.selected = [4]; v.names = ['ear', *v.names[1:]]",
]


def test_in_jupyterlab_a_lasso_is_one_message_and_names_are_python_s(browser: Any, tmp_path: Path) -> None:
    write_notebook(tmp_path / "concepts.ipynb", CELLS)
    with jupyterlab(tmp_path) as url:
        page = open_notebook(browser, url, "concepts.ipynb", width=1400)
        page.evaluate(COUNT)
        for cell in (0, 1, 2):
            run_cell(page, cell)
        page.wait_for_selector(".salw-concept-table canvas")
        page.wait_for_timeout(700)
        at = screen(page)
        stage = page.locator(".salw-scatter")
        stage.scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        box = stage.bounding_box()
        page.evaluate("window.sent = 0")
        for i in range(30):
            page.mouse.move(box["x"] + 20 + 10 * i, box["y"] + 0.5 * box["height"])
        page.wait_for_timeout(400)
        assert page.evaluate("window.sent") == 0
        around(page, *corners(at[[0, 2]]))
        page.wait_for_timeout(500)
        assert page.evaluate("window.sent") <= 2  # the view's own traits, and the link
        selected, cluster, keys = json.loads(run_cell(page, 3))
        assert (selected, cluster, len(keys)) == ([0, 2], -1, 4)
        row = page.locator(".salw-concept-table tbody tr").first
        row.scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        page.evaluate("window.sent = 0")
        row.hover()
        page.mouse.move(1, 1)
        page.wait_for_timeout(300)
        assert page.evaluate("window.sent") == 0
        row.locator("input").fill("the tag")
        row.locator("input").press("Enter")
        row.locator("button").click()
        page.wait_for_timeout(300)
        names = ["concept 1", "the tag", "concept 3"]
        assert json.loads(run_cell(page, 4)) == [names, names, 1, "importance"]
        run_cell(page, 5)
        page.wait_for_timeout(400)
        assert page.locator(".salw-concept-table tbody input").evaluate_all("els => els.map(e => e.value)") == \
            ["the tag", "ear", "concept 3"]
        assert page.locator(".salw-clusters .salw-note").first.inner_text().startswith("1 image picked")
        page.context.close()
