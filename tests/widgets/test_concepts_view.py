"""ConceptView in Python: rows and their order, concept maps of own and linked pictures, names, what it refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from concept_fakes import Fitted

import salwidgets as sw
from salwidgets.errors import InputError, MethodError
from salwidgets.explanation import Explanations, from_array
from salwidgets.widgets import ClusterView, Comparison, ConceptView, Heatmap, link


def explanations(n: int = 3) -> list[Any]:
    rng = np.random.default_rng(1)
    return [from_array(np.eye(3, 4), rng.integers(0, 255, (12, 16, 3)).astype(np.uint8), method=str(i)) for i in range(n)]


def maps_of(w: ConceptView) -> list[np.ndarray]:
    flat, found, start = np.frombuffer(w.maps["view"], np.uint8), [], 0
    for h, c in w.maps["shapes"]:
        found.append(flat[start:start + 3 * h * c].reshape(3, h, c))
        start += 3 * h * c
    assert start == len(flat)
    return found


def test_rows_hold_the_figures_and_sort_with_the_unknown_last() -> None:
    w = ConceptView(Fitted())
    assert w.rows[1] == {"importance": pytest.approx(-0.7), "prevalence": 0.5, "reliability": 0.25}
    assert w.rows[2]["reliability"] is None
    assert w.order() == [1, 0, 2]  # by size
    w.sort = "reliability"
    assert w.order() == [0, 1, 2]
    w.descending = False
    assert w.order() == [1, 0, 2]
    w.names = ["b", "a", "C"]
    w.sort = "name"
    assert w.order() == [1, 0, 2]
    assert w.heading == "3 concepts: Why “concept” rather than “b”?"
    assert "block · 5 images" in w.caption
    assert w.counts == [5, 5, 5]


def test_own_pictures_are_those_of_the_strongest_crops() -> None:
    e = Fitted()
    w = ConceptView(e, crops=2)
    most = e.coefficients_.max((0, 2, 3))
    firsts = list(dict.fromkeys(e.best_crops(k)[0].image for k in (1, 0, 2)))
    for i, got in zip(firsts, maps_of(w), strict=True):
        np.testing.assert_array_equal(got, np.rint(255 * e.coefficients_[i] / most[:, None, None]))
    assert w.shown["count"] == len(firsts)
    assert w.picture_keys == [""] * len(firsts)


def test_without_pictures_there_are_rows_all_the_same() -> None:
    e = Fitted()
    e.best_crops = lambda k, n=8: []  # type: ignore[method-assign]
    e.images_ = None  # type: ignore[assignment]
    w = ConceptView(e)
    assert (w.shown["count"], w.crops["count"], w.counts) == (0, 0, [0, 0, 0])


def test_linked_pictures_are_looked_at_once_and_their_maps_travel() -> None:
    e, es = Fitted(), explanations()
    w, heat, grid = ConceptView(e), Heatmap(es[0]), Comparison(es, columns="inputs")
    own = len(w.picture_keys)
    link(w, heat)
    assert e.calls == [1]
    assert w.picture_keys[own:] == heat.picture_keys
    link(w, grid)
    assert e.calls == [1, 2]
    assert set(w.picture_keys[own:]) == set(grid.picture_keys)
    Heatmap(es[1], link=heat.links["selection"])
    assert e.calls == [1, 2]
    most = e.coefficients_.max((0, 2, 3))
    want = e.cells(np.stack([es[0].input]))[0]
    most = np.maximum(most, want.max((1, 2)))[:, None, None]
    np.testing.assert_array_equal(maps_of(w)[own], np.rint(255 * np.clip(want / most, 0, 1)))
    later = ConceptView(Fitted(), link=grid)
    assert len(set(later.picture_keys) - {""}) == 3


def test_images_may_be_explanations() -> None:
    es = explanations()
    w = ConceptView(Fitted(), Explanations(es, (3, 1, 1)))
    assert w.shown["count"] == 3
    assert w.picture_keys == Comparison(es, columns="inputs").picture_keys


def test_without_the_model_it_says_what_cannot_be_lit() -> None:
    w = ConceptView(Fitted(model=False))
    link(w, Heatmap(explanations()[0]))
    assert "few" in w.notices[0]
    assert "loaded without its model" in w.notices[1]


def test_names_are_written_back_and_told_to_linked_views() -> None:
    e = Fitted()
    w, other = ConceptView(e), ConceptView(e)
    link(w, other)
    w.names = ["ear", "concept 2", "tag"]
    assert e.names_ == ["ear", "concept 2", "tag"] == other.names
    for bad in (["ear"], ["ear", "", "tag"], "ear"):
        with pytest.raises(InputError, match="name"):
            w.names = bad
    assert "ear" in w.alt
    e.rename(1, "red patch")
    assert w.page_state()["names"][1] == "red patch"


def test_bad_input_is_told_with_the_mend() -> None:
    with pytest.raises(InputError, match="ConceptExtractor, not str"):
        ConceptView("x")
    unfitted = SimpleNamespace(best_crops=1, transform=1)
    with pytest.raises(InputError, match=r"call fit\(images, cls\) first"):
        ConceptView(unfitted)
    for crops in (0, 25, True, 2.5):
        with pytest.raises(InputError, match="crops="):
            ConceptView(Fitted(), crops=crops)  # type: ignore[arg-type]
    w = ConceptView(Fitted())
    with pytest.raises(InputError, match="choose one of importance"):
        w.sort = "size"
    with pytest.raises(InputError, match="0 to 2, or -1"):
        w.concept = 3
    with pytest.raises(InputError, match="a Link or a view"):
        ConceptView(Fitted(), link=1)  # type: ignore[arg-type]


def test_a_real_extractor_and_its_graph_share_names(tmp_path: Any) -> None:
    world = sw.worlds.creatures(n=16, seed=0)
    e = sw.concepts.ConceptExtractor(world.model("cnn"), n_concepts=3, importance="gradient-x-input", progress=False)
    with pytest.raises((InputError, MethodError)):
        ConceptView(e)
    e.fit(world.images, world.labels[0], labels=world.labels)
    heat = Heatmap(sw.explain(world.model("cnn"), world.images[3], sw.why(), method="grad-cam"))
    w = sw.ConceptView(e, link=heat)
    assert w.picture_keys[-1] == heat.picture_keys[0]
    np.testing.assert_array_equal(maps_of(w)[-1], w._bytes(e.transform([world.images[3]])[0]))
    raw = ConceptView(e, world.images[3:5])
    assert raw.picture_keys[0] == heat.picture_keys[0]
    np.testing.assert_array_equal(maps_of(raw)[0], maps_of(w)[-1])
    graph = ClusterView(sw.concepts.StrategyGraph(e, embedding="pca").fit())
    link(w, graph)
    w.names = ["ear", "tail", "wing"]
    assert graph.names == ["ear", "tail", "wing"] == e.names_
    graph.names = ["ear", "tail", "fin"]
    assert e.names_[2] == "fin" == w.names[2]
    assert graph.family == w.family
    assert w.save_html(tmp_path / "page.html").exists()
    assert len(w.figure().axes) > 9
    narrow = w.figure(width="icml")
    assert narrow.get_figwidth() == pytest.approx(sw.figures.width_of("icml")) and len(narrow.axes) < len(w.figure().axes)
    with pytest.raises(InputError, match="no column is called"):
        w.figure(width="colum")
