"""More class activation maps from features and gradients. None of them is a weighted sum of class maps but xgrad-cam,
so each question is answered from its own gradient; the forward pass is shared with `cam`."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from ..errors import MethodError
from .base import CHUNK, Columns, Job, weights_of
from .cam import Cam, CamEvidence, FeatureProbe
from .registry import register

FACTS: dict[str, Any] = {"family": "cam", "complete": False, "needs": ("features", "gradients"),
                         "passes": "1 forward, 1 head backward per question", "seed": False}
_SPACE = (-2, -1)


def weighted(w: Tensor, a: Tensor) -> Tensor:
    """sum_k w_k A_k, `[Q, N, h, w]`, for weights `[Q, N, C]` and features `[N, C, h, w]`."""
    return torch.einsum("qnc,nchw->qnhw", w, a)


def check_choice(method: Cam, name: str, *choices: Any) -> None:
    """Raises `MethodError` unless the parameter ``name`` is one of ``choices``."""
    if method.params[name] not in choices:
        raise MethodError(f"{method.info.name}: {name}={method.params[name]!r}; use {' or '.join(map(repr, choices))}.")


@register(name="grad-cam++", linear=False, signed=False, source="Chattopadhay et al. 2018, eq. 19", **FACTS)
class GradCamPlusPlus(Cam):
    """w_k = sum relu(g) alpha with alpha = g^2 / (2 g^2 + sum(A) g^3 + eps), as the reference code computes it (ref).

    eps: 1e-6; it matters where gradients are small (1 / area of a pooled map), so implementations that choose
    another differ a little. Weights are at least 0 where the features are: the map shows evidence for, only.
    """

    defaults = {**Cam.defaults, "eps": 1e-6}

    def combine(self, a: Tensor, g: Tensor) -> Tensor:
        bottom = 2 * g**2 + a.sum(_SPACE, keepdim=True) * g**3 + self.params["eps"]
        return weighted((g.relu() * g**2 / bottom).sum(_SPACE), a)


@register(name="xgrad-cam", linear=True, signed=True, source="Fu et al. 2020, eq. 8", **FACTS)
class XGradCam(Cam):
    """w_k = sum(g A) / (sum(A) + eps), eps = 1e-7 (ref): gradients averaged where the channel is active."""

    def combine(self, a: Tensor, g: Tensor) -> Tensor:
        return weighted(torch.einsum("qnchw,nchw->qnc", g, a) / (a.sum(_SPACE) + 1e-7), a)


@register(name="layer-cam", linear=False, signed=False, source="Jiang et al. 2021, eq. 5 and 6", **FACTS)
class LayerCam(Cam):
    """sum_k relu(g_k) A_k, each cell with its own weight (ref)."""

    def combine(self, a: Tensor, g: Tensor) -> Tensor:
        return torch.einsum("qnchw,nchw->qnhw", g.relu(), a)


def first_component(maps: Tensor) -> Tensor:
    """Projection of every cell on the first principal direction of the channels, `[..., h, w]`, for ``maps``
    `[..., C, h, w]`; cells are centred. Its sign is arbitrary."""
    x = maps.flatten(-2).double()
    x = x - x.mean(-1, keepdim=True)
    channels, cells = x.shape[-2:]
    # The smaller Gram matrix has the same first component, and is many times cheaper than the SVD.
    if cells <= channels:
        values, vectors = torch.linalg.eigh(x.mT @ x)
        flat = vectors[..., -1] * values[..., -1:].clamp_min(0).sqrt()
    else:
        flat = (torch.linalg.eigh(x @ x.mT)[1][..., None, :, -1] @ x)[..., 0, :]
    return flat.unflatten(-1, maps.shape[-2:]).float()


@register(name="eigen-cam", linear=False, signed=True, class_blind=True, source="Muhammad & Yeasin 2020",
          **{**FACTS, "needs": ("features",), "passes": "1 forward"})
class EigenCam(Cam):
    """The features' first principal component over the cells, centred (ref). Class-blind: no question changes it.

    The component has no sign of its own: its larger extreme is made positive, and values below 0 are below the
    image's mean, no evidence against anything.
    """

    def combine(self, a: Tensor, g: Tensor) -> Tensor:
        flat = first_component(a)
        turned = flat.amax(_SPACE, keepdim=True) < -flat.amin(_SPACE, keepdim=True)
        return torch.where(turned, -flat, flat)[None]


@register(name="eigen-grad-cam", linear=False, signed=True, source="Muhammad & Yeasin 2020, on g A",
          **FACTS)
class EigenGradCam(Cam):
    """The first principal component of g A (ref), with the sign that agrees with sum_k g_k A_k (ours), so that the
    opposite question gives the opposite map."""

    def combine(self, a: Tensor, g: Tensor) -> Tensor:
        maps = g * a
        flat, evidence = first_component(maps), maps.sum(-3)
        turned = (flat * (evidence - evidence.mean(_SPACE, keepdim=True))).sum(_SPACE, keepdim=True) < 0
        return torch.where(turned, -flat, flat)


@register(name="threshold-grad-cam", linear=False, signed=False, source="Khalfaoui-Hassani et al. 2024",
          **FACTS)
class ThresholdGradCam(Cam):
    """mean_k relu(mean(g_k) A_k), scaled to [0, 1] per image, with what is below ``floor`` set to 0 (ref).

    floor: 0.3. relu before the mean over channels keeps channels from cancelling each other.
    """

    defaults = {**Cam.defaults, "floor": 0.3}

    def __init__(self, **params: Any):
        super().__init__(**params)
        self.number("floor", below=1.0)

    def combine(self, a: Tensor, g: Tensor) -> Tensor:
        maps = (g.mean(_SPACE, keepdim=True) * a).relu().mean(-3)
        low, high = maps.amin(_SPACE, keepdim=True), maps.amax(_SPACE, keepdim=True)
        maps = (maps - low) / (high - low).clamp_min(torch.finfo(maps.dtype).tiny)
        return maps * (maps >= self.params["floor"])


class FinerEvidence(CamEvidence):
    """Features whose questions are sharpened against their nearest rivals."""

    def question_weights(self, columns: Columns) -> Tensor:
        w = weights_of(columns, self.logits)
        asked = torch.einsum("qnk,nk->qn", w, self.logits) / w.clamp_min(0).sum(-1).clamp_min(1e-12)
        distance = (self.logits - asked[..., None]).abs().masked_fill(w != 0, torch.inf)
        count = min(self.params["n_rivals"], int((w == 0).sum(-1).min()))
        nearest = distance.topk(count, largest=False).indices
        rivals = torch.zeros_like(w).scatter_(-1, nearest, 1.0 / max(1, count))
        return w - self.params["alpha"] * w.sum(-1, keepdim=True) * rivals


@register(name="finer-cam", linear=False, signed=True, source="Zhang et al. 2025, eq. 5", **FACTS)
class FinerCam(Cam):
    """Grad-CAM of the score less ``alpha`` times the mean of the ``n_rivals`` logits nearest to it (lit).

    alpha: 1; n_rivals: 3. A contrast names its rivals already (its weights sum to 0): it is Grad-CAM's.
    """

    defaults = {**Cam.defaults, "alpha": 1.0, "n_rivals": 3}
    evidence_kind = FinerEvidence

    def __init__(self, **params: Any):
        super().__init__(**params)
        self.whole("n_rivals", least=0)

    def combine(self, a: Tensor, g: Tensor) -> Tensor:
        return weighted(g.mean(_SPACE), a)


def copies_at_once(batch_size: int, inputs: int) -> int:
    """How many copies of so many inputs run at once."""
    return max(1, batch_size // inputs)


class SmoothEvidence(CamEvidence):
    """Clean features, and the ``noise`` `[S, 1, ...]` of the copies, in units of ``spread`` `[N, 1, ...]`.

    The head's graph of the copies is ``kept`` where one part holds them all. Else memory is short: each part runs again
    for every answer, and its graph goes with it.
    """

    noise: Tensor
    spread: Tensor
    kept: FeatureProbe | None

    def part(self) -> int:
        """How many copies of the batch run at once."""
        return copies_at_once(self.params["batch_size"], len(self.x))

    def noisy(self, noise: Tensor) -> FeatureProbe:
        """The probe of the copies with ``noise`` `[s, 1, ...]`, in the order [copy][input]."""
        copies = (self.x + self.spread * noise.to(self.x)).flatten(0, 1)
        with torch.inference_mode(False), self.model.session():
            return FeatureProbe(self.model, copies, self.params["layer"], self.task)

    def _maps(self, weights: Tensor) -> Tensor:
        a, size = self.probe.features, min(self.part(), len(self.noise))
        return torch.cat([self.way.combine(a, self._moments(w)) for w in weights.split(max(1, self.at_once() // size))])

    def _moments(self, weights: Tensor) -> Tensor:
        """Means over the copies of the gradients' powers 1 to 3, `[3, Q, N, C, h, w]`."""
        sums: list[Tensor] = []
        for noise in self.noise.split(self.part()):
            probe = self.kept or self.noisy(noise)
            g = probe.gradients(weights.repeat(1, len(noise), 1)).unflatten(1, (len(noise), len(self.x)))
            powers = torch.stack([g.sum(1), g.square().sum(1), g.pow(3).sum(1)])
            sums = [sums[0].add_(powers) if sums else powers]
            if self.kept is None and self.progress is not None:
                self.progress.step(len(noise) * len(self.x))
        return sums[0] / len(self.noise)


