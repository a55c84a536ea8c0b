"""Figures for papers: vector text, embedded fonts, one shared bar, nothing of pyplot."""

from __future__ import annotations

import io
import subprocess
import sys

import fakes
import numpy as np
import pytest
from every import VIEWS
from PIL import Image

from salwidgets.errors import InputError
from salwidgets.figures import panel, plot_explanation
from salwidgets.scale import Scale
from salwidgets.widgets import Comparison, Contrast, Heatmap


def texts(figure) -> str:
    found = [t.get_text() for t in figure.texts]
    return "\n".join(found + [ax.get_title() for ax in figure.axes]
                     + [t.get_text() for ax in figure.axes for t in ax.get_xticklabels()])


def test_a_figure_says_what_it_shows() -> None:
    view = Heatmap(fakes.explanation())
    view.selection = {"box": [10, 20, 40, 60]}
    said = texts(view.figure()).replace("\n", " ")
    for wanted in ("Why “husky” rather than “wolf”?", "Score +8.31 logits", "probability 92 %", "Completeness",
                   "Limits hold 99.5 % of cells", "Region rows 10–40, columns 20–60", "A notice", "against −2.00",
                   "for +2.00"):
        assert wanted in said, wanted


def test_native_cells_are_drawn_as_they_are() -> None:
    e = fakes.explanation()
    scale = Scale.fit(e.values)
    ax = plot_explanation(e, scale=scale)
    np.testing.assert_array_equal(ax.images[1].get_array(), scale.rgba(e.values))
    assert ax.images[1].get_interpolation() == "nearest"
    smooth = plot_explanation(e, scale=scale.changed(smooth=True))
    assert smooth.images[1].get_array().shape == (60, 100, 4)


def test_it_draws_into_given_axes() -> None:
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert plot_explanation(fakes.explanation(), ax=ax) is ax
    assert ax.get_title() == "Why “husky” rather than “wolf”?"
    ax.figure.savefig(io.BytesIO(), format="png")
    assert fakes.explanation().plot().get_title().startswith("Why")


def test_a_panel_shares_one_scale_and_one_bar() -> None:
    items = [fakes.explanation(), fakes.explanation(3, 5)]
    items[1].values *= 10
    figure = panel(items)
    assert figure.axes[0].get_title() == "Image"
    assert len(figure.axes) == 4
    scale = Scale.fit(*[e.values for e in items])
    np.testing.assert_array_equal(figure.axes[1].images[1].get_array(), scale.rgba(items[0].values))
    assert "beyond them" in texts(figure)
    items[1].method = "rise"
    assert any("rise" in ax.get_title() for ax in panel(items).axes)


def test_fonts_are_embedded_and_text_stays_text() -> None:
    figure = panel([fakes.explanation()])
    pdf, svg = io.BytesIO(), io.BytesIO()
    figure.savefig(pdf, format="pdf")
    figure.savefig(svg, format="svg")
    assert b"/FontFile2" in pdf.getvalue()
    assert b"/Type3" not in pdf.getvalue()
    assert "husky" in svg.getvalue().decode()


def test_everything_lies_inside_the_page() -> None:
    for figure in (panel([fakes.explanation()] * 3), Heatmap(fakes.explanation()).figure()):
        figure.draw_without_rendering()
        page = figure.bbox
        for text in [*figure.texts, *[t for ax in figure.axes for t in [ax.title, *ax.get_xticklabels()]]]:
            if text.get_text():
                box = text.get_window_extent()
                assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= page.x1 + 1 and box.y1 <= page.y1 + 1, text


def test_pyplot_is_never_imported() -> None:
    code = ("import sys; sys.path.insert(0, 'tests/browser'); import fakes; fakes.explanation().plot(); "
            "assert 'matplotlib.pyplot' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)


def test_wrong_input_is_an_input_error() -> None:
    for wrong in ([], ["husky"]):
        with pytest.raises(InputError):
            panel(wrong)
    with pytest.raises(InputError, match="2 titles for 1"):
        panel([fakes.explanation()], titles=["a", "b"])


EAR = {"left ear": [10, 20, 40, 60]}
HOSTILE = "$\\frac{1}$ \x1b"


def pixels(figure, dpi: int = 200) -> np.ndarray:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=dpi)
    return np.asarray(Image.open(out).convert("L"), int)


def named(figure) -> list[str]:
    """The names on the maps."""
    return [t.get_text() for ax in figure.axes for t in ax.texts]


def outlines(figure) -> list[tuple[float, ...]]:
    """(row0, column0, row1, column1) of all boxes drawn, in pixels of the picture."""
    found = [(p.get_y() + 0.5, p.get_x() + 0.5, p.get_y() + p.get_height() + 0.5, p.get_x() + p.get_width() + 0.5)
             for ax in figure.axes for p in ax.patches]
    return [tuple(round(v, 6) for v in box) for box in found]


