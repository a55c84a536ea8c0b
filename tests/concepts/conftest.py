"""For the tests of concepts: the creatures, their CNN, and an extractor that was fitted on them."""

from __future__ import annotations

from typing import Any

import pytest

import salwidgets as sw
from salwidgets.worlds.world import CreatureWorld

Extractor = sw.concepts.ConceptExtractor


@pytest.fixture(scope="module")
def world() -> CreatureWorld:
    return sw.worlds.creatures(n=48, seed=4)


@pytest.fixture(scope="module")
def model(world: CreatureWorld) -> sw.Model:
    return world.model("cnn")


def make(model: Any, k: int = 5, **options: Any) -> Any:
    return Extractor(model, n_concepts=k, progress=False, **options)


@pytest.fixture(scope="module")
def fitted(world: CreatureWorld, model: sw.Model) -> Any:
    return make(model, importance="gradient-x-input").fit(world.images, sw.why("flutterling").rather_than("galewing"),
                                                         labels=world.labels)
