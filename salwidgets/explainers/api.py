"""`explain` and `prepare`: from a model, inputs, questions and methods to explanations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..errors import InputError, MethodError, ModelError, QuestionError
from ..evidence import Basis
from ..explanation import Explanation, Explanations
from ..models import Model
from ..questions import Question
from .base import CHUNK, BatchEvidence, Columns, Job, Method, as_explanations, bind_columns, class_names
from .progress import Progress, ProgressOption
from .registry import get

_NO_ROOM = ("out of memory", "allocate memory")  # what torch's devices say in a plain RuntimeError


def explain(model: Model, inputs: Any, question: Question | Sequence[Question], method: str | Sequence[str] = "grad-cam",
            *, paired: bool = False, progress: ProgressOption = None, **params: Any) -> Explanation | Explanations:
    """Ask ``model`` about ``inputs``.

    model: a `Model` (a bare torch module is wrapped). inputs: what `Model.preprocess` takes; one input or several.
    question: one or a list. method: one name or a list; ``salwidgets.methods()`` shows them.
    paired: one question per input, in order, in place of every question on every input.
    params: the method's parameters; with several methods, each takes those that it knows.
    Returns one `Explanation` for one input, question and method, else `Explanations` of shape
    (inputs, questions, methods).
    Errors: `QuestionError`, `ModelError`, `MethodError`, `InputError`; nothing is left hooked or changed.

    >>> world = sw.worlds.creatures(n=1)
    >>> sw.explain(world.model("cnn"), world.images[0], sw.why(), method="grad-cam").method
    'grad-cam'
    """
    model = _model(model)
    ways = _methods(method, params)
    x, single = model.batch(inputs)
    questions, one_question = _questions(question, len(x), paired)
    grids: list[list[list[Explanation]]] = [[] for _ in ways]
    asked_of_each = 1 if paired else len(questions)
    with Progress(sum(w.passes(x) + w.answer_passes(x, asked_of_each) for w in ways), "explaining", progress) as bar:
        for start, part in _chunks(x):
            asked = questions[start:start + len(part)] if paired else questions
            job = Job(model, part, questions[0].task, bar, first=start, total=len(x))
            for way, rows in zip(ways, grids, strict=True):
                rows += _answers(way, job, asked, paired, start)
    shape = (len(x), len(grids[0][0]), len(ways))
    flat = [grid[i][q] for i in range(shape[0]) for q in range(shape[1]) for grid in grids]
    alone = single and isinstance(method, str) and (one_question or paired)
    return flat[0] if alone else Explanations(flat, shape)


def prepare(model: Model, inputs: Any, method: str = "grad-cam", classes: Sequence[Any] | None = None, *,
            task: Any = None, progress: ProgressOption = None, **params: Any) -> PreparedEvidence:
    """Do the expensive work of ``method`` on ``inputs`` once, and return evidence that any question can read.

    classes: for methods that keep per-class maps (gradient, path), the classes to compute now, so that later
    questions about them cost no model pass; names, indices or groups.

    >>> world = sw.worlds.creatures(n=1)
    >>> evidence = sw.prepare(world.model("cnn"), world.images[0], "occlusion")
    >>> a, b = world.classes[:2]
    >>> len(evidence.explain([sw.why(a), sw.why(a).rather_than(b)]))
    2
    """
    model = _model(model)
    way = _methods([method], params)[0]
    x, single = model.batch(inputs)
    with Progress(way.passes(x), "preparing", progress) as bar:
        jobs = [Job(model, part, task, bar, first=start, total=len(x)) for start, part in _chunks(x)]
        parts = [e for job in jobs for e in _fitting(way, job, _evidence)]
    evidence = PreparedEvidence(parts, single)
    if classes is not None:
        evidence.basis(classes)
    return evidence


@dataclass(eq=False)
class PreparedEvidence:
    """The evidence of one method on a batch of inputs; see `salwidgets.evidence.Evidence`."""

    parts: list[BatchEvidence]
    single: bool

    @property
    def method(self) -> str:
        """Name of the method."""
        return self.parts[0].method

    @property
    def model(self) -> Model:
        """The model that was asked."""
        return self.parts[0].model

    @property
    def layer(self) -> str | None:
        """The feature layer, for methods that use one."""
        return self.parts[0].layer

    @property
    def logits(self) -> Tensor:
        """Float32 `[N, K]`, at the inputs."""
        return torch.cat([p.logits for p in self.parts])

    def __len__(self) -> int:
        return sum(len(p.x) for p in self.parts)

    def explain(self, question: Question | Sequence[Question], *,
                paired: bool = False) -> Explanation | Explanations:
        """Answer a question, or a list of questions in one batch, for every input (paired: one question each)."""
        questions, one_question = _questions(question, len(self), paired)
        rows: list[list[Explanation]] = []
        for part in self.parts:
            if part.task != questions[0].task:
                raise QuestionError(f"{questions[0]} reads another output than this evidence holds; prepare it "
                                    "again with task=question.task.")
            asked = questions[len(rows):len(rows) + len(part.x)] if paired else questions
            rows += _in_parts(part, bind_columns(part.model, part.logits, asked, paired, len(rows)))
        if self.single and (one_question or paired):
            return rows[0][0]
        return as_explanations(rows)

    def basis(self, classes: Sequence[Any] | None = None) -> Basis:
        """Per-class maps of the named classes (names, indices or groups); None: all of them where that is cheap,
        else the most probable."""
        import numpy as np

        first = self.parts[0]
        rows = None
        if classes is not None:
            rows = []
            for item in [classes] if isinstance(classes, (str, int)) else classes:
                bound = Question((item,)).bind(class_names(self.model, first.logits, first.task), self.model.taxonomy)
                rows += [i for i in bound.bound.target if i not in rows]
        bases = [first.basis(rows)]
        bases += [p.basis(bases[0].rows.tolist()) for p in self.parts[1:]]
        if len(bases) > 1:
            bases[0].maps = np.concatenate([b.maps for b in bases])
            bases[0].logits = np.concatenate([b.logits for b in bases])
            bases[0].images = np.concatenate([b.images for b in bases])
        return bases[0]

    def __repr__(self) -> str:
        where = f" at {self.layer}" if self.layer else ""
        return f"<Evidence of {self.method}{where} for {len(self)} input{'s'[:len(self) != 1]}, {self.model.name}>"


T = TypeVar("T")


def _answers(way: Method, job: Job, questions: Sequence[Question], paired: bool, start: int) -> list[list[Explanation]]:
    """One method's explanations of one batch, [input][question]."""
    done = [0]

    def ask(way: Method, job: Job) -> list[list[Explanation]]:
        first, n = done[0], len(job.x)
        evidence = _evidence(way, job)
        evidence.progress = job.progress
        asked = questions[first:first + n] if paired else questions
        rows = evidence.explanations(bind_columns(job.model, evidence.logits, asked, paired, start + first))
        done[0] += n
        return rows

    return [row for rows in _fitting(way, job, ask) for row in rows]


