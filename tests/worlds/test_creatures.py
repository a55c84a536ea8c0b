"""The world itself: drawing, parts, redrawing, and the answers that are true by construction."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.errors import InputError, QuestionError
from salwidgets.worlds.anatomy import (
    FAMILY_PARTS,
    KINGDOM_PARTS,
    LEAVES,
    OWN_PARTS,
    PARTS,
    PLAIN_PARTS,
    variants,
)
from salwidgets.worlds.truth import telling_parts


@pytest.fixture(scope="module")
def world() -> sw.worlds.CreatureWorld:
    return sw.worlds.creatures(n=60, seed=5)


def union(world: sw.worlds.CreatureWorld, i: int, names: tuple[str, ...]) -> np.ndarray:
    masks = world.parts(i)
    return np.any([np.zeros((64, 64), bool), *(masks[p] for p in names if p in masks)], axis=0)


def sibling(world: sw.worlds.CreatureWorld, leaf: str) -> str:
    family = world.taxonomy.members(world.taxonomy.parent(leaf))
    return next(name for name in family if name != leaf)


# -- drawing -------------------------------------------------------------------------------------------------


def test_same_seed_same_images_whatever_n(world: sw.worlds.CreatureWorld) -> None:
    fewer = sw.worlds.creatures(n=10, seed=5)
    assert torch.equal(fewer.images, world.images[:10])
    assert fewer.labels == world.labels[:10]
    assert not torch.equal(sw.worlds.creatures(n=10, seed=6).images, fewer.images)


def test_images_are_what_the_nets_take(world: sw.worlds.CreatureWorld) -> None:
    assert world.images.shape == (60, 3, 64, 64)
    assert world.images.dtype == torch.float32
    assert float(world.images.min()) >= 0.0 and float(world.images.max()) <= 1.0
    assert world.images.is_contiguous()
    assert len(world) == len(world.labels) == 60


def test_every_twelve_images_hold_each_leaf_once(world: sw.worlds.CreatureWorld) -> None:
    for start in range(0, 60, 12):
        assert sorted(world.labels[start : start + 12]) == sorted(world.classes)


def test_redrawing_changes_nothing_outside_the_part(world: sw.worlds.CreatureWorld) -> None:
    for i in range(20):
        for part, mask in world.parts(i).items():
            changed = (world.without(i, part) != world.images[i]).any(0).numpy()
            assert not (changed & ~mask).any(), (i, part)
            assert changed[mask].mean() > 0.5, (i, part)


def test_removing_a_hidden_part_changes_nothing(world: sw.worlds.CreatureWorld) -> None:
    hidden = [(i, part) for i in range(60) for part in PARTS if part not in world.parts(i)]
    assert len(hidden) > 20
    for i, part in hidden[:10]:
        assert torch.equal(world.without(i, part), world.images[i])


def test_masks_are_visible_and_large_enough(world: sw.worlds.CreatureWorld) -> None:
    for i in range(60):
        masks = world.parts(i)
        assert set(masks) <= set(PARTS)
        assert {"body", "legs", "eye"} <= set(masks)
        for part, mask in masks.items():
            assert mask.shape == (64, 64) and mask.dtype == np.bool_
            if part in OWN_PARTS:
                assert mask.sum() >= 36, (i, part)


def test_masks_are_the_callers_own(world: sw.worlds.CreatureWorld) -> None:
    world.parts(0)["body"][:] = False
    assert world.parts(0)["body"].any()


def test_what_tells_siblings_apart_is_never_all_hidden() -> None:
    many = sw.worlds.creatures(n=240, seed=11)
    for i in range(240):
        for level in (OWN_PARTS, FAMILY_PARTS, KINGDOM_PARTS):
            assert set(level) & set(many.parts(i)), (i, level)


def test_some_own_parts_are_hidden(world: sw.worlds.CreatureWorld) -> None:
    assert any(not set(OWN_PARTS) <= set(world.parts(i)) for i in range(60))


# -- the tree ------------------------------------------------------------------------------------------------


def test_tree_has_three_levels_and_twelve_leaves(world: sw.worlds.CreatureWorld) -> None:
    tree = world.taxonomy
    assert sorted(tree.leaves) == sorted(world.classes)
    assert len(set(world.classes)) == 12
    assert all(len(tree.path(leaf)) == 4 for leaf in world.classes)
    assert len({tree.parent(leaf) for leaf in world.classes}) == 4


def test_siblings_share_the_familys_parts_and_differ_in_their_own(world: sw.worlds.CreatureWorld) -> None:
    for leaf in LEAVES:
        for other in world.taxonomy.members(world.taxonomy.parent(leaf)):
            if other != leaf:
                differ = {part for part, v in variants(leaf).items() if variants(other)[part] != v}
                assert differ == set(OWN_PARTS)


# -- truth ---------------------------------------------------------------------------------------------------


def test_contrast_between_siblings_is_crest_and_tail(world: sw.worlds.CreatureWorld) -> None:
    for i in range(12):
        leaf = world.labels[i]
        truth = world.truth(sw.why(leaf).rather_than(sibling(world, leaf)), i)
        assert truth.dtype == np.bool_ and truth.any()
        assert np.array_equal(truth, union(world, i, OWN_PARTS))


def test_contrast_within_a_kingdom_adds_family_parts() -> None:
    assert telling_parts("glimmoth", ["glimmoth"], ["frostgale"]) == ["crest", "tail", "back", "feet"]
    assert telling_parts("plumemoth", ["plumemoth"], ["plumegale"]) == ["back", "feet"]


def test_group_is_what_the_family_shares(world: sw.worlds.CreatureWorld) -> None:
    for i in range(12):
        family = world.taxonomy.parent(world.labels[i])
        shared = union(world, i, FAMILY_PARTS + KINGDOM_PARTS)
        assert np.array_equal(world.truth(sw.why(family), i), shared)


def test_contrast_between_groups() -> None:
    moths = ["glimmoth", "plumemoth", "sporemoth"]
    gales = ["plumegale", "sporegale", "frostgale"]
    assert telling_parts("glimmoth", moths, gales) == ["back", "feet"]
    shore = ["sporefin", "frostfin", "glimfin", "frostshell", "glimshell", "plumeshell"]
    assert telling_parts("glimmoth", moths + gales, shore) == ["muzzle", "coat"]


def test_pointwise_leaf_is_every_telling_part(world: sw.worlds.CreatureWorld) -> None:
    truth = world.truth(sw.why(world.labels[0]), 0)
    assert np.array_equal(truth, union(world, 0, OWN_PARTS + FAMILY_PARTS + KINGDOM_PARTS))
    assert np.array_equal(world.truth(sw.why(), 0), truth)


def test_other_creatures_answer_with_the_parts_they_have() -> None:
    assert telling_parts("glimmoth", ["glimfin"], ["frostfin"]) == ["crest", "tail"]
    assert telling_parts("plumegale", ["glimfin"], ["frostfin"]) == []
    assert telling_parts("frostfin", ["glimfin"], ["frostfin"]) == ["crest", "tail"]
    assert telling_parts("frostfin", ["glimmoth"], []) == []


def test_plain_parts_never_matter(world: sw.worlds.CreatureWorld) -> None:
    for target in LEAVES:
        assert not set(PLAIN_PARTS) & set(telling_parts(world.labels[0], [target], []))
    assert telling_parts("glimmoth", list(LEAVES), []) == []


# -- errors and manners --------------------------------------------------------------------------------------


def test_errors_are_typed(world: sw.worlds.CreatureWorld) -> None:
    with pytest.raises(InputError, match="no image 60"):
        world.parts(60)
    with pytest.raises(InputError, match="no part 'horn'"):
        world.without(0, "horn")
    with pytest.raises(InputError, match="no net 'resnet'"):
        world.model("resnet")
    with pytest.raises(InputError, match="at least 1"):
        sw.worlds.creatures(n=0)
    with pytest.raises(InputError, match="at least 0"):
        sw.worlds.creatures(n=1, seed=-1)
    with pytest.raises(QuestionError):
        world.truth(sw.why("husky"), 0)
    with pytest.raises(QuestionError, match="no creature is called"):
        world.truth(sw.why("husky").bind(["husky", "wolf"]), 0)


def test_indices_count_from_the_end_too(world: sw.worlds.CreatureWorld) -> None:
    assert np.array_equal(world.parts(-1)["body"], world.parts(59)["body"])


def test_importing_worlds_does_not_load_torch() -> None:
    code = "import sys, salwidgets.worlds; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
