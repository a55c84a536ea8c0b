"""Eraser in an exported page (pixels as numpy fills them, no kernel) and in JupyterLab, where the model answers."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
from chromium import pixels
from every import erased
from jupyter import jupyterlab, open_notebook, run_cell, write_notebook
from test_pages import opened, settle  # noqa: F401 - a fixture

from salwidgets.captions import signed

HERE = Path(__file__).parent


def drag(page: Any, stage: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over a stage, in shares of its width and height."""
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[1], steps=6)
    page.mouse.up()


def test_the_picture_is_filled_as_numpy_fills_it_with_no_kernel(opened: Any) -> None:  # noqa: F811
    view = erased("husky")
    view.erase((0, 0, 60, 100), "mean")
    view.erase((10, 20, 40, 60), "black")
    page = opened(view)
    expected = view._image.copy()
    expected[view.mask] = 0
    shown = page.locator(".salw-eraser .salw-picture").nth(1)
    np.testing.assert_array_equal(pixels(shown)[..., :3], expected)
    told = page.locator(".salw-told").inner_text()
    assert f"the score should change by {signed(view.erased.predicted)} logits" in told
    assert f"changes by {signed(view.erased.change)} logits" in told
    page.get_by_role("button", name="Reset").click()
    drag(page, page.locator(".salw-eraser .salw-stage").nth(1), (0.25, 0.5), (0.75, 0.5))
    settle(page)
    drawn = pixels(shown)[..., :3]
    gone = (drawn == 0).all(-1)
    assert gone[30, 26:74].all()
    assert not gone[:20].any() and not gone[:, :15].any()
    np.testing.assert_array_equal(drawn[~gone], view._image[~gone])
    assert "need a running kernel" in page.locator(".salw-eraser .salw-status").inner_text()
    page.get_by_label("Paint", exact=True).select_option("mean")
    settle(page)
    mean = view._erasing.picture("mean")[0, 0]
    np.testing.assert_array_equal(pixels(shown)[30, 50, :3], mean)
    page.get_by_label("Paint", exact=True).focus()
    page.keyboard.press("Control+z")  # outside of a stage: nothing
    page.locator(".salw-eraser .salw-stage").first.press("u")
    settle(page)
    np.testing.assert_array_equal(pixels(shown)[..., :3], view._image)


def test_in_jupyterlab_the_model_answers_while_one_paints(browser: Any, tmp_path: Path) -> None:
    write_notebook(tmp_path / "eraser.ipynb", [
        f"import sys; sys.path.insert(0, {str(HERE)!r}); import json, os, every; v = every.erased('husky'); v.reset(); v",
        "print(json.dumps([int(v.mask.sum()), v.erased.change, v.answer['paint'] == v.paint, os.getpid()]))"])
    with jupyterlab(tmp_path) as url:
        page = open_notebook(browser, url, "eraser.ipynb", width=1400)
        run_cell(page, 0)
        stage = page.locator(".salw-eraser .salw-stage").nth(1)
        stage.wait_for()
        page.wait_for_timeout(600)
        drag(page, stage, (0.25, 0.5), (0.75, 0.5))
        told = page.locator(".salw-told")
        told.get_by_text("the score changes by").wait_for()
        page.wait_for_timeout(500)
        painted, change, fresh, kernel = json.loads(run_cell(page, 1))
        assert painted > 300 and fresh
        assert f"changes by {signed(change)} logits" in told.inner_text()
        os.kill(kernel, signal.SIGSTOP)  # a kernel that is busy with a cell still answers, through a subshell
        try:
            stage.press("Delete")
            drag(page, stage, (0.1, 0.2), (0.3, 0.2))
            page.locator(".salw-eraser .salw-status", has_text="No answer from the kernel").wait_for(timeout=9000)
            assert "Numbers of an earlier answer." in page.locator(".salw-scores").inner_text()
        finally:
            os.kill(kernel, signal.SIGCONT)
        told.get_by_text("the score changes by").wait_for(timeout=9000)
        assert not page.locator(".salw-eraser .salw-status").is_visible()
        page.context.close()
