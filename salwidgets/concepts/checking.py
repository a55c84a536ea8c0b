"""Is a strategy as reliable on other images, or on the same ones without a suspected cue?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..captions import percent
from .rates import interval, opening

_FEWEST = 5  # images below which nothing is said (ours)


@dataclass(eq=False)
class Check:
    """One row per strategy or cluster: how often its images are named rightly, before and in the check.

    names: `[K]`; images, checked: how many images it leads in the fit and in the check, `[K]`; before, after: accuracy
    there, NaN where unknown; low, high: 95 % interval (Wilson) of ``after``; paired: the same images, edited.
    """

    names: tuple[str, ...]
    images: np.ndarray
    checked: np.ndarray
    before: np.ndarray
    after: np.ndarray
    low: np.ndarray
    high: np.ndarray
    paired: bool

    @classmethod
    def of(cls, names: Sequence[str], fitted: np.ndarray, correct: np.ndarray | None, groups: np.ndarray,
           right: Any, paired: bool) -> Check:
        """``fitted``, ``groups``: index of the group of every image in the fit and in the check, -1 for none."""
        from ..errors import InputError
        from .rates import accuracy, flags

        known = flags(right, len(groups))
        if known is None:
            raise InputError("whether the checked images are named rightly is not known; pass labels= (class names) or "
                             "correct=.")
        own, other = ([np.flatnonzero(g == k) for k in range(len(names))] for g in (fitted, groups))
        bounds = np.array([interval(int(known[m].sum()), len(m)) for m in other]).reshape(-1, 2)
        return cls(tuple(names), np.array([len(m) for m in own], int), np.array([len(m) for m in other], int),
                   np.array([accuracy(correct, m) for m in own]), np.array([accuracy(known, m) for m in other]),
                   bounds[:, 0], bounds[:, 1], paired)

    @property
    def suspects(self) -> list[int]:
        """Rows whose accuracy falls in the check, the largest fall first. Ours: the 95 % intervals of before and after do
        not meet, and at least 5 images were checked."""
        fell = [k for k in range(len(self.names)) if self.checked[k] >= _FEWEST and np.isfinite(self.before[k])
                and self.high[k] < interval(round(self.before[k] * self.images[k]), int(self.images[k]))[0]]
        return sorted(fell, key=lambda k: self.after[k] - self.before[k])

    @property
    def sentences(self) -> list[str]:
        """What was found, suspects first; then how many show no fall."""
        said = [f"{opening(self.names[k])} is right on {percent(float(self.before[k]))} of its {self.images[k]} images, but "
                f"on {percent(float(self.after[k]))} of " + ("the same images, edited" if self.paired else
                                                          f"the {self.checked[k]} other images that fall to it")
                + ": it may be a shortcut." for k in self.suspects]
        held = [k for k in range(len(self.names)) if k not in self.suspects and self.checked[k] >= _FEWEST
                and np.isfinite(self.before[k])]
        few = len(self.names) - len(said) - len(held)
        if held and said:
            said.append(f"{len(held)} other{'s show' if len(held) != 1 else ' shows'} no fall beyond chance.")
        said += [] if self.suspects else [
            f"No strategy is less reliable on the {'edited' if self.paired else 'other'} images than before."]
        return said + ([f"For {few}, there are too few images to tell."] if few else [])

    def to_pandas(self) -> Any:
        """One row per strategy: name, images, before, checked, after, low, high."""
        import pandas as pd

        return pd.DataFrame({"name": self.names, "images": self.images, "before": self.before, "checked": self.checked,
                             "after": self.after, "low": self.low, "high": self.high})

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str:
        from html import escape

        table: str = self.to_pandas().round(3).to_html(index=False, escape=True)
        return table + "".join(f"<p>{escape(s)}</p>" for s in self.sentences)
