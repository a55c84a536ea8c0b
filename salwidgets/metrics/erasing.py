"""What painting over a part of a picture does to the scores, beside what a map said it would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError, QuestionError
from ..questions import Question
from ..regions import coverage
from .fills import Fill, make_fill

if TYPE_CHECKING:
    from ..explanation import Explanation
    from ..models import Model

#: how far the model's score may lie from the explanation's before they cannot be about the same thing
_SAME = 0.02


@dataclass(frozen=True, eq=False)
class Erased:
    """A picture without one of its parts.

    mask: bool `[H, W]`, what was painted over. fill: with what. before, now, whole: the question's score of the picture as
    it was, with the paint, and with everything painted over. logits_before, logits: float32 `[K]`.
    under: sum of the map under the paint, cells divided by area. total: sum of the whole map. promised: whether the method
    promises that its map's sum is a change of the score, so that ``predicted`` is one.
    """

    mask: NDArray[np.bool_]
    fill: str
    before: float
    now: float
    whole: float
    logits_before: NDArray[np.float32]
    logits: NDArray[np.float32]
    under: float
    total: float
    promised: bool

    @property
    def change(self) -> float:
        """The measured change of the question's score (logits)."""
        return self.now - self.before

    @property
    def predicted(self) -> float | None:
        """The change that the map predicts (logits): minus its sum under the paint. None where no method promised one."""
        return -self.under if self.promised else None

    @property
    def explained(self) -> float | None:
        """The predicted change as a share of the measured one; None without a prediction or a change."""
        return self.predicted / self.change if self.predicted is not None and self.change else None

    @property
    def share_of_drop(self) -> float | None:
        """The measured change as a share of what painting over everything changes; None if that changes nothing."""
        whole = self.whole - self.before
        return self.change / whole if whole else None

    @property
    def share_of_map(self) -> float | None:
        """What part of the map's sum lies under the paint; None if it sums to nothing."""
        return self.under / self.total if self.total else None


class Erasing:
    """Scores of one explained input with parts of it painted over. Still fills are made once, scores of the whole too.

    model: the one that was explained. explanation: of an image, with its question. Calling it costs one model pass.
    Raises `InputError` where there is no picture, no question, or another model.
    """

    def __init__(self, model: Model, explanation: Explanation) -> None:
        question = explanation.question
        if explanation.values.ndim != 2 or explanation.input.ndim != 3:
            raise InputError("only an explanation of an image can be painted on; this one has a map "
                             f"{list(explanation.values.shape)} of an input {list(explanation.input.shape)}.")
        if question is None:
            raise InputError("this map answers no question, so no score belongs to it; make it with "
                             "sw.explain(model, image, sw.why(...)).")
        if question.task is not None:
            raise QuestionError(f"{question} reads another output than class scores; ask about a class or a group.")
        self.model, self.explanation = model, explanation
        self._x: Tensor = model.preprocess(torch.from_numpy(explanation.input)[None])
        self._fills: dict[str, tuple[Fill, Tensor]] = {}
        self._whole: dict[str, float] = {}
        self.logits_before = self._logits(self._x)[0]
        self.question: Question = question if question.binding is not None else question.bind(
            model.classes, model.taxonomy, activation=model.activation, predicted=int(self.logits_before.argmax()))
        self.before = self._score(self.logits_before)
        stored = explanation.score
        if stored is not None and abs(stored - self.before) > _SAME * max(1.0, abs(stored)):
            raise InputError(f"{model.name} gives this input the score {self.before:.4g}, the explanation was made at "
                             f"{stored:.4g}: it is of another model. Explain the input with this one.")
        values = np.asarray(explanation.values, np.float64)
        self._values = np.where(np.isfinite(values), values, 0.0)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the input."""
        return int(self._x.shape[-2]), int(self._x.shape[-1])

    def picture(self, fill: str) -> NDArray[np.uint8]:
        """What the input looks like when all of it is painted over, uint8 `[H, W, 3]`."""
        drawn = self.model.pictures(torch.cat([self._x, self._still(fill)]))
        if drawn is None:
            raise InputError("this input cannot be drawn as a picture, so it cannot be painted on.")
        return np.asarray(drawn[1])

    def __call__(self, mask: Any, fill: str = "blur") -> Erased:
        """The scores with ``mask`` (bool `[H, W]`) painted over with ``fill`` (see `make_fill`: "blur", "mean", "black")."""
        gone = np.asarray(mask)
        if gone.shape != self.size or gone.dtype != bool:
            raise InputError(f"the mask must be bool {list(self.size)}, got {gone.dtype} {list(gone.shape)}.")
        still = self._still(fill)
        todo = [torch.where(torch.from_numpy(gone).to(self._x.device), still, self._x)]
        if fill not in self._whole:
            todo.append(still)
        scores = self._logits(torch.cat(todo))
        if len(scores) > 1:
            self._whole[fill] = self._score(scores[1])
        return Erased(gone, fill, self.before, self._score(scores[0]), self._whole[fill], self.logits_before, scores[0],
                      float((self._values * self.cover(gone)).sum()), float(self._values.sum()),
                      self.explanation.completeness is not None)

    def cover(self, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """How much of each cell of the map is painted over, 0..1, float64 of the map's shape."""
        down, across = (pixel_shares(n, pixels) for n, pixels in zip(self._values.shape, self.size, strict=True))
        return np.asarray(down @ mask.astype(np.float64) @ across.T)

    def _still(self, fill: str) -> Tensor:
        if fill not in self._fills:
            found = make_fill(self.model, fill)
            if found.paint is not None:
                raise InputError(f"fill={fill!r} depends on what is left; choose 'blur', 'mean' or 'black'.")
            self._fills[fill] = found, found.still(self._x)
        return self._fills[fill][1]

    def _logits(self, x: Tensor) -> NDArray[np.float32]:
        return np.asarray(self.model.logits(x).cpu().numpy(), np.float32)

    def _score(self, logits: NDArray[np.float32]) -> float:
        return float(self.question.score(torch.from_numpy(logits)))


def pixel_shares(cells: int, pixels: int) -> NDArray[np.float64]:
    """Each pixel's share of each cell along one axis, `[cells, pixels]`; rows sum to 1."""
    if cells == pixels:
        return np.eye(cells)
    shares = np.stack([coverage(i, i + 1, cells, pixels) for i in range(pixels)], 1)
    return np.asarray(shares)
