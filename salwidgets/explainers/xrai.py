"""XRAI: which regions hold most of an attribution map, per pixel.

Regions of several segmentations compete. The one that gains most attribution per new pixel is added, again and again,
until the image is covered. Only the base map depends on the question; segments are found once per input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import MethodError
from ..explanation import resize
from ..regions import Regions
from . import baselines, segments
from .base import Answer, BatchEvidence, Columns, Job, Method, keywords
from .occlusion import need_images
from .path import _RULES, IntegratedGradients, quadrature
from .registry import get, register
from .sampled import Points, Sampled, wide
from .segments import Cover

_LEAST = 50


class TwoWays(Sampled):
    """XRAI's base map: integrated gradients averaged over baselines (black and white, as in PAIR's code (ref)), channels
    kept. Not a method of its own; combinations of earlier questions cost no pass."""

    info = IntegratedGradients.info
    defaults: ClassVar[dict[str, Any]] = {"baselines": ("black", "white"), "steps": 100, "rule": "gauss-legendre",
                                          "channels": "none", "batch_size": 32, "seed": 0}
    label = "integrating"

    def n_points(self) -> int:
        return len(self._baselines()) * (int(self.params["steps"]) + (self.params["rule"] == "trapezoid"))

    def points(self, job: Job) -> Points:
        x = job.x
        starts = torch.stack([baselines.of(job, b, self.params["seed"]) for b in self._baselines()])
        nodes, weights = (torch.as_tensor(v) for v in quadrature(self.params["rule"], int(self.params["steps"])))

        def draw(j: Tensor, i: Tensor, k: int) -> tuple[Tensor, Tensor]:
            which, at = j // len(nodes), (j % len(nodes)).cpu()
            step = x[i] - starts[which, i]
            return starts[which, i] + wide(nodes[at], x) * step, step * wide(weights[at], x)

        return Points(len(starts) * len(nodes), draw, scale=1 / len(starts))

    def _baselines(self) -> list[Any]:
        given = self.params["baselines"]
        return list(given) if isinstance(given, (list, tuple)) else [given]


class XraiEvidence(BatchEvidence):
    """The base method's evidence (or a map that was given, `[N, H, W]`) and the regions of each input.

    Memory: the base map of every question asked (4 bytes x C x H x W with integrated gradients) and `segments.Cover`.
    """

    base: BatchEvidence | Tensor
    covers: list[Cover]

    def answer(self, columns: Columns) -> Answer:
        maps, notices = self._base_maps(columns)
        found = [[add_regions(cover, attribution, self.params["fast"])
                  for cover, attribution in zip(self.covers, row, strict=True)] for row in maps]
        values = np.stack([np.stack([v for v, _ in row]) for row in found])
        return Answer(torch.from_numpy(values.astype(np.float32)), None, notices, [[r for _, r in row] for row in found])

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        raise MethodError("xrai is not linear in the question, so it has no per-class maps to add up.")

    def _base_maps(self, columns: Columns) -> tuple[NDArray[Any], tuple[str, ...]]:
        """Base maps `[Q, N, H, W]` at the input's size."""
        h, w = self.x.shape[-2:]
        if isinstance(self.base, Tensor):
            given = self.base.cpu().numpy()
            return np.broadcast_to(given, (len(columns), *given.shape)), (
                "the base map was given: the same for every question.",)
        self.base.progress = self.progress
        answer = self.base.answer(columns)
        maps = answer.maps.detach().float()
        values = (maps.amax(2) if maps.ndim == 5 else maps).cpu().numpy()
        if values.shape[-2:] != (h, w):
            values = np.stack([np.stack([resize(v, h, w) for v in row]) for row in values])
        return values, answer.notices + self.base.notices


def add_regions(cover: Cover, attribution: NDArray[Any], fast: bool = False, least: int = _LEAST) -> tuple[
        NDArray[np.float64], Regions]:
    """The map `[H, W]` and the regions, most gain first, from a base map `[H, W]`.

    A region's gain is the mean of the base map over those of its pixels that no earlier region holds; regions with fewer
    than ``least`` such pixels are dropped. Pixels that are left get their mean, and come last. ``fast``: regions are
    ranked once, by their mean over all of their pixels. Kapishnikov et al. 2019, algorithm 1; as in PAIR's code (ref).
    """
    mass, size = cover.sums(attribution), cover.size
    both = np.stack([size, mass])
    left = np.stack([cover.over_regions(size), cover.over_regions(mass)])  # what each region still has to add, [2, S]
    free = np.ones(len(size), bool)
    gains: list[float] = []
    rank = np.full(len(size), -1)

    def take(atoms: NDArray[np.intp]) -> None:
        free[atoms], rank[atoms] = False, len(gains)
        gains.append(float(mass[atoms].sum() / size[atoms].sum()))

    def fresh(region: int) -> NDArray[np.intp]:
        atoms = cover.atoms_of(region)
        return atoms[free[atoms]]

    if fast:
        for best in np.argsort(-_density(left, 1), kind="stable"):
            atoms = fresh(int(best))
            if size[atoms].sum() >= least:
                take(atoms)
    else:
        while (left[0] >= least).any():
            atoms = fresh(int(_density(left, least).argmax()))
            take(atoms)
            left -= both[:, atoms] @ cover.member[atoms].astype(float)
    order = np.argsort(-np.asarray(gains), kind="stable")
    place = np.empty(len(gains) + 1, np.int32)
    place[order] = np.arange(len(gains))
    if free.any():
        place[len(gains)], order = len(gains), np.append(order, len(gains))
        take(np.flatnonzero(free))
    scores = np.asarray(gains)
    return scores[rank][cover.atoms], Regions(place[rank][cover.atoms], scores[order].astype(np.float32))


