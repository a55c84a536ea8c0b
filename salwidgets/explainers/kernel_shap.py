"""KernelSHAP on superpixels: Shapley values of regions as one weighted least squares over masked copies.

Which regions are hidden does not depend on the scores, so the least squares is solved once, as a matrix; all K scores of
every masked copy are kept, and a question is one product of the two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import MethodError
from ..regions import Regions
from . import baselines, segments
from .base import Answer, BatchEvidence, Columns, Job, Method, apply, apply_change
from .occlusion import need_images
from .registry import register


def coalitions(regions: int, n_samples: int, seed: int = 0) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which regions each masked copy shows, bool `[P, M]`, and the weight of each copy `[P]`, for M regions.

    Coalitions of a size k have the Shapley kernel's weight (M - 1) / (k (M - k)) together (Lundberg & Lee 2017, theorem
    2). From the smallest and largest sizes inwards, all coalitions of a size are taken while the budget's share of that
    size pays for them (as in the authors' code); the rest of the budget draws sizes by weight, each draw with its
    complement (paired). Equal draws are one copy with their weights added, so P <= ``n_samples``; with 2^M - 2 copies
    to spend, every coalition is there and the values are exact. Weights sum to 1.
    """
    sizes = np.arange(1, regions // 2 + 1)  # each stands for itself and its complement
    weight = np.where(2 * sizes == regions, 1.0, 2.0) / (sizes * (regions - sizes))
    weight /= weight.sum() if regions > 1 else 1.0
    shown, share, left = [np.zeros((0, regions), bool)], [np.zeros(0)], n_samples
    done = 0
    for size, w in zip(sizes, weight, strict=True):
        number = math.comb(regions, int(size)) * (1 if 2 * size == regions else 2)
        if left * w / weight[done:].sum() < number * (1 - 1e-9):
            break
        shown.append(_all_of(regions, int(size)))
        share.append(np.full(number, w / number))
        left, done = left - number, done + 1
    if done < len(sizes) and left >= 2:
        rng = np.random.default_rng(seed)
        drawn = rng.choice(sizes[done:], left // 2, p=weight[done:] / weight[done:].sum())
        rank = rng.random((len(drawn), regions)).argsort(1).argsort(1)
        half = rank < drawn[:, None]
        rows, count = np.unique(np.concatenate([half, ~half]), axis=0, return_counts=True)
        shown.append(rows)
        share.append(count / count.sum() * weight[done:].sum())
    weights = np.concatenate(share)
    return np.concatenate(shown), weights / max(weights.sum(), 1e-300)


def _all_of(regions: int, size: int) -> NDArray[np.bool_]:
    """All coalitions of ``size`` regions and their complements, `[P, M]`."""
    from itertools import combinations

    picked = np.array(list(combinations(range(regions), size)))
    rows = np.zeros((len(picked), regions), bool)
    rows[np.arange(len(picked))[:, None], picked] = True
    return rows if 2 * size == regions else np.concatenate([rows, ~rows])


def solution(shown: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The matrix `[M, 1 + P]` from the scores' changes to region values: column 0 takes v(all) - v(none), the others
    v(copy) - v(none). None if the copies do not tell the regions apart.

    Minimises sum_p w_p (v_p - v(none) - z_p . phi)^2 subject to sum phi = v(all) - v(none), by its stationarity
    conditions; the constraint is exact.
    """
    m = shown.shape[1]
    z = shown.astype(np.float64)
    system = np.ones((m + 1, m + 1))
    system[:m, :m], system[m, m] = (z * weights[:, None]).T @ z, 0.0
    if np.linalg.matrix_rank(system, hermitian=True) <= m:
        return None
    right = np.zeros((m + 1, 1 + len(z)))
    right[:m, 1:], right[m, 0] = (z * weights[:, None]).T, 1.0
    return np.asarray(np.linalg.solve(system, right)[:m])


class KernelShapEvidence(BatchEvidence):
    """For each input: how far the baseline's and every masked copy's scores lie below the input's, float32
    `[1 + P, K]` (4 bytes x n_samples x K: 4 MB with 1000 samples and 1000 classes), the solved least squares
    `[M, 1 + P]`, and the label map `[H, W]` with the pixels of each region."""

    drops: list[Tensor]
    solved: list[Tensor]
    labels: list[NDArray[np.int32]]
    baseline_logits: Tensor

    def answer(self, columns: Columns) -> Answer:
        values = []
        for n, drops in enumerate(self.drops):
            mine = [[column[n]] for column in columns]
            values.append(self._values(n, apply_change(mine, drops[None], self.logits[n, None, None])[:, 0].T))
        expected = (apply(columns, self.logits) - apply(columns, self.baseline_logits)).cpu()
        regions = [[Regions(labels, v[:, q].float().cpu().numpy()) for labels, v in zip(self.labels, values, strict=True)]
                   for q in range(len(columns))]
        return Answer(self._spread(values), expected, regions=regions)

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        return self._spread([self._values(n, drops[:, list(classes)]) for n, drops in enumerate(self.drops)])

    def _values(self, n: int, drops: Tensor) -> Tensor:
        """Region values `[M, Q]` of input ``n``, from drops `[1 + P, Q]`: v(copy) - v(none) = drop(none) - drop(copy)."""
        drops = drops.double()
        change = torch.cat([drops[:1], drops[:1] - drops[1:]])
        return self.solved[n] @ change

    def _spread(self, values: list[Tensor]) -> Tensor:
        """Maps `[Q, N, H, W]`: each region's value spread evenly over its pixels, so that a map sums to the values' sum."""
        maps = []
        for labels, v in zip(self.labels, values, strict=True):
            size = torch.from_numpy(np.bincount(labels.ravel(), minlength=len(v))).to(v.device)
            maps.append((v / size[:, None]).T[:, torch.from_numpy(labels).to(v.device).long()])
        return torch.stack(maps, 1)


@register(name="kernel-shap", family="perturbation", linear=True, signed=True, complete=True, needs=("scores",),
          passes="2 + n_samples forwards", seed=True, source="Lundberg & Lee 2017, theorem 2")
class KernelShap(Method):
    """KernelSHAP with superpixels as players.

    n_segments: about how many SLIC superpixels (50; ours). segments: "slic", "felzenszwalb", or your own, which must not
    overlap (see `segments.check`); pixels that they leave out are one more region. n_samples: masked copies at most; see
    `coalitions` for how they are chosen. baseline: what is seen where a region is hidden, see `baselines.make`.

    Map `[H, W]`, signed: a region's Shapley value, in the question's units, divided by its pixels (ours; captum's map
    repeats the whole value in every pixel), so that the map sums to the score's difference from the baseline. The
    regions come with the undivided values. Copies are the same for every question and batch size.
    """

    defaults: ClassVar[dict[str, Any]] = {"n_segments": 50, "segments": None, "n_samples": 1000, "baseline": "zero",
                                          "batch_size": 64, "seed": 0}

    def prepare(self, job: Job) -> KernelShapEvidence:
        model, x, task = job.model, job.x, job.task
        need_images(self, x)
        check_count(self, "n_segments", self.params["n_segments"])
        fill = baselines.of(job, self.params["baseline"], self.params["seed"])
        found = segments.partitions(self, job, self.params["segments"], self.params["n_segments"])
        labels = [_whole(part) for part in found]
        evidence_drops, solved = [], []
        with torch.no_grad():
            logits, below = model.forward(x, task), model.forward(fill, task)
            job.progress.step(2 * len(x))
            for n, part in enumerate(labels):
                shown, matrix = self._design(int(part.max()) + 1)
                scores = self._scores(job, n, fill[n], part, shown)
                evidence_drops.append(logits[n] - torch.cat([below[n, None], scores]))
                solved.append(torch.from_numpy(matrix).to(x.device))
        evidence = self.evidence(KernelShapEvidence, job, logits, segments=segments.describe(self.params["segments"]))
        evidence.drops, evidence.solved, evidence.labels, evidence.baseline_logits = evidence_drops, solved, labels, below
        return evidence

    def passes(self, x: Tensor) -> int:
        need_images(self, x)
        segments.check(self, self.params["segments"], x)
        return len(x) * (2 + int(self.params["n_samples"]))

    def _design(self, regions: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """The copies `[P, M]` and the solved least squares `[M, 1 + P]`."""
        if regions == 1:
            return np.zeros((0, 1), bool), np.ones((1, 1))
        shown, weights = coalitions(regions, int(self.params["n_samples"]), int(self.params["seed"]))
        matrix = solution(shown, weights)
        if matrix is None:
            raise MethodError(f"kernel-shap: n_samples={self.params['n_samples']} masked copies are too few for {regions} "
                              f"regions; give at least {4 * regions}, or a smaller n_segments.")
        return shown, matrix

    def _scores(self, job: Job, n: int, fill: Tensor, part: NDArray[np.int32], shown: NDArray[np.bool_]) -> Tensor:
        """Scores `[P, K]` of the masked copies of input ``n``."""
        model, image = job.model, job.x[n]
        where, keep = torch.from_numpy(part).to(image.device).long(), torch.from_numpy(shown).to(image.device)
        scores = []
        for some in keep.split(self.params["batch_size"]):
            scores.append(model.forward(torch.where(some[:, where][:, None], image, fill), job.task))
            job.progress.step(len(some))
        job.progress.step(int(self.params["n_samples"]) - len(keep))  # those that were not needed
        return torch.cat(scores) if scores else model.forward(image[None], job.task)[:0]


def check_count(method: Method, name: str, value: Any, least: int = 1) -> None:
    """Raises `MethodError` unless a parameter is a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise MethodError(f"{method.info.name}: {name}={value!r}; give a whole number of at least {least}.")


def _whole(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """The label map with the pixels of no region as one more region."""
    return np.where(labels < 0, labels.max() + 1, labels).astype(np.int32)
