"""Perturbed images, scored once: every metric that asks for the same image reads the same logits.

A perturbed image is known by its content: the input, which positions were replaced, and by what. `Runs` keeps *all* logits
of each, so that metrics share their passes and one run answers every question: class, group, contrast, any pool.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError, MethodError, QuestionError
from ..explanation import Explanation
from ..questions import Question
from .fills import Fill, make_fill
from .seen import seen

if TYPE_CHECKING:
    from ..explainers.progress import ProgressOption
    from ..models import Model
    from ..tasks import Task

Key = tuple[Any, ...]


@dataclass(eq=False)
class Ranked:
    """One explanation as a ranking of its input's positions.

    input, key: row of the input in `Runs` and the digest of the ranking. ranks: int32 `[P]`, 0 for the largest value; ties
    in reading order. mask_shape: to lay `[P]` over the input. constant: the map ranks nothing.
    """

    input: int
    key: bytes
    ranks: Tensor
    mask_shape: tuple[int, ...]
    constant: bool

    @property
    def size(self) -> int:
        """How many positions there are."""
        return len(self.ranks)


@dataclass(eq=False)
class _Input:
    x: Tensor
    sha: bytes
    stills: dict[Any, Tensor]


class Runs:
    """The perturbed images of one model, each scored once.

    model: the `Model`. batch_size: images per pass. seed: of fills that draw at random. progress: as in `sw.explain`.
    ``passes`` counts the images that went through the model so far.

    >>> world = sw.worlds.creatures(n=1)
    >>> e = sw.explain(world.model("cnn"), world.images[0], sw.why())
    >>> runs = sw.metrics.Runs(world.model("cnn"))
    >>> runs.curve([e], [0, 0.5, 1], "black").shape, runs.passes
    (torch.Size([1, 3, 12]), 3)
    """

    def __init__(self, model: Model, batch_size: int = 64, seed: int = 0, progress: ProgressOption = None):
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise MethodError(f"batch_size={batch_size!r}; give a whole number of at least 1.")
        self.model, self.batch_size, self.seed, self.progress = model, int(batch_size), seed, progress
        self.passes = 0
        self._inputs: list[_Input] = []
        self._rows: dict[bytes, int] = {}
        self._found: dict[int, tuple[Any, Any, int, np.ndarray | None]] = {}
        self._ranked: dict[Key, Ranked] = {}
        self._logits: dict[Key, Tensor] = {}
        self._fills: dict[Any, tuple[Fill, Any]] = {}  # with what was given, so that its id stays its own
        self.shared: dict[Any, Any] = {}  # what metrics made besides, for each other

    # -- what is asked ---------------------------------------------------------------------------------------

    def curve(self, explanations: Sequence[Explanation], fractions: Sequence[float], fill: Any = "black",
              order: str = "most") -> Tensor:
        """Float32 logits `[n, S, K]` of each input with a share of its positions replaced.

        fractions: `[S]`, shares from 0 to 1; of P positions, floor(share P) are replaced. order: "most" replaces those the
        map values most, "least" those it values least. fill: see `fills.make_fill`.
        """
        if order not in ("most", "least"):
            raise MethodError(f"order={order!r}; give 'most' or 'least'.")
        steps = [float(f) for f in fractions]
        if not steps or not all(0 <= f <= 1 for f in steps):
            raise MethodError(f"the fractions {steps} must lie between 0 and 1.")
        painted, task = self._fill(fill), task_of(explanations)
        rows, missing = [], {}
        for e in explanations:
            r = self.ranked(e)
            for f in steps:
                count = int(f * r.size + 1e-6)
                key = self._key(r, count, painted, order, task)
                rows.append(key)
                if key not in self._logits:
                    missing[key] = (r, count)
        self._score(missing, painted, order, task)
        logits = torch.stack([self._logits[k] for k in rows])
        return logits.view(len(explanations), len(steps), -1)

    def masked(self, explanations: Sequence[Explanation], weights: Sequence[np.ndarray], fill: Any = "black") -> Tensor:
        """Float32 logits `[n, K]` of inputs shown through soft masks: w x + (1 - w) fill.

        weights: one array per explanation, 0 to 1, over the input's positions.
        """
        painted, task = self._fill(fill), task_of(explanations)
        keys, missing = [], {}
        for e, w in zip(explanations, weights, strict=True):
            r = self.ranked(e)
            soft = torch.from_numpy(np.ascontiguousarray(w, np.float32)).reshape(r.mask_shape).to(self.model.device)
            key = ("soft", self._inputs[r.input].sha, _digest(np.asarray(w, np.float32)), painted.key, task)
            keys.append(key)
            if key not in self._logits:
                missing[key] = (r, soft)
        self._score(missing, painted, "soft", task)
        return torch.stack([self._logits[k] for k in keys])

    def logits(self, inputs: Tensor, task: Task | None = None) -> Tensor:
        """Float32 logits `[N, K]` of inputs `[N, ...]` in the model's own space; equal ones are scored once."""
        keys = [("input", _digest(row), task) for row in inputs.detach().cpu().float().numpy()]
        new = {k: i for i, k in enumerate(keys) if k not in self._logits}
        if new:
            self._pass(list(new), lambda part: inputs[[new[k] for k in part]].to(self.model.device), task)
        return torch.stack([self._logits[k] for k in keys])

    def originals(self, explanations: Sequence[Explanation]) -> Tensor:
        """Float32 logits `[n, K]` at the inputs themselves."""
        return self.curve(explanations, [0.0])[:, 0]

    def questions(self, explanations: Sequence[Explanation], question: Question | None = None) -> list[Question]:
        """The bound question of each explanation, or ``question`` for all of them; a map without one is asked why()."""
        asked = [question or e.question or Question() for e in explanations]
        logits = self.originals(explanations)
        known: dict[Any, Question] = {}
        bound = []
        for i, (q, best) in enumerate(zip(asked, logits.argmax(1).tolist(), strict=True)):
            if q.binding is None:
                key = (q, best if q.predicted else None)
                if key not in known:
                    names = self.model.classes if q.task is None else q.task.names(self.model, logits.shape[1])
                    known[key] = q.bind(names, self.model.taxonomy, activation=self.model.activation, predicted=best)
                q = known[key]
            if q.bound.n_classes != logits.shape[1]:
                raise QuestionError(f"explanation {i} answers “{q}” of a model with {q.bound.n_classes} classes; this model "
                                    f"has {logits.shape[1]}. Give the model that was explained.")
            bound.append(q)
        return bound

    # -- explanations as rankings ----------------------------------------------------------------------------

    def ranked(self, e: Explanation) -> Ranked:
        """The explanation's ranking of its input's positions; `InputError` if map and input do not fit."""
        row, values = self._input_of(e)
        key = (row, _digest(values))
        if key not in self._ranked:
            x = self._inputs[row].x
            flat, shape = positions(e, values, tuple(x.shape))
            order = np.argsort(-flat, kind="stable")
            ranks = np.empty(len(order), np.int32)
            ranks[order] = np.arange(len(order), dtype=np.int32)
            constant = bool(flat.size == 0 or flat.max() == flat.min())
            self._ranked[key] = Ranked(row, _digest(ranks), torch.from_numpy(ranks).to(x.device), shape, constant)
        return self._ranked[key]

    def map(self, e: Explanation) -> np.ndarray:
        """The map over the positions of the input that the model sees, float32; `[H, W]` for images."""
        row, values = self._input_of(e)
        flat, shape = positions(e, values, tuple(self._inputs[row].x.shape))
        return flat.reshape([n for i, n in enumerate(shape) if i or n > 1])

    def input(self, e: Explanation) -> Tensor:
        """The input as this model takes it, without a batch axis."""
        return self._inputs[self._input_of(e)[0]].x

    def _input_of(self, e: Explanation) -> tuple[int, np.ndarray]:
        known = self._found.get(id(e))
        if known is None or known[0] is not e or known[1] is not e.input:
            x, box_map = seen(self.model, e)
            sha = _digest(x)
            if sha not in self._rows:
                self._rows[sha] = len(self._inputs)
                given = torch.from_numpy(x).to(device=self.model.device, dtype=self.model.dtype)
                self._inputs.append(_Input(given, sha, {}))
            known = (e, e.input, self._rows[sha], box_map)
            self._found[id(e)] = known
        return known[2], e.values if known[3] is None else known[3]

    # -- scoring ---------------------------------------------------------------------------------------------

    def _fill(self, fill: Any) -> Fill:
        key: Any = fill if isinstance(fill, str) else id(fill)
        if key not in self._fills:
            self._fills[key] = (make_fill(self.model, fill, self.seed), fill)
        return self._fills[key][0]

    def _key(self, r: Ranked, count: int, fill: Fill, order: str, task: Task | None) -> Key:
        sha = self._inputs[r.input].sha
        if count == 0:
            return "input", sha, task
        if count == r.size:
            return "full", sha, fill.key, task
        return sha, r.key, order, count, fill.key, task

    def _still(self, row: int, fill: Fill) -> Tensor:
        i = self._inputs[row]
        if fill.key not in i.stills:
            i.stills[fill.key] = fill.still(i.x[None])[0]
        return i.stills[fill.key]

    def _score(self, missing: dict[Key, tuple[Ranked, Any]], fill: Fill, order: str, task: Task | None) -> None:
        """Score images not seen before, those of one shape together."""
        shapes: dict[tuple[int, ...], list[Key]] = {}
        for key, (r, _) in missing.items():
            shapes.setdefault(tuple(self._inputs[r.input].x.shape), []).append(key)
        for keys in shapes.values():
            self._pass(keys, lambda part: self._images([missing[k] for k in part], fill, order), task)

    def _images(self, wanted: list[tuple[Ranked, Any]], fill: Fill, order: str) -> Tensor:
        """The perturbed images `[B, ...]` of one batch."""
        x = torch.stack([self._inputs[r.input].x for r, _ in wanted])
        shape = (len(wanted), *wanted[0][0].mask_shape)
        if order == "soft":
            w = torch.stack([soft for _, soft in wanted]).to(x.dtype)
            still = torch.stack([self._still(r.input, fill) for r, _ in wanted])
            return w * x + (1 - w) * still
        ranks = torch.stack([r.ranks for r, _ in wanted])
        counts = torch.tensor([count for _, count in wanted], device=x.device)[:, None]
        gone = (ranks < counts if order == "most" else ranks >= ranks.shape[1] - counts).view(shape)
        if fill.paint is not None:
            return fill.paint(x, gone)
        still = torch.stack([self._still(r.input, fill) for r, _ in wanted])
        return torch.where(gone, still, x)

    def _pass(self, keys: list[Key], build: Any, task: Task | None) -> None:
        from ..explainers.progress import Progress

        with self.model.session(), torch.no_grad(), Progress(len(keys), "scoring", self.progress) as bar:
            for start in range(0, len(keys), self.batch_size):
                part = keys[start:start + self.batch_size]
                logits = self.model.forward(build(part), task).cpu()
                self._logits.update(zip(part, logits.unbind(), strict=True))
                self.passes += len(part)
                bar.step(len(part))


