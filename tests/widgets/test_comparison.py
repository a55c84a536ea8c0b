"""Comparison: where maps stand, what is subtracted from what, whose scores, and what a page keeps of it."""

from __future__ import annotations

import gc
import json
from typing import Any

import fakes
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances

from salwidgets.errors import InputError, QuestionError
from salwidgets.explanation import Explanation, Explanations, from_array
from salwidgets.questions import why
from salwidgets.scale import Scale
from salwidgets.widgets import ClassTree, Comparison, Heatmap, link, save_page
from salwidgets.widgets.compact import compact_maps, compact_pictures
from salwidgets.widgets.export import page_state
from salwidgets.widgets.given_scores import score_columns


def maps(rows: int = 3, columns: int = 2, size: tuple[int, int] = (6, 10), **fields: Any) -> Explanations:
    """Inputs x methods; cell values are random, the score of input i is i."""
    rng = np.random.default_rng(0)
    found = []
    for i in range(rows):
        picture = fakes.picture().copy()
        picture[0, 0] = i
        found += [from_array(rng.normal(size=size).astype(np.float32), picture, why("husky"), method=f"m{j}", score=float(i),
                             **fields) for j in range(columns)]
    return Explanations(found, (rows, 1, columns))


def one(**fields: Any) -> Explanation:
    return fakes.explanation(**fields)


def test_rows_and_columns_are_what_differs() -> None:
    w = Comparison(maps())
    assert (w.places.rows, w.places.columns) == (["Input 1", "Input 2", "Input 3"], ["m0", "m1"])
    assert [(p["row"], p["column"]) for p in w.panels] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    turned = Comparison(maps(), rows="methods", columns="inputs")
    assert (turned.places.rows, turned.places.columns) == (["m0", "m1"], ["Input 1", "Input 2", "Input 3"])
    assert turned.panels[1]["row"] == 1


def test_layers_and_models_of_a_mixed_list() -> None:
    layers = [one(layer=name, model=model) for model in ("net", "vit") for name in ("a", "b", "c")]
    w = Comparison(layers)
    assert (w.places.row_facets, w.places.column_facets) == (("models",), ("layers",))
    flat = Comparison(layers[:3])
    assert (flat.places.rows, flat.places.columns) == ([""], ["a", "b", "c"])
    folded = Comparison(layers, rows=("models", "layers"))
    assert folded.places.rows[:2] == ["net · a", "net · b"]
    two = Comparison([one(params={"steps": n}) for n in (8, 64)])
    assert two.places.columns == ["grad-cam, steps 8", "grad-cam, steps 64"]


def test_a_layer_that_only_one_method_has_needs_no_row_of_its_own() -> None:
    items = maps(1, 2)
    items[0].layer = "features.12"
    assert Comparison(items).places.rows == [""]


def test_what_a_method_found_on_an_input_is_no_setting_of_it() -> None:
    items = maps(3, 2)
    for i, e in enumerate(items):
        e.params = {"bias_share": 0.1 * i, "steps": 8}
        e.notices = (f"{i} stayed with the biases.", "A word for all.")
    w = Comparison(items)
    assert w.places.columns == ["m0", "m1"]
    assert w.notices == ["A word for all."]
    assert w.panels[4]["notices"] == ["4 stayed with the biases."]
    both = list(maps(1, 1)) + list(maps(1, 1))
    for e, steps in zip(both, (8, 64), strict=True):
        e.params = {"bias_share": steps / 100, "steps": steps}
    assert len(Comparison(both).places.columns) == 2


def test_inputs_that_are_asked_different_questions_say_theirs() -> None:
    items = maps(2, 2)
    for i, name in enumerate(["husky", "husky", "wolf", "wolf"]):
        items[i].question = why(name)
    assert Comparison(items).places.rows == ["Input 1: Why “husky”?", "Input 2: Why “wolf”?"]


@pytest.mark.parametrize(("given", "said"), [
    ({"rows": "colour"}, "choose one or several of inputs"),
    ({"rows": "methods", "columns": "methods"}, "both name methods"),
    ({"columns": "methods", "rows": "layers"}, "both fall on"), ({"scale": "own"}, "'shared', 'each'"),
    ({"reference": "m9"}, "the columns are 'm0', 'm1'"), ({"sort": "deletion"}, "no score here; there are 'score'"),
    ({"sort": "score", "sort_column": 7}, "column's number"), ({"foil": "wolf"}, "need evidence"),
    ({"scores": [1, 2]}, r"shape \[2\]; there are 6"), ({"scores": {"x": [1.0] * 5}}, "'x' has 5 rows; there are 6"),
    ({"scores": {"x": ["a"] * 6}}, "no number"), ({"scores": {"score": [1] * 6}}, "call it otherwise")])
