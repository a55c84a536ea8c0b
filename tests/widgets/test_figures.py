"""Figures for papers: vector text, embedded fonts, one shared bar, nothing of pyplot."""

from __future__ import annotations

import io
import subprocess
import sys

import fakes
import numpy as np
import pytest

from salwidgets.errors import InputError
from salwidgets.figures import panel, plot_explanation
from salwidgets.scale import Scale
from salwidgets.widgets import Heatmap


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
