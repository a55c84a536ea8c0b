"""through_layers: every layer's map is what `explain` gives at that layer, from fewer passes; which layers are chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import salwidgets as sw
from salwidgets.errors import InputError, MethodError, ModelError
from salwidgets.explainers.depth import DOZEN


@pytest.fixture(scope="module")
def world() -> Any:
    return sw.worlds.creatures(n=2, seed=0)


@pytest.mark.parametrize("kind, method", [
    ("cnn", "grad-cam"), ("cnn", "hires-cam"), ("cnn", "layer-cam"), ("cnn", "normgrad"), ("cnn", "eigen-cam"),
    ("vit", "grad-cam"), ("vit", "class-embedding")])
def test_every_layer_is_as_explained_alone(world: Any, kind: str, method: str) -> None:
    model, image, question = world.model(kind), world.images[0], sw.why(world.labels[0]).rather_than(world.classes[3])
    if world.labels[0] == world.classes[3]:
        question = sw.why(world.labels[0])
    es = sw.through_layers(model, image, question, method, progress=False)
    assert es.shape == (1, 1, len(es))
    for e in es:
        where = {"block": e.params["block"]} if method == "class-embedding" else {"layer": e.layer}
        alone = sw.explain(model, image, question, method, progress=False, **where)
        np.testing.assert_allclose(e.values, alone.values, atol=1e-5 * float(np.abs(alone.values).max()))
        assert e.layer == alone.layer
        assert e.score == pytest.approx(alone.score, rel=1e-5)


def test_blocks_are_layers(world: Any) -> None:
    named = [e.layer for e in sw.through_layers(world.model("cnn"), world.images[0], sw.why(), progress=False)]
    assert named == ["stem", "layer1", "layer2.0", "layer2.1", "layer3.0", "layer3.1"]
    vit = world.model("vit")
    assert [e.layer for e in sw.through_layers(vit, world.images[0], sw.why(), progress=False)] == [
        f"blocks.{i}.norm1" for i in range(5)]
    two = sw.through_layers(vit, world.images[0], sw.why(), "class-embedding", [1, 4], progress=False)
    assert [e.layer for e in two] == ["blocks.1", "blocks.4"]


def test_two_passes_of_the_network_do(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = world.model("cnn")
    calls = []
    forward = type(model.net).forward
    monkeypatch.setattr(type(model.net), "forward", lambda self, x: calls.append(len(x)) or forward(self, x))
    sw.through_layers(model, world.images[0], sw.why(), progress=False)
    assert len(calls) == 2
    assert not any(m._forward_hooks for m in model.net.modules())


class Plain(nn.Module):
    """Twenty convolutions in a row, each with norm and activation in place, pooling between, scores by a convolution."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        steps: list[nn.Module] = []
        for i in range(20):
            steps += [nn.Conv2d(3 if i == 0 else 8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True)]
            steps += [nn.MaxPool2d(2)] if i in (4, 9) else []
        self.features = nn.Sequential(*steps)
        self.classifier = nn.Conv2d(8, 5, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x)).mean((-2, -1))


def test_a_step_counts_once_and_a_dozen_is_spread_over_the_depth() -> None:
    model = sw.Model(Plain().eval())
    x = torch.rand(1, 3, 32, 24, generator=torch.Generator().manual_seed(0))
    es = sw.through_layers(model, x, sw.why(1), progress=False)
    names = [str(e.layer) for e in es]
    kinds = {type(model.net.get_submodule(n)) for n in names}
    assert len(names) == DOZEN
    assert kinds == {nn.ReLU}
    assert names[-1] == "features.61"
    shapes = [e.values.shape for e in es]
    assert shapes == sorted(shapes, reverse=True)
    assert len(set(shapes)) == 3


def test_named_layers_and_errors(world: Any) -> None:
    model, image = world.model("cnn"), world.images[0]
    two = sw.through_layers(model, image, sw.why(), layers=["layer1", "layer3.0.conv1"], progress=False)
    assert [e.layer for e in two] == ["layer1", "layer3.0.conv1"]
    for error, say, call in (
            (MethodError, "no layers to go through", {"method": "saliency"}),
            (MethodError, "different names", {"layers": []}),
            (MethodError, "different names", {"layers": "layer1"}), (MethodError, "say layers", {"layer": "layer1"}),
            (ModelError, "layer1", {"layers": ["layer11"]}), (MethodError, "transformer", {"method": "class-embedding"}),
            (MethodError, "no parameter", {"colour": 1})):
        with pytest.raises(error, match=say):
            sw.through_layers(model, image, sw.why(), progress=False, **call)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="one image"):
        sw.through_layers(model, list(world.images), sw.why(), progress=False)
    with pytest.raises(InputError, match="one question"):
        sw.through_layers(model, image, "why", progress=False)  # type: ignore[arg-type]
    with pytest.raises(MethodError, match="plain callable"):
        sw.through_layers(sw.Model(lambda x: torch.zeros(len(x), 3)), torch.zeros(1, 3, 8, 8), sw.why(0), progress=False)