def task_of(explanations: Sequence[Explanation]) -> Task | None:
    """The task that the explanations' questions share; `QuestionError` if they read different outputs."""
    tasks = {e.question.task if e.question is not None else None for e in explanations}
    if len(tasks) > 1:
        raise QuestionError("these explanations read different outputs of the model; score them one by one.")
    return tasks.pop()


def positions(e: Explanation, values: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, tuple[int, ...]]:
    """A map over the positions of an input of ``shape``, flat `[P]`, and the shape in which `[P]` lies over the input.

    Images `[C, H, W]`: a map of any resolution, upsampled; all channels of a pixel go together. Series `[C, L]` and volumes
    `[C, D, H, W]`: a map of the same extent, with or without the channels.
    """
    from ..explanation import resize

    if len(shape) == 3 and values.ndim == 2:
        h, w = shape[1:]
        if values.shape[0] > h or values.shape[1] > w:
            raise InputError(f"the map of {e.method} has shape {list(values.shape)}, finer than its input {list(shape)}: it "
                             "is none of this input. Give the map at the input's height and width, or coarser.")
        return resize(values, h, w).ravel(), (1, h, w)
    if values.shape == shape:
        return values.ravel(), shape
    if values.shape == shape[1:]:
        return values.ravel(), (1, *values.shape)
    raise InputError(f"the map of {e.method} has shape {list(values.shape)}, its input {list(shape)}; they must have the "
                     "same extent.")


def _digest(a: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(a).data, digest_size=16).digest()
