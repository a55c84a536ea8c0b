"""The ranking: ranks by hand, a row measured anew, and the shipped table is what the stored rows say."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import ranking  # noqa: E402
from benchmarks.ranking_page import over_floor, page, places, reading, standing, table, write_recommendations  # noqa: E402
from benchmarks.store import Store  # noqa: E402


def made(**columns):
    """Rows of one network; each column is {method: figures of its images}."""
    methods = {m for c in columns.values() for m in c}
    return {("cnn", m): {"net": "cnn", "method": m, "n": 2, "params": {}, "seconds": 0.01, "scoring": 0.0,
                         "class": {name: c[m] for name, c in columns.items() if m in c}} for m in methods}


def test_places_by_hand():
    rows = made(deletion={"saliency": [0.1, 0.1], "grad-cam": [0.2, 0.3], "random": [0.9, 0.2]},
                insertion={"saliency": [0.5, 0.5], "grad-cam": [0.5, 0.9], "random": [0.1, 0.1]})
    got = places(rows, "cnn", "class")
    assert got["saliency"] == pytest.approx((0 + (0.25 + 0.5) / 2) / 2)
    assert got["grad-cam"] == pytest.approx(((0.5 + 1) / 2 + (0.25 + 0) / 2) / 2)
    assert got["random"] == pytest.approx(((1 + 0.5) / 2 + 1) / 2)
    assert standing(rows, ["cnn", "vit"], "class") == pytest.approx(got)


def test_a_row_with_fewer_images_is_compared_on_these():
    rows = made(insertion={"saliency": [0.9, 0.1], "rise": [0.8], "random": [0.1, 0.3]})
    assert places(rows, "cnn", "class") == pytest.approx({"saliency": (0 + 1) / 2, "rise": 0.5, "random": (1 + 0) / 2})
    assert over_floor(rows, "cnn", "rise", "class", "insertion") == pytest.approx(0.7)


def test_hiding_counts_once():
    rows = made(deletion={"saliency": [0.1], "random": [0.9]}, rfxg={"saliency": [0.9], "random": [0.1]},
                insertion={"saliency": [0.1], "random": [0.9]})
    assert places(rows, "cnn", "class") == {"saliency": 0.5, "random": 0.5}


def test_a_row_is_measured_and_refused(monkeypatch):
    monkeypatch.setitem(ranking.IMAGES, "creatures", 2)
    ranking.subject.cache_clear()
    try:
        row = ranking.row("cnn", "grad-cam")
        floor = ranking.row("cnn", "random")
        refused = ranking.row("cnn", "rollout")
    finally:
        ranking.subject.cache_clear()
    assert set(row) >= {"class", "group", "contrast", "seconds", "n", "seed", "params"}
    for kind in ranking.KINDS:
        assert all(len(v) == 2 for k, v in row[kind].items())
        assert sum(row[kind]["insertion"]) > sum(floor[kind]["insertion"])
    assert "stability" in row["class"] and "stability" not in floor["class"]
    assert "attention" in refused["refused"] or "transformer" in refused["refused"]
    json.dumps([row, floor, refused])


def test_the_shipped_table_is_what_the_stored_rows_say(tmp_path):
    rows = Store(ranking.STORE, ("net", "method")).read()
    write_recommendations(rows, ranking.NETS, tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text()) == json.loads((ROOT / "salwidgets" / "recommend.json").read_text())


def test_the_page_has_every_kind_on_every_network():
    rows = Store(ranking.STORE, ("net", "method")).read()
    text = (ROOT / "docs" / "ranking.md").read_text(encoding="utf-8")
    for net, kind in ((n, k) for n in ranking.NETS for k in ranking.KINDS):
        assert f"## {net}: {kind} questions" in text
        assert table(rows, net, kind, ranking.IMAGES[ranking.NETS[net]]) in text
    assert reading(rows, ranking.NETS) in text
    assert "Not measured yet: " not in page(rows, [], {"n": ranking.IMAGES, "seed": 0, "steps": 1, "nets": ranking.NETS})
