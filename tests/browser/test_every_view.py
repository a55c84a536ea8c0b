"""What holds for every view of the table in every.py, in its exported page: axe, hostile names, odd maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grids
import numpy as np
import pytest
from chromium import pixels
from every import HOSTILE, MAPPED, VIEWS
from jupyter import jupyterlab, open_notebook, run_cell, write_notebook
from test_pages import AXE, PLAIN, opened, settle  # noqa: F401 - a fixture

from salwidgets.errors import InputError
from salwidgets.scale import Scale


def violations(page: Any) -> list[Any]:
    """What axe finds in the page, all folds open."""
    for fold in page.locator("summary").all():
        if fold.is_visible():
            fold.click()
    settle(page)
    page.evaluate(f"() => {{ {AXE.read_text(encoding='utf-8')} }}")
    return page.evaluate("async () => (await axe.run()).violations.map(v => [v.id, v.nodes.map(n => n.html)])")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", list(VIEWS))
def test_axe_finds_nothing(opened: Any, name: str, scheme: str) -> None:  # noqa: F811
    if not AXE.exists():
        pytest.skip("axe-core is not installed (npm ci in js/)")
    page = opened(VIEWS[name]("husky"), color_scheme=scheme)
    found = violations(page)
    assert found == [], json.dumps(found, indent=1)[:3000]


@pytest.mark.parametrize("name", list(VIEWS))
def test_a_narrow_page_with_long_names_does_not_overflow(opened: Any, name: str) -> None:  # noqa: F811
    page = opened(VIEWS[name]("a_very_long_name_without_any_space_in_it_" * 3), color_scheme="light")
    page.set_viewport_size({"width": 320, "height": 900})
    found = violations(page) if AXE.exists() else []
    assert found == [], json.dumps(found, indent=1)[:3000]
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("name", list(VIEWS))
def test_hostile_names_are_shown_as_text(opened: Any, name: str) -> None:  # noqa: F811
    page = opened(VIEWS[name](HOSTILE))
    for fold in page.locator("summary").all():
        if fold.is_visible():
            fold.click()
    settle(page)
    assert page.evaluate("window.hurt") is None
    assert page.locator(".salw-root script, .salw-root img").count() == 0
    everything = page.evaluate("""() => [...document.querySelectorAll(".salw-root *")].flatMap((el) =>
        [el.textContent, ...[...el.attributes].map((a) => a.value), el.value ?? ""]).join(" ")""")
    assert HOSTILE in everything  # as it is: not escaped twice, not cut where markup begins
    assert "49" not in page.locator(".salw-head").first.inner_text()


def odd(kind: str) -> np.ndarray:
    values = np.random.default_rng(0).normal(size=(6, 10)).astype(np.float32)
    holes = values.copy()
    holes[1, 2:5], holes[0, 0], holes[5, 9] = np.nan, np.inf, -np.inf
    return {"holes": holes, "all missing": values * np.float32(np.nan), "zero": values * 0, "one": values * 0 + 1,
            "negative": -np.abs(values) - 0.1, "one pixel": values[:1, :1], "tiny": values * np.float32(1e-30),
            "huge": values * np.float32(1e30)}[kind]


@pytest.mark.parametrize("kind", ["holes", "all missing", "zero", "one", "negative", "one pixel", "tiny", "huge"])
@pytest.mark.parametrize("name", list(MAPPED))
def test_odd_maps_are_drawn_and_labelled_truthfully(opened: Any, name: str, kind: str) -> None:  # noqa: F811
    values = odd(kind)
    if name == "Scorecard" and not np.isfinite(values).all():  # metrics refuse such maps, so no table holds them
        with pytest.raises(InputError, match="no numbers or infinite"):
            MAPPED[name](values)
        return
    view = MAPPED[name](values)
    if hasattr(view, "each"):
        view.each = False
    view.scale = Scale.fit(values, **PLAIN)
    drawn = view.shown_map() if hasattr(view, "at") else view.shown_maps()[0]
    page = opened(view)
    np.testing.assert_array_equal(pixels(page.locator(".salw-map").first), view.scale.rgba(drawn))
    said = page.locator(".salw-root").inner_text().replace("\u202f", " ")
    if kind == "all missing":
        assert "no number" in said
    if kind == "holes":
        assert "infinite" in said and "no number" in said
    figure = view.figure()
    assert ("no number" in figure.caption) == bool(np.isnan(values).any())
    assert view.alt
    if kind in ("zero", "all missing"):
        assert "speaks most" not in view.alt


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MAPPED))
def test_4096_cells_a_side_are_drawn_or_refused(opened: Any, name: str) -> None:  # noqa: F811
    line = np.linspace(-1, 1, 4096, dtype=np.float32)
    values = line[:, None] * line[None, ::-1]
    refused = ""
    try:
        view = MAPPED[name](values)
    except InputError as e:
        refused = str(e)
    if refused:
        assert "MiB" in refused  # says how large, and what to do
        return
    view.scale = view.scale.changed(**PLAIN)
    page = opened(view)
    canvas = page.locator(".salw-map").first
    shape = canvas.evaluate("c => [c.width, c.height]")
    corner = canvas.evaluate("c => [...c.getContext('2d').getImageData(0, 0, 4, 4).data]")
    want = view.scale.rgba(values[:4, :4]).astype(int)
    if shape == [4096, 4096]:
        assert np.abs(np.array(corner).reshape(4, 4, 4) - want).max() <= 3
    view.figure().savefig("/dev/null", format="png", dpi=80)


@pytest.mark.parametrize("name", list(VIEWS))
def test_views_that_are_closed_leave_nothing_in_the_page(browser: Any, name: str) -> None:
    found = grids.leftovers(browser, 40, VIEWS[name]("husky"))
    assert found["traits"] == 0
    assert found["canvases"] == 0
    assert found["listeners"] <= 0
    assert found["nodes"] <= 0


MANY = """
from ipywidgets.widgets.widget import _instances
from IPython.display import display
import gc, json
before = len(_instances)
views = [make("husky") for make in VIEWS.values() for _ in range(-(-200 // len(VIEWS)))]
for view in views[::20]: display(view)
made = len(_instances) - before
for view in views: view.close()
print(json.dumps([len(views), made, len(_instances) - before]))
"""


@pytest.mark.slow
def test_200_views_made_and_closed_leave_no_comm(browser: Any, tmp_path: Path) -> None:
    """Of every kind: no comm in the kernel, no model in the notebook's manager, no canvas in the page."""
    here = str(Path(__file__).parent)
    write_notebook(tmp_path / "many.ipynb", [f"import sys; sys.path.insert(0, {here!r}); from every import VIEWS", MANY])
    with jupyterlab(tmp_path) as url:
        page = open_notebook(browser, url, "many.ipynb", width=1400)
        run_cell(page, 0, timeout=60)
        comms = """async () => { const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            return Object.keys((await kernel.requestCommInfo({})).content.comms).length; }"""
        before = page.evaluate(comms)
        printed = run_cell(page, 1, timeout=120)
        count, made, left = json.loads(printed[printed.rindex("["):])
        assert count >= 200 and made > 2 * count  # a view, its link, and their layouts
        assert left == 0
        page.wait_for_timeout(1500)
        assert page.evaluate(comms) == before
        assert page.locator(".salw-root canvas").count() == 0
        page.context.close()
