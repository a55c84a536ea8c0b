"""Explanations as things: resizing, grids, saving and loading, external maps, hostile files."""

import json
import zipfile

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.errors import InputError
from salwidgets.explanation import Completeness, resize
from tests.core import nets


@pytest.fixture
def e():
    return sw.explain(sw.Model(nets.plain(), classes=list("abcde")), nets.images(1), sw.why("a").rather_than("b"),
                      method="integrated-gradients", steps=8)


@pytest.mark.parametrize("size", [(14, 21), (64, 96), (5, 3), (7, 7)])
def test_resizing_equals_torch(size):
    v = np.random.default_rng(0).normal(size=(7, 9)).astype(np.float32)
    t = torch.from_numpy(v)[None, None]
    np.testing.assert_allclose(resize(v, *size), torch.nn.functional.interpolate(
        t, size=size, mode="bilinear", align_corners=False)[0, 0].numpy(), atol=1e-5)
    np.testing.assert_array_equal(resize(v, *size, smooth=False), torch.nn.functional.interpolate(
        t, size=size, mode="nearest-exact")[0, 0].numpy())


def test_saved_and_loaded_is_the_same(e, tmp_path):
    back = sw.load(e.save(tmp_path / "one"))
    np.testing.assert_array_equal(back.values, e.values)
    np.testing.assert_array_equal(back.input, e.input)
    np.testing.assert_array_equal(back.image, e.image)
    assert str(back.question) == str(e.question) == "Why “a” rather than “b”?"
    assert back.question.binding == e.question.binding
    assert back.completeness == pytest.approx(e.completeness)
    assert back.completeness.gap == pytest.approx(e.completeness.gap)
    for name in ("method", "params", "layer", "score", "probability", "prediction", "class_blind", "model", "elapsed"):
        assert getattr(back, name) == getattr(e, name)
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == ["arrays.npz", "manifest.json", "overlay.png"]
    manifest = json.loads((tmp_path / "one" / "manifest.json").read_text())
    assert manifest["schema_version"] == 1
    assert manifest["input_sha256"] == e.input_sha256


def test_grids_are_saved_and_loaded(tmp_path):
    es = sw.explain(sw.Model(nets.plain()), nets.images(2), [sw.why(0), sw.why(1)], method=["grad-cam", "saliency"])
    back = sw.load(es.save(tmp_path / "grid"))
    assert back.shape == (2, 2, 2)
    assert [x.method for x in back] == [x.method for x in es]
    np.testing.assert_array_equal(back[1, 1, 1].values, es[1, 1, 1].values)


def damage_truncate(folder):
    data = (folder / "arrays.npz").read_bytes()
    (folder / "arrays.npz").write_bytes(data[:len(data) // 2])


def damage_manifest(**change):
    def damage(folder):
        path = folder / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    return damage


def damage_pickle(folder):
    evil = np.array([print], dtype=object)
    np.savez(folder / "arrays.npz", values=evil, input=evil)


def damage_other_values(folder):
    np.savez(folder / "arrays.npz", values=np.zeros((3, 3), np.float32), input=np.zeros((3, 3, 3), np.float32))


def damage_bomb(folder):
    with zipfile.ZipFile(folder / "arrays.npz", "w", zipfile.ZIP_DEFLATED) as z:
        for i in range(40):
            z.writestr(f"{i}.npy", b"\0" * 60_000_000)


def damage_shape_lie(folder):
    header = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99), }"
    with zipfile.ZipFile(folder / "arrays.npz", "w") as z:
        z.writestr("values.npy", header.ljust(127) + b"\n")
        z.writestr("input.npy", header.ljust(127) + b"\n")


@pytest.mark.parametrize("damage, match", [
    (damage_truncate, "truncated"),
    (damage_manifest(schema_version=99), "Update salwidgets"),
    (damage_manifest(schema_version="1"), "schema_version"),
    (damage_manifest(question={"target": 5}), "garbles"),
    (damage_manifest(score="high"), "garbles"),
    (damage_pickle, "cannot be read"),
    (damage_other_values, "SHA-256"),
    (damage_shape_lie, "cannot be read"),
    (lambda f: (f / "manifest.json").write_text("{"), "truncated"),
    (lambda f: (f / "manifest.json").write_text("[]"), "none of ours"),
    (lambda f: (f / "manifest.json").unlink(), "no manifest.json"),
    (lambda f: (f / "arrays.npz").unlink(), "missing"),
    (damage_manifest(kind="explanations", shape=[10**9, 10**9, 1]), "shape"),
])
def test_damaged_and_hostile_folders_are_refused(e, tmp_path, damage, match):
    folder = e.save(tmp_path / "x")
    damage(folder)
    with pytest.raises(InputError, match=match):
        sw.load(folder)


def test_archives_that_unpack_to_gigabytes_are_refused(e, tmp_path):
    folder = e.save(tmp_path / "x")
    damage_bomb(folder)
    with pytest.raises(InputError, match="GB"):
        sw.load(folder)


def test_external_maps(tmp_path):
    picture = np.zeros((50, 70, 3), np.uint8)
    e = sw.from_array(np.eye(7), picture, "why husky rather than wolf", method="captum", score=1.5)
    assert str(e.question) == "Why “husky” rather than “wolf”?"
    assert e.upsampled().shape == (50, 70)
    assert e.score == 1.5
    bare = sw.from_array(torch.ones(1, 4, 4), torch.rand(3, 8, 8))
    assert bare.values.shape == (4, 4)
    assert bare.question is None
    assert sw.load(bare.save(tmp_path / "bare")).question is None
    assert "Why" not in sw.verbalize(bare).text + repr(bare) + bare.plot().get_title()
    for bad in (np.zeros((0, 3)), np.zeros(5), np.array([["a"]])):
        with pytest.raises(InputError, match="map has shape"):
            sw.from_array(bad, picture)
    with pytest.raises(InputError, match=r"\[0, 1\]"):
        sw.from_array(np.eye(3), np.full((4, 4, 3), 300.0))
    with pytest.raises(InputError, match="no field"):
        sw.from_array(np.eye(3), picture, scoer=3)


def test_completeness_is_a_share_with_its_parts():
    c = Completeness(total=9.9, expected=10.0, mass=20.0)
    assert c == pytest.approx(0.005)
    assert c.gap == pytest.approx(-0.1)
    assert Completeness(0.0, 0.0, 0.0) == 0
    assert Completeness(0.0, 1.0, 0.0) == float("inf")


def test_plot_returns_axes_and_shows_nothing(e):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    ax = e.plot()
    assert "Why “a” rather than “b”?" in ax.get_title()
    assert plt.get_fignums() == before


def test_importing_is_light():
    import subprocess
    import sys

    code = ("import sys, salwidgets; "
            "bad = {'torch', 'anywidget', 'matplotlib', 'ipywidgets', 'captum'} & set(sys.modules); "
            "assert not bad, bad; assert 'explain' in dir(salwidgets)")
    subprocess.run([sys.executable, "-c", code], check=True)
