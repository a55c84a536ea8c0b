"""Dictionaries beside scikit-learn, scipy and slow transcriptions."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.concepts.dictionary import TorchNMFDictionary, fit_in_rounds, make_dictionary, restored
from salwidgets.concepts.torch_nmf import hals, nnls, semi_nmf


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Non-negative rows with six parts and noise."""
    random = np.random.default_rng(0)
    u = random.exponential(size=(600, 6)) * (random.random((600, 6)) < 0.4)
    w = random.exponential(size=(6, 20)) * (random.random((6, 20)) < 0.5)
    return (u @ w + 0.05 * random.random((600, 20))).astype(np.float32)


def error(rows: np.ndarray, dictionary: object) -> float:
    """Relative l2 of what the dictionary leaves out."""
    offset = getattr(dictionary, "offset_", None)
    rebuilt = dictionary.encode(rows) @ dictionary.components_ + (0 if offset is None else offset)  # type: ignore[attr-defined]
    return float(np.linalg.norm(rows - rebuilt) / np.linalg.norm(rows))


@pytest.mark.parametrize("alpha", [0.0, 0.01])
def test_nmf_leaves_out_what_scikit_learns_does(rows: np.ndarray, alpha: float) -> None:
    from sklearn.decomposition import NMF

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = NMF(5, init="nndsvda", random_state=0, max_iter=200, alpha_W=alpha)
        u = theirs.fit_transform(rows)
    want = np.linalg.norm(rows - u @ theirs.components_) / np.linalg.norm(rows)
    assert error(rows, make_dictionary("nmf", 5, alpha=alpha).fit(rows)) == pytest.approx(want, rel=0.01)


@pytest.mark.parametrize("alpha", [0.0, 0.01])
def test_the_torch_factorisation_reaches_scikit_learns_error(rows: np.ndarray, alpha: float) -> None:
    from sklearn.decomposition import NMF

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = NMF(5, init="nndsvda", random_state=0, max_iter=400, alpha_W=alpha, tol=1e-5)
        u = theirs.fit_transform(rows)
    want = np.linalg.norm(rows - u @ theirs.components_)
    mine, w = hals(torch.from_numpy(rows), 5, alpha=alpha, steps=400, tol=1e-5)
    assert float(mine.min()) >= 0 and float(w.min()) >= 0
    assert float(torch.linalg.norm(torch.from_numpy(rows) - mine @ w)) == pytest.approx(want, rel=0.01)
    assert error(rows, TorchNMFDictionary(5, alpha=alpha).fit(torch.from_numpy(rows))) == pytest.approx(
        want / np.linalg.norm(rows), rel=0.01)


def test_the_torch_factorisation_takes_more_concepts_than_channels(rows: np.ndarray) -> None:
    u, w = hals(torch.from_numpy(rows[:, :4].copy()), 7)
    assert u.shape == (600, 7) and bool(torch.isfinite(u).all() and torch.isfinite(w).all())
    assert float((torch.from_numpy(rows[:, :4]) - u @ w).norm()) < 0.05 * float(np.linalg.norm(rows[:, :4]))


def test_kmeans_and_pca_leave_out_what_scikit_learns_do(rows: np.ndarray) -> None:
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    size = np.linalg.norm(rows)
    theirs = KMeans(8, random_state=0, n_init=3).fit(rows)
    assert error(rows, make_dictionary("kmeans", 8).fit(rows)) == pytest.approx(np.sqrt(theirs.inertia_) / size, rel=0.01)
    pca = PCA(5).fit(rows)
    want = np.linalg.norm(rows - pca.inverse_transform(pca.transform(rows))) / size
    assert error(rows, make_dictionary("pca", 5).fit(rows)) == pytest.approx(want, rel=0.01)


def test_non_negative_least_squares_is_scipys(rows: np.ndarray) -> None:
    from scipy.optimize import nnls as one

    w = np.random.default_rng(1).normal(size=(6, 20)).astype(np.float32)
    x = rows[:40] - 0.5
    want = np.stack([one(w.T.astype(float), r.astype(float))[0] for r in x])
    np.testing.assert_allclose(nnls(torch.from_numpy(x), torch.from_numpy(w)).numpy(), want, atol=2e-4)


