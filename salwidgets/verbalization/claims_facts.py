"""Facts beside the map that a text may state: score, probability, prediction, completeness, cells, members of a group."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..explanation import Explanation
from .claims_judge import Claim, Judge, percent
from .claims_lexicon import FOIL, PREDICTED, TARGET, Mention
from .claims_numbers import SPELLED

_CLASS = f"[{TARGET}{FOIL}{PREDICTED}\ue010-\ue0ff]"
_PREDICTS = re.compile(
    rf"\b(?:predicted class|top class|first choice|(?:the|its|model's|network's) prediction)(?: is| was|:|,)? "
    rf"(?P<a>{_CLASS}|[a-z-]+)|"
    rf"\b(?:model|network|net|it) (?:itself )?(?:predicts|recognises|recognizes|says|answers|chooses) (?:the class |a |an )?"
    rf"(?P<b>{_CLASS})|"
    rf"\b(?:classif\w+|label\w+) (?:\w+ ){{0,3}}?as (?:a |an )?(?P<c>{_CLASS})")
_SCORES = re.compile(rf"\bscores? {TARGET}(?: \w+)? (?P<way>higher|lower) than {FOIL}")
_CELLS = re.compile(r"\b(?P<cells>\d+(?:\s?[×x]\s?\d+)*) cells\b")
_STANDS = re.compile(r"\b(?:stands for|consists of|has|contains|holds) (?P<n>\w+) (?:classes|members)\b")
_BLIND = re.compile(r"\bclass[- ]blind\b|\bsame map (?:whatever|for (?:every|any|all))")
_BROKEN = re.compile(r"\bnot finite\b|\bnan\b|\bnon-finite\b")
_ANY = re.compile(r"predict|class|choice|recogni|says|answer|choose|label|score|cells|members|blind|same map|finite|nan\b")


class Facts:
    """What an explanation carries beside its map."""

    def __init__(self, e: Explanation, judge: Judge, same: frozenset[str]):
        self.e, self.judge, self.predicted = e, judge, same

    def read(self, text: str, found: Sequence[Mention], numbers: Sequence[Mention]) -> list[Claim]:
        """Claims of numbers that stand beside a word for such a fact; marks those numbers as used."""
        facts = [m for m in found if m.kind == "fact"]
        out = []
        for m in numbers:
            near = [f for f in facts if _close(f, m, found)]
            if not near:
                continue
            fact = min(near, key=lambda f: (f.value != "gap", _distance(f, m)))
            claim = self._number(text, fact, m)
            if claim is not None:
                m.used = True
                out.append(claim)
        return out

    def _number(self, text: str, fact: Mention, m: Mention) -> Claim | None:
        e = self.e
        words = text[min(fact.start, m.start):max(fact.end, m.end)]
        if fact.value == "gap":
            c = e.completeness
            known = [] if c is None else [float(c)] if m.value.share else [c.gap, abs(c.gap), float(c)]
            show = percent if m.value.share else "{:+.4g}".format
            return self.judge.number(words, "the unaccounted part", m.value, known, show)
        if fact.value == "probability":
            p = e.prediction[1] if e.prediction else None
            if not m.value.share and not 0 <= m.value.said <= 1:
                return None
            return self.judge.number(words, "the probability", m.value, [e.probability, p], percent)
        if m.value.share and not (e.question is not None and e.question.pool == "probability"):
            return None
        return self.judge.number(words, "the score", m.value, [e.score])

    def statements(self, text: str) -> list[Claim]:
        """Facts without a number: what is predicted, which side scores higher, how many cells and members."""
        if not _ANY.search(text):
            return []
        e, judge, out = self.e, self.judge, list[Claim]()
        for m in _PREDICTS.finditer(text):
            said = m["a"] or m["b"] or m["c"]
            if e.prediction is None or said in ("the", "a", "an", "not", "based", "about", "for", "with"):
                continue
            out.append(judge.said(m[0], said in self.predicted, f"the model predicts “{e.prediction[0]}”"))
        for m in _SCORES.finditer(text):
            true = None if e.score is None else (e.score > 0) == (m["way"] == "higher")
            out.append(judge.said(m[0], true, f"the score is {e.score}"))
        for m in _CELLS.finditer(text):
            shape = [int(n) for n in re.findall(r"\d+", m["cells"])]
            true = shape == list(e.values.shape) or (len(shape) == 1 and shape[0] == e.values.size)
            out.append(judge.said(m[0], true, f"the map has shape {e.values.shape}"))
        for m in _STANDS.finditer(text):
            n = int(m["n"]) if m["n"].isdigit() else SPELLED.get(m["n"])
            b = e.question.binding if e.question is not None else None
            if n is not None and b is not None:
                out.append(judge.said(m[0], n == len(b.target_names), f"the group has {len(b.target_names)} members"))
        if blind := _BLIND.search(text):
            out.append(judge.said(blind[0], e.class_blind, f"the method is {'' if e.class_blind else 'not '}class-blind"))
        if broken := _BROKEN.search(text):
            import numpy as np

            finite = bool(np.isfinite(e.values).all())
            out.append(judge.said(broken[0], not finite, f"{int((~np.isfinite(e.values)).sum())} values are not finite"))
        return out

    def covers(self, text: str, m: Mention) -> bool:
        """Whether a number belongs to one of `statements`."""
        return any(a.start() <= m.start and m.end <= a.end() for p in (_CELLS, _STANDS) for a in p.finditer(text))


def _distance(f: Mention, m: Mention) -> int:
    return m.start - f.end if m.start >= f.end else f.start - m.end


def _close(f: Mention, m: Mention, found: Sequence[Mention]) -> bool:
    low, high = (f.end, m.start) if m.start >= f.end else (m.end, f.start)
    far = 200 if f.value == "probability" else 45 if m.start >= f.end or f.value == "gap" else 22
    return high - low <= far and not any(x.kind in ("ref", "sign") and low <= x.start < high and f.value == "score"
                                         for x in found)
