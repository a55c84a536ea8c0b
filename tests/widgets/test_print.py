"""Figures at the width of a column: true sizes, whole text, metadata, hostile names, colours that others can tell apart."""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path

import fakes
import numpy as np
import pytest
from PIL import Image

import salwidgets as sw
from salwidgets import captions
from salwidgets.errors import InputError
from salwidgets.figures import WIDTHS, colour_check, panel, simulate, width_of
from salwidgets.figures.words import extent, fitting, headed, tex, wrapped
from salwidgets.scale import COLOUR_MAPS, Scale

HOSTILE = r"<script>alert(1)</script> $\frac{1}{ & %_#{} " + "\x00\x1b\u202e" + ' "quote" ' + "w" * 60


def saved(figure, kind: str) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format=kind)
    return out.getvalue()


def several() -> list:
    items = [fakes.explanation() for _ in range(3)]
    for e, method in zip(items, ("grad-cam", "rise", "lrp"), strict=True):
        e.method = method
    return items


@pytest.mark.parametrize("name", list(WIDTHS))
def test_the_page_in_the_pdf_is_as_wide_as_the_column(name: str) -> None:
    pdf = saved(panel(several(), width=name), "pdf")
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", pdf)
    assert box is not None
    assert float(box[1]) / 72 == pytest.approx(WIDTHS[name][0], abs=1e-3)


def test_names_and_inches() -> None:
    assert width_of("NeurIPS") == width_of("neurips") == 5.5
    assert width_of("nature-single") * 25.4 == pytest.approx(89)
    assert width_of("nature_double") * 25.4 == pytest.approx(183)
    assert 2 * width_of("cvpr") + 0.3125 == width_of("cvpr-double")
    assert 2 * width_of("icml") + 0.25 == width_of("icml-double")
    assert width_of(4) == 4.0
    for wrong in ("nowhere", 0, -1, True, None, float("nan")):
        with pytest.raises(InputError):
            width_of(wrong)
    with pytest.raises(InputError, match="style"):
        panel(several(), style="blur")


@pytest.mark.parametrize("width", ["icml", "nature-single", "neurips", "nature-double"])
@pytest.mark.parametrize("style", ["overlay", "contour", "side-by-side"])
@pytest.mark.parametrize("scale", [None, "each"])
def test_nothing_leaves_the_page_or_lies_on_something_else(width: str, style: str, scale: str | None) -> None:
    items = several()
    items[1].method = "a method with a name that is far too long for its place " + "x" * 40
    figure = panel(items, width=width, style=style, scale=scale, letters=True)
    figure.set_dpi(300)  # as it is saved
    figure.draw_without_rendering()
    page, boxes = figure.bbox, []
    for text in [*figure.texts, *[t for ax in figure.axes for t in [ax.title, *ax.get_xticklabels()]]]:
        if text.get_text().strip():
            box = text.get_window_extent()
            assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= page.x1 + 1 and box.y1 <= page.y1 + 1, text
            boxes.append((box.shrunk(0.98, 0.9), text.get_text()))
    boxes += [(ax.get_window_extent().shrunk(0.98, 0.98), "axes") for ax in figure.axes]
    for i, (one, said) in enumerate(boxes):
        for other, also in boxes[i + 1:]:
            assert not one.overlaps(other), (said, also)


def test_each_picture_has_a_row_of_its_own() -> None:
    items = several() + several()
    for e in items[3:]:
        e.image = e.image[:, ::-1].copy()
    figure = panel(items, width="cvpr-double")
    pictures = [ax for ax in figure.axes if len(ax.images) == 1 and ax.get_title() in ("Image", "")
                and ax.images[0].get_array().shape == (60, 100, 3)]
    assert len(pictures) == 2
    maps = [ax for ax in figure.axes if len(ax.images) == 2]
    assert [ax.get_title() for ax in maps] == ["grad-cam", "rise", "lrp", "", "", ""]
    assert len({round(ax.get_position().y0, 4) for ax in maps}) == 2


