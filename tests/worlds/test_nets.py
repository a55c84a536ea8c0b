"""The trained nets: that they know the world, and that they answer for the reasons that are true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.errors import InputError
from salwidgets.worlds import trained
from salwidgets.worlds.anatomy import OWN_PARTS, PLAIN_PARTS

NETS = ("cnn", "vit")


@pytest.fixture(scope="module")
def world() -> sw.worlds.CreatureWorld:
    return sw.worlds.creatures(n=240, seed=9001)


@pytest.mark.parametrize("name", NETS)
def test_accuracy_on_a_fresh_seed(world: sw.worlds.CreatureWorld, name: str) -> None:
    said = world.model(name).predict(world.images).top(1)
    right = [row[0][0] == label for row, label in zip(said, world.labels, strict=True)]
    assert np.mean(right) >= 0.97


def test_weights_are_small_and_plain() -> None:
    files = sorted(trained.WEIGHTS.glob("*.npz"))
    assert [f.stem for f in files] == ["cnn", "shortcut", "shortcut_mended", "vit"]
    assert sum(f.stat().st_size for f in files) < 2_500_000
    for file in files:
        with np.load(file, allow_pickle=False) as arrays:
            for key in arrays.files:
                assert arrays[key].dtype == (np.float32 if "running_" in key else np.float16)


@pytest.mark.parametrize("name", NETS)
def test_effects_follow_the_parts_that_differ(world: sw.worlds.CreatureWorld, name: str) -> None:
    model = world.model(name)
    own, rest = [], []
    for i in range(16):
        leaf = world.labels[i]
        foil = next(n for n in world.taxonomy.members(world.taxonomy.parent(leaf)) if n != leaf)
        effect = world.effect(model, sw.why(leaf).rather_than(foil), i)
        assert set(effect) == set(world.parts(i))
        own += [v for part, v in effect.items() if part in OWN_PARTS]
        rest += [abs(v) for part, v in effect.items() if part not in OWN_PARTS]
    assert np.mean(own) > 2.0
    assert np.mean(np.array(own) > 0) > 0.95
    assert np.mean(rest) < 0.25 * np.mean(own)


@pytest.mark.parametrize("name", NETS)
def test_family_parts_carry_the_group(world: sw.worlds.CreatureWorld, name: str) -> None:
    model = world.model(name)
    gathered: dict[str, list[float]] = {}
    for i in range(16):
        for part, v in world.effect(model, sw.why(world.taxonomy.parent(world.labels[i])), i).items():
            gathered.setdefault(part, []).append(v)
    mean = {part: float(np.mean(v)) for part, v in gathered.items()}
    assert min(mean["back"], mean["feet"]) > 1.0
    assert max(abs(mean[part]) for part in (*OWN_PARTS, *PLAIN_PARTS)) < 0.5 * min(mean["back"], mean["feet"])


def test_effect_is_the_difference_of_scores(world: sw.worlds.CreatureWorld) -> None:
    model = world.model("cnn")
    effect = world.effect(model, sw.why(), 0)
    k = int(model.logits(world.images[:1])[0].argmax())
    pair = model.logits(torch.stack([world.images[0], world.without(0, "body")]))[:, k]
    assert effect["body"] == pytest.approx(float(pair[0] - pair[1]), abs=1e-4)


def test_vit_can_be_read_by_name(world: sw.worlds.CreatureWorld) -> None:
    net = trained.load("vit")
    assert net.num_prefix_tokens == 5 and net.patch_embed.grid_size == (8, 8)
    assert net.forward_features(world.images[:2]).shape == (2, 69, 96)
    seen = []
    handle = net.blocks[-1].attn.attn_drop.register_forward_hook(lambda _m, _i, out: seen.append(out))
    net(world.images[:2])
    handle.remove()
    assert seen[0].shape == (2, 4, 69, 69)
    assert torch.allclose(seen[0].sum(-1), torch.ones(()), atol=1e-5)


def test_cnn_ends_in_an_eight_by_eight_map(world: sw.worlds.CreatureWorld) -> None:
    net = trained.load("cnn")
    assert net.forward_features(world.images[:2]).shape == (2, 80, 8, 8)


def test_missing_and_damaged_weights_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"python -m salwidgets\.worlds\.train"):
        trained.load("cnn", tmp_path)
    np.savez(tmp_path / "cnn.npz", other=np.zeros(3, np.float16))
    with pytest.raises(InputError, match="does not fit"):
        trained.load("cnn", tmp_path)
