"""The figures of a map, computed anew for the checker from the raw values: mass of either sign in any region, ranks.

Nothing here comes from what chose the units or wrote the text; only ``Unit.cells`` are taken as what a unit *is*.
Places are read from integrals of the map along its sides, so that a border may cut a cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..explanation import Explanation

if TYPE_CHECKING:
    from .brief import Unit

Span = tuple[float, float, float, float]  # top, bottom, left, right as shares of the height and width
_THIRD = {"top": 0, "bottom": 2, "left": 0, "right": 2, "centre": 1}
NINTHS: dict[str, Span] = {
    f"{v} {h}".strip().replace("centre centre", "centre").removesuffix(" centre").removeprefix("centre "):
        (_THIRD[v] / 3, (_THIRD[v] + 1) / 3, _THIRD[h] / 3, (_THIRD[h] + 1) / 3)
    for v in ("top", "centre", "bottom") for h in ("left", "centre", "right")}
HALVES: dict[str, Span] = {"top": (0, 0.5, 0, 1), "bottom": (0.5, 1, 0, 1), "left": (0, 1, 0, 0.5), "right": (0, 1, 0.5, 1)}
THIRDS: dict[str, Span] = {"top": (0, 1 / 3, 0, 1), "bottom": (2 / 3, 1, 0, 1), "left": (0, 1, 0, 1 / 3),
                           "right": (0, 1, 2 / 3, 1), "middle row": (1 / 3, 2 / 3, 0, 1),
                           "middle column": (0, 1, 1 / 3, 2 / 3)}
QUARTERS: dict[str, Span] = {f"{v} {h}": (a, a + 0.5, b, b + 0.5) for v, a in (("top", 0.0), ("bottom", 0.5))
                             for h, b in (("left", 0.0), ("right", 0.5))}
MIDDLE: dict[str, Span] = {"centre": (0.25, 0.75, 0.25, 0.75)}
SYSTEMS = {"ninth": NINTHS, "half": HALVES, "third": THIRDS, "quarter": QUARTERS, "middle": MIDDLE}


@dataclass(frozen=True)
class Region:
    """A named part of the map. system: with which others it is ranked: "units", "ninth", "half" … id: the unit's."""

    name: str
    system: str
    id: str | None = None


class RawMap:
    """Figures of one explanation's map and its units. Values that are not finite count as zero."""

    def __init__(self, e: Explanation, units: Sequence[Unit] | None = None):
        v = np.nan_to_num(e.values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        size = float(np.abs(v).max()) if v.size else 0.0
        self.scale = size or 1.0
        self.shape = v.shape
        self.values = v / self.scale
        self.parts = np.stack([np.maximum(self.values, 0).ravel(), np.maximum(-self.values, 0).ravel()])
        self.up, self.down = (float(x) for x in self.parts.sum(1))
        self._single = self.parts.astype(np.float32)
        self.units = tuple(units or ())
        self._by_id = {u.id: u for u in self.units}
        self._place = {u.label.lower().replace("center", "centre"): u for u in self.units if u.kind == "place"}
        self._mass: dict[Region, tuple[float, float]] = {}
        self._order: dict[tuple[str, int], list[float]] = {}

    # -- regions ---------------------------------------------------------------------------------------------

    def unit(self, id: str) -> Region | None:
        """The region of a unit, or None if there is no such id."""
        u = self._by_id.get(id)
        return None if u is None else Region(u.label, "units", u.id)

    def place(self, name: str, system: str) -> Region | None:
        """A place of the picture. A ninth that the units know is that unit; None if the map is no picture."""
        if system == "ninth" and name in self._place:
            return self.unit(self._place[name].id)
        return Region(name, system) if len(self.shape) == 2 and name in SYSTEMS[system] else None

    def cells(self, r: Region) -> np.ndarray:
        """How much of each cell belongs to a region, flattened."""
        if r.id is not None:
            return np.asarray(self._by_id[r.id].cells, np.float32).ravel()
        top, bottom, left, right = SYSTEMS[r.system][r.name]
        h, w = self.shape
        return np.outer(_overlap(h, top, bottom), _overlap(w, left, right)).ravel().astype(np.float32)

    def mass(self, r: Region) -> tuple[float, float]:
        """Positive and negative mass (as sizes) inside, in units of the map's largest |value|."""
        if r not in self._mass:
            up, down = self._single @ self.cells(r)
            self._mass[r] = float(up), float(down)
        return self._mass[r]

    # -- figures ---------------------------------------------------------------------------------------------

    def total(self, sign: int) -> float:
        """All mass of one sign; of both for 0."""
        return self.up if sign > 0 else self.down if sign < 0 else self.up + self.down

    def share(self, regions: Sequence[Region], sign: int) -> float:
        """Share of one sign's mass (of both for 0) in the union of regions; 0 where there is no such mass."""
        total = self.total(sign)
        if total <= 0 or not regions:
            return 0.0
        if len(regions) == 1:
            up, down = self.mass(regions[0])
        else:
            cells = self.cells(regions[0])
            for r in regions[1:]:
                cells = np.minimum(cells + self.cells(r), 1)  # parts of one cell lie beside each other
            up, down = (float(x) for x in self._single @ cells)
        return min((up if sign > 0 else down if sign < 0 else up + down) / total, 1.0)  # but for rounding

    def value(self, r: Region) -> float:
        """Signed sum inside, in the map's own units."""
        up, down = self.mass(r)
        return (up - down) * self.scale

    def relation_margin(self, r: Region, sign: int) -> float:
        """The signed sum inside, turned so that more is more of ``sign``."""
        up, down = self.mass(r)
        return sign * (up - down)

    def area(self, r: Region) -> float:
        """Share of the map's cells."""
        return float(self.cells(r).mean())

    def rivals(self, r: Region) -> list[Region]:
        """All regions of the same system, itself among them."""
        if r.id is not None:
            kind = self._by_id[r.id].kind
            return [Region(u.label, "units", u.id) for u in self.units if u.kind == kind]
        if r.system == "ninth":
            return [x for n in NINTHS if (x := self.place(n, "ninth")) is not None]
        family = SYSTEMS[r.system]
        if r.system == "half":
            family = {k: s for k, s in family.items() if (k in ("top", "bottom")) == (r.name in ("top", "bottom"))}
        return [Region(n, r.system) for n in family]

    def strengths(self, r: Region, sign: int, reading: str) -> tuple[float, list[float]]:
        """A region's strength and all its rivals', strongest first, in shares of the sign's mass.

        reading: "mass" (mass of that sign inside) or "net" (signed sum inside, turned so that more is stronger;
        for sign 0 its size).
        """
        return self._strength(r, sign, reading), self._ranked(r, sign, reading)

    def _ranked(self, r: Region, sign: int, reading: str) -> list[float]:
        key = (f"{r.system} {self._by_id[r.id].kind if r.id else r.name} {reading}", sign)
        if key not in self._order:
            self._order[key] = sorted((self._strength(x, sign, reading) for x in self.rivals(r)), reverse=True)
        return self._order[key]

    def _strength(self, r: Region, sign: int, reading: str) -> float:
        up, down = self.mass(r)
        total = self.total(sign)
        if total <= 0:
            return 0.0
        if reading == "net":
            return (abs(up - down) if sign == 0 else sign * (up - down)) / total
        return (up if sign > 0 else down if sign < 0 else up + down) / total

def _overlap(n: int, low: float, high: float) -> np.ndarray:
    """How much of each of ``n`` cells lies between two shares of the side."""
    edges = np.clip(np.arange(n + 1, dtype=np.float64), low * n, high * n)
    return np.diff(edges)
