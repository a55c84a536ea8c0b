"""Masks that are searched for: Adam on the cells of many masks at once, with the network frozen.

Every question on every input has a mask of its own, and all of them are moved in one loop. The masks never meet: each
has its own loss, and chance (jitter, draws) comes from the seed alone, so that company changes a mask by rounding only.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import MethodError
from ..explanation import Explanation
from ..questions import Question
from .base import Answer, BatchEvidence, Columns, Job, Method, apply
from .infill import Infill
from .occlusion import need_images
from .progress import Progress, ProgressOption

_TINY = 1e-8
_TRIED = 0.1  # share of the steps that every start has, where there are several
_CLEARLY = 1e-4  # by how much a later start has to be better: ties must not be decided by rounding


class Search(ABC):
    """What is searched for. ``free`` are the numbers that Adam moves, `[R, h, w]`, one grid per mask.

    size: of the images (rows, columns). cells: of the grid. minimise: whether the masked score shall fall (else rise).
    samples: masks drawn per step. rim: by how many pixels the image may be moved beneath the mask. decay: of Adam's two
    means. still: the share of the steps, at the end, in which the image is not moved; before, less and less.
    aside: passes for each mask besides its steps: starts that are tried out, and masks that are judged.
    """

    decay: ClassVar[tuple[float, float]] = (0.9, 0.999)
    still: ClassVar[float] = 0.0
    aside: ClassVar[int] = 0

    def __init__(self, params: dict[str, Any], size: tuple[int, int], cells: tuple[int, int], minimise: bool,
                 samples: int = 1, rim: int = 0):
        self.params, self.size, self.cells, self.minimise = params, size, cells, minimise
        self.samples, self.rim = samples, rim

    @abstractmethod
    def start(self, masked: Masked) -> Tensor:
        """Where the search begins, `[R, h, w]`."""

    def starts(self, masked: Masked) -> list[Tensor]:
        """All places where it may begin, each `[R, h, w]`; where none is clearly better, the first."""
        return [self.start(masked)]

    @abstractmethod
    def draw(self, chance: torch.Generator) -> tuple[Tensor | None, tuple[int, int]]:
        """One step's chance, shared by all masks: noise `[S, 1, H, W]` (or None) and the jitter (rows, columns)."""

    @abstractmethod
    def masks(self, free: Tensor, noise: Tensor | None) -> Tensor:
        """Masks `[S, R, H, W]` between 0 (hidden) and 1 (kept)."""

    @abstractmethod
    def penalty(self, free: Tensor) -> Tensor:
        """What a mask costs by itself, `[R]`."""

    @abstractmethod
    def values(self, free: Tensor) -> Tensor:
        """The map `[R, h, w]`."""

    def last_draw(self) -> Tensor | None:
        """Noise with which the found masks are judged, `[S, 1, H, W]`, or None."""
        return None

    def bound(self, free: Tensor) -> Tensor:
        """``free``, put back into its range in place where it has one."""
        return free

    def up(self, cells: Tensor) -> Tensor:
        """Cells `[R, h, w]` at the input's size, `[R, H, W]`, bilinear."""
        if cells.shape[-2:] == self.size:
            return cells
        return F.interpolate(cells[:, None], self.size, mode="bilinear", align_corners=False)[:, 0]


