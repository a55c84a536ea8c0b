"""Exported pages from file://: pixels equal numpy's, everything answers with no kernel and no network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakes
import numpy as np
import pytest
from chromium import Watched, pixels
from frames import measure_frames

from salwidgets.captions import percent
from salwidgets.scale import Scale
from salwidgets.widgets import Contrast, Heatmap, link, save_page
from salwidgets.widgets.pairs import mix_title

AXE = Path(__file__).resolve().parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
PLAIN: dict[str, Any] = {"fade": False, "opacity": 1.0}


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Open views as one page; afterwards: no error in the console, no request but the page itself."""
    pages: list[Watched] = []

    def show(*views: Any, **options: Any) -> Any:
        watched = Watched.file(browser, save_page([("", "", v) for v in views], tmp_path / "page.html"), **options)
        pages.append(watched)
        return watched.page

    yield show
    for watched in pages:
        assert watched.errors == []
        assert [r for r in watched.requests if not r.startswith("file:///")] == []
        assert len(watched.requests) == 1
        watched.close()


def settle(page: Any) -> None:
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.mark.parametrize("cmap", ["RdBu_r", "coolwarm"])
@pytest.mark.parametrize("clip", ["pixels:99.5", "pixels:99", "mass:98", "max"])
def test_pixels_equal_numpys_own_colours(opened: Any, cmap: str, clip: str) -> None:
    values = np.random.default_rng(1).normal(size=(6, 10)).astype(np.float32)
    values[0, :3] = [np.nan, np.inf, -np.inf]
    e = fakes.explanation()
    e.values = values
    scale = Scale.fit(values, clip=clip, cmap=cmap, threshold=0.1, **PLAIN)
    page = opened(Heatmap(e, scale=scale))
    np.testing.assert_array_equal(pixels(page.locator(".salw-map")), scale.rgba(values))


def test_unsigned_maps_and_fading(opened: Any) -> None:
    e = fakes.explanation()
    e.values = np.abs(e.values)
    scale = Scale.fit(e.values, cmap="viridis", opacity=1.0)
    page = opened(Heatmap(e, scale=scale))
    shown, wanted = pixels(page.locator(".salw-map")).astype(int), scale.rgba(e.values).astype(int)
    np.testing.assert_array_equal(shown[..., 3], wanted[..., 3])
    visible = wanted[..., 3] > 60  # the canvas keeps colours multiplied by their opacity
    assert np.abs(shown - wanted)[visible].max() <= 3


def test_smooth_shows_the_bilinear_map(opened: Any) -> None:
    e = fakes.explanation()
    scale = Scale.fit(e.values, clip="max", smooth=True, **PLAIN)
    shown = pixels(opened(Heatmap(e, scale=scale)).locator(".salw-map")).astype(int)
    assert shown.shape == (60, 100, 4)
    assert np.abs(shown - scale.rgba(e.upsampled())).max() <= 3  # float32 against float64: a neighbouring colour


def test_the_picture_is_not_transposed(opened: Any) -> None:
    page = opened(Heatmap(fakes.explanation()))
    np.testing.assert_array_equal(pixels(page.locator(".salw-picture"))[..., :3], fakes.picture())


def test_controls_change_scale_and_colour_bar(opened: Any) -> None:
    e = fakes.explanation(20, 50)
    page = opened(Heatmap(e, scale=Scale.fit(e.values, **PLAIN)))
    page.get_by_label("Limits").select_option("pixels:99")
    page.get_by_label("Colours", exact=True).select_option("coolwarm")
    settle(page)
    want = Scale.fit(e.values, clip="pixels:99", cmap="coolwarm", **PLAIN)
    np.testing.assert_array_equal(pixels(page.locator(".salw-map")), want.rgba(e.values))
    assert want.clipped_share(e.values) > 0
    note = page.locator(".salw-colorbar .salw-note").inner_text().replace("\u202f", " ")
    assert note == f"Limits hold 99 % of cells, {percent(want.clipped_share(e.values))} of cells beyond them."
    assert not page.get_by_label("Colours", exact=True).locator("option[value=viridis]").is_visible()


def test_brush_by_mouse_shows_the_share_that_python_computes(opened: Any) -> None:
    view = Heatmap(fakes.explanation())
    page = opened(view)
    stage = page.locator(".salw-stage")
    box = stage.bounding_box()
    page.mouse.move(box["x"] + 0.22 * box["width"], box["y"] + 0.18 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.55 * box["width"], box["y"] + 0.63 * box["height"], steps=3)
    page.mouse.up()
    settle(page)
    view.selection = {"box": [10, 20, 40, 60]}
    share = view.share
    assert share is not None
    assert share.positive is not None
    assert share.absolute is not None
    text = page.locator(".salw-readout").inner_text().replace("\u202f", " ")
    assert f"{percent(share.positive)} of positive, {percent(share.absolute)} of all absolute mass" in text
    assert "rows 10–40, columns 20–60" in text


