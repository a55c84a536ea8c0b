"""Which parts of a creature answer a question, by construction. Ours.

A part of an image *speaks for* a side of a question (its target, or its foil) if every class of that side has the
very variant that is drawn, and the other side does not have it throughout:

* a contrast (target and foil): parts that speak for the target or for the foil. Between siblings these are the
  crest and the tail, between leaves of one kingdom also back and feet, where they differ, and so on; between
  groups, what one group shares and the other does not.
* pointwise: parts that speak for the target, against the rest of all classes. For the leaf in the image these are
  all its telling parts; for a group that it belongs to, what the group shares (never crest and tail).

The same rule answers questions about classes that are not in the image: a part drawn there matters if it is one
side's. A glimmoth's star answers "glimfin rather than plumegale"; in an image that has nothing of either side,
nothing answers, and the set is empty. ``body``, ``legs`` and ``eye`` never matter. The root has no outside, so
nothing tells it either.

The rule counts what *all* classes of a side share. A part that only some members of a group have (wings, for the
kingdom of the skyfolk) may still move the group's score a little; ``CreatureWorld.effect`` measures that.
"""

from __future__ import annotations

from collections.abc import Sequence

from .anatomy import LEAVES, TELLING_PARTS, variants


def telling_parts(leaf: str, target: Sequence[str], foil: Sequence[str]) -> list[str]:
    """Parts of an image of ``leaf`` that answer "why ``target`` rather than ``foil``".

    ``target`` and ``foil`` are leaf names; an empty ``foil`` makes the question pointwise.
    """
    others = list(foil) or [name for name in LEAVES if name not in target]
    matter = []
    for part in TELLING_PARTS:
        drawn = variants(leaf)[part]
        in_target = [variants(name)[part] == drawn for name in target]
        in_others = [variants(name)[part] == drawn for name in others]
        speaks_for = all(in_target) and not all(in_others)
        speaks_against = bool(foil) and all(in_others) and not all(in_target)
        if speaks_for or speaks_against:
            matter.append(part)
    return matter
