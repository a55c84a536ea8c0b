"""A region is named in a page with no kernel: outlined in every linked view, in a table; in JupyterLab sentences use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fakes
from jupyter import jupyterlab, open_notebook, run_cell, write_notebook
from test_eraser import drag
from test_pages import opened, settle  # noqa: F401 - a fixture

from salwidgets.captions import signed
from salwidgets.widgets import Comparison, Heatmap, link

HERE = Path(__file__).parent


def test_a_name_is_outlined_in_every_linked_view(opened: Any) -> None:  # noqa: F811
    heat, grid = Heatmap(fakes.explanation()), Comparison([fakes.explanation(), fakes.explanation(layer="b")])
    heat.regions = {"tail": [30, 50, 60, 100]}
    link(heat, grid)
    page = opened(heat, grid)
    names = page.locator(".salw-outline-name")
    assert names.all_text_contents() == ["tail"] * 3
    drag(page, page.locator(".salw-heatmap .salw-stage"), (0.22, 0.18), (0.55, 0.63))
    box = page.locator(".salw-heatmap").get_by_label("Name the region")
    box.fill("<b>left ear</b>")
    box.press("Enter")
    settle(page)
    assert names.all_text_contents() == ["tail", "<b>left ear</b>"] * 3
    row = page.locator(".salw-comparison .salw-naming tbody tr").nth(1)
    inside = float(heat.shown_map()[1:4, 2:6].sum())
    assert row.locator("td").nth(2).inner_text() == signed(inside)
    page.locator(".salw-comparison").get_by_role("button", name="Forget the name tail").click()
    settle(page)
    assert names.all_text_contents() == ["<b>left ear</b>"] * 3
    page.locator(".salw-comparison").get_by_role("button", name="<b>left ear</b>", exact=True).press("Enter")
    settle(page)
    assert "rows 10" in page.locator(".salw-heatmap .salw-readout").inner_text()


def test_in_jupyterlab_the_name_reaches_python_and_the_sentences(browser: Any, tmp_path: Path) -> None:
    write_notebook(tmp_path / "names.ipynb", [
        f"import sys; sys.path.insert(0, {str(HERE)!r}); import json, fakes; import salwidgets as sw",
        "e = fakes.explanation(); h = sw.Heatmap(e); h", "n = sw.Narrative(sw.verbalize(e)); sw.link(h, n); n",
        "print(json.dumps([h.regions, n.shown[0].text]))"])
    with jupyterlab(tmp_path) as url:
        page = open_notebook(browser, url, "names.ipynb", width=1400)
        for cell in range(3):
            run_cell(page, cell)
        page.wait_for_selector(".salw-narrative .salw-sentences li")
        page.wait_for_timeout(500)
        drag(page, page.locator(".salw-heatmap .salw-stage"), (0.02, 0.55), (0.98, 0.98))
        box = page.locator(".salw-heatmap").get_by_label("Name the region")
        box.fill("both feet")
        box.press("Enter")
        page.locator(".salw-narrative .salw-sentences").get_by_text("both feet").first.wait_for(timeout=8000)
        regions, text = json.loads(run_cell(page, 3))
        assert regions == {"both feet": [30, 0, 60, 100]}
        assert "both feet" in text
        page.context.close()
