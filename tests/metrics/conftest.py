"""One small world, its CNN and a few explanations for all tests of metrics; tiny nets run fastest on one thread."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import salwidgets as sw


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def world():
    return sw.worlds.creatures(n=6, seed=0)


@pytest.fixture(scope="session")
def cnn(world):
    return world.model("cnn")


@pytest.fixture(scope="session")
def kinds(world):
    """A class, a class contrast, a class in its group, a group, a group contrast; about the first image."""
    name = world.labels[0]
    family = world.taxonomy.parent(name)
    sibling = next(s for s in world.taxonomy.members(family) if s != name)
    other = next(p for p in map(world.taxonomy.parent, world.classes) if p != family)
    return {"class": sw.why(name), "contrast": sw.why(name).rather_than(sibling),
            "in group": sw.why(name).rather_than(family), "group": sw.why(family),
            "groups": sw.why(family).rather_than(other)}


@pytest.fixture(scope="session")
def maps(world, cnn):
    """Grad-CAM and saliency of each image's prediction, 6 x 1 x 2."""
    return sw.explain(cnn, world.images, sw.why(), method=["grad-cam", "saliency"], progress=False)


def smooth_maps(n: int, size: int = 64, cells: int = 6, seed: int = 0) -> np.ndarray:
    """``n`` smooth random maps `[n, size, size]`."""
    coarse = torch.randn(n, 1, cells, cells, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic")[:, 0].numpy()


@pytest.fixture(scope="session")
def random_maps():
    return smooth_maps
