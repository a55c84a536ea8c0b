"""Two versions of a model: matching against scipy and by hand, planted changes, real nets, and bad input."""

from __future__ import annotations

import doctest
import importlib
from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import salwidgets as sw
from salwidgets.concepts import ConceptExtractor, ExplanationClusters, compare_clusters, compare_concepts
from salwidgets.concepts.compare import _correlations, _on_one_grid
from salwidgets.concepts.versions import Side, pair_up
from salwidgets.errors import InputError


def made(maps, leading=None, correct=None, question="husky"):
    """What a fitted extractor has, with these concept maps [N, K, h, w]; a concept matters as much as it is seen."""
    maps = np.asarray(maps, np.float32)
    importance = maps.sum((2, 3))
    if leading is not None:
        importance = np.eye(maps.shape[1], dtype=np.float32)[leading]
    n = len(maps)
    return SimpleNamespace(
        coefficients_=maps, image_importance_=importance, leading_=importance.argmax(1), images_=None, scores_=np.zeros(n),
        probabilities_=np.full(n, 0.5), predicted_=np.zeros(n, int), question_=sw.why(question),
        correct_=np.ones(n, bool) if correct is None else np.asarray(correct, bool),
        names_=[f"concept {k + 1}" for k in range(maps.shape[1])])


# -- by hand -----------------------------------------------------------------------------------------------------------


def test_correlations_are_those_of_numpy():
    rng = np.random.default_rng(0)
    a, b = rng.random((6, 3, 4, 4)).astype(np.float32), rng.random((6, 2, 4, 4)).astype(np.float32)
    b[:, 1] = 0.5  # never varies
    got = _correlations(a, b)
    for k in range(3):
        assert got[k, 0] == pytest.approx(np.corrcoef(a[:, k].ravel(), b[:, 0].ravel())[0, 1], abs=1e-6)
    assert got[:, 1].tolist() == [0, 0, 0]


def test_grids_of_two_sizes_meet_at_the_coarser():
    a, b = np.random.default_rng(0).random((2, 3, 8, 8)).astype(np.float32), np.ones((2, 2, 4, 8), np.float32)
    left, right = _on_one_grid(a, b)
    assert left.shape == (2, 3, 4, 8) and right is b
    assert np.allclose(left, a.reshape(2, 3, 4, 2, 8).mean(3), atol=1e-6)


def test_the_best_matching_of_all_is_found():
    rng = np.random.default_rng(3)
    similarity = rng.random((5, 5))
    sides = [Side(k, str(k), np.array([k]), 0.2, 1.0, 1.0) for k in range(5)]
    pairs = pair_up(sides, sides, similarity, 0.0, (5, 5), True)
    best = max(permutations(range(5)), key=lambda p: sum(similarity[i, p[i]] for i in range(5)))
    assert {p.old.index: p.new.index for p in pairs} == dict(enumerate(best))


def test_shuffled_concepts_are_found_again_whatever_their_order():
    rng = np.random.default_rng(1)
    maps, order = rng.random((20, 5, 6, 6)), np.array([3, 0, 4, 1, 2])
    c = compare_concepts(made(maps), made(2 * maps[:, order] + 0.5))
    for p in c.pairs:
        assert order[p.new.index] == p.old.index and p.similarity == pytest.approx(1) and p.change == "kept"
    assert all(p.overlap == 1 for p in c.pairs if len(p.old.members))
    assert c.similarity.shape == (5, 5) and not len(c.mended) and not len(c.broken)


def planted_change():
    """40 images: concept 1 and 2 swap their places in the new version's list; concept 3 goes, another comes; 1 grows."""
    rng = np.random.default_rng(2)
    seen, other = rng.random((40, 3, 5, 5)), rng.random((40, 1, 5, 5))
    before = np.repeat([0, 1, 2], [10, 10, 20])
    after = np.repeat([1, 0, 1, 2], [10, 10, 15, 5])
    old = made(seen, before, np.arange(40) < 20)
    new = made(np.concatenate([seen[:, [1, 0]], other], 1), after, (np.arange(40) < 35) & (np.arange(40) > 0))
    return old, new


