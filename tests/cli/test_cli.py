"""The command, as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import salwidgets as sw
from salwidgets import cli


def test_demo_writes_a_page_and_a_figure(tmp_path, capsys):
    assert cli.main(["demo", "--html", str(tmp_path / "sub" / "out.html")]) == 0
    said = capsys.readouterr().out
    questions = [line for line in said.splitlines() if line.startswith("Why ")]
    assert len(questions) == 3
    assert "rather than" in questions[1]
    page = (tmp_path / "sub" / "out.html").read_text()
    assert "<script src" not in page
    assert "https://" not in page.split("<script")[0]
    assert (tmp_path / "sub" / "out.pdf").read_bytes()[:5] == b"%PDF-"


@pytest.fixture
def picture(tmp_path):
    world = sw.worlds.creatures(n=3)
    pixels = (world.images[2].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "creature.png")
    return tmp_path / "creature.png"


def test_explain_saves_everything(picture, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["explain", str(picture), "--question", "why plumemoth rather than glimmoth", "--method", "occlusion",
                     "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith("Why “plumemoth” rather than “glimmoth”?")
    assert {p.name for p in out.iterdir()} >= {"page.html", "figure.pdf", "words.txt", "arrays.npz", "manifest.json"}
    assert json.loads((out / "manifest.json").read_text())["method"] == "occlusion"
    assert isinstance(sw.load(out), sw.Explanation)


def test_explain_compares_several_methods(picture, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["explain", str(picture), "--question", "why plumemoth rather than glimmoth", "--method",
                     "grad-cam++, occlusion", "--method", "lrp", "--method", "lrp", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Why “plumemoth” rather than “glimmoth”?")
    methods = ["grad-cam++", "occlusion", "lrp"]
    assert all(f"  {m}: " in said for m in methods)
    assert {p.name for p in out.iterdir()} == {"page.html", "figure.pdf", "words.txt", *methods}
    assert [sw.load(out / m).method for m in methods] == methods
    assert (out / "words.txt").read_text(encoding="utf-8").count("\n") == 4


@pytest.mark.parametrize("args, said", [
    (["--method", "grad-cam,gradcam"], "MethodError: no method is called 'gradcam'"),
    (["--method", ","], "MethodError: the list of methods is empty"),
    (["--question", "why husky"], "QuestionError"),
    (["--method", "gradcam"], "MethodError: no method is called 'gradcam'"),
    (["--model", "resnet"], "ModelError"),
])
def test_refusals_are_one_line(picture, tmp_path, capsys, args, said):
    assert cli.main(["explain", str(picture), "--out", str(tmp_path / "o"), *args]) == 1
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err
    assert cli.main(["explain", str(tmp_path / "none.png")]) == 1


def test_doctor_speaks_of_every_part(capsys):
    assert cli.main(["doctor"]) == 0
    said = capsys.readouterr().out
    for word in ("torch", "anywidget", "matplotlib", "views", "an answer", "Everything that is needed works."):
        assert word in said


def test_the_quickstart_is_found():
    assert cli.quickstart().name == "quickstart.ipynb"


def test_the_command_is_installed():
    done = subprocess.run([sys.executable, "-m", "salwidgets", "--help"], capture_output=True, text=True, check=True)
    assert "doctor" in done.stdout
