"""Quality of concepts beside analytic cases, scipy and slow loops, and the proposal of a number."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.concepts.matching import cosines, folds_of, likeness, matched, stability
from salwidgets.concepts.measures import frechet, hoyer
from salwidgets.worlds.world import CreatureWorld


@pytest.fixture(scope="module")
def world() -> CreatureWorld:
    return sw.worlds.creatures(n=36, seed=4)


def fit(world: CreatureWorld, k: int = 5, **options: Any) -> Any:
    return sw.concepts.ConceptExtractor(world.model("cnn"), n_concepts=k, progress=False, **options).fit(
        world.images, sw.why("flutterling").rather_than("galewing"))


def test_hoyer_is_one_for_one_and_none_for_all() -> None:
    rows = np.array([[0, 3, 0, 0], [1, 1, 1, 1], [2, 0, 0, 2], [0, 0, 0, 0]])
    np.testing.assert_allclose(hoyer(rows), [1, 0, (2 - np.sqrt(2)) / 1, np.nan])
    assert np.isnan(hoyer(np.ones((2, 1)))).all()


def test_frechet_is_the_distance_of_two_normal_distributions() -> None:
    from scipy.linalg import sqrtm

    random = np.random.default_rng(0)
    a, b = random.normal(size=(500, 4)) @ random.normal(size=(4, 4)), random.normal(size=(400, 4)) + 1
    sa, sb = np.cov(a.T), np.cov(b.T)
    want = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(sa + sb - 2 * sqrtm(sa @ sb).real)
    assert frechet(a, b) == pytest.approx(want / np.trace(sa), rel=1e-6)
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)


def test_components_are_matched_as_the_best_of_all_pairings() -> None:
    random = np.random.default_rng(1)
    a, b = random.normal(size=(5, 9)), random.normal(size=(5, 9))
    c = cosines(a, b)
    rows, columns = matched(c)
    best = max(sum(c[i, p] for i, p in enumerate(order)) for order in itertools.permutations(range(5)))
    assert c[rows, columns].sum() == pytest.approx(best)
    assert likeness(a, a[::-1]) == pytest.approx(1) and likeness(a, -a, signed=False) == pytest.approx(1)
    np.testing.assert_array_equal(cosines(np.zeros((2, 3)), a[:, :3]), 0)


def test_folds_keep_the_cells_of_an_image_together() -> None:
    groups = np.repeat(np.arange(7), 4)
    folds = folds_of(groups, 3, 0)
    assert len(folds) == 3 and sum((~f).sum() for f in folds) == 28
    for f in folds:
        assert all(len(set(f[groups == g])) == 1 for g in range(7)) and f.sum() >= 16
    assert folds_of(np.zeros(4, int), 3, 0) == []


def test_stability_is_one_where_parts_are_clear_and_less_in_noise() -> None:
    random = np.random.default_rng(0)
    clear = np.repeat(np.eye(4, 8), 30, 0) * random.uniform(1, 2, (120, 1)) + 0.01 * random.random((120, 8))
    noise = random.random((120, 8))
    for kind in ("nmf", "kmeans"):
        made = sw.concepts.make_dictionary(kind, 4)
        assert stability(made, [clear.astype(np.float32)] * 3, [0, 1, 2]) > 0.99
        halves = [noise[:60].astype(np.float32), noise[60:].astype(np.float32)]
        assert stability(made, halves, [0, 0]) < 0.97
    assert np.isnan(stability(sw.concepts.make_dictionary("pca", 2), [clear], [0]))


def test_deletion_insertion_and_fidelity_are_what_a_loop_finds(world: CreatureWorld) -> None:
    e = fit(world, importance="gradient-x-input")
    q = sw.concepts.quality(e, world.images, folds=0, seeds=0)
    net = e.model.net

    def score(u: np.ndarray) -> float:
        a = torch.from_numpy(np.einsum("khw,kc->chw", u, e.components_))[None]
        with torch.no_grad():
            return float(e.question_.score(net.fc(a.mean((-2, -1))))[0])

    deletion, insertion = np.zeros(6), np.zeros(6)
    for u, share in zip(e.coefficients_, e.image_importance_, strict=True):
        order = np.argsort(-share, kind="stable")
        for j in range(6):
            gone, there = u.copy(), np.zeros_like(u)
            gone[order[:j]] = 0
            there[order[:j]] = u[order[:j]]
            deletion[j] += score(gone) / len(world)
            insertion[j] += score(there) / len(world)
    np.testing.assert_allclose(q.curves["deletion"], deletion, atol=1e-3)
    np.testing.assert_allclose(q.curves["insertion"], insertion, atol=1e-3)
    assert q.c_deletion == pytest.approx(np.trapezoid(deletion) / 5, abs=1e-3)
    assert q.c_insertion == pytest.approx(np.trapezoid(insertion) / 5, abs=1e-3)
    assert q.c_deletion < q.random_order < q.c_insertion
    assert q.c_mu_fidelity == pytest.approx(1, abs=1e-4)  # the head is affine: importance is what is lost
    assert q.relative_l2 == pytest.approx(e.reconstruction_error_, rel=1e-5)
    assert np.isnan(q.stability_folds) and np.isnan(q.stability_seeds)


def test_a_dead_concept_is_counted(world: CreatureWorld) -> None:
    e = fit(world, 4, dictionary="kmeans")
    e.components_ = e.dictionary_.components_ = np.concatenate([e.components_, np.full((1, 80), 1e3, np.float32)])
    assert sw.concepts.quality(e, world.images, folds=0, seeds=0).dead == [4]


def test_quality_as_a_table_and_its_limits(world: CreatureWorld) -> None:
    e = fit(world, 4)
    q = sw.concepts.quality(e, world.images, folds=2, seeds=2)
    table = q.to_pandas()
    assert table.shape == (1, 10) and 0 < table.stability_folds[0] <= 1 and table.n_dead[0] == 0
    assert "<table" in q._repr_html_() and 0 < table.hoyer[0] < 1
    again = sw.concepts.quality(e, world.images, folds=2, seeds=2)
    assert again.to_pandas().equals(table)
    small = sw.concepts.quality(e.set_params(max_bytes=400_000, batch_size=8), world.images, folds=0, seeds=0)
    assert "first 16 of 36" in small.notices[0]
    with pytest.raises(sw.errors.InputError, match="subsets"):
        sw.concepts.quality(e, world.images, subsets=1)
    with pytest.raises(sw.errors.MethodError, match="call fit"):
        sw.concepts.quality(sw.concepts.ConceptExtractor(world.model("cnn")), world.images)


def test_a_number_of_concepts_is_proposed_with_its_reason(tmp_path: Any) -> None:
    class Sources(torch.nn.Module):
        """Five kinds of cells and nothing else: the number to find is 5."""

        def __init__(self) -> None:
            super().__init__()
            self.features, self.fc = torch.nn.Conv2d(5, 12, 1, bias=False), torch.nn.Linear(12, 3)
            torch.manual_seed(0)
            with torch.no_grad():
                self.features.weight.uniform_(0, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.features(x).mean((-2, -1)))

    kinds = torch.nn.functional.one_hot(torch.randint(5, (20, 6, 6), generator=torch.Generator().manual_seed(0)), 5)
    images = kinds.movedim(-1, 1).float()
    extractor = sw.concepts.ConceptExtractor(Sources(), layer="features", dictionary="kmeans", progress=False)
    choice = sw.concepts.choose_n_concepts(extractor, images, range(2, 9), progress=False)
    assert choice.n_concepts == 5 and "5 concepts leave 0%" in choice.reason
    table = choice.to_pandas()
    assert table.n_concepts.tolist() == list(range(2, 9)) and table.relative_l2[3] < 1e-4
    choice.figure().savefig(tmp_path / "x.pdf")
    with pytest.raises(sw.errors.InputError, match="whole numbers"):
        sw.concepts.choose_n_concepts(extractor, images, [])
    sampled = sw.concepts.choose_n_concepts(extractor, images, range(2, 9), most_cells=200, progress=False)
    assert sampled.n_concepts == 5


def test_concepts_of_crops_are_counted_on_crops(world: CreatureWorld) -> None:
    extractor = sw.concepts.ConceptExtractor(world.model("cnn"), mode="crops", crop=32, progress=False)
    assert sw.concepts.choose_n_concepts(extractor, world.images[:9], [2, 3], progress=False).sizes == [2, 3]
    negative = sw.concepts.ConceptExtractor(world.model("vit"), progress=False)
    with pytest.raises(sw.errors.MethodError, match="semi-nmf"):
        sw.concepts.choose_n_concepts(negative, world.images[:4], [2])


@pytest.mark.parametrize("work", ["quality", "choose"])
def test_long_work_tells_how_far_it_is_and_can_be_stopped(world: CreatureWorld, work: str) -> None:
    extractor, seen = fit(world, 3), []

    def run(progress: Any) -> None:
        if work == "quality":
            sw.concepts.quality(extractor, world.images, folds=3, seeds=2, subsets=4, progress=progress)
        else:
            sw.concepts.choose_n_concepts(extractor, world.images, (2, 3), folds=3, seeds=2, most_cells=500,
                                          progress=progress)

    run(lambda done, total: seen.append((done, total)))
    again = 3 + 2 if work == "quality" else 2 * (1 + 3 + 2)
    assert (36, 36) in seen and seen[-1] == (again, again)

    def stop(done: int, total: int) -> None:
        if total == again and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(stop)
    assert extractor.model_._depth == 0


def test_wrong_arguments_are_told_by_name(world: CreatureWorld) -> None:
    extractor = fit(world, 3)
    for change, said in (({"folds": "a"}, "folds='a'"), ({"seeds": -1}, "seeds=-1"), ({"subsets": 1}, "subsets=1")):
        with pytest.raises(sw.errors.InputError, match=said):
            sw.concepts.quality(extractor, world.images, **change)
    for sizes in ([], "ab", [0], [2.5], None):
        with pytest.raises(sw.errors.InputError, match="n_concepts="):
            sw.concepts.choose_n_concepts(extractor, world.images, sizes)  # type: ignore[arg-type]
    with pytest.raises(sw.errors.InputError, match="most_cells=0"):
        sw.concepts.choose_n_concepts(extractor, world.images, (2, 3), most_cells=0)
    for call in (sw.concepts.quality, sw.concepts.choose_n_concepts):
        with pytest.raises(sw.errors.InputError, match="a int is no ConceptExtractor"):
            call(3, world.images)
    with pytest.raises(sw.errors.MethodError, match="call fit"):
        sw.concepts.quality(sw.concepts.ConceptExtractor(world.model("cnn")), world.images)
