"""The scorecard: the same figures as the metrics themselves, no pass twice, and a table that says what it is worth."""

from __future__ import annotations

import numpy as np
import pytest

import salwidgets as sw
from salwidgets.metrics import Runs, scorecard

NAMES = ["deletion", "insertion", "morf", "lerf", "aopc", "pgs", "ccs", "average_drop", "average_increase", "sparseness"]


@pytest.fixture(scope="module")
def questions(world):
    a, b = world.classes[:2]
    return [sw.why(), sw.why(a).rather_than(b)]


@pytest.fixture(scope="module")
def es(world, cnn, questions):
    return sw.explain(cnn, world.images[:4], questions, method=["grad-cam", "saliency", "hires-cam"], progress=False)


@pytest.fixture(scope="module")
def table(cnn, es):
    return scorecard(cnn, es, NAMES, progress=False)


def test_the_columns_are_the_metrics(cnn, es, table):
    frame = table.to_pandas()
    assert len(frame) == len(es) == 24
    assert list(frame.columns[:7]) == ["input", "question", "reference_frame", "granularity", "method", "model", "flags"]
    assert list(frame.columns[7:]) == NAMES
    assert frame["method"].tolist() == [e.method for e in es] and frame["input"].tolist() == sorted([0, 1, 2, 3] * 6)
    assert set(frame["reference_frame"]) == {"pointwise", "contrastive"}
    for name in ("deletion", "insertion", "aopc", "average_drop", "sparseness"):
        metric = getattr(sw.metrics, name)
        direct = metric(cnn, list(es)) if "model" in metric.info.needs else metric(list(es))
        np.testing.assert_allclose(frame[name], direct, atol=1e-5)
    contrasts = (frame["reference_frame"] == "contrastive").to_numpy()
    assert frame["pgs"].isna().tolist() == contrasts.tolist() and frame["ccs"].isna().tolist() == (~contrasts).tolist()
    assert any(n.startswith("ccs: 12 of 24 left out") for n in table.notes)


def test_no_image_is_scored_twice(cnn, es, table):
    """Deletion's and insertion's images, and one through each map, serve all ten metrics."""
    distinct = {(e.input_sha256, sw.metrics.Runs(cnn).ranked(e).key) for e in es}
    images = len({e.input_sha256 for e in es})
    through = len({(e.input_sha256, np.maximum(e.values, 0).tobytes()) for e in es})
    assert table.passes <= 2 * 19 * len(distinct) + 2 * images + through
    assert table.column("deletion").passes == 19 * len(distinct) + images  # the inputs themselves: scored for the questions
    for name in ("morf", "lerf", "aopc", "pgs", "ccs", "average_increase"):
        assert table.column(name).passes == 0, name
    runs = Runs(cnn)
    scorecard(cnn, es, NAMES, runs=runs), scorecard(cnn, es, NAMES[:5], runs=runs)
    assert runs.passes == table.passes


def test_summary_has_intervals_over_images(table):
    summary = table.summary()
    row = summary.set_index(["method", "questions", "metric"]).loc["grad-cam", "pointwise class", "insertion"]
    frame = table.to_pandas()
    mine = frame[(frame.method == "grad-cam") & (frame.reference_frame == "pointwise")]["insertion"]
    assert row["mean"] == pytest.approx(mine.mean()) and row.images == row.explanations == 4
    assert mine.min() <= row.low <= row["mean"] <= row.high <= mine.max()
    assert row.better == "higher"
    again = table.summary()
    assert again.equals(summary)
    assert (table.summary(0.5).high - table.summary(0.5).low).sum() < (summary.high - summary.low).sum()


def test_one_image_has_no_interval_and_says_so(cnn, es):
    one = scorecard(cnn, es[0], ["deletion", "sparseness"])
    assert one.summary()[["low", "high"]].isna().all().all()
    assert any("One image" in n for n in one.notes) and "One image" in one._repr_html_()
    assert "no intervals" in one.to_latex() and one.plot() is not None
    single = scorecard(cnn, es[0, 0, 0], ["deletion"])
    assert len(single) == 1 and np.isfinite(single["deletion"]).all()


