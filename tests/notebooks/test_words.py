"""notebooks/words.ipynb runs top to bottom with no endpoint, and is what `make notebooks` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "words.ipynb"


def test_it_is_the_one_that_is_written():
    from tests.notebooks.make import notebook
    from tests.notebooks.words import CELLS

    assert nbformat.read(NOTEBOOK, 4) == notebook(CELLS)


@pytest.mark.slow
def test_it_runs_top_to_bottom(tmp_path, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    nb = nbformat.read(NOTEBOOK, 4)
    nb.cells.insert(0, nbformat.v4.new_code_cell(f"import os; os.chdir({str(tmp_path)!r})"))
    nbclient.NotebookClient(nb, timeout=300, kernel_name="python3").execute()
    code = [c for c in nb.cells if c.cell_type == "code"]
    text = "".join(o.get("text", "") for c in code for o in c.outputs)
    assert "Traceback" not in text
    assert "contradicted" in text
    assert "1 sentence that the map contradicts was left out." in text
    assert "there is no key. Set OPENAI_API_KEY" in text
    mimes = [m for c in code for o in c.outputs for m in o.get("data", {})]
    assert mimes.count("application/vnd.jupyter.widget-view+json") >= 4
    assert mimes.count("image/png") >= 4
    assert (tmp_path / "out" / "words" / "words.html").stat().st_size > 50_000
    assert (tmp_path / "out" / "words" / "words.pdf").exists()
