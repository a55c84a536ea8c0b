"""The creatures world: drawn images, their parts, and the right answers to questions about them."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError, QuestionError
from .anatomy import LEAVES, PARTS, taxonomy
from .drawing import SIZE, draw, part_mask
from .scene import Scene, sample
from .truth import telling_parts

if TYPE_CHECKING:
    from ..models import Model
    from ..questions import Question


class CreatureWorld:
    """``n`` drawn creatures of which the right explanation is known.

    images: float32 ``[n, 3, 64, 64]`` in [0, 1]; the nets take them as they are.
    labels: the leaf name of each image; every run of twelve images holds each leaf once.
    classes: the twelve leaves in logit order; taxonomy: the tree above them.

    The same ``seed`` gives the same images, and image ``i`` does not depend on ``n``. ``i`` may count from the
    end, as in a list. Which parts there are and who shares them: see `salwidgets.worlds.anatomy`.
    """

    def __init__(self, n: int = 200, seed: int = 0) -> None:
        if not isinstance(n, int) or isinstance(n, bool) or n < 1:
            raise InputError(f"n={n!r} creatures cannot be drawn; n is a whole number of at least 1.")
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise InputError(f"seed={seed!r} cannot start a world; a seed is a whole number of at least 0.")
        self.seed = seed
        self.classes: list[str] = list(LEAVES)
        self.taxonomy = taxonomy()
        self._scenes = [sample(seed, i) for i in range(n)]
        self.labels: list[str] = [scene.leaf for scene in self._scenes]
        self.images: Tensor = torch.stack([_picture(scene) for scene in self._scenes])

    def __len__(self) -> int:
        return len(self._scenes)

    def __repr__(self) -> str:
        return f"CreatureWorld({len(self)} images of {len(self.classes)} classes, seed={self.seed})"

    # -- what is drawn ---------------------------------------------------------------------------------------

    def parts(self, i: int) -> dict[str, np.ndarray]:
        """The pixels of each part that can be seen in image ``i``: ``{part: bool [64, 64]}``.

        A pixel belongs to a part that covers any share of it, so masks of neighbours may share edge pixels.
        Parts that are hidden in this image are left out.
        """
        masks = _masks(self.seed, self._index(i))
        return {part: mask.copy() for part, mask in masks.items()}

    def without(self, i: int, part: str) -> Tensor:
        """Image ``i`` drawn again without ``part``, float32 ``[3, 64, 64]``; what was behind it shows.

        Pose, background and noise are the same: no pixel outside ``parts(i)[part]`` changes. A part that is
        hidden anyway changes nothing. Raises `InputError` for a part that no creature has.
        """
        if part not in PARTS:
            raise InputError(f"creatures have no part {part!r}; choose one of {', '.join(PARTS)}.")
        return _picture(self._scenes[self._index(i)], [part])

    # -- what is true ----------------------------------------------------------------------------------------

    def truth(self, question: Question, i: int) -> np.ndarray:
        """The right answer to ``question`` in image ``i``: pixels of the parts that matter, bool ``[64, 64]``.

        Contrast between siblings: what differs between them (crest, tail), as far as it can be seen. Group: what
        its members share. A leaf by itself: all its telling parts. The whole rule is in
        `salwidgets.worlds.truth`. ``why()`` is read as a question about the leaf that is drawn. May be empty.
        """
        i = self._index(i)
        bound = _bound(question, self.classes, self, self.classes.index(self.labels[i]))
        masks = _masks(self.seed, i)
        truth = np.zeros((SIZE, SIZE), dtype=bool)
        for part in telling_parts(self.labels[i], bound.target_names, bound.foil_names):
            if part in masks:
                truth |= masks[part]
        return truth

    def effect(self, model: Model, question: Question, i: int) -> dict[str, float]:
        """What each part that can be seen in image ``i`` does to the score of ``question``.

        ``{part: score of the image - score of the image without the part}``: positive where the part speaks for
        the target. All redrawn images go through the model in one batch. ``why()`` is the model's prediction.
        """
        i = self._index(i)
        parts = list(_masks(self.seed, i))
        logits = model.logits(torch.stack([self.images[i], *(self.without(i, part) for part in parts)]))
        bound = _bound(question, model.classes, self, int(logits[0].argmax()))
        whole, *rest = bound.score(logits).tolist()
        return {part: whole - score for part, score in zip(parts, rest, strict=True)}

    def model(self, name: str) -> Model:
        """The trained net "cnn" (residual, BatchNorm) or "vit" (class and register tokens), ready to be asked."""
        from ..models import Model
        from .trained import load

        return Model(load(name), classes=self.classes, taxonomy=self.taxonomy)

    def _index(self, i: int) -> int:
        try:
            return range(len(self))[i]
        except (IndexError, TypeError):
            last = len(self) - 1
            raise InputError(
                f"there is no image {i!r}: this world has {len(self)}, from 0 to {last}."
            ) from None


def _bound(question: Question, classes: Collection[str], world: CreatureWorld, predicted: int) -> Question:
    if question.task is not None:
        raise QuestionError(
            f"{question} is not about a class; the creatures world answers questions about classes."
        )
    if question.binding is None:
        question = question.bind(list(classes), world.taxonomy, predicted=predicted)
    strangers = [name for name in [*question.target_names, *question.foil_names] if name not in world.classes]
    if strangers:
        raise QuestionError(
            f"no creature is called {strangers[0]!r}; the classes are {', '.join(world.classes)}."
        )
    return question


def _picture(scene: Scene, without: Collection[str] = ()) -> Tensor:
    return torch.from_numpy(draw(scene, without)[0]).permute(2, 0, 1).contiguous()


@lru_cache(maxsize=256)
def _masks(seed: int, i: int) -> dict[str, np.ndarray]:
    """Masks of the parts that can be seen; drawn when first asked for, because most images are never asked."""
    _, ids = draw(sample(seed, i))
    masks = {part: part_mask(ids, part) for part in PARTS}
    return {part: mask for part, mask in masks.items() if mask.any()}
