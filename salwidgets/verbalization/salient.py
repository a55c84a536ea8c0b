"""What is worth saying about a map: its units, those that stand out on either side, and what must not be left unsaid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import InputError
from ..explanation import Explanation
from ..questions import Question
from ..regions import Regions
from . import english
from .areas import areas, superpixels
from .brief import Brief, Unit
from .english import PLACES
from .sequences import blocks, channels, intervals, words
from .units import Mass, masks, numbered, places, plain

__all__ = ["PLACES", "PlaceShares", "look", "modality", "place_shares", "stand_out"]
_DENSE = 1.5    # a unit stands out if its share is half as much again as its area
_BESIDE = 0.6   # … and at least this part of the strongest such unit's
_TOGETHER = 1 / 6  # … and all that stand out hold at least this share
_MOST = 3
_UNSIGNED = ("rollout", "gradient-x-attention", "vargrad", "normgrad")
_SENSITIVITY = ("saliency", "smoothgrad", "vargrad", "guided-backprop", "deconvnet")


def look(e: Explanation, units: Any = "auto", language: ModuleType = english) -> Brief:
    """The facts that a writer may use about an explanation.

    units: which parts to speak of.
        "auto": the method's own regions, else places (pictures); words and phrases (texts); intervals or bands (series);
        blocks (volumes). By name: "places" (3 x 3), "regions" (``explanation.regions``), "superpixels" (SLIC), "words",
        "intervals", "channels", "blocks".
        {name: mask}: named parts, bool or 0..1, at the map's or the input's shape. `Regions`, or whole-number labels of
        that shape (-1: none). A list of strings, one per value of a text's map, each a word as it is.
    Regions without names and superpixels are merged to areas (see `areas`). Raises `InputError` for units that do not
    fit the map.
    """
    mass = Mass(e.values)
    found = numbered(_units(e, mass, units, language), language)
    supporting, opposing = stand_out(found, 1), stand_out(found, -1)
    target, foil = _sides(e)
    b = e.question.binding if e.question is not None else None
    diffuse = not supporting and mass.total_up > 0
    return Brief(e, "" if e.question is None else plain(str(e.question), 300), target, foil, e.method, found, supporting,
                 opposing, mass.opposes, _together(supporting), _caveats(e, mass, diffuse),
                 bool(b and b.group), tuple(map(str, b.target_names)) if b else ())


def stand_out(units: Sequence[Unit], sign: int = 1) -> tuple[Unit, ...]:
    """The units that stand out on one side, strongest first, at most three; empty if the evidence is too spread out.

    Ours: a unit stands out if its net value lies on that side, if it holds at least 1.5 times the share that its area
    would hold of evenly spread evidence, and 60 % of what the strongest such unit holds; all together must hold at
    least a sixth. Of words and phrases that share a word, the stronger is taken.
    """
    def share(u: Unit) -> float:
        return u.supports if sign > 0 else u.opposes

    dense = [u for u in units if sign * u.value > 0 and share(u) > 0 and share(u) >= _DENSE * u.area - 1e-9]
    dense.sort(key=lambda u: -share(u))
    out: list[Unit] = []
    for u in dense:
        if len(out) == _MOST or share(u) < _BESIDE * share(dense[0]):
            break
        if not any(shares_words(u, v) for v in out):
            out.append(u)
    return tuple(out) if sum(map(share, out)) >= _TOGETHER - 1e-9 else ()


def shares_words(u: Unit, v: Unit) -> bool:
    """Whether two units of a text share a word: a phrase and a word of it."""
    return "phrase" in (u.kind, v.kind) and bool((u.cells * v.cells).any())


def modality(e: Explanation) -> str:
    """"picture", "text", "series" or "volume": ``params["modality"]`` if it is there, else by the map's shape; `[C, L]`
    is a series if it has the input's shape and there is no picture."""
    said = e.params.get("modality")
    if said in ("picture", "text", "series", "volume"):
        return str(said)
    if e.values.ndim == 1:
        return "series" if e.params.get("rate") or e.params.get("domain") else "text"
    if e.values.ndim == 2:
        return "series" if e.input.ndim == 2 and e.input.shape == e.values.shape and e.image is None else "picture"
    return "volume"


