"""Text in figures: measured so that it fits, shown as it is, whatever a class is called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

#: what no XML may hold (svg), and what turns or ends a line: shown as a replacement character
_ODD = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_JOINTS = "-._/"
_REPLACED = "\N{REPLACEMENT CHARACTER}"


def shown(text: str) -> str:
    """The text with control characters, turned directions and broken surrogates made visible."""
    return _ODD.sub(_REPLACED, text)


def wrapped(text: str, inches: float, size: float) -> list[str]:
    """Lines of at most so many inches at a font size in points; words that are longer than a line are broken, behind a
    hyphen, dot or underscore if there is one."""
    lines: list[str] = []
    for paragraph in shown(text).split("\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if extent(longer, size) <= inches:
                line = longer
                continue
            lines += [line] if line else []
            while extent(word, size) > inches and len(word) > 1:
                fits = next((n for n in range(len(word) - 1, 1, -1) if extent(word[:n], size) <= inches), 1)
                fits = next((n for n in range(fits, 1, -1) if word[n - 1] in _JOINTS), fits)
                lines.append(word[:fits])
                word = word[fits:]
            line = word
        lines += [line] if line else []
    return lines


def headed(text: str, inches: float, size: float, most: int) -> list[str]:
    """`wrapped`, of at most so many lines; what is left out is told by an ellipsis."""
    lines = wrapped(text, inches, size)
    if len(lines) <= most:
        return lines
    return [*lines[:most - 1], ended(lines[most - 1], inches, size)]


def ended(text: str, inches: float, size: float) -> str:
    """The beginning of a text, with an ellipsis, that so many inches hold."""
    kept = next((n for n in range(len(text), 1, -1) if extent(text[:n].rstrip() + "…", size) <= inches), 1)
    return text[:kept].rstrip() + "…"


def fitting(texts: Iterable[str], inches: float, size: float, least: float) -> float:
    """The font size, from ``size`` down to ``least``, at which no piece of a word has to be broken."""
    pieces = {p for t in texts for p in re.findall(r"[^\s\-._/]+[\-._/]*", shown(t))}
    widest = max((extent(p, 1.0) for p in pieces), default=0.0)
    return size if widest * size <= inches else max(least, 0.995 * inches / widest)


def extent(text: str, size: float) -> float:
    """Width of a line in inches, without kerning, and 4 % more: on a screen letters are as wide as whole pixels."""
    path = findfont(FontProperties())
    return 1.04 * sum(_advance(path, c) for c in text) * size / 72


@cache
def _advance(path: str, character: str) -> float:
    """Width of a character as a share of the font size; one em where the font has no such character."""
    font = get_font([path])
    if not font.get_char_index(ord(character)):
        return 1.0
    font.set_size(100, 72)
    return font.load_char(ord(character)).linearHoriAdvance / 65536 / 100


def settle(texts: Iterable[Text]) -> None:
    """Show texts as they are: no mathematics, no TeX, and another installed font where the usual one lacks a character."""
    for text in texts:
        words = shown(text.get_text())
        text.set_text(words)
        text.set_parse_math(False)
        text.set_usetex(False)
        lacking = frozenset(c for c in words if ord(c) > 0x2ff and not _has(findfont(FontProperties()), c))
        if lacking:
            text.set_fontfamily([FontProperties().get_name(), *_families(lacking)])


@cache
def _has(path: str, character: str) -> bool:
    return bool(get_font([path]).get_char_index(ord(character)))


@cache
def _families(lacking: frozenset[str]) -> tuple[str, ...]:
    """Installed fonts that together have the characters, the most useful first; none for those that no font has."""
    wanted, found = set(lacking), []
    for entry in sorted(fontManager.ttflist, key=lambda e: (e.style != "normal", str(e.weight), e.name)):
        try:
            has = {c for c in wanted if _has(entry.fname, c)}
        except (OSError, RuntimeError):
            continue
        if has:
            found.append(entry.name)
            wanted -= has
        if not wanted:
            break
    return tuple(dict.fromkeys(found))


def tex(text: str, *, mathematics: bool = True) -> str:
    """The text for LaTeX, every special character escaped; lines become sentences. mathematics: signs as formulas."""
    special: dict[str, Any] = {c: "\\" + c for c in "&%$#_{}"}
    special |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
                ">": r"\textgreater{}", "\N{MINUS SIGN}": "$-$", "×": r"$\times$", "·": r"$\cdot$", "∞": r"$\infty$",
                "“": "``", "”": "''"}
    if not mathematics:
        special |= {"\N{MINUS SIGN}": "-", "×": "x", "·": ",", "∞": "infinity"}
    text = re.sub(r"([^.?!])\n", r"\1. ", text.strip()).replace("\n", " ")
    return "".join(special.get(c, c) for c in shown(text))
