"""Images to learn concepts from, as batches that can be read more than once, whatever they came as."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from ..errors import InputError
from ..models import Model


class Batches:
    """``images`` in batches `[n, ...]` as the model takes them, with labels where the data has them.

    images: what `Model.preprocess` takes (a tensor, an array, a list), or a data set (``len`` and ``[i]``), a DataLoader,
    or any iterable of batches; items may be (image, label). What was read is kept for the next pass while it weighs less
    than ``max_bytes``. Beyond that, lists, data sets and loaders are read again; what can be read only once (a
    generator) raises `InputError`. total: how many images, None where the data does not say.
    """

    def __init__(self, model: Model, images: Any, batch_size: int, max_bytes: int):
        self.model, self.batch_size, self.max_bytes = model, batch_size, max_bytes
        self.offset = 0
        self.total: int | None = None
        self.whole: Tensor | None = None
        images = self._data = iter(images) if _is_batches(images) else images
        self._kept: list[tuple[Tensor, Any]] | None = []
        self._complete = False
        self._running: Iterator[tuple[Tensor, Any]] | None = None
        if isinstance(images, (Tensor, np.ndarray)) or _is_input(images):
            self.whole = model.batch(images)[0]
            self.total = len(self.whole)
        elif _is_indexed(images):
            if not len(images):
                raise InputError("there are no images; give at least one.")
            self.total = len(images)
        elif isinstance(images, Iterable):
            sampler: Any = getattr(images, "sampler", None)  # a DataLoader's: what it draws, which may be less than all
            self.total = len(sampler) if hasattr(sampler, "__len__") else None
        else:
            raise InputError(f"concepts are learnt from images, a data set or batches of them, not from a "
                             f"{type(images).__name__}.")

    @property
    def stable(self) -> bool:
        """Whether reading again gives the same images in the same order; a loader may shuffle."""
        return self.whole is not None or self._kept is not None or _is_indexed(self._data)

    def __iter__(self) -> Iterator[tuple[Tensor, Any]]:
        """Batches `[n, ...]` on the model's device, each with its labels (a list) or None."""
        self.offset = 0
        shape: tuple[int, ...] | None = None
        for x, labels in self._read():
            if shape is not None and tuple(x.shape[1:]) != shape:
                raise InputError(f"image {self.offset} has shape {list(x.shape[1:])}, those before {list(shape)}; give a "
                                 "preprocess that makes them equal.")
            shape = tuple(x.shape[1:])
            if x.ndim != 4:
                raise InputError(f"concepts lie on images; these inputs have shape {list(shape)}.")
            for start in range(0, len(x), self.batch_size):
                part = x[start:start + self.batch_size].to(self.model.device)
                yield part, None if labels is None else labels[start:start + self.batch_size]
                self.offset += len(part)
        if shape is None:
            raise InputError("there are no images; give at least one.")

    def _read(self) -> Iterator[tuple[Tensor, Any]]:
        if self.whole is not None:
            yield self.whole, None
        elif self._complete and self._kept is not None:
            yield from self._kept
        else:
            if self._running is None or self._kept is None:
                self._running = self._items(self._data) if _is_indexed(self._data) else self._batches(self._data)
            yield from list(self._kept or [])  # a reading that was given up half-way goes on where it was
            yield from self._keeping(self._running)

    def _keeping(self, batches: Iterator[tuple[Tensor, Any]]) -> Iterator[tuple[Tensor, Any]]:
        for x, labels in batches:
            if self._kept is not None:
                self._kept.append((x, labels))
                if sum(t.numel() * t.element_size() for t, _ in self._kept) > self.max_bytes:
                    self._kept = None
                    if isinstance(self._data, Iterator):
                        raise InputError(
                            f"these images can be read only once and weigh more than max_bytes={self.max_bytes:,}; give a "
                            "list, a data set or a DataLoader, which can be read again, or raise max_bytes.")
            yield x, labels
        self._complete, self._running = True, None

    def _items(self, data: Any) -> Iterator[tuple[Tensor, Any]]:
        for start in range(0, len(data), self.batch_size):
            items = [data[i] for i in range(start, min(start + self.batch_size, len(data)))]
            labelled = [i for i in items if _is_pair(i)]
            if labelled and len(labelled) != len(items):
                raise InputError(f"some items from {start} on have a label and some have none.")
            yield self._tensor([i[0] for i in items] if labelled else items), \
                [_plain(i[1]) for i in items] if labelled else None

    def _batches(self, loader: Any) -> Iterator[tuple[Tensor, Any]]:
        for batch in loader:
            if isinstance(batch, Mapping):
                name = next((n for n in ("pixel_values", "image", "images", "x") if n in batch), None)
                if name is None:
                    raise InputError(f"a batch is a dict of {', '.join(map(str, batch))}; its images were looked for under "
                                     "pixel_values, image, images or x.")
                label = next((batch[n] for n in ("labels", "label", "y") if n in batch), None)
                batch = (batch[name], label)
            x, labels = (batch[0], batch[1] if len(batch) > 1 else None) if _is_pair(batch) else (batch, None)
            yield self._tensor(x), None if labels is None else [_plain(v) for v in labels]

    def _tensor(self, images: Any) -> Tensor:
        try:
            return self.model.batch(images)[0]
        except InputError as e:
            raise InputError(f"in the batch from image {self.offset} on: {e}") from None


