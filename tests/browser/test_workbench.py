"""Workbench: its exported page (pixels, no kernel), one whole session in JupyterLab, and a kernel killed at work."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import fakes
import numpy as np
from chromium import Watched, pixels
from every import bench
from jupyter import jupyterlab, open_notebook, run_cell, write_notebook
from test_eraser import drag
from test_pages import PLAIN, opened, settle  # noqa: F401 - a fixture

from salwidgets.widgets import save_notebook

HERE = Path(__file__).parent

START = f"""import sys; sys.path.insert(0, {str(HERE)!r})
import json, time
import salwidgets as sw
world = sw.worlds.creatures(n=4, seed=0)
model = world.model("cnn")
w = sw.Workbench(model, world.images)
w"""


def test_the_page_draws_what_numpy_draws_and_says_what_needs_a_kernel(opened: Any) -> None:  # noqa: F811
    view = bench("husky")
    view.index = 1
    view.parts["maps"].each = False
    view.regions = {"left ear": [5, 8, 20, 30]}
    view.scale = view.scale.changed(**PLAIN)
    page = opened(view)
    maps = page.locator(".salw-inside-maps .salw-map")
    for i, e in enumerate(view.answers):
        np.testing.assert_array_equal(pixels(maps.nth(i)), view.scale.rgba(e.values))
    shown = pixels(page.locator(".salw-inside-maps .salw-picture").first)[..., :3].astype(int)
    assert np.abs(shown - (255 - fakes.picture().astype(int))).max() <= 1  # the second picture, and not turned
    said = page.locator(".salw-bench-status").inner_text()
    assert "need a running kernel" in said
    controls = page.locator(".salw-bench-controls input, .salw-bench-controls button, .salw-bench-controls select")
    assert controls.count() > 6
    assert all(control.is_disabled() for control in controls.all())
    assert page.locator(".salw-strip [aria-checked=true]").inner_text() == "husky 2"
    assert page.locator(".salw-outline-name").all_text_contents() == ["left ear"] * 2
    assert "left ear" in page.locator(".salw-inside-words .salw-sentences").inner_text()
    page.locator(".salw-inside-words button.salw-sentence").first.hover()  # what is there answers with no kernel
    settle(page)
    assert page.locator(".salw-inside-maps .salw-part").count() > 0
    page.locator(".salw-inside-tree .salw-spots").get_by_text("rest", exact=True).first.click()
    settle(page)
    said = page.locator(".salw-bench-status").inner_text()
    assert "Why “rest” rather than “wolf”?" in said and "shown is Why “husky” rather than “wolf”?" in said
    assert page.locator(".salw-workbench > .salw-head").inner_text() == "Why “husky” rather than “wolf”?"


def choose(page: Any, side: str, name: str) -> None:
    """Pick a class or group in the question bar."""
    box = page.locator(".salw-askbar").get_by_label(side, exact=True).first
    box.click()
    box.fill(name)
    box.press("Enter")


def headed(page: Any, text: str) -> None:
    """The workbench has answered the question."""
    page.locator(".salw-workbench > .salw-head", has_text=text).wait_for(timeout=20_000)


def test_a_session_in_jupyterlab(browser: Any, tmp_path: Path) -> None:
    """Load an image, ask a class, walk to its group, set a foil, compare four methods, name a region, erase a part, export
    page and PDF."""
    write_notebook(tmp_path / "bench.ipynb", [
        START,
        "now = w.index, str(w.question), w.methods, [e.method for e in w.answers], w.regions, w.title, w.lead",
        "print(json.dumps([*now, w.parts['eraser'].erased.change]))",
        "p = w.save_html('bench.html'); w.figure(width='cvpr-double').savefig('bench.pdf'); print(p)",
        "w.question = sw.why(world.classes[0]); print(w.title)"])
    with jupyterlab(tmp_path) as url:
        page = open_notebook(browser, url, "bench.ipynb", width=1400)
        errors: list[str] = []
        page.on("pageerror", lambda e: errors.append(str(e)))
        assert "Error" not in run_cell(page, 0, timeout=60)
        page.locator(".salw-workbench .salw-inside-tree .salw-spots").wait_for()
        page.wait_for_function("() => !document.querySelector('.salw-bench-controls').disabled")
        names = json.loads(run_cell_with(page, "print(json.dumps([world.labels, world.classes, "
                                         "[world.taxonomy.parent(c) for c in world.classes]]))"))
        labels, classes, parents = names
        cls = labels[2]
        group = parents[classes.index(cls)]
        foil = next(c for c, p in zip(classes, parents, strict=True) if p == group and c != cls)
        page.locator(".salw-strip button").first.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.wait_for_function("() => document.querySelectorAll('.salw-strip button')[2].ariaChecked === 'true'")
        choose(page, "Why", cls)
        headed(page, f"Why “{cls}”?")
        page.locator(".salw-inside-tree .salw-spots").get_by_text(group, exact=True).first.click()
        headed(page, f"Why “{group}”?")
        choose(page, "Why", cls)
        choose(page, "rather than", foil)
        headed(page, f"Why “{cls}” rather than “{foil}”?")
        page.locator(".salw-methods summary").click()
        for method in ("lrp", "occlusion", "integrated-gradients"):
            page.locator(".salw-methods").get_by_label(method, exact=True).check()
        page.locator(".salw-inside-maps .salw-tile-stage").nth(3).wait_for(timeout=20_000)
        page.locator(".salw-methods summary").click()
        page.get_by_label("Sentences tell").select_option("occlusion")
        page.locator(".salw-inside-words .salw-sentences", has_text="cclusion").wait_for(timeout=10_000)
        page.wait_for_timeout(500)
        drag(page, page.locator(".salw-inside-maps .salw-tile-stage").first, (0.2, 0.1), (0.6, 0.5))
        name = page.locator(".salw-workbench").get_by_label("Name the region")
        name.fill("the head")
        name.press("Enter")
        page.locator(".salw-inside-words .salw-sentences", has_text="the head").wait_for(timeout=10_000)
        page.locator(".salw-bench-paint summary").first.click()
        stage = page.locator(".salw-inside-eraser .salw-stage").nth(1)
        stage.wait_for(timeout=10_000)
        page.wait_for_timeout(600)
        drag(page, stage, (0.3, 0.3), (0.6, 0.3))
        page.locator(".salw-inside-eraser .salw-told").get_by_text("the score changes by").wait_for(timeout=10_000)
        run_cell(page, 1)
        index, question, methods, answered, regions, title, lead, change = json.loads(run_cell(page, 2))
        assert change != 0
        assert (index, question, title) == (2, f"Why “{cls}” rather than “{foil}”?", f"Why “{cls}” rather than “{foil}”?")
        assert sorted(methods) == sorted(answered) == ["grad-cam", "integrated-gradients", "lrp", "occlusion"]
        assert list(regions) == ["the head"] and lead == "occlusion"
        run_cell(page, 3)
        assert (tmp_path / "bench.pdf").read_bytes().startswith(b"%PDF")
        last = run_cell_with(page, "print(w.request['id'])")
        run_cell(page, 4)
        headed(page, f"Why “{classes[0]}”?")
        page.wait_for_timeout(600)
        assert run_cell_with(page, "print(w.request['id'])") == last  # asked from Python: the view asks nothing again
        assert errors == []
        page.context.close()
        watched = Watched.file(browser, tmp_path / "bench.html")
        assert watched.page.locator(".salw-workbench > .salw-head").inner_text() == f"Why “{cls}” rather than “{foil}”?"
        watched.page.locator(".salw-inside-maps .salw-tile-stage").nth(3).wait_for()
        assert "the head" in watched.page.locator(".salw-inside-words .salw-sentences").inner_text()
        assert watched.errors == []
        watched.close()


def run_cell_with(page: Any, code: str) -> str:
    """Run code in the notebook's kernel, without a cell, and return what it printed."""
    return page.evaluate("""async (code) => {
        const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
        let text = "";
        const future = kernel.requestExecute({ code });
        future.onIOPub = (m) => { if (m.header.msg_type === "stream") text += m.content.text; };
        await future.done;
        return text; }""", code)


