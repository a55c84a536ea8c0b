"""Narrative in an exported page and in a real JupyterLab: tied both ways to a map, and a language model on the loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakes
import numpy as np
import pytest
from jupyter import jupyterlab, open_notebook, run_cell, write_notebook
from test_jupyterlab import drag
from test_pages import AXE, opened, settle  # noqa: F401 - a fixture

import salwidgets as sw
from salwidgets.verbalization import Draft, Sentence
from salwidgets.widgets import Contrast, Heatmap, Narrative, link

HERE = Path(__file__).parent
VEIL = ".salw-veil:not([hidden])"


class Liar:
    name = "LLM liar"

    def write(self, brief: Any, **options: Any) -> Draft:
        return Draft((Sentence("99 % of the evidence lies at the top left.", [brief.units[-1].id], "supports"),
                      Sentence("It is a pretty picture.")))


def views() -> tuple[Heatmap, Contrast, Narrative]:
    e = fakes.explanation()
    heat, contrast = Heatmap(e), Contrast(fakes.basis(), "husky", "wolf")
    words = Narrative(sw.verbalize(e, length="report"), writer=Liar())
    link(heat, contrast, words, what=("cursor", "selection", "view"))
    return heat, contrast, words


def lit_cells(page: Any, path: str) -> np.ndarray:
    """Which cells of 6 x 10 over 60 x 100 pixels a path fills, found by the browser itself."""
    script = """(path) => {
        const shape = new Path2D(path), c = document.createElement("canvas").getContext("2d");
        const inside = (_, i) => c.isPointInPath(shape, 10 * (i % 10) + 5, 10 * Math.floor(i / 10) + 5);
        return Array.from({ length: 60 }, inside); }"""
    return np.array(page.evaluate(script, path)).reshape(6, 10)


def test_a_sentence_lights_its_units_in_every_linked_map(opened: Any) -> None:  # noqa: F811
    heat, contrast, words = views()
    page = opened(heat, contrast, words)
    v = words.shown[0]
    assert page.locator(".salw-sentence").all_inner_texts() == list(v.sentences)
    assert page.locator(VEIL).count() == 0
    spoken = next(i for i, s in enumerate(v.sentences) if s.units)
    page.locator(".salw-sentence").nth(spoken).hover()
    settle(page)
    assert page.locator(VEIL).count() == 4  # the heatmap and the three panels
    units = [v.brief.unit(id) for id in v.sentences[spoken].units]
    wanted = np.sum([u.cells for u in units if u is not None], axis=0) >= 0.5
    drawn = page.locator(".salw-heatmap .salw-veil").get_attribute("d").removeprefix("M0 0H100V60H0Z")
    np.testing.assert_array_equal(lit_cells(page, drawn), wanted)
    page.mouse.move(1, 1)
    settle(page)
    assert page.locator(VEIL).count() == 0


def test_by_keyboard_alone(opened: Any) -> None:  # noqa: F811
    page = opened(*views())
    sentence = page.locator("button.salw-sentence").first
    sentence.focus()
    settle(page)
    assert page.locator(VEIL).count() == 4
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    settle(page)
    assert sentence.get_attribute("aria-pressed") == "true"
    page.locator(".salw-row button").first.focus()
    settle(page)
    assert page.locator(VEIL).count() == 4  # pinned
    page.keyboard.press("Escape")
    settle(page)
    assert page.locator(VEIL).count() == 0


def test_a_brushed_region_lights_the_sentences_about_it(opened: Any) -> None:  # noqa: F811
    heat, contrast, words = views()
    page = opened(heat, contrast, words)
    drag(page, page.locator(".salw-heatmap .salw-stage"), (0.72, 0.72), (0.98, 0.98))  # the bottom right
    settle(page)
    lit = page.locator("li.salw-lit .salw-sentence").all_inner_texts()
    v = words.shown[0]
    corner = next(u.id for u in v.brief.units if u.label == "bottom right")
    assert lit == [str(s) for s in v.sentences if corner in s.units]
    assert lit
    assert page.locator("li.salw-lit .salw-about").first.is_visible()
    assert "about the region" in page.locator(".salw-narrative .salw-live").inner_text()
    page.locator(".salw-heatmap .salw-stage").press("Escape")
    settle(page)
    assert page.locator("li.salw-lit").count() == 0


def test_texts_switch_with_no_kernel_and_asking_is_greyed(opened: Any) -> None:  # noqa: F811
    words = views()[2]
    page = opened(words)
    for length in ("line", "paragraph", "report"):
        for audience in ("layperson", "expert"):
            page.get_by_label("Length").select_option(length)
            page.get_by_label("For", exact=True).select_option(audience)
            settle(page)
            words.length, words.audience = length, audience
            assert page.locator(".salw-sentence").all_inner_texts() == list(words.shown[0].sentences)
    assert page.get_by_label("Written by").locator("option[value=llm]").is_disabled()
    assert "running kernel" in page.locator(".salw-asking + .salw-note").inner_text()


def test_a_false_sentence_says_so_and_is_copied_so(opened: Any) -> None:  # noqa: F811
    words = Narrative(sw.verbalize(fakes.explanation(), Liar()))
    page = opened(words)
    assert page.locator(".salw-verdict").all_inner_texts()[0].endswith("contradicted")
    assert page.locator(".salw-claims").inner_text()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for form, text in (("Markdown", words.shown[0].to_markdown()), ("LaTeX", words.shown[0].to_latex())):
        page.get_by_role("button", name=f"Copy as {form}").click()
        page.locator(".salw-narrative .salw-live", has_text=f"Copied as {form}.").wait_for(state="attached")
        assert page.evaluate("navigator.clipboard.readText()") == text


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1120, 320])
def test_axe_finds_nothing_and_nothing_overflows(opened: Any, scheme: str, width: int) -> None:  # noqa: F811
    if not AXE.exists():
        pytest.skip("axe-core is not installed (npm ci in js/)")
    heat, _, words = views()
    false = Narrative(sw.verbalize(fakes.explanation(), Liar()), link=heat)
    page = opened(heat, words, false, color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    for box in page.get_by_label("show the figures").all():
        box.check()
    drag(page, page.locator(".salw-heatmap .salw-stage"), (0.72, 0.72), (0.98, 0.98))
    page.locator("button.salw-sentence").first.focus()
    settle(page)
    page.evaluate(f"() => {{ {AXE.read_text(encoding='utf-8')} }}")
    found = page.evaluate("async () => (await axe.run()).violations.map(v => [v.id, v.nodes.map(n => n.html)])")
    assert found == [], json.dumps(found, indent=1)[:3000]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_hovers_are_measured_in_the_pages_own_time(browser: Any) -> None:
    from hovers import measure_hovers

    found = measure_hovers(56, 12, browser)  # how fast it is stands in the benchmarks
    assert 0 < found["median_ms"] <= found["p95_ms"]


# -- in JupyterLab ----------------------------------------------------------------------------------------------

CELLS = [
    f"import sys; sys.path[:0] = [{str(HERE)!r}, {str(HERE.parent / 'verbalization')!r}]\n"
    "import os; os.environ['OPENAI_API_KEY'] = 'topsecret-' + str(16180339887)\n"
    "import fakes, json, server; import salwidgets as sw; from salwidgets.widgets import *\n"
    "chat = server.ChatServer(); chat.__enter__()\n"
    "e = fakes.explanation(); h = Heatmap(e); h",
    "w = sw.LLMWriter(model='m', base_url=chat.url, timeout=5, retries=0)\n"
    "n = Narrative(sw.verbalize(e), link=h, writer=w); n",
    "print(json.dumps([n.links['selection'].highlight and n.links['selection'].highlight['key'], "
    "h.selection and h.selection['box'], n.by, n.reply.get('state'), list(map(str, n.shown[0].sentences))]))",
    "said = [('The bottom right speaks for it, slowly.', ['u1'], 'supports'), ('99 % lies at the top left.', [], 'none')]\n"
    "chat.play(server.good(server.content(said), step=4, pause=.05))",
    "chat.play(server.silent(20))",
    "chat.play(server.echo_key)",
]


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    pytest.importorskip("openai")
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "words.ipynb", CELLS)
    with jupyterlab(folder) as url:
        found = open_notebook(browser, url, "words.ipynb", width=1400)
        for cell in range(2):
            run_cell(found, cell)
        found.wait_for_selector(".salw-narrative button.salw-sentence")
        found.wait_for_timeout(500)
        yield found
        found.context.close()


def state(page: Any) -> Any:
    return json.loads(run_cell(page, 2))


def test_in_jupyterlab_both_ways(page: Any) -> None:
    page.locator("button.salw-sentence").first.scroll_into_view_if_needed()
    page.locator("button.salw-sentence").first.hover()
    page.wait_for_timeout(300)
    assert page.locator(f".salw-heatmap {VEIL}").count() == 1
    assert state(page)[0] == "0.0"
    page.mouse.move(1, 1)
    drag(page, page.locator(".salw-heatmap .salw-stage"), (0.72, 0.72), (0.98, 0.98))
    page.wait_for_timeout(300)
    assert page.locator("li.salw-lit").count() >= 1
    assert state(page)[1] == [40, 70, 60, 100]


def test_in_jupyterlab_a_language_model_streams_is_cancelled_and_fails(page: Any) -> None:
    run_cell(page, 3)
    view = page.locator(".salw-narrative")
    view.get_by_label("Written by").select_option("llm")
    view.get_by_role("button", name="Ask LLM m").click()
    page.wait_for_function("document.querySelector('.salw-stream:not([hidden])')?.textContent.includes('The bottom')")
    page.wait_for_function("document.querySelector('.salw-sentence').textContent.endsWith('slowly.')", timeout=8000)
    assert view.locator(".salw-verdict").count() == 2
    assert view.locator(".salw-stream").is_hidden()
    assert state(page)[2:4] == ["llm", "done"]
    run_cell(page, 4)
    view.get_by_label("Length").select_option("line")
    view.get_by_role("button", name="Ask LLM m").click()
    view.get_by_role("button", name="Cancel").click(timeout=5000)
    view.get_by_role("button", name="Ask LLM m").wait_for(timeout=2000)
    assert state(page)[3] == "stopped"
    run_cell(page, 5)
    view.get_by_role("button", name="Ask LLM m").click()
    view.locator(".salw-failed").wait_for(timeout=5000)
    failed = view.locator(".salw-failed").inner_text()
    assert "does not accept the key (401)" in failed
    assert "Shown is the template’s text." in failed
    assert view.locator(".salw-sentence").count() >= 1
    notebook = page.evaluate("() => JSON.stringify(window.jupyterapp.shell.currentWidget.model.toJSON())")
    assert "topsecret-1618" not in notebook + page.content()