@pytest.mark.parametrize("style", ["overlay", "contour", "side-by-side"])
def test_a_named_region_is_outlined_on_its_pixels(style: str) -> None:
    """What differs from the figure without regions is a dark line, and its halo, around the box; and the name inside."""
    view = Heatmap(fakes.explanation())
    before = pixels(view.figure(style=style))
    view.regions = EAR
    figure = view.figure(style=style)
    after = pixels(figure)
    assert before.shape == after.shape  # the page is not another one
    figure.set_dpi(200)
    figure.draw_without_rendering()
    maps = [ax for ax in figure.axes if ax.patches]
    assert len(maps) == (2 if style == "side-by-side" else 1)
    changed = before != after
    for ax in maps:
        (x0, y0), (x1, y1) = ax.transData.transform([(19.5, 39.5), (59.5, 9.5)])
        left, right, top, bottom = (round(v) for v in (x0, x1, len(after) - y1, len(after) - y0))
        around = np.zeros_like(changed)
        around[top - 5:bottom + 5, left - 5:right + 5] = True
        for line in (after[top - 2:top + 2, left:right].min(0), after[bottom - 2:bottom + 2, left:right].min(0),
                     after[top:bottom, left - 2:left + 2].min(1), after[top:bottom, right - 2:right + 2].min(1)):
            assert np.quantile(line, 0.95) < 90  # dark along all its length
        inner = changed[top + 30:bottom - 5, left + 5:right - 5]
        assert not inner.any()  # below the name, the map is as it was
        changed &= ~around
    assert not changed.any()


def test_without_regions_nothing_is_drawn() -> None:
    view = Heatmap(fakes.explanation())
    never = pixels(view.figure())
    view.regions = EAR
    view.regions = {}
    assert outlines(view.figure()) == named(view.figure()) == []
    np.testing.assert_array_equal(pixels(view.figure()), never)
    outside = {"gone": [70, 0, 80, 10], "half": [50, 90, 80, 120]}
    figure = panel([fakes.explanation()], picture=False, regions=outside)
    assert (named(figure), outlines(figure)) == (["half"], [(50, 90, 60, 100)])


@pytest.mark.parametrize("name, maps", [("Heatmap", 1), ("Contrast", 3), ("Comparison", 2), ("Layers", 3),
                                        ("Randomisation", 4), ("Eraser", 2), ("Workbench", 3)])
def test_every_view_of_one_picture_outlines_its_regions(name: str, maps: int) -> None:
    view = VIEWS[name]("husky")
    assert named(view.figure()) == []
    view.regions = EAR
    figure = view.figure()
    assert outlines(figure).count((10, 20, 40, 60)) == maps
    assert named(figure) == ["left ear"] * (2 if name == "Eraser" else 1)  # once is enough where maps stand side by side
    if name in ("Layers", "Randomisation", "Workbench"):
        first = next(ax for ax in figure.axes if ax.texts)
        assert first.get_title() == "Image"


def test_a_comparison_of_several_pictures_outlines_nothing_as_on_the_screen() -> None:
    other = fakes.explanation(image=fakes.picture()[:, ::-1].copy())
    other.method = "lrp"
    grid = Comparison([fakes.explanation(), other])
    grid.regions = EAR
    assert outlines(grid.figure()) == []


def test_maps_too_small_for_names_have_them_below() -> None:
    grid = Comparison([fakes.explanation(layer=str(i)) for i in range(8)])
    grid.regions = {**EAR, "$x_1$": [0, 0, 9.5, 10]}
    figure = grid.figure(width="cvpr")
    assert (len(outlines(figure)), named(figure)) == (16, [])
    said = texts(figure).replace("\n", " ")
    assert "Outlined: left ear (rows 10–40, columns 20–60); $x_1$ (rows 0–9.5, columns 0–10)." in said
    assert "Outlined" not in texts(grid.figure())


@pytest.mark.parametrize("width", ["icml", "cvpr-double", None])
def test_names_stay_in_the_picture_and_off_each_other(width: str | None) -> None:
    """Many in the same place, at every edge, longer than the picture, and hostile."""
    view = Contrast(fakes.basis(), "husky", "wolf")
    corners = {"upper left": [0, 0, 5, 5], "upper right": [0, 95, 5, 100], "lower right": [55, 95, 60, 100],
               "low": [59, 0, 60, 9]}
    view.regions = {**corners, "same 1": [20, 50, 40, 90], "same 2": [20, 50, 40, 90], HOSTILE: [20, 60, 40, 90],
                    "<b>" + "long " * 30: [30, 10, 35, 40]}
    figure = view.figure(width=width)
    figure.set_dpi(300)
    figure.draw_without_rendering()
    ax = next(ax for ax in figure.axes if ax.texts)
    page, boxes = ax.get_window_extent(), [t.get_window_extent() for t in ax.texts]
    assert len(boxes) == 8
    assert HOSTILE.replace("\x1b", "\N{REPLACEMENT CHARACTER}") in named(figure)
    assert [t for t in named(figure) if t.startswith("<b>long") and t.endswith("…")]
    for i, (box, text) in enumerate(zip(boxes, ax.texts, strict=True)):
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text
        assert text.get_fontsize() >= 5
        assert not [b for b in boxes[i + 1:] if b.shrunk(1, 0.9).overlaps(box.shrunk(1, 0.9))], text


def test_a_region_that_is_no_box_is_an_input_error() -> None:
    for wrong in ([1, 2, 3], [5, 0, 5, 9], [float("nan")] * 4, "abcd", None, 3):
        with pytest.raises(InputError, match="'ear' needs"):
            panel([fakes.explanation()], regions={"ear": wrong})


def test_the_numbers_of_a_narrow_bar_do_not_touch() -> None:
    items = [fakes.explanation() for _ in range(3)]
    for e in items:
        e.values = e.values * np.float32(0.0010155)
    figure = panel(items, width="icml", scale="each")
    figure.set_dpi(300)
    figure.draw_without_rendering()
    bars = [ax.get_xticklabels() for ax in figure.axes if len(ax.get_xticks()) > 1]
    assert bars
    for low, *_, high in bars:
        assert low.get_window_extent().x1 < high.get_window_extent().x0