def test_styles_draw_what_they_say() -> None:
    e = fakes.explanation()
    scale = Scale.fit(e.values)
    alone = panel([e], style="side-by-side", scale=scale).axes[1].images
    assert len(alone) == 1
    np.testing.assert_array_equal(alone[0].get_array(), scale.changed(opacity=1.0, fade=False).rgba(e.values))
    lines = panel([e], style="contour", scale=scale).axes[0]
    np.testing.assert_array_equal(lines.images[0].get_array(), e.image)  # in its own colours
    assert len(lines.images) == 1
    drawn = {float(c.levels[0]): c for c in lines.collections}
    want = {s * q * scale.reach for s in (-1, 1) for q in (0.25, 0.5, 0.75)}
    assert set(drawn) == {v for v in want if e.values.min() < v < e.values.max()}
    for level, c in drawn.items():
        assert (c.get_linestyles()[0][1] is not None) == (level < 0)  # dashed where it speaks against
    # the map grows linearly from cell to cell: the line lies where the value is that level
    path = drawn[0.5 * scale.reach].get_paths()[0].vertices
    rows, cols = (path[:, 1] + 0.5) / 10 - 0.5, (path[:, 0] + 0.5) / 10 - 0.5
    inner = (cols > 0.1) & (cols < 8.9)
    np.testing.assert_allclose(np.interp((rows * 10 + cols)[inner], np.arange(60), e.values.ravel()), 1.0, atol=0.26)


@pytest.mark.parametrize("style", ["overlay", "contour", "side-by-side"])
@pytest.mark.parametrize("kind", ["nan", "some", "inf", "zero", "ones", "one", "row"])
def test_odd_maps_are_drawn_without_a_warning(style: str, kind: str) -> None:
    values = np.random.default_rng(0).normal(size=(6, 10)).astype(np.float32)
    odd = {"nan": values * np.nan, "zero": values * 0, "ones": values * 0 + 1, "one": values[:1, :1], "row": values[:1],
           "some": np.where(values > 1, np.nan, values), "inf": np.where(values > 1, np.inf, values)}[kind]
    e = sw.from_array(odd.astype(np.float32), fakes.picture())
    figure = panel([e], width="icml", style=style)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        saved(figure, "png")
    if kind in ("nan", "some"):
        assert f"{int(np.isnan(odd).sum())} cell" in figure.caption
        assert any(c.get_hatch() for ax in figure.axes for c in ax.collections)
    if kind == "inf":
        assert "infinite" in figure.caption


def test_the_hatching_covers_what_is_missing() -> None:
    values = np.zeros((6, 10), np.float32)
    values[2, 3:6] = values[5, 9] = np.nan
    ax = panel([sw.from_array(values, fakes.picture())], picture=False).axes[0]
    boxes = [p.get_extents() for p in ax.collections[0].get_paths()]
    assert sorted((b.y0, b.y1, b.x0, b.x1) for b in boxes) == [(19.5, 29.5, 29.5, 59.5), (49.5, 59.5, 89.5, 99.5)]


def test_hostile_names_are_shown_as_text() -> None:
    e = fakes.explanation()
    e.question = sw.why(HOSTILE).rather_than("wolf")
    e.method, e.layer, e.notices = "<b>&amp;$x$", "layer $_^{", (HOSTILE,)
    for figure in (panel([e], width="cvpr"), sw.Heatmap(e).figure(), e.plot().figure):
        root = ET.fromstring(saved(figure, "svg"))
        words = "".join(root.itertext())
        for part in ("<script>alert(1)</script>", r"$\frac{1}{", "&", "�"):
            assert part in words, part
        assert not [x for x in root.iter() if x.tag.endswith("script")]
        assert "<script>" in root.attrib["aria-label"]
        saved(figure, "pdf")
        saved(figure, "png")
    written = panel([e]).latex("a.pdf")
    assert r"\$\textbackslash{}frac\{1\}\{ \& \%\_\#\{\}" in written
    assert "\x00" not in written


def test_a_name_in_another_script_finds_a_font_or_says_so() -> None:
    e = fakes.explanation()
    e.question = sw.why("ハスキー 😀")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        assert "ハスキー" in "".join(ET.fromstring(saved(panel([e]), "svg")).itertext())


