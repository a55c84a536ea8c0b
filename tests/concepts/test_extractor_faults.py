"""`ConceptExtractor` given bad input, stopped, or let down by its network: it says so by name, and nothing stays behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import salwidgets as sw
from salwidgets.worlds.world import CreatureWorld
from tests.concepts.conftest import make

Extractor = sw.concepts.ConceptExtractor


def test_bad_input_is_told_by_name(world: CreatureWorld, model: sw.Model) -> None:
    x = world.images
    errors = sw.errors
    few = make(model, k=70)
    with pytest.raises(errors.InputError, match="64 activations for 70 concepts"):
        few.fit(x[:1], "sailfin")
    with pytest.raises(errors.InputError, match="no image is labelled"):
        make(model).fit(x[:2], "galewing", labels=["frostshell"] * 2)
    with pytest.raises(errors.InputError, match="3 labels for 2 images"):
        make(model).fit(x[:2], "galewing", labels=["frostshell"] * 3)
    with pytest.raises(errors.InputError, match="label 1 is 'unicorn'"):
        make(model).fit(x[:2], "galewing", labels=["frostshell", "unicorn"])
    with pytest.raises(errors.InputError, match="the model has 12 classes"):
        make(model).fit(x[:2], "galewing", labels=[0, 12])
    with pytest.raises(errors.InputError, match="input 1 of 2 holds NaN"):
        make(model).fit(torch.stack([x[0], x[0] * torch.nan]), "sailfin")
    with pytest.raises(errors.InputError, match="from image 4 on: input 0"):
        make(model, batch_size=4).fit([x[:4], torch.full((1, 3, 64, 64), torch.inf)].__iter__(), "sailfin")
    for nothing in ([], iter([])):
        with pytest.raises(errors.InputError, match=r"no images|empty"):
            make(model).fit(nothing, "sailfin")
    with pytest.raises(errors.InputError, match="not from a int"):
        make(model).fit(3, "sailfin")
    with pytest.raises(errors.QuestionError, match="dragon"):
        make(model).fit(x[:2], "dragon")
    for options, said in (({"mode": "patches"}, "holistic"), ({"importance": "lime"}, "sobol"), ({"k": 0}, "n_concepts=0"),
                          ({"dictionary": "sae"}, "semi-nmf"), ({"batch_size": True}, "batch_size")):
        with pytest.raises(errors.MethodError, match=said):
            make(model, **options).fit(x[:2], "sailfin")
    for labels in ([None, None], [0.5, 1], "ab", 3):
        with pytest.raises(errors.InputError, match="label"):
            make(model).fit(x[:2], "galewing", labels=labels)
    for options, said in (({"random_state": -1}, "random_state=-1"), ({"random_state": "a"}, "random_state='a'"),
                          ({"random_state": 2 ** 32}, "below"), ({"layer": 3}, "layer=3")):
        with pytest.raises(errors.MethodError, match=said):
            make(model, **options).fit(x[:2], "sailfin")
    with pytest.raises(errors.MethodError, match="call fit"):
        make(model).transform(x)


def test_arguments_of_what_is_fitted_are_told_by_name(fitted: Any) -> None:
    for call, said in ((lambda: fitted.best_crops(0, "x"), "n='x'"), (lambda: fitted.figure(n_crops=0), "n_crops=0"),
                       (lambda: fitted.inverse_transform("abc"), "must be numbers"),
                       (lambda: fitted.best_crops(9), "concept 9")):
        with pytest.raises(sw.errors.InputError, match=said):
            call()


def test_activations_that_do_not_vary_or_are_no_numbers(world: CreatureWorld) -> None:
    class Flat(nn.Module):
        def __init__(self, value: float):
            super().__init__()
            self.features, self.fc, self.value = nn.Conv2d(3, 4, 3, 8, 1), nn.Linear(4, 3), value

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.features(x).mean((-2, -1)))

    net = Flat(1.0)
    with torch.no_grad():
        net.features.weight.zero_()
        net.features.bias.fill_(1.0)
    with pytest.raises(sw.errors.InputError, match="same everywhere"):
        make(net, k=2).fit(world.images[:4], 1)
    with torch.no_grad():
        net.features.bias.fill_(torch.nan)
    with pytest.raises(sw.errors.InputError, match="NaN or infinity for image 0"):
        make(net, k=2).fit(world.images[:4], 1)


def test_where_no_concept_matters_none_leads(world: CreatureWorld) -> None:
    net = world.model("cnn").net
    torch.nn.init.zeros_(net.fc.weight)
    found = make(net, 3).fit(world.images[:6], 2)
    assert found.leading_.tolist() == [-1] * 6 and found.prevalence_.tolist() == [0, 0, 0]
    assert np.isnan(found.reliability_).all() and any("no concept matters" in n for n in found.notices_)
    graph = sw.concepts.StrategyGraph(found).fit()
    assert graph.strategies_ == [] and graph.prevalence_.tolist() == [0, 0, 0]
    assert "leads none" in " ".join(t.get_text() for t in found.figure().texts)
    assert sw.ClusterView(graph).sizes == {f"concept {k}": 0 for k in (1, 2, 3)}


def test_one_image_is_a_small_true_result(world: CreatureWorld, model: sw.Model) -> None:
    found = make(model, k=3).fit(world.images[:1], world.labels[0])
    assert found.prevalence_.sum() == pytest.approx(1) and found.coefficients_.shape == (1, 3, 8, 8)
    assert "1 image for 3 concepts" in found.notices_[0]
    none = make(model, k=3).fit(world.images[:3], next(c for c in world.classes if c not in world.labels[:3]))
    assert np.nanmax(none.reliability_) == 0 and "none of the images" in none.notices_[-1]


def test_a_stop_or_a_fault_leaves_the_model_and_the_extractor_as_they_were(world: CreatureWorld) -> None:
    model = world.model("cnn")
    model.net.train()
    before = {n: t.clone() for n, t in model.net.state_dict().items()}
    extractor = make(model, batch_size=8).fit(world.images[:24], "sailfin")
    kept, calls = extractor.components_.copy(), [0]

    def stop(done: int, total: int) -> None:
        calls[0] += 1
        assert done <= total
        if done > 16:
            raise KeyboardInterrupt

    class Faulty:
        random_state = 0

        def fit(self, rows: np.ndarray) -> Faulty:
            raise ValueError("broken")

        def encode(self, rows: np.ndarray) -> np.ndarray:
            return rows

    faults = (({"progress": stop}, KeyboardInterrupt), ({"progress": False, "dictionary": Faulty()}, ValueError))
    for change, error in faults:
        extractor.set_params(**change)
        with pytest.raises(error):
            extractor.fit(world.images, "galewing")
        np.testing.assert_array_equal(extractor.components_, kept)
        assert extractor.question_.target == ("sailfin",)
    assert calls[0] == 3 and model.net.training and model._depth == 0
    assert all(p.requires_grad for p in model.net.parameters())
    assert not any(m._forward_hooks for m in model.net.modules())
    for n, t in model.net.state_dict().items():
        assert torch.equal(t, before[n])
    reading: Iterator[Any] = extractor.set_params(progress=False)._read(world.images)
    next(reading)
    reading.close()
    assert model._depth == 0 and not any(m._forward_hooks for m in model.net.modules())


def test_progress_counts_every_run_of_the_network(world: CreatureWorld) -> None:
    net = world.model("cnn").net
    net.forward = lambda x: torch.tanh(net.fc(net.avgpool(net.forward_features(x)).flatten(1)))  # no closed form
    seen: list[tuple[int, int]] = []
    found = make(net, k=3, importance="occlusion", batch_size=4)
    found.set_params(progress=lambda done, total: seen.append((done, total))).fit(world.images[:8], 2)
    assert seen[-1] == (8 * (1 + 4 + 1), 8 * (1 + 4 + 1)) and len(seen) > 4
    assert make(net, k=3, importance="gradient-x-input", batch_size=4).fit(world.images[:8], 2).importance_.any()


def test_other_images_are_counted_run_by_run_and_can_be_stopped(world: CreatureWorld) -> None:
    net = world.model("cnn").net
    net.forward = lambda x: torch.tanh(net.fc(net.avgpool(net.forward_features(x)).flatten(1)))  # no closed form
    found = make(net, k=3, importance="occlusion", batch_size=4).fit(world.images[:8], 2)
    seen: list[tuple[int, int]] = []

    def tell(done: int, total: int) -> None:
        seen.append((done, total))
        if stop and done >= 10:
            raise KeyboardInterrupt

    found.set_params(progress=tell)
    for stop in (False, True):
        for run in (found.image_importance, sw.concepts.StrategyGraph(found).fit):
            seen.clear()
            if stop:
                with pytest.raises(KeyboardInterrupt):
                    run(world.images[:8])
                assert seen[-1][0] < 16
            else:
                run(world.images[:8])
                assert seen[-1] == (8 * (1 + 4), 8 * (1 + 4)) and len(seen) > 4
            assert found.model_._depth == 0 and not any(m._forward_hooks for m in net.modules())