class Masked:
    """The scores of R (question, input) pairs under masks. ``x`` `[R, C, H + 2j, W + 2j]` has a rim to jitter in."""

    def __init__(self, evidence: MaskEvidence, questions: list[Question], index: Tensor, bar: Progress):
        self.model, self.task, self.bar = evidence.model, evidence.task, bar
        self.infill, self.rim, self.questions = evidence.infill, evidence.search.rim, questions
        self.bounded = evidence.params["score"] == "probability"
        self.at_once = max(1, int(evidence.params["batch_size"]) // len(questions))
        self.x = _rimmed(evidence.x[index], self.rim)
        still = evidence.infill.still
        self.still = None if still is None else _rimmed(still[index], self.rim)
        self.sides = _sides(questions, self.x.device)

    def __len__(self) -> int:
        return len(self.questions)

    def score(self, masks: Tensor, jitter: tuple[int, int] = (0, 0)) -> Tensor:
        """Scores `[S, R]` under ``masks`` `[S, R, H, W]`, with the image moved by ``jitter`` beneath them."""
        s, (h, w) = len(masks), masks.shape[-2:]
        top, left = self.rim + jitter[0], self.rim + jitter[1]
        window = (..., slice(top, top + h), slice(left, left + w))
        m = masks[:, :, None].to(self.x.dtype)
        image = self.x[window]
        if self.still is not None:
            under = self.still[window]
            shown = torch.addcmul(under, m, image - under).flatten(0, 1)
        else:
            copies = image.expand(s, *image.shape).flatten(0, 1)
            flat = m.flatten(0, 1)
            shown = torch.lerp(self.infill.paint(copies, flat), copies, flat)
        logits = self.model.forward(shown, self.task)
        self.bar.step(len(shown))
        return self._read(logits.reshape(s, len(self), -1))

    def _read(self, logits: Tensor) -> Tensor:
        """Each pair's own score `[S, R]` of logits `[S, R, K]`."""
        if self.sides is not None:
            target, other = (logits.masked_fill(~side, -torch.inf).logsumexp(-1) for side in self.sides)
            odds = target - other
            return torch.sigmoid(odds) if self.bounded else odds
        scores = apply([self.questions], logits.transpose(0, 1))[0].T
        if not self.bounded:
            return scores
        odds_like = torch.tensor([q.pool == "log-odds" for q in self.questions], device=scores.device)
        return torch.where(odds_like, torch.sigmoid(scores), scores)


def _rimmed(x: Tensor, rim: int) -> Tensor:
    return F.pad(x, [rim] * 4, mode="reflect") if rim else x


def _sides(questions: list[Question], device: torch.device) -> tuple[Tensor, Tensor] | None:
    """Which classes stand on either side of each question's odds, bool `[R, K]` twice; None if some are no such odds."""
    if any(q.pool != "log-odds" or q.bound.activation != "softmax" for q in questions):
        return None
    target = torch.zeros(len(questions), questions[0].bound.n_classes, dtype=torch.bool)
    other = target.clone()
    for r, q in enumerate(questions):
        target[r, list(q.bound.target)] = True
        other[r] = ~target[r]
        if q.bound.foil:
            other[r] = False
            other[r, list(q.bound.foil)] = True
    return target.to(device), other.to(device)


def as_odds(question: Question) -> Question:
    """The question as log-odds, unless it names a pool of its own or reads scores that do not compete."""
    b = question.bound
    competing = question.task is None or question.task.probabilistic
    if question.pool != "mean" or not competing or (len(b.target) == b.n_classes and not b.foil):
        return question
    return replace(question, pool="log-odds")


class MaskEvidence(BatchEvidence):
    """The inputs and their in-fills: each question is a search of its own."""

    search: Search
    infill: Infill
    show: ProgressOption
    _objective: list[list[tuple[float, float]]]

    def answer(self, columns: Columns) -> Answer:
        own = self.params["score"] == "question"
        asked = [(q if own else as_odds(q), n) for column in columns for n, q in enumerate(column)]
        size = max(1, int(self.params["batch_size"]) // self.search.samples)
        each = int(self.params["steps"]) * self.search.samples + self.search.aside
        bar = self.progress or Progress(len(asked) * each, "searching masks", self.show)
        maps, found = [], []
        with self.model.session(), nullcontext(bar) if bar is self.progress else bar:
            for k in range(0, len(asked), size):
                part = asked[k:k + size]
                index = torch.tensor([n for _, n in part], device=self.x.device)
                masked = Masked(self, [q for q, _ in part], index, bar)
                free = optimise(self.search, masked, int(self.params["steps"]), float(self.params["lr"]),
                                int(self.params["seed"]))
                maps.append(self.search.values(free))
                found += judge(self.search, masked, free)
        n = len(self.x)
        self._objective = [found[q * n:(q + 1) * n] for q in range(len(columns))]
        return Answer(torch.cat(maps).reshape(len(columns), n, *self.search.cells))

    def explanations(self, columns: Columns) -> list[list[Explanation]]:
        rows = super().explanations(columns)
        for n, row in enumerate(rows):
            for q, e in enumerate(row):
                objective, score = self._objective[q][n]
                e.params |= {"objective": objective, "masked_score": score}
        return rows

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        raise MethodError(f"{self.method} searches a mask for each question; it has no per-class maps to add up.")


@dataclass
class Walk:
    """Where Adam stands: the numbers, its two means of the gradient, all `[R, h, w]`, and the steps taken."""

    free: Tensor
    first: Tensor
    second: Tensor
    taken: int = 0

    @classmethod
    def begin(cls, start: Tensor) -> Walk:
        free = start.detach().float()
        return cls(free, torch.zeros_like(free), torch.zeros_like(free))


def optimise(search: Search, masked: Masked, steps: int, lr: float, seed: int) -> Tensor:
    """``steps`` of Adam in all; the numbers found, `[R, h, w]`.

    Where the search has several starts, a tenth of the steps is taken from each, and every mask goes on from its best.
    """
    walks = [Walk.begin(start) for start in search.starts(masked)]
    tried = int(_TRIED * steps) if len(walks) > 1 else 0
    last = steps - tried * (len(walks) - 1)
    for walk in walks:
        chance = torch.Generator().manual_seed(seed)  # the same for every start
        _go(search, masked, walk, tried, last, lr, chance)
    walk = _best(search, masked, walks)
    _go(search, masked, walk, last, last, lr, chance)
    return walk.free


def _best(search: Search, masked: Masked, walks: list[Walk]) -> Walk:
    """For every mask the walk that has come to the lowest loss, without jitter."""
    if len(walks) == 1:
        return walks[0]
    loss = torch.stack([_judge(search, masked, walk.free)[0] for walk in walks])
    loss[1:] += _CLEARLY
    rows = loss.argmin(0), torch.arange(len(masked), device=loss.device)
    free, first, second = (torch.stack([getattr(walk, name) for walk in walks])[rows]
                           for name in ("free", "first", "second"))
    return Walk(free, first, second, walks[0].taken)


def _go(search: Search, masked: Masked, walk: Walk, until: int, last: int, lr: float, chance: torch.Generator) -> None:
    """Adam, in place, until so many steps are taken. last: how many steps the walk has when it ends."""
    early, late = search.decay
    moving = (1 - search.still) * last
    while walk.taken < until:
        noise, drawn = search.draw(chance)
        reach = max(0.0, 1 - walk.taken / moving) if search.still else 1.0
        g = _gradient(search, masked, walk.free, noise, (round(reach * drawn[0]), round(reach * drawn[1])))
        walk.taken += 1
        walk.first.lerp_(g, 1 - early)
        walk.second.mul_(late).addcmul_(g, g, value=1 - late)
        root = (walk.second / (1 - late ** walk.taken)).sqrt_().add_(_TINY)
        walk.free.addcdiv_(walk.first, root, value=-lr / (1 - early ** walk.taken))
        search.bound(walk.free)


def _gradient(search: Search, masked: Masked, free: Tensor, noise: Tensor | None, jitter: tuple[int, int]) -> Tensor:
    """d loss / d free. Each mask's loss depends on its own cells only, so one backward pass serves all."""
    parts = [None] if noise is None else list(noise.to(free.device).split(masked.at_once))
    total = torch.zeros_like(free)
    for k, part in enumerate(parts):
        with torch.enable_grad():
            leaf = free.detach().requires_grad_()
            scores = masked.score(search.masks(leaf, part), jitter)
            if not scores.requires_grad:
                raise MethodError(f"{masked.model.name} gives scores without a gradient (it detaches them, or runs under "
                                  "no_grad); use occlusion or rise, which need scores only.")
            loss = scores.sum() / search.samples * (1 if search.minimise else -1)
            if k == 0:
                loss = loss + search.penalty(leaf).sum()
            total += torch.autograd.grad(loss, leaf)[0]
    return total


def judge(search: Search, masked: Masked, free: Tensor) -> list[tuple[float, float]]:
    """For every mask its loss, without jitter, and the score that it leaves (mean over fresh draws)."""
    loss, left = _judge(search, masked, free)
    return list(zip(loss.tolist(), left.tolist(), strict=True))


@torch.no_grad()
def _judge(search: Search, masked: Masked, free: Tensor) -> tuple[Tensor, Tensor]:
    noise = search.last_draw()
    parts = [None] if noise is None else list(noise.to(free.device).split(masked.at_once))
    left = torch.cat([masked.score(search.masks(free, part)) for part in parts]).mean(0)
    return (left if search.minimise else -left) + search.penalty(free), left


class MaskMethod(Method):
    """Base of the methods that search for a mask."""

    kind: ClassVar[type[Search]]

    def search(self, size: tuple[int, int]) -> Search:
        """What is searched for on images of ``size``."""
        raise NotImplementedError

    def infill(self, job: Job) -> Infill:
        """What the masks show where they hide."""
        raise NotImplementedError

    def prepare(self, job: Job) -> MaskEvidence:
        need_images(self, job.x)
        size = (job.x.shape[-2], job.x.shape[-1])
        search = self.search(size)
        with torch.no_grad():
            logits = job.model.forward(job.x, job.task)
        job.progress.step(len(job.x))
        evidence = self.evidence(MaskEvidence, job, logits)
        evidence.search, evidence.infill = search, self.infill(job)
        evidence.show = job.progress.show
        return evidence

    def cells(self, size: tuple[int, int]) -> tuple[int, int]:
        """Cells (rows, columns) of ``cell`` pixels each."""
        cell = self.number("cell", above=1.0)
        return math.ceil(size[0] / cell), math.ceil(size[1] / cell)

    def one_of(self, name: str, *choices: str) -> str:
        """The parameter, if it is one of ``choices``; else `MethodError`."""
        if self.params[name] not in choices:
            raise MethodError(f"{self.info.name}: {name}={self.params[name]!r}; choose one of {', '.join(choices)}.")
        return str(self.params[name])

    def answer_passes(self, x: Tensor, questions: int = 1) -> int:
        return questions * len(x) * (int(self.params["steps"]) * int(self.params.get("n_samples", 1)) + self.kind.aside)