def _density(left: NDArray[np.float64], least: int) -> NDArray[np.float64]:
    """Attribution per pixel `[S]` of pixels and attribution `[2, S]`; -inf for regions below ``least`` pixels."""
    return np.divide(left[1], left[0], out=np.full(left.shape[1], -np.inf), where=left[0] >= least)


@register(name="xrai", family="path", linear=False, signed=False, complete=False, needs=("gradients",),
          passes="200 forwards and backwards", seed=True, source="Kapishnikov et al. 2019, algorithm 1")
class Xrai(Method):
    """XRAI: the regions that hold most attribution per pixel.

    segments: None: Felzenszwalb at scales 50, 100, 150, 250, 500, 1200, sigma 0.8, at least 150 pixels at 224 x 224,
    dilated by a disk of radius 5 (ref); or see `segments.check`. fast: rank the regions once, in place of after each
    addition. base: None: integrated gradients with ``steps`` nodes of ``rule``, averaged over ``baselines``, largest
    channel (ref); the name of any method with signed maps, with its ``base_params``; or a map `[H, W]`, `[N, H, W]` or
    `[N, C, H, W]` (one for each input). steps=50 halves the passes and hardly changes the ranking.

    Map `[H, W]`: each region's gain, in the base map's units per pixel. The regions come with it, best first. A question
    that combines earlier ones costs no pass. With ``base``, needs what that method needs.
    """

    defaults: ClassVar[dict[str, Any]] = {"segments": None, "fast": False, "base": None, "base_params": None,
                                          "baselines": ("black", "white"), "steps": 100, "rule": "gauss-legendre",
                                          "batch_size": 32, "seed": 0}

    def __init__(self, **params: Any):
        super().__init__(**params)
        self.way = self._way()
        if self.way is not None:
            self.info = replace(self.info, needs=self.way.info.needs)  # type: ignore[misc]

    def prepare(self, job: Job) -> XraiEvidence:
        need_images(self, job.x)
        segments.check(self, self.params["segments"], job.x, job.total)
        base: BatchEvidence | Tensor
        if self.way is not None:
            base = self.way.prepare(job)
            logits = base.logits
        else:
            base = job.mine(self._given(job.x, job.total))
            with torch.no_grad():
                logits = job.model.forward(job.x, job.task)
            job.progress.step(len(job.x))
        evidence = self.evidence(XraiEvidence, job, logits, segments=segments.describe(self.params["segments"]))
        evidence.base, evidence.covers = base, segments.covers(self, job, self.params["segments"])
        return evidence

    def passes(self, x: Tensor) -> int:
        need_images(self, x)
        segments.check(self, self.params["segments"], x)
        if self.way is None:
            self._given(x, len(x))
        return len(x) if self.way is None else self.way.passes(x)

    def answer_passes(self, x: Tensor, questions: int = 1) -> int:
        return 0 if self.way is None else self.way.answer_passes(x, questions)

    def _way(self) -> Method | None:
        """The method that makes the base map; None if the map itself was given."""
        base, own = self.params["base"], ("batch_size", "seed")
        if not isinstance(base, str) and self.params["base_params"] not in (None, {}):
            raise MethodError(f"xrai: base_params={self.params['base_params']!r}; they are for the method that base= names.")
        if base is None:
            if self.params["rule"] not in _RULES:
                raise MethodError(f"xrai: rule={self.params['rule']!r} is unknown; choose one of {', '.join(_RULES)}.")
            return TwoWays(**{k: self.params[k] for k in ("baselines", "steps", "rule", *own)})
        if isinstance(base, (Tensor, np.ndarray)):
            return None
        if not isinstance(base, str):
            raise MethodError(f"xrai: base={base!r}; give the name of a method, or a map as an array.")
        kind = get(base)
        if not kind.info.signed or kind.info.class_blind or kind is Xrai:
            raise MethodError(f"xrai: base={base!r} has no signed map of the question; use integrated-gradients, "
                              "gradient-shap, lrp or another method with signed=yes in salwidgets.methods().")
        given = keywords("xrai", "base_params", self.params["base_params"], kind)
        return kind(**{**{k: self.params[k] for k in own if k in kind.defaults}, **given})

    def _given(self, x: Tensor, total: int) -> Tensor:
        """The base map that was given, `[total, H, W]`, for ``total`` inputs like ``x``."""
        values = torch.as_tensor(self.params["base"])
        values = values.amax(1) if values.ndim == 4 else values
        if values.ndim not in (2, 3) or values.shape[-2:] != x.shape[-2:] or (values.ndim == 3 and len(values) != total):
            raise MethodError(f"xrai: a base map of shape {list(torch.as_tensor(self.params['base']).shape)} does not fit "
                              f"{total} inputs of {x.shape[-2]} x {x.shape[-1]}; give [H, W], or one map per input.")
        if not bool(torch.isfinite(values).all()):
            raise MethodError("xrai: the base map holds NaN or infinite values.")
        return values.expand(total, *x.shape[-2:])