def test_errors_name_the_input_and_the_mend(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Comparison(maps(), **given)


def test_what_is_no_explanation() -> None:
    with pytest.raises(InputError, match="item 1 is a int"):
        Comparison([one(), 3])
    with pytest.raises(InputError, match="nothing to compare"):
        Comparison([])
    with pytest.raises(InputError, match="both fall on"):
        Comparison([one(), one()])


def test_one_scale_fits_all_and_a_given_one_holds() -> None:
    es = maps()
    assert Comparison(es).scale == Scale.fit(*(e.values for e in es))
    w = Comparison(es, scale=Scale.fit([1.0, -1.0]))
    w.reference = "m0"
    assert w.scale.limits == (-1.0, 1.0)
    assert Comparison(es, scale="each").each


def test_differences_are_raw_maps_subtracted_and_the_scale_fits_them() -> None:
    es = maps()
    w = Comparison(es, reference="m1")
    shown = w.shown_maps()
    np.testing.assert_array_equal(shown[0], (es[0].values.astype(np.float64) - es[1].values).astype(np.float32))
    np.testing.assert_array_equal(shown[1], es[1].values)
    assert w.scale == Scale.fit(*shown)
    w.reference = 0
    assert w.reference == "m0"
    np.testing.assert_array_equal(w.shown_maps()[1], (es[1].values.astype(np.float64) - es[0].values).astype(np.float32))


def test_class_blind_maps_and_other_grids_are_never_subtracted() -> None:
    es = list(maps(1, 4))
    es[1].class_blind = True
    es[2].values = np.ones((3, 5), np.float32)
    w = Comparison(es, reference="m0")
    assert [w.subtracted(i) for i in range(4)] == [None, None, None, 0]
    np.testing.assert_array_equal(w.shown_maps()[1], es[1].values)
    with pytest.raises(InputError, match="class-blind"):
        w.reference = "m1"


def test_rows_are_sorted_by_a_score_and_unknown_ones_come_last() -> None:
    import pandas as pd

    table = pd.DataFrame({"method": list("ababab"), "deletion": [0.3, 0.1, np.nan, np.nan, 0.2, 0.9]})
    w = Comparison(maps(), scores=table, sort="deletion", descending=False)
    assert w.score_names == ["score", "deletion"]
    assert w.panels[2]["scores"] == [1.0, None]
    assert w.order() == [0, 2, 1]
    w.sort_column, w.descending = 1, True
    assert w.order() == [2, 0, 1]
    w.sort = "score"
    assert w.order() == [2, 1, 0]
    json.dumps(w.panels, allow_nan=False)


class Table:
    """What sw.metrics.scorecard returns, as far as this view knows it."""

    def to_pandas(self) -> Any:
        import pandas as pd

        return pd.DataFrame({"question": ["q"] * 4, "insertion": [1, 2, 3, 4]})


@pytest.mark.parametrize("scores", [Table(), {"insertion": [1, 2, 3, 4]}, {"insertion": np.array([[1, 2], [3, 4]])}])
def test_scores_come_as_tables_dicts_and_arrays(scores: Any) -> None:
    assert score_columns(scores, 4) == {"insertion": [1.0, 2.0, 3.0, 4.0]}
    assert list(score_columns(np.ones((4, 2)), 4)) == ["given score 1", "given score 2"]
    assert score_columns(np.ones((2, 1, 2)), 4) == {"given score": [1.0] * 4}


def test_evidence_answers_any_foil_as_its_basis_does() -> None:
    basis = fakes.basis()
    w = Comparison(basis, target="husky", foil="wolf")
    np.testing.assert_allclose(w.shown_map(), basis.maps[0, 0] - basis.maps[0, 2], atol=1e-6)
    assert w.heading == "Why “husky” rather than “wolf”?"
    w.target, w.foil = "dog", ""
    np.testing.assert_allclose(w.shown_map(), basis.maps[0, :2].mean(0), atol=1e-6)
    assert w.heading == "Why “dog”?"
    assert w.scale == Scale.fit(w.shown_map())
    with pytest.raises(QuestionError, match="bird"):
        w.foil = "bird"
    with pytest.raises(InputError, match="scores= belong to explanations"):
        Comparison(basis, scores=[1.0])


def test_bases_of_other_classes_are_refused() -> None:
    with pytest.raises(InputError, match="different classes"):
        Comparison([fakes.basis(), fakes.basis(classes=6)])


def test_a_linked_class_tree_asks_it() -> None:
    w, tree = Comparison(fakes.basis()), ClassTree(fakes.basis())
    link(tree, w)
    tree.question = why("dog").rather_than("vehicle")
    assert (w.target, w.foil) == ("dog", "vehicle")
    tree.question = why("cat")
    assert (w.target, w.foil, w.heading) == ("cat", "", "Why “cat”?")
    w.foil = "fox"
    assert tree.asked()["foil"] == "fox"


def test_it_shares_cursor_region_and_scale_with_other_views() -> None:
    es = maps()
    w, heat = Comparison(es), Heatmap(es[0])
    link(w, heat)
    heat.selection = {"box": [10, 20, 40, 60]}
    shares = w.shares()
    assert shares is not None
    assert shares[0] == heat.share
    w.active = 3
    assert w.share == shares[3]
    assert w.scale == heat.scale


def test_equal_pictures_are_sent_once_and_large_ones_small() -> None:
    w = Comparison(maps(3, 2))
    assert len(w.sheets) == 3
    big = from_array(np.eye(4, 6), np.zeros((900, 1350, 3), np.uint8))
    w = Comparison([big])
    assert (w.size, w.sheets) == ([900, 1350], [[341, 512]])


def test_a_page_keeps_small_maps_as_they_are_and_large_ones_as_float16() -> None:
    small = Comparison(maps())
    assert small.page_state()["maps"]["dtype"] == "float32"
    large = Comparison(maps(2, 3, (224, 224)))
    state = large.page_state()
    assert state["maps"]["dtype"] == "float16"
    assert state["stored"] == "This page keeps the maps as float16: largest error < 0.1 % of a map's range."
    models = page_state([large])
    assert models[large.model_id]["state"]["maps"]["dtype"] == "float16"


def decoded(packed: dict[str, Any]) -> np.ndarray:
    import zlib

    n = packed["shape"][0]
    low, high = packed["view"][:n], zlib.decompress(packed["view"][n:])
    planes = np.stack([np.frombuffer(low, np.uint8), np.frombuffer(high, np.uint8)], -1)
    half = np.ascontiguousarray(planes).view("<f2").ravel().astype(np.float64)
    for start, length, factor in packed["factors"]:
        half[start:start + length] *= factor
    return half.astype(np.float32)


@pytest.mark.parametrize("unit", [1e-30, 1.0, 3e5, 1e30])
def test_float16_keeps_every_unit_within_the_error_it_states(unit: float) -> None:
    values = (np.random.default_rng(0).normal(size=5000) * unit).astype(np.float32)
    values[:3] = [np.nan, np.inf, -np.inf]
    packed, error = compact_maps(values, [2000, 3000])
    back = decoded(packed)
    np.testing.assert_array_equal(back[:3], values[:3])
    parts = (slice(3, 2000), slice(2000, 5000))
    found = max(np.abs(back[part] - values[part]).max() / np.ptp(values[part]) for part in parts)
    assert error == pytest.approx(found, rel=1e-6)
    assert 0 < error <= 2**-11


def test_pictures_lose_nothing_until_there_are_many() -> None:
    import zlib

    pictures = [fakes.picture(), fakes.picture(20, 30)]
    packed, exact = compact_pictures(pictures)
    rows = np.frombuffer(zlib.decompress(packed["view"]), np.uint8)[: pictures[0].size].reshape(pictures[0].shape)
    assert exact
    np.testing.assert_array_equal(np.cumsum(rows, 0, dtype=np.uint8), pictures[0])
    noise = [np.random.default_rng(i).integers(0, 255, (224, 224, 3)).astype(np.uint8) for i in range(8)]
    packed, exact = compact_pictures(noise)
    assert not exact
    assert packed["dtype"] == "jpeg"
    assert sum(packed["shape"]) == len(packed["view"])


def test_the_figure_shows_all_maps_sorted_with_one_bar_or_limits_under_each() -> None:
    w = Comparison(maps(), sort="score", reference="m0")
    w.selection = {"box": [10, 20, 40, 60]}
    figure = w.figure()
    said = "\n".join(t.get_text() for t in figure.texts)
    assert len(figure.axes) == 7
    assert "Differences to m0." in said.replace("\n", " ")
    rows = [t.get_text() for t in figure.texts if t.get_text().startswith("Input")]
    assert rows == ["Input 3", "Input 2", "Input 1"]
    w.each = True
    assert len(w.figure().axes) == 6
    assert "scale of its own" in "\n".join(t.get_text() for t in w.figure().texts).replace("\n", " ")


def test_hostile_names_stay_text(tmp_path: Any) -> None:
    name = "</script><img src=x onerror=alert(1)>"
    items = [from_array(np.eye(3, 5), fakes.picture(), method=name + str(i), layer=name) for i in range(2)]
    text = save_page([Comparison(items, scores={name: [1.0, 2.0]})], tmp_path / "page.html", title=name).read_text("utf-8")
    assert "<img src=x" not in text.replace("\\u003cimg", "")


def test_closed_views_leave_no_comm() -> None:
    gc.collect()
    before = set(_instances)
    views = [Comparison(maps(1, 2)) for _ in range(20)]
    shared = link(views[0], views[1])
    views[0].close()
    assert shared.comm is not None  # the other one still follows it
    for view in views[1:]:
        view.close()
    left = [type(_instances[k]).__name__ for k in set(_instances) - before]
    assert left == []
