"""`Layers`: one question through the depth of a network, with a scrubber."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..captions import caption, facts, notices, title
from ..errors import InputError
from ..scale import Scale
from .frames import Frames, picture_of
from .link import Link

if TYPE_CHECKING:
    from ..explanation import Explanation, Explanations


class Layers(Frames):
    """Shows explanations of one picture and one question at several layers, as a player.

    explanations: what `salwidgets.through_layers` returned, or a list of explanations, from the input to the scores.
    scale: a `Scale` for all layers, or "each": every layer has limits of its own, which a badge says. By default all layers
    share one scale if their grids have the same size (a transformer's blocks), else each has its own: the value of a cell is
    not in the same unit on grids of different sizes. labels: names of the steps; by default the layers'.
    link: the `Link` of another view. at: the step shown first; by default the last.

    Trait ``at`` is the step that is shown; ``explanation`` is the one behind it. Raises `InputError`.
    """

    def __init__(self, explanations: Explanations | Sequence[Explanation], *, scale: Scale | str | None = None,
                 labels: Sequence[str] | None = None, link: Link | None = None, at: int = -1) -> None:
        es = _checked(explanations)
        if labels is not None and len(labels) != len(es):
            raise InputError(f"labels: {len(labels)} names for {len(es)} layers.")
        self.explanations = es
        maps = [np.asarray(e.values, np.float32) for e in es]
        image = picture_of(es[0])
        said = list(dict.fromkeys(n for e in es for n in notices(e)))
        several = len({e.method for e in es}) > 1
        names = [str(n) for n in labels] if labels is not None else [_name(e, i, several) for i, e in enumerate(es)]
        super().__init__(
            maps, image, names, scale=scale, link=link, at=at, _view="layers", title=title(es[0]), through="Layer",
            captions=[caption(e, m.shape, image.shape[:2]) for e, m in zip(es, maps, strict=True)],
            facts=[f for f in facts(es[-1]) if f["term"] != "Completeness"], notices=said)

    @property
    def explanation(self) -> Explanation:
        """The explanation of the step that is shown."""
        return self.explanations[self.at]


def _name(e: Any, i: int, several: bool) -> str:
    block = e.params.get("block")
    where = e.layer or (f"block {block}" if block is not None else f"layer {i + 1}")
    return f"{where}, {e.method}" if several else where


def _checked(given: Any) -> list[Any]:
    if hasattr(given, "parts") and hasattr(given, "explain"):
        raise InputError("Layers shows explanations, and evidence is of one layer; make them with "
                         "sw.through_layers(model, image, question, method).")
    es = list(given) if isinstance(given, Sequence) and not isinstance(given, (str, bytes)) else []
    if not es or not all(hasattr(e, "values") and hasattr(e, "question") for e in es):
        raise InputError(f"Layers shows a list of explanations, one for each layer, not {type(given).__name__}; "
                         "sw.through_layers(model, image, question) makes them.")
    for i, e in enumerate(es):
        if np.ndim(e.values) != 2 or not np.size(e.values):
            raise InputError(f"Layers draws image maps [h, w]; explanation {i} has values of shape "
                             f"{list(np.shape(e.values))}.")
        if e.size != es[0].size or e.input.shape != es[0].input.shape or not np.array_equal(e.input, es[0].input, True):
            raise InputError(f"Layers shows one picture; explanation {i} is of another input than the first.")
        if str(e.question) != str(es[0].question):
            raise InputError(f"Layers shows one question; explanation {i} asks {e.question}, the first {es[0].question}.")
    return es
