"""Explaining again: the method of an explanation, with its parameters, on other inputs or on another network.

Robustness and sanity checks compare a map with what its method says elsewhere. They know no method: name and parameters
stand in the explanation, and a map that carries none (`sw.from_array`) is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError, MethodError
from ..explainers import explain, methods
from ..explainers.progress import Progress
from ..explanation import Explanation, Explanations
from ..models import Model
from ..questions import Question

_TOGETHER = 16

Variants = Callable[[Tensor], Tensor]
"""One input `[1, C, H, W]` to the inputs `[V, C, H, W]` to be explained in its place."""


@dataclass(frozen=True)
class Way:
    """A method with its parameters, and which explanations were made with it."""

    method: str
    params: dict[str, Any]
    index: list[int]


def ways(explanations: Sequence[Explanation], metric: str) -> list[Way]:
    """The methods, with parameters, that made ``explanations``; `MethodError` for a map that cannot be made again."""
    known = {m.name: dict(m.parameters) for m in methods()}
    found: dict[str, Way] = {}
    for i, e in enumerate(explanations):
        if e.question is None or e.question.binding is None or e.method not in known:
            raise MethodError(f"{metric} has to make explanation {i} again, and its map comes from elsewhere "
                              f"(method {e.method!r}). Give explanations made by sw.explain, or use a metric that takes any "
                              "map, such as sw.metrics.deletion.")
        params = {k: v for k, v in e.params.items() if k in known[e.method]}  # the others are results
        for k, v in params.items():
            if isinstance(v, str) and v.startswith(("array [", "<", "{")):
                raise MethodError(f"{metric} has to make explanation {i} again, and its parameter {k} was given as an "
                                  f"object ({v}), which an explanation does not keep. Use a setting of {e.method} "
                                  "that has a name.")
        key = json.dumps([e.method, params], sort_keys=True, default=str)
        found.setdefault(key, Way(e.method, params, [])).index.append(i)
    return list(found.values())


def fixed(question: Question) -> Question:
    """The same question by index, so that another input or network cannot change what "the predicted class" is."""
    b = question.bound
    return Question(tuple(b.target), tuple(b.foil), question.pool, question.task)


def picture_batch(e: Explanation, i: int, model: Model, metric: str) -> Tensor:
    """The input of explanation ``i`` as a batch of one on the model's device; `InputError` if it is no image."""
    if e.input.ndim != 3 or e.values.ndim != 2:
        raise InputError(f"{metric} is about maps of images; explanation {i} has an input of shape {e.input_shape} and a "
                         f"map of shape {e.values.shape}.")
    return torch.from_numpy(e.input)[None].to(model.device, model.dtype)


def same_model(model: Model, explanations: Sequence[Explanation], metric: str) -> None:
    """`InputError` where the model does not give an explanation's input the score that it was made with."""
    first: dict[str, int] = {}
    for i, e in enumerate(explanations):
        if e.question is not None and e.question.task is None:
            first.setdefault(e.input_sha256, i)
    if not first:
        return
    logits = torch.cat([model.logits(picture_batch(explanations[i], i, model, metric)) for i in first.values()]).cpu()
    at = dict(zip(first, logits, strict=True))
    for i, e in enumerate(explanations):
        if e.score is None or e.question is None or e.input_sha256 not in at:
            continue
        z = at[e.input_sha256]
        now = float(e.question.score(z)) if e.question.bound.n_classes == len(z) else float("nan")
        if not abs(now - e.score) <= 0.02 * max(1.0, abs(e.score)):
            raise InputError(f"explanation {i} was made with a score of {e.score:.4g}, and this model gives {now:.4g} for "
                             f"its question and input: it is not the model that {metric} should ask.")


def remake(model: Model, explanations: Sequence[Explanation], found: Sequence[Way], metric: str, bar: Progress,
           variants: Variants = lambda x: x,
           questions: Callable[[int, Explanation], list[Question]] = lambda i, e: [fixed(e.question)],  # type: ignore[arg-type]
           ) -> list[list[list[np.ndarray]]]:
    """The maps of each explanation's method on variants of its input: [explanation][variant][question].

    model: asked in place of the model that made them. found: `ways`. Explanations of one method and input share what the
    method keeps; inputs with one question each go together in batches. ``bar`` is told of every map.
    """
    out: list[list[list[np.ndarray]]] = [[] for _ in explanations]
    for way in found:
        by_input: dict[str, list[int]] = {}
        for i in way.index:
            by_input.setdefault(explanations[i].input_sha256, []).append(i)
        waiting: list[tuple[int, Tensor, Question]] = []
        for index in by_input.values():
            x = variants(picture_batch(explanations[index[0]], index[0], model, metric))
            asked = [questions(i, explanations[i]) for i in index]
            if len(index) == 1 and len(asked[0]) == 1:
                waiting.append((index[0], x, asked[0][0]))
                if sum(len(w[1]) for w in waiting) >= _TOGETHER:
                    _paired(model, way, waiting, out, bar)
            else:
                _crossed(model, way, index, x, asked, out, bar)
        _paired(model, way, waiting, out, bar)
    return out


def _paired(model: Model, way: Way, waiting: list[tuple[int, Tensor, Question]], out: list[list[list[np.ndarray]]],
            bar: Progress) -> None:
    """One question for each waiting input, all in one call; empties ``waiting``."""
    if not waiting:
        return
    x = torch.cat([w[1] for w in waiting])
    asked = [q for _, copies, q in waiting for _ in range(len(copies))]
    made = iter(_listed(explain(model, x, asked, way.method, paired=True, progress=False, **way.params)))
    for i, copies, _ in waiting:
        out[i] = [[next(made).values] for _ in range(len(copies))]
    waiting.clear()
    bar.step(len(x))


def _crossed(model: Model, way: Way, index: list[int], x: Tensor, asked: list[list[Question]],
             out: list[list[list[np.ndarray]]], bar: Progress) -> None:
    """Every question about one input, from one evidence for all of its variants."""
    distinct = {(q.target, q.foil, q.pool, q.task): q for row in asked for q in row}
    place = {key: k for k, key in enumerate(distinct)}
    made = explain(model, x, list(distinct.values()), way.method, progress=False, **way.params)
    assert isinstance(made, Explanations)
    for i, row in zip(index, asked, strict=True):
        out[i] = [[made[v, place[q.target, q.foil, q.pool, q.task], 0].values for q in row] for v in range(len(x))]
    bar.step(len(x) * len(index))


def _listed(made: Explanation | Explanations) -> list[Explanation]:
    return [made] if isinstance(made, Explanation) else list(made)
