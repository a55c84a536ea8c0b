"""What all methods share: parameters, binding questions to inputs, and turning maps into explanations."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..errors import MethodError, QuestionError
from ..evidence import Basis
from ..explanation import Completeness, Explanation, Explanations
from ..models import Model
from ..questions import Question
from ..regions import Regions
from ..tasks import Task
from .progress import Progress
from .registry import MethodInfo

Columns = list[list[Question]]
"""Bound questions, [question][input]: "the predicted class" differs from input to input."""

_ALL_CLASSES = 32
_BASIS_BYTES = 16_000_000
_TOP_CLASSES = 12
CHUNK = 16  # inputs that are prepared at once
_COUNTS = ("steps", "n_masks", "n_samples", "batch_size", "at_once", "grid")


@dataclass(eq=False)
class Job:
    """One batch to prepare evidence for. ``shared`` holds what several methods can use (one forward for ten CAMs).
    The batch is inputs ``first`` and on of the caller's ``total`` (0: it is all of them)."""

    model: Model
    x: Tensor
    task: Task | None
    progress: Progress
    shared: dict[Any, Any] = field(default_factory=dict)
    first: int = 0
    total: int = 0

    def __post_init__(self) -> None:
        self.total = self.total or len(self.x)

    def mine(self, rows: Any) -> Any:
        """This batch's rows of an array that has one for each of the caller's inputs."""
        return rows[self.first:self.first + len(self.x)]


E_ = TypeVar("E_", bound="BatchEvidence")


class Method(ABC):
    """One method with its parameters. A subclass says how to prepare the evidence of one batch."""

    info: ClassVar[MethodInfo]
    defaults: ClassVar[dict[str, Any]] = {}

    def __init__(self, **params: Any):
        unknown = sorted(set(params) - set(self.defaults))
        if unknown:
            raise MethodError(f"{self.info.name} has no parameter {', '.join(map(repr, unknown))}; it takes "
                              f"{', '.join(self.defaults) or 'none'}.")
        self.params = {k: v.item() if isinstance(v, np.generic) else v for k, v in {**self.defaults, **params}.items()}
        self._check_values()
        self.asked_batch_size = self.params.get("batch_size")
        self.notices: tuple[str, ...] = ()

    def _check_values(self) -> None:
        """Refuses what a parameter's name or default rules out; what only the method knows, it checks itself."""
        for name, default in self.defaults.items():
            value = self.params[name]
            if value is None and default is None:
                continue
            if name in _COUNTS:
                self.whole(name)
            elif name == "seed":
                self.whole(name, least=0)
            elif isinstance(default, bool) and not isinstance(value, bool):
                raise MethodError(f"{self.info.name}: {name}={value!r}; give True or False.")
            elif isinstance(default, float):
                self.number(name)
            elif name == "layer" and isinstance(value, str) and not value:
                raise MethodError(f"{self.info.name}: layer=''; give the name of a layer, or None for the model's own.")

    def whole(self, name: str, least: int = 1) -> int:
        """The parameter as a whole number of at least ``least`` that 63 bits hold; `MethodError` if it is none."""
        v = self.params[name]
        if isinstance(v, bool) or not isinstance(v, int) or not least <= v < 2**63:
            most = " and below 2**63" if isinstance(v, int) and v >= 2**63 else ""
            raise MethodError(f"{self.info.name}: {name}={v!r}; give a whole number of at least {least}{most}.")
        return v

    def number(self, name: str, above: float = 0.0, below: float = math.inf, strictly: bool = False) -> float:
        """The parameter as a finite number of at least ``above`` (strictly: beyond it) and at most ``below``;
        `MethodError` if it is none."""
        v = self.params[name]
        if isinstance(v, bool) or not isinstance(v, (int, float)) or not (math.isfinite(v) and above <= v <= below) or \
                (strictly and v == above):
            least = "" if above == -math.inf else f" {'above' if strictly else 'of at least'} {above:g}"
            most = "" if below == math.inf else f"{' and' if least else ' of'} at most {below:g}"
            raise MethodError(f"{self.info.name}: {name}={v!r}; give a number{least}{most}.")
        return float(v)

    @abstractmethod
    def prepare(self, job: Job) -> BatchEvidence:
        """The evidence of one batch, inside the model's session."""

    def evidence(self, kind: type[E_], job: Job, logits: Tensor, layer: str | None = None, notices: tuple[str, ...] = (),
                 **params: Any) -> E_:
        """A new evidence of this method, with its common fields filled in; ``params`` are those it settled itself."""
        return kind(self.info.name, self.info, {**self.params, **params}, job.model, job.x, logits, layer, notices,
                    task=job.task)

    def passes(self, x: Tensor) -> int:
        """How many model passes preparing ``x`` takes; for the progress bar."""
        return len(x)

    def answer_passes(self, x: Tensor, questions: int = 1) -> int:
        """How many more it takes to answer so many questions on each input; methods that answer all in the same passes
        need not look."""
        return 0


