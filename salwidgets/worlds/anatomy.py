"""Which creatures there are: the class tree, the parts of every leaf, and which classes a part speaks for.

The tree is made so that the right answer to a question follows from it (our own construction):

* a *kingdom* (skyfolk, shorefolk) gives its members a ``muzzle`` and a ``coat``;
* a *family* (flutterling, galewing, sailfin, shellback) gives its members a ``back`` and ``feet``;
* a *leaf* has a ``crest`` and a ``tail`` of its own, which none of its siblings has.

Crests and tails come in four pairs, and every family has three of the four. A crest alone therefore never tells
the family, and a back alone never tells the leaf: both are needed, so neither kind of part is idle.
``body``, ``legs`` and ``eye`` look alike in all creatures and carry no class.
"""

from __future__ import annotations

import numpy as np

from salwidgets.taxonomy import Taxonomy

KINGDOM_PARTS = ("muzzle", "coat")
FAMILY_PARTS = ("back", "feet")
OWN_PARTS = ("crest", "tail")
TELLING_PARTS = (*OWN_PARTS, *FAMILY_PARTS, *KINGDOM_PARTS)
PLAIN_PARTS = ("body", "legs", "eye")
PARTS = (*TELLING_PARTS, *PLAIN_PARTS)

_KINGDOMS: dict[str, dict[str, str]] = {
    "skyfolk": {"muzzle": "beak", "coat": "dots"},
    "shorefolk": {"muzzle": "snout", "coat": "stripes"},
}
_FAMILIES: dict[str, tuple[str, dict[str, str]]] = {
    "flutterling": ("skyfolk", {"back": "butterfly wings", "feet": "slippers"}),
    "galewing": ("skyfolk", {"back": "feathered wing", "feet": "talons"}),
    "sailfin": ("shorefolk", {"back": "sail", "feet": "flippers"}),
    "shellback": ("shorefolk", {"back": "shell", "feet": "hooves"}),
}
_KITS: dict[str, dict[str, str]] = {
    "glim": {"crest": "star", "tail": "curl"},
    "plume": {"crest": "plume", "tail": "fan"},
    "spore": {"crest": "mushroom", "tail": "leaf"},
    "frost": {"crest": "crystal", "tail": "pompom"},
}
_LEAVES: dict[str, tuple[str, str]] = {
    "glimmoth": ("flutterling", "glim"),
    "plumemoth": ("flutterling", "plume"),
    "sporemoth": ("flutterling", "spore"),
    "plumegale": ("galewing", "plume"),
    "sporegale": ("galewing", "spore"),
    "frostgale": ("galewing", "frost"),
    "sporefin": ("sailfin", "spore"),
    "frostfin": ("sailfin", "frost"),
    "glimfin": ("sailfin", "glim"),
    "frostshell": ("shellback", "frost"),
    "glimshell": ("shellback", "glim"),
    "plumeshell": ("shellback", "plume"),
}

LEAVES: tuple[str, ...] = tuple(_LEAVES)


def variants(leaf: str) -> dict[str, str]:
    """The variant of every class-telling part of ``leaf``, as ``{part: variant}``, e.g. ``{"tail": "curl", ...}``."""
    family, kit = _LEAVES[leaf]
    kingdom, family_parts = _FAMILIES[family]
    return {**_KITS[kit], **family_parts, **_KINGDOMS[kingdom]}


def taxonomy() -> Taxonomy:
    """The class tree: ``creature``, two kingdoms, four families, twelve leaves."""
    parents = {leaf: family for leaf, (family, _) in _LEAVES.items()}
    parents |= {family: kingdom for family, (kingdom, _) in _FAMILIES.items()}
    parents |= dict.fromkeys(_KINGDOMS, "creature")
    return Taxonomy.from_parents(parents)


VARIANTS: tuple[str, ...] = tuple(
    dict.fromkeys(variants(leaf)[part] for part in TELLING_PARTS for leaf in LEAVES)
)


def carriers() -> np.ndarray:
    """Which leaf may carry which part: bool ``[leaf of the image, telling part, leaf asked about]``.

    ``carriers()[a, p, b]`` says whether leaf ``b`` has, in slot ``p``, the variant that leaf ``a`` has there.
    """
    table = [[variants(leaf)[part] for part in TELLING_PARTS] for leaf in LEAVES]
    return np.array(
        [[[other[p] == own[p] for other in table] for p in range(len(TELLING_PARTS))] for own in table]
    )
