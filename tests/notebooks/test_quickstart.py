"""The quickstart runs top to bottom, and is what `make notebooks` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "quickstart.ipynb"


def test_it_is_the_one_that_is_written():
    from tests.notebooks.make import notebook

    assert nbformat.read(NOTEBOOK, 4) == notebook()


@pytest.mark.slow
@pytest.mark.parametrize("real", [True, False])
def test_it_runs_top_to_bottom(tmp_path, monkeypatch, real):
    """With the real network, where it is there, and without."""
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    if not real:
        monkeypatch.setenv("SALWIDGETS_DATA", str(tmp_path / "none"))
    folder = NOTEBOOK.parent if real else tmp_path
    nb = nbformat.read(NOTEBOOK, 4)
    work = tmp_path / "work"
    work.mkdir()
    nb.cells.insert(0, nbformat.v4.new_code_cell(
        f"import os, pathlib; os.chdir({str(folder)!r}); _save = {str(work)!r}"))
    for cell in nb.cells:
        cell.source = cell.source.replace('Path("quickstart-output")', "Path(_save)")
    nbclient.NotebookClient(nb, timeout=300, kernel_name="python3").execute()
    text = "".join(o.get("text", "") for c in nb.cells if c.cell_type == "code" for o in c.outputs)
    assert "Why “plumemoth” rather than “glimmoth”?" in text
    assert "Traceback" not in text
    mimes = [m for c in nb.cells if c.cell_type == "code" for o in c.outputs for m in o.get("data", {})]
    assert mimes.count("application/vnd.jupyter.widget-view+json") >= 4
    assert "image/png" in mimes  # a picture stays where widgets cannot