def _is_input(images: Any) -> bool:
    """Whether this is one picture or a list of pictures, which `Model.batch` knows how to read."""
    from pathlib import Path

    if isinstance(images, (str, Path)) or hasattr(images, "convert"):
        return True
    return isinstance(images, (list, tuple)) and bool(images) and isinstance(images[0], (Tensor, np.ndarray))


def _is_batches(images: Any) -> bool:
    """Whether this is a list of whole batches `[n, C, H, W]`, with or without labels."""
    if not isinstance(images, (list, tuple)) or not images:
        return False
    first = images[0][0] if _is_pair(images[0]) else images[0]
    return isinstance(first, Tensor) and first.ndim == 4


def _is_pair(item: Any) -> bool:
    return isinstance(item, (tuple, list)) and len(item) == 2 and (isinstance(item[0], (Tensor, np.ndarray, list, str))
                                                                   or hasattr(item[0], "convert")) \
        and not (isinstance(item[1], Tensor) and item[1].ndim > 1)


def _plain(label: Any) -> Any:
    """A label as an int or a name; `InputError` for what is neither."""
    if isinstance(label, str):
        return str(label)
    try:
        if int(label) == float(label):
            return int(label)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        pass
    raise InputError(f"{label!r} is no label; give the names of classes, or their indices.")


def _is_indexed(images: Any) -> bool:
    return hasattr(images, "__getitem__") and hasattr(images, "__len__") and not isinstance(images, Mapping)


def class_indices(labels: Sequence[Any], model: Model) -> np.ndarray:
    """Class indices int64 `[N]` of labels given as names or indices; `InputError` names the label that fits no class."""
    if isinstance(labels, str) or not hasattr(labels, "__len__"):
        raise InputError(f"labels={labels!r}; give a list with the name or index of one class per image.")
    out, seen = np.zeros(len(labels), np.int64), {}
    for i, label in enumerate(labels):
        key = _plain(label)
        if key not in seen:
            if isinstance(key, str):
                found = [j for j, name in enumerate(model.classes) if name == key] or \
                        [j for j in range(len(model.classes)) if model.classes.unique(j) == key]
                if len(found) != 1:
                    raise InputError(f"label {i} is {key!r}, which names {len(found)} of the model's classes; give indices.")
                seen[key] = found[0]
            elif 0 <= key < len(model.classes):
                seen[key] = key
            else:
                raise InputError(f"label {i} is {key}; the model has {len(model.classes)} classes.")
        out[i] = seen[key]
    return out
