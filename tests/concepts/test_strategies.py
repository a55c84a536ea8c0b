"""StrategyGraph: against plain numpy and scikit-learn, on the planted shortcut, and on small and bad input."""

from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances

import salwidgets as sw
from salwidgets.concepts import ConceptExtractor, StrategyGraph
from salwidgets.concepts.strategy_points import shares
from salwidgets.errors import InputError, QuestionError


def made(importance, correct=None, names=None):
    """An object with what a fitted extractor has, for graphs of its own images."""
    importance = np.asarray(importance, np.float32)
    n, k = importance.shape
    leading = np.where(np.abs(importance).max(1) > 0, importance.argmax(1), -1)
    return SimpleNamespace(
        image_importance_=importance, leading_=leading, probabilities_=np.linspace(0, 1, n), predicted_=np.zeros(n, int),
        correct_=np.ones(n, bool) if correct is None else np.asarray(correct, bool), images_=None,
        names_=names or [f"concept {j + 1}" for j in range(k)], question_=sw.why("husky"))


@pytest.fixture(scope="module")
def world():
    return sw.worlds.shortcut(n=240, seed=3)


@pytest.fixture(scope="module")
def extractor(world):
    return ConceptExtractor(world.model(), n_concepts=8, progress=False).fit(world.images, world.family, world.labels)


@pytest.fixture(scope="module")
def graph(extractor):
    return StrategyGraph(extractor, n_neighbors=2, embedding="pca").fit()


# -- by hand -----------------------------------------------------------------------------------------------------------


def test_figures_of_every_strategy_are_those_of_plain_counting():
    rng = np.random.default_rng(0)
    importance, correct = rng.standard_normal((50, 4)), rng.random(50) < 0.6
    importance[7] = 0
    g = StrategyGraph(made(importance, correct), embedding="pca", min_images=12).fit()
    lead = [int(np.argmax(row)) if np.any(row) else -1 for row in importance.astype(np.float32)]
    assert g.leading_.tolist() == lead and lead[7] == -1
    for k in range(4):
        own = [i for i in range(50) if lead[i] == k]
        share = [importance[i, k] / np.abs(importance[i]).sum() if i != 7 else 0 for i in range(50)]
        assert g.share_[k] == pytest.approx(np.mean(share), abs=1e-6)
        assert g.reliability_[k] == pytest.approx(np.mean([correct[i] for i in own]))
        assert g.prevalence_[k] == pytest.approx(len(own) / 49)
        s = next(s for s in g.strategies_ if s.concept == k)
        assert sorted(s.members) == own and s.size == len(own) and s.coloured == (len(own) >= 12)
        assert s.probability == pytest.approx(np.mean([i / 49 for i in own]))
        assert s.accuracy == pytest.approx(g.reliability_[k])
        assert [share[i] for i in s.members] == sorted((share[i] for i in own), reverse=True)
    assert [s.size for s in g.strategies_] == sorted((s.size for s in g.strategies_), reverse=True)
    assert g.coloured_ == [s for s in g.strategies_ if s.size >= 12] and 0 < len(g.coloured_) < 4


def test_the_embedding_is_scikit_learns_pca_and_repeats():
    importance = np.random.default_rng(1).standard_normal((30, 5)).astype(np.float32)
    first, second = (StrategyGraph(made(importance), embedding="pca").fit() for _ in range(2))
    assert np.allclose(first.embedding_, PCA(2, random_state=0).fit_transform(importance), atol=1e-5)
    assert np.array_equal(first.embedding_, second.embedding_) and first.embedded_by_ == "pca"


def test_edges_join_the_nearest():
    importance = np.random.default_rng(2).standard_normal((25, 3)).astype(np.float32)
    g = StrategyGraph(made(importance), n_neighbors=3, embedding="pca").fit()
    d = pairwise_distances(importance)
    np.fill_diagonal(d, np.inf)
    wanted = {(min(i, int(j)), max(i, int(j))) for i in range(25) for j in np.argsort(d[i])[:3]}
    assert {tuple(e) for e in g.edges_.tolist()} == wanted and len(g.edges_) == len(wanted)
    assert StrategyGraph(made(importance), embedding="pca").fit().edges_.shape == (0, 2)


def test_shares_of_an_image_sum_to_one_in_size():
    s = shares(np.array([[3, -1, 0], [0, 0, 0]], np.float32))
    assert s.tolist() == [[0.75, -0.25, 0], [0, 0, 0]]


def test_umap_is_used_where_it_is_and_asked_for_where_it_is_not(monkeypatch):
    calls = {}

    class Fake:
        def __init__(self, **params):
            calls.update(params)

        def fit_transform(self, x):
            return x[:, :2] * 2

    importance = np.random.default_rng(1).standard_normal((30, 5)).astype(np.float32)
    module = ModuleType("umap")
    module.UMAP = Fake
    monkeypatch.setitem(sys.modules, "umap", module)
    g = StrategyGraph(made(importance), random_state=4).fit()
    assert g.embedded_by_ == "umap" and np.allclose(g.embedding_, importance[:, :2] * 2)
    assert calls["random_state"] == 4 and calls["n_components"] == 2
    monkeypatch.setitem(sys.modules, "umap", None)
    assert StrategyGraph(made(importance)).fit().embedded_by_ == "pca"
    for other in (None, ModuleType("umap")):  # not installed, and the other package of that name
        monkeypatch.setitem(sys.modules, "umap", other)
        with pytest.raises(InputError, match=r"pip install 'salwidgets\[umap\]'"):
            StrategyGraph(made(importance), embedding="umap").fit()


