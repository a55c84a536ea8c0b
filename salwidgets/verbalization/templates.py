"""How to say it without a language model: sentences from a catalogue of phrases, in a jinja2 sandbox."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .brief import Audience, Brief, Draft, Length, Relation, Sentence, Unit
from .english import percent
from .salient import modality, shares_words
from .units import plain

if TYPE_CHECKING:
    from jinja2 import Template

    from .claims import Claim

__all__ = ["TemplateWriter", "percent"]
_SAID = ("zero", "nothing", "diffuse", "opposing")  # caveats that the sentences before them hold
_MUCH = 0.2    # opposing evidence that a paragraph must mention; a line must from _MOST on
_MOST = 0.5
_SOME = 0.05   # less than this is too little to ask where it lies
_SHOWN = 5     # units that a report ranks
_ALL = 0.5     # a unit of more than half the input, such as "the rest", is no part that a reader would look for
_LEADS = 1.25  # a lead smaller than a quarter is not worth a sentence


class TemplateWriter:
    """Writes from a catalogue of phrases: the same brief gives the same text, and every figure is the brief's.

    language: the name of a catalogue in this package. Raises `InputError` if there is none.
    """

    name = "template"

    def __init__(self, language: str = "english"):
        self.language = language
        self.words = catalogue(language)

    def write(self, brief: Brief, *, length: Length = "paragraph", audience: Audience = "layperson",
              contradicted: Sequence[Claim] = (), on_text: Callable[[str], Any] | None = None) -> Draft:
        """Sentences about ``brief``; ``contradicted`` changes nothing, for they come from the brief alone."""
        page = _Page(brief, self.words, self.language, audience)
        if length == "line":
            page.main("line")
        else:
            page.body(report=length == "report")
        for key in brief.caveats:
            if key not in _SAID:
                page.say(key)
        if on_text is not None:
            on_text(" ".join(page.sentences))
        return Draft(tuple(page.sentences))


class _Page:
    """The sentences so far, and what the templates see."""

    def __init__(self, brief: Brief, words: ModuleType, language: str, audience: Audience):
        self.b, self.words, self.language, self.audience = brief, words, language, audience
        self.facts = facts(brief, words, audience)
        self.sentences: list[Sentence] = []

    def say(self, key: str, units: Sequence[Unit] = (), relation: Relation = "none", **more: Any) -> None:
        share = _opposes if relation == "opposes" else _supports
        first = not units or all(share(u) <= share(units[0]) for u in self.b.units)
        most = self.words.MOST if first else self.words.CLEARLY
        tie = len(units) > 1 and share(units[0]) - share(units[1]) < 1e-6
        text = _compiled(self.language)[key, self.audience].render(self.facts, lead=units, share=share, most=most, tie=tie,
                                                                   **more)
        self.sentences.append(Sentence(" ".join(text.split()), [u.id for u in units], relation))

    def main(self, key: str) -> None:
        """Where the evidence for the target lies; or that it lies nowhere."""
        b = self.b
        best = max(b.units, key=lambda u: u.supports, default=None)
        if b.supporting:
            self.say(key, b.supporting, "supports")
        elif best is not None and best.area > _ALL and best.supports > 0:
            self.say("everywhere")
        elif best is not None and best.supports > 0:
            self.say("diffuse", [best], "supports")
        elif b.opposes > 0:
            self.say("nothing")
        else:
            self.say("zero")
        if key == "line" and b.opposes >= _MOST:
            self.say("opposes", (), "opposes")

    def body(self, report: bool) -> None:
        b = self.b
        how = self.facts["how"] if report and self.audience == "layperson" else ""
        if how:
            self.sentences.append(Sentence(how))
        self.main("line" if how else "main")
        if len(b.supporting) > 1 and _disjoint(b.supporting):
            self.say("together", b.supporting, "supports", together=sum(u.supports for u in b.supporting),
                     area=sum(u.area for u in b.supporting))
        if report and b.supporting:
            self.ranks()
        self.against(report)
        self.model()
        if report and b.group and 1 < len(b.members) <= 12:
            self.say("members")
        if report and self.audience == "expert":
            self.say("setup")

    def ranks(self) -> None:
        """By how much the first leads, and what comes after the units that stand out."""
        b, first = self.b, list(self.b.supporting)
        if len(first) == 1 and first[0].supports == max(u.supports for u in b.units):
            self.say("alone", first)
        if len(first) > 1 and first[0].supports >= _LEADS * first[1].supports:
            self.say("times", first[:2], "supports", times=f"{first[0].supports / first[1].supports:.1f}")
        rest: list[Unit] = []
        for u in sorted(b.units, key=_supports, reverse=True):
            known = [*first, *rest]
            if u.value <= 0:  # what comes next speaks against the target on the whole: the list would mislead
                break
            if len(known) < _SHOWN and 0.005 <= u.supports <= first[-1].supports and not any(
                    u.id == v.id or shares_words(u, v) for v in known):
                rest.append(u)
        if rest:
            self.say("next", rest, "supports", more=rest, shown=len(first))

    def against(self, report: bool) -> None:
        b = self.b
        supported = any(u.supports > 0 for u in b.units)
        if b.opposes == 0:
            if report and supported:
                self.say("none_against", (), "opposes")
        elif b.opposing and (report or b.opposes >= _MUCH):
            self.say("opposing", b.opposing, "opposes")
            if supported:
                self.say("opposes", (), "opposes")
        elif b.opposes < _SOME:
            if report:
                self.say("opposes", (), "opposes")
        elif report or b.opposes >= _MUCH:
            self.say("outweighed" if all(u.value >= 0 for u in b.units) else "spread_against", (), "opposes")

    def model(self) -> None:
        """What the model itself answers."""
        e = self.b.explanation
        q = e.question
        if q is None or q.task is not None:
            return
        if not self.b.foil:
            if e.probability is not None and 0 <= e.probability <= 1:
                self.say("probability")
        elif e.score and abs(e.score) < float("inf") and (q.pool in ("mean", "logsumexp", "probability", "log-odds")
                                                           or q.granularity == "class"):
            self.say("higher")


def facts(b: Brief, words: ModuleType, audience: Audience) -> dict[str, Any]:
    """What every template may use, beside the units it speaks of."""
    from ..captions import score_text, signed

    e = b.explanation
    whole = words.WHOLE[modality(e)]
    # Named parts need not cover the whole input; what they say is said of them alone.
    covered = abs(sum(u.area for u in b.units) - 1) < 1e-3
    part = words.PART.get(b.units[0].kind if b.units else "", words.PART["other" if covered else "named"])
    unnamed = b.method in ("", "external")
    method = words.METHODS["external"] if unnamed else words.METHODS.get(b.method, plain(b.method.replace("-", " "), 40))
    score = score_text(e) if e.score is not None and abs(e.score) < float("inf") else ""
    target = words.GROUP.format(name=b.target) if b.group and b.target.count("“") == 1 else b.target
    bound = e.question.binding if e.question is not None else None
    foil = words.GROUP.format(name=b.foil) if bound and len(bound.foil_names) > 1 and b.foil.count("“") == 1 else b.foil
    other = ""
    if e.prediction and not b.group and len(b.members) == 1 and e.prediction[0] != b.members[0]:
        other = f"“{plain(e.prediction[0])}”"
    members = [f"“{plain(m)}”" for m in b.members]
    return {
        "b": b, "e": e, "method": method, "target": target, "foil": foil, "score": score, "other": other,
        "members": members, "whole": whole, "part": part.format(whole=whole),
        "how": words.HOW.get(b.method, "").format(whole=whole), "expert": audience == "expert", "verb": words.verb,
        "method_map": method if unnamed else words.MAP.format(method=method),
        "layer": plain(str(e.layer or "")), "MOST": words.MOST,
        "cells": " × ".join(map(str, e.values.shape)),
        "gap": "" if e.completeness is None else signed(e.completeness.gap),
    }


def _supports(u: Unit) -> float:
    return u.supports


def _opposes(u: Unit) -> float:
    return u.opposes


def _disjoint(units: Sequence[Unit]) -> bool:
    total = sum(u.cells for u in units)
    return bool(np.max(total) <= 1 + 1e-5)


def catalogue(language: str) -> ModuleType:
    """The phrases of a language; `InputError` if there is no such file."""
    if isinstance(language, str) and re.fullmatch(r"[a-z]{2,30}", language):
        try:
            found = importlib.import_module(f".{language}", __package__)
        except ModuleNotFoundError:
            found = None
        if found is not None and hasattr(found, "SENTENCES"):
            return found
    raise InputError(f"language={language!r} has no catalogue of phrases; 'english' has one, and another is one more "
                     "file like salwidgets/verbalization/english.py.")


@cache
def _compiled(language: str) -> Mapping[tuple[str, str], Template]:
    """The catalogue's templates by key and audience. Names come in as values, which a template never interprets."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    words = catalogue(language)
    environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    environment.filters.update(words.FILTERS, first=lambda text: text[:1].upper() + text[1:])
    out = {}
    for key, phrase in words.SENTENCES.items():
        pair = (phrase, phrase) if isinstance(phrase, str) else phrase
        for audience, text in zip(("layperson", "expert"), pair, strict=True):
            out[key, audience] = environment.from_string(text)
    return out
