"""How a map is shown, apart from the map itself: sign, limits, colours, opacity, threshold.

The colour policy, which every widget and figure follows:

* **A signed map is symmetric around zero** in a diverging colour map (``RdBu_r`` with its darkest 5 % cut, or
  ``coolwarm``: both ends have equal lightness). Red speaks for the answer, blue against it. No silent absolute
  value, no per-image stretching.
* **A sequential map** (``viridis``, ``cividis``, ``inferno``, ``magma``: lightness never turns back) starts at zero.
  On a map with negative values it runs from minus to plus the limit and the colour bar says so.
* **Limits follow a named rule.** ``pixels:99.5``: the smallest limit with at least 99.5 % of the cells inside.
  ``mass:98``: the smallest limit such that the cells inside hold at least 98 % of the absolute mass. ``max``: the
  largest value. A rule that would give zero on a map that is not zero falls back to the largest value; a map of
  zeros has limits -1, 1.
* **Maps that are compared share one scale**: `Scale.fit` takes all of them.
* **What lies outside is said**: `Scale.clipped_share`. Values beyond a limit take the end colour, infinities too.
* **NaN is grey and hatched**, counted, and takes no part in limits or shares.
* ``fade`` lets weak cells become transparent: opacity grows from zero at zero to full at half the limit.

The browser does the same in `js/src/scale.ts` and `js/src/colormap.ts`, equal to the last bit.
"""

from __future__ import annotations

import base64
import math
import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .colortables import DIVERGING, TABLES
from .errors import InputError

CLIP_RULES = ("pixels:99.5", "pixels:99", "mass:98", "max")
COLOUR_MAPS = tuple(TABLES)
#: colour of cells that are NaN
MISSING = (150, 150, 150)

_RULE = re.compile(r"(pixels|mass):(\d+(?:\.\d+)?)")


@cache
def _table(cmap: str) -> NDArray[np.uint8]:
    table = np.frombuffer(base64.b64decode(TABLES[cmap]), np.uint8).reshape(256, 3)
    return table


def colour_table(cmap: str) -> NDArray[np.uint8]:
    """The 256 RGB colours of a map, uint8 `[256, 3]`. Raises `InputError` for an unknown name."""
    if cmap not in TABLES:
        raise InputError(f"no colour map is called {cmap!r}; choose one of {', '.join(COLOUR_MAPS)}.")
    return _table(cmap)


def strength(cmap: str) -> NDArray[np.float64]:
    """How much evidence each of the 256 colours stands for, 0..1; what ``fade`` multiplies the opacity with."""
    centre = (np.arange(256) + 0.5) / 256
    distance = np.abs(2 * centre - 1) if cmap in DIVERGING else centre
    return np.asarray(np.minimum(1.0, 2 * distance))


def fit_limit(values: Any, clip: str) -> float:
    """The limit that rule ``clip`` asks for, over all finite ``values``."""
    array = np.asarray(values, np.float32)
    sizes = np.sort(np.abs(array[np.isfinite(array)]), axis=None)
    largest = float(sizes[-1]) if sizes.size else 0.0
    rule = _RULE.fullmatch(clip)
    share = float(rule[2]) / 100 if rule else 1.0
    if clip != "max" and (rule is None or not 0 < share <= 1):
        raise InputError(f"clip={clip!r} is no rule; use one of {', '.join(CLIP_RULES)}, 'pixels:P' or 'mass:P'.")
    if largest == 0:
        return 1.0
    if rule is None:
        return largest
    limit = _pixel_limit(sizes, share) if rule[1] == "pixels" else _mass_limit(sizes, share)
    return limit if limit > 0 else largest


def _pixel_limit(sizes: NDArray[np.float32], share: float) -> float:
    k = math.ceil(share * sizes.size - 1e-9) - 1
    return float(sizes[min(sizes.size - 1, max(0, k))])


def _mass_limit(sizes: NDArray[np.float32], share: float) -> float:
    sums = np.cumsum(sizes, dtype=np.float64)
    wanted = share * sums[-1] - 1e-12 * sums[-1]
    return float(sizes[min(sizes.size - 1, int(np.searchsorted(sums, wanted)))])


