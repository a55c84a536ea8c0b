"""How to say it: one honest sentence per explanation, from a template, with the caveats that apply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..explanation import Explanation
from .brief import Audience, Brief, Draft, Length, Sentence
from .claims import Claim
from .salient import PLACES, place_shares

# Every phrase of this language; another language is another such table.
ENGLISH = {
    "main": "{method} places {shares} of the evidence for {target}{foil} {places}{score}.",
    "share_at": "{share} at the {place}",
    "diffuse": "{method} finds no place that stands out for {target}{foil}: the strongest, the {place}, holds {share} "
               "of the evidence{score}.",
    "nothing": "{method} finds nothing that speaks for {target}{foil}{score}.",
    "against": "{method} finds nothing that speaks for {target}{foil}{score}; {share} of what speaks against it lies at "
               "the {place}.",
    "zero": "{method} gives a map that is zero everywhere for {target}{foil}{score}: it answers nothing.",
    "opposing": "Evidence against makes up {share} of the map.",
    "incomplete": "The map leaves {share} of its own mass unaccounted for (completeness gap {gap:+.2f}).",
    "blind": "This method is class-blind: it gives the same map whatever is asked.",
    "broken": "The map holds values that are not finite; they are left out of these figures.",
    "rather": " rather than {foil}",
    "score": " (score {score:+.2f})",
}
_NAMES = {"grad-cam": "Grad-CAM", "hires-cam": "HiResCAM", "rise": "RISE", "integrated-gradients": "Integrated gradients",
          "input-x-gradient": "Input x gradient"}


class TemplateWriter:
    """Writes from a table of phrases."""

    name = "template"

    def __init__(self, language: str = "english"):
        self.language = language

    def write(self, brief: Brief, *, length: Length = "paragraph", audience: Audience = "layperson",
              contradicted: Sequence[Claim] = (), on_text: Callable[[str], Any] | None = None) -> Draft:
        """Sentences about ``brief``."""
        e = brief.explanation
        return Draft((Sentence(_main(e), [u.id for u in brief.supporting], "supports"), *map(Sentence, _caveats(e))))


def _main(e: Explanation) -> str:
    shares = place_shares(e)
    b = e.question.binding if e.question is not None else None
    words: dict[str, Any] = {
        "method": _NAMES.get(e.method, e.method.replace("-", " ").capitalize()),
        "target": b.target_label if b else _asked(e),
        "foil": ENGLISH["rather"].format(foil=b.foil_label) if b and b.foil else "",
        "score": "" if e.score is None else ENGLISH["score"].format(score=e.score),
    }
    if not shares.positive.any():
        lead = shares.leading(-1)
        if not shares.negative.any():
            return ENGLISH["zero"].format(**words)
        if not lead:
            return ENGLISH["nothing"].format(**words)
        return ENGLISH["against"].format(**words, share=percent(shares.negative[lead[0]]), place=PLACES[lead[0]])
    lead = shares.leading()
    if not lead:
        best = int(shares.positive.argmax())
        return ENGLISH["diffuse"].format(**words, place=PLACES[best], share=percent(shares.positive[best]))
    first, *others = [ENGLISH["share_at"].format(share=percent(shares.positive[i]), place=PLACES[i]) for i in lead]
    share, place = first.split(" at ", 1)
    return ENGLISH["main"].format(**words, shares=share, places=_listed([f"at {place}", *others]))


def _listed(items: list[str]) -> str:
    """"a", "a and b", "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _asked(e: Explanation) -> str:
    return "what was asked" if e.question is None else str(e.question).removeprefix("Why ").rstrip("?")


def _caveats(e: Explanation) -> list[str]:
    shares = place_shares(e)
    out = []
    if shares.opposing >= 0.2 and shares.positive.any():
        out.append(ENGLISH["opposing"].format(share=percent(shares.opposing)))
    if e.completeness is not None and e.completeness > 0.05:
        out.append(ENGLISH["incomplete"].format(share=percent(e.completeness), gap=e.completeness.gap))
    if e.class_blind:
        out.append(ENGLISH["blind"])
    if not shares.finite:
        out.append(ENGLISH["broken"])
    return out


def percent(share: float) -> str:
    """A share as words: "54 %"; never "0 %" for something, never "100 %" for less than all."""
    p = round(100 * float(share))
    if p == 0 and share > 0:
        return "less than 1 %"
    if p == 100 and share < 1:
        return "more than 99 %"
    return f"{p} %"
