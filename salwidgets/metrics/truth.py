"""Truth: agreement with a world in which the right answer is known by construction.

world: such as `sw.worlds.creatures()`. Each explanation must be of one of the world's images, which is found by its content.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, MethodError
from ..explanation import Explanation
from .fixations import _pearson
from .maps import image_map, name
from .registry import metric

if TYPE_CHECKING:
    from ..models import Model
    from ..questions import Question
    from ..worlds.world import CreatureWorld

_BY_RULE = "Whether the model follows the world's rule: a model with another rule has another truth (effect_correlation)."


@metric(family="truth", better="higher", needs=("world",), range="0..1", cannot=_BY_RULE, source="ours")
def truth_share(explanations: Sequence[Explanation], world: CreatureWorld) -> np.ndarray:
    """Of the positive mass that lies on any part of the creature, the share on the parts that answer the question.

    A map without positive mass on the creature scores 0.
    """
    out = []
    for i, (e, at) in enumerate(zip(explanations, places(explanations, world), strict=True)):
        parts = np.any(list(world.parts(at).values()), axis=0)
        out.append(part_share(image_map(i, e), _truth(i, e, world, at), parts))
    return np.array(out)


@metric(family="truth", better="higher", needs=("world",), range="0 or 1", cannot=_BY_RULE, source="ours")
def truth_peak(explanations: Sequence[Explanation], world: CreatureWorld, *, pixels: float = 4.0) -> np.ndarray:
    """Whether the map's maximum lies within ``pixels`` (Euclidean) of the parts that answer the question: 1 or 0.

    Of equal maxima the first counts. A map without positive values scores 0.
    """
    return np.array([float(peak_is_near(image_map(i, e), _truth(i, e, world, at), pixels))
                     for i, (e, at) in enumerate(zip(explanations, places(explanations, world), strict=True))])


@metric(family="truth", better="higher", needs=("model", "world"), range="-1..1", chance=0.0,
        passes="1 + parts, once per image",
        cannot="Where on a part the map lies, and parts that only matter together: they are taken away one at a time.",
        source="ours")
def effect_correlation(model: Model, explanations: Sequence[Explanation], world: CreatureWorld, *,
                       kind: str = "pearson") -> np.ndarray:
    """Correlation, over the parts that can be seen, of the map's sum on a part with what the part does to the score.

    The effect is measured (`world.effect`): score of the image minus score of the image drawn without the part. It is the
    model's own truth, whatever it learnt. kind: "pearson" or "spearman". A map with equal sums, or a model that no
    part moves, scores 0.
    """
    if kind not in ("pearson", "spearman"):
        raise MethodError(f"kind={kind!r} is unknown; choose 'pearson' or 'spearman'.")
    at = places(explanations, world)
    for i, e in enumerate(explanations):
        _question(i, e)
    effects = _effects(model, explanations, world, at)
    out = []
    for i, e in enumerate(explanations):
        m = image_map(i, e)
        sums = np.array([m[mask].sum() for mask in world.parts(at[i]).values()])
        pair = [sums, effects[i]]
        if kind == "spearman":
            from scipy.stats import rankdata

            pair = [rankdata(v) for v in pair]
        out.append(_pearson(*pair))
    return np.array(out)


def _effects(model: Model, explanations: Sequence[Explanation], world: CreatureWorld,
             at: Sequence[int]) -> list[np.ndarray]:
    """The effect of each visible part, `[parts]` per explanation; an image is redrawn and scored once for all questions."""
    import torch

    logits: dict[int, Any] = {}
    for i in dict.fromkeys(at):
        redrawn = [world.without(i, part) for part in world.parts(i)]
        logits[i] = model.logits(torch.stack([world.images[i], *redrawn]))
    out = []
    for i, e in zip(at, explanations, strict=True):
        question = e.question
        assert question is not None
        if question.binding is None:
            question = question.bind(list(model.classes), world.taxonomy, predicted=int(logits[i][0].argmax()))
        score = question.score(logits[i]).detach().cpu().numpy().astype(np.float64)
        out.append(score[0] - score[1:])
    return out


def peak_is_near(values: np.ndarray, truth: np.ndarray, pixels: float = 4.0) -> bool:
    """Whether the maximum of a map `[H, W]`, if positive, lies within ``pixels`` of ``truth`` (bool `[H, W]`)."""
    if not values.max() > 0 or not truth.any():
        return False
    y, x = np.unravel_index(int(values.argmax()), values.shape)
    rows, columns = np.nonzero(truth)
    return bool(np.hypot(rows - y, columns - x).min() <= pixels)


def part_share(values: np.ndarray, truth: np.ndarray, parts: np.ndarray) -> float:
    """Of the positive mass on ``parts``, the share on ``truth`` (bool `[H, W]` each); 0 without positive mass."""
    positive = np.maximum(values, 0)
    on_parts = positive[parts].sum()
    return float(positive[parts & truth].sum() / on_parts) if on_parts > 0 else 0.0


def places(explanations: Sequence[Explanation], world: CreatureWorld) -> list[int]:
    """The index of each explanation's input among the world's images; `InputError` if it is none of them.

    Pixels may differ by the rounding of 8-bit pictures.
    """
    if not (hasattr(world, "images") and hasattr(world, "truth")):
        raise MethodError(f"a {type(world).__name__} is no world of known answers; give one, such as "
                          "sw.worlds.creatures().")
    images = np.asarray(world.images)
    found: dict[str, int | None] = {}
    for e in explanations:
        if (key := e.input_sha256) not in found:
            found[key] = None
            if e.input.shape == images.shape[1:]:
                apart = np.abs(images - e.input).reshape(len(images), -1).max(1)
                found[key] = int(apart.argmin()) if apart.min() <= 1.01 / 255 else None
    out = []
    for i, e in enumerate(explanations):
        index = found[e.input_sha256]
        if index is None:
            raise InputError(f"{name(i, e)}: its input {e.input_shape} is none of the world's {len(images)} images; give "
                             "the world whose images were explained (the same n or more, and seed).")
        out.append(index)
    return out


def _question(i: int, e: Explanation) -> Question:
    if e.question is None:
        raise InputError(f"{name(i, e)}: it answers no question, so no answer is right; give one: "
                         "sw.from_array(map, image, 'why husky').")
    return e.question


def _truth(i: int, e: Explanation, world: CreatureWorld, at: int) -> np.ndarray:
    """The pixels that answer the question; `InputError` if none does."""
    question = _question(i, e)
    truth = world.truth(question, at)
    if not truth.any():
        raise InputError(f"{name(i, e)}: nothing that can be seen answers “{question}” in image {at} of the world; "
                         "leave it out.")
    return truth
