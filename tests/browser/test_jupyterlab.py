"""In a real JupyterLab: a brush reaches Python, and a busy kernel holds nothing up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import pixels
from jupyter import (
    interrupt,
    jupyterlab,
    kernel_status,
    open_notebook,
    run_all,
    run_cell,
    start_cell,
    wait_for_kernel,
    write_notebook,
)

from salwidgets.captions import percent

HERE = Path(__file__).parent

CELLS = [
    f"import sys; sys.path.insert(0, {str(HERE)!r}); import fakes; from salwidgets.widgets import *",
    "h = Heatmap(fakes.explanation()); h",
    "twin = Heatmap(fakes.explanation(3, 5)); twin",
    "c = Contrast(fakes.basis(), 'husky', 'wolf'); c",
    "import json; print(json.dumps([h.selection and h.selection['box'], h.share, int(h.region_mask().sum()), "
    "twin.selection and twin.selection['box']]))",
    "print(json.dumps([c.target, c.foil, c.mix, c.scale.limits]))",
    "import time\nfor _ in range(200): time.sleep(.1)",
    "link(h, twin, c); c.target = 'fox'; h.selection = {'box': [10, 20, 40, 60]}",
]


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "views.ipynb", CELLS)
    with jupyterlab(folder) as url:
        found = open_notebook(browser, url, "views.ipynb", width=1400)
        for cell in range(4):
            run_cell(found, cell)
        found.wait_for_selector(".salw-contrast .salw-map")
        found.wait_for_timeout(500)
        yield found
        found.context.close()


@contextmanager
def notebook_in(browser: Any, path: Path) -> Iterator[Any]:
    with jupyterlab(path.parent) as url:
        page = open_notebook(browser, url, path.name)
        yield page
        page.context.close()


def drag(page: Any, stage: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over a stage, in shares of its width and height."""
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[1], steps=4)
    page.mouse.up()


def test_a_brush_changes_the_python_trait(page: Any) -> None:
    stage = page.locator(".salw-heatmap .salw-stage").first
    drag(page, stage, (0.22, 0.18), (0.55, 0.63))  # columns 2 to 5, rows 1 to 3
    page.wait_for_timeout(300)
    box, share, inside, _ = json.loads(run_cell(page, 4))
    assert box == [10, 20, 40, 60]
    assert inside == 30 * 40
    shown = page.locator(".salw-heatmap .salw-readout").first.inner_text()
    said = [percent(s).replace(" %", "\u202f%") for s in share if s is not None]
    assert f"{said[0]} of positive" in shown
    assert f"{said[2]} of all absolute mass" in shown


def test_a_busy_kernel_holds_nothing_up(page: Any) -> None:
    view = page.locator(".salw-contrast")
    view.scroll_into_view_if_needed()
    maps = [view.locator(".salw-map").nth(i) for i in range(3)]
    before = [pixels(m) for m in maps]
    start_cell(page, 6)
    wait_for_kernel(page, "busy")
    foil = view.get_by_role("combobox").nth(1)
    foil.click()
    foil.fill("siamese")
    foil.press("Enter")
    page.wait_for_timeout(100)
    other_foil = [pixels(m) for m in maps]
    assert not np.array_equal(before[1], other_foil[1])
    assert not np.array_equal(before[2], other_foil[2])
    view.get_by_role("button", name="Target up to its group: dog").click()
    page.wait_for_timeout(100)
    assert not np.array_equal(other_foil[0], pixels(maps[0]))
    assert view.locator(".salw-head").inner_text() == "Why “dog” rather than “siamese cat”?"
    view.locator(".salw-mixer input").fill("0.8")
    page.wait_for_timeout(100)
    assert kernel_status(page) == "busy"
    interrupt(page)
    wait_for_kernel(page, "idle")
    page.wait_for_timeout(1000)  # what was done meanwhile now goes out, one message after the other
    target, chosen, mix, limits = json.loads(run_cell(page, 5))
    assert (target, chosen, mix) == ("dog", "siamese cat", 0.8)
    shown = view.locator(".salw-ticks").first.inner_text()
    assert f"{limits[1]:.2f}" in shown


def test_links_made_after_display_and_changes_from_python(page: Any) -> None:
    run_cell(page, 7)
    page.wait_for_timeout(500)
    assert page.locator(".salw-contrast .salw-head").inner_text().startswith("Why “fox”")
    readouts = page.locator(".salw-heatmap .salw-readout")
    for i in range(2):
        assert "rows 10–40, columns 20–60" in readouts.nth(i).inner_text()
    drag(page, page.locator(".salw-heatmap .salw-stage").nth(1), (0.05, 0.1), (0.25, 0.2))
    page.wait_for_timeout(300)
    box, _, _, twin = json.loads(run_cell(page, 4))
    assert box == twin == [0, 0, 20, 40]
    limits = {page.locator(".salw-ticks").nth(i).inner_text() for i in range(3)}
    assert len(limits) == 1


def test_notebook_keys_stay_out_of_the_view(page: Any) -> None:
    count = page.locator(".jp-Notebook .jp-Cell").count()
    page.locator(".salw-heatmap .salw-stage").first.focus()
    for key in ("d", "d", "x", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    page.wait_for_timeout(200)
    assert page.locator(".jp-Notebook .jp-Cell").count() == count
    assert "column" in page.locator(".salw-heatmap .salw-readout dd").first.inner_text()


def test_a_dead_kernel_is_a_normal_state(browser: Any, tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "dead.ipynb", [CELLS[0], CELLS[3]])
    with notebook_in(browser, path) as page:
        assert run_all(page, 60) == []
        page.wait_for_selector(".salw-contrast .salw-map")
        page.evaluate("async () => { await window.jupyterapp.shell.currentWidget.sessionContext.shutdown(); }")
        page.wait_for_timeout(500)
        middle = page.locator(".salw-contrast .salw-map").nth(1)
        before = pixels(middle)
        page.locator(".salw-mixer input").fill("1")
        page.wait_for_timeout(100)
        assert not np.array_equal(before, pixels(middle))
        page.locator(".salw-contrast .salw-stage").first.focus()
        for key in ("u", "Home", "Shift+ArrowRight"):
            page.keyboard.press(key)
        page.wait_for_timeout(100)
        assert page.locator(".salw-head").inner_text() == "Why “dog” rather than “wolf”?"
        assert "columns 0–20" in page.locator(".salw-lines").first.inner_text()


def test_the_whole_notebook_runs(page: Any) -> None:
    start_cell(page, 0)
    page.evaluate("""() => { const nb = window.jupyterapp.shell.currentWidget;
        nb.model.sharedModel.deleteCell(6); nb.model.sharedModel.deleteCell(4); }""")
    assert run_all(page, 60) == []