def test_what_grew_went_and_came_is_named():
    c = compare_concepts(*planted_change(), names=("the teacher", "the student"))
    found = {(p.old and p.old.index, p.new and p.new.index): p for p in c.pairs}
    assert {k: p.change for k, p in found.items()} == {(0, 1): "grew", (1, 0): "kept", (2, None): "gone", (None, 2): "new"}
    assert c.accuracy == (0.5, 0.85) and c.mended.tolist() == list(range(20, 35)) and c.broken.tolist() == [0]
    assert c.sentences[0] == "The teacher names 50 % of 40 images rightly, the student 85 %: 15 mended, 1 broken."
    gone = found[2, None].sentence
    assert gone.startswith("“concept 3” of the teacher has no counterpart in the student: the most alike, ")
    assert "It led 20 images (50 %), 0.0 % of them named rightly; these images are now led by “concept 2” 15 and " \
           "“concept 3” 5." in gone
    assert found[0, 1].overlap == pytest.approx(10 / 25)
    assert "“concept 1” → “concept 2” (correlation 1.00) grew: leads 25 % of images → 62 %" in found[0, 1].sentence
    assert "named rightly 100 % → 96 %" in found[0, 1].sentence
    assert found[None, 2].sentence.endswith("It leads 5 images (12 %), 0.0 % of them named rightly.")
    assert c.sentences[-1] == found[1, 0].sentence  # what was kept comes last


def test_the_table_and_the_figure_hold_every_pair():
    c = compare_concepts(*planted_change())
    table = c.to_pandas()
    assert list(table["change"]) == [p.change for p in c.pairs] and set(table["images_old"]) == {10, 20, 0}
    assert {"old", "new", "similarity", "overlap", "share_old", "share_new", "accuracy_new"} <= set(table.columns)
    row = table[table["change"] == "new"].iloc[0]
    assert pd.isna(row["old"]) and row["new"] == "concept 3" and np.isnan(row["prevalence_old"])
    fig = c.figure()
    assert len(fig.axes) == 4 * 5 and fig._repr_png_()[:4] == b"\x89PNG"
    assert "grew" in c._repr_html_() and str(c).startswith("The old model")


# -- clusters ----------------------------------------------------------------------------------------------------------


def corner_maps(where, n=20, noise=0.05, seed=0):
    """Maps [n * len(where), 28, 28]; of each run of n, the evidence is in one 8 x 8 square."""
    rng = np.random.default_rng(seed)
    maps = noise * rng.standard_normal((n * len(where), 28, 28)).astype(np.float32)
    for i, (r, c) in enumerate(where):
        maps[i * n:(i + 1) * n, r:r + 8, c:c + 8] += 1
    return maps


def clusters(maps, k, **known):
    return ExplanationClusters(k, progress=False).fit(maps, **known)


def test_evidence_that_moved_is_told():
    p = np.repeat([0.9, 0.5], 20)
    old = clusters(corner_maps([(20, 20), (0, 0)]), 2, probabilities=p, correct=np.arange(40) < 30)
    new = clusters(corner_maps([(10, 10), (0, 0)]), 2, probabilities=p[::-1], correct=np.ones(40, bool))
    c = compare_clusters(old, new)
    assert c.same_images and "taken to be the same" in c.notices[0]
    moved = next(p for p in c.pairs if p.old.index == 0)
    assert moved.new.index == 1 and moved.overlap == 1 and moved.change == "kept"
    assert "at the bottom right" in moved.sentence and "→ in the centre" in moved.sentence
    assert "mean probability 90 % → 50 %" in moved.sentence and c.mended.tolist() == list(range(30, 40))
    assert "share_old" not in c.to_pandas().columns and c.figure() is not None


def test_clusters_of_different_images_are_matched_by_their_maps():
    old = clusters(corner_maps([(20, 20), (0, 0), (0, 20)]), 3)
    new = clusters(corner_maps([(0, 0), (20, 20)], n=25, seed=4), 2)
    c = compare_clusters(old, new)
    assert not c.same_images and np.isnan([p.overlap for p in c.pairs]).all()
    kept = [p for p in c.pairs if p.old and p.new]
    assert len(kept) == 2 and all(p.old.where[:16] == p.new.where[:16] and p.similarity > 0.95 for p in kept)
    assert [p.change for p in c.pairs if not p.new] == ["gone"] and not len(c.mended)


# -- real nets ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world():
    return sw.worlds.shortcut(n=120, seed=3)


@pytest.fixture(scope="module")
def two(world):
    return [ConceptExtractor(world.model(name), n_concepts=6, progress=False).fit(world.images, world.family, world.labels)
            for name in ("shortcut", "mended")]


def test_a_model_and_itself_do_not_differ(two):
    c = compare_concepts(two[0], two[0])
    assert all(p.old.index == p.new.index and p.change == "kept" and p.similarity == pytest.approx(1) for p in c.pairs)


