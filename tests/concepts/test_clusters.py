"""ExplanationClusters: against scikit-learn, on planted patterns, on the planted shortcut, and on bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, silhouette_samples, silhouette_score, v_measure_score

import salwidgets as sw
from salwidgets.concepts import ExplanationClusters
from salwidgets.concepts.checking import Check
from salwidgets.concepts.cluster_words import place
from salwidgets.concepts.map_stack import resampling, stack
from salwidgets.concepts.rates import interval
from salwidgets.errors import InputError

PATTERNS = ((slice(0, 8), slice(0, 8)), (slice(0, 8), slice(20, 28)), (slice(20, 28), slice(10, 18)))


def planted(n: int = 60, seed: int = 0, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Maps [n, 28, 28] of three patterns, and which pattern each is."""
    rng = np.random.default_rng(seed)
    which = np.arange(n) % 3
    maps = noise * rng.standard_normal((n, 28, 28)).astype(np.float32)
    for i, k in enumerate(which):
        maps[(i, *PATTERNS[k])] += 1
    return maps, which


def fitted(maps, **params):
    given = {k: params.pop(k) for k in ("labels", "probabilities", "correct", "images") if k in params}
    return ExplanationClusters(progress=False, **params).fit(maps, **given)


# -- against scikit-learn ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["unit", "none"])
def test_pca_and_k_means_are_those_of_scikit_learn(scale):
    maps, _ = planted(seed=1)
    c = fitted(maps, n_clusters=4, n_components=6, scale=scale)
    rows = maps.reshape(len(maps), -1)
    if scale == "unit":
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    pca = PCA(6, random_state=0)
    points = pca.fit_transform(rows)
    assert np.allclose(c.points_, points, atol=1e-4) and np.allclose(c.embedding_, points[:, :2], atol=1e-4)
    assert np.allclose(c.explained_, pca.explained_variance_ratio_, atol=1e-5)
    assert adjusted_rand_score(KMeans(4, n_init=10, random_state=0).fit(c.points_).labels_, c.labels_) == 1
    assert np.allclose(c.silhouette_, silhouette_samples(c.points_.astype(float), c.labels_), atol=1e-6)


def test_a_share_of_the_variance_is_kept():
    maps, _ = planted(seed=2)
    c = fitted(maps, n_components=0.6, scale="none")
    assert c.points_.shape[1] == PCA(0.6).fit(maps.reshape(60, -1)).n_components_


def test_the_number_is_that_with_the_best_silhouette():
    maps, which = planted()
    c = fitted(maps, max_clusters=6)
    assert list(c.selection_) == [2, 3, 4, 5, 6] and c.n_clusters_ == 3
    for k, merit in c.selection_.items():
        labels = KMeans(k, n_init=10, random_state=0).fit(c.points_).labels_
        assert merit == pytest.approx(silhouette_score(c.points_.astype(float), labels), abs=1e-5)
    assert adjusted_rand_score(which, c.labels_) == 1


def test_the_number_by_v_measure_follows_the_labels():
    maps, which = planted()
    names = ["a" if k == 2 else "b" for k in which]  # two of the three patterns are one class
    c = fitted(maps, select="v-measure", labels=names, max_clusters=5)
    for k, merit in c.selection_.items():
        assert merit == pytest.approx(v_measure_score(names, KMeans(k, n_init=10, random_state=0).fit(c.points_).labels_))
    assert c.n_clusters_ == max(c.selection_, key=c.selection_.get)


def test_hdbscan_is_that_of_scikit_learn_and_leaves_odd_maps_out():
    maps, which = planted(63)
    rng = np.random.default_rng(5)
    maps[60:] = rng.standard_normal((3, 28, 28)) * 3
    c = fitted(maps, method="hdbscan", min_cluster_size=8)
    theirs = HDBSCAN(min_cluster_size=8, copy=True).fit(c.points_.astype(float)).labels_
    assert np.array_equal(c.labels_ < 0, theirs < 0)
    assert adjusted_rand_score(theirs, c.labels_) == 1
    assert (c.labels_[60:] == -1).all() and c.n_clusters_ == 3
    assert any("in no cluster" in n for n in c.notices_)
    assert sum(x.size for x in c.clusters_) == int((c.labels_ >= 0).sum())
    assert adjusted_rand_score(which[:60][c.labels_[:60] >= 0], c.labels_[:60][c.labels_[:60] >= 0]) == 1


def test_the_same_seed_gives_the_same_clusters():
    maps, _ = planted(noise=0.8)
    first, second = (fitted(maps, n_clusters=5, random_state=3) for _ in range(2))
    assert np.array_equal(first.labels_, second.labels_) and np.array_equal(first.points_, second.points_)
    assert [c.sentence for c in first.clusters_] == [c.sentence for c in second.clusters_]


