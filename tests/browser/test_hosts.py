"""The views in Notebook 7 and marimo, run for real, and in two tabs of one notebook that share a kernel."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fakes
import numpy as np
import pytest
from chromium import pixels
from jupyter import free_port, jupyterlab, open_notebook, run_cell, served, write_notebook
from test_jupyterlab import CELLS, drag

from salwidgets.scale import Scale
from salwidgets.widgets import Contrast

HERE = Path(__file__).parent


def needs(module: str) -> Any:
    missing = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(missing, reason=f"{module} is not installed (pip install 'salwidgets[hosts]')")


def contrast_in(page: Any) -> list[np.ndarray]:
    return [pixels(page.locator(".salw-contrast .salw-map").nth(i)) for i in range(3)]


def wanted(view: Contrast) -> list[np.ndarray]:
    scale = Scale.fit(view.pair.A, view.pair.B, view.pair.mixture(0.5)).changed(opacity=1.0)  # which is the canvas's own
    return [scale.rgba(m) for m in (view.pair.A, view.pair.mixture(0.5), view.pair.B)]


def same_colours(found: list[np.ndarray], want: list[np.ndarray]) -> None:
    for got, colours in zip(found, want, strict=True):
        visible = colours[..., 3] > 60  # the canvas keeps colours multiplied by their opacity
        assert np.abs(got.astype(int) - colours.astype(int))[visible].max() <= 3


@needs("notebook")
def test_notebook_7(browser: Any, tmp_path: Path) -> None:
    write_notebook(tmp_path / "views.ipynb", CELLS)
    with jupyterlab(tmp_path, app="notebook") as url:
        page = open_notebook(browser, url, "views.ipynb", address=f"{url}/notebooks/views.ipynb")
        assert page.evaluate("window.jupyterapp.name") == "Jupyter Notebook"
        for cell in range(4):
            run_cell(page, cell)
        page.wait_for_selector(".salw-contrast .salw-map")
        page.wait_for_timeout(500)
        drag(page, page.locator(".salw-heatmap .salw-stage").first, (0.22, 0.18), (0.55, 0.63))
        page.wait_for_timeout(400)
        box, _, inside, _ = json.loads(run_cell(page, 4))
        assert box == [10, 20, 40, 60] and inside == 30 * 40
        same_colours(contrast_in(page), wanted(Contrast(fakes.basis(), "husky", "wolf")))
        page.locator(".salw-contrast").get_by_role("button", name="Target up to its group: dog").click()
        page.wait_for_timeout(600)
        assert json.loads(run_cell(page, 5))[0] == "dog"
        page.context.close()


MARIMO = f'''
import marimo

app = marimo.App()


@app.cell
def _():
    import sys
    sys.path.insert(0, {str(HERE)!r})
    import fakes
    import marimo as mo
    from salwidgets.widgets import Contrast, Heatmap, link
    h, twin = Heatmap(fakes.explanation()), Heatmap(fakes.explanation(3, 5))
    c = Contrast(fakes.basis(), "husky", "wolf")
    _ = link(h, twin)
    return c, h, mo, twin


@app.cell
def _(h, mo):
    seen = mo.ui.anywidget(h.links["selection"])
    h
    return (seen,)


@app.cell
def _(twin):
    twin
    return


@app.cell
def _(c, mo):
    asked = mo.ui.anywidget(c)
    asked
    return (asked,)


@app.cell
def _(asked, c, h, mo, seen):
    seen.value, asked.value
    mo.md(f"box {{h.selection and h.selection['box']}} target {{c.target}}")
    return


if __name__ == "__main__":
    app.run()
'''


@contextmanager
def marimo(folder: Path) -> Iterator[str]:
    (folder / "views.py").write_text(MARIMO)
    port = free_port()
    command = [sys.executable, "-m", "marimo", "run", str(folder / "views.py"), "--headless", f"--port={port}",
               "--host=127.0.0.1", "--no-token"]
    with served(command, f"http://127.0.0.1:{port}/health", {"XDG_CONFIG_HOME": str(folder), "XDG_STATE_HOME": str(folder)}):
        yield f"http://127.0.0.1:{port}"


@needs("marimo")
def test_marimo(browser: Any, tmp_path: Path) -> None:
    with marimo(tmp_path) as url:
        context = browser.new_context(viewport={"width": 1280, "height": 1200})
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector(".salw-contrast .salw-map", timeout=60_000)
        page.wait_for_timeout(800)
        same_colours(contrast_in(page), wanted(Contrast(fakes.basis(), "husky", "wolf")))
        drag(page, page.locator(".salw-heatmap .salw-stage").first, (0.22, 0.18), (0.55, 0.63))
        page.get_by_text("box [10, 20, 40, 60]").wait_for(timeout=10_000)
        readouts = page.locator(".salw-heatmap .salw-readout")
        assert all("rows 10–40, columns 20–60" in readouts.nth(i).inner_text() for i in range(2))  # linked over cells
        page.locator(".salw-contrast").get_by_role("button", name="Target up to its group: dog").click()
        page.get_by_text("target dog").wait_for(timeout=10_000)
        assert page.locator(".salw-contrast .salw-head").inner_text() == "Why “dog” rather than “wolf”?"
        context.close()


COUNT = """() => {
  window.sent = 0;
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  kernel.anyMessage.connect((_, { msg, direction }) => {
    if (direction === "send" && msg.header.msg_type.startsWith("comm")) window.sent += 1;
  });
}"""


def test_two_tabs_of_one_notebook_do_not_fight(browser: Any, tmp_path: Path) -> None:
    """A gesture in one tab reaches Python and the other tab once; the other tab answers nothing; the last one counts."""
    write_notebook(tmp_path / "views.ipynb", [*CELLS[:4], CELLS[4], "link(h, twin)",
                                           "print(json.dumps([[v.scale.cmap, v.scale.clip] for v in (h, twin)]))"])
    with jupyterlab(tmp_path) as url:
        one = open_notebook(browser, url, "views.ipynb", width=1400)
        for cell in (0, 1, 2, 5, 3):
            run_cell(one, cell)
        one.wait_for_selector(".salw-contrast .salw-map")
        one.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        one.wait_for_timeout(800)
        two = open_notebook(browser, url, "views.ipynb", width=1400, context=one.context)
        two.wait_for_selector(".salw-contrast .salw-map", timeout=30_000)
        two.wait_for_timeout(1000)
        for page in (one, two):
            page.evaluate(COUNT)
        for active, other, (start, end), box in ((one, two, ((0.22, 0.18), (0.55, 0.63)), [10, 20, 40, 60]),
                                                 (two, one, ((0.05, 0.1), (0.25, 0.2)), [0, 0, 20, 30])):
            active.bring_to_front()
            for page in (one, two):
                page.evaluate("window.sent = 0")
            drag(active, active.locator(".salw-heatmap .salw-stage").first, start, end)
            active.wait_for_timeout(1500)
            assert 1 <= active.evaluate("window.sent") <= 4
            assert other.evaluate("window.sent") == 0
            other.bring_to_front()
            other.wait_for_timeout(300)
            words = f"rows {box[0]}–{box[2]}, columns {box[1]}–{box[3]}"
            for page in (one, two):
                assert all(words in page.locator(".salw-heatmap .salw-readout").nth(i).inner_text() for i in range(2)), words
        assert json.loads(run_cell(two, 4))[0] == [0, 0, 20, 30]
        one.bring_to_front()
        one.locator(".salw-contrast").get_by_role("button", name="Target up to its group: dog").click()
        one.wait_for_timeout(1200)
        two.bring_to_front()
        two.wait_for_timeout(300)
        assert two.locator(".salw-contrast .salw-head").inner_text().startswith("Why “dog”")
        assert one.locator(".salw-contrast .salw-head").inner_text().startswith("Why “dog”")
        for active, other, cmap, limits in ((one, two, "coolwarm", "max"), (two, one, "coolwarm", "pixels:99")):
            colours_stay_in_their_tab(active, other, cmap, limits)
            # the last one counts, in Python and for views that are opened later
            assert json.loads(run_cell(two, 6)) == [[cmap, limits]] * 2
        one.context.close()


def colours_stay_in_their_tab(active: Any, other: Any, cmap: str, limits: str) -> None:
    """One tab's colours and limits reach Python in a few messages; the other keeps its own and answers nothing."""
    for page in (active, other):
        page.evaluate("window.sent = 0")
    other.bring_to_front()
    before = [pixels(other.locator(".salw-heatmap .salw-map").nth(i)) for i in range(2)]
    active.bring_to_front()
    heat = active.locator(".salw-heatmap").first
    was = pixels(heat.locator(".salw-map"))
    heat.get_by_label("Colours", exact=True).select_option(cmap)
    heat.get_by_label("Limits", exact=True).select_option(limits)
    active.wait_for_timeout(1500)
    assert not np.array_equal(was, pixels(heat.locator(".salw-map")))
    assert 1 <= active.evaluate("window.sent") <= 2
    other.bring_to_front()
    other.wait_for_timeout(300)
    assert other.evaluate("window.sent") == 0
    for i in range(2):
        np.testing.assert_array_equal(pixels(other.locator(".salw-heatmap .salw-map").nth(i)), before[i])
