"""notebooks/scorecard.ipynb runs top to bottom, shows what it says, and is what `make notebooks` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "scorecard.ipynb"


def test_it_is_the_one_that_is_written():
    from tests.notebooks.make import notebook
    from tests.notebooks.scorecard import CELLS

    assert nbformat.read(NOTEBOOK, 4) == notebook(CELLS)


@pytest.mark.slow
def test_it_runs_and_each_lesson_holds(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    nb = nbformat.read(NOTEBOOK, 4)
    nb.cells.insert(0, nbformat.v4.new_code_cell(f"import os; os.chdir({str(tmp_path)!r})"))
    nb.cells.append(nbformat.v4.new_code_cell(LESSONS))
    nbclient.NotebookClient(nb, timeout=300, kernel_name="python3").execute()
    assert (tmp_path / "out" / "scorecard" / "scorecard.pdf").exists()
    mimes = [m for c in nb.cells if c.cell_type == "code" for o in c.outputs for m in o.get("data", {})]
    assert mimes.count("application/vnd.jupyter.widget-view+json") == 1
    assert (tmp_path / "out" / "scorecard" / "scorecard.html").stat().st_size > 100_000
    assert (tmp_path / "out" / "scorecard" / "table" / "scores.json").exists()


LESSONS = """
m = means(table)
assert m.loc["saliency", "deletion"] < m.loc["grad-cam", "deletion"]
assert m.loc["saliency", "insertion"] < m.loc["grad-cam", "insertion"] - 0.4
assert table.agreement().loc["deletion", "insertion"] < 0
black, blur = means(cards["black"]), means(cards["blur"])
assert black.loc["pixel noise", "deletion"] < black.loc["the truth", "deletion"]
assert blur.loc["pixel noise", "deletion"] > blur.loc["the truth", "deletion"] + 0.3
assert (m["pointing_game"] == 1).all()
assert means(sw.metrics.scorecard(model, rather, strict, world=world)).iloc[:, 0].min() < 1
assert means(blind).loc["eigen-cam", "mass_in_mask"] > means(blind).loc["grad-cam", "mass_in_mask"]
assert means(blind).loc["eigen-cam", "class_sensitivity"] > 0.99
assert means(blind)["class_sensitivity"].drop(["eigen-cam", "guided-backprop"]).max() < 0.5
s = means(sane)
assert s["cascading_randomisation"].idxmax() == "guided-backprop" == s["sparseness"].idxmax()
"""
