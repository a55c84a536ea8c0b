"""FIDO: how often each place may be dropped while the answer stands, or must be for it to fall."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from . import infill
from .base import Job
from .mask_optimisation import Masked, MaskMethod, Search
from .registry import register

_JUDGES = 32  # draws with which the found rates are judged
_EDGE = 1e-6
_PUBLISHED_PIXELS = 224 * 224


class DropRates(Search):
    """Cells are the logits of the rate at which a place is kept.

    Loss of "ssr" (smallest sufficient region): -E[score] + lambda * sum of kept rates; of "sdr" (smallest destroying
    region): E[score] + lambda * sum of dropped rates; sums over the published 224 x 224 pixels.
    """

    aside: ClassVar[int] = _JUDGES

    def start(self, masked: Masked) -> Tensor:
        return torch.zeros(len(masked), *self.cells, device=masked.x.device)

    def draw(self, chance: torch.Generator) -> tuple[Tensor | None, tuple[int, int]]:
        return self._noise(self.samples, chance), (0, 0)

    def last_draw(self) -> Tensor | None:
        return self._noise(_JUDGES, torch.Generator().manual_seed(int(self.params["seed"]) + 1))

    def _noise(self, count: int, chance: torch.Generator) -> Tensor:
        """Logistic noise `[count, 1, rows, columns]` of cells or of pixels, every draw with its mirror image."""
        drawn = self.cells if self.params["draws"] == "cell" else self.size
        half = torch.rand((count + 1) // 2, 1, *drawn, generator=chance).clamp_(_EDGE, 1 - _EDGE).logit()
        return torch.stack([half, -half], 1).flatten(0, 1)[:count]

    def masks(self, free: Tensor, noise: Tensor | None) -> Tensor:
        """The Concrete relaxation: sigmoid((logit of the kept rate + logistic noise) / temperature)."""
        assert noise is not None
        temperature = float(self.params["temperature"])
        if self.params["draws"] == "cell":
            kept = torch.sigmoid((free + noise) / temperature)
            return self.up(kept.flatten(0, 1)).unflatten(0, kept.shape[:2])
        rates = self.up(free.sigmoid()).clamp(_EDGE, 1 - _EDGE).logit()
        return torch.sigmoid((rates + noise) / temperature)

    def penalty(self, free: Tensor) -> Tensor:
        kept = self.up(free.sigmoid())
        weight = float(self.params["l1"]) * _PUBLISHED_PIXELS / kept[0].numel()
        return weight * (1 - kept if self.minimise else kept).sum((1, 2))

    def values(self, free: Tensor) -> Tensor:
        return (-free if self.minimise else free).sigmoid()


@register(name="fido", family="mask", linear=False, signed=False, complete=False, needs=("gradients",),
          passes="1 forward; 400 forwards and backwards for each question", seed=True,
          source="Chang et al. 2019, eqs. 3 to 5 (ref)")
class Fido(MaskMethod):
    """The map is the rate at which a place is kept ("ssr") or dropped ("sdr"), between 0 and 1, `[H / cell, W / cell]`.

    Every cell of ``cell`` x ``cell`` pixels has a rate (ref: 56 x 56 cells on 224 x 224). With ``draws="cell"`` each cell
    is drawn kept or dropped by the Concrete relaxation of ``temperature`` and the drawn grid is upsampled (bilinear); with
    "pixel" the rates are upsampled and each pixel is drawn (the authors' code does so), which covers the image with a fine
    grain. The score is not bounded, and a fine grid can raise it by scattered dots and outlines that a network reads as
    texture. On four photographs the deletion and insertion scores of SqueezeNet and ViT-Tiny are still best with 4
    (insertion 0.70 and 0.73, with 8: 0.57 and 0.71, SqueezeNet with 16: 0.49); ``cell=16`` draws a few blobs on the object
    and its surroundings, which are easier to look at. Dropped pixels show the in-fill. ``steps`` of Adam
    (``lr``) from a rate of 1/2 lower, with ``n_samples`` draws each (in mirrored pairs, ours; the same for all masks),

        objective="ssr", the smallest sufficient region:  -E[score] + l1 * sum of kept rates
        objective="sdr", the smallest destroying region:   E[score] + l1 * sum of dropped rates

    l1 is the paper's lambda. The sums are those of the published 224 x 224 pixels: on other sizes a pixel counts
    50176 / (H * W) times (ours), so that keeping the same share of a picture costs the same. steps, lr: ours
    (the authors' example takes 300 steps of 0.05 with 8 draws). score: "log-odds" (as published) of the target against all
    other classes, for a contrast against the foil; a question with a pool of its own is scored by that. "question": the
    question's own score. infill: "mean", "local-mean", "blur" (``sigma`` pixels), any baseline (`baselines.make`), or a
    generator: a function (images `[B, C, H, W]`, kept `[B, 1, H, W]` of 0 and 1) -> filled images, called on masked
    batches without a gradient. Each question on each input is a search of its own; ``batch_size`` masked images are passed
    at once, on which nothing but rounding depends (see `MeaningfulPerturbation`). ``params`` of the answer hold the
    ``objective`` reached and the ``masked_score`` left, means over 32 fresh draws.

    Errors: `MethodError` for inputs that are no images, models without gradients and in-fills of a wrong shape.
    """

    kind = DropRates
    defaults: ClassVar[dict[str, Any]] = {
        "objective": "ssr", "infill": "blur", "sigma": 10, "l1": 1e-3, "steps": 100, "n_samples": 4, "lr": 0.4,
        "cell": 4, "draws": "cell", "temperature": 0.1, "score": "log-odds", "batch_size": 32, "seed": 0}

    def search(self, size: tuple[int, int]) -> Search:
        self.number("sigma")
        self.number("lr", strictly=True)
        self.number("temperature", strictly=True)
        self.one_of("draws", "cell", "pixel")
        self.one_of("score", "log-odds", "question")
        sdr = self.one_of("objective", "ssr", "sdr") == "sdr"
        return DropRates(self.params, size, self.cells(size), sdr, samples=int(self.params["n_samples"]))

    def infill(self, job: Job) -> infill.Infill:
        return infill.of(job, self.params["infill"], self.params["sigma"], int(self.params["seed"]))
