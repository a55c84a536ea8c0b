"""ClassTree, Layers and Randomisation in exported pages: asked with no kernel, drawn as numpy says, nothing for axe."""

from __future__ import annotations

import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import fakes
import numpy as np
import pytest
from chromium import pixels
from jupyter import jupyterlab, open_notebook, run_cell, write_notebook
from PIL import Image
from test_pages import AXE, PLAIN, contrast_pixels, opened, settle  # noqa: F401 - a fixture

import salwidgets as sw
from salwidgets.captions import percent
from salwidgets.models.adapter import Predictions
from salwidgets.scale import Scale
from salwidgets.taxonomy import ClassNames, Taxonomy
from salwidgets.widgets import ClassTree, Contrast, Layers, link
from salwidgets.widgets.icicle import icicle

HERE = Path(__file__).parent
HOSTILE = "<img src=x onerror=alert(1)>"


def item(page: Any, name: str) -> Any:
    return page.locator(f'.salw-classtree [role=treeitem][aria-label^="{name} "]')


def tree_and_contrast() -> tuple[ClassTree, Contrast]:
    basis = fakes.basis()
    tree, contrast = ClassTree(basis), Contrast(basis, "husky", "wolf")
    link(tree, contrast)
    return tree, contrast


def test_cells_lie_where_python_lays_them(opened: Any) -> None:  # noqa: F811
    tree = ClassTree(fakes.basis())
    page = opened(tree)
    box = page.locator(".salw-spots").bounding_box()
    cells = icicle(tree.nodes, tree.nodes.probability, tree.nodes.root, 100, 400 / box["width"])
    shown = page.locator("[role=treeitem]")
    assert shown.count() == len(cells)
    for i, cell in enumerate(cells):
        drawn = shown.nth(i).bounding_box()
        assert drawn["x"] - box["x"] == pytest.approx(cell.left / 100 * box["width"], abs=0.6)
        assert drawn["width"] == pytest.approx(cell.width / 100 * box["width"], abs=0.6)
        words = shown.nth(i).get_attribute("aria-label").replace("\u202f", " ")
        share = percent(float(np.float32(tree.nodes.probability[cell.node])))
        assert words.startswith(f"{cell.more} more" if cell.more else f"{tree.nodes.names[cell.node]} {share}")


def test_the_pixels_of_each_cell_are_as_wide_as_its_probability(opened: Any) -> None:  # noqa: F811
    tree = ClassTree(fakes.basis())
    page = opened(tree)
    page.mouse.move(0, 0)
    place = page.locator(".salw-spots")
    box = place.bounding_box()
    picture = np.asarray(Image.open(BytesIO(place.screenshot(animations="disabled"))).convert("RGB")).astype(int)
    cells = icicle(tree.nodes, tree.nodes.probability, tree.nodes.root, 100, 400 / box["width"])
    shown = page.locator("[role=treeitem]")
    filled = [(i, cell) for i, cell in enumerate(cells) if not cell.more]  # "more" is hatched
    assert len(filled) >= 5
    for i, cell in filled:
        drawn = shown.nth(i).bounding_box()
        line = picture[round(drawn["y"] - box["y"] + drawn["height"]) - 4]  # below the words
        style = shown.nth(i).evaluate("el => getComputedStyle(el).backgroundColor")
        fill = [255 * float(c) for c in re.fullmatch(r"color\(srgb ([0-9.]+) ([0-9.]+) ([0-9.]+)\)", style).groups()]
        left, right = (edge / 100 * box["width"] for edge in (cell.left, cell.left + cell.width))
        inside = (np.abs(line[int(left):int(np.ceil(right))] - fill).max(1) <= 2).sum()
        assert inside == pytest.approx(right - left, abs=5), cell  # its borders and what rounding moves


def test_a_click_asks_the_contrast_with_no_kernel(opened: Any) -> None:  # noqa: F811
    tree, contrast = tree_and_contrast()
    contrast.scale = Scale.fit(*contrast.shown_maps(), **PLAIN)
    page = opened(tree, contrast)
    item(page, "dog").click()
    item(page, "cat").click(modifiers=["Shift"])
    settle(page)
    heads = page.locator(".salw-head").all_inner_texts()
    assert heads == ["Why “dog” rather than “cat”?"] * 2
    contrast.target, contrast.foil = "dog", "cat"
    pair = contrast.pair
    maps = (pair.A, pair.mixture(0.5), pair.B)
    np.testing.assert_array_equal(contrast_pixels(page), [Scale.fit(*maps, **PLAIN).rgba(m) for m in maps])
    page.locator(".salw-contrast .salw-stage").first.press("x")
    settle(page)
    assert page.locator(".salw-head").first.inner_text() == "Why “cat” rather than “dog”?"


def test_by_keyboard_alone(opened: Any) -> None:  # noqa: F811
    page = opened(*tree_and_contrast())
    page.get_by_label("Shown as").select_option("tree")
    settle(page)
    page.locator("[role=tree]").focus()
    page.keyboard.press("/")
    page.keyboard.type("bus")
    page.keyboard.press("Enter")
    page.locator("[role=tree]").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+Enter")
    settle(page)
    assert page.locator(".salw-head").first.inner_text() == "Why “bus” rather than “vehicle”?"
    assert "part of “vehicle”" in page.locator(".salw-sides").inner_text()
    assert page.locator(".salw-classtree .salw-live").inner_text().startswith("Why “bus” rather than “vehicle”?")
    page.keyboard.press("Escape")
    settle(page)
    assert page.locator(".salw-head").first.inner_text() == "Why “bus”?"


