"""Regional multi-scale prediction difference: what the odds lose when a superpixel is replaced by draws from the border.

The mean probability of every class over the draws is kept for every region, so any later question reads a small table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import MethodError
from ..questions import Question
from ..regions import Regions
from . import segments
from .base import Answer, BatchEvidence, Columns, Job, Method
from .kernel_shap import check_count
from .occlusion import need_images
from .registry import register

_TRAINING_IMAGES = 100_000


def border_colours(x: Tensor, n_samples: int, seed: int = 0) -> Tensor:
    """Colours `[N, S, C]` drawn from the normal distribution of each image's outermost pixels (x: `[N, C, H, W]`).

    Mean and covariance over channels of the one-pixel frame (the paper's "boundary prior"; its details are not public,
    so one colour per draw, for the whole region, is ours). The standard draws are the same for every image.
    """
    inside = torch.zeros(x.shape[-2:], dtype=torch.bool)
    inside[1:-1, 1:-1] = True
    frame = x.detach().double().cpu()[:, :, ~inside]  # [N, C, F]
    mean = frame.mean(2)
    off = frame - mean[..., None]
    values, vectors = torch.linalg.eigh(off @ off.mT / frame.shape[2])
    root = vectors * values.clamp_min(0).sqrt()[:, None]  # [N, C, C]
    z = torch.randn(n_samples, x.shape[1], generator=torch.Generator().manual_seed(int(seed)), dtype=torch.float64)
    return (mean[:, None] + z @ root.mT).to(x.device, x.dtype)


class RegionalEvidence(BatchEvidence):
    """Mean probabilities without each region, float64 `[R, K]` for each input (8 bytes x R x K: 3 MB for 375 regions and
    1000 classes), the probabilities with it, `[N, K]`, and the label maps `[scales, H, W]`, one region one number."""

    without: list[Tensor]
    full: Tensor
    labels: list[NDArray[np.int32]]

    def answer(self, columns: Columns) -> Answer:
        maps, regions = [], []
        for column in columns:
            found = [self._map(n, question) for n, question in enumerate(column)]
            maps.append(torch.from_numpy(np.stack([m for m, _ in found])))
            regions.append([r for _, r in found])
        return Answer(torch.stack(maps), regions=regions)

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        raise MethodError("regional is not linear in the question, so it has no per-class maps to add up.")

    def _map(self, n: int, question: Question) -> tuple[NDArray[np.float32], Regions]:
        evidence = self._evidence_of(n, question.bound.target)
        if question.bound.foil:
            evidence = evidence - self._evidence_of(n, question.bound.foil)
        labels = self.labels[n]
        values = np.append(evidence, 0.0)[labels].mean(0)  # the last entry stands for no region, -1
        finest = labels[-1]
        own = np.where(finest >= 0, finest - finest[finest >= 0].min(), -1)
        held = own >= 0
        scores = np.bincount(own[held], values[held]) / np.maximum(np.bincount(own[held]), 1)
        return values.astype(np.float32), Regions(own, scores.astype(np.float32))

    def _evidence_of(self, n: int, members: tuple[int, ...]) -> NDArray[np.float64]:
        """Weight of evidence of each region for a class or group, in bits `[R]`."""
        full, without = self._log_odds(self.full[n, None], members), self._log_odds(self.without[n], members)
        return np.asarray((full - without).cpu().numpy())

    def _log_odds(self, p: Tensor, members: tuple[int, ...]) -> Tensor:
        """log2 odds `[R]` of the members in probabilities `[R, K]`, Laplace corrected: each outcome is seen once more."""
        k, m, count = p.shape[1], len(members), float(self.params["laplace"])
        mine = p[:, list(members)]
        if self.model.activation == "sigmoid":
            against = (1 - mine).prod(1)
            k, m = 2, 1
        else:
            rest = torch.ones(k, dtype=torch.bool, device=p.device)
            rest[list(members)] = False
            against = p[:, rest].sum(1)
        of = 1 - against if self.model.activation == "sigmoid" else mine.sum(1)
        return torch.log2((of * count + m) / (against * count + max(1, k - m)))


@register(name="regional", family="perturbation", linear=False, signed=True, complete=False, needs=("scores",),
          passes="1 + 10 x (25 + 50 + 100 + 200) forwards", seed=True,
          source="Seo et al. 2018; weight of evidence after Zintgraf et al. 2017, eq. 2")
class Regional(Method):
    """Regional multi-scale prediction difference.

    n_segments: about how many SLIC superpixels at each scale (ours). segments: your own partition in their place, see
    `segments.check`. Each region is filled with ``n_samples`` colours drawn from a normal distribution of the image's
    border pixels (`border_colours`), and its weight of evidence is log2 odds(p) - log2 odds(mean over draws of p), with
    p corrected to (p N + 1) / (N + K), N = ``laplace`` (100 000 as in Zintgraf's code (ref)). The map is the mean over
    scales (ours), `[H, W]`, in bits.

    A group's p is the sum of its members' (and m of the K outcomes for the correction; multi-label heads: 1 - the product
    of 1 - p, K = 2). A contrast is the difference of both weights of evidence (ours). The method is defined on
    probabilities, so a question's pool does not enter. Regions: the last scale's, with the map's mean over each (ours).
    """

    defaults: ClassVar[dict[str, Any]] = {"n_segments": (25, 50, 100, 200), "segments": None, "n_samples": 10,
                                          "laplace": _TRAINING_IMAGES, "batch_size": 64, "seed": 0}

    def prepare(self, job: Job) -> RegionalEvidence:
        model, x, task = job.model, job.x, job.task
        self._check(x, job.total)
        if task is not None and not task.probabilistic:
            raise MethodError(f"regional measures probabilities, and the scores of a {task.kind} question are none. Use "
                              "occlusion or kernel-shap.")
        labels = self._labels(job)
        colours = border_colours(x, int(self.params["n_samples"]), self.params["seed"])
        with torch.no_grad():
            logits = model.forward(x, task)
            job.progress.step(len(x))
            without = [self._without(job, n, part, colours[n]) for n, part in enumerate(labels)]
        job.progress.step(max(0, len(x) * self._foreseen() - sum(len(w) for w in without) * colours.shape[1]))
        evidence = self.evidence(RegionalEvidence, job, logits, segments=segments.describe(self.params["segments"]))
        evidence.without, evidence.full, evidence.labels = without, self._probabilities(job, logits), labels
        return evidence

    def passes(self, x: Tensor) -> int:
        self._check(x, len(x))
        return len(x) * (1 + self._foreseen())

    def _foreseen(self) -> int:
        """About how many masked copies an input has."""
        given = self.params["segments"]
        regions = sum(self._scales()) if given is None or isinstance(given, str) else 50
        return regions * int(self.params["n_samples"])

    def _check(self, x: Tensor, total: int) -> None:
        need_images(self, x)
        segments.check(self, self.params["segments"], x, total)
        laplace = self.params["laplace"]
        if isinstance(laplace, bool) or not isinstance(laplace, (int, float)) or not 0 < laplace < float("inf"):
            raise MethodError(f"regional: laplace={laplace!r}; give a positive number of training images.")
        for n in self._scales():
            check_count(self, "n_segments", n)

    def _scales(self) -> list[Any]:
        given = self.params["n_segments"]
        scales = list(given) if isinstance(given, (list, tuple)) else [given]
        if not scales:
            raise MethodError("regional: n_segments is empty; for example n_segments=(25, 50, 100, 200).")
        return scales

    def _labels(self, job: Job) -> list[NDArray[np.int32]]:
        """Label maps `[scales, H, W]` of each input; regions are numbered on from scale to scale."""
        given = self.params["segments"]
        named = given is None or isinstance(given, str)
        found = [segments.partitions(self, job, given, n) for n in (self._scales() if named else [1])]
        out = []
        for maps in zip(*found, strict=True):
            starts = np.cumsum([0, *(int(m.max()) + 1 for m in maps[:-1])])
            out.append(np.stack([np.where(m >= 0, m + s, -1) for m, s in zip(maps, starts, strict=True)]).astype(np.int32))
        return out

    def _without(self, job: Job, n: int, part: NDArray[np.int32], colours: Tensor) -> Tensor:
        """Mean probabilities `[R, K]` over the draws with each region filled."""
        image, draws = job.x[n], len(colours)
        labels = torch.from_numpy(part).to(image.device)
        scale = torch.from_numpy(np.repeat(np.arange(len(part)), np.diff([0, *(int(m.max()) + 1 for m in part)])))
        total: Tensor | None = None
        for item in torch.arange(len(scale) * draws).split(self.params["batch_size"]):
            region, draw = (item // draws).to(image.device), (item % draws).to(image.device)
            hidden = labels[scale[item // draws].to(image.device)] == region[:, None, None]
            filled = torch.where(hidden[:, None], colours[draw][:, :, None, None], image)
            p = self._probabilities(job, job.model.forward(filled, job.task))
            if total is None:
                total = torch.zeros(len(scale), p.shape[1], dtype=p.dtype, device=p.device)
            total.index_add_(0, region, p / draws)
            job.progress.step(len(item))
        assert total is not None
        return total

    def _probabilities(self, job: Job, logits: Tensor) -> Tensor:
        """Probabilities `[N, K]` in double precision: 1 - p must keep its digits where p is near 1."""
        z = logits.double()
        return torch.sigmoid(z) if job.model.activation == "sigmoid" else torch.softmax(z, -1)