@register(name="smooth-grad-cam++", linear=False, signed=False, source="Omeiza et al. 2019, eq. 8 to 10",
          **{**FACTS, "passes": "1 + n_samples forwards, as many head backwards per question", "seed": True})
class SmoothGradCamPlusPlus(Cam):
    """Grad-CAM++ with powers of the gradient averaged over noisy copies: w_k = sum relu(D1) alpha, with
    alpha = D2 / (2 D2 + sum(A) D3 + eps) and Dp = mean over copies of g^p (ref).

    n_samples: 4 copies. std: 0.3 of the input's own range. numerator: "D2"; the paper prints "D1". maps: channels to
    use (None: all). neurons: cells (row, column) whose gradients count (None: all). batch_size: 64 copies at once, all
    of them at the defaults; where there are more, the parts run again for every answer (the map is the same).
    Gradients of a question that is not linear are taken with the weights it has at the clean input (ours).
    """

    defaults: ClassVar[dict[str, Any]] = {**Cam.defaults, "n_samples": 4, "std": 0.3, "numerator": "D2", "eps": 1e-8,
                                          "maps": None, "neurons": None, "batch_size": 64, "seed": 0}
    evidence_kind = SmoothEvidence

    def combine(self, a: Tensor, g: Tensor) -> Tensor:
        d1, d2, d3 = g
        top = d1 if self.params["numerator"] == "D1" else d2
        each = d1.relu() * top / (2 * d2 + a.sum(_SPACE, keepdim=True) * d3 + self.params["eps"])
        if self.params["neurons"] is not None:
            rows, columns = self._cells(a).T
            each = each[..., rows, columns][..., None]
        w = each.sum(_SPACE)
        keep = slice(None) if self.params["maps"] is None else self._channels(a)
        return weighted(w[..., keep], a[:, keep])

    def prepare(self, job: Job) -> CamEvidence:
        check_choice(self, "numerator", "D1", "D2")
        evidence, x, copies = super().prepare(job), job.x, int(self.params["n_samples"])
        assert isinstance(evidence, SmoothEvidence)
        if self.params["maps"] is not None:
            self._channels(evidence.probe.features)
        if self.params["neurons"] is not None:
            self._cells(evidence.probe.features)
        rest = tuple(range(1, x.ndim))
        evidence.spread = (x.amax(rest, keepdim=True) - x.amin(rest, keepdim=True)) * self.params["std"]
        # Every input gets the same draws, so that its map does not depend on which others are in the batch.
        evidence.noise = torch.randn(copies, 1, *x.shape[1:], generator=torch.Generator().manual_seed(self.params["seed"]))
        evidence.kept = evidence.noisy(evidence.noise) if evidence.part() >= copies else None
        if evidence.kept is not None:
            job.progress.step(copies * len(x))
        return evidence

    def _channels(self, a: Tensor) -> Tensor:
        """``maps`` as indices `[k]` of the channels of ``a`` `[N, C, h, w]`."""
        index = _indices(self.params["maps"])
        if index is None or index.ndim != 1 or not bool(((index >= 0) & (index < a.shape[1])).all()):
            raise MethodError(f"{self.info.name}: maps={self.params['maps']!r}; give a list of channels, 0 to "
                              f"{a.shape[1] - 1} at this layer, or None for all.")
        return index.to(a.device)

    def _cells(self, a: Tensor) -> Tensor:
        """``neurons`` as (row, column) `[k, 2]` of the cells of ``a`` `[N, C, h, w]`."""
        index = _indices(self.params["neurons"])
        index = index[None] if index is not None and index.ndim == 1 else index  # a single cell
        if index is None or index.ndim != 2 or index.shape[1] != 2 or \
                not bool(((index >= 0) & (index < torch.tensor(a.shape[-2:]))).all()):
            raise MethodError(f"{self.info.name}: neurons={self.params['neurons']!r}; give a list of cells (row, column), "
                              f"0 to {a.shape[-2] - 1} and 0 to {a.shape[-1] - 1} at this layer, or None for all.")
        return index.to(a.device)

    def passes(self, x: Tensor) -> int:
        return len(x) * (1 + int(self.params["n_samples"])) - self.answer_passes(x)

    def answer_passes(self, x: Tensor, questions: int = 1) -> int:
        copies = int(self.params["n_samples"])
        return len(x) * copies if copies > copies_at_once(self.params["batch_size"], min(len(x), CHUNK)) else 0


def _indices(given: Any) -> Tensor | None:
    """Whole numbers as a tensor on the CPU; None if they are none."""
    try:
        index = torch.as_tensor(given).cpu()
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None
    whole = not (index.is_floating_point() or index.is_complex() or index.dtype == torch.bool)
    return index.long() if whole and index.numel() else None