def test_silhouettes_of_many_points_are_taken_over_a_sample():
    maps, which = planted(3300)
    c = fitted(maps, n_clusters=3, n_components=5)
    assert np.isfinite(c.silhouette_).sum() == 3000
    assert np.nanmean(c.silhouette_) == pytest.approx(silhouette_score(c.points_, which, sample_size=3000, random_state=1),
                                                      abs=0.01)


# -- what a cluster holds ---------------------------------------------------------------------------------------------


def test_maps_exemplar_order_and_figures_of_a_cluster():
    maps, which = planted()
    maps[which == 1] *= -1
    p = np.array([0.9, 0.2, 0.6])[which]
    correct = np.where(which == 0, np.arange(60) % 2 == 0, True)
    c = fitted(maps, n_clusters=3, probabilities=p, correct=correct, labels=[f"k{k}" for k in which])
    assert [x.probability for x in c.clusters_] == pytest.approx([0.9, 0.6, 0.2])
    first, last = c.clusters_[0], c.clusters_[2]
    own = maps[which == 0]
    assert np.allclose(first.favourable, np.maximum(own, 0).mean(0), atol=1e-6)
    assert np.allclose(first.unfavourable, np.minimum(own, 0).mean(0), atol=1e-6)
    assert last.unfavourable[2, 22] < -0.8 < 0.2 > last.favourable[2, 22]
    d = np.linalg.norm(c.points_[first.members][:, None] - c.points_[first.members][None], axis=-1).sum(1)
    assert first.exemplar == first.members[d.argmin()] == first.members[0]
    assert np.all(np.diff(d) >= -1e-4)  # the most typical first
    assert first.accuracy == 0.5 and first.unreliable and not last.unreliable
    assert first.labels == {"k0": 20} and first.size == 20
    assert "20 of 60 images, 33 %" in first.sentence and "mean probability 90 %" in first.sentence
    assert "50 % named rightly against 100 % of the others: less reliable" in first.sentence
    assert "at the top left" in first.sentence and "against the answer is at the top right" in last.sentence


def test_labels_with_explanations_say_what_is_right():
    world = sw.worlds.shortcut(n=24, seed=1)
    es = sw.explain(world.model(), world.images, sw.why("shellback"))
    c = fitted(es, labels=world.labels, n_clusters=2)
    said = world.model().predict(world.images).top(1)
    assert c.stack_.correct.tolist() == [row[0][0] == label for row, label in zip(said, world.labels, strict=True)]
    assert c.stack_.thumbnails.shape == (24, 64, 64, 3) and c.stack_.question == "Why “shellback”?"
    assert c.stack_.probabilities == pytest.approx([e.probability for e in es])


def test_maps_come_to_28_by_28_by_area_or_between_cells():
    small = np.arange(49, dtype=np.float32).reshape(7, 7)
    large = np.random.default_rng(0).random((56, 84)).astype(np.float32)
    got = stack([small, large], 28)
    assert np.allclose(got.maps[1], large.reshape(28, 2, 28, 3).mean((1, 3)), atol=1e-6)
    assert np.allclose(got.maps[0], sw.from_array(small, np.zeros((28, 28, 3), np.uint8)).upsampled(), atol=1e-4)
    assert "2 sizes" in got.notices[0]
    assert resampling(30, 28).sum(1) == pytest.approx(np.ones(28), abs=1e-6)


def test_places_in_words():
    corner, two = np.zeros((28, 28)), np.zeros((28, 28))
    corner[25, 25] = -2
    two[14, 14], two[25, 14], two[2, 2] = 0.4, 0.35, 0.25
    assert place(corner) == "at the bottom right (100 %)"
    assert place(two) == "in the centre (40 %) and at the bottom (35 %)"
    assert place(np.ones((28, 28))) == "spread over the picture" and place(np.zeros((28, 28))) == ""


def test_intervals_agree_with_wilson_by_hand():
    assert interval(0, 0) == (0, 1) and interval(10, 10)[1] == 1 and interval(0, 10)[0] == 0
    p, n, z = 0.8, 20, 1.959963984540054
    roots = np.roots([1 + z**2 / n, -(2 * p + z**2 / n), p**2])  # (p - q)^2 = z^2 q (1 - q) / n
    assert interval(16, 20) == pytest.approx(sorted(roots), abs=1e-9)


# -- other images ------------------------------------------------------------------------------------------------------


