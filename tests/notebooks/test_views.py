"""notebooks/views.ipynb runs top to bottom, and is what `make notebooks` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "views.ipynb"


def test_it_is_the_one_that_is_written():
    from tests.notebooks.make import notebook
    from tests.notebooks.views import CELLS

    assert nbformat.read(NOTEBOOK, 4) == notebook(CELLS)


@pytest.mark.slow
def test_it_runs_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    nb = nbformat.read(NOTEBOOK, 4)
    nb.cells.insert(0, nbformat.v4.new_code_cell(f"import os; os.chdir({str(tmp_path)!r})"))
    nbclient.NotebookClient(nb, timeout=300, kernel_name="python3").execute()
    mimes = [m for c in nb.cells if c.cell_type == "code" for o in c.outputs for m in o.get("data", {})]
    assert mimes.count("application/vnd.jupyter.widget-view+json") >= 6
    assert (tmp_path / "out" / "views" / "views.html").stat().st_size > 100_000
    assert (tmp_path / "out" / "views" / "grid.pdf").exists()