def test_the_file_says_what_it_shows(tmp_path: Path) -> None:
    e = fakes.explanation()
    figure = panel([e], width="icml", caption=False)
    for part in ("Why “husky” rather than “wolf”?", "grad-cam", "features.12", "RdBu_r", "−2.00 to +2.00", "pixels:99.5",
                 "A notice <b>with markup</b>."):
        assert part in figure.caption, part
    assert "features.12" not in " ".join(t.get_text() for t in figure.texts)
    assert figure.alt.startswith("Map over a picture. Why “husky”")
    figure.savefig(tmp_path / "a.png", metadata={"Author": "me"})
    told = Image.open(tmp_path / "a.png")
    told.load()
    assert told.info["Title"] == "Why “husky” rather than “wolf”?"
    assert told.info["Description"] == figure.caption and told.info["Comment"] == figure.alt
    assert told.info["Author"] == "me"
    assert told.size[0] == pytest.approx(300 * 3.25, abs=1)
    pdf = saved(figure, "pdf")
    assert "pixels:99.5".encode("utf-16-be") in pdf and b"/Title" in pdf
    figure.savefig(tmp_path / "a.svg")
    root = ET.parse(tmp_path / "a.svg").getroot()
    assert root.attrib["role"] == "img" and root.attrib["aria-label"] == figure.alt
    figure.savefig(tmp_path / "b.pdf")
    assert saved(figure, "pdf") == pdf == (tmp_path / "b.pdf").read_bytes()
    assert saved(figure, "svg") == (tmp_path / "a.svg").read_bytes()


def test_cells_are_sharp_in_vector_files() -> None:
    """Maps are pictures in the file, with cells far apart in it: no viewer can smooth them into each other."""
    pdf = saved(panel([fakes.explanation()], width="icml", picture=False), "pdf")
    sizes = [(int(m[1]), int(m[2])) for m in re.finditer(rb"/Width (\d+)\s*/Height (\d+)", pdf)]
    assert sizes and max(s[0] for s in sizes) > 900


def test_text_is_measured_as_it_is_drawn() -> None:
    from matplotlib.figure import Figure

    text = "Limits hold 99.5 % of cells, none beyond them"
    fig = Figure()
    drawn = fig.text(0, 0, text, fontsize=7)
    fig.draw_without_rendering()
    assert extent(text, 7) == pytest.approx(drawn.get_window_extent().width / fig.dpi, rel=0.06)
    assert all(extent(line, 7) <= 1.0 for line in wrapped(text + " " + "w" * 90, 1.0, 7))
    assert "".join(wrapped("w" * 90, 1.0, 7)) == "w" * 90
    assert tex("50 % of_it\nnext") == r"50 \% of\_it. next"


def test_white_black_and_grey_stay_what_they_are() -> None:
    greys = np.repeat(np.arange(0, 256, 5, dtype=np.uint8)[:, None], 3, 1)
    for vision in ("protanopia", "deuteranopia", "tritanopia", "greyscale"):
        assert np.abs(simulate(greys, vision).astype(int) - greys).max() <= 1
    # luminance of sRGB red is 0.2126, which is 127 of 255 after the sRGB curve; green 0.7152 is 220
    assert simulate(np.array([[255, 0, 0], [0, 255, 0]], np.uint8), "greyscale").tolist() == [[127] * 3, [220] * 3]
    # a dichromat of the red-green kind sees red and a dark yellow-green alike, as no grey print does
    red, green = simulate(np.array([[200, 60, 60], [110, 110, 60]], np.uint8), "deuteranopia").astype(int)
    assert np.abs(red - green).max() < np.abs(np.array([200, 60, 60]) - [110, 110, 60]).max() / 2
    with pytest.raises(InputError, match="vision"):
        simulate(greys, "night")


def test_the_check_says_what_is_lost() -> None:
    for cmap in COLOUR_MAPS:
        check = colour_check(cmap)
        assert check.colour_blind_safe, str(check)
        assert check.greyscale_safe == (cmap not in ("RdBu_r", "coolwarm"))
    check = colour_check(panel(several()))
    assert not check.safe and "for and against look alike" in str(check) and "contour" in check.advice
    assert colour_check(panel(several(), style="contour")).safe
    both = Scale(-1, 1, "viridis")  # a sequential map over both signs keeps the order in grey
    assert colour_check(both).greyscale_safe
    with pytest.raises(InputError):
        colour_check(3)