def keywords(name: str, parameter: str, given: Any, of: type[Method]) -> dict[str, Any]:
    """What ``parameter`` of the method ``name`` gives for another method, ``of``; `MethodError` unless a dict or None."""
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(k, str) for k in given):
        raise MethodError(f"{name}: {parameter}={given!r}; give a dict from parameters of {of.info.name} "
                          f"({', '.join(of.defaults)}) to their values.")
    return given


@dataclass(eq=False)
class Answer:
    """Maps `[Q, N, ...]` for Q questions on N inputs, and what each should sum to, `[Q, N]`, where promised.

    regions: [question][input], for methods that score regions.
    """

    maps: Tensor
    expected: Tensor | None = None
    notices: tuple[str, ...] = ()
    regions: list[list[Regions]] | None = None


@dataclass(eq=False)
class BatchEvidence(ABC):
    """Evidence of one method on one batch. ``logits`` are float32 `[N, K]` at the input."""

    method: str
    info: MethodInfo
    params: dict[str, Any]
    model: Model
    x: Tensor
    logits: Tensor
    layer: str | None = None
    notices: tuple[str, ...] = ()
    elapsed: float = 0.0
    task: Task | None = None
    cheap_basis: ClassVar[bool] = False
    progress: Progress | None = field(default=None, repr=False)
    _pictures: np.ndarray | None = field(default=None, repr=False)

    @abstractmethod
    def answer(self, columns: Columns) -> Answer:
        """The maps of bound questions."""

    @abstractmethod
    def class_maps(self, classes: Sequence[int]) -> Tensor:
        """Maps `[R, N, ...]` of single classes, before anything that is not linear."""

    # -- questions to explanations ---------------------------------------------------------------------------

    def explanations(self, columns: Columns) -> list[list[Explanation]]:
        """Answers as explanations, [input][question]."""
        start = time.perf_counter()
        with torch.inference_mode(False):
            answer = self.answer(columns)
        maps = answer.maps.detach().float().cpu()
        sums = maps.flatten(2).sum(2).tolist()
        masses = maps.flatten(2).abs().sum(2).tolist()
        values = maps.numpy()
        scores, probabilities = scores_of(columns, self.logits)
        competing = self.task is None or self.task.probabilistic
        predicted = self.predictions()
        elapsed = self.elapsed + time.perf_counter() - start
        inputs = self.x.detach().float().cpu().numpy().copy()  # the caller's tensor may change later
        drawable = self.x.ndim == 4 and self.x.shape[1] in (1, 3, 4)
        out = []
        for n in range(len(self.x)):
            row = []
            picture: Any = partial(_picture, inputs[n], self.model) if drawable else None
            for q, column in enumerate(columns):
                complete = None
                if answer.expected is not None:
                    complete = Completeness(sums[q][n], float(answer.expected[q, n]), masses[q][n])
                row.append(Explanation(
                    values[q, n].copy(), inputs[n], column[n], self.method, params=_plain(self.params),
                    image=picture, model=self.model.name, layer=self.layer,
                    score=scores[q][n], probability=probabilities[q][n] if competing else None, prediction=predicted[n],
                    completeness=complete, elapsed=elapsed, class_blind=self.info.class_blind,
                    notices=self.notices + answer.notices,
                    regions=answer.regions[q][n] if answer.regions else None))
            out.append(row)
        return out

    @property
    def pictures(self) -> np.ndarray | None:
        """uint8 `[N, H, W, 3]` to draw the batch, or None."""
        if self._pictures is None:
            self._pictures = self.model.pictures(self.x)
        return self._pictures

    def predictions(self) -> list[tuple[str, float]]:
        """(name, probability) of each input's first class."""
        p = torch.sigmoid(self.logits) if self.model.activation == "sigmoid" else torch.softmax(self.logits, -1)
        best = p.max(-1)
        names = class_names(self.model, self.logits, self.task)
        return [(names[int(i)], float(v)) for v, i in zip(best.values, best.indices, strict=True)]

    def basis(self, classes: Sequence[int] | None) -> Basis:
        """Per-class maps as a `Basis`."""
        if not self.info.linear:
            raise MethodError(f"{self.method} is not linear in the question, so it has no basis of per-class maps. "
                              "Ask the evidence each question, or use grad-cam, hires-cam, occlusion or rise.")
        rows = list(classes) if classes is not None else self._default_classes()
        with torch.inference_mode(False):
            maps = self.class_maps(rows).movedim(0, 1).float().cpu().numpy()
        pictures = self.pictures
        if pictures is None:
            pictures = np.zeros((len(self.x), 1, 1, 3), np.uint8)
        return Basis(maps, np.asarray(rows, np.int64), list(class_names(self.model, self.logits, self.task)),
                     self.logits.cpu().numpy(), pictures, self.method, self.model.taxonomy, self.model.activation,
                     self.layer, self.model.name, _plain(self.params), self.notices)

    def _default_classes(self) -> list[int]:
        k = self.logits.shape[1]
        if k <= _ALL_CLASSES or (self.cheap_basis and self._map_bytes() * k <= _BASIS_BYTES):
            return list(range(k))
        best = self.logits.amax(0).topk(min(_TOP_CLASSES, k)).indices
        return sorted(best.tolist())

    def _map_bytes(self) -> int:
        return 4 * self.x[0].numel() // max(1, self.x.shape[1]) * len(self.x)


