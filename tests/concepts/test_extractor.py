"""`ConceptExtractor`: what it learns, whatever the images come as, and how it is kept and shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.worlds.world import CreatureWorld
from tests.concepts.conftest import make

Extractor = sw.concepts.ConceptExtractor


def test_what_is_fitted_has_the_promised_shapes_and_sums(fitted: Any, world: CreatureWorld) -> None:
    assert fitted.components_.shape == (5, 80) and fitted.coefficients_.shape == (48, 5, 8, 8)
    assert fitted.image_importance_.shape == (48, 5) and fitted.images_.shape == (48, 64, 64, 3)
    np.testing.assert_allclose(fitted.importance_, fitted.image_importance_.mean(0), rtol=1e-6)
    np.testing.assert_array_equal(fitted.leading_, fitted.image_importance_.argmax(1))
    np.testing.assert_allclose(fitted.prevalence_, np.bincount(fitted.leading_, minlength=5) / 48, rtol=1e-6)
    assert fitted.prevalence_.sum() == pytest.approx(1)
    for k in range(5):
        mine = fitted.correct_[fitted.leading_ == k]
        assert fitted.reliability_[k] == pytest.approx(mine.mean()) if len(mine) else np.isnan(fitted.reliability_[k])
    assert fitted.layer_ == "layer3" and fitted.names_[0] == "concept 1" and fitted.question_.binding is not None
    assert [fitted.order_[0]] == [np.abs(fitted.importance_).argmax()]


def test_scores_are_the_models_and_shares_add_up_to_what_the_concepts_rebuild(fitted: Any, world: CreatureWorld,
                                                                              model: sw.Model) -> None:
    logits = model.logits(world.images)
    np.testing.assert_allclose(fitted.scores_, fitted.question_.score(logits).numpy(), atol=1e-4)
    # The head is affine, and the contrast's bias is its score where no concept is.
    bias = torch.from_numpy(fitted.question_.weights) @ model.net.fc.bias.detach()
    np.testing.assert_allclose(fitted.image_importance_.sum(1) + float(bias), fitted.reconstructed_scores_, atol=1e-4)
    rebuilt = torch.from_numpy(fitted.inverse_transform(fitted.coefficients_))
    want = fitted.question_.score(model.net.fc(rebuilt.mean((-2, -1)))).detach().numpy()
    np.testing.assert_allclose(fitted.reconstructed_scores_, want, atol=1e-3)
    assert np.corrcoef(fitted.scores_, fitted.reconstructed_scores_)[0, 1] > 0.5  # five concepts are few


def test_the_reconstruction_error_is_what_is_left_out(fitted: Any, world: CreatureWorld, model: sw.Model) -> None:
    with torch.no_grad():
        maps = model.net.forward_features(world.images).numpy()
    gap = np.linalg.norm(maps - fitted.inverse_transform(fitted.transform(world.images)))
    assert fitted.reconstruction_error_ == pytest.approx(gap / np.linalg.norm(maps), rel=1e-4)
    np.testing.assert_allclose(fitted.transform(world.images[:5]), fitted.coefficients_[:5], atol=1e-4)
    np.testing.assert_allclose(fitted.image_importance(world.images[:5]), fitted.image_importance_[:5], atol=1e-3)


def test_a_group_question_is_right_within_its_group(world: CreatureWorld, model: sw.Model) -> None:
    wrong = [world.taxonomy.members(world.taxonomy.parent(n))[0] for n in world.labels]  # right family, often wrong leaf
    found = make(model).fit(world.images, "flutterling", labels=wrong)
    names = [model.classes[i] for i in found.predicted_]
    family = set(world.taxonomy.members("flutterling"))
    want = [p == t or (p in family and t in family) for p, t in zip(names, wrong, strict=True)]
    np.testing.assert_array_equal(found.correct_, want)
    assert found.question_.granularity == "group" and 0 < found.correct_.mean() < 1


def test_the_predicted_class_is_asked_for_by_default(world: CreatureWorld, model: sw.Model) -> None:
    found = make(model).fit(world.images)
    np.testing.assert_allclose(found.scores_, model.logits(world.images).amax(1).numpy(), atol=1e-4)
    assert any("without labels" in n for n in found.notices_)
    assert not make(model).fit(world.images, labels=world.labels).notices_


def test_the_same_seed_gives_the_same_concepts(world: CreatureWorld, model: sw.Model) -> None:
    for kind in ("nmf", "kmeans"):
        a, b = (make(model, dictionary=kind).fit(world.images, "sailfin") for _ in range(2))
        np.testing.assert_array_equal(a.components_, b.components_)
        np.testing.assert_array_equal(a.importance_, b.importance_)


# -- whatever the images come as ----------------------------------------------------------------------------------


class Data:
    """A data set with labels that counts how often it is read."""

    def __init__(self, world: CreatureWorld):
        self.world, self.reads = world, 0

    def __len__(self) -> int:
        return len(self.world)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, str]:
        self.reads += 1
        return self.world.images[i], self.world.labels[i]


def test_lists_data_sets_loaders_and_generators_give_what_a_tensor_gives(world: CreatureWorld, model: sw.Model) -> None:
    want = make(model, batch_size=20).fit(world.images, "sailfin", labels=world.labels)
    indices = [model.classes.lookup(n) for n in world.labels]
    tensors = torch.utils.data.TensorDataset(world.images, torch.tensor(indices))
    data = Data(world)
    for images in (list(world.images), data, torch.utils.data.DataLoader(tensors, batch_size=20),
                   torch.utils.data.DataLoader(tensors, batch_size=7),
                   ({"pixel_values": world.images[i:i + 20], "labels": indices[i:i + 20]} for i in (0, 20, 40)),
                   iter([(world.images, indices)]), [(world.images[:20], indices[:20]), (world.images[20:], indices[20:])],
                   [world.images[:20], world.images[20:]]):
        labels = world.labels if isinstance(images, list) and isinstance(images[0], torch.Tensor) else None
        found = make(model, batch_size=20).fit(images, "sailfin", labels=labels)
        np.testing.assert_allclose(found.importance_, want.importance_, atol=2e-3)
        np.testing.assert_array_equal(found.labels_, want.labels_)
        np.testing.assert_allclose(found.scores_, want.scores_, atol=1e-4)
    assert data.reads == 48  # once, and kept


@pytest.mark.parametrize("kind", ["nmf", "kmeans", "pca", "semi-nmf"])
def test_what_does_not_fit_in_memory_is_streamed(world: CreatureWorld, model: sw.Model, kind: str) -> None:
    whole = make(model, dictionary=kind).fit(world.images, "sailfin")
    streamed = make(model, dictionary=kind, max_bytes=200_000, batch_size=16).fit(world.images, "sailfin")
    assert "stream" in streamed.notices_[0] and streamed.reconstruction_error_ < 1.25 * whole.reconstruction_error_
    np.testing.assert_allclose(streamed.scores_, whole.scores_, atol=1e-4)
    assert streamed.prevalence_.sum() == pytest.approx(1)


def test_a_shuffling_loader_that_cannot_be_kept_keeps_images_and_labels_together(world: CreatureWorld,
                                                                               model: sw.Model) -> None:
    indices = torch.tensor([model.classes.lookup(n) for n in world.labels])
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(world.images, indices), batch_size=16, shuffle=True)
    found = make(model, max_bytes=500_000).fit(loader, "sailfin")
    right = (model.logits(world.images).argmax(1) == indices).float().mean()
    assert found.correct_.mean() >= right - 1e-6 and "another order" in found.notices_[0]
    assert sorted(found.labels_.tolist()) == sorted(indices.tolist())


def test_a_generator_that_is_too_large_to_keep_says_so(world: CreatureWorld, model: sw.Model) -> None:
    with pytest.raises(sw.errors.InputError, match="read only once"):
        make(model, max_bytes=500_000).fit((world.images[i:i + 8] for i in range(0, 48, 8)), "sailfin")


def test_a_dictionary_of_the_users_own(world: CreatureWorld, model: sw.Model, tmp_path: Path) -> None:
    class Axes:
        """The channels with the largest means."""

        random_state = 0

        def fit(self, rows: np.ndarray) -> Axes:
            self.components_ = np.eye(rows.shape[1], dtype=np.float32)[np.argsort(-rows.mean(0))[:3]]
            return self

        def encode(self, rows: np.ndarray) -> np.ndarray:
            return rows @ self.components_.T

    own = Axes()
    found = make(model, dictionary=own).fit(world.images, "sailfin")
    assert found.components_.shape == (3, 80) and not hasattr(own, "components_")  # a copy was fitted
    found.save(tmp_path / "x")
    with pytest.raises(sw.errors.MethodError, match="object of your own"):
        Extractor.load(tmp_path / "x", model).transform(world.images[:2])
    again = Extractor.load(tmp_path / "x", model, found.dictionary_)
    np.testing.assert_allclose(again.transform(world.images[:2]), found.coefficients_[:2], atol=1e-5)
    with pytest.raises(sw.errors.MethodError, match="partial_fit"):
        make(model, dictionary=own, max_bytes=10_000).fit(world.images, "sailfin")


# -- transformers and crops ---------------------------------------------------------------------------------------


def test_a_transformer_has_concepts_on_its_grid(world: CreatureWorld) -> None:
    model = world.model("vit")
    with pytest.raises(sw.errors.MethodError, match="semi-nmf"):
        make(model).fit(world.images[:12], "sailfin")
    found = make(model, dictionary="semi-nmf", importance="gradient-x-input").fit(world.images[:12], "sailfin")
    assert found.coefficients_.shape == (12, 5, 8, 8) and found.layer_ == "blocks.4.norm1"
    assert np.corrcoef(found.scores_, found.reconstructed_scores_)[0, 1] > 0.9


def test_crops_are_those_that_the_dictionary_saw(world: CreatureWorld, model: sw.Model) -> None:
    found = make(model, k=4, mode="crops", crop=32).fit(world.images[:12], "sailfin")
    best = found.best_crops(0, 3)
    assert [c.strength for c in best] == sorted([c.strength for c in best], reverse=True)
    crop = best[0]
    top, left, bottom, right = crop.box
    assert (bottom - top, right - left) == (32, 32) and crop.thumbnail.shape == (32, 32, 3)
    np.testing.assert_array_equal(crop.thumbnail, model.pictures(world.images)[crop.image, top:bottom, left:right])
    # A crop's strength is the coefficient of its own mean activation, enlarged to the input's size.
    big = torch.nn.functional.interpolate(world.images[crop.image:crop.image + 1, :, top:bottom, left:right], (64, 64),
                                          mode="bilinear", align_corners=False)
    with torch.no_grad():
        row = model.net.forward_features(big).mean((-2, -1)).numpy()
    assert found.dictionary_.encode(row)[0, 0] == pytest.approx(crop.strength, rel=1e-3)
    assert len({c.image for c in best}) == 3


def test_the_best_crops_lie_around_the_strongest_cells(fitted: Any) -> None:
    for k in range(5):
        crop = fitted.best_crops(k, 1)[0]
        peak = fitted.coefficients_[:, k]
        assert crop.strength == pytest.approx(float(peak.max())) and crop.image == peak.reshape(48, -1).max(1).argmax()
        row, column = divmod(int(peak[crop.image].argmax()), 8)
        assert crop.box[0] <= row * 8 + 4 <= crop.box[2] and crop.box[1] <= column * 8 + 4 <= crop.box[3]


def test_concept_maps_are_explanations(fitted: Any, world: CreatureWorld, tmp_path: Path) -> None:
    maps = fitted.maps(world.images[:3])
    assert maps.shape == (3, 1, 5)
    np.testing.assert_allclose(maps[1, 0, 2].values, fitted.coefficients_[1, 2], atol=1e-4)
    assert maps[0].method == "concept 1" and maps[0].upsampled().shape == (64, 64) and maps[0].layer == "layer3"
    assert fitted.maps(world.images[:2], concepts=[3]).shape == (2, 1, 1)
    maps[0].save(tmp_path / "map")
    assert sw.load(tmp_path / "map").params["concept"] == 0
    sw.Heatmap(maps[0])


# -- keeping and showing ------------------------------------------------------------------------------------------


def test_what_is_saved_comes_back(fitted: Any, world: CreatureWorld, model: sw.Model, tmp_path: Path) -> None:
    fitted.rename(1, " a tail ")
    fitted.save(tmp_path / "x")
    assert not any(p.suffix in (".pkl", ".pt") for p in (tmp_path / "x").iterdir())
    again = Extractor.load(tmp_path / "x", model)
    for name in ("components_", "importance_", "image_importance_", "prevalence_", "reliability_", "leading_", "scores_",
                 "coefficients_", "images_", "correct_", "labels_"):
        np.testing.assert_array_equal(getattr(again, name), getattr(fitted, name), err_msg=name)
    assert again.names_ == fitted.names_ and again.names_[1] == "a tail" and again.question_ == fitted.question_
    np.testing.assert_array_equal(again.best_crops(2, 1)[0].thumbnail, fitted.best_crops(2, 1)[0].thumbnail)
    np.testing.assert_allclose(again.transform(world.images[:4]), fitted.transform(world.images[:4]), atol=1e-6)
    x = world.images[:4]
    np.testing.assert_allclose(again.image_importance(x), fitted.image_importance(x), atol=1e-5)
    lone = Extractor.load(tmp_path / "x")
    assert lone.figure() is not None
    with pytest.raises(sw.errors.ModelError, match="without its model"):
        lone.transform(world.images[:1])
    fitted.rename(1, "concept 2")


def test_damaged_folders_are_refused(fitted: Any, tmp_path: Path) -> None:
    folder = fitted.save(tmp_path / "x")
    manifest = json.loads((folder / "manifest.json").read_text())
    for change in ({"names": ["one"]}, {"crops": [[["a", 1, 2]]]}, {"settings": {}}, {"kind": "explanation"}):
        (folder / "manifest.json").write_text(json.dumps({**manifest, **change}))
        with pytest.raises(sw.errors.InputError):
            Extractor.load(folder)
    with pytest.raises(sw.errors.InputError, match="no manifest"):
        Extractor.load(tmp_path)


def test_a_figure_for_a_paper(fitted: Any, tmp_path: Path) -> None:
    figure = fitted.figure(n_crops=3)
    words = " ".join(t.get_text().replace("\n", " ") for t in figure.texts)
    assert "flutterling" in words and "right: predicted as labelled" in words
    assert len(figure.axes) == 5 * 4
    figure.savefig(tmp_path / "x.pdf")
    assert len(fitted.figure(n_crops=2, concepts=[1]).axes) == 3


def test_a_factorisation_on_the_device_is_used_where_activations_are_on_one(world: CreatureWorld, model: sw.Model) -> None:
    from salwidgets.concepts.dictionary import TorchNMFDictionary

    assert isinstance(sw.concepts.make_dictionary("nmf", 3, device="cuda"), TorchNMFDictionary)
    assert not isinstance(sw.concepts.make_dictionary("nmf", 3), TorchNMFDictionary)
    mine = make(model, dictionary=TorchNMFDictionary()).fit(world.images, "sailfin")
    theirs = make(model).fit(world.images, "sailfin")
    assert mine.reconstruction_error_ == pytest.approx(theirs.reconstruction_error_, rel=0.01)
    assert mine.transform(world.images[:2]).shape == (2, 5, 8, 8)


def test_a_single_concept(world: CreatureWorld, model: sw.Model) -> None:
    found = make(model, k=1).fit(world.images[:12], world.labels[0])
    assert found.prevalence_.tolist() == [1] and found.importance_.tolist() == [1]
    assert np.isnan(sw.concepts.quality(found, world.images[:12], folds=0, seeds=0).hoyer)


def test_the_examples_in_the_docstrings_run() -> None:
    import doctest

    from salwidgets.concepts import choosing, dictionary, extractor, measures

    for module in (choosing, dictionary, extractor, measures):
        names = {**vars(module), "sw": sw}
        found = [t for o in vars(module).values() if getattr(o, "__module__", "") == module.__name__
                 for t in doctest.DocTestFinder(recurse=False).find(o, globs=names) if t.examples]
        assert found
        for test in found:
            assert doctest.DocTestRunner().run(test).failed == 0


def test_parameters_are_kept_as_given_and_shown(model: sw.Model) -> None:
    extractor = Extractor(model, n_concepts=7, dictionary="pca")
    assert extractor.get_params()["n_concepts"] == 7 and "random_state" in extractor.get_params()
    assert repr(extractor) == "ConceptExtractor(n_concepts=7, dictionary='pca', not fitted)"
    with pytest.raises(sw.errors.MethodError, match="no parameter 'k'"):
        extractor.set_params(k=3)
