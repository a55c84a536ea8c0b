"""Numbers as people write them: "54 %", "about a third", "0.54", "more than half", "between 40 and 50 %".

A number becomes an interval of what would make the sentence true (tolerances: the table in `claims`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

_ONE_WORDS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
              "seventeen eighteen nineteen")
_TEN_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ONES, _TENS = _ONE_WORDS.split(), _TEN_WORDS.split()
SPELLED = {w: i for i, w in enumerate(_ONES)} | {w: 10 * i for i, w in enumerate(_TENS, 2)}
_PARTS = {"half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
          "ninth": 9, "tenth": 10}
_PERCENT = r"(?:\s*%|\s*per\s?cent\b|\s*percentage points?\b)"
_DIGITS = r"\d+(?:[.,]\d+)?"
_WORDS = rf"(?:(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(_ONES[1:10])}))?|{'|'.join(sorted(_ONES, key=len, reverse=True))}" \
         r"|(?:one |a )hundred)"

# Hedges in the order in which they are tried. "low", "high": which bound they leave open.
_HEDGES = (
    ("near", r"about|around|roughly|approximately|approx\.?|~|≈|circa|ca\.|some|close to|on the order of|in the region of"),
    ("under", r"nearly|almost|not quite|just under|just below|slightly (?:less than|under|below)|a (?:little|bit) "
              r"(?:less than|under)|just shy of"),
    ("over", r"just over|just above|slightly (?:more than|over|above)|a (?:little|bit) (?:more than|over)|a good"),
    ("more", r"(?:well |far |much )?(?:more than|over|above|upwards of|in excess of)|at least|no less than|exceeding|"
             r"greater than|>=?|≥"),
    ("less", r"(?:well |far |much )?(?:less than|under|below|fewer than)|at most|no more than|up to|not even|<=?|≤"),
)
_HEDGE = "(?:" + "|".join(f"(?:{p})" for _, p in _HEDGES) + ")"
_FRACTION = r"(?:(?:a|one|two|three|four|five|seven|nine)[ -])?(?:half|halves|thirds?|quarters?|fifths?|sixths?|eighths?|" \
            r"tenths?)(?= (?:of|the|its)\b)"
_AMOUNT = r"(?:the )?(?:vast|overwhelming|great|large) majority|(?:virtually|nearly|almost|practically|effectively) all" \
          r"(?= (?:of|the)\b)|(?:the |a )?(?:clear )?majority(?= of)|most(?! of all\b)(?= (?:of|the evidence|" \
          r"what))|(?:the )?(?:bulk|lion's " \
          r"share)(?= of)|all(?= (?:of )?(?:the|its) (?:\w+ )?(?:evidence|support|attribution|mass))|(?:the )?(?:entire|" \
          r"whole)(?= (?:\w+ )?(?:evidence|support))"
NUMBER = re.compile(
    rf"(?:(?<![\w.])(?P<hedge>{_HEDGE})\s+|(?P<tilde>[~≈<>≤≥])\s?)?(?:"
    rf"(?:(?P<from>{_DIGITS}){_PERCENT}?\s?(?:-|–|to)\s?(?P<to>{_DIGITS}){_PERCENT})|"
    rf"(?:between (?P<from2>{_DIGITS}){_PERCENT}? and (?P<to2>{_DIGITS}){_PERCENT})|"
    rf"(?P<percent>{_DIGITS}){_PERCENT}|(?P<spelled>\b{_WORDS}){_PERCENT}|"
    rf"(?P<out>\d+) (?:out of|in) (?:every )?(?P<outof>100|10)\b|"
    rf"\b(?P<fraction>{_FRACTION})|\b(?P<amount>{_AMOUNT})|(?<![\w.])(?P<plain>[-+−±]?{_DIGITS})(?![\w/:]|\.\d))",
    re.IGNORECASE)
_HEDGE_KIND = [(kind, re.compile(f"(?:{pattern})", re.IGNORECASE)) for kind, pattern in _HEDGES]


class Number(NamedTuple):
    """What is said, and between which bounds (both included) the truth must lie. share: 0..1, else a plain number."""

    said: float
    low: float
    high: float
    share: bool

    def admits(self, x: float) -> bool:
        """Whether the truth ``x`` makes the sentence true."""
        return self.low <= x <= self.high


def read_number(m: re.Match[str]) -> Number:
    """The number that a match of `NUMBER` stands for."""
    hedge = next((k for k, p in _HEDGE_KIND if p.fullmatch(m["hedge"] or m["tilde"] or "")), "")
    if m["from"] or m["from2"]:
        low, high = (_float(m[g] or m[g + "2"]) / 100 for g in ("from", "to"))
        return Number((low + high) / 2, low - 0.0051, high + 0.0051, True)
    if m["amount"]:
        return _amount(m["amount"].lower())
    if m["plain"]:
        return _bounds(_float(m["plain"]), _step(m["plain"]), hedge, False)
    if m["percent"]:
        return _bounds(_float(m["percent"]) / 100, _step(m["percent"]) / 100, hedge, True)
    if m["spelled"]:
        return _bounds(_spelled(m["spelled"].lower()) / 100, 0.01, hedge, True)
    if m["out"]:
        return _bounds(float(m["out"]) / float(m["outof"]), 1 / float(m["outof"]), hedge, True)
    return _bounds(_fraction(m["fraction"].lower()), 0.06, hedge, True)


def _bounds(said: float, step: float, hedge: str, share: bool) -> Number:
    half = 0.51 * step
    wide = max(0.03, 0.1 * abs(said)) if share else max(half, 0.1 * abs(said))
    low, high = said - half, said + half
    if hedge == "near":
        low, high = said - max(wide, half), said + max(wide, half)
    elif hedge == "under":
        low = said - max(0.05, 0.1 * said) if share else said - 0.1 * abs(said)
        high = said + min(half, 0.0051) if share else high
    elif hedge == "over":
        low, high = (said - min(half, 0.0051), said + max(0.05, 0.1 * said)) if share else (low, said + 0.1 * abs(said))
    elif hedge == "more":
        low, high = said - (min(half, 0.0051) if share else half), float("inf")
    elif hedge == "less":
        low, high = -float("inf"), said + (min(half, 0.0051) if share else half)
    return Number(said, low, high, share)


def _amount(words: str) -> Number:
    if "vast" in words or "overwhelming" in words:
        return Number(0.75, 0.70, 1.0, True)
    if re.match(r"(?:virtually|nearly|almost|practically|effectively) all", words):
        return Number(0.95, 0.90, 1.0, True)
    if re.search(r"\ball|entire|whole", words):
        return Number(1.0, 0.995, 1.0, True)
    return Number(0.5, 0.495, 1.0, True)


def _float(text: str) -> float:
    return float(text.replace("−", "-").replace("±", "").replace(",", "."))


def _step(text: str) -> float:
    """The last digit's worth: "54" 1, "54.3" 0.1."""
    decimals = re.search(r"[.,](\d+)$", text)
    return 10.0 ** -len(decimals[1]) if decimals else 1.0


def _spelled(words: str) -> int:
    return 100 if "hundred" in words else sum(SPELLED[w] for w in re.split(r"[ -]", words))


def _fraction(words: str) -> float:
    first, *rest = re.split(r"[ -]", words)
    name = (rest[0] if rest else first).removesuffix("s").replace("halve", "half")
    return (SPELLED.get(first, 1) if rest and first != "a" else 1) / _PARTS[name]