def class_names(model: Model, logits: Tensor, task: Task | None) -> Any:
    """Names of the score columns: the model's classes, or the task's own."""
    return model.classes if task is None else task.names(model, logits.shape[1])


def bind_columns(model: Model, logits: Tensor, questions: Sequence[Question], paired: bool,
                 offset: int = 0) -> Columns:
    """Bind questions to inputs: every question to every input, or (paired) one question per input."""
    n = len(logits)
    best = logits.argmax(1).tolist()
    task = questions[0].task
    names = class_names(model, logits, task)

    def bind(question: Question, i: int) -> Question:
        try:
            return question.bind(names, model.taxonomy, activation=model.activation, predicted=best[i])
        except QuestionError as e:
            raise QuestionError(f"input {offset + i}: {e}") from None if question.predicted else e

    if paired:
        return [[bind(q, i) for i, q in enumerate(questions)]]
    columns = []
    for q in questions:
        if q.predicted:
            columns.append([bind(q, i) for i in range(n)])
        else:
            columns.append([q.bind(names, model.taxonomy, activation=model.activation)] * n)
    return columns


def weights_of(columns: Columns, logits: Tensor) -> Tensor:
    """d score / d logits `[Q, N, K]` at ``logits`` `[N, K]`."""
    if all(q.linear for column in columns for q in column):
        w = np.zeros((len(columns), *logits.shape), np.float32)
        for q, column in enumerate(columns):
            for n, question in enumerate(column):
                _fill(w[q, n], question)
        return torch.from_numpy(w).to(device=logits.device, dtype=logits.dtype)
    return torch.stack([_each(column, logits, Question.gradient) for column in columns])


