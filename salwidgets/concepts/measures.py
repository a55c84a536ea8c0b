"""How good concepts are: what they leave out, how sparse and stable they are, and whether their importance is true.

Definitions are those of Fel et al. 2023, "A Holistic Approach to Unifying Automatic Concept Extraction and Concept
Importance Estimation", as far as its text fixes them (lit); what is ours says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..explainers.progress import Progress, ProgressOption
from .activations import rows_of
from .checks import check_extractor, whole_number
from .concept_heads import ConceptHead
from .fitting import left_out
from .looking import Look, looks
from .matching import folds_of, stability

if TYPE_CHECKING:
    from pandas import DataFrame

    from .extractor import ConceptExtractor

_DEAD = 0.01
_FIGURES = ("relative_l2", "hoyer", "stability_folds", "stability_seeds", "frechet", "c_deletion", "c_insertion",
            "random_order", "c_mu_fidelity", "n_dead")


@dataclass(eq=False)
class ConceptQuality:
    """Figures of one extractor on some images. Higher is better unless said.

    relative_l2: |activations - coefficients @ components| / |activations|; lower is better.
    hoyer: sparsity of a cell's coefficients, mean over cells: (sqrt K - l1 / l2) / (sqrt K - 1); 1: one concept a cell.
    stability_folds, stability_seeds: mean cosine of components, matched by the Hungarian method, between dictionaries
        learnt on the images without one fold, and with other seeds. 1: always the same.
    frechet: Frechet distance between normal distributions fitted to activations and to what the concepts rebuild of
        them, over the activations' total variance (ours, so that layers compare); lower is better.
    c_deletion, c_insertion: area under the question's score while concepts are taken away (put in) in order of each
        image's importance, the most important first, over the share of concepts; lower (higher) is better, in the
        question's units. random_order: the same area for concepts put in at random: what to compare with.
    c_mu_fidelity: correlation (Pearson, mean over images) between the sum of importances of a random half of the concepts
        and what the score loses without them (Bhatt et al. 2020).
    dead: concepts whose contribution u |component| never exceeds 1 % of the mean activation's size in any cell (ours).
    curves: mean score `[K + 1]` by number of concepts, "deletion" and "insertion". notices: what limits the figures.
    """

    relative_l2: float
    hoyer: float
    stability_folds: float
    stability_seeds: float
    frechet: float
    c_deletion: float
    c_insertion: float
    random_order: float
    c_mu_fidelity: float
    dead: list[int]
    n_images: int
    curves: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    notices: tuple[str, ...] = ()

    @property
    def n_dead(self) -> int:
        """How many concepts are dead."""
        return len(self.dead)

    def to_pandas(self) -> DataFrame:
        """One row; one column per figure."""
        import pandas as pd

        return pd.DataFrame([{name: getattr(self, name) for name in _FIGURES}])

    def _repr_html_(self) -> str:
        return str(self.to_pandas().to_html(index=False, float_format="{:.3f}".format))


@dataclass(eq=False)
class _Sums:
    """What is added up over batches."""

    gap: float = 0.0
    size: float = 0.0
    hoyer: list[np.ndarray] = field(default_factory=list)
    peak: np.ndarray | None = None
    rows: list[np.ndarray] = field(default_factory=list)
    curves: list[Tensor] = field(default_factory=list)
    fidelity: list[np.ndarray] = field(default_factory=list)
    images: int = 0
    held: int = 0


def quality(extractor: ConceptExtractor, images: Any, *, folds: int = 4, seeds: int = 3, subsets: int = 64,
            random_state: int = 0, progress: ProgressOption = None) -> ConceptQuality:
    """Judge a fitted `ConceptExtractor` on ``images`` (better not those it was fitted on), for its own question.

    folds, seeds: how many dictionaries are learnt again for stability (0 or 1: not measured, NaN). subsets: random
    subsets of concepts for c_mu_fidelity. Activations are held for stability and Frechet up to the extractor's max_bytes.
    progress: as everywhere (a callable may raise to stop); None: as the extractor says.

    >>> world = sw.worlds.creatures(n=24)
    >>> extractor = sw.concepts.ConceptExtractor(world.model("cnn"), n_concepts=4).fit(world.images, "flutterling")
    >>> quality(extractor, world.images, folds=0, seeds=0).dead
    []
    """
    check_extractor(extractor)
    extractor.usable_dictionary()
    for name, value, least in (("folds", folds, 0), ("seeds", seeds, 0), ("subsets", subsets, 2),
                               ("random_state", random_state, 0)):
        whole_number(name, value, least)
    k = len(extractor.components_)
    random = np.random.default_rng(random_state)
    half = (random.random((subsets, k)).argsort(1) < max(1, k // 2)).astype(np.float32)
    sums = _Sums()
    for look in looks(extractor, images, 3 * (k + 1) + subsets, progress):
        _activations(sums, look.head, look.maps, look.u, extractor.max_bytes)
        _scores(sums, look, torch.from_numpy(half).to(look.u), random)
        sums.images += len(look.x)
    assert sums.peak is not None
    rows = np.concatenate(sums.rows)
    notices = [] if sums.held == sums.images else \
        [f"stability and frechet are of the first {sums.held} of {sums.images} images (max_bytes)."]
    groups = np.repeat(np.arange(sums.held), len(rows) // max(1, sums.held))
    dictionary = extractor.dictionary_
    kept = [rows[f] for f in folds_of(groups, folds, random_state)] if folds > 1 else []
    show = extractor.progress if progress is None else progress
    with Progress(len(kept) + (seeds if seeds > 1 else 0), "learning again", show) as bar:
        over_folds = stability(dictionary, kept, [dictionary.random_state] * len(kept), bar.step)
        over_seeds = stability(dictionary, [rows] * seeds, [random_state + 1 + s for s in range(seeds)], bar.step) \
            if seeds > 1 else float("nan")
    curves = torch.cat(sums.curves, 1).double().mean(1).cpu().numpy()
    mean_size = np.sqrt((rows.astype(np.float64) ** 2).sum(1)).mean()
    return ConceptQuality(
        float(np.sqrt(sums.gap / max(sums.size, 1e-30))), _mean(np.concatenate(sums.hoyer)),
        over_folds, over_seeds, frechet(rows, _rebuilt(dictionary, rows, look.head)),
        _area(curves[0]), _area(curves[1]), _area(curves[2]),
        _mean(np.concatenate(sums.fidelity)), [i for i in range(k) if sums.peak[i] <= _DEAD * mean_size], sums.images,
        {"deletion": curves[0], "insertion": curves[1]}, tuple(notices))


def hoyer(coefficients: np.ndarray) -> np.ndarray:
    """Hoyer's sparsity `[n]` of rows `[n, K]`: 1 for a single value, 0 for equal sizes; NaN for zeros and for K = 1."""
    c = np.abs(np.asarray(coefficients, np.float64))
    root, l2 = np.sqrt(c.shape[1]), np.sqrt((c * c).sum(1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(l2 > 0, (root - c.sum(1) / l2) / (root - 1), np.nan) if root > 1 else np.full(len(c), np.nan)


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Frechet distance |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^1/2) of rows `[n, C]`, over tr(S_a)."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    sa, sb = (np.atleast_2d(np.cov(m, rowvar=False)) for m in (a, b))
    values, vectors = np.linalg.eigh(sa)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ sb @ root), 0)).sum()
    distance = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(sa) + np.trace(sb) - 2 * cross
    return float(max(distance, 0.0) / max(np.trace(sa), 1e-30))


