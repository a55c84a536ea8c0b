"""Dictionaries: ways to write activations as a few recurring directions, behind one small interface.

Rows `[n, C]` become coefficients u `[n, K]` with rows = u @ components_ + offset_ as nearly as the kind allows:

========== ========================= ====================== =========================================================
kind       coefficients              activations            source
========== ========================= ====================== =========================================================
nmf        >= 0                      >= 0                   scikit-learn's NMF, 200 rounds (CRAFT)
kmeans     one of them 1, the rest 0 any                    scikit-learn's KMeans (ACE: Ghorbani et al. 2019)
pca        any                       any                    scikit-learn's PCA; its offset is the mean
semi-nmf   >= 0                      any                    Ding, Li & Jordan 2010
========== ========================= ====================== =========================================================
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from ..errors import MethodError

_ROWS_AT_ONCE = 4096
_ROUNDS = 25  # of a large factorisation between two looks at whether it is to be stopped
_LARGE = 2e9  # products in a round, from which on a factorisation takes half a minute or more


def _nothing() -> None:
    pass


@runtime_checkable
class Dictionary(Protocol):
    """What `ConceptExtractor` asks of a dictionary; any object that has it may be passed as ``dictionary=``.

    fit(rows): learn from float32 rows `[n, C]`, return self. encode(rows): coefficients `[n, K]`.
    components_: float32 `[K, C]`, after fit. random_state: the seed.
    Optional: ``offset_`` `[C]` (added when decoding), ``partial_fit(rows)`` (for data that does not fit in memory),
    ``nonnegative`` (True: rows must be >= 0), ``n_concepts`` (set from the extractor).
    """

    components_: np.ndarray
    random_state: int

    def fit(self, rows: np.ndarray) -> Any: ...

    def encode(self, rows: np.ndarray) -> np.ndarray: ...


class BaseDictionary:
    """What the built-in dictionaries share. n_concepts: K; random_state: seed of the start."""

    kind: ClassVar[str] = ""
    nonnegative: ClassVar[bool] = False
    components_: np.ndarray
    #: called between rounds of long work; may raise to stop it
    between: Callable[[], None] = staticmethod(_nothing)

    def __init__(self, n_concepts: int = 10, random_state: int = 0):
        self.n_concepts = n_concepts
        self.random_state = random_state
        self.offset_: np.ndarray | None = None
        self._online: Any = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n_concepts={self.n_concepts}, random_state={self.random_state})"

    def _check(self, rows: Any) -> None:
        if self.nonnegative and float(rows.min()) < 0:
            raise negative_rows(float(rows.min()))


class NMFDictionary(BaseDictionary):
    """Non-negative matrix factorisation. alpha: scikit-learn's ``alpha_W``, an L2 penalty on both factors; steps: rounds.

    Large ones go on in pieces of 25 rounds, each a little longer than scikit-learn's own rule would have it, so that they
    can be stopped in between.

    CRAFT's code has alpha 0.01 (ref). Here it is 0 (ours): the penalty turns concepts off for good in the first rounds, on
    the creatures 2 to 20 of 32, and none is lost without it. ``make_dictionary("nmf", alpha=0.01)`` gives the other.
    """

    kind = "nmf"
    nonnegative = True

    def __init__(self, n_concepts: int = 10, random_state: int = 0, alpha: float = 0.0, steps: int = 200):
        super().__init__(n_concepts, random_state)
        self.alpha, self.steps = alpha, steps

    def fit(self, rows: np.ndarray) -> NMFDictionary:
        """Learn the components from rows `[n, C]` >= 0."""
        from sklearn.decomposition import NMF

        self._check(rows)
        start = "nndsvda" if self.n_concepts <= min(rows.shape) else "random"
        large = rows.shape[0] * self.n_concepts * (rows.shape[1] + 10 * self.n_concepts) > _LARGE
        rounds = min(_ROUNDS, self.steps) if large else self.steps
        way = NMF(self.n_concepts, init=start, random_state=self.random_state, alpha_W=self.alpha, max_iter=rounds)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 200 rounds are the definition here, settled or not
            u = way.fit_transform(rows)
            w = way.components_ if way.n_iter_ < rounds else self._go_on(rows, u, way.components_, rounds)
        self.components_ = np.asarray(w, np.float32)
        return self

    def _go_on(self, rows: np.ndarray, u: np.ndarray, w: np.ndarray, done: int) -> np.ndarray:
        """The rounds that are left, a few at a time, until the error falls by less than 1e-4 of itself in so many."""
        from sklearn.decomposition import non_negative_factorization

        last = float("inf")
        while done < self.steps:
            self.between()
            rounds = min(_ROUNDS, self.steps - done)
            u, w, _ = non_negative_factorization(rows, W=u, H=w, n_components=self.n_concepts, init="custom",
                                                 alpha_W=self.alpha, max_iter=rounds)
            done += rounds
            error = float(np.linalg.norm(rows - u @ w))
            if last - error <= 1e-4 * error:
                break
            last = error
        return w

    def partial_fit(self, rows: np.ndarray) -> NMFDictionary:
        """Learn from some more rows: scikit-learn's MiniBatchNMF, ``_ROWS_AT_ONCE`` rows a step."""
        from sklearn.decomposition import MiniBatchNMF

        self._check(rows)
        if self._online is None:
            start = "nndsvda" if self.n_concepts <= min(rows.shape) else "random"
            self._online = MiniBatchNMF(self.n_concepts, init=start, random_state=self.random_state, alpha_W=self.alpha)
        for part in _parts(rows, self.n_concepts):
            self._online.partial_fit(part)
        self.components_ = np.asarray(self._online.components_, np.float32)
        return self

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Coefficients `[n, K]` >= 0 of rows `[n, C]`, with the penalty they were learnt with."""
        from sklearn.decomposition import non_negative_factorization

        self._check(rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            u = non_negative_factorization(
                rows, H=np.ascontiguousarray(self.components_, rows.dtype), n_components=len(self.components_),
                init="custom", update_H=False, alpha_W=self.alpha, alpha_H=0.0, max_iter=self.steps)[0]
        return np.asarray(u, np.float32)


class TorchNMFDictionary(NMFDictionary):
    """The same factorisation by `torch_nmf.hals`, on the device where the rows are. Rows may be tensors."""

    def fit(self, rows: Any) -> TorchNMFDictionary:
        """Learn the components from rows `[n, C]` >= 0, numpy or torch."""
        import torch

        from .torch_nmf import hals

        self._check(rows)
        _, w = hals(torch.as_tensor(rows), self.n_concepts, self.random_state, self.alpha, self.steps, between=self.between)
        self.components_ = w.cpu().numpy()
        return self

    def encode(self, rows: Any) -> Any:
        """Coefficients `[n, K]` >= 0, as what the rows came as."""
        import torch

        from .torch_nmf import nnls

        self._check(rows)
        x = torch.as_tensor(rows).float()
        u = nnls(x, torch.from_numpy(self.components_).to(x), self.alpha * x.shape[1])
        return u if isinstance(rows, torch.Tensor) else u.numpy()


class KMeansDictionary(BaseDictionary):
    """k-means, as ACE: components are the clusters' centres, and each row has coefficient 1 for its nearest centre."""

    kind = "kmeans"

    def fit(self, rows: np.ndarray) -> KMeansDictionary:
        """Learn the centres from rows `[n, C]`."""
        from sklearn.cluster import KMeans

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fewer distinct rows than centres: dead concepts, which `quality` counts
            way = KMeans(self.n_concepts, random_state=self.random_state, n_init=3).fit(rows)
        self.components_ = np.asarray(way.cluster_centers_, np.float32)
        return self

    def partial_fit(self, rows: np.ndarray) -> KMeansDictionary:
        """Learn from some more rows: scikit-learn's MiniBatchKMeans."""
        from sklearn.cluster import MiniBatchKMeans

        if self._online is None:
            self._online = MiniBatchKMeans(self.n_concepts, random_state=self.random_state, n_init=3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for part in _parts(rows, self.n_concepts):
                self._online.partial_fit(part)
        self.components_ = np.asarray(self._online.cluster_centers_, np.float32)
        return self

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """One-hot coefficients `[n, K]`."""
        w = self.components_
        nearest = ((w * w).sum(1) - 2 * rows @ w.T).argmin(1)
        u = np.zeros((len(rows), len(w)), np.float32)
        u[np.arange(len(rows)), nearest] = 1
        return u


class PCADictionary(BaseDictionary):
    """Principal components; coefficients have both signs, and coefficient 0 stands for the mean activation."""

    kind = "pca"

    def fit(self, rows: np.ndarray) -> PCADictionary:
        """Learn from rows `[n, C]`; there can be no more components than rows or channels (`MethodError`)."""
        from sklearn.decomposition import PCA

        self._limit(rows)
        self._keep(PCA(self.n_concepts, random_state=self.random_state).fit(rows))
        return self

    def partial_fit(self, rows: np.ndarray) -> PCADictionary:
        """Learn from some more rows: scikit-learn's IncrementalPCA."""
        from sklearn.decomposition import IncrementalPCA

        self._limit(rows)
        self._online = self._online or IncrementalPCA(self.n_concepts)
        for part in _parts(rows, self.n_concepts):
            self._online.partial_fit(part)
        self._keep(self._online)
        return self

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Coefficients `[n, K]`."""
        return np.asarray((rows - self.offset_) @ self.components_.T, np.float32)

    def _keep(self, way: Any) -> None:
        self.components_, self.offset_ = np.asarray(way.components_, np.float32), np.asarray(way.mean_, np.float32)

    def _limit(self, rows: np.ndarray) -> None:
        if self.n_concepts > min(rows.shape):
            raise MethodError(f"pca finds at most {min(rows.shape)} components in activations {list(rows.shape)}, and "
                              f"n_concepts={self.n_concepts}. Ask for fewer, or use nmf, semi-nmf or kmeans.")


class SemiNMFDictionary(BaseDictionary):
    """Semi-NMF: coefficients >= 0 and components of both signs, so that activations may be negative. steps: rounds.

    It starts from k-means (as its authors do). Rows that come later (``partial_fit``) update the sums u^T u and
    u^T rows from which the components follow, as Mairal et al. 2009 do for sparse coding.
    """

    kind = "semi-nmf"

    def __init__(self, n_concepts: int = 10, random_state: int = 0, steps: int = 200):
        super().__init__(n_concepts, random_state)
        self.steps = steps

    def fit(self, rows: np.ndarray) -> SemiNMFDictionary:
        """Learn the components from rows `[n, C]`."""
        import torch

        from .torch_nmf import semi_nmf

        start = KMeansDictionary(self.n_concepts, self.random_state).fit(rows).encode(rows) + np.float32(0.2)
        x = torch.from_numpy(np.ascontiguousarray(rows, np.float32))
        _, w = semi_nmf(x, torch.from_numpy(start), self.steps, between=self.between)
        self.components_ = w.numpy()
        return self

    def partial_fit(self, rows: np.ndarray) -> SemiNMFDictionary:
        """Learn from some more rows."""
        if self._online is None:
            self.fit(rows)
            self._online = [np.zeros((self.n_concepts,) * 2), np.zeros(self.components_.shape)]
        u = self.encode(rows).astype(np.float64)
        self._online[0] += u.T @ u
        self._online[1] += u.T @ rows
        self.components_ = (np.linalg.pinv(self._online[0]) @ self._online[1]).astype(np.float32)
        return self

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Coefficients `[n, K]` >= 0: non-negative least squares."""
        import torch

        from .torch_nmf import nnls

        x = torch.from_numpy(np.ascontiguousarray(rows, np.float32))
        return nnls(x, torch.from_numpy(np.ascontiguousarray(self.components_))).numpy()


_KINDS: dict[str, type[BaseDictionary]] = {"nmf": NMFDictionary, "kmeans": KMeansDictionary, "pca": PCADictionary,
                                           "semi-nmf": SemiNMFDictionary}


def dictionaries() -> list[str]:
    """Names of the built-in dictionaries.

    >>> dictionaries()
    ['nmf', 'kmeans', 'pca', 'semi-nmf']
    """
    return list(_KINDS)


def make_dictionary(dictionary: str | Dictionary, n_concepts: int = 10, random_state: int = 0,
                    device: str = "cpu", **params: Any) -> Any:
    """A dictionary by name, ready to fit, or a copy of the object given, with ``n_concepts`` and ``random_state`` set.

    device: where the activations are; on a GPU, "nmf" is `TorchNMFDictionary`. Raises `MethodError`.

    >>> make_dictionary("pca", 4)
    PCADictionary(n_concepts=4, random_state=0)
    """
    if isinstance(dictionary, str):
        if dictionary not in _KINDS:
            raise MethodError(f"no dictionary is called {dictionary!r}; use one of {', '.join(_KINDS)}, or an object with "
                              "fit, encode and components_.")
        kind = TorchNMFDictionary if dictionary == "nmf" and device != "cpu" else _KINDS[dictionary]
        return kind(n_concepts, random_state, **params)
    if isinstance(dictionary, type) or not all(callable(getattr(dictionary, f, None)) for f in ("fit", "encode")):
        raise MethodError(f"{dictionary!r} is no dictionary: it needs fit(rows), encode(rows) and, once fitted, "
                          f"components_. Or name one of {', '.join(_KINDS)}.")
    mine = copy.deepcopy(dictionary)
    for name, value in (("n_concepts", n_concepts), ("random_state", random_state)):
        if hasattr(mine, name):
            setattr(mine, name, value)
    return mine


def fit_in_rounds(dictionary: Any, rows: Any, between: Callable[[], None]) -> Any:
    """``dictionary.fit(rows)``; built-in ones call ``between`` between their rounds, and it may raise to stop them."""
    if not isinstance(dictionary, BaseDictionary):
        return dictionary.fit(rows)
    dictionary.between = between
    try:
        return dictionary.fit(rows)  # type: ignore[attr-defined]
    finally:
        del dictionary.between


def restored(kind: str, components: np.ndarray, offset: np.ndarray | None, random_state: int,
             params: dict[str, Any]) -> BaseDictionary:
    """A fitted built-in dictionary from what was saved of it."""
    made: BaseDictionary = make_dictionary(kind, len(components), random_state, **params)
    made.components_, made.offset_ = components, offset
    return made


def negative_rows(lowest: float, where: str = "the activations") -> MethodError:
    """What to say of negative activations that are to be factorised without negative numbers."""
    return MethodError(f"{where} go down to {lowest:.3g}, and nmf needs activations of at least 0. Use dictionary="
                       "'semi-nmf', 'pca' or 'kmeans', which take any, or the layer after a relu.")


def _parts(rows: np.ndarray, least: int) -> list[np.ndarray]:
    """Rows in parts of about `_ROWS_AT_ONCE`, none of fewer than ``least`` where there are that many."""
    return np.array_split(rows, max(1, min(len(rows) // _ROWS_AT_ONCE, len(rows) // max(1, least))))
