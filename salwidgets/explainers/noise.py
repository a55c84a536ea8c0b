"""Gradients over random copies of the input: SmoothGrad, VarGrad, GradientSHAP.

The noise comes from ``seed`` alone and is the same for every question and every input (scaled to the input's range),
so that a contrast is the difference of two maps and an input has one map, alone or in a batch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..errors import MethodError
from . import baselines, noisy
from .base import BatchEvidence, Job, Method
from .gradients import ANY, check_channels, need_floats
from .path import quadrature
from .registry import register
from .sampled import Points, Sampled, wide

_CARRIED = ("steps", "baseline", "batch_size", "seed")
_OF = ("saliency", "input-x-gradient", "integrated-gradients")


def _noise(x: Tensor, n_samples: int, seed: int) -> Tensor:
    """Standard normal noise `[n_samples, ...]` for one input, made on the CPU so that every device has the same."""
    return torch.randn(n_samples, *x.shape[1:], generator=torch.Generator().manual_seed(int(seed))).to(x.device, x.dtype)


def _range(x: Tensor) -> Tensor:
    """Largest minus smallest value of each input, `[N, 1, ...]`."""
    rest = tuple(range(1, x.ndim))
    return x.amax(rest, keepdim=True) - x.amin(rest, keepdim=True)


class NoisyCopies(Sampled):
    """Base of SmoothGrad and VarGrad: attributions of noisy copies."""

    defaults: ClassVar[dict[str, Any]] = {"of": "saliency", "of_params": None, "n_samples": 25, "noise_level": 0.15,
                                          "steps": 20, "baseline": "zero", "channels": "sum", "batch_size": 32, "seed": 0}
    label = "adding noise"
    spread = False

    def __init__(self, **params: Any):
        super().__init__(**params)
        of, given = self.params["of"], self.params["of_params"]
        self.way: Method | None = None
        if of not in _OF:
            own: dict[str, Any] = {k: params[k] for k in _CARRIED if k in params}
            self.way = noisy.base_of(self.info.name, of, given, own)
            linear = self.info.linear and self.way.info.linear
            self.info = replace(self.info, linear=linear, needs=self.way.info.needs)  # type: ignore[misc]
        elif given is not None and given != {}:
            raise MethodError(f"{self.info.name}: of={of!r} takes steps= and baseline=; of_params are for other methods.")

    def n_points(self) -> int:
        return int(self.params["n_samples"]) * (int(self.params["steps"]) if self.params["of"] == _OF[2] else 1)

    def prepare(self, job: Job) -> BatchEvidence:  # type: ignore[override]
        if self.way is None:
            return super().prepare(job)
        check_channels(self)
        need_floats(self, job.x)
        noise = _noise(job.x, int(self.params["n_samples"]), self.params["seed"])
        return noisy.prepare(self, self.way, job, noise, self.params["noise_level"] * _range(job.x), self.spread)

    def points(self, job: Job) -> Points:
        of, n, x = self.params["of"], int(self.params["n_samples"]), job.x
        noise, sigma = _noise(x, n, self.params["seed"]), self.params["noise_level"] * _range(x)

        def copy(j: Tensor, i: Tensor) -> Tensor:
            own = (x, sigma) if len(x) == 1 else (x[i], sigma[i])
            return noise[j].mul_(own[1]).add_(own[0])

        def plain(j: Tensor, i: Tensor, k: int) -> tuple[Tensor, Tensor | float]:
            at = copy(j, i)
            return at, (1.0 if of == "saliency" else at)

        if of != "integrated-gradients":
            return Points(n, plain, scale=1 / n, spread=self.spread)
        start = baselines.of(job, self.params["baseline"], self.params["seed"])
        nodes, weights = quadrature("gauss-legendre", int(self.params["steps"]))

        def along(j: Tensor, i: Tensor, k: int) -> tuple[Tensor, Tensor | float]:
            step = copy(j, i) - start[i]
            return start[i] + float(nodes[k]) * step, step * float(weights[k])

        return Points(n, along, nodes=len(nodes), scale=1 / n, spread=self.spread)


@register(name="smoothgrad", family="gradient", linear=True, signed=True, complete=False, needs=("gradients",),
          passes="25 forwards and backwards", seed=True, modality=ANY, source="Smilkov et al. 2017, eq. 2")
class SmoothGrad(NoisyCopies):
    """The mean over noisy copies: (1/n) sum_j M(x + noise_level * (max x - min x) * e_j), e_j standard normal.

    M is what ``of`` says: "saliency", "input-x-gradient" or "integrated-gradients" (with ``steps`` Gauss-Legendre nodes
    from ``baseline``), or any other method of the input's values, with its ``of_params``: "blur-ig", "guided-ig",
    "deeplift", "guided-backprop", "deconvnet", "lrp" …, which is asked about every copy by every question. Map `[N, H, W]`,
    signed: the published squares and absolute values are left out. The noise is the same for every question (ours), which
    keeps the method linear where M is.
    """


@register(name="vargrad", family="gradient", linear=False, signed=False, complete=False, needs=("gradients",),
          passes="25 forwards and backwards", seed=True, modality=ANY, source="Adebayo et al. 2018, sec. 3")
class VarGrad(NoisyCopies):
    """The variance over noisy copies of M, value by value: mean_j M_j^2 - (mean_j M_j)^2, never negative.

    Parameters as for smoothgrad. Channels are combined after the variance is taken.
    """

    spread = True


@register(name="gradient-shap", family="gradient", linear=True, signed=True, complete=False, needs=("gradients",),
          passes="25 forwards and backwards", seed=True, modality=ANY, source="Lundberg & Lee 2017; as in captum (ref)")
class GradientShap(Sampled):
    """Expected gradients: the mean over j of (x_j - b_j) * gradient(b_j + a_j (x_j - b_j)), a_j uniform on [0, 1].

    x_j: the input with noise of ``noise_level`` times its range (0, as in captum). b_j: drawn from ``baselines``: one of
    what `baselines.make` takes, a list of these, or an array of B background inputs `[B, ...]`. Map `[N, H, W]`, signed;
    its sum is the score difference on average over draws only, so none is promised. Draws are shared by all questions
    and inputs (ours).
    """

    defaults: ClassVar[dict[str, Any]] = {"baselines": "zero", "n_samples": 25, "noise_level": 0.0, "channels": "sum",
                                          "batch_size": 32, "seed": 0}

    def points(self, job: Job) -> Points:
        n, x = int(self.params["n_samples"]), job.x
        below = self._backgrounds(job)
        noise, sigma = _noise(x, n, self.params["seed"]), self.params["noise_level"] * _range(x)
        chance = torch.Generator().manual_seed(int(self.params["seed"]))
        alpha = torch.rand(n, generator=chance).to(x.device)
        which = torch.randint(len(below), (n,), generator=chance).to(x.device)

        def draw(j: Tensor, i: Tensor, k: int) -> tuple[Tensor, Tensor | float]:
            b = below[which[j], i]
            step = x[i] + noise[j] * sigma[i] - b
            return b + wide(alpha[j], x) * step, step

        return Points(n, draw, scale=1 / n)

    def _backgrounds(self, job: Job) -> Tensor:
        """Backgrounds `[B, N, ...]`."""
        given, x, seed = self.params["baselines"], job.x, self.params["seed"]
        if isinstance(given, (Tensor, np.ndarray)) and given.ndim == x.ndim:
            rows = torch.as_tensor(given).to(x.device, x.dtype)
            if rows.shape[1:] != x.shape[1:] or not len(rows):
                raise MethodError(f"baselines of shape {list(rows.shape)} do not fit inputs {list(x.shape[1:])}.")
            return rows[:, None].expand(-1, *x.shape)
        several = list(given) if isinstance(given, (list, tuple)) else [given]
        if not several:
            raise MethodError("gradient-shap: the list of baselines is empty; for example baselines=['black', 'white'].")
        return torch.stack([baselines.of(job, b, seed) for b in several])