@pytest.mark.slow  # it compiles itself
def test_umap_itself_keeps_neighbours_near_and_repeats():
    pytest.importorskip("umap")
    random = np.random.default_rng(2)
    importance = np.repeat(np.eye(3, 5, dtype=np.float32), 15, 0) + 0.05 * random.standard_normal((45, 5)).astype(np.float32)
    a, b = (StrategyGraph(made(importance), embedding="umap").fit() for _ in range(2))
    assert a.embedded_by_ == "umap" and np.array_equal(a.embedding_, b.embedding_)
    of, gap = np.repeat(np.arange(3), 15), np.linalg.norm(a.embedding_[:, None] - a.embedding_[None], axis=2)
    nearest = np.argsort(gap, 1)[:, 1:6]
    assert (of[nearest] == of[:, None]).mean() > 0.95


def test_an_unreliable_strategy_is_called_so():
    importance = np.repeat(np.eye(2), 40, 0)
    correct = np.r_[np.ones(40), np.arange(40) % 2]
    g = StrategyGraph(made(importance, correct, names=["ear", "tag"])).fit()
    assert [s.unreliable for s in g.strategies_] == [False, True]
    assert g.sentences_[1] == (
        "“tag” leads 40 of 80 images (50 %) and holds 50 % of the answer on average over all images; mean probability 75 %, "
        "50 % named rightly against 100 % of the others: less reliable than the others.")


# -- with the real extractor, on the planted shortcut ------------------------------------------------------------------


def test_its_own_images_need_no_further_pass(extractor, graph, world):
    assert np.array_equal(graph.leading_, extractor.leading_) and np.array_equal(graph.correct_, extractor.correct_)
    assert np.allclose(graph.prevalence_, extractor.prevalence_)
    assert np.allclose(graph.reliability_, extractor.reliability_, equal_nan=True)
    assert graph.thumbnails_.shape == (240, 64, 64, 3) and graph.question_ == "Why “shellback”?"
    again = StrategyGraph(extractor, embedding="pca").fit(world.images, world.labels)  # the same by way of the network
    assert np.allclose(again.importance_, graph.importance_, atol=1e-4) and np.array_equal(again.leading_, graph.leading_)
    assert np.array_equal(again.correct_, graph.correct_)
    assert np.allclose(again.probabilities_, graph.probabilities_, atol=1e-5)
    assert np.array_equal(again.thumbnails_, graph.thumbnails_)
    assert np.allclose(graph.transform(world.images[:5]), graph.embedding_[:5], atol=1e-4)


def the_tags(graph, world):
    """The one strategy whose images are tagged."""
    found = [s for s in graph.strategies_ if s.coloured and world.marked[s.members].mean() > 0.8]
    assert len(found) == 1
    return found[0]


def test_the_planted_shortcut_is_a_strategy_that_fails_without_its_tag(graph, world):
    tag = the_tags(graph, world)
    assert tag.size > 0.8 * world.marked.sum() and tag.accuracy > 0.95 and not tag.unreliable
    check = graph.check(world.clean, world.labels, paired=True)
    row = check.names.index(tag.name)
    assert check.suspects == [row] and check.after[row] < 0.75
    assert f"{tag.name.capitalize()} is right on 9" in check.sentences[0] and "shortcut" in check.sentences[0]


def test_where_the_tag_stands_beside_other_families_the_strategy_is_of_low_reliability(extractor, graph, world):
    field = sw.worlds.shortcut(n=240, marked=0.5, others=0.5, seed=3)
    tag = the_tags(graph, world)
    found = StrategyGraph(extractor, embedding="pca").fit(field.images, field.labels)
    there = next(s for s in found.strategies_ if s.concept == tag.concept)
    assert there.unreliable and there.accuracy < 0.8 and "less reliable than the others" in there.sentence
    assert field.marked[there.members].mean() > 0.7
    check = graph.check(field.images, field.labels)
    assert check.names[check.suspects[0]] == tag.name


def test_the_mended_net_has_no_such_strategy(world):
    mended = ConceptExtractor(world.model("mended"), n_concepts=8, progress=False)
    g = StrategyGraph(mended.fit(world.images, world.family, world.labels), embedding="pca").fit()
    assert not g.check(world.clean, world.labels, paired=True).suspects


def test_a_name_is_used_in_sentences_and_kept(extractor, graph, world, tmp_path):
    tag = the_tags(graph, world)
    old = extractor.names_[tag.concept]
    try:
        extractor.rename(tag.concept, "the tag")
        assert any(s.startswith("“the tag” leads") for s in graph.sentences_)
        graph.save(tmp_path / "g")
    finally:
        extractor.rename(tag.concept, old)
    loaded = StrategyGraph.load(tmp_path / "g")
    assert any(s.startswith("“the tag” leads") for s in loaded.sentences_)