def _fill(row: np.ndarray, question: Question) -> None:
    """The weights of a linear question, added into a row of zeros."""
    b, mean = question.bound, question.pool == "mean"
    row[list(b.target)] = 1 / len(b.target) if mean else 1
    if b.foil:
        row[list(b.foil)] = -1 / len(b.foil) if mean else -1


def apply(columns: Columns, scores: Tensor) -> Tensor:
    """The questions' scores `[Q, N, ...]` of scores `[N, ..., K]`."""
    return torch.stack([_each(column, scores, Question.score) for column in columns])


def _each(column: list[Question], rows: Tensor, read: Callable[[Question, Tensor], Tensor]) -> Tensor:
    """``read`` each row with its own question; rows that share a question are read together."""
    if all(q is column[0] for q in column):
        return read(column[0], rows)
    same: dict[Any, list[int]] = {}
    for i, q in enumerate(column):
        same.setdefault((q.bound, q.pool), []).append(i)
    parts = [read(column[index[0]], rows[index]) for index in same.values()]
    order = torch.as_tensor([i for index in same.values() for i in index], device=rows.device)
    return torch.cat(parts)[order.argsort()]


def apply_change(columns: Columns, drops: Tensor, level: Tensor) -> Tensor:
    """How much less the questions score where the scores are ``drops`` `[N, ..., K]` below ``level`` (broadcastable):
    q(level) - q(level - drops), `[Q, N, ...]`. Linear questions read the drops themselves, which keeps their digits."""
    linear = [c for c in columns if c[0].linear]
    if len(linear) == len(columns):
        return apply(columns, drops)
    full = level - drops
    return torch.stack([apply([c], drops)[0] if c[0].linear else (apply([c], level) - apply([c], full))[0]
                        for c in columns])


def scores_of(columns: Columns, logits: Tensor) -> tuple[list[list[float]], list[list[float]]]:
    """Scores and target probabilities [question][input] at the input."""
    z = logits.detach().cpu()
    sigmoid = columns[0][0].bound.activation == "sigmoid"
    p = (torch.sigmoid(z) if sigmoid else torch.softmax(z, -1)).numpy()

    def probability(n: int, q: Question) -> float:
        mine = p[n, list(q.bound.target)]
        return float(1 - np.prod(1 - mine.astype(np.float64))) if sigmoid else float(mine.sum())

    if all(q.linear for column in columns for q in column):
        scores = np.einsum("qnk,nk->qn", weights_of(columns, z).numpy(), z.numpy(), dtype=np.float64).tolist()
    else:
        scores = apply(columns, z).tolist()
    return scores, [[probability(n, q) for n, q in enumerate(column)] for column in columns]


def _picture(seen: np.ndarray, model: Model) -> np.ndarray:
    pictures = model.pictures(torch.from_numpy(seen[None]))
    assert pictures is not None
    return pictures[0]


def one_hot(classes: Sequence[int], logits: Tensor) -> Tensor:
    """Weights `[R, N, K]` that pick single classes."""
    w = torch.zeros(len(classes), *logits.shape, device=logits.device)
    w[torch.arange(len(classes)), :, torch.as_tensor(list(classes))] = 1.0
    return w


def as_explanations(rows: list[list[Explanation]]) -> Explanations:
    """[input][question] as a grid (inputs, questions, 1)."""
    return Explanations([e for row in rows for e in row], (len(rows), len(rows[0]), 1))


def _plain(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters as plain data for a manifest: tensors become a description."""
    out: dict[str, Any] = {}
    for key, value in params.items():
        if isinstance(value, (Tensor, np.ndarray)):
            out[key] = f"array {list(value.shape)}"
        elif isinstance(value, (str, int, float, bool, type(None), list, tuple)):
            out[key] = list(value) if isinstance(value, tuple) else value
        else:
            out[key] = repr(value)
    return out
