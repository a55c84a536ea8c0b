"""What is worth saying about a map: its units, those that stand out on either side, and what must not be left unsaid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..explanation import Explanation
from .brief import Brief, Unit
from .units import PLACES, Mass, masks, numbered, places, plain

__all__ = ["PLACES", "look", "place_shares", "stand_out"]
_DENSE = 1.5    # a unit stands out if its share is half as much again as its area
_BESIDE = 0.6   # … and at least this part of the strongest unit's
_TOGETHER = 1 / 6  # … and all that stand out hold at least this share
_MOST = 3


def look(e: Explanation, units: Any = "auto") -> Brief:
    """The facts that a writer may use about an explanation.

    units: "auto", "places" (3 x 3), or {name: mask}. Raises `InputError` for units that do not fit the map.
    """
    mass = Mass(e.values)
    found = numbered(_units(e, mass, units))
    supporting, opposing = stand_out(found, 1), stand_out(found, -1)
    b = e.question.binding if e.question is not None else None
    target, foil = _sides(e)
    return Brief(e, "" if e.question is None else plain(str(e.question), 300), target, foil, e.method, found, supporting,
                 opposing, mass.opposes, sum(u.supports for u in supporting), _caveats(e, mass),
                 bool(b and b.group), b.target_names if b else ())


def stand_out(units: Sequence[Unit], sign: int = 1) -> tuple[Unit, ...]:
    """The units that stand out on one side, strongest first, at most three; empty if the evidence is too spread out.

    Ours: a unit stands out if it holds at least 1.5 times the share that its area would hold of evenly spread evidence,
    and 60 % of what the strongest such unit holds; all together must hold at least a sixth.
    """
    def share(u: Unit) -> float:
        return u.supports if sign > 0 else u.opposes

    dense = [u for u in units if share(u) > 0 and share(u) >= _DENSE * u.area - 1e-9]
    dense.sort(key=lambda u: -share(u))
    out = [u for u in dense[:_MOST] if share(u) >= _BESIDE * share(dense[0])]
    return tuple(out) if sum(map(share, out)) >= _TOGETHER - 1e-9 else ()


def _units(e: Explanation, mass: Mass, units: Any) -> list[Unit]:
    if isinstance(units, dict):
        return masks(mass, units, e.size if e.values.ndim == 2 else e.input_shape)
    if e.values.ndim != 2:
        raise InputError(f"only maps of images can be described by place; this one has shape {e.values.shape}.")
    return places(mass)


def _sides(e: Explanation) -> tuple[str, str]:
    b = e.question.binding if e.question is not None else None
    if b is None:
        return ("what was asked" if e.question is None else str(e.question).removeprefix("Why ").rstrip("?")), ""
    return b.target_label, b.foil_label


def _caveats(e: Explanation, mass: Mass) -> tuple[str, ...]:
    out = []
    if e.completeness is not None and e.completeness > 0.05:
        out.append("incomplete")
    if e.class_blind:
        out.append("blind")
    if not mass.finite:
        out.append("broken")
    return tuple(out)


@dataclass(frozen=True)
class PlaceShares:
    """How a map's positive and negative mass lie on the nine places (shares of each sum to 1, or are all 0).

    opposing: the negative part's share of sum |map|. finite: False if the map holds NaN or infinity.
    """

    positive: np.ndarray
    negative: np.ndarray
    opposing: float
    finite: bool

    def leading(self, sign: int = 1) -> list[int]:
        """Indices of the places that stand out, strongest first: at least 1/6 of the mass, and at least 60 % of the
        strongest place's; empty if none does."""
        shares = self.positive if sign > 0 else self.negative
        order = np.argsort(-shares, kind="stable")
        return [int(i) for i in order[:3] if shares[i] >= 1 / 6 and shares[i] >= 0.6 * shares[order[0]]]


def place_shares(e: Explanation) -> PlaceShares:
    """Shares of a 2-D map's mass by place. A cell that lies on several places is divided by its area on each."""
    mass = Mass(e.values)
    if e.values.ndim != 2:
        raise InputError(f"only maps of images can be described by place; this one has shape {e.values.shape}.")
    units = places(mass)
    return PlaceShares(np.array([u.supports for u in units]), np.array([u.opposes for u in units]), mass.opposes,
                       mass.finite)
