"""A notebook as a page: views alive offline where the notebook holds their state, a picture with its words elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import fakes
import nbformat
import numpy as np
import pytest
from chromium import Watched, pixels
from jupyter import jupyterlab, open_notebook, run_cell, write_notebook
from test_jupyterlab import CELLS, drag

from salwidgets.cli import main
from salwidgets.errors import InputError
from salwidgets.widgets import Heatmap, save_notebook
from salwidgets.widgets.notebook_page import STATE

HOSTILE = "print('<script>window.hurt = 1</script>'); from IPython.display import HTML; " \
          "HTML('<script>window.hurt = 1</script><b onclick=\"window.hurt=1\">bold</b>')"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook that was run and holds its widgets' state."""
    from nbclient import NotebookClient

    path = write_notebook(tmp_path_factory.mktemp("ran") / "views.ipynb", [*CELLS[:4], "link(h, twin)", HOSTILE])
    node = nbformat.read(path, 4)
    node.cells.insert(0, nbformat.v4.new_markdown_cell("# A notebook\n\n<script>window.hurt = 1</script>"))
    NotebookClient(node, timeout=100).execute()
    nbformat.write(node, path)
    return path


def stateless(path: Path, target: Path) -> Path:
    node = nbformat.read(path, 4)
    node.metadata.pop("widgets", None)
    nbformat.write(node, target)
    return target


def offline(browser: Any, path: Path) -> Any:
    context = browser.new_context(offline=True, viewport={"width": 1120, "height": 900})
    page = context.new_page()
    page.goto(path.resolve().as_uri())
    page.wait_for_timeout(1500)
    return page


def test_views_are_alive_and_linked_with_no_network(browser: Any, ran: Path, tmp_path: Path,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(ran), str(tmp_path / "out.html")]) == 0
    assert "3 live views." in capsys.readouterr().out
    watched = Watched.file(browser, tmp_path / "out.html")
    page = watched.page
    e = fakes.explanation()
    shown = pixels(page.locator(".salw-heatmap .salw-map").first)
    want = Heatmap(e).scale.changed(opacity=1.0).rgba(e.values)  # over the scale that it shares now: of the same limits
    visible = want[..., 3] > 60
    assert np.abs(shown.astype(int) - want.astype(int))[visible].max() <= 3
    drag(page, page.locator(".salw-heatmap .salw-stage").first, (0.22, 0.18), (0.55, 0.63))
    page.wait_for_timeout(300)
    readouts = page.locator(".salw-heatmap .salw-readout")
    assert all("rows 10–40, columns 20–60" in readouts.nth(i).inner_text() for i in range(2))
    page.locator(".salw-contrast").get_by_role("button", name="Target up to its group: dog").click()
    page.wait_for_timeout(200)
    assert page.locator(".salw-contrast .salw-head").inner_text() == "Why “dog” rather than “wolf”?"
    assert page.locator("b", has_text="bold").is_visible()
    page.locator("b", has_text="bold").click()
    assert page.evaluate("window.hurt") is None  # only the page's own script runs
    assert [r for r in watched.requests if not r.startswith("file:///")] == []
    assert all("Content Security Policy" in error for error in watched.errors)
    watched.close()


def test_without_state_the_picture_and_its_words(browser: Any, ran: Path, tmp_path: Path) -> None:
    made = save_notebook(stateless(ran, tmp_path / "plain.ipynb"))
    assert (made.live, made.pictures, made.lost) == (0, 3, 0)
    assert "3 shown as pictures" in str(made) and made.path == tmp_path / "plain.html"
    page = offline(browser, made.path)
    picture = page.locator("img").first
    assert picture.get_attribute("alt") == Heatmap(fakes.explanation()).alt
    assert picture.evaluate("i => i.naturalWidth") > 100
    page.context.close()


def test_nbconvert_itself(browser: Any, ran: Path, tmp_path: Path) -> None:
    """Its own HTML needs a network for live views and is empty there without one; ours is chosen by --to."""
    def convert(source: Path, to: str, name: str) -> Path:
        subprocess.run([sys.executable, "-m", "nbconvert", "--to", to, str(source), "--output-dir", str(tmp_path),
                        "--output", name], check=True, capture_output=True)
        return tmp_path / f"{name}.html"

    plain = convert(stateless(ran, tmp_path / "plain.ipynb"), "html", "pictures")
    page = offline(browser, plain)
    assert page.locator(".jp-RenderedImage img").count() == 3
    page.context.close()
    theirs = convert(ran, "html", "theirs")
    page = offline(browser, theirs)
    assert page.locator(".salw-root").count() == 0
    assert "https://" in theirs.read_text()
    page.context.close()
    ours = convert(ran, "salwidgets.widgets.exporter.SalwidgetsExporter", "ours")
    page = offline(browser, ours)
    assert page.locator(".salw-root").count() == 3
    page.context.close()


def test_state_that_jupyterlab_saved(browser: Any, tmp_path: Path) -> None:
    """With what was touched there: the region travels with the file."""
    write_notebook(tmp_path / "views.ipynb", CELLS[:2])
    with jupyterlab(tmp_path) as url:
        page = open_notebook(browser, url, "views.ipynb")
        for cell in (0, 1):
            run_cell(page, cell)
        page.wait_for_selector(".salw-heatmap .salw-map")
        drag(page, page.locator(".salw-heatmap .salw-stage").first, (0.22, 0.18), (0.55, 0.63))
        page.wait_for_timeout(500)
        page.evaluate("""async () => { const { commands } = window.jupyterapp;
            await commands.execute("@jupyter-widgets/jupyterlab-manager:saveWidgetState");
            await commands.execute("docmanager:save"); }""")
        page.wait_for_timeout(500)
        page.context.close()
    assert json.loads((tmp_path / "views.ipynb").read_text())["metadata"]["widgets"][STATE]
    made = save_notebook(tmp_path / "views.ipynb")
    assert made.live == 1
    page = offline(browser, made.path)
    assert "rows 10–40, columns 20–60" in page.locator(".salw-readout").first.inner_text()
    page.context.close()


def test_execute_runs_a_notebook_and_leaves_the_file(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "new.ipynb", CELLS[:2])
    before = path.read_bytes()
    assert save_notebook(path, execute=True).live == 1
    assert path.read_bytes() == before
    with pytest.raises(InputError, match="ZeroDivisionError"):
        save_notebook(write_notebook(tmp_path / "bad.ipynb", ["1 / 0"]), execute=True)


def test_what_is_no_notebook_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text("{")
    for wrong in (tmp_path / "a.ipynb", tmp_path / "none.ipynb"):
        with pytest.raises(InputError, match="notebook"):
            save_notebook(wrong)


def test_the_name_that_nbconvert_is_told_leads_to_the_exporter() -> None:
    import tomllib
    from importlib.metadata import EntryPoint

    from nbconvert.exporters import Exporter

    group = "nbconvert.exporters"
    told = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["entry-points"][group]
    found = EntryPoint("salwidgets", told["salwidgets"], group).load()
    assert issubclass(found, Exporter) and found().file_extension == ".html"