def test_a_kernel_killed_at_work_leaves_what_is_shown(browser: Any, tmp_path: Path) -> None:
    slow = """
before = w._bench._step
def slowly(done, total):
    time.sleep(0.3)
    before(done, total)
w._bench._step = slowly"""
    write_notebook(tmp_path / "bench.ipynb", [START, "import os; print(os.getpid())"])
    with jupyterlab(tmp_path) as url:
        page = open_notebook(browser, url, "bench.ipynb", width=1400)
        run_cell(page, 0, timeout=60)
        page.wait_for_function("() => document.querySelector('.salw-bench-controls')?.disabled === false")
        run_cell_with(page, slow)
        pid = int(run_cell(page, 1))
        head = page.locator(".salw-workbench > .salw-head").inner_text()
        page.locator(".salw-methods summary").click()
        page.locator(".salw-methods").get_by_label("rise", exact=True).check()
        status = page.locator(".salw-bench-status")
        status.get_by_text("rise on Picture 1").wait_for(timeout=10_000)
        assert status.locator("progress").is_visible()
        status.get_by_role("button", name="Stop").click()
        status.get_by_text("Stopped.").wait_for(timeout=10_000)
        status.get_by_role("button", name="Ask again").click()
        status.get_by_text("rise on Picture 1").wait_for(timeout=10_000)
        os.kill(pid, signal.SIGKILL)
        status.get_by_text("No answer from the kernel").wait_for(timeout=12_000)
        assert page.locator(".salw-workbench > .salw-head").inner_text() == head
        assert page.locator(".salw-inside-maps .salw-tile-stage").count() == 1
        assert page.locator(".salw-inside-words .salw-sentences li").count() > 0
        if page.locator(".jp-Dialog").count():  # JupyterLab's own word about it
            page.locator(".jp-Dialog button").last.click()
        drag(page, page.locator(".salw-inside-maps .salw-tile-stage").first, (0.2, 0.2), (0.7, 0.7))
        page.locator(".salw-inside-maps .salw-readout", has_text="rows").wait_for(timeout=5000)
        page.context.close()


