"""Questions about models that do not classify: a task reads scores `[N, K]` off any other output.

`why_segment` (a region of a segmentation), `why_box` (a detection), `why_match` (a similarity), `why_token` (a
language model's next token). Everything that answers a class question then answers these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InputError, ModelError, QuestionError
from .questions import Question, why

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Task:
    """How scores are read off an output. ``probabilistic``: whether the columns compete in a softmax."""

    kind: str = ""
    probabilistic: bool = False

    def read(self, output: Any, n: int) -> Tensor:
        """Float32 scores `[N, K]` from a model's output for ``n`` inputs."""
        raise ModelError(f"the task {self.kind!r} was loaded from a manifest: it describes, and cannot be asked again.")

    def names(self, model: Any, k: int) -> list[str]:
        """Names of the K columns: the model's classes where they fit."""
        known = model._classes
        return list(known) if known is not None and len(known) == k else [f"class {i}" for i in range(k)]

    def sentence(self, question: Question) -> str:
        """The question in words."""
        plain = Question(question.target, question.foil, question.pool, None, question.binding)
        return str(plain).rstrip("?") + f" ({self.kind})?"

    def to_dict(self) -> dict[str, Any]:
        """What the manifest says of it."""
        return {"kind": self.kind}


def task_from_dict(d: dict[str, Any]) -> Task:
    """A description of a task, as loaded from a manifest."""
    return Task(str(d.get("kind", "task")))


@dataclass(frozen=True, eq=False)
class SegmentTask(Task):
    """Mean logit of each class over a mask."""

    mask: np.ndarray | None = None

    def read(self, output: Any, n: int) -> Tensor:
        import torch

        from .models.outputs import raw_scores

        scores = raw_scores(output, n).float()
        if scores.ndim != 4:
            raise ModelError(f"why_segment needs scores per pixel [N, K, h, w]; the model puts out {list(scores.shape)}.")
        mask = torch.from_numpy(np.asarray(self.mask, np.float32)).to(scores.device)
        share = torch.nn.functional.interpolate(mask[None, None], scores.shape[-2:], mode="area")[0, 0]
        if float(share.sum()) == 0:
            raise QuestionError("the mask vanishes at the resolution of the model's output.")
        return torch.einsum("nkhw,hw->nk", scores, share / share.sum())

    def sentence(self, question: Question) -> str:
        plain = Question(question.target, question.foil, question.pool, None, question.binding)
        return str(plain).rstrip("?") + " in this region?"


@dataclass(frozen=True, eq=False)
class MatchTask(Task):
    """Cosine similarity of the output's embedding with a reference `[D]`."""

    reference: np.ndarray | None = None

    def read(self, output: Any, n: int) -> Tensor:
        import torch

        from .models.outputs import raw_scores

        e = raw_scores(output, n).float().flatten(1)
        r = torch.from_numpy(np.asarray(self.reference, np.float32)).to(e.device)
        if e.shape[1] != len(r):
            raise QuestionError(f"the reference has {len(r)} numbers, the model's embedding {e.shape[1]}.")
        return torch.nn.functional.cosine_similarity(e, r[None], dim=1)[:, None]

    def names(self, model: Any, k: int) -> list[str]:
        return ["match"]

    def sentence(self, question: Question) -> str:
        return "Why does this match the reference?"


@dataclass(frozen=True, eq=False)
class TokenTask(Task):
    """Next-token logits at one position of a sequence."""

    position: int = -1

    def read(self, output: Any, n: int) -> Tensor:
        from .models.outputs import raw_scores

        scores = raw_scores(output, n).float()
        if scores.ndim != 3 or not -scores.shape[1] <= self.position < scores.shape[1]:
            raise ModelError(f"why_token needs scores [N, T, vocabulary] that hold position {self.position}; the model "
                             f"puts out {list(scores.shape)}.")
        return scores[:, self.position]

    def sentence(self, question: Question) -> str:
        plain = Question(question.target, question.foil, question.pool, None, question.binding)
        return str(plain).rstrip("?") + f" as the token after position {self.position}?"


