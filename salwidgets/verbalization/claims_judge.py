"""Verdicts: what a sentence says of a region is held against the figures of the raw map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .claims_map import RawMap, Region
from .claims_numbers import Number

TIE = 0.0101     # shares that differ by no more are printed alike, so either order is true
BALANCED = 0.5   # a region whose weaker sign has this part of the stronger's mass may be called either
PROMINENT = 0.3  # what "focuses on" a region asks for: this part of the strongest one's mass, and place 1 to 3
NOTHING = 0.01   # "nothing speaks for it" allows what would be written "less than 1 %" of the map
ABSENT = 0.1     # "plays no role", "ignores" allow so much
DIFFUSE = 1 / 3  # "no region stands out" is false if one unit holds more than this and twice its area


@dataclass(frozen=True)
class Claim:
    """One checkable statement of a text.

    text: the words that make it. relation: "supports", "opposes" or "says". place: the place or unit label, or None.
    value: what is said; evidence: what the map holds (shares 0..1, ranks, scores). verdict: "supported",
    "contradicted" or "not checkable". kind: "share", "rank", "relation", "comparison", "place", "number", "invented"
    or "statement". unit: id of the unit it speaks of, or None. sentence: index of its sentence. figure: the figure
    that shows the verdict, in words.
    """

    text: str
    relation: str
    place: str | None
    value: float
    evidence: float
    verdict: str
    kind: str = "statement"
    unit: str | None = None
    sentence: int = 0
    figure: str = ""


NAN = float("nan")
Readings = Sequence[Region]  # what one reference may mean; a claim is true if one reading makes it so
_SIDE = {1: "positive evidence", -1: "negative evidence", 0: "evidence of either sign"}


def relation_of(sign: int) -> str:
    """"supports", "opposes" or "says"."""
    return {1: "supports", -1: "opposes"}.get(sign, "says")


def percent(x: float) -> str:
    """A share with one decimal, for figures: "31.4 %"."""
    return f"{100 * x:.1f} %"


class Judge:
    """Makes claims about one map."""

    def __init__(self, raw: RawMap):
        self.raw = raw
        self.sentence = 0  # the index that claims are given

    def _claim(self, text: str, sign: int, r: Region | None, value: float, evidence: float, true: bool | None, kind: str,
               figure: str, place: str | None = None) -> Claim:
        verdict = "not checkable" if true is None else "supported" if true else "contradicted"
        return Claim(text, relation_of(sign), place or (r.name if r else None), value, evidence, verdict, kind,
                     r.id if r else None, self.sentence, figure)

    # -- shares ------------------------------------------------------------------------------------------------

    def share(self, text: str, groups: Sequence[Readings], number: Number, signs: Sequence[int]) -> Claim:
        """That the regions hold that share, together, of one of the signs' mass."""
        best = None
        for sign in signs:
            for k in range(max(map(len, groups))):
                picked = [g[min(k, len(g) - 1)] for g in groups]
                x = self.raw.share(picked, sign)
                name = " and ".join(r.name for r in picked)
                claim = self._claim(text, sign, picked[0], number.said, x, number.admits(x), "share",
                                    f"the {name} holds {percent(x)} of the {_SIDE[sign]}", name)
                if len(picked) > 1:
                    claim = replace(claim, unit=None)
                if claim.verdict == "supported":
                    return claim
                best = best or claim
        assert best is not None
        return best

    def area(self, text: str, groups: Sequence[Readings], number: Number) -> Claim:
        """That the regions cover that share of the map."""
        x = sum(self.raw.area(g[0]) for g in groups)
        name = " and ".join(g[0].name for g in groups)
        return self._claim(text, 0, groups[0][0], number.said, x, number.admits(x), "number",
                           f"the {name} covers {percent(x)} of the map", name)

    def worth(self, text: str, readings: Readings, number: Number, signs: Sequence[int]) -> Claim:
        """That a region's value, or its share, is a plain number."""
        r = readings[0]
        value = self.raw.value(r)
        known = [value, abs(value), *(self.raw.share([x], s) for x in readings for s in signs)]
        true = any(number.admits(x) for x in known)
        return self._claim(text, signs[0], r, number.said, value, true, "number", f"the {r.name} sums to {value:+.4g}")

    def balance(self, text: str, sign: int, number: Number) -> Claim:
        """That one sign makes up that share of sum |map|."""
        total = self.raw.total(0)
        x = self.raw.total(sign) / total if total > 0 else 0.0
        return self._claim(text, sign, None, number.said, x, number.admits(x), "share",
                           f"{_SIDE[sign]} makes up {percent(x)} of the map")

    # -- order -------------------------------------------------------------------------------------------------

    def rank(self, text: str, readings: Readings, rank: int | str, sign: int, negated: bool = False) -> Claim:
        """That a region has that rank (1 the strongest, -1 the weakest, "top 3": one of the first three)."""
        best = None
        for r in readings:
            for reading in ("mass", "net"):
                for side in ((sign,) if sign else (1, 0)):
                    mine, ranked = self.raw.strengths(r, side, reading)
                    above = sum(x > mine + TIE for x in ranked)
                    level = sum(x >= mine - TIE for x in ranked)
                    want = int(rank[4:]) if isinstance(rank, str) else len(ranked) if rank == -1 else rank
                    true = above < want and (isinstance(rank, str) or want <= level) and (mine > 0 or rank == -1)
                    at = 1 + sum(x > mine for x in ranked)
                    claim = self._claim(text, side, r, float(want), float(at), true != negated, "rank",
                                        f"the {r.name} is number {at} of {len(ranked)} by {_SIDE[side]}, with "
                                        f"{percent(self.raw.share([r], side))}")
                    if claim.verdict == "supported":
                        return claim
                    best = best or claim
        assert best is not None
        return best

    def compare(self, text: str, a: Readings, b: Sequence[Readings], more: int, sign: int,
                ratio: tuple[float, str] | None = None) -> Claim:
        """That ``a`` has more (1), less (-1) or as much (0) than ``b`` together; or ``ratio`` times as much."""
        best = None
        for side in ((sign,) if sign else (1, 0)):
            for i in range(max(len(a), len(b[0]))):
                x, y = a[min(i, len(a) - 1)], [g[min(i, len(g) - 1)] for g in b]
                for reading in ("mass", "net"):
                    mine = self.raw.strengths(x, side, reading)[0]
                    other = sum(self.raw.strengths(r, side, reading)[0] for r in y)
                    claim = self._claim(text, side, x, ratio[0] if ratio else float(more), mine / other if other else NAN,
                                        _compared(mine, other, more, ratio), "comparison",
                                        f"the {x.name} holds {percent(self.raw.share([x], side))} of the {_SIDE[side]}, the "
                                        f"{' and '.join(r.name for r in y)} {percent(self.raw.share(y, side))}")
                    if claim.verdict == "supported":
                        return claim
                    best = best or claim
        assert best is not None
        return best

    # -- signs and places ----------------------------------------------------------------------------------------

    def relation(self, text: str, readings: Readings, sign: int, negated: bool = False) -> Claim:
        """That a region supports or opposes the target, by its signed sum."""
        def true(r: Region) -> bool:
            up, down = self.raw.mass(r)
            mine, other = (up, down) if sign > 0 else (down, up)
            return mine > 0 and mine >= BALANCED * other

        r = next((r for r in readings if true(r) != negated), readings[0])
        up, down = self.raw.mass(r)
        inside = (up if sign > 0 else down) / (up + down) if up + down > 0 else 0.0
        said = -sign if negated else sign
        return self._claim(text, said, r, float(said), self.raw.value(r), true(r) != negated, "relation",
                           f"the {r.name} sums to {self.raw.value(r):+.4g}; {percent(inside)} of what lies there is "
                           f"{_SIDE[sign]}")

    def prominent(self, text: str, readings: Readings, sign: int, negated: bool = False) -> Claim:
        """That the evidence is found there: among the first three, and not far behind the first."""
        def true(r: Region, side: int) -> bool:
            mine, ranked = self.raw.strengths(r, side, "mass")
            return mine > 0 and sum(x > mine + TIE for x in ranked) < 3 and mine >= PROMINENT * ranked[0]

        sides = (sign,) if sign else (1, 0)
        r, side = next(((r, s) for r in readings for s in sides if true(r, s) != negated), (readings[0], sides[0]))
        x = self.raw.share([r], side)
        return self._claim(text, side, r, NAN, x, true(r, side) != negated, "place",
                           f"the {r.name} holds {percent(x)} of the {_SIDE[side]}")

    def absent(self, text: str, readings: Readings, sign: int, negated: bool = False) -> Claim:
        """That a region hardly matters."""
        r = min(readings, key=lambda r: self.raw.share([r], sign))
        x = self.raw.share([r], sign)
        return self._claim(text, sign, r, 0.0, x, (x <= ABSENT) != negated, "place",
                           f"the {r.name} holds {percent(x)} of the {_SIDE[sign]}")

    # -- the whole map -------------------------------------------------------------------------------------------

    def nothing(self, text: str, sign: int) -> Claim:
        """That nothing speaks for (1) or against (-1) the target, or (0) that the map is zero."""
        x = self.raw.total(sign)
        total = self.raw.total(0)
        share = x / total if total > 0 else 0.0
        return self._claim(text, sign, None, 0.0, x * self.raw.scale, x == 0 or (sign != 0 and share < NOTHING),
                           "statement",
                           f"{_SIDE[sign]} makes up {percent(share)} of the map")

    def diffuse(self, text: str, sign: int) -> Claim:
        """That no region stands out."""
        side = sign or 1
        rivals = [Region(u.label, "units", u.id) for u in self.raw.units]
        if not rivals and (place := self.raw.place("top", "ninth")) is not None:
            rivals = self.raw.rivals(place)
        if not rivals:
            return self._claim(text, side, None, NAN, NAN, None, "statement", "no units are known")
        r = max(rivals, key=lambda r: self.raw.share([r], side))
        x = self.raw.share([r], side)
        out = x > DIFFUSE and x > 2 * self.raw.area(r) and self.raw.relation_margin(r, side) > 0
        return self._claim(text, side, None, DIFFUSE, x, not out, "statement",
                           f"the strongest, the {r.name}, holds {percent(x)} of the {_SIDE[side]}")

    # -- what cannot be, and what cannot be known --------------------------------------------------------------------

    def invented(self, text: str, name: str, known: bool) -> Claim:
        """That speaks of a unit that nobody knows; without a list of units it cannot be checked."""
        figure = f"no unit is called “{name}”" if known else f"where “{name}” lies is not known"
        return self._claim(text, 0, None, NAN, NAN, False if known else None, "invented", figure, name)

    def unreadable(self, text: str) -> Claim:
        """A sentence with a figure that is not understood."""
        return self._claim(text, 0, None, NAN, NAN, None, "statement", "no figure of the map says so or not")

    def number(self, text: str, what: str, number: Number, truths: Sequence[float | None],
               show: Callable[[float], str] = lambda x: f"{x:+.4g}") -> Claim:
        """That a fact beside the map (score, probability …) is that number; ``truths``: what it may refer to."""
        known = [x for x in truths if x is not None]
        if not known:
            return self._claim(text, 0, None, number.said, NAN, None, "number", f"{what} is not known")
        fit = next((x for x in known if number.admits(x)), known[0])
        return self._claim(text, 0, None, number.said, fit, number.admits(fit), "number", f"{what} is {show(fit)}")

    def said(self, text: str, true: bool | None, figure: str) -> Claim:
        """A fact without a number."""
        return self._claim(text, 0, None, NAN, NAN, true, "statement", figure)


def _compared(mine: float, other: float, more: int, ratio: tuple[float, str] | None) -> bool:
    if ratio is not None:
        said, bound = ratio
        found = mine / other if other > 0 else float("inf")
        step = 0.051 if said != round(said) else 0.0
        slack = max(0.02 * said, step) if step else 0.2 * said
        return found >= said - slack if bound == "more" else found <= said + slack if bound == "less" \
            else abs(found - said) <= slack
    if more == 0:
        return abs(mine - other) <= max(0.02, 0.1 * max(mine, other))
    return more * (mine - other) >= -TIE