def test_other_maps_fall_into_the_nearest_cluster():
    maps, which = planted()
    c = fitted(maps, n_clusters=3)
    more, kinds = planted(30, seed=9)
    order = {int(k): c.labels_[which == k][0] for k in range(3)}
    assert c.predict(more).tolist() == [order[k] for k in kinds]
    assert np.allclose(c.transform(maps), c.points_, atol=1e-5)


def test_a_check_says_which_cluster_falls():
    maps, which = planted()
    c = fitted(maps, n_clusters=3, correct=np.ones(60, bool))
    k = int(c.labels_[which == 1][0])
    check = c.check(correct=which != 1, paired=True)
    assert check.suspects == [k] and check.after[k] == 0 and check.before.tolist() == [1, 1, 1]
    assert check.sentences[0].startswith(f"Cluster {k + 1} is right on 100 % of its 20 images, but on 0.0 %")
    assert "2 others show no fall beyond chance." in check.sentences
    assert list(check.to_pandas()["checked"]) == [20, 20, 20] and "shortcut" in check._repr_html_()
    held = c.check(maps, correct=np.ones(60, bool))
    assert not held.suspects and str(held).startswith("No strategy is less reliable")
    few = Check.of(["a"], np.zeros(4, int), np.ones(4, bool), np.zeros(2, int), [0, 0], False)
    assert not few.suspects and "too few" in str(few)


def test_the_planted_shortcut_is_a_cluster_and_fails_without_its_tag():
    world = sw.worlds.shortcut(n=160, seed=3)
    model, ask = world.model(), sw.why(world.family)
    c = fitted(sw.explain(model, world.images, ask, method="grad-cam", progress=False), labels=world.labels)
    of_tags = [x for x in c.clusters_ if world.marked[x.members].mean() > 0.9]
    assert len(of_tags) == 1
    tag = of_tags[0]
    assert tag.size >= 0.9 * world.marked.sum() and tag.accuracy > 0.95 and "at the bottom right" in tag.sentence
    corner = tag.favourable[22:, 20:].mean()
    assert corner > 3 * max(x.favourable[22:, 20:].mean() for x in c.clusters_ if x is not tag)

    clean = sw.explain(model, world.clean, ask, method="grad-cam", progress=False)
    check = c.check(clean, labels=world.labels, paired=True)
    assert check.suspects == [tag.index] and check.after[tag.index] < 0.8

    field = sw.worlds.shortcut(n=160, marked=0.5, others=0.5, seed=3)
    found = sw.explain(model, field.images, ask, method="grad-cam", progress=False)
    elsewhere = c.check(found, labels=field.labels)
    assert elsewhere.suspects[0] == tag.index and elsewhere.after[tag.index] < 0.8
    assert field.marked[c.predict(found) == tag.index].mean() > 0.9

    mended = world.model("mended")
    maps = [sw.explain(mended, images, ask, method="grad-cam", progress=False) for images in (world.images, world.clean)]
    assert not fitted(maps[0], labels=world.labels).check(maps[1], labels=world.labels, paired=True).suspects


# -- keeping -----------------------------------------------------------------------------------------------------------


def test_saved_and_loaded_again(tmp_path):
    world = sw.worlds.shortcut(n=24, seed=1)
    es = sw.explain(world.model(), world.images, sw.why("shellback"), progress=False)
    c = fitted(es, labels=world.labels, n_clusters=3)
    c.save(tmp_path / "c")
    d = ExplanationClusters.load(tmp_path / "c")
    for name in ("labels_", "points_", "embedding_", "silhouette_", "centres_"):
        assert np.array_equal(getattr(c, name), getattr(d, name), equal_nan=True)
    assert [x.sentence for x in c.clusters_] == [x.sentence for x in d.clusters_] and d.notices_ == c.notices_
    assert np.array_equal(c.clusters_[0].favourable, d.clusters_[0].favourable)
    assert d.clusters_[1].labels == c.clusters_[1].labels and d.clusters_[1].exemplar == c.clusters_[1].exemplar
    assert np.array_equal(d.predict(es), c.predict(es)) and d.selection_ == pytest.approx(c.selection_, nan_ok=True)
    assert not list((tmp_path / "c").glob("*.pkl"))


