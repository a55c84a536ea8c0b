"""Is it true? Sentences about a map, from any writer, become claims that are checked against the raw values.

Understood so far: shares at places ("54 % … at the top left"), the share of opposing evidence ("evidence against
makes up 31 %"), and that nothing speaks for the target. The figures are recomputed here from the map by other code
than the writer's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..explanation import Explanation

if TYPE_CHECKING:
    from .brief import Unit

_PLACE = r"(top left|top right|bottom left|bottom right|upper left|upper right|lower left|lower right|" \
         r"top|bottom|left|right|centre|center|middle)"
_SHARE = r"(?:(less|more) than )?(\d+(?:\.\d+)?) ?%"
_AT = re.compile(_SHARE + r"(?:(?!\d ?%|\. ).)*?\b(?:at|in|on) the " + _PLACE + r"\b", re.IGNORECASE)
_HOLDS = re.compile(r"\bthe " + _PLACE + r",? (?:holds|has|carries|contains) " + _SHARE, re.IGNORECASE)
_AGAINST = re.compile(r"\bagainst (?:\w+ )?makes up " + _SHARE, re.IGNORECASE)
_NOTHING = re.compile(r"\bnothing (?:that )?speaks for|\bzero everywhere\b", re.IGNORECASE)
_CELL = {"top": (0, 1), "bottom": (2, 1), "left": (1, 0), "right": (1, 2), "centre": (1, 1), "center": (1, 1),
         "middle": (1, 1), "upper": (0, 1), "lower": (2, 1)}
_TOLERANCE = 0.0051  # shares are written in whole per cent


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


def check_sentences(sentences: Sequence[str], explanation: Explanation,
                    units: Sequence[Unit] | None = None) -> list[Claim]:
    """The claims of ``sentences``, each with the index of its sentence."""
    out = []
    for i, s in enumerate(sentences):
        out += [replace(c, sentence=i) for c in check_text(str(s), explanation, units)]
    return out


def check_text(text: str, explanation: Explanation, units: Sequence[Unit] | None = None) -> list[Claim]:
    """The claims that ``text`` makes about ``explanation``, each with its verdict.

    A sentence without a figure that can be understood becomes one claim that is "not checkable".
    """
    if explanation.values.ndim != 2:
        raise InputError("only texts about maps of images can be checked.")
    # Three times as fine, thirds of the picture end between cells, whatever the map's size.
    fine = np.repeat(np.repeat(explanation.values.astype(np.float64), 3, 0), 3, 1)
    fine = np.where(np.isfinite(fine), fine, 0.0)
    text = re.sub(r"“[^”]*”", "“…”", text)  # a class name says nothing about the map, whatever words it is made of
    claims = []
    for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z“\"])", text.strip()):
        if not sentence:
            continue
        against = bool(re.search(r"speaks? against", sentence))
        relation = "opposes" if against else "supports"
        found = []
        for m in _AT.finditer(sentence):
            found.append(_place_claim(m.group(0), relation, m.group(3), _read(m.group(1), m.group(2)), fine))
        for m in _HOLDS.finditer(sentence):
            found.append(_place_claim(m.group(0), relation, m.group(1), _read(m.group(2), m.group(3)), fine))
        for m in _AGAINST.finditer(sentence):
            total = np.abs(fine).sum()
            share = float(np.maximum(-fine, 0).sum() / total) if total > 0 else 0.0
            found.append(_claim(m.group(0), "opposes", None, _read(m.group(1), m.group(2)), share))
        for m in _NOTHING.finditer(sentence):
            part = np.abs(fine) if "zero" in m.group(0).lower() else np.maximum(fine, 0)
            found.append(Claim(m.group(0), "supports", None, 0.0, float(part.sum()),
                               "contradicted" if part.any() else "supported"))
        claims += found or [Claim(sentence, "says", None, float("nan"), float("nan"), "not checkable")] \
            if found or _has_figure(sentence) else []
    return claims


def _has_figure(sentence: str) -> bool:
    return "%" in sentence and "unaccounted" not in sentence


def _read(bound: str | None, number: str) -> tuple[float, str | None]:
    return float(number) / 100, bound.lower() if bound else None


def _place_claim(text: str, relation: str, place: str, value: tuple[float, str | None], fine: np.ndarray) -> Claim:
    rows, columns = (np.minimum(3 * np.arange(n) // n, 2) for n in fine.shape)
    words = place.lower().split()
    r = _CELL[words[0]][0]
    c = _CELL[words[-1]][1]
    mass = np.maximum(-fine if relation == "opposes" else fine, 0)
    total = mass.sum()
    inside = mass[np.ix_(rows == r, columns == c)].sum()
    return _claim(text, relation, place.lower(), value, float(inside / total) if total > 0 else 0.0)


def _claim(text: str, relation: str, place: str | None, value: tuple[float, str | None], share: float) -> Claim:
    said, bound = value
    if bound == "less":
        true = share < said + _TOLERANCE
    elif bound == "more":
        true = share > said - _TOLERANCE
    else:
        true = abs(share - said) <= _TOLERANCE
    return Claim(text, relation, place, said, share, "supported" if true else "contradicted")
