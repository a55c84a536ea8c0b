"""Concept maps as explanations, so that every view, figure and export that shows a map shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..explanation import Explanation, Explanations
from .fitting import encode

if TYPE_CHECKING:
    from .extractor import ConceptExtractor


def concept_maps(extractor: ConceptExtractor, batches: Iterable[tuple[Tensor, Tensor, Tensor]],
                 concepts: Sequence[int] | None) -> Explanations:
    """One explanation per image and concept, shape (inputs, 1, concepts)."""
    which = [extractor._index(k) for k in (range(len(extractor.components_)) if concepts is None else concepts)]
    model = extractor.model_
    found: list[Explanation] = []
    for x, maps, logits in batches:
        u = encode(extractor.dictionary_, maps).cpu().numpy()
        p = torch.sigmoid(logits) if model.activation == "sigmoid" else logits.softmax(-1)
        best = p.max(-1)
        inputs = x.float().cpu().numpy()
        for i in range(len(x)):
            seen = inputs[i].copy()
            picture: Any = partial(_picture, seen, model) if x.shape[1] in (1, 3, 4) else None
            prediction = (model.classes[int(best.indices[i])], float(best.values[i]))
            found += [Explanation(u[i, k].copy(), seen, None, extractor.names_[k], image=picture, model=model.name,
                                  layer=extractor.layer_, prediction=prediction,
                                  params={"concept": k, "n_concepts": len(u[i]), "question": str(extractor.question_)})
                      for k in which]
    return Explanations(found, (len(found) // max(1, len(which)), 1, len(which)))


def _picture(seen: Any, model: Any) -> Any:
    pictures = model.pictures(torch.from_numpy(seen[None]))
    assert pictures is not None
    return pictures[0]
