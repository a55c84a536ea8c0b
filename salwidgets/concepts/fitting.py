"""The two passes of `ConceptExtractor.fit`: learn a dictionary from activations, then weigh its concepts image by image.

Held are the activations, while they weigh less than ``max_bytes``; beyond that they go through the dictionary's
``partial_fit`` and are dropped, and the second pass runs the network again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError, MethodError
from ..explainers.base import Columns, apply, bind_columns
from ..questions import Question
from .activations import LayerReader, maps_of, rows_of
from .batches import Batches
from .concept_heads import ConceptHead
from .crops import BestCrops
from .dictionary import fit_in_rounds
from .importance import importances

_ROWS = 16_384  # cells in one step of a dictionary that learns from a stream
_THUMBNAIL = 64
_THUMBNAIL_BYTES = 256_000_000


@dataclass(eq=False)
class Learnt:
    """After the first pass: the fitted dictionary, and maps (per batch, None if streamed) with their logits and labels."""

    dictionary: Any
    maps: list[Tensor] | None
    logits: list[Tensor]
    labels: list[Any]
    crops: list[Tensor] | None = None
    notices: tuple[str, ...] = ()


@dataclass(eq=False)
class Weighed:
    """After the second pass, one entry per batch; see `ConceptExtractor` for what they are."""

    importance: list[np.ndarray] = field(default_factory=list)
    scores: list[np.ndarray] = field(default_factory=list)
    rebuilt: list[np.ndarray] = field(default_factory=list)
    predicted: list[np.ndarray] = field(default_factory=list)
    target: list[np.ndarray] = field(default_factory=list)
    probability: list[np.ndarray] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    coefficients: list[np.ndarray] | None = field(default_factory=list)
    thumbnails: list[np.ndarray] | None = field(default_factory=list)
    error: float = 0.0
    size: float = 0.0


def learn(reader: LayerReader, batches: Batches, dictionary: Any, mode: str, max_bytes: int, random_state: int,
          step: Callable[[int], None]) -> Learnt:
    """The first pass: read the layer, fit the dictionary."""
    learnt = Learnt(dictionary, [], [], [])
    pool = _Pool(dictionary, random_state)
    crops: list[Tensor] = []
    held, first = 0, 0
    for x, labels in batches:
        maps, logits = reader.maps(x, first)
        check_signs(reader, dictionary, maps)
        step(len(x))
        rows = None
        if mode == "crops":
            rows = reader.crop_means(x, batches.batch_size, first)
            step(len(x) * rows.shape[1])
            crops.append(rows)
            held += rows.numel() * 4
        if learnt.maps is not None:
            learnt.maps.append(maps)
            learnt.logits.append(logits)
            learnt.labels.append(labels)
            held += maps.numel() * 4
        if learnt.maps is not None and (held > max_bytes or not batches.stable):
            _can_stream(dictionary, max_bytes)
            for part in [c.flatten(0, 1) for c in crops] or [rows_of(m) for m in learnt.maps]:
                pool.add(part)
            learnt.maps = None
            learnt.logits, learnt.labels, crops = [], [], []
        elif learnt.maps is None:
            pool.add(rows.flatten(0, 1) if rows is not None else rows_of(maps))
            crops = []
        first += len(x)
    if learnt.maps is None:
        pool.finish()
        learnt.notices = (f"the activations weigh more than max_bytes={max_bytes:,}, or the images may come in another "
                          "order next time: the dictionary was learnt from a stream, and the network ran twice.",)
        return learnt
    rows = torch.cat(crops).flatten(0, 1) if crops else torch.cat([rows_of(m) for m in learnt.maps])
    check_rows(rows, dictionary.n_concepts if hasattr(dictionary, "n_concepts") else None)
    fit_in_rounds(dictionary, given(dictionary, rows), lambda: step(0))
    learnt.crops = crops or None
    return learnt


class _Pool:
    """Cells gathered until there are enough for one step of a dictionary that learns from a stream."""

    def __init__(self, dictionary: Any, seed: int):
        self.dictionary, self.random = dictionary, np.random.default_rng(seed)
        self.rows: list[np.ndarray] = []
        self.steps = 0

    def add(self, rows: Tensor) -> None:
        self.rows.append(rows.cpu().numpy())
        if sum(map(len, self.rows)) >= _ROWS:
            self.learn()

    def learn(self) -> None:
        rows = np.concatenate(self.rows)
        if self.steps == 0:
            check_rows(torch.from_numpy(rows), getattr(self.dictionary, "n_concepts", None))
        self.dictionary.partial_fit(rows[self.random.permutation(len(rows))])
        self.rows, self.steps = [], self.steps + 1

    def finish(self) -> None:
        # A rest too small for a step of its own (PCA needs as many rows as components) is left out.
        enough = sum(map(len, self.rows)) >= max(256, getattr(self.dictionary, "n_concepts", 0))
        if self.rows and (enough or not self.steps):
            self.learn()


def weigh(reader: LayerReader, batches: Batches, learnt: Learnt, head: ConceptHead, question: Question, method: str,
          mode: str, crops: BestCrops, max_bytes: int, step: Callable[[int], None]) -> Weighed:
    """The second pass: coefficients, importance, scores and the best crops of every image."""
    out, first = Weighed(), 0
    for b, (x, labels) in enumerate(batches):
        if learnt.maps is None:
            maps, logits = reader.maps(x, first)
            step(len(x))
        else:
            maps, logits, labels = learnt.maps[b], learnt.logits[b], learnt.labels[b]
        u = encode(learnt.dictionary, maps)
        columns = bind_columns(reader.model, logits, [question], False, first)
        out.importance.append(importances(head, x, u, columns, method).cpu().numpy())
        out.rebuilt.append(head.scores(x, u, torch.ones(1, u.shape[1]).to(u), columns)[:, 0].cpu().numpy())
        note_answers(out, columns, logits, labels)
        gap, size = left_out(head, maps, u)
        out.error, out.size = out.error + gap, out.size + size
        pictures = reader.model.pictures(x)
        _keep(out, u, pictures, max_bytes)
        cut = None
        if mode == "crops":
            cut = learnt.crops[b] if learnt.crops is not None else reader.crop_means(x, batches.batch_size, first)
            step(0 if learnt.crops is not None else cut.shape[0] * cut.shape[1])
        _best(crops, reader, learnt.dictionary, u, cut, first, pictures)
        first += len(x)
    return out


def encode(dictionary: Any, maps: Tensor) -> Tensor:
    """Coefficients `[n, K, h, w]` of activations `[n, C, h, w]`."""
    n, _, h, w = maps.shape
    u = dictionary.encode(given(dictionary, rows_of(maps)))
    return maps_of(u, n, h, w).to(maps.device)


def given(dictionary: Any, rows: Tensor) -> Any:
    """Rows as the dictionary takes them: as they are for a torch factorisation on a GPU, else numpy."""
    from .dictionary import TorchNMFDictionary

    return rows if isinstance(dictionary, TorchNMFDictionary) else rows.cpu().numpy()


def check_rows(rows: Tensor, n_concepts: int | None) -> None:
    """Raises `InputError` for fewer rows than concepts, and for activations that do not vary at all."""
    if n_concepts is not None and len(rows) < n_concepts:
        raise InputError(f"there are {len(rows)} activations for {n_concepts} concepts; give more images, or ask for fewer "
                         "concepts.")
    spread = float((rows.amax(0) - rows.amin(0)).max())
    if len(rows) > 1 and spread <= 1e-6 * max(1e-12, float(rows.abs().max())):
        raise InputError("the layer puts out the same everywhere in all images: there is nothing to tell apart. Choose "
                         "another layer, or other images.")


def check_signs(reader: LayerReader, dictionary: Any, maps: Tensor) -> None:
    """Raises `MethodError` for negative activations where the dictionary takes none."""
    if getattr(dictionary, "nonnegative", False) and float(maps.min()) < 0:
        from .dictionary import negative_rows

        raise negative_rows(float(maps.min()), f"the activations of layer {reader.layer.name!r}")


def _can_stream(dictionary: Any, max_bytes: int) -> None:
    if not callable(getattr(dictionary, "partial_fit", None)):
        raise MethodError(f"the activations weigh more than max_bytes={max_bytes:,}, and {dictionary!r} has no partial_fit "
                          "to learn from a stream. Raise max_bytes, give fewer images, or use nmf, kmeans, pca or semi-nmf.")


def note_answers(out: Weighed, columns: Columns, logits: Tensor, labels: Any) -> None:
    """Scores, predictions, and whether the prediction is of the target."""
    best = logits.argmax(1).cpu().numpy()
    out.scores.append(apply(columns, logits)[0].cpu().numpy())
    out.predicted.append(best)
    out.target.append(np.array([int(p) in q.bound.target for p, q in zip(best.tolist(), columns[0], strict=True)]))
    one = columns[0][0]
    same = all(q is one for q in columns[0])
    p = one.probability(logits) if same else torch.stack([q.probability(r) for q, r in zip(columns[0], logits, strict=True)])
    out.probability.append(p.cpu().numpy())
    out.labels.append(labels)


def left_out(head: ConceptHead, maps: Tensor, u: Tensor) -> tuple[float, float]:
    """Squared size of what the concepts leave out of activations ``maps``, and of the activations."""
    rebuilt = torch.einsum("nkhw,kc->nchw", u, head.w)
    if head.offset is not None:
        rebuilt = rebuilt + head.offset[:, None, None]
    return float((maps - rebuilt).pow(2).sum(dtype=torch.float64)), float(maps.pow(2).sum(dtype=torch.float64))


def _keep(out: Weighed, u: Tensor, pictures: np.ndarray | None, max_bytes: int) -> None:
    """Coefficients and thumbnails, while there is room."""
    if pictures is None:
        out.thumbnails = None
    if out.thumbnails is not None and pictures is not None:
        out.thumbnails.append(thumbnails(pictures))
        if sum(t.nbytes for t in out.thumbnails) > _THUMBNAIL_BYTES:
            out.thumbnails = None
    if out.coefficients is not None:
        out.coefficients.append(u.cpu().numpy())
        if sum(c.nbytes for c in out.coefficients) > max_bytes:
            out.coefficients = None


def _best(crops: BestCrops, reader: LayerReader, dictionary: Any, u: Tensor, cut: Tensor | None, first: int,
          pictures: np.ndarray | None) -> None:
    """Update the best crops: around the strongest cell, or, for crops that were run by themselves `[n, B, C]`, of those."""
    if cut is None:
        strength, at = (t.cpu().numpy() for t in u.flatten(2).max(-1))
        width = u.shape[-1]
        crops.update(first, strength, lambda i, k: reader.box_at(divmod(int(at[i, k]), width)), pictures)
        return
    own = dictionary.encode(given(dictionary, cut.flatten(0, 1)))
    strength, at = (t.cpu().numpy() for t in torch.as_tensor(own).unflatten(0, tuple(cut.shape[:2])).max(1))
    boxes = reader.boxes().tolist()
    crops.update(first, strength, lambda i, k: tuple(boxes[at[i, k]]), pictures)


def thumbnails(pictures: np.ndarray, side: int = _THUMBNAIL) -> np.ndarray:
    """Pictures uint8 `[n, H, W, 3]` as squares `[n, side, side, 3]`, areas averaged; other shapes are squeezed to fit."""
    if pictures.shape[1:3] == (side, side):
        return pictures
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    small = torch.nn.functional.interpolate(x, (side, side), mode="bilinear", antialias=True)
    return small.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