def test_the_check_catches_a_bad_map(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red against green of equal lightness: what the check is for."""
    from salwidgets.figures import vision

    ramp = np.linspace(-1, 1, 256)
    table = np.stack([150 + 70 * ramp, 150 - 38 * ramp, np.full(256, 100)], -1).astype(np.uint8)
    monkeypatch.setattr(vision, "colour_table", lambda name: table)
    check = colour_check(Scale(-1, 1, "RdBu_r"))
    assert check.sign["deuteranopia"] < check.sign["tritanopia"] / 2
    assert not check.greyscale_safe


def test_a_saved_panel_is_seen_as_others_see_it() -> None:
    seen = simulate(panel(several(), width="icml"), "greyscale")
    assert seen.ndim == 3 and (seen[..., 0] == seen[..., 2]).all()


def test_every_view_has_a_figure_with_heading_caption_and_alt_text(each_view) -> None:
    """With names that a typesetter or a browser could take for commands."""
    for name, view in each_view.items():
        figure = view.figure()
        root = ET.fromstring(saved(figure, "svg"))
        assert "<script>" in "".join(root.itertext()), name
        assert root.attrib["aria-label"], name
        assert figure.heading and figure.caption and figure.alt, name
        saved(figure, "pdf")
        bundle = view._repr_mimebundle_()
        assert bundle is not None
        assert bundle[1]["image/png"]["alt"] == view.alt, name
        assert view.alt, name


@pytest.mark.parametrize("width", ["cvpr", "nature-double"])
def test_the_figures_of_views_take_a_column(width: str) -> None:
    basis = fakes.basis()
    depth = [fakes.explanation(), fakes.explanation(3, 5, layer="b")]
    grid = sw.Comparison(list(several()))
    views = [sw.Heatmap(depth[0]), sw.Contrast(basis, "husky", "wolf"), sw.Layers(depth)]
    figures = [view.figure(width=width, style=style) for view in views for style in ("overlay", "contour", "side-by-side")]
    for figure in [*figures, grid.figure(width=width)]:
        assert figure.get_figwidth() == width_of(width)
        figure.set_dpi(300)
        figure.draw_without_rendering()
        for text in [*figure.texts, *[t for ax in figure.axes for t in [ax.title, *ax.get_xticklabels()]]]:
            box = text.get_window_extent()
            assert not text.get_text() or (box.x0 >= -3 and box.y0 >= -3 and box.x1 <= figure.bbox.x1 + 3
                                           and box.y1 <= figure.bbox.y1 + 3), text


def test_names_over_narrow_maps_are_whole_and_stand_over_every_column() -> None:
    world = sw.worlds.creatures(n=2)
    model = world.model("cnn")
    methods = ["grad-cam", "layer-cam", "saliency", "lrp", "input-x-gradient", "integrated-gradients", "guided-backprop",
               "smoothgrad"]
    es = sw.explain(model, world.images[0], sw.why(0), method=methods, progress=False, steps=2, n_samples=2)
    fig = sw.Comparison(es).figure(width="cvpr")
    over = [ax.get_title() for ax in fig.axes if ax.get_title()]
    assert [t.replace("\n", "") for t in over] == methods
    assert all(piece.endswith("-") for t in over for piece in t.split("\n")[:-1])
    asked = [sw.why(), sw.why(world.labels[0]).rather_than(world.classes[-1])]
    fig = sw.Comparison(sw.explain(model, world.images, asked, progress=False)).figure()
    heads = {" ".join(t.get_text().split()) for t in fig.texts}
    assert world.labels[0] != world.labels[1]
    assert {f"Why “{name}”?" for name in world.labels} <= heads, "the second has no cell in the first row"


def test_captions_say_computed_numbers_with_four_digits() -> None:
    world = sw.worlds.creatures(n=1)
    e = sw.explain(world.model("cnn"), world.images[0], sw.why(), method="lrp", progress=False)
    caption = captions.caption(e, (64, 64), (64, 64))
    assert f"input share {e.params['input_share']:.4g}".replace("-", "−") in caption
    assert "epsilon 1e-06" in caption and "gamma 0.25" in caption
    assert max(len(digits) for digits in re.findall(r"\.(\d+)", caption)) <= 7


def test_what_is_left_out_of_a_name_is_told() -> None:
    assert headed("one two", 5.0, 8, 1) == ["one two"]
    lines = headed("a question that goes on and on and on", 0.6, 8, 2)
    assert len(lines) == 2 and lines[1].endswith("…") and all(extent(line, 8) <= 0.6 for line in lines)
    assert wrapped("integrated-gradients", extent("integrated-grad", 8), 8) == ["integrated-", "gradients"]
    assert fitting(["integrated-gradients"], 10.0, 8, 4.0) == 8
    size = fitting(["integrated-gradients"], 0.5, 8, 4.0)
    assert 4.0 < size < 8 and len(wrapped("integrated-gradients", 0.5, size)) == 2