def test_agreement_is_spearman_with_higher_as_better(cnn, es, table):
    from scipy.stats import spearmanr

    alike = table.agreement(within=False)
    np.testing.assert_allclose([alike.loc[m, m] for m in NAMES if m != "ccs"], 1)
    frame = table.to_pandas()
    expected = spearmanr(frame["deletion"], -frame["insertion"]).statistic
    assert alike.loc["deletion", "insertion"] == pytest.approx(expected, abs=1e-9)
    inside = table.agreement()
    assert inside.loc["morf", "aopc"] > 0.9  # one is turned, one not
    ranks = frame.groupby(["input", "question"])[["deletion", "insertion"]].rank()
    centred = ranks - ranks.groupby([frame.input, frame.question]).transform("mean")
    assert inside.loc["deletion", "insertion"] == pytest.approx(-np.corrcoef(centred.T)[0, 1], abs=1e-9)


def test_html_and_latex_say_which_way_is_better(table):
    page = table._repr_html_()
    assert "deletion ↓" in page and "insertion ↑" in page and "what it cannot tell" in page and "Agreement" in page
    assert sw.metrics.deletion.info.cannot.split(":")[0].replace("'", "&#x27;") in page
    latex = table.to_latex()
    assert r"deletion $\downarrow$" in latex and r"average\_drop" in latex and r"\textbf{" in latex
    assert latex.count(r"\\") == 1 + len(table.groups())
    import matplotlib

    figure = table.plot(["deletion", "insertion"])
    assert isinstance(figure, matplotlib.figure.Figure)
    assert [ax.get_title() for ax in figure.axes[:2]] == ["deletion ↓", "insertion ↑"]


def test_html_escapes_what_others_wrote(world, cnn):
    e = sw.from_array(np.eye(8), world.images[0], sw.why(world.labels[0]), method="<script>alert(1)</script>")
    page = scorecard(cnn, e, ["sparseness"])._repr_html_()
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_saved_tables_come_back(table, tmp_path):
    again = sw.metrics.load(table.save(tmp_path / "t"))
    assert again.to_pandas().equals(table.to_pandas()) and again.passes == table.passes and again.notes == table.notes
    for name, curves in table.curves.items():
        np.testing.assert_array_equal(again.curves[name].y, curves.y)
    assert not list((tmp_path / "t").glob("*.pkl"))
    path = tmp_path / "t" / "scores.json"
    whole = path.read_text(encoding="utf-8")
    for broken in (whole[:200], "[]", whole.replace('"deletion"', '"deletion9"'),
                   whole.replace('"schema_version": 1', '"schema_version": 9'), whole.replace('"sha256"', '"sha"')):
        path.write_text(broken, encoding="utf-8")
        with pytest.raises(sw.errors.InputError):
            sw.metrics.load(tmp_path / "t")
    with pytest.raises(sw.errors.InputError, match=r"scores\.json"):
        sw.metrics.load(tmp_path)


def test_maps_from_elsewhere_are_scored_the_same_way(cnn, world, es):
    e = es[0, 0, 0]
    mine = sw.from_array(e.values, world.images[0], sw.why(e.question.target_names[0]), method="theirs")
    table = scorecard(cnn, [e, mine], ["deletion", "insertion", "sparseness"])
    frame = table.to_pandas()
    np.testing.assert_allclose(frame.loc[0, "deletion":], frame.loc[1, "deletion":].astype(float), atol=0.01)
    assert frame["input"].tolist() == [0, 0] and frame["question"].nunique() <= 2
    unasked = sw.from_array(e.values, world.images[0])
    assert scorecard(cnn, unasked, ["deletion"])["deletion"][0] == pytest.approx(frame.loc[1, "deletion"], abs=1e-6)


