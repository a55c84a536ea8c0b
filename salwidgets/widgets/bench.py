"""What a `Workbench` works on: pictures read once, and the evidence of every method on each of them, kept."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, MethodError, SalwidgetsError
from .requests import Stopped, Task
from .score_rows import score_rows

if TYPE_CHECKING:
    from ..explanation import Explanation
    from ..models import Model
    from ..questions import Question


@dataclass(frozen=True)
class _Asked:
    """What `score_rows` needs to know."""

    model: Model
    question: Question
    logits_before: NDArray[np.float32]


class Bench:
    """images: what `Model.preprocess` takes, one or several. labels: their names; by default the names of files, or numbers.
    kept: how many pieces of evidence, each of one method on one picture, are kept; the one longest not asked goes first.

    Raises `InputError` for inputs that are no pictures, `MethodError` for methods that the model cannot run.
    """

    def __init__(self, model: Model, images: Any, labels: Any = None, kept: int = 32) -> None:
        if isinstance(kept, bool) or not isinstance(kept, int) or kept < 1:
            raise InputError(f"kept={kept!r}; give a whole number of at least 1: the answers that are shown need theirs.")
        self.model, self.kept = model, kept
        self.x, _ = model.batch(images)
        pictures = model.pictures(self.x)
        if pictures is None:
            raise InputError(f"a Workbench shows pictures [N, 3, H, W]; these inputs are {list(self.x.shape)}.")
        self.pictures: NDArray[np.uint8] = pictures
        self.labels = _labels(images, len(self.x)) if labels is None else [str(name) for name in labels]
        if len(self.labels) != len(self.x):
            raise InputError(f"labels= names {len(self.labels)} pictures; there are {len(self.x)}.")
        self.predictions = model.predict(self.x)
        self._evidence: OrderedDict[tuple[int, str], Any] = OrderedDict()
        self._task: Task | None = None
        self._at = (0, 1, "")

    def able(self) -> list[dict[str, str]]:
        """The methods that the model can run, with their family and what they cost."""
        from ..recommendation import able

        return [{"name": m.name, "family": m.family, "passes": m.passes} for m in able(self.model)]

    def answer(self, question: Question, index: int, methods: list[str], task: Task) -> tuple[list[Explanation], list[str]]:
        """Explanations of one picture, and a sentence for each method that failed; `MethodError` if all did.

        Evidence is kept: asked again, a method answers from it. Raises `Stopped`.
        """
        found, failed = [], []
        for k, method in enumerate(methods):
            self._task, self._at = task, (k, len(methods), f"{method} on {self.labels[index]}")
            task.step(k / len(methods), self._at[2])
            try:
                found.append(self._one(question, index, method))
            except Stopped:
                raise
            except Exception as e:  # one method that fails leaves the others
                said = str(e) if isinstance(e, SalwidgetsError) else f"{type(e).__name__}: {e}"
                failed.append(f"{self.labels[index]}, {method}: {said}")
        if not found:
            raise MethodError(" ".join(failed))
        return found, failed

    def _one(self, question: Question, index: int, method: str) -> Explanation:
        from ..explainers import prepare

        key = index, method
        if key not in self._evidence:
            self._evidence[key] = prepare(self.model, self.x[index], method, progress=self._step)
        self._evidence.move_to_end(key)
        while len(self._evidence) > self.kept:
            self._evidence.popitem(last=False)
        found: Explanation = self._evidence[key].explain(question)
        return found

    def forget(self) -> None:
        """Let all evidence go, and ask the model for its predictions again: its weights may be others now."""
        self._evidence.clear()
        self.predictions = self.model.predict(self.x)

    def _step(self, done: int, total: int) -> None:
        """Evidence holds on to this; it tells the task that is at work now, and stops it."""
        k, n, text = self._at
        if self._task is not None:
            self._task.step((k + done / max(1, total)) / n, text)

    def scores(self, question: Question, index: int) -> list[dict[str, Any]]:
        """``{"name", "kind", "p"}`` of the question's sides, the groups above them and the likeliest classes."""
        z = np.asarray(self.predictions.logits[index], np.float32)
        rows = score_rows(_Asked(self.model, question, z), z)
        return [{"name": r["name"], "kind": r["kind"], "p": r["now"]} for r in rows]


def _labels(images: Any, n: int) -> list[str]:
    many = list(images) if isinstance(images, (list, tuple)) else [images]
    files = [Path(i).name for i in many if isinstance(i, (str, Path))]
    return files if len(files) == n else [f"Picture {i + 1}" for i in range(n)]
