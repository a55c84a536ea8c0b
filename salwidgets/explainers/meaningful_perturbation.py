"""Meaningful perturbation: the smallest smooth mask whose blur takes the answer away (or whose sight is enough)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from . import infill
from .base import Job
from .mask_optimisation import Masked, MaskMethod, Search
from .registry import register

_RADII = 10
_PUBLISHED_CELLS = 28 * 28
_PUBLISHED_CELL = 8  # pixels
_FEWEST = 16  # cells along the short side


class Deletion(Search):
    """Cells are the mask itself, between 0 (blurred) and 1 (seen).

    Loss of a deletion: score + l1 * sum(1 - m) + tv * TV(m); of a preservation: -score + l1 * sum(m) + tv * TV(m).
    """

    decay: ClassVar[tuple[float, float]] = (0.9, 0.99)  # gradients shrink a thousandfold once the score is gone
    still: ClassVar[float] = 0.3
    aside: ClassVar[int] = _RADII + 1 + 2 + 1  # the disks, both starts after their trial, and what was found

    def starts(self, masked: Masked) -> list[Tensor]:
        disk = self.start(masked)
        return [disk, torch.full_like(disk, 0.5)]

    def start(self, masked: Masked) -> Tensor:
        """The smallest centred disk that takes 99 % of what blurring everything takes (deletion), or keeps as much."""
        (h, w), r = self.cells, len(masked)
        y, x = (torch.linspace(-1, 1, n) if n > 1 else torch.zeros(1) for n in (h, w))
        far = torch.hypot(y[:, None], x[None])
        radii = torch.arange(_RADII + 1) * (math.sqrt(2) / _RADII)
        disks = (far <= radii[:, None, None]).float()
        disks[0] = 0
        if self.minimise:
            disks = 1 - disks
        disks = disks.to(masked.x.device)
        with torch.no_grad():
            each = self.up(disks)[:, None].expand(-1, r, -1, -1)
            scores = torch.cat([masked.score(part) for part in each.split(masked.at_once)])
        whole, none = (scores[0], scores[-1]) if self.minimise else (scores[-1], scores[0])
        kept = (scores - none) / torch.where(whole == none, 1.0, whole - none)
        enough = kept <= 0.01 if self.minimise else kept >= 0.99
        enough[-1] = True
        return disks[enough.int().argmax(0)]

    def draw(self, chance: torch.Generator) -> tuple[Tensor | None, tuple[int, int]]:
        down, across = torch.randint(-self.rim, self.rim + 1, (2,), generator=chance).tolist()
        return None, (down, across)

    def masks(self, free: Tensor, noise: Tensor | None) -> Tensor:
        return self.up(free)[None]

    def penalty(self, free: Tensor) -> Tensor:
        hidden = 1 - free if self.minimise else free
        beta = float(self.params["tv_beta"])
        tv = (free.diff(dim=1).abs() ** beta).sum((1, 2)) + (free.diff(dim=2).abs() ** beta).sum((1, 2))
        finer = free[0].numel() / _PUBLISHED_CELLS
        area = float(self.params["l1"]) / finer * hidden.sum((1, 2))
        return area + float(self.params["tv"]) * finer ** (beta / 2 - 1) * tv

    def bound(self, free: Tensor) -> Tensor:
        return free.clamp_(0, 1)

    def values(self, free: Tensor) -> Tensor:
        return 1 - free if self.minimise else free


@register(name="meaningful-perturbation", family="mask", linear=False, signed=False, complete=False,
          needs=("gradients",), passes="1 forward; 300 forwards and backwards for each question", seed=True,
          source="Fong & Vedaldi 2017, eqs. 3 and 5 (ref)")
class MeaningfulPerturbation(MaskMethod):
    """The map is what a searched mask hides, 1 - m, between 0 and 1, at the mask's resolution.

    The mask m (1 seen, 0 replaced by the blurred image) has one number per ``cell`` x ``cell`` pixels, is drawn at the
    input's size by bilinear interpolation, and moves for ``steps`` of Adam (``lr``), clamped to [0, 1]. A tenth of the steps
    goes from the smallest centred disk that takes 99 % of the score (as published), a tenth from a flat mask of 1/2 (ours),
    and the rest from the better of the two. The loss of ``variant="deletion"`` is

        score(masked image) + l1 * sum(1 - m) + tv * sum |difference of neighbours|^tv_beta

    and of "preservation" -score + l1 * sum(m) + the same; the map is then what must be seen, m. The sums are those of the
    published 28 x 28 cells (ours on others): with f = cells / 784, hiding counts 1 / f times and the differences
    f^(tv_beta / 2 - 1) times, so that the same picture of a mask costs the same on a finer or a coarser grid. cell=None:
    8 pixels (ref), fewer on small images, so that the short side has 16 cells (ours: a grid of 8 x 8 cannot draw a part).
    Hiding a whole picture costs 784 * l1, 0.08 as published: where all of the score can be taken, the mask hides about a
    quarter of a small picture, and with l1=1e-3 some 14 % (measured on six creatures). On photographs l1=1e-3 drew smaller
    masks that were no better by the deletion and insertion scores of SqueezeNet (on four, with jitter to the end).
    At every step the image is moved beneath the mask by up to ``jitter`` pixels, by the same for all masks; less and less,
    and not at all in the last 0.3 of the steps (ours: as published, jitter to the end, the search stays well above the
    lowest loss). A mask is therefore as small as the score allows, without the rim that jitter to the end leaves.

    score: "probability" (as published): of the target, for a contrast of target against foil alone, which is
    sigmoid(log-odds); a question with a pool of its own is scored by that. "question": the question's own score.
    baseline: what hides, see `infill.make`; sigma: pixels of its blur. Each question on each input is a search of its
    own; ``batch_size`` masks move in one loop. Nothing but rounding depends on the batch, but a search is a long walk, on
    which a last digit can decide at a kink of the network: ``batch_size=1`` gives the same digits in any company.
    ``params`` of the answer hold the ``objective`` reached (without jitter) and the ``masked_score`` left.

    Errors: `MethodError` for inputs that are no images and for models without gradients.
    """

    kind = Deletion
    defaults: ClassVar[dict[str, Any]] = {
        "steps": 300, "lr": 0.1, "l1": 1e-4, "tv": 1e-2, "tv_beta": 3, "cell": None, "jitter": 4, "baseline": "blur",
        "sigma": 10, "variant": "deletion", "score": "probability", "batch_size": 16, "seed": 0}

    def search(self, size: tuple[int, int]) -> Search:
        self.number("sigma")
        self.number("lr", strictly=True)
        self.number("tv_beta", above=1.0)
        self.one_of("score", "probability", "question")
        deletion = self.one_of("variant", "deletion", "preservation") == "deletion"
        rim = min(int(self.number("jitter")), min(size) - 1)
        return Deletion(self.params, size, self.cells(size), deletion, rim=rim)

    def cells(self, size: tuple[int, int]) -> tuple[int, int]:
        if self.params["cell"] is not None:
            return super().cells(size)
        cell = max(1.0, min(_PUBLISHED_CELL, min(size) / _FEWEST))
        return math.ceil(size[0] / cell), math.ceil(size[1] / cell)

    def infill(self, job: Job) -> infill.Infill:
        return infill.of(job, self.params["baseline"], self.params["sigma"], int(self.params["seed"]))
