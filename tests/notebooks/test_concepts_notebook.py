"""notebooks/concepts.ipynb runs top to bottom, and is what `make notebooks` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "concepts.ipynb"


def test_it_is_the_one_that_is_written():
    from tests.notebooks.concepts import CELLS
    from tests.notebooks.make import notebook

    assert nbformat.read(NOTEBOOK, 4) == notebook(CELLS)


@pytest.mark.slow
def test_it_runs_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    nb = nbformat.read(NOTEBOOK, 4)
    nb.cells.insert(0, nbformat.v4.new_code_cell(f"import os; os.chdir({str(tmp_path)!r})"))
    nb.cells.append(nbformat.v4.new_code_cell(SEEN))
    nbclient.NotebookClient(nb, timeout=300, kernel_name="python3").execute()
    mimes = [m for c in nb.cells if c.cell_type == "code" for o in c.outputs for m in o.get("data", {})]
    assert mimes.count("application/vnd.jupyter.widget-view+json") >= 3 and mimes.count("image/png") >= 4
    assert (tmp_path / "out" / "concepts" / "concepts.html").stat().st_size > 50_000
    assert (tmp_path / "out" / "concepts" / "concepts.pdf").exists()


SEEN = """
assert extractor.names_[extractor.order_[0]] == "butterfly wings"
assert contrast.importance_[ends[0]] > 0 > contrast.importance_[ends[-1]]
assert any(s.startswith("“butterfly wings” leads") for s in graph.sentences_)
assert sum(p.old is not None and p.new is not None for p in versions.pairs) >= 5
assert np.allclose(again.transform(more.images), extractor.transform(more.images), atol=1e-5)
"""
