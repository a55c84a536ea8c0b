"""The quickstart in a real JupyterLab: it runs top to bottom, and what a newcomer touches answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import pixels
from jupyter import interrupt, kernel_status, notebook, run_all, run_cell, start_cell, wait_for_kernel
from test_jupyterlab import drag

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    from examples.nets import find_data

    data = find_data()
    env = {} if data is None else {"SALWIDGETS_DATA": str(data)}
    with notebook(browser, ROOT / "notebooks" / "quickstart.ipynb", env=env) as found:
        assert run_all(found, 300) == []
        found.wait_for_timeout(500)
        yield found


def cell_with(page: Any, text: str) -> int:
    """Index of the code cell whose source holds ``text``."""
    sources = page.evaluate("""() => window.jupyterapp.shell.currentWidget.content.widgets
        .filter(c => c.model.type === "code").map(c => c.model.sharedModel.getSource())""")
    return next(i for i, s in enumerate(sources) if text in s)


def test_every_view_is_shown(page: Any) -> None:
    page.locator(".salw-contrast").scroll_into_view_if_needed()
    head = page.locator(".salw-contrast .salw-head", has_text="Why “plumemoth” rather than “glimmoth”?")
    head.wait_for(timeout=10_000)
    assert page.locator(".salw-heatmap").count() >= 2


def test_brushing_a_region_changes_the_python_trait(page: Any) -> None:
    index = cell_with(page, "left.selection")
    run_cell(page, index)
    page.wait_for_function("""() => document.querySelector(".jp-Notebook").innerText.includes("(None, None)")""")
    drag(page, page.locator(".salw-heatmap .salw-stage").first, (0.2, 0.2), (0.6, 0.5))
    page.wait_for_timeout(300)
    start_cell(page, index)
    page.wait_for_function("""() => document.querySelector(".jp-Notebook").innerText.includes("'kind': 'box'")""")


def test_the_contrast_answers_while_the_kernel_is_busy(page: Any) -> None:
    view = page.locator(".salw-contrast")
    view.scroll_into_view_if_needed()
    maps = [view.locator(".salw-map").nth(i) for i in range(3)]
    before = [pixels(m) for m in maps]
    page.evaluate("""() => { void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
        .requestExecute({ code: "import time\\nfor _ in range(300): time.sleep(.1)" }); }""")
    wait_for_kernel(page, "busy")
    foil = view.get_by_role("combobox").nth(1)
    foil.click()
    foil.fill("sporemoth")
    foil.press("Enter")
    page.wait_for_timeout(100)
    other = [pixels(m) for m in maps]
    assert not np.array_equal(before[2], other[2])
    view.get_by_role("button", name="Target up to its group: flutterling").click()
    page.wait_for_timeout(100)
    assert not np.array_equal(other[0], pixels(maps[0]))
    assert view.locator(".salw-head").inner_text() == "Why “flutterling” rather than “sporemoth”?"
    assert kernel_status(page) == "busy"
    interrupt(page)
    wait_for_kernel(page, "idle")