def test_keyboard_alone_reads_brushes_zooms_and_clears(opened: Any) -> None:
    e = fakes.explanation()
    page = opened(Heatmap(e))
    page.locator(".salw-stage").focus()
    for key in ("Control+Home", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    settle(page)
    assert "row 2, column 2" in page.locator(".salw-readout").inner_text()
    assert page.locator(".salw-live").inner_text().startswith("−0.4")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("z")
    settle(page)
    assert "rows 10–20, columns 10–30" in page.locator(".salw-readout").inner_text()
    assert page.locator(".salw-layers").evaluate("el => parseFloat(el.style.width)") == pytest.approx(500)
    page.keyboard.press("Escape")
    settle(page)
    assert "drag on the picture" in page.locator(".salw-readout").inner_text()


def test_linked_views_move_together(opened: Any) -> None:
    a, b = Heatmap(fakes.explanation()), Heatmap(fakes.explanation(3, 5))
    link(a, b)
    page = opened(a, b)
    page.locator(".salw-stage").first.focus()
    for key in ("Home", "Shift+ArrowRight"):
        page.keyboard.press(key)
    settle(page)
    texts = [page.locator(".salw-readout").nth(i).inner_text() for i in range(2)]
    assert all("columns 0–20" in t for t in texts)
    assert page.locator(".salw-ticks").nth(0).inner_text() == page.locator(".salw-ticks").nth(1).inner_text()


def contrast_pixels(page: Any) -> list[np.ndarray]:
    return [pixels(page.locator(".salw-map").nth(i)) for i in range(3)]


def wanted(view: Contrast) -> list[np.ndarray]:
    pair = view.pair
    scale = Scale.fit(pair.A, pair.B, pair.mixture(0.5), **PLAIN)
    return [scale.rgba(m) for m in (pair.A, pair.mixture(view.mix), pair.B)]


def plain_contrast() -> Contrast:
    view = Contrast(fakes.basis(), "husky", "wolf")
    view.scale = Scale.fit(*view.shown_maps(), **PLAIN)
    return view


def test_contrast_answers_like_numpy_with_no_kernel(opened: Any) -> None:
    view = plain_contrast()
    page = opened(view)
    np.testing.assert_array_equal(contrast_pixels(page), wanted(view))
    for mix in (0.0, 0.2, 0.75, 1.0):
        page.locator(".salw-mixer input").fill(str(mix))
        settle(page)
        view.mix = mix
        np.testing.assert_array_equal(contrast_pixels(page), wanted(view))
        assert page.locator(".salw-panel-title").nth(1).inner_text() == mix_title("husky", "wolf", mix)
    foil = page.get_by_role("combobox").nth(1)
    foil.click()
    foil.fill("vehi")
    foil.press("Enter")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Target up to its group: dog").click()
    settle(page)
    view.target, view.foil = "dog", "vehicle"
    np.testing.assert_array_equal(contrast_pixels(page), wanted(view))


def test_contrast_walks_the_tree_by_keys_and_takes_shared_classes_out(opened: Any) -> None:
    view = plain_contrast()
    page = opened(view)
    page.locator(".salw-stage").first.focus()
    for key in ("U", "U"):  # wolf, wild dog, canine: it holds the husky
        page.keyboard.press(key)
    settle(page)
    view.foil = "canine"
    np.testing.assert_array_equal(contrast_pixels(page), wanted(view))
    assert "compared with the other 3 classes" in page.locator(".salw-message").inner_text()
    page.keyboard.press("D")
    settle(page)
    assert page.locator(".salw-head").inner_text() != "Why “husky” rather than “canine”?"
    page.keyboard.press("x")
    settle(page)
    assert page.locator(".salw-head").inner_text().endswith("rather than “husky”?")


def test_a_group_that_is_not_wholly_there_is_disabled_with_its_reason(opened: Any) -> None:
    page = opened(Contrast(fakes.basis(), "eagle", "car"))
    said = page.locator(".salw-picker").first.inner_text()
    assert "“bird” cannot be shown: 1 of its 3 classes is not in this basis." in said


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1120, 320])
def test_axe_finds_nothing_and_nothing_overflows(opened: Any, scheme: str, width: int) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed (npm ci in js/)")
    heat, contrast = Heatmap(fakes.explanation(), scale=Scale.fit(fakes.explanation().values)), Contrast(fakes.basis())
    link(heat, contrast, what="cursor")
    page = opened(heat, contrast, color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    for fold in page.locator("summary").all():
        fold.click()
    page.get_by_role("combobox").first.click()
    settle(page)
    page.evaluate(f"() => {{ {AXE.read_text(encoding='utf-8')} }}")
    found = page.evaluate("async () => (await axe.run()).violations.map(v => [v.id, v.nodes.map(n => n.html)])")
    assert found == [], json.dumps(found, indent=1)[:3000]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_slider_frames_are_measured_in_the_pages_own_time(browser: Any) -> None:
    found = measure_frames(56, 12, 20, browser)  # how fast it is stands in the benchmarks
    assert 0 < found["median_ms"] <= found["p95_ms"], found
