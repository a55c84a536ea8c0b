"""The wheel holds what a user needs, and works where nothing else of the project is."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("build")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    # The bundle's freshness is another check (npm run check); here it is taken as committed.
    done = subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)],
                          env={**os.environ, "SALWIDGETS_SKIP_BUNDLE": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


def test_it_holds_bundle_weights_and_notebook(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("widgets/static/widget.js", "widgets/static/page.js", "widgets/static/widget.css", "py.typed",
                 "worlds/weights/cnn.npz", "worlds/weights/vit.npz", "notebooks/quickstart.ipynb"):
        assert f"salwidgets/{name}" in names
    assert not [n for n in names if n.startswith(("tests/", "benchmarks/", "js/", "examples/"))]
    assert wheel.stat().st_size < 3_000_000


def test_it_works_on_its_own(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as z:
        z.extractall(tmp_path / "site")
    code = ("import salwidgets as sw, salwidgets.cli as cli, pathlib\n"
            "assert 'site' in sw.__file__, sw.__file__\n"
            "world = sw.worlds.creatures(n=1)\n"
            "e = sw.explain(world.model('vit'), world.images[0], sw.why())\n"
            "sw.Heatmap(e).save_html('page.html')\n"
            "print(e, cli.quickstart())")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(tmp_path / "site")})
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "site") in done.stdout