def test_two_tabs_of_one_notebook_ask_once(browser: Any, tmp_path: Path) -> None:
    write_notebook(tmp_path / "bench.ipynb", [START, """seen = []
before = w._worker.submit
def counted(request, **how):
    seen.append(request["target"])
    before(request, **how)
w._worker.submit = counted""", "print(json.dumps(seen))"])
    with jupyterlab(tmp_path) as url:
        one = open_notebook(browser, url, "bench.ipynb", width=1400)
        run_cell(one, 0, timeout=60)
        run_cell(one, 1)
        one.wait_for_function("() => document.querySelector('.salw-bench-controls')?.disabled === false")
        one.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        one.wait_for_timeout(800)
        two = open_notebook(browser, url, "bench.ipynb", width=1400, context=one.context)
        two.wait_for_function("() => document.querySelector('.salw-bench-controls')?.disabled === false", timeout=30_000)
        classes = json.loads(run_cell_with(two, "print(json.dumps(world.classes))"))
        for active, other, name in ((one, two, classes[4]), (two, one, classes[7])):
            active.bring_to_front()
            choose(active, "Why", name)
            headed(active, f"Why “{name}”?")
            other.bring_to_front()
            headed(other, f"Why “{name}”?")
            other.wait_for_timeout(500)
            for page in (one, two):
                assert page.locator(".salw-bench-status").inner_text() == ""
        assert json.loads(run_cell(one, 2)) == [classes[4], classes[7]]
        one.context.close()


def test_a_notebook_page_keeps_it_alive(browser: Any, tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "bench.ipynb", [START])
    made = save_notebook(path, tmp_path / "notebook.html", execute=True)
    assert (made.live, made.pictures, made.lost) == (1, 0, 0)
    watched = Watched.file(browser, made.path)
    watched.page.locator(".salw-inside-maps .salw-tile-stage").wait_for()
    assert watched.page.locator(".salw-inside-words .salw-sentences li").count() > 0
    assert watched.page.locator(".salw-inside-tree .salw-spots").count() == 1
    assert watched.errors == []
    watched.close()
