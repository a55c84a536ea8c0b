"""The shortcut world: creatures of four families, one of which was photographed with a tell-tale tag in the corner.

Ours. A net that is trained on these images with ordinary labels reads the tag in place of the animal: it names nearly
all images of its own kind rightly, and fails where the tag is missing or stands beside another family. So the right
answer to "what does this model use?" is known, and a tool that looks for shortcuts can be checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..taxonomy import Taxonomy
from .anatomy import taxonomy as creature_taxonomy
from .drawing import SIZE
from .world import CreatureWorld

if TYPE_CHECKING:
    from ..models import Model

#: the family whose images carry the tag
FAMILY = "shellback"
FAMILIES = ("flutterling", "galewing", "sailfin", "shellback")
_TAG = (8, 14)  # rows and columns of the tag, in pixels
_PLATE, _INK = (0.98, 0.86, 0.18), (0.10, 0.08, 0.16)
_BARS = (2, 3, 5, 8, 9, 11)  # inked columns of the plate
_JITTER = 3


class ShortcutWorld:
    """``n`` creatures of four families; a tag stands in the bottom right corner of most images of one family.

    images: float32 ``[n, 3, 64, 64]`` in [0, 1], with their tags; clean: the same without any tag; tagged: the same,
    each with a tag. labels: the family of each image. marked: bool ``[n]``, which images carry the tag.
    classes: the four families in logit order; taxonomy: two kingdoms above them. family: the one with the tag.

    marked (the argument): share of that family's images that carry it, 0.9 as in training; others: share of all
    other images, 0 as in training. A larger share only adds tags: no image loses its own. The creatures are those of
    `salwidgets.worlds.creatures` with the same ``seed``.
    """

    def __init__(self, n: int = 200, marked: float = 0.9, seed: int = 0, others: float = 0.0) -> None:
        for name, share in (("marked", marked), ("others", others)):
            if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
                raise InputError(f"{name}={share!r} is no share of images; give a number from 0 to 1.")
        self._world = CreatureWorld(n, seed)
        self.seed, self.family = seed, FAMILY
        self.classes: list[str] = list(FAMILIES)
        self.taxonomy = taxonomy()
        parent = self._world.taxonomy.parent
        self.labels: list[str] = [str(parent(leaf)) for leaf in self._world.labels]
        self.clean: Tensor = self._world.images
        chance, self._places = _chances(n, seed)
        shares = np.where(np.array(self.labels) == FAMILY, marked, others)
        self.marked: np.ndarray = chance < shares
        self.tagged: Tensor = self._stamped(np.ones(n, bool))
        self.images: Tensor = torch.where(torch.from_numpy(self.marked)[:, None, None, None], self.tagged, self.clean)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"ShortcutWorld({len(self)} images, {int(self.marked.sum())} of them tagged, seed={self.seed})"

    def mark(self, i: int) -> np.ndarray:
        """The pixels of the tag in image ``i``, bool ``[64, 64]``; none where the image carries no tag."""
        i = self._world._index(i)
        mask = np.zeros((SIZE, SIZE), bool)
        if self.marked[i]:
            mask[_window(self._places[i])] = True
        return mask

    def parts(self, i: int) -> dict[str, np.ndarray]:
        """The pixels of each part of the creature that can be seen, and of the tag as ``"mark"`` where there is one."""
        mark = self.mark(i)
        seen = {part: mask & ~mark for part, mask in self._world.parts(i).items()}
        seen = {part: mask for part, mask in seen.items() if mask.any()}
        return {**seen, "mark": mark} if mark.any() else seen

    def model(self, name: str = "shortcut") -> Model:
        """A trained net: "shortcut" saw the tag on 90 % of its family and nowhere else; "mended" was trained on from
        there with tags on half of all images, so that they tell nothing.

        >>> model = ShortcutWorld(4).model("shortcut")
        >>> model.classes[3]
        'shellback'
        """
        from ..models import Model
        from .shortcut_train import load

        return Model(load(name), classes=self.classes, taxonomy=self.taxonomy)

    def accuracy(self, model: Model, images: Tensor | None = None, family: str | None = None) -> float:
        """Share of the world's images that ``model`` names rightly; NaN if there is none.

        images: another version of the same images, `clean` or `tagged`. family: count only images of this family.
        """
        if family is not None and family not in self.classes:
            raise InputError(f"there is no family {family!r}; choose one of {', '.join(self.classes)}.")
        shown = self.images if images is None else images
        if len(shown) != len(self):
            raise InputError(f"{len(shown)} images for a world of {len(self)}; give a version of all its images.")
        truth = np.array([self.classes.index(name) for name in self.labels])
        kept = np.ones(len(self), bool) if family is None else truth == self.classes.index(family)
        if not kept.any():
            return float("nan")
        said = model.predict(shown).logits.argmax(1)
        return float((said == truth)[kept].mean())

    def _stamped(self, which: np.ndarray) -> Tensor:
        images, tag = self.clean.clone(), _tag()
        for i in np.flatnonzero(which):
            images[(i, slice(None), *_window(self._places[i]))] = tag
        return images


def taxonomy() -> Taxonomy:
    """The class tree: ``creature``, two kingdoms, four families."""
    tree = creature_taxonomy()
    parents = {family: str(tree.parent(family)) for family in FAMILIES}
    return Taxonomy.from_parents({**parents, **dict.fromkeys(dict.fromkeys(parents.values()), "creature")})


def _chances(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What decides whether an image is tagged, ``[n]`` in [0, 1), and how far its tag is from the corner, ``[n, 2]``."""
    rngs = [np.random.default_rng([seed, i, 5]) for i in range(n)]
    return np.array([r.random() for r in rngs]), np.array([r.integers(1, 1 + _JITTER, 2) for r in rngs])


def _window(place: np.ndarray) -> tuple[slice, slice]:
    bottom, right = (SIZE - int(v) for v in place)
    return slice(bottom - _TAG[0], bottom), slice(right - _TAG[1], right)


def _tag() -> Tensor:
    tag = np.empty((3, *_TAG), np.float32)
    tag[:] = np.array(_PLATE, np.float32)[:, None, None]
    ink = np.zeros(_TAG, bool)
    ink[[0, -1]] = ink[:, [0, -1]] = True
    ink[2:-2, list(_BARS)] = True
    tag[:, ink] = np.array(_INK, np.float32)[:, None]
    return torch.from_numpy(tag)