@dataclass(frozen=True, eq=False)
class BoxTask(Task):
    """Similarity of a detection with the model's proposals: max_j IoU * cos(class scores) * objectness (D-RISE)."""

    box: tuple[float, float, float, float] = (0, 0, 0, 0)
    label: int | None = None
    scores: np.ndarray | None = None

    def read(self, output: Any, n: int) -> Tensor:
        import torch

        rows = [self._one(p) for p in _proposals(output, n)]
        return torch.stack(rows)[:, None].float()

    def _one(self, p: Mapping[str, Any]) -> Tensor:
        import torch

        boxes = p["boxes"].float()
        if len(boxes) == 0:
            return boxes.sum() * 0.0
        mine = boxes.new_tensor(self.box)
        low, high = torch.maximum(boxes[:, :2], mine[:2]), torch.minimum(boxes[:, 2:], mine[2:])
        both = (high - low).clamp_min(0).prod(1)
        iou = both / ((boxes[:, 2:] - boxes[:, :2]).prod(1) + (mine[2:] - mine[:2]).prod() - both).clamp_min(1e-9)
        scores = p["scores"].float()
        if scores.ndim == 2:
            k = scores.shape[1]
            wanted = scores.new_tensor(self.scores) if self.scores is not None else \
                torch.nn.functional.one_hot(torch.tensor(self.label or 0), k).to(scores)
            alike = torch.nn.functional.cosine_similarity(scores, wanted[None], dim=1)
            sure = p["objectness"].float() if "objectness" in p else scores.amax(1)
        else:
            labels = p.get("labels")
            alike = (labels == self.label).float() if labels is not None and self.label is not None \
                else torch.ones_like(iou)
            sure = scores
        return (iou * alike * sure).amax()

    def names(self, model: Any, k: int) -> list[str]:
        return ["detection"]

    def sentence(self, question: Question) -> str:
        place = ", ".join(f"{v:.0f}" for v in self.box)
        return f"Why this detection at ({place})?"


def _proposals(output: Any, n: int) -> list[Mapping[str, Any]]:
    if isinstance(output, Mapping) and "boxes" in output and "scores" in output:
        return [{k: v[i] for k, v in output.items() if k in ("boxes", "scores", "objectness", "labels")}
                for i in range(n)]
    if isinstance(output, (list, tuple)) and len(output) == n and all(isinstance(o, Mapping) and "boxes" in o
                                                                      for o in output):
        return list(output)
    raise ModelError("why_box needs proposals: a dict with 'boxes' [N, P, 4] and 'scores' [N, P, K], or a list of such "
                     "dicts, one per image.")


def why_segment(mask: Any, cls: str | int, *, pool: str = "mean") -> Question:
    """Why is the region ``mask`` `[H, W]` (bool) segmented as ``cls``? The score is the mean logit over the mask."""
    m = np.asarray(mask)
    if m.ndim != 2 or not m.any():
        raise QuestionError(f"the mask has shape {m.shape} and {int(m.astype(bool).sum())} pixels; give [H, W] with some.")
    q = why(cls, pool=pool)
    return Question(q.target, (), pool, SegmentTask("region", True, m.astype(bool)))


def why_match(reference: Any) -> Question:
    """Why does the input match ``reference``, an embedding `[D]` or `[1, D]`? The score is the cosine similarity."""
    r = np.asarray(reference.detach().cpu() if hasattr(reference, "detach") else reference, dtype=np.float32)
    r = r[0] if r.ndim == 2 and len(r) == 1 else r
    if r.ndim != 1 or not len(r) or not np.isfinite(r).all():
        raise QuestionError(f"the reference has shape {r.shape}; give the embedding [D] that the model puts out for it.")
    return Question(("match",), (), "mean", MatchTask("match", False, r))


def why_token(text: str | int, position: int = -1) -> Question:
    """Why does a language model predict the token ``text`` (its name or index) after ``position``?"""
    return Question((text,), (), "mean", TokenTask("token", True, int(position)))


def why_box(detection: Mapping[str, Any]) -> Question:
    """Why this detection? ``detection``: {"box": (x0, y0, x1, y1), "label": index and/or "scores": `[K]`}."""
    if not isinstance(detection, Mapping) or "box" not in detection:
        raise QuestionError("a detection is a dict with 'box' (x0, y0, x1, y1) and 'label' or 'scores'.")
    box = tuple(float(v) for v in detection["box"])
    if len(box) != 4 or not (box[0] < box[2] and box[1] < box[3]):
        raise InputError(f"the box {box} is empty; give (x0, y0, x1, y1) with x0 < x1 and y0 < y1.")
    scores = detection.get("scores")
    label = detection.get("label")
    return Question(("detection",), (), "mean", BoxTask(
        "detection", False, (box[0], box[1], box[2], box[3]), None if label is None else int(label),
        None if scores is None else np.asarray(scores, np.float32)))
