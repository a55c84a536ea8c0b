"""Concepts beside the creatures' parts: the docs' table, made smaller."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import concept_parts as page


def test_nmf_finds_most_of_the_parts_that_an_oracle_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "TRAIN", (120, 11))
    monkeypatch.setattr(page, "TEST", (60, 12))
    result = page.measure(sizes=(("nmf", 32, {}),))
    top, (best, which) = result["oracle"], result["nmf"]
    assert (top >= page.FOUND).mean() > 0.95
    assert (best >= page.FOUND).sum() >= 0.7 * (top >= page.FOUND).sum()
    assert len(set(which.tolist())) == len(page.NAMES)  # each part a concept of its own
    text = page.table(result)
    assert f"| oracle | 23 | {(top >= page.FOUND).sum()} of 23 |" in text and "wanted: 70 %" in page.reading(result)
    assert page.parts(result).count("\n") == 24


def test_correlation_is_numpys_and_the_oracle_reads_what_is_there() -> None:
    random = np.random.default_rng(0)
    a, b = random.random((4, 3, 5, 5)), random.random((4, 2, 5, 5))
    found = page.correlations(a, b)
    for k in range(3):
        for p in range(2):
            assert found[k, p] == pytest.approx(np.corrcoef(a[:, k].ravel(), b[:, p].ravel())[0, 1])
    masks = np.einsum("nchw,cp->nphw", a, random.random((3, 2))) + 0.5
    np.testing.assert_allclose(page.oracle(a, masks, a), masks, atol=1e-9)
    best, which = page.matched_parts(np.array([[0.9, 0.8, 0.0], [0.7, 0.1, 0.0]]))
    assert best.tolist() == [0.7, 0.8, 0.0] and which.tolist() == [1, 0, -1]
