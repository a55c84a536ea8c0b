"""What the expensive work leaves behind: the `Evidence` protocol, and the `Basis` of per-class maps. numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from .errors import QuestionError
from .explanation import Explanation, Explanations
from .questions import Question
from .taxonomy import ClassNames, Taxonomy


@runtime_checkable
class Evidence(Protocol):
    """The work of one method on a batch of inputs, done once; questions only read it.

    ``explain`` takes a question (one answer per input: an `Explanation` if there is one input) or a list of
    questions (answered in one batch). ``basis`` gives per-class maps, for methods linear in the question.
    """

    method: str

    def explain(self, question: Question | Sequence[Question]) -> Explanation | Explanations: ...

    def basis(self, classes: Sequence[Any] | None = None) -> Basis: ...


@dataclass(eq=False)
class Basis:
    """Per-class maps of a linear method: a question that is linear in the logits is a weighted sum of them.

    maps: float32 `[N, R, H', W']`; rows: int64 `[R]`, the class index of each row; logits: float32 `[N, K]`.
    images: uint8 `[N, H, W, 3]`.
    """

    maps: np.ndarray
    rows: np.ndarray
    class_names: Sequence[str]
    logits: np.ndarray
    images: np.ndarray
    method: str
    taxonomy: Taxonomy | None = None
    activation: str = "softmax"
    layer: str | None = None
    model: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    @property
    def row_names(self) -> list[str]:
        """The class name of each row."""
        names = ClassNames(self.class_names)
        return [names.unique(int(i)) for i in self.rows]

    def map(self, question: Question, index: int = 0) -> np.ndarray:
        """The question's map on input ``index``, float32 `[H', W']`: a weighted sum, no model call.

        Raises `QuestionError` if the question is not linear or needs a class that has no row.
        """
        if question.binding is None:
            best = int(self.logits[index].argmax())
            question = question.bind(ClassNames(self.class_names), self.taxonomy, activation=self.activation,
                                     predicted=best)
        w = question.weights
        missing = np.setdiff1d(np.flatnonzero(w), self.rows)
        if len(missing):
            names = ", ".join(repr(self.class_names[i]) for i in missing[:3])
            raise QuestionError(f"the basis has no row for {names}; make one with evidence.basis([...]) that does.")
        return np.tensordot(w[self.rows], self.maps[index], 1).astype(np.float32)