def test_layers_draw_each_step_as_numpy_says(opened: Any) -> None:  # noqa: F811
    es = [fakes.explanation(r, c, layer=HOSTILE if r == 3 else f"layer.{r}") for r, c in ((12, 20), (6, 10), (3, 5))]
    scale = Scale.fit(*[e.values for e in es], fade=False, opacity=1.0)
    page = opened(Layers(es, scale=scale))
    for at, e in enumerate(es):
        page.get_by_label("Layer", exact=True).fill(str(at))
        settle(page)
        shown = page.locator(".salw-stage:not([hidden]) .salw-map")
        np.testing.assert_array_equal(pixels(shown), scale.rgba(e.values))
        assert page.locator(".salw-step").inner_text() == f"{e.layer} ({at + 1} of 3)"
    page.get_by_label("a scale of its own for each step").check()
    settle(page)
    own = Scale.fit(es[2].values, fade=False, opacity=1.0)
    np.testing.assert_array_equal(pixels(page.locator(".salw-stage:not([hidden]) .salw-map")), own.rgba(es[2].values))
    assert page.locator(".salw-badge").is_visible()


def big(k: int) -> ClassTree:
    parents: dict[str, Any] = {f"leaf {i}": f"group {i // 20}" for i in range(k)}
    parents |= {f"group {i}": f"kind {i // 20}" for i in range(k // 20)}
    parents |= {f"kind {i}": "everything" for i in range(k // 400)}
    parents["leaf 7"] = ["group 0", "group 9"]
    z = np.random.default_rng(0).normal(size=(1, k)).astype(np.float32) * 2
    p = np.exp(z - z.max())
    return ClassTree(Predictions(z, p / p.sum(), ClassNames(f"leaf {i}" for i in range(k))), Taxonomy.from_parents(parents))


def test_a_hundred_thousand_classes_are_searched_and_asked(opened: Any) -> None:  # noqa: F811
    page = opened(big(100_000))
    assert page.locator("[role=treeitem]").count() <= 400
    page.get_by_role("combobox", name="Search").fill("leaf 7")
    page.keyboard.press("Enter")
    settle(page)
    assert page.locator(".salw-head").inner_text() == "Why “leaf 7”?"
    assert item(page, "leaf 7").first.is_visible()
    assert "also under “group" in item(page, "leaf 7").first.get_attribute("aria-label")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1120, 320])
def test_axe_finds_nothing_and_nothing_overflows(opened: Any, scheme: str, width: int) -> None:  # noqa: F811
    if not AXE.exists():
        pytest.skip("axe-core is not installed (npm ci in js/)")
    tree = ClassTree(fakes.basis(), question=sw.why("dog").rather_than("cat"))
    rows = ClassTree(fakes.basis(), question=sw.why("dog").rather_than("cat"), form="tree")
    layers = Layers([fakes.explanation(), fakes.explanation(3, 5, layer="b")])
    layers.selection = {"box": [10, 20, 40, 60]}
    page = opened(tree, rows, layers, color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    for fold in page.locator("summary").all():
        fold.click()
    page.get_by_role("combobox", name="Search").first.fill("c")
    settle(page)
    page.evaluate(f"() => {{ {AXE.read_text(encoding='utf-8')} }}")
    found = page.evaluate("async () => (await axe.run()).violations.map(v => [v.id, v.nodes.map(n => n.html)])")
    assert found == [], json.dumps(found, indent=1)[:3000]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_in_jupyterlab_the_question_reaches_python_and_the_contrast(browser: Any, tmp_path: Path) -> None:
    write_notebook(tmp_path / "tree.ipynb", [
        f"import sys; sys.path.insert(0, {str(HERE)!r}); import json, fakes; import salwidgets as sw",
        "b = fakes.basis(); t = sw.ClassTree(b); t", "c = sw.Contrast(b, 'husky', 'wolf'); sw.link(t, c); c",
        "L = sw.Layers([fakes.explanation(12, 20), fakes.explanation()], at=0); L",
        "print(json.dumps([str(t.question), t.question.target_names, c.target, c.foil, L.at]))",
        "t.question = sw.why('vehicle').rather_than('canine')"])
    with jupyterlab(tmp_path) as url:
        page = open_notebook(browser, url, "tree.ipynb", width=1400)
        for cell in range(4):
            run_cell(page, cell)
        page.wait_for_selector(".salw-through .salw-map")
        page.wait_for_timeout(500)
        item(page, "dog").click()
        item(page, "cat").click(modifiers=["Shift"])
        page.locator(".salw-scrubber input").fill("1")
        page.wait_for_timeout(900)
        asked = json.loads(run_cell(page, 4))
        assert asked == ["Why “dog” rather than “cat”?", ["husky", "beagle"], "dog", "cat", 1]
        assert page.locator(".salw-contrast .salw-head").inner_text() == "Why “dog” rather than “cat”?"
        run_cell(page, 5)
        page.wait_for_timeout(600)
        assert page.locator(".salw-classtree .salw-head").inner_text() == "Why “vehicle” rather than “canine”?"
        page.context.close()
