"""Scorecard: what crosses, what stands where a picture is hidden, which errors; the figure and the traits."""

from __future__ import annotations

import numpy as np
import pytest
import score_fakes

import salwidgets as sw
from salwidgets.errors import InputError
from salwidgets.widgets import Heatmap, Scorecard, link


def test_means_intervals_and_agreement_are_the_tables() -> None:
    table = score_fakes.table()
    view = Scorecard(table)
    summary = table.summary().set_index(["method", "metric"])
    for column in view.columns:
        for group, cell in zip(view.groups, column["cells"], strict=True):
            said = summary.loc[group["method"], column["label"]]
            assert cell["mean"] == pytest.approx(said["mean"])
            assert (cell["low"] is None) == bool(np.isnan(said["low"]))
    assert view.columns[3]["values"][2] is None and view.columns[3]["cells"][1]["best"]
    np.testing.assert_allclose(np.array(view.agreement, float), table.agreement().to_numpy())
    assert view.notices == table.notes and view.metric == "deletion"
    assert [c["arrow"] for c in view.columns] == ["↓", "↑", "↑", "↑"]
    assert all(c["cannot"] for c in view.columns)


def test_the_order_is_that_of_the_means() -> None:
    view = Scorecard(score_fakes.table())
    assert view.order() == [0, 1]
    view.sort, view.descending = "deletion", False
    assert view.order() == [1, 0]
    view.descending = True
    assert view.order() == [0, 1]


@pytest.mark.parametrize("fill", ["black", "mean", "blur", "noise"])
@pytest.mark.parametrize("metric", ["deletion", "insertion", "lerf"])
def test_the_picture_at_the_play_head_is_what_the_model_sees(fill: str, metric: str) -> None:
    """Against the metric's own perturbed images, of a model in [0, 1] that sees the picture as it is."""
    import torch

    model = sw.Model(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 60 * 100, 2)))
    es = score_fakes.explanations()
    runs = sw.metrics.Runs(model)
    for row in (0, 1):
        e = es[row]
        x = torch.from_numpy(e.image.copy()).permute(2, 0, 1).float() / 255
        view = Scorecard(score_fakes.table(fill=fill), metric=metric, row=row, at=4)
        seen = sw.Explanation(e.values, x.numpy(), e.question, e.method)
        ranked, painted = runs.ranked(seen), runs._fill(fill)
        share = 1 - score_fakes.X[4] if metric == "insertion" else score_fakes.X[4]
        order = "most" if metric == "deletion" else "least"
        count = int(share * ranked.size + 1e-6)
        wanted = 255 * runs._images([(ranked, count)], painted, order)[0].permute(1, 2, 0).numpy()
        shown = view.perturbed()
        assert shown is not None
        assert np.abs(shown - wanted).max() <= 0.51  # a picture has whole numbers
        away = np.abs(shown.astype(float) - e.image).max(2) > 0
        assert away.sum() <= count


def test_what_has_no_picture_says_so() -> None:
    assert Scorecard(score_fakes.table(fill="road")).perturbed() is None
    table = score_fakes.table()
    assert Scorecard(table, metric=table.metrics[3]).perturbed() is None
    table.explanations = ()
    loaded = Scorecard(table, at=3)
    assert loaded.perturbed() is None and loaded.places == [] and loaded.figure() is not None
    again = Scorecard(table, explanations=score_fakes.explanations(), at=3)
    assert again.perturbed() is not None


def test_text_has_figures_and_curves_but_no_maps() -> None:
    table = score_fakes.table()
    table.explanations = tuple(sw.Explanation(np.zeros(5, np.float32), np.zeros(5), e.question, e.method)
                               for e in table.explanations)
    assert Scorecard(table).places == []


def test_errors_name_what_is_wrong() -> None:
    table = score_fakes.table()
    with pytest.raises(InputError, match=r"ScoreTable .*not list"):
        Scorecard([])
    with pytest.raises(InputError, match="4 rows, and 2 explanations"):
        Scorecard(table, explanations=score_fakes.explanations()[:2])
    with pytest.raises(InputError, match=r"explanation 0 is of saliency; row 0 .* rise"):
        Scorecard(table, explanations=score_fakes.explanations()[::-1])
    with pytest.raises(InputError, match="'nss' is not in the table"):
        Scorecard(table, metric="nss")
    view = Scorecard(table)
    with pytest.raises(InputError, match="4 explanations, 0 to 3"):
        view.row = 4
    with pytest.raises(InputError, match="not in the table"):
        view.sort = "nss"
    view.at = 99
    assert view.at == 10
    view.metric = table.metrics[3]
    assert view.metric == table.metrics[3]


def test_it_shares_cursor_and_region_and_closes_whole() -> None:
    es = score_fakes.explanations()
    view, heat = Scorecard(score_fakes.table()), Heatmap(es[0])
    link(view, heat)
    view.selection = {"box": [10, 20, 40, 60]}
    assert heat.selection == view.selection and view.share is not None
    view.close(), heat.close()


def test_the_figure_shows_curves_and_the_picture() -> None:
    view = Scorecard(score_fakes.table("$\\frac{"), at=4)
    axes = view.figure().axes
    assert len(axes) == 2 and len(axes[0].get_lines()) == 3  # two methods and the play head
    np.testing.assert_array_equal(axes[1].get_images()[0].get_array(), view.perturbed())
    view.figure().canvas.draw()
    view.metric = view.table.metrics[3]
    view.figure().canvas.draw()


def test_a_scorecard_of_real_figures(tmp_path) -> None:
    world = sw.worlds.creatures(n=2)
    es = sw.explain(world.model("cnn"), world.images, sw.why(), method=["grad-cam", "saliency"], progress=False)
    table = sw.metrics.scorecard(world.model("cnn"), es, ["deletion", "sparseness"], progress=False)
    view = sw.Scorecard(table)
    assert view.heading == "4 explanations of 2 images by 2 metrics"
    assert len(table.explanations) == 4 and "<table" in table._repr_html_()
    assert view.save_html(tmp_path / "page.html").stat().st_size > 50_000