def _units(e: Explanation, mass: Mass, units: Any, language: ModuleType) -> list[Unit]:
    kind = modality(e)
    if isinstance(units, Mapping):
        return masks(mass, dict(units), e.size if kind == "picture" else e.input_shape)
    if isinstance(units, Regions):
        _only(kind, "picture", "Regions")
        return areas(mass, units.labels, units.names, language)
    if isinstance(units, np.ndarray):
        return _labelled(e, mass, units, language)
    if isinstance(units, (list, tuple)):
        _only(kind, "text", "a list of words")
        return words(e, mass, [str(u) for u in units], language)
    if units == "auto":
        units = {"picture": "regions" if e.regions is not None else "places", "text": "words", "series": "intervals",
                 "volume": "blocks"}[kind]
    homes = {"places": "picture", "regions": "picture", "superpixels": "picture", "words": "text", "intervals": "series",
             "channels": "series", "blocks": "volume"}
    if not isinstance(units, str) or units not in homes:
        raise InputError(f"units={units!r} is not known; choose 'auto', {', '.join(map(repr, homes))}, a dict of masks, "
                         "Regions, labels or a list of words.")
    _only(kind, homes[units], repr(units))
    if units == "places":
        return places(mass, language)
    if units == "superpixels":
        return areas(mass, superpixels(e), (), language)
    if units == "regions":
        if e.regions is None:
            raise InputError(f"{e.method} scored no regions; use units='superpixels' or give Regions.")
        return areas(mass, e.regions.labels, e.regions.names, language)
    if units == "words":
        return words(e, mass, None, language)
    return {"intervals": intervals, "channels": channels, "blocks": blocks}[units](e, mass, language)


def _only(kind: str, wanted: str, what: str) -> None:
    if kind != wanted:
        raise InputError(f"units={what} speaks of a {wanted}, but this is a map of a {kind}; use units='auto'.")


def _labelled(e: Explanation, mass: Mass, labels: np.ndarray, language: ModuleType) -> list[Unit]:
    if labels.dtype.kind not in "iu" or labels.ndim != e.values.ndim or labels.size == 0 or labels.min() < -1:
        raise InputError(f"labels of shape {labels.shape} and dtype {labels.dtype} do not fit a map of shape "
                         f"{e.values.shape}; give whole numbers from -1 (none), or a dict of named masks.")
    if modality(e) == "picture":
        return areas(mass, labels.astype(np.int64), (), language)
    if labels.shape != e.values.shape:
        raise InputError(f"labels have shape {labels.shape}, the map {e.values.shape}; they must be the same.")
    out = []
    for k in np.unique(labels[labels >= 0]):
        out.append(mass.unit("segment", language.LABELS["segment"].format(n=int(k)), labels == k))
    return out


def _sides(e: Explanation) -> tuple[str, str]:
    """Target and foil as a sentence names them. Names are quoted here, not taken from the binding's label: a curly quote
    inside a name would seem to end it."""
    q = e.question
    if q is None:
        return "what was asked", ""
    if q.task is not None or not (q.target or q.binding):
        return plain(str(q).removeprefix("Why ").rstrip("?"), 200), ""
    b = q.binding
    return (_named(q.target or (b.target[0] if b else 0,), q, b.target_names if b else ()),
            _named(q.foil, q, b.foil_names if b else ()) if q.foil else "")


def _named(items: Sequence[str | int], q: Question, leaves: Sequence[str]) -> str:
    names = [f"“{plain(i)}”" if isinstance(i, str) else f"“{plain(leaves[0])}”" if len(leaves) == 1 else f"class {i}"
             for i in items]
    if len(names) > 4:
        names = [*names[:3], f"{len(names) - 3} others"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _together(units: Sequence[Unit]) -> float:
    """Share of the positive mass that the units hold together; parts that overlap count once, near enough."""
    return min(sum(u.supports for u in units), 1.0)


def _caveats(e: Explanation, mass: Mass, diffuse: bool) -> tuple[str, ...]:
    said = {
        "zero": mass.total_up + mass.total_down == 0,
        "nothing": mass.total_up == 0 < mass.total_down,
        "diffuse": diffuse,
        "opposing": mass.opposes >= 0.2 and mass.total_up > 0,
        "incomplete": e.completeness is not None and e.completeness > 0.05,
        "blind": e.class_blind,
        "unsigned": e.method in _UNSIGNED and not e.class_blind,
        "sensitivity": e.method in _SENSITIVITY,
        "broken": not mass.finite,
    }
    return tuple(key for key, applies in said.items() if applies)


@dataclass(frozen=True)
class PlaceShares:
    """How a map's positive and negative mass lie on the nine places (shares of each sum to 1, or are all 0).

    opposing: the negative part's share of sum |map|. finite: False if the map holds NaN or infinity.
    """

    positive: np.ndarray
    negative: np.ndarray
    opposing: float
    finite: bool


def place_shares(e: Explanation) -> PlaceShares:
    """Shares of a 2-D map's mass by place. A cell that lies on several places is divided by its area on each."""
    if e.values.ndim != 2:
        raise InputError(f"only maps of images can be described by place; this one has shape {e.values.shape}.")
    mass = Mass(e.values)
    units = places(mass)
    return PlaceShares(np.array([u.supports for u in units]), np.array([u.opposes for u in units]), mass.opposes,
                       mass.finite)