def test_a_map_without_a_model(world):
    mask = world.truth(sw.why(world.labels[0]), 0)
    e = sw.from_array(mask.astype(float), world.images[0])
    table = scorecard(None, e, ["mass_in_mask", "sparseness"], masks=mask)
    assert table["mass_in_mask"][0] == pytest.approx(1) and table.passes == 0
    with pytest.raises(sw.errors.MethodError, match="deletion needs the model"):
        scorecard(None, e, ["deletion"])


def test_human_truths_need_no_model_either(world):
    """A fixation model's map against fixations, word values against rationales: the figures of the metrics themselves."""
    rng = np.random.default_rng(0)
    maps = [sw.from_array(rng.random((64, 64)), x) for x in world.images[:3]]
    points = [np.stack([rng.integers(0, 64, 9), rng.integers(0, 64, 9)], 1) for _ in maps]
    table = scorecard(None, maps, ["nss", "auc_judd", "spearman"], fixations=points)
    for name in table.metrics:
        np.testing.assert_allclose(table[name], getattr(sw.metrics, name)(maps, points))
    assert table.passes == 0 and table.to_pandas()["question"].tolist() == [""] * 3
    words = [sw.Explanation(rng.normal(size=8).astype(np.float32), np.zeros(8), None, "external") for _ in range(3)]
    marks = [np.arange(8) < 3] * 3
    assert scorecard(None, words, ["auprc"], rationales=marks)["auprc"].tolist() == sw.metrics.auprc(words, marks).tolist()


def test_what_is_missing_is_named_before_anything_runs(cnn, es):
    runs = Runs(cnn)
    for name, missing in (("mass_in_mask", "masks"), ("nss", "fixations"), ("truth_share", "world"),
                          ("token_f1", "rationales")):
        with pytest.raises(sw.errors.MethodError, match=f"{name} needs .*{missing}"):
            scorecard(cnn, es, ["deletion", name], runs=runs)
    with pytest.raises(sw.errors.MethodError, match="stpes"):
        scorecard(cnn, es, [("deletion", {"stpes": 3})], runs=runs)
    with pytest.raises(sw.errors.MethodError, match="twice"):
        scorecard(cnn, es, ["deletion", "deletion"], runs=runs)
    assert runs.passes <= 4


def test_a_world_gives_the_masks(cnn, es, world):
    table = scorecard(cnn, es, ["mass_in_mask", "truth_share"], world=world)
    frame = table.to_pandas()
    i = 0
    mask = world.truth(es[i].question, 0)
    assert frame.loc[i, "mass_in_mask"] == pytest.approx(sw.metrics.mass_in_mask(es[i], mask))
    empty = [not world.truth(e.question, at).any() for e, at in zip(es, frame["input"], strict=True)]
    assert frame["mass_in_mask"].isna().tolist() == empty
    assert not any(empty) or any("nothing in the image answers" in n for n in table.notes)


def test_the_same_metric_with_other_parameters(cnn, es):
    table = scorecard(cnn, es[0], ["deletion", ("deletion", {"fill": "blur"})], params={"deletion": {"steps": 4}})
    assert table.metrics == ["deletion", "deletion (steps=4, fill=blur)"]
    assert table.curves["deletion"].x.tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_constant_maps_are_flagged(cnn, world):
    e = sw.from_array(np.ones((8, 8)), world.images[0], sw.why(world.labels[0]))
    table = scorecard(cnn, [e], ["deletion", "insertion"])
    assert table.to_pandas()["flags"].tolist() == ["constant map"] and np.isfinite(table["deletion"]).all()
    assert any("Constant maps" in n for n in table.notes)


def test_the_default_choice(cnn, es, world):
    plain = scorecard(cnn, es[:1, :1], progress=False)
    assert plain.metrics == ["insertion", "deletion", "aopc", "pgs", "cgc", "sparseness"]
    assert {"mass_in_mask", "truth_share"} <= set(scorecard(None, es[:1, :1], world=world).metrics)