# -- keeping and drawing -----------------------------------------------------------------------------------------------


def test_saved_and_loaded_again(graph, extractor, world, tmp_path):
    folder = graph.save(tmp_path / "g")
    alone, with_it = StrategyGraph.load(folder), StrategyGraph.load(folder, extractor)
    for name in ("embedding_", "leading_", "share_", "reliability_", "edges_", "correct_", "thumbnails_", "prevalence_"):
        assert np.array_equal(getattr(graph, name), getattr(alone, name), equal_nan=name == "reliability_")
    assert alone.sentences_ == graph.sentences_ and repr(alone) == repr(graph)
    assert np.allclose(with_it.transform(world.images[:4]), graph.embedding_[:4], atol=1e-4)
    with pytest.raises(InputError, match="loaded without its extractor"):
        alone.transform(world.images[:4])
    assert {p.name for p in folder.iterdir()} == {"arrays.npz", "manifest.json"}
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "names": ["a"]}))
    with pytest.raises(InputError, match="different lengths"):
        StrategyGraph.load(folder)


def test_the_figure_shows_every_coloured_strategy(graph):
    fig = graph.figure()
    texts = " ".join(" ".join(t.get_text().split()) for t in fig.texts)
    assert all(s.sentence in texts for s in graph.coloured_)
    assert len(fig.axes) == 1 + sum(min(7, s.size) for s in graph.coloured_)
    assert fig._repr_png_()[:4] == b"\x89PNG"
    assert StrategyGraph(made(np.eye(3)), embedding="pca").fit().figure() is not None  # no colour at all


# -- small and bad input -----------------------------------------------------------------------------------------------


def test_small_cases_are_told_truthfully():
    one = StrategyGraph(made([[0.2, 0.8]]), n_neighbors=5).fit()
    assert one.embedding_.tolist() == [[0, 0]] and one.edges_.shape == (0, 2)
    assert one.sentences_[0].startswith("Concept 2 leads the only image")
    same = StrategyGraph(made(np.ones((6, 3))), n_neighbors=2, embedding="pca").fit()
    assert not same.embedding_.any() and same.strategies_[0].size == 6
    none = StrategyGraph(made(np.zeros((4, 3))), embedding="pca").fit()
    assert none.strategies_ == [] and not none.prevalence_.any() and np.isnan(none.reliability_).all()
    assert none.figure() is not None
    single = StrategyGraph(made(np.random.default_rng(0).random((8, 1))), embedding="pca").fit()
    assert single.embedding_[:, 1].tolist() == [0] * 8


def test_bad_input_is_named(extractor, graph, world):
    for params, said in (({"embedding": "tsne"}, "none of 'auto'"), ({"n_neighbors": -1}, "n_neighbors=-1"),
                         ({"min_images": 0}, "min_images=0"), ({"n_neighbors": True}, "n_neighbors=True")):
        with pytest.raises(InputError, match=said):
            StrategyGraph(extractor, **params).fit()
    with pytest.raises(InputError, match="the extractor is not fitted"):
        StrategyGraph(ConceptExtractor(world.model())).fit()
    with pytest.raises(InputError, match="not fitted yet"):
        StrategyGraph(extractor).figure()
    with pytest.raises(InputError, match="3 labels for 240 images"):
        StrategyGraph(extractor).fit(labels=world.labels[:3])
    with pytest.raises((InputError, QuestionError), match="dog"):
        StrategyGraph(extractor).fit(world.images[:2], ["dog", "cat"])
    with pytest.raises(InputError, match="not 5"):
        graph.check(world.images[:5], world.labels[:5], paired=True)
    with pytest.raises(InputError, match="pass their labels"):
        graph.check(world.images[:5], None)
    with pytest.raises(InputError):
        StrategyGraph(extractor).fit(world.images[:0], [])
    nan = world.images[:3].clone()
    nan[1, 0, 0, 0] = float("nan")
    with pytest.raises(InputError, match="NaN"):
        graph.check(nan, world.labels[:3])


def test_a_contrast_has_strategies_for_both_sides():
    world = sw.worlds.creatures(n=48)
    rather = sw.why("flutterling").rather_than("galewing")
    e = ConceptExtractor(world.model("cnn"), n_concepts=8, importance="gradient-x-input", progress=False)
    g = StrategyGraph(e.fit(world.images, rather, world.labels), embedding="pca", min_images=3).fit()
    assert (g.share_ < 0).any() and (g.share_ > 0).any()  # some concepts speak for the foil
    found = e.image_importance_
    assert np.allclose(g.share_, (found / np.abs(found).sum(1, keepdims=True)).mean(0), atol=1e-5)
    top = [world.taxonomy.parent(world.labels[i]) for i in np.argsort(-g.importance_.sum(1))[:8]]
    assert top == ["flutterling"] * 8
    fig = g.figure()
    assert fig.heading == str(rather) and all(s.sentence in fig.alt for s in g.coloured_)
