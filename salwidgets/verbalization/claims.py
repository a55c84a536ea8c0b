"""Is it true? Sentences about a map, from any writer, become claims that are checked against the raw values.

A text is read in three steps: names of classes and units are replaced by single characters (`claims_names`), the words
that make claims are found (`claims_lexicon`, `claims_numbers`) and joined (`claims_read`), and each claim is judged by
figures computed anew from the map (`claims_map`, `claims_judge`, `claims_facts`). No code of the writers is used; only
``Unit.cells`` are taken as what a unit is. All of it is ours.

A claim is false only if no common reading of its words makes it true. The tolerances:

| said | true if the map's figure lies |
|---|---|
| "54 %", "54.3 %", "0.54" | within half of the last digit written |
| "about", "roughly", "around", "some" 54 % | within 3 points, or a tenth of the number if that is more |
| "nearly", "almost" half | from 5 points (or a tenth) below it up to it |
| "just over" a third | from it up to 5 points (or a tenth) above |
| "more than", "at least"; "less than", "at most" | on that side, or within rounding (half a point) of it |
| "half", "a third", "two thirds" … | within 3 points |
| "most of", "the majority"; "the vast majority"; "almost all"; "all" | from 49.5 %; 70 %; 90 %; 99.5 % |
| "strongest", "second", "weakest" | at that rank by mass or by signed sum; shares within 1 point of each other are tied |
| "more than", "followed by" | not more than 1 point on the wrong side |
| "twice as much"; "2.3 times" | within a fifth; within 2 % or the last digit |
| "as much as" | within 2 points, or a tenth |
| "supports", "opposes" | the signed sum there has that sign, or the other sign has less than twice its mass |
| "nothing speaks for", "no negative evidence" | at less than 1 % of the map |
| "plays no role", "ignores" | at 10 % or less |
| "focuses on", "mainly" | among the first three, with 30 % of the strongest one's mass |
| "no region stands out" | no unit holds more than a third and twice its area's share |

What the words mean: "top left" is the ninth of the picture; "the left half", "the left third" are just that; "left side",
"on the left" may be the ninth, the third or the half. Shares are of the positive mass, or of the negative where a word
says so; "of the map", "of the attribution" may also be of both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..explanation import Explanation
from .claims_facts import Facts
from .claims_judge import Claim, Judge
from .claims_map import RawMap
from .claims_names import Names
from .claims_read import Reader

if TYPE_CHECKING:
    from .brief import Unit

__all__ = ["Claim", "check_sentences", "check_text"]
_ENDS = re.compile(r"(?<=[.!?])(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bvs\.)(?<!\bca\.)(?<!\bapprox\.)(?<!\bno\.)[”\"')\]]*\s+|\n+")


def check_text(text: str, explanation: Explanation, units: Sequence[Unit] | None = None) -> list[Claim]:
    """The claims that free ``text`` makes about ``explanation``, each with its verdict and the figure that shows it.

    units: the parts that it may speak of by label or id; any other name is invented. Without them, places of a picture
    are known. A sentence with a figure that is not understood becomes one claim that is "not checkable".

    >>> e = sw.from_array(np.diag([3.0, 0.0, 1.0]), np.zeros((9, 9, 3), np.uint8), "why husky")
    >>> [c.verdict for c in check_text("The upper left holds about three quarters of the evidence, the centre 20 %.", e)]
    ['supported', 'contradicted']
    """
    return check_sentences([text], explanation, units)


def check_sentences(sentences: Sequence[str], explanation: Explanation,
                    units: Sequence[Unit] | None = None) -> list[Claim]:
    """The claims of ``sentences``, each with the index of its sentence.

    A `Sentence` is also held to its ``units`` and ``relation``: an id that no unit has is invented, and a relation is
    checked for each unit of which the words themselves claim nothing of that side. Otherwise as `check_text`.
    """
    names = Names(explanation, units)
    judge = Judge(RawMap(explanation, units))
    reader = Reader(judge, Facts(explanation, judge, names.predicted), names)
    out: list[Claim] = []
    for i, sentence in enumerate(sentences):
        found = []
        judge.sentence = i
        hidden = names.hide(str(sentence))
        for part in _ENDS.split(hidden):
            low = (part.lower() if len(part.lower()) == len(part) else part).replace("center", "centre").replace("’", "'")
            found += [_shown(c, part, low, names) for c in reader.sentence(low)] if part.strip() else []
        found += _structured(sentence, found, judge, units)
        out += found
    return out


def _shown(c: Claim, part: str, low: str, names: Names) -> Claim:
    at = low.find(c.text)
    text = names.show(part[at:at + len(c.text)] if at >= 0 else c.text).strip()
    return c if text == c.text else replace(c, text=text)


def _structured(sentence: str, found: Sequence[Claim], judge: Judge, units: Sequence[Unit] | None) -> list[Claim]:
    """Claims of the ids and the relation that a `Sentence` carries beside its words."""
    relation = getattr(sentence, "relation", "none")
    sign = {"supports": 1, "opposes": -1}.get(relation, 0)
    out = []
    for id in getattr(sentence, "units", ()):
        region = judge.raw.unit(id)
        if region is None:
            out.append(judge.invented(f"[{id}]", id, units is not None))
        elif sign and not any(c.relation == relation and c.place and region.name in c.place for c in found):
            out.append(judge.relation(f"[{id} {relation}]", [region], sign))
    return out
