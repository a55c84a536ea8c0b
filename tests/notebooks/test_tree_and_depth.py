"""The cells of tree_and_depth run, in order."""

from __future__ import annotations

import salwidgets as sw
from tests.notebooks.tree_and_depth import CELLS


def test_the_cells_run():
    world = sw.worlds.creatures(n=12, seed=0)
    here = {"sw": sw, "world": world, "model": world.model("cnn"), "image": world.images[2], "name": world.labels[2]}
    for kind, text in CELLS:
        if kind == "py":
            exec(text, here)
    assert str(here["tree"].question) == here["answer"].heading
