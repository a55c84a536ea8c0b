"""Classes and groups whose scores stand beside a question: its sides, the groups above them, the likeliest classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import QuestionError
from ..questions import Question, why

_LIKELY = 4
_GROUPS = 4


class Scored(Protocol):
    """A question to a model, and the logits float32 `[K]` that it had before (an `Erasing`, for example)."""

    @property
    def model(self) -> Any: ...
    @property
    def question(self) -> Question: ...
    @property
    def logits_before(self) -> NDArray[np.float32]: ...


def score_rows(scored: Scored, logits: NDArray[np.float32], groups: Sequence[str] = ()) -> list[dict[str, Any]]:
    """``{"name", "kind": "target" | "foil" | "group" | "class", "before", "now"}``: probabilities 0..1 before and with the
    paint. Raises `QuestionError` for a group that is not known."""
    import torch

    model, question = scored.model, scored.question
    both = torch.from_numpy(np.stack([scored.logits_before, logits]))
    rows: list[dict[str, Any]] = []
    seen: set[tuple[int, ...]] = set()

    def add(name: str, kind: str, index: Sequence[int]) -> None:
        key = tuple(sorted(index))
        if key in seen or not key:
            return
        seen.add(key)
        q = why(list(key)).bind(model.classes, activation=model.activation)
        before, now = (float(p) for p in q.probability(both))
        rows.append({"name": name, "kind": kind, "before": before, "now": now})

    b = question.bound
    add(b.target_label.strip("“”"), "target", b.target)
    if b.foil:
        add(b.foil_label.strip("“”"), "foil", b.foil)
    for name in groups:
        asked = Question((name,)).bind(model.classes, model.taxonomy, activation=model.activation)
        add(name, "group", asked.bound.target)
    for name, members in _above(model, b.target):
        add(name, "group", members)
    likely = [*np.argsort(-logits, kind="stable")[:1], *np.argsort(-scored.logits_before, kind="stable")[:_LIKELY]]
    for i in likely:
        add(model.classes.unique(int(i)), "class", [int(i)])
    return rows


def _above(model: Any, target: Sequence[int]) -> list[tuple[str, list[int]]]:
    """The groups above the target, nearest first, along first parents."""
    tree = model.taxonomy
    name = model.classes[int(target[0])]
    if tree is None or name not in tree:
        return []
    found: list[tuple[str, list[int]]] = []
    while (name := tree.parent(name)) and len(found) < _GROUPS:
        members = _members(model, tree, name)
        if set(target) <= set(members) and len(members) < len(model.classes):
            found.append((name, members))
    return found


def _members(model: Any, tree: Any, group: str) -> list[int]:
    out = []
    for leaf in tree.members(group):
        try:
            out.append(int(model.classes.lookup(leaf)))
        except QuestionError:
            continue  # a leaf that the model does not have
    return out
