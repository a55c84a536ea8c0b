"""notebooks/shortcut.ipynb runs top to bottom, finds the shortcut, and is what `make notebooks` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "shortcut.ipynb"


def test_it_is_the_one_that_is_written():
    from tests.notebooks.make import notebook
    from tests.notebooks.shortcut import CELLS

    assert nbformat.read(NOTEBOOK, 4) == notebook(CELLS)


@pytest.mark.slow
def test_it_runs_and_finds_the_shortcut(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    nb = nbformat.read(NOTEBOOK, 4)
    nb.cells.insert(0, nbformat.v4.new_code_cell(f"import os; os.chdir({str(tmp_path)!r})"))
    nb.cells.append(nbformat.v4.new_code_cell(FOUND))
    nbclient.NotebookClient(nb, timeout=300, kernel_name="python3").execute()
    mimes = [m for c in nb.cells if c.cell_type == "code" for o in c.outputs for m in o.get("data", {})]
    assert mimes.count("application/vnd.jupyter.widget-view+json") >= 4 and mimes.count("image/png") >= 5
    assert (tmp_path / "out" / "shortcut" / "shortcut.html").stat().st_size > 100_000
    assert (tmp_path / "out" / "shortcut" / "elsewhere.pdf").exists()


FOUND = """
assert world.accuracy(model) > 0.9
assert "at the bottom right" in clusters.clusters_[0].sentence and world.marked[clusters.clusters_[0].members].mean() > 0.9
assert world.marked[suspect.members].mean() > 0.8 and suspect.accuracy > 0.9
assert without.names[without.suspects[0]] == "shell or tag" and "“shell or tag” is right on" in str(without)
assert next(s for s in there.strategies_ if s.concept == suspect.concept).unreliable
assert pair[0].prediction[0] == world.family and pair[0].probability > pair[1].probability + 0.3
assert not again.check(world.clean, world.labels, paired=True).suspects
"""