@dataclass(frozen=True)
class Scale:
    """Limits, colours and look of one map or of several that are compared. Made by `Scale.fit`.

    vmin, vmax: the limits, in the map's own unit.
    cmap: one of `COLOUR_MAPS`. clip: the rule behind the limits, or "explicit".
    opacity: 0..1 over the picture. threshold: share (0..1) of the limit below which nothing is drawn.
    smooth: bilinear between cell centres (it invents detail, so it is off). contour: line at the threshold (or half
    the limit). fade: weak cells become transparent. grey: the picture below is drawn in grey.
    table: limit of every rule on the menu. given: explicit limits. signed: some value is negative.
    fixed: the limits hold although a view's maps change.

    >>> Scale.fit([[-1.0, 0.0], [0.5, 2.0]], clip="max").limits
    (-2.0, 2.0)
    """

    vmin: float = -1.0
    vmax: float = 1.0
    cmap: str = "RdBu_r"
    clip: str = "max"
    opacity: float = 0.8
    threshold: float = 0.0
    smooth: bool = False
    contour: bool = False
    fade: bool = True
    grey: bool = True
    table: dict[str, float] = field(default_factory=dict)
    given: tuple[float, float] | None = None
    signed: bool = True
    fixed: bool = False

    def __post_init__(self) -> None:
        colour_table(self.cmap)
        if not (math.isfinite(self.vmin) and math.isfinite(self.vmax) and self.vmin < self.vmax):
            raise InputError(f"limits ({self.vmin}, {self.vmax}) must be finite numbers, the lower one first.")
        for name, low, high in (("opacity", 0.0, 1.0), ("threshold", 0.0, 1.0)):
            if not low <= getattr(self, name) <= high:
                raise InputError(f"{name}={getattr(self, name)!r} must lie between {low:g} and {high:g}.")

    @classmethod
    def fit(cls, *maps: Any, clip: str = "pixels:99.5", cmap: str = "RdBu_r",
            limits: tuple[float, float] | None = None, **look: Any) -> Scale:
        """One scale for all ``maps`` (arrays of any shape).

        limits: explicit (vmin, vmax); overrules ``clip``. look: opacity, threshold, smooth, contour, fade, grey.
        """
        if not maps:
            raise InputError("Scale.fit needs at least one map.")
        colour_table(cmap)
        values = np.concatenate([_values(m) for m in maps])
        table = {rule: fit_limit(values, rule) for rule in dict.fromkeys((clip, *CLIP_RULES))}
        signed = bool((values < 0).any())
        if limits is not None:
            low, high = (float(v) for v in limits)
            return cls(low, high, cmap, "explicit", table=table, given=(low, high), signed=signed, **look)
        vmin = -table[clip] if signed or cmap in DIVERGING else 0.0
        return cls(vmin, table[clip], cmap, clip, table=table, signed=signed, **look)

    @property
    def limits(self) -> tuple[float, float]:
        """(vmin, vmax)."""
        return self.vmin, self.vmax

    @property
    def reach(self) -> float:
        """The largest size that the limits show; threshold and contour are shares of it."""
        return max(abs(self.vmin), abs(self.vmax))

    def clipped_share(self, values: Any) -> float:
        """Share (0..1) of the cells that lie beyond the limits; NaN cells do not count."""
        array = _values(values)
        counted = array[~np.isnan(array)]
        beyond = (counted < self.vmin) | (counted > self.vmax)
        return float(beyond.mean()) if counted.size else 0.0

    def rgba(self, values: Any) -> NDArray[np.uint8]:
        """Colours of a map: uint8 `[..., 4]`, transparent below the threshold, grey where NaN."""
        array = np.asarray(values, np.float32).astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            x = (array - self.vmin) * (256 / (self.vmax - self.vmin))
            index = np.clip(np.nan_to_num(x, posinf=255, neginf=0), 0, 255).astype(np.int64)
        alpha = strength(self.cmap) if self.fade else np.ones(256)
        out = np.empty((*array.shape, 4), np.uint8)
        out[..., :3] = colour_table(self.cmap)[index]
        out[..., 3] = np.floor(255 * self.opacity * alpha + 0.5).astype(np.uint8)[index]
        hidden = self.threshold * self.reach
        out[(array < hidden) & (array > -hidden)] = 0
        out[np.isnan(array)] = (*MISSING, math.floor(255 * self.opacity + 0.5))
        return out

    def to_state(self) -> dict[str, Any]:
        """Plain data for the browser; the threshold is a trait of its own there."""
        state = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "threshold"}
        return {**state, "given": list(self.given) if self.given else None}

    @classmethod
    def from_state(cls, state: dict[str, Any], threshold: float = 0.0) -> Scale:
        """The scale that `to_state` described."""
        known = {k: v for k, v in state.items() if k in cls.__dataclass_fields__}
        given = known.pop("given", None)
        return cls(**known, given=tuple(given) if given else None, threshold=threshold)

    def changed(self, **look: Any) -> Scale:
        """The same scale with another look (opacity, threshold, smooth, contour, fade, grey, fixed)."""
        return replace(self, **look)


def _values(values: Any) -> NDArray[np.float32]:
    try:
        array = np.asarray(values, np.float32).ravel()
    except (TypeError, ValueError) as e:
        raise InputError(f"a map must be an array of numbers, got {type(values).__name__}: {e}") from e
    if not array.size:
        raise InputError("the map is empty: it has no cell to fit a scale to.")
    return array
