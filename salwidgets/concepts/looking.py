"""Other images as a fitted `ConceptExtractor` sees them, batch by batch, under one bar that counts every run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..explainers.base import Columns, bind_columns
from ..explainers.progress import Progress, ProgressOption
from .batches import Batches
from .concept_heads import ConceptHead, closed_form, make_head
from .fitting import encode
from .importance import importances, passes

if TYPE_CHECKING:
    from .extractor import ConceptExtractor


@dataclass(eq=False)
class Look:
    """A batch: images x `[n, ...]`, activations maps `[n, C, h, w]`, logits, coefficients u `[n, K, h, w]`, columns: one
    bound question per image, and the head that they are weighed by."""

    x: Tensor
    maps: Tensor
    logits: Tensor
    u: Tensor
    columns: Columns
    head: ConceptHead
    method: str

    def importance(self) -> Tensor:
        """`[n, K]`, by the method and for the question of the extractor."""
        return importances(self.head, self.x, self.u, self.columns, self.method)


def looks(extractor: ConceptExtractor, images: Any, more: int = 0, progress: ProgressOption = None) -> Iterator[Look]:
    """Looks at ``images``, inside one session that ends with the reading, however it ends.

    more: further runs of the head per image that the caller makes. progress: None: as the extractor says.
    """
    model, dictionary = extractor.model_, extractor.usable_dictionary()
    batches = Batches(model, images, extractor.batch_size, extractor.max_bytes)
    show = extractor.progress if progress is None else progress
    with model.session():
        x = next(iter(batches))[0]
        reader = extractor.reader_of(x)
        closed = closed_form(model, reader.layer, x[:8])
        runs = 1 + (0 if closed is not None else passes(extractor.importance, len(extractor.components_)) + more)
        with Progress(runs * (batches.total or 0), "weighing concepts", show) as bar:
            head, first = make_head(model, reader, closed, dictionary, extractor.batch_size, bar.step), 0
            for x, _ in batches:
                reader = extractor.reader_of(x)
                maps, logits = reader.maps(x, first)
                columns = bind_columns(model, logits, [extractor.question_], False, first)
                bar.step(len(x))
                yield Look(x, maps, logits, encode(dictionary, maps), columns, head, extractor.importance)
                first += len(x)