def test_altered_files_are_refused(tmp_path):
    folder = fitted(planted()[0]).save(tmp_path / "c")
    manifest = json.loads((folder / "manifest.json").read_text())
    with pytest.raises(InputError, match="no manifest"):
        ExplanationClusters.load(tmp_path)
    for change, said in (({"schema_version": 99}, "Update salwidgets"), ({"kind": "explanation"}, "it holds"),
                         ({"settings": {}}, "lacks or garbles"), ({"arrays": {"maps": {}}}, "cannot be read")):
        (folder / "manifest.json").write_text(json.dumps({**manifest, **change}))
        with pytest.raises(InputError, match=said):
            ExplanationClusters.load(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with np.load(folder / "arrays.npz") as data:
        arrays = dict(data)
    arrays["labels"] = arrays["labels"][::-1]
    np.savez(folder / "arrays.npz", **arrays)
    with pytest.raises(InputError, match="SHA-256"):
        ExplanationClusters.load(folder)
    (folder / "arrays.npz").write_bytes(b"PK no")
    with pytest.raises(InputError, match="truncated"):
        ExplanationClusters.load(folder)


def test_the_figure_shows_all_clusters():
    maps, which = planted()
    fig = fitted(maps, n_clusters=3, correct=which == 0).figure()
    texts = " ".join(t.get_text() for t in fig.texts)
    assert texts.count("Cluster") >= 3 and len(fig.axes) == 1 + 3 * 4 + 1
    assert fig._repr_png_()[:4] == b"\x89PNG"


# -- bad input ---------------------------------------------------------------------------------------------------------


def test_small_and_empty_cases_are_told_truthfully():
    maps, _ = planted()
    one = fitted(maps[:1])
    assert one.n_clusters_ == 1 and "its own cluster" in one.notices_[0] and one.embedding_.shape == (1, 2)
    assert one.clusters_[0].exemplar == 0 and "the only image" in one.clusters_[0].sentence
    flat = fitted(np.ones((5, 7, 7), np.float32))
    assert flat.n_clusters_ == 1 and "alike" in flat.notices_[0] and flat.predict(np.ones((2, 7, 7))).tolist() == [0, 0]
    empty = fitted(np.zeros((4, 7, 7), np.float32))
    assert "the maps are empty" in empty.clusters_[0].sentence
    two = fitted(maps[:2])
    assert two.n_clusters_ == 2 and two.labels_.tolist() in ([0, 1], [1, 0])
    fewer = fitted(np.repeat(maps[:2], 3, 0), n_clusters=4)
    assert fewer.n_clusters_ == 2 and "Only 2 maps differ" in fewer.notices_[0]
    assert fitted(maps[:3], method="hdbscan").n_clusters_ == 1
    assert fitted(maps[:1]).figure() is not None and flat.figure() is not None


def test_bad_input_is_named():
    maps, _ = planted()
    nan = maps.copy()
    nan[[3, 7], 0, 0] = np.nan, np.inf
    for given, said in ((nan, r"2 of 60 maps hold NaN or infinite values \(number 3, 7\)"), ([], "no explanations"),
                        (maps[0], "give \\[N, h, w\\]"), ([maps[0], maps[0][0]], "explanation 1 has a map of shape"),
                        (["a"], "explanation 0 is a str")):
        with pytest.raises(InputError, match=said):
            fitted(given)
    for params, said in (({"labels": ["a"]}, "1 labels for 60"), ({"correct": [True]}, "correct has shape"),
                         ({"correct": np.full(60, 2)}, "other than true and false"),
                         ({"probabilities": np.full(60, 1.2)}, "between 0 and 1"), ({"probabilities": [0.5]}, "shape"),
                         ({"labels": "abc"}, "labels is the text"), ({"images": [np.zeros((4, 4, 3))]}, "1 images for 60"),
                         ({"n_clusters": 61}, "at most 60"), ({"n_clusters": 0}, "n_clusters=0"),
                         ({"method": "dbscan"}, "none of 'kmeans', 'hdbscan'"), ({"select": "gap"}, "select='gap'"),
                         ({"select": "v-measure"}, "pass labels="), ({"n_components": 1.5}, "n_components=1.5"),
                         ({"method": "hdbscan", "n_clusters": 3}, "finds the number"), ({"max_clusters": 1}, "at least 2"),
                         ({"random_state": -1}, "random_state=-1"), ({"min_cluster_size": "a"}, "min_cluster_size='a'"),
                         ({"probabilities": ["a"] * 60}, "must be numbers")):
        with pytest.raises(InputError, match=said):
            fitted(maps, **params)
    with pytest.raises(InputError, match="not fitted"):
        ExplanationClusters().predict(maps)
    c = fitted(maps)
    with pytest.raises(InputError, match="each of the 60"):
        c.check(maps[:5], correct=np.ones(5), paired=True)
    with pytest.raises(InputError, match="not known"):
        c.check(maps)


def test_it_can_be_stopped():
    class Stop(Exception):
        pass

    seen = []

    def stop(done, total):
        seen.append((done, total))
        if len(seen) == 3:
            raise Stop

    c = ExplanationClusters(progress=stop)
    with pytest.raises(Stop):
        c.fit(planted()[0])
    assert not hasattr(c, "labels_") and seen[-1][1] == 70