def _fitting(way: Method, job: Job, work: Callable[[Method, Job], T]) -> list[T]:
    """``work`` on a batch that may not fit in memory: fewer passes at once, then fewer inputs, and a notice of it."""
    try:
        return [work(way, job)]
    except (RuntimeError, MemoryError) as e:
        if not _no_room(e):
            raise
        said = _first_line(e)
    job.shared.clear()
    _make_room(job.model)
    n, size = len(job.x), way.params.get("batch_size")
    if size is not None and size > 1:
        smaller = type(way)(**{**way.params, "batch_size": size // 2})
        smaller.notices = (f"for lack of memory, {size // 2} passes were made at once in place of {way.asked_batch_size}.",)
        smaller.asked_batch_size = way.asked_batch_size
        return _fitting(smaller, job, work)
    if n == 1:
        raise ModelError(f"one input of shape {list(job.x.shape[1:])} does not fit in memory with {way.info.name}: {said}")
    half = (n + 1) // 2
    way.notices = (f"for lack of memory, batches were halved to {half} input{'s'[:half != 1]}.",)
    halves = [replace(job, x=part, first=job.first + start, shared={})
              for start, part in zip((0, half), job.x.split(half), strict=True)]
    return [result for part in halves for result in _fitting(way, part, work)]


def _no_room(e: Exception) -> bool:
    return isinstance(e, (torch.OutOfMemoryError, MemoryError)) or any(words in str(e).lower() for words in _NO_ROOM)


def _first_line(e: Exception) -> str:
    return (str(e).splitlines() or [type(e).__name__])[0]


def _make_room(model: Model) -> None:
    if model.device.type == "cuda":
        torch.cuda.empty_cache()


def _in_parts(part: BatchEvidence, columns: Columns) -> list[list[Explanation]]:
    """`BatchEvidence.explanations`; fewer questions at once where all of them do not fit in memory."""
    try:
        return part.explanations(columns)
    except (RuntimeError, MemoryError) as e:
        if not _no_room(e):
            raise
        if len(columns) == 1:
            raise ModelError(f"the answer to one question does not fit in memory with {part.method} on {len(part.x)} "
                             f"input{'s'[:len(part.x) != 1]}; prepare evidence of fewer inputs, or with a smaller "
                             f"batch_size where {part.method} has one: {_first_line(e)}") from e
    _make_room(part.model)
    half = (len(columns) + 1) // 2
    return [a + b for a, b in zip(*(_in_parts(part, some) for some in (columns[:half], columns[half:])), strict=True)]


def _evidence(way: Method, job: Job) -> BatchEvidence:
    start = time.perf_counter()
    if "gradients" in way.info.needs and not job.model.differentiable:
        raise MethodError(f"{way.info.name} needs gradients, and {job.model.name} is a plain callable. Use occlusion or "
                          "rise, which need scores only, or give the torch module itself.")
    with job.model.session():
        evidence = way.prepare(job)
    evidence.elapsed = time.perf_counter() - start
    evidence.notices += way.notices
    return evidence


def _methods(method: str | Sequence[str], params: dict[str, Any]) -> list[Method]:
    names = list(method) if isinstance(method, Iterable) and not isinstance(method, str) else [method]
    if not names:
        raise MethodError("the list of methods is empty; for example method=['grad-cam', 'occlusion'].")
    classes = [get(n) for n in names]
    if len(classes) == 1:
        return [classes[0](**params)]
    unknown = [p for p in params if not any(p in c.defaults for c in classes)]
    if unknown:
        raise MethodError(f"none of {', '.join(names)} has a parameter {', '.join(map(repr, unknown))}.")
    return [c(**{k: v for k, v in params.items() if k in c.defaults}) for c in classes]


def _questions(question: Any, n: int, paired: bool) -> tuple[list[Question], bool]:
    many = [question] if isinstance(question, Question) else question
    if isinstance(many, (str, bytes)) or not isinstance(many, Sequence) or \
            not all(isinstance(q, Question) for q in many):
        raise QuestionError(f"{question!r} is no question; ask salwidgets.why('husky'), or a list of such.")
    if not many:
        raise QuestionError("the list of questions is empty.")
    if paired and len(many) != n:
        raise InputError(f"paired=True takes one question per input; got {len(many)} questions for {n} inputs.")
    if len({q.task for q in many}) > 1:
        raise QuestionError("these questions read different outputs of the model; ask them one by one.")
    return list(many), isinstance(question, Question)


def _model(model: Any) -> Model:
    return model if isinstance(model, Model) else Model(model)


def _chunks(x: Tensor) -> list[tuple[int, Tensor]]:
    return [(i, x[i:i + CHUNK]) for i in range(0, len(x), CHUNK)]
