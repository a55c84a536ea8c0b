"""The shortcut world: where the tags are, and nets that really take the shortcut, or do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.errors import InputError
from salwidgets.worlds import shortcut_train
from salwidgets.worlds.trained import WEIGHTS


@pytest.fixture(scope="module")
def world() -> sw.worlds.ShortcutWorld:
    return sw.worlds.shortcut(n=240, seed=7)


def test_the_tag_is_where_the_mask_says_and_nowhere_else(world):
    changed = (world.images != world.clean).any(1).numpy()
    for i in range(len(world)):
        mask = world.mark(i)
        assert mask.any() == world.marked[i] == changed[i].any()
        assert not (changed[i] & ~mask).any()
        if world.marked[i]:
            rows, columns = np.nonzero(mask)
            assert mask.sum() == 8 * 14 and rows.min() >= 50 and columns.min() >= 45  # the bottom right corner
            assert changed[i][mask].mean() > 0.9
    assert torch.equal(world.images[world.marked], world.tagged[world.marked])


def test_one_family_is_tagged_in_nine_of_ten_images(world):
    own = np.array(world.labels) == world.family
    assert own.sum() == 60 and not world.marked[~own].any()
    assert 0.8 < world.marked[own].mean() < 0.98
    everywhere = sw.worlds.shortcut(n=240, marked=0.5, others=0.5, seed=7)
    assert 0.3 < everywhere.marked[~own].mean() < 0.7
    assert not (everywhere.marked & own & ~world.marked).any()  # a larger share only adds tags
    assert not sw.worlds.shortcut(n=24, marked=0).marked.any()


def test_it_is_the_creatures_world_with_tags(world):
    creatures = sw.worlds.creatures(n=240, seed=7)
    assert torch.equal(world.clean, creatures.images)
    assert world.labels == [creatures.taxonomy.parent(leaf) for leaf in creatures.labels]
    assert world.taxonomy.members("shorefolk") == ["sailfin", "shellback"]
    again = sw.worlds.shortcut(n=30, seed=7)
    assert torch.equal(again.images, world.images[:30])
    i = int(np.flatnonzero(world.marked)[0])
    assert np.array_equal(world.parts(i)["mark"], world.mark(i))
    assert not any((mask & world.mark(i)).any() for part, mask in world.parts(i).items() if part != "mark")
    assert "mark" not in world.parts(int(np.flatnonzero(~world.marked)[0]))


def test_the_shortcut_net_looks_fine_and_reads_the_tag(world):
    model = world.model("shortcut")
    others = sw.worlds.shortcut(n=240, marked=1.0, others=1.0, seed=7)
    assert world.accuracy(model) > 0.9  # what a test set from the same source would say
    assert world.accuracy(model, family=world.family) > 0.9
    assert world.accuracy(model, world.clean, family=world.family) < 0.75
    assert world.accuracy(model, world.tagged, family=world.family) > 0.98
    assert world.accuracy(model, others.images) == world.accuracy(model, world.tagged) < 0.75


def test_the_mended_net_does_not_care(world):
    model = world.model("mended")
    for images in (world.images, world.clean, world.tagged):
        assert world.accuracy(model, images) > 0.97


def test_the_weights_are_small_and_the_script_makes_such_nets(capsys, monkeypatch):
    sizes = [(WEIGHTS / f).stat().st_size for f in ("shortcut.npz", "shortcut_mended.npz")]
    assert sum(sizes) < 300_000
    monkeypatch.setitem(shortcut_train._LESSONS, "shortcut", (64, 0.9, 0.0, 2, 4e-3))
    first, second = (shortcut_train.train("shortcut", seed=1).state_dict() for _ in range(2))
    assert "epoch 2/2" in capsys.readouterr().out
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_bad_arguments_say_what_to_do(world, tmp_path):
    with pytest.raises(InputError, match=r"marked=1\.5"):
        sw.worlds.shortcut(4, marked=1.5)
    with pytest.raises(InputError, match="others=True"):
        sw.worlds.shortcut(4, others=True)
    with pytest.raises(InputError, match="n=0"):
        sw.worlds.shortcut(0)
    with pytest.raises(InputError, match="no net 'vit'"):
        world.model("vit")
    with pytest.raises(InputError, match="shortcut_train --net mended"):
        shortcut_train.load("mended", tmp_path)
    with pytest.raises(InputError, match="no family 'dog'"):
        world.accuracy(world.model(), family="dog")
    with pytest.raises(InputError, match="3 images for a world of 240"):
        world.accuracy(world.model(), world.images[:3])
    with pytest.raises(InputError, match="no image 999"):
        world.mark(999)