def test_semi_nmf_is_its_papers_updates_and_beats_its_start(rows: np.ndarray) -> None:
    x = (rows - rows.mean(0))[:80].astype(np.float64)
    start = make_dictionary("kmeans", 4).fit(x.astype(np.float32)).encode(x.astype(np.float32)).astype(np.float64) + 0.2
    g = start.copy()
    for _ in range(30):  # Ding et al. 2010, eq. 10 and 11, entry by entry, X = rows^T
        f = x.T @ g @ np.linalg.inv(g.T @ g)
        a, b = x @ f, f.T @ f
        ap, an, bp, bn = (abs(a) + a) / 2, (abs(a) - a) / 2, (abs(b) + b) / 2, (abs(b) - b) / 2
        g = g * np.sqrt((ap + g @ bn) / (an + g @ bp))
    f = x.T @ g @ np.linalg.inv(g.T @ g)
    u, w = semi_nmf(torch.from_numpy(x), torch.from_numpy(start), steps=30, tol=-1e9)
    np.testing.assert_allclose(u.numpy(), g, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(w.numpy(), f.T, rtol=1e-5, atol=1e-8)
    x32 = x.astype(np.float32)
    semi = make_dictionary("semi-nmf", 4).fit(x32)
    assert semi.encode(x32).min() >= 0 and (semi.components_ < 0).any()
    assert error(x32, semi) < 0.97 * error(x32, make_dictionary("kmeans", 4).fit(x32))


@pytest.mark.parametrize("kind", ["nmf", "kmeans", "pca", "semi-nmf"])
def test_a_stream_teaches_nearly_as_much(rows: np.ndarray, kind: str) -> None:
    many = np.concatenate([rows] * 8)
    streamed = make_dictionary(kind, 5)
    for part in np.array_split(many, 12):
        streamed.partial_fit(part)
    assert error(rows, streamed) < 1.15 * error(rows, make_dictionary(kind, 5).fit(rows)) + 0.02


@pytest.mark.parametrize("kind", ["nmf", "kmeans", "pca", "semi-nmf"])
def test_the_same_seed_gives_the_same_and_a_saved_one_encodes_alike(rows: np.ndarray, kind: str) -> None:
    a, b = (make_dictionary(kind, 5, 3).fit(rows) for _ in range(2))
    np.testing.assert_array_equal(a.components_, b.components_)
    again = restored(kind, a.components_, a.offset_, 3, {})
    np.testing.assert_array_equal(again.encode(rows), a.encode(rows))


def test_negative_rows_are_refused_with_what_fits(rows: np.ndarray) -> None:
    with pytest.raises(sw.errors.MethodError, match="semi-nmf"):
        make_dictionary("nmf", 3).fit(rows - 1)
    with pytest.raises(sw.errors.MethodError, match="semi-nmf"):
        TorchNMFDictionary(3).fit(torch.from_numpy(rows - 1))


def test_what_is_no_dictionary_is_told() -> None:
    with pytest.raises(sw.errors.MethodError, match="use one of nmf, kmeans, pca, semi-nmf"):
        make_dictionary("sae")
    with pytest.raises(sw.errors.MethodError, match="needs fit"):
        make_dictionary(object())  # type: ignore[arg-type]
    with pytest.raises(sw.errors.MethodError, match="at most 4"):
        make_dictionary("pca", 9).fit(np.eye(4, dtype=np.float32))
    assert sw.concepts.dictionaries() == ["nmf", "kmeans", "pca", "semi-nmf"]
    assert isinstance(make_dictionary("nmf"), sw.concepts.Dictionary) is False  # no components yet
    assert repr(make_dictionary("nmf", 4)) == "NMFDictionary(n_concepts=4, random_state=0)"


def test_large_factorisations_go_in_rounds_to_the_same_error(rows: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = error(rows, make_dictionary("nmf", 6).fit(rows))
    monkeypatch.setattr("salwidgets.concepts.dictionary._LARGE", 0)
    monkeypatch.setattr("salwidgets.concepts.dictionary._ROUNDS", 5)
    calls: list[int] = []
    parts = fit_in_rounds(make_dictionary("nmf", 6), rows, lambda: calls.append(1))
    assert len(calls) >= 2 and error(rows, parts) <= whole * 1.01


@pytest.mark.parametrize("kind", ["nmf", "torch", "semi-nmf"])
def test_a_factorisation_can_be_stopped_between_rounds(rows: np.ndarray, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("salwidgets.concepts.dictionary._LARGE", 0)
    monkeypatch.setattr("salwidgets.concepts.dictionary._ROUNDS", 5)
    made = TorchNMFDictionary(6) if kind == "torch" else make_dictionary(kind, 6)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_in_rounds(made, rows, stop)
    assert "between" not in vars(made) and not hasattr(made, "components_")
    assert made.fit(rows).components_.shape == (6, 20)
