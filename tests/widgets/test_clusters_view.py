"""ClusterView in Python: what it reads, what it refuses, the picked images as a trait and a link, figures and pages."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import fakes
import numpy as np
import pytest
from PIL import Image

import salwidgets as sw
from salwidgets.errors import InputError
from salwidgets.explanation import from_array
from salwidgets.widgets import ClusterView, Comparison, Heatmap, link, save_page
from salwidgets.widgets.pictures import picture_key, sheet, small

HOSTILE = "</script><img src=x onerror=alert(1)>"
POINTS = np.array([[0, 0], [1, 0], [0, 1], [5, 5], [6, 5]], np.float32)


def pictures(n: int = 5, height: int = 6, width: int = 9) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (n, height, width, 3)).astype(np.uint8)


def clusters(n: int = 5) -> Any:
    """What sw.concepts.ExplanationClusters holds after fit, as far as this view knows it."""
    maps = [np.arange(12, dtype=np.float32).reshape(3, 4), -np.ones((3, 4), np.float32)]
    made = [SimpleNamespace(index=i, members=np.array(m), size=len(m), favourable=maps[0] * (i + 1), unfavourable=maps[1],
                            exemplar=m[0], probability=0.5 + i / 10, accuracy=acc, unreliable=i == 1,
                            sentence=f"Sentence {i}.")
            for i, (m, acc) in enumerate((([0, 1, 2], 1.0), ([3, 4], float("nan"))))]
    known = SimpleNamespace(correct=None, thumbnails=None, labels=None, digests=None, question="Why “a”?")
    return SimpleNamespace(labels_=np.array([0, 0, 0, 1, 1]), clusters_=made, embedding_=POINTS, stack_=known)


def graph() -> Any:
    """What sw.concepts.StrategyGraph holds after fit, as far as this view knows it."""
    named = ["concept 1", "concept 2", "concept 3"]
    extractor = SimpleNamespace(names_=named, question_="Why “a” rather than “b”?", rename=named.__setitem__)
    strategies = [SimpleNamespace(concept=k, members=np.array(m), accuracy=a, probability=0.75, unreliable=k == 2)
                  for k, m, a in ((0, [0, 2, 1], float("nan")), (2, [4, 3], 0.5))]
    return SimpleNamespace(extractor=extractor, embedding_=POINTS, sentences_=["Concept 1 decides.", "Concept 3 decides."],
                           names_=list(named), correct_=np.array([1, 1, 1, 0, 1], bool), predicted_=np.zeros(5, int),
                           question_=extractor.question_, embedded_by_="pca", leading_=np.array([0, 0, 0, 2, 2]),
                           share_=np.array([0.5, 0.2, 0.3]), strategies_=strategies, edges_=np.array([[0, 1], [3, 4]]),
                           thumbnails_=pictures())


def test_plain_arrays_make_groups_in_the_order_of_their_labels() -> None:
    w = ClusterView(points=POINTS, labels=["b", "a", "b", None, "c"], correct=[True, False, np.nan, True, True])
    assert w.sizes == {"a": 1, "b": 2, "c": 1}
    assert w.labels == ["b", "a", "b", "no cluster", "c"]
    assert [g["accuracy"] for g in w.groups] == [0.0, 1.0, 1.0]
    assert np.frombuffer(w.correct["view"], np.uint8).tolist() == [1, 0, 255, 1, 1]
    assert np.frombuffer(w.of["view"], np.uint16).tolist() == [1, 0, 1, 65535, 2]
    assert ClusterView(points=POINTS, labels=np.array([1, 0, 0, -1, 1])).sizes == {"cluster 1": 2, "cluster 2": 2}
    assert ClusterView(points=POINTS).sizes == {"all images": 5}


def test_clusters_and_graphs_bring_what_they_know() -> None:
    w = ClusterView(clusters(), thumbnails=pictures())
    assert w.sizes == {"cluster 1": 3, "cluster 2": 2}
    assert w.groups[1]["accuracy"] is None  # NaN is told as not known
    assert [g["sentence"] for g in w.groups] == ["Sentence 0.", "Sentence 1."]
    maps = np.frombuffer(w.maps["view"], np.float32).reshape(w.maps["shape"])
    assert maps.shape == (2, 2, 3, 4)
    np.testing.assert_array_equal(maps[1, 0], np.arange(12).reshape(3, 4) * 2)
    np.testing.assert_array_equal(maps[:, 1], -np.ones((2, 3, 4)))
    w = ClusterView(graph())
    assert w.heading == "Why “a” rather than “b”?"
    assert [(g["size"], g["accuracy"], g["sentence"]) for g in w.groups] == [
        (3, None, "Concept 1 decides."), (0, None, ""), (2, 0.5, "Concept 3 decides.")]
    assert [(g["exemplar"], g["unreliable"]) for g in w.groups] == [(0, False), (-1, False), (4, True)]
    assert np.frombuffer(w.edges["view"], np.uint32).tolist() == [0, 1, 3, 4]


def test_names_go_back_to_the_extractor() -> None:
    g = graph()
    w = ClusterView(g)
    w.names = ["ear", "concept 2", "tag"]
    assert g.extractor.names_ == ["ear", "concept 2", "tag"]
    assert list(w.sizes) == ["ear", "concept 2", "tag"]
    for bad in (["ear"], ["ear", " ", "tag"], "ear"):
        with pytest.raises(InputError, match="name"):
            w.names = bad


@pytest.mark.parametrize(("given", "said"), [
    ({}, "needs a fitted StrategyGraph"),
    ({"points": np.zeros((0, 2))}, "no image"),
    ({"points": np.zeros((3, 3))}, r"\[N, 2\], got \[3, 3\]"),
    ({"points": [[0, 0], [np.nan, 1], [np.inf, 0]]}, "2 of 3 points hold NaN or infinity .the first is point 1"),
    ({"points": POINTS, "labels": [1, 2]}, "labels: 2 for 5 points"),
    ({"points": POINTS, "thumbnails": pictures(2)}, "thumbnails: 2 for 5"),
    ({"points": POINTS, "thumbnails": np.zeros((5, 4, 4, 2), np.uint8)}, "picture 0 must be uint8"),
    ({"points": POINTS, "images": [1, 2, 3, 4, None]}, "picture 0 must be"),
    ({"points": POINTS, "edges": [[0, 9]]}, "edges must be pairs"),
    ({"points": POINTS, "names": ["a", "b"]}, "2 for 1 groups"),
    ({"given": SimpleNamespace(fit=1)}, "call its fit"),
    ({"given": "x"}, "none of them"),
    ({"points": [["a", "b"]]}, "must be numbers"),
])
def test_bad_input_is_told_with_the_mend(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        ClusterView(**given)


def test_one_image_is_a_cluster_too(tmp_path: Any) -> None:
    w = ClusterView(points=[[3.0, 4.0]], thumbnails=pictures(1))
    assert w.save_html(tmp_path / "one.html").exists()
    assert len(w.figure().axes) == 1


def test_traits_are_checked() -> None:
    w = ClusterView(points=POINTS, labels=list("aabbb"))
    w.selected = [4, 1, 4]
    assert w.selected == [1, 4]
    with pytest.raises(InputError, match="numbered 0 to 4"):
        w.selected = [5]
    with pytest.raises(InputError, match="0 to 1, or -1"):
        w.cluster = 2


def test_picked_images_reach_linked_views_and_come_from_them() -> None:
    shown = pictures(5, 60, 100)
    es = [from_array(np.eye(3, 5), p, method=str(i)) for i, p in enumerate(shown)]
    grid, heat = Comparison(es, columns="inputs"), Heatmap(es[3])
    a, b = ClusterView(points=POINTS, images=es), ClusterView(points=POINTS[::-1], thumbnails=shown[::-1])
    link(a, b, grid, heat)
    assert a.links["selection"] is heat.links["selection"]
    assert "scale" not in a.aspects and not heat.own_scale
    a.selected = [3, 4]
    picked = heat.links["selection"].picked
    wanted = {key for e, p in zip(es[3:], shown[3:], strict=True) for key in (e.input_sha256[:12], picture_key(p))}
    assert picked["source"] == a.source and set(picked["keys"]) == wanted
    assert set(heat.picture_keys[0].split()) <= wanted
    assert [bool(set(k.split()) & wanted) for k in grid.picture_keys] == [False, False, False, True, True]
    assert b.selected == [0, 1]
    b.selected = []
    assert a.selected == [] and heat.links["selection"].picked is None


def test_small_pictures_keep_their_pixels_and_many_become_a_jpeg() -> None:
    few = small(pictures(5))
    packed = sheet(few)
    laid = np.frombuffer(packed["view"], np.uint8).reshape(*packed["size"], 3)
    (rows, cols), across = packed["tile"], packed["columns"]
    for i, p in enumerate(few):
        r, c = i // across * rows, i % across * cols
        np.testing.assert_array_equal(laid[r:r + rows, c:c + cols], p)
    many = [np.full((30, 30, 3), v % 255, np.uint8) for v in range(2000)]
    packed = sheet(small(many))
    assert packed["dtype"] == "jpeg" and packed["tile"] == [32, 32]
    back = np.asarray(Image.open(io.BytesIO(packed["view"])))
    assert list(back.shape[:2]) == packed["size"]
    across = packed["columns"]
    for i in (0, 777, 1999):
        assert abs(int(back[i // across * 32 + 16, i % across * 32 + 16, 0]) - i % 255) <= 3
    assert small([np.zeros((300, 200, 3), np.uint8)])[0].shape == (96, 64, 3)


def test_the_figure_names_groups_and_shows_the_picked_one() -> None:
    w = ClusterView(clusters(), thumbnails=pictures(), correct=[1, 1, 0, 1, 1])
    assert len(w.figure().axes) == 1
    w.cluster, w.selected = 0, [1]
    figure = w.figure()
    assert len(figure.axes) == 4  # points, two maps, exemplar
    said = "\n".join(t.get_text() for t in figure.texts)
    assert "Sentence 0." in said
    assert "cluster 1 · 3 · 67" in said
    assert "hollow: answered wrongly" in said
    assert "Sentence 0." in figure.alt
    for width in ("icml", "nature-double"):
        assert w.figure(width=width).get_figwidth() == pytest.approx(sw.figures.width_of(width))


def test_hostile_names_stay_text(tmp_path: Any) -> None:
    w = ClusterView(points=POINTS, labels=[HOSTILE] * 5, captions=[HOSTILE] * 5, title=HOSTILE)
    text = save_page([w], tmp_path / "page.html", title=HOSTILE).read_text("utf-8")
    assert "<img src=x" not in text.replace("\\u003cimg", "")


def test_it_links_to_a_heatmap_by_the_constructor() -> None:
    heat = Heatmap(fakes.explanation())
    w = ClusterView(points=POINTS, link=heat)
    assert w.links["selection"] is heat.links["selection"] and w.links["scale"] is not heat.links["scale"]
    with pytest.raises(InputError, match="a Link or a view"):
        ClusterView(points=POINTS, link=3)  # type: ignore[arg-type]
    assert sw.ClusterView is ClusterView