def test_the_mended_net_is_compared_on_images_without_tags(two, world):
    c = compare_concepts(*two, world.clean, world.labels)
    said = [m.model.predict(world.clean).logits.argmax(1) for m in two]
    truth = np.array([world.classes.index(label) for label in world.labels])
    assert c.accuracy == pytest.approx([(s == truth).mean() for s in said])
    assert c.mended.tolist() == np.flatnonzero((said[0] != truth) & (said[1] == truth)).tolist()
    assert len(c.mended) > 8 and c.accuracy[1] > 0.97
    assert sum(p.old.prevalence for p in c.pairs if p.old) == pytest.approx(1)
    fitted = compare_concepts(*two)  # on the images of the fit, with no further pass
    again = compare_concepts(*two, world.images, world.labels)
    assert np.allclose(fitted.similarity, again.similarity, atol=1e-4) and fitted.sentences == again.sentences


def test_clusters_of_both_nets_show_that_the_tag_is_no_longer_looked_at(world):
    found = [ExplanationClusters(progress=False).fit(
        sw.explain(world.model(name), world.images, sw.why(world.family), method="grad-cam", progress=False), world.labels)
        for name in ("shortcut", "mended")]
    c = compare_clusters(*found)
    assert c.same_images and not c.notices
    tag = next(p for p in c.pairs if p.old and world.marked[p.old.members].mean() > 0.9)
    assert tag.new is not None and "at the bottom right" in tag.old.where and "at the bottom right" not in tag.new.where


def test_a_cnn_and_a_vit_can_be_compared():
    world = sw.worlds.creatures(n=24)
    found = [ConceptExtractor(world.model("cnn"), n_concepts=4, importance="gradient-x-input", progress=False),
             ConceptExtractor(world.model("vit"), n_concepts=5, dictionary="semi-nmf", importance="gradient-x-input",
                              progress=False)]
    for e in found:
        e.fit(world.images, "flutterling", world.labels)
    c = compare_concepts(*found, names=("the CNN", "the ViT"))
    assert c.similarity.shape == (4, 5) and sum(p.new is not None for p in c.pairs) == 5
    assert c.sentences[0].startswith("The CNN names 100 % of 24 images")


# -- bad input ---------------------------------------------------------------------------------------------------------


def test_bad_input_is_named(two, world):
    with pytest.raises(InputError, match="two fitted ConceptExtractors"):
        compare_concepts(two[0], ConceptExtractor(world.model()))
    with pytest.raises(InputError, match="different questions"):
        compare_concepts(made(np.ones((2, 2, 2, 2))), made(np.ones((2, 2, 2, 2)), question="wolf"))
    with pytest.raises(InputError, match="fitted on different images"):
        compare_concepts(made(np.ones((2, 2, 2, 2))), made(np.ones((3, 2, 2, 2))))
    large = made(np.ones((2, 2, 2, 2)))
    large.coefficients_ = None
    with pytest.raises(InputError, match="too large to keep"):
        compare_concepts(large, large)
    with pytest.raises(InputError, match="labels for"):
        compare_concepts(*two, world.images[:4], world.labels[:3])
    c = clusters(corner_maps([(0, 0), (20, 20)]), 2)
    with pytest.raises(InputError, match="fitted ExplanationClusters"):
        compare_clusters(c, ExplanationClusters())
    other = clusters(corner_maps([(0, 0), (20, 20)]), 2)
    c.stack_.question, other.stack_.question = "Why “a”?", "Why “b”?"
    with pytest.raises(InputError, match="Why “a”"):
        compare_clusters(c, other)


def test_one_image_and_one_cluster():
    one = compare_clusters(clusters(corner_maps([(0, 0)], n=1), "auto"), clusters(corner_maps([(20, 20)], n=1), "auto"))
    assert len(one.pairs) == 1 and one.pairs[0].overlap == 1 and one.figure() is not None
    single = compare_concepts(made(np.eye(4).reshape(1, 1, 4, 4)), made(np.eye(4).reshape(1, 1, 4, 4)))
    assert single.pairs[0].similarity == pytest.approx(1)


@pytest.mark.parametrize("module", ["rates", "clusters", "cluster_words", "strategies", "compare"])
def test_the_examples_in_docstrings_are_true(module):
    found = importlib.import_module(f"salwidgets.concepts.{module}")
    failed, tried = doctest.testmod(found, extraglobs={"np": np, "sw": sw})
    assert tried and not failed
