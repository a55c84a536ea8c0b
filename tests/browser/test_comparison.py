"""Comparison in exported pages and in JupyterLab: pixels equal numpy's, 64 maps stay fluid, nothing for axe, no messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fakes
import grids
import numpy as np
import pytest
from chromium import pixels
from jupyter import jupyterlab, open_notebook, run_cell, write_notebook
from test_pages import AXE, PLAIN, opened, settle  # noqa: F401 - a fixture

from salwidgets.captions import percent
from salwidgets.explanation import Explanations, from_array
from salwidgets.questions import why
from salwidgets.scale import Scale
from salwidgets.widgets import ClassTree, Comparison, Heatmap, link

HERE = Path(__file__).parent
HOSTILE = "<img src=x onerror=alert(1)>"


def grid(rows: int = 3, columns: int = 2, size: tuple[int, int] = (6, 10)) -> Explanations:
    """Not square, signed, with what is no number."""
    rng = np.random.default_rng(0)
    found = []
    for i in range(rows):
        picture = fakes.picture().copy()
        picture[0, 0] = i
        for j in range(columns):
            values = rng.normal(size=size).astype(np.float32)
            values[0, 0], values[-1, 0] = np.nan, np.inf
            found.append(from_array(values, picture, why("husky"), method=f"m{j} {HOSTILE}", score=float(i)))
    return Explanations(found, (rows, 1, columns))


def shown(page: Any) -> list[np.ndarray]:
    """Pixels of all maps, line by line as they stand."""
    maps = page.locator(".salw-tile .salw-map")
    return [pixels(maps.nth(i)) for i in range(maps.count())]


def test_maps_pictures_differences_and_order_equal_numpys(opened: Any) -> None:  # noqa: F811
    es = grid()
    view = Comparison(es)
    view.scale = Scale.fit(*(e.values for e in es), threshold=0.2, **PLAIN)
    page = opened(view)
    np.testing.assert_array_equal(shown(page), [view.scale.rgba(e.values) for e in es])
    np.testing.assert_array_equal(pixels(page.locator(".salw-tile .salw-picture").nth(2))[..., :3], es[2].image)
    page.get_by_label("Difference to").select_option(f"m1 {HOSTILE}")
    page.get_by_label("Sort rows by").select_option("score")
    page.wait_for_timeout(200)
    view.reference, view.sort = f"m1 {HOSTILE}", "score"
    maps = view.shown_maps()
    scale = Scale.fit(*maps, threshold=0.2, **PLAIN)
    assert scale == view.scale
    order = [2 * row + column for row in view.order() for column in range(2)]
    np.testing.assert_array_equal(shown(page), [scale.rgba(maps[i]) for i in order])
    assert page.locator(".salw-row-head").all_inner_texts() == ["Input 3", "Input 2", "Input 1"]
    assert page.locator(".salw-tile-note").all_inner_texts() == ["difference", "the reference"] * 3


def test_each_map_may_have_its_own_scale(opened: Any) -> None:  # noqa: F811
    es = grid()
    es[3].values *= 100
    view = Comparison(es, scale="each")
    view.scale = view.scale.changed(**PLAIN)
    page = opened(view)
    np.testing.assert_array_equal(shown(page), [Scale.fit(e.values, **PLAIN).rgba(e.values) for e in es])
    assert page.get_by_text("each map has its own scale").is_visible()
    page.get_by_label("a scale of its own for each map").uncheck()
    page.wait_for_timeout(100)
    np.testing.assert_array_equal(shown(page), [view.scale.rgba(e.values) for e in es])
    assert not page.get_by_text("each map has its own scale").is_visible()


def test_a_brush_on_one_map_is_read_on_all_and_in_a_linked_view(opened: Any) -> None:  # noqa: F811
    es = grid()
    view, heat = Comparison(es), Heatmap(es[0])
    link(view, heat)
    page = opened(view, heat)
    box = page.locator(".salw-tile-stage").nth(3).bounding_box()
    page.mouse.move(box["x"] + 0.22 * box["width"], box["y"] + 0.18 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.55 * box["width"], box["y"] + 0.63 * box["height"], steps=3)
    page.mouse.up()
    settle(page)
    view.selection = {"box": [10, 20, 40, 60]}
    shares = view.shares()
    assert shares is not None
    said = page.locator(".salw-tile-at").all_inner_texts()
    for share, text in zip(shares, said, strict=True):
        assert text.replace("\u202f", " ").endswith(f"{percent(share.absolute)} in region")
    assert "rows 10–40, columns 20–60" in page.locator(".salw-heatmap .salw-readout").inner_text()
    cursors = page.locator(".salw-mark-cell")
    assert [cursors.nth(i).is_visible() for i in range(6)] == [True] * 6


def test_keyboard_walks_zooms_and_pans(opened: Any) -> None:  # noqa: F811
    page = opened(Comparison(grid()))
    page.locator(".salw-tile-stage").first.focus()
    for key in ("n", "j", "Home", "ArrowRight", "i"):
        page.keyboard.press(key)
    settle(page)
    assert "Most of it: " in page.evaluate("document.activeElement.getAttribute('aria-label')")  # where the map lies
    assert page.locator(".salw-now").inner_text() == f"Input 2, m1 {HOSTILE}"
    assert page.locator(".salw-live").inner_text().startswith(f"Input 2, m1 {HOSTILE}.")
    lefts = page.locator(".salw-tile .salw-layers").evaluate_all("els => els.map(el => [el.style.width, el.style.left])")
    assert {width for width, _ in lefts} == {"150%"}
    page.keyboard.press("Control+ArrowRight")
    settle(page)
    after = page.locator(".salw-tile .salw-layers").first.evaluate("el => el.style.left")
    assert float(after.strip("%")) < float(lefts[0][1].strip("%"))


def test_a_class_tree_asks_all_maps_at_once(opened: Any) -> None:  # noqa: F811
    basis = fakes.basis()
    tree, view = ClassTree(basis), Comparison([basis, fakes_twin(basis)], target="husky", foil="wolf")
    link(tree, view)
    page = opened(tree, view)
    page.locator('.salw-classtree [role=treeitem][aria-label^="dog "]').click()
    page.locator('.salw-classtree [role=treeitem][aria-label^="cat "]').click(modifiers=["Shift"])
    page.wait_for_timeout(300)
    view.target, view.foil = "dog", "cat"
    look = {n: getattr(view.scale, n) for n in ("opacity", "fade")}
    scale = Scale.fit(*view.shown_maps(), **look).changed(opacity=1.0)
    for got, values in zip(shown(page), view.shown_maps(), strict=True):
        want = scale.rgba(values).astype(int)
        visible = want[..., 3] > 60
        assert np.abs(got.astype(int) - want)[visible].max() <= 3
    assert page.locator(".salw-comparison .salw-head").inner_text() == "Why “dog” rather than “cat”?"


def fakes_twin(basis: Any) -> Any:
    """The same classes under another method."""
    twin = fakes.basis()
    twin.maps = basis.maps[..., ::-1] * 2
    twin.method = "lrp"
    return twin


def test_float16_pages_show_the_maps_within_the_error_they_state(browser: Any) -> None:
    es = grids.grid_of(224, 2, 3)
    view = Comparison(es)
    view.scale = Scale.fit(*(e.values for e in es), **PLAIN)
    with grids.open_page(view, browser) as page:
        said = page.locator(".salw-comparison").inner_text().replace("\u202f", " ")
        assert "largest error < 0.1 % of a map's range" in said
        for got, e in zip(shown(page), es, strict=True):
            gap = 1e-3 * float(np.ptp(e.values))
            low, here, high = (view.scale.rgba(e.values + d).astype(int) for d in (-gap, 0, gap))
            inside = (got >= np.minimum(np.minimum(low, high), here)) & (got <= np.maximum(np.maximum(low, high), here))
            assert inside.all()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1120, 320])
def test_axe_finds_nothing_and_nothing_overflows(opened: Any, scheme: str, width: int) -> None:  # noqa: F811
    if not AXE.exists():
        pytest.skip("axe-core is not installed (npm ci in js/)")
    views = [Comparison(grid(), reference=0, scores={"deletion": np.arange(6.0)}), Comparison(grid(1, 4)),
             Comparison(fakes.basis(), foil="wolf", target="husky")]
    page = opened(*views, color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    for fold in page.locator("summary").all():
        fold.click()
    settle(page)
    page.evaluate(f"() => {{ {AXE.read_text(encoding='utf-8')} }}")
    found = page.evaluate("async () => (await axe.run()).violations.map(v => [v.id, v.nodes.map(n => n.html)])")
    assert found == [], json.dumps(found, indent=1)[:3000]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_64_maps_answer_every_gesture_without_a_kernel(browser: Any) -> None:
    with grids.open_page(Comparison(grids.grid_of(14)), browser) as page:
        for gesture in grids.GESTURES:
            found = grids.frames(page, gesture, 20)  # how fast it is stands in the benchmarks
            assert 0 < found["median_ms"] <= found["p95_ms"], (gesture, found)


def test_another_foil_paints_what_is_seen_first(browser: Any) -> None:
    view = Comparison(grids.basis_of(56, 64, 3), target="class 0", foil="class 1", columns="inputs")
    with grids.open_page(view, browser) as page:
        found = grids.another_foil(page, "class 2")
        assert 0 < found["visible"] < 64
        assert found["last_visible_ms"] <= found["first_hidden_ms"]


def test_views_that_are_closed_leave_nothing(browser: Any) -> None:
    found = grids.leftovers(browser, 40)
    assert found["traits"] == 0
    assert found["canvases"] == 0
    assert found["listeners"] <= 0
    assert found["nodes"] <= 0


CELLS = [
    f"import sys; sys.path.insert(0, {str(HERE)!r}); import fakes, test_comparison as t; from salwidgets.widgets import *",
    "w = Comparison(t.grid()); w",
    "import json; print(json.dumps([w.selection and w.selection['box'], w.sort, w.active]))",
    "w.reference = 0",
    "from ipywidgets.widgets.widget import _instances\nfrom IPython.display import display\nbefore = len(_instances)\n"
    "views = [Comparison(t.grid(1, 2)) for _ in range(200)]\nfor v in views[:10]: display(v)\n"
    "for v in views: v.close()\nprint(len(_instances) - before)",
]


def test_in_jupyterlab_hovering_sends_nothing_and_a_brush_one_message(browser: Any, tmp_path: Path) -> None:
    write_notebook(tmp_path / "views.ipynb", CELLS)
    with jupyterlab(tmp_path) as url:
        page = open_notebook(browser, url, "views.ipynb", width=1400)
        page.evaluate(COUNT)
        for cell in (0, 1):
            run_cell(page, cell)
        page.wait_for_selector(".salw-comparison .salw-map")
        page.wait_for_timeout(700)
        stage = page.locator(".salw-tile-stage").nth(3)
        stage.scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        box = stage.bounding_box()
        page.evaluate("window.sent = 0")
        for i in range(30):
            page.mouse.move(box["x"] + (0.1 + 0.025 * i) * box["width"], box["y"] + 0.5 * box["height"])
        page.wait_for_timeout(400)
        assert page.evaluate("window.sent") == 0
        page.mouse.move(box["x"] + 0.22 * box["width"], box["y"] + 0.18 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.55 * box["width"], box["y"] + 0.63 * box["height"], steps=20)
        page.mouse.up()
        page.wait_for_timeout(400)
        sent = page.evaluate("window.sent")
        assert 1 <= sent <= 3, sent  # the panel that was touched, and the region
        page.locator(".salw-comparison").get_by_label("Sort rows by").select_option("score")
        page.wait_for_timeout(300)
        assert json.loads(run_cell(page, 2)) == [[10, 20, 40, 60], "score", 3]
        run_cell(page, 3)
        page.wait_for_timeout(300)
        assert page.locator(".salw-tile-note").first.inner_text() == "the reference"
        canvases = page.locator("canvas").count()
        assert run_cell(page, 4, timeout=120).strip().endswith("0")
        page.wait_for_timeout(800)
        assert page.locator("canvas").count() == canvases
        page.context.close()


COUNT = """() => {
  window.sent = 0;
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  kernel.anyMessage.connect((_, { msg, direction }) => {
    if (direction === "send" && msg.header.msg_type.startsWith("comm")) window.sent += 1;
  });
}"""