def _activations(sums: _Sums, head: ConceptHead, maps: Tensor, u: Tensor, max_bytes: int) -> None:
    gap, size = left_out(head, maps, u)
    sums.gap, sums.size = sums.gap + gap, sums.size + size
    sums.hoyer.append(hoyer(rows_of(u).cpu().numpy()))
    peak = (u.abs().amax((0, 2, 3)) * head.w.norm(dim=1)).cpu().numpy()
    sums.peak = peak if sums.peak is None else np.maximum(sums.peak, peak)
    if sum(r.nbytes for r in sums.rows) + maps.numel() * 4 <= max_bytes or not sums.rows:
        sums.rows.append(rows_of(maps).cpu().numpy())
        sums.held += len(maps)


def _scores(sums: _Sums, look: Look, half: Tensor, random: np.random.Generator) -> None:
    """Scores while concepts go and come, and the correlation of importance with what removal does."""
    u = look.u
    n, k = u.shape[:2]
    found = look.importance()
    rank = found.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    count = torch.arange(k + 1, device=u.device)
    put = (rank[:, None] < count[:, None]).to(u)
    chance = torch.from_numpy(random.random((n, k)).argsort(1).argsort(1)).to(u.device)
    masks = [1 - put, put, (chance[:, None] < count[:, None]).to(u), (1 - half).expand(n, -1, -1)]
    parts = look.head.scores(look.x, u, torch.cat(masks, 1), look.columns).split([k + 1, k + 1, k + 1, len(half)], 1)
    sums.curves.append(torch.stack(parts[:3]))
    lost = (parts[1][:, -1:] - parts[3]).double()
    said = (found @ half.T).double()
    lost, said = (t - t.mean(1, keepdim=True) for t in (lost, said))
    bottom = lost.norm(dim=1) * said.norm(dim=1)
    correlation = torch.where(bottom > 1e-12, (lost * said).sum(1) / bottom, torch.full_like(bottom, torch.nan))
    sums.fidelity.append(correlation.cpu().numpy())


def _rebuilt(dictionary: Any, rows: np.ndarray, head: ConceptHead) -> np.ndarray:
    offset = 0 if head.offset is None else head.offset.cpu().numpy()
    return np.asarray(dictionary.encode(rows)) @ head.w.cpu().numpy() + offset


def _area(curve: np.ndarray) -> float:
    return float(np.trapezoid(curve, dx=1 / (len(curve) - 1)))


def _mean(values: np.ndarray) -> float:
    fine = values[np.isfinite(values)]
    return float(fine.mean()) if len(fine) else float("nan")
