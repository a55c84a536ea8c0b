"""Names out of the way: what classes and units are called is replaced by single characters before a text is read.

So nothing in a name can be read as a statement, whatever words it is made of, and a unit is found whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from ..explanation import Explanation
from .claims_lexicon import FOIL, PREDICTED, TARGET, THING, UNIT, mentions
from .claims_map import NINTHS

if TYPE_CHECKING:
    from .brief import Unit

_HIDDEN = re.compile("[\ue000-\uf8ff]")
_NTH = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_QUOTED = re.compile(r"“([^”\n]*)”|\"([^\"\n]*)\"|«([^»\n]*)»|„([^“”\n]*)[“”]|(?<!\w)‘([^’\n]*)’(?!\w)|"
                     r"(?<!\w)'([^'\n]*)'(?!\w)"
                     r"|`([^`\n]*)`")
_ORDINAL = re.compile(rf"\b({'|'.join(_NTH)}) (?:(?:word|phrase|token) )?[“\"‘']([^”\"’'\n]*)[”\"’']", re.IGNORECASE)
_OBJECT = r"(?<=\bfor )|(?<=\bagainst )|(?<=\bthan )|(?<=\btowards )|(?<=\btoward )|(?<=\bclass )|(?<=\bpredicts )|" \
          r"(?<=\bof )|(?<=\bto )|(?<=\bas )|(?<=\bscores )|(?<=\bgives )"
_MAY_FOLLOW = r"(?:^|[\s(,:;“]|-)$"
_ARTICLE = re.compile(r"(?:\b(?:the|an?|its|their|this|that|and|or|than|by|of|in|on|at|from|with|then|to|both|"
                      r"for)\s+(?:\w+ly )?|"
                      r"[,:;(“]\s*|(?:^|\n)\s*)$", re.IGNORECASE)
_NO_CLAUSE = re.compile(r"[.!?;:\n]")


class Names:
    """What the names of one explanation and its units become, and back again."""

    def __init__(self, e: Explanation, units: Sequence[Unit] | None):
        self.classes, self.predicted = _classes(e)
        self.table: list[tuple[str, ...]] = []  # ids of the units that a character may stand for
        self.shown: dict[str, str] = {}
        self.labels: dict[str, str] = {}
        self.nth: dict[tuple[str, int], str] = {}
        free, self.words = [], set[str]()
        by_label: dict[str, list[Unit]] = {}
        for u in units or ():
            by_label.setdefault(_key(u.label), []).append(u)
        for label, same in by_label.items():
            if same[0].kind == "place" and label.replace("center", "centre") in NINTHS:
                continue
            self.labels[label] = self._entry([u.id for u in same], same[0].label)
            for u in same:
                if getattr(u, "nth", 0):
                    self.nth[label, u.nth] = self._entry([u.id], u.label)
            if same[0].kind in ("word", "phrase"):
                self.words.add(label)
            else:
                free.append(label)
        self.unquoted = _literals(tuple(sorted(free, key=len, reverse=True)))
        self.things: list[str] = []

    def _entry(self, ids: Sequence[str], label: str) -> str:
        char = chr(UNIT + len(self.table))
        self.table.append(tuple(ids))
        self.shown[char] = label
        return char

    def hide(self, text: str) -> str:
        """The text with a character in place of every class name, unit label and quotation."""
        text = re.sub(r"[\ue000-\uf8ff]", "?", text).replace("\u00a0", " ").replace("\u202f", " ")
        text = re.sub(r"\*\*|__|(?m:^\s*(?:[-*•#]+|\d+[.)])\s+)", "", text)
        for name, char in self.classes:
            if name.casefold() in text.casefold():
                text = self._class(text, name, char)
        if self.nth:
            text = _ORDINAL.sub(self._numbered, text)
        text = _QUOTED.sub(self._quoted, text)
        if self.words:
            text = re.sub(r"\b(?:word|token|term|phrase|expression) (\w+)", self._word, text, flags=re.IGNORECASE)
        if self.unquoted is not None:
            text = self.unquoted.sub(self._unit, text)
        return text

    def show(self, text: str) -> str:
        """Characters back to names."""
        return _HIDDEN.sub(lambda m: self._back(m[0]), text)

    def _back(self, c: str) -> str:
        if c in self.shown:
            return f"“{self.shown[c]}”" if _key(self.shown[c]) in self.words else self.shown[c]
        if THING <= ord(c) < UNIT and ord(c) - THING < len(self.things):
            return f"“{self.things[ord(c) - THING]}”"
        return next((f"“{n.strip('“”')}”" for n, char in self.classes if char == c), c)

    def _class(self, text: str, name: str, char: str) -> str:
        literal = re.escape(name)
        text = re.sub(rf"[“\"«‘'„`]{literal}[”\"»’'“`]", char, text, flags=re.IGNORECASE)
        clean = not mentions(name.lower()) and not _NO_CLAUSE.search(name) and _key(name) not in self.labels
        if not re.search(r"\w", name):
            return text
        before = r"(?<!\w)" if clean else f"(?:{_OBJECT})"
        return re.sub(rf"{before}(?:the (?=\w))?{literal}(?!\w)", char, text, flags=re.IGNORECASE)

    def _numbered(self, m: re.Match[str]) -> str:
        return self.nth.get((_key(m[2]), _NTH.index(m[1].lower()) + 1), m[0])

    def _quoted(self, m: re.Match[str]) -> str:
        inner = next(g for g in m.groups() if g is not None).strip()
        label = _key(inner)
        if label in self.labels:
            return self.labels[label]
        if label.replace("center", "centre") in NINTHS or f"“{label}”" in self.labels:
            return self.labels.get(f"“{label}”", inner)
        if len(inner.split()) > 5 and re.search(r"\b(?:holds?|lies|is|has|carries|makes up|speaks?|supports?|"
        r"accounts)\b", inner):
            return inner  # a sentence in quotes is still said
        self.things.append(inner)
        return chr(min(THING + len(self.things) - 1, UNIT - 1))

    def _word(self, m: re.Match[str]) -> str:
        return self.labels.get(_key(m[1]), m[0]) if _key(m[1]) in self.words else m[0]

    def _unit(self, m: re.Match[str]) -> str:
        label = _key(m[0])
        single = " " not in label
        if single and not _ARTICLE.search(m.string[max(0, m.start() - 24):m.start()]):
            return m[0]
        return self.labels[label]


@lru_cache(maxsize=64)
def _literals(labels: tuple[str, ...]) -> re.Pattern[str] | None:
    if not labels:
        return None
    return re.compile(r"(?<!\w)(?:" + "|".join(re.escape(x).replace(r"\ ", r"[\s-]") for x in labels) + r")(?!\w)",
                      re.IGNORECASE)


def _key(label: str) -> str:
    return re.sub(r"[\s-]+", " ", label.strip().lower())


def _classes(e: Explanation) -> tuple[list[tuple[str, str]], frozenset[str]]:
    """Names with their characters, longest first; and the characters and names that mean the predicted class."""
    found: dict[str, str] = {}
    q = e.question
    if e.prediction is not None:
        found[str(e.prediction[0])] = PREDICTED
    if q is not None:
        b = q.binding
        sides = ((TARGET, (*q.target, *((b.target_label, *b.target_names) if b else ()))),
                 (FOIL, (*q.foil, *((b.foil_label, *b.foil_names) if b and b.foil else ()))))
        for char, names in reversed(sides):
            for name in names:
                if isinstance(name, str) and name.strip():
                    found[name.strip()] = char
                    found[name.strip().strip("“”")] = char
    for name, char in list(found.items()):
        # writers put names on one line and make their quotes single
        short = " ".join(name.replace("“", "‘").replace("”", "’").split())
        for variant in (short, short[:79].rstrip() + "…" if len(short) > 80 else short):
            found.setdefault(variant, char)
    found.pop("", None)
    predicted = str(e.prediction[0]) if e.prediction else ""
    same = frozenset({predicted.lower(), found.get(predicted, "")}) - {""}
    return sorted(found.items(), key=lambda x: -len(x[0])), same
