"""How good a text about a map is: what of the evidence it names, whether it is true, how it reads, what a reader learns.

Coverage@k after "coverage" of saliency-map verbalisation (Feldhus et al. 2023, "Saliency Map Verbalization"), for any
units. Reading ease: Flesch (1948), "A new readability yardstick". Simulatability, in the sense of Doshi-Velez and Kim
(2017): whether a reader can name the model's prediction from the explanation alone. The syllable count and the small
reader are ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import InputError
from ..explanation import Explanation
from .brief import Audience, Brief, Draft, Length, Sentence, Unit
from .claims import Claim
from .claims_lexicon import mentions
from .claims_map import RawMap
from .claims_names import Names
from .result import Verbalization

_AGAINST = re.compile(r"\bagainst\b|\boppos|\bnegative\b|\blower(?:s|ed)\b|\bcontradict|\bless likely\b", re.IGNORECASE)
_PERCENT = re.compile(r"(?:(less|more) than )?(\d+(?:\.\d+)?) ?(?:%|per ?cent)")
_VOWELS = re.compile(r"[aeiouy]+")


def units_named(sentences: Iterable[str], explanation: Explanation, units: Sequence[Unit]) -> list[str]:
    """Ids of the units that a text names by label, place or id, in the order in which they are first named.

    Ids that a `Sentence` carries count where its words name no unit of their own.
    """
    names, raw = Names(explanation, units), RawMap(explanation, units)
    out: dict[str, None] = {}
    for sentence in sentences:
        here: list[str] = []
        for m in mentions(names.hide(str(sentence)).lower().replace("center", "centre")):
            if m.kind == "unit":
                here.append(names.table[m.value][0])
            elif m.kind == "id" and raw.unit(m.value) is not None:
                here.append(m.value)
            elif m.kind == "place":
                found = [raw.place(*reading) for reading in m.value]
                here += [r.id for r in found if r is not None and r.id][:1]
        out.update(dict.fromkeys(here or [u for u in getattr(sentence, "units", ()) if raw.unit(u) is not None]))
    return list(out)


def coverage_at(k: int, sentences: Iterable[str], explanation: Explanation, units: Sequence[Unit]) -> float:
    """Coverage@k: share (0..1) of the positive mass in the union of the first ``k`` units that a text names.

    0 for a text that names none, or a map without positive values. Raises `InputError` for k < 1.
    """
    if k < 1:
        raise InputError(f"k={k!r} units cannot be counted; k is at least 1.")
    raw = RawMap(explanation, units)
    named = [r for id in units_named(sentences, explanation, units)[:k] if (r := raw.unit(id)) is not None]
    return raw.share(named, 1)


def true_share(claims: Sequence[Claim]) -> float:
    """Share (0..1) of the checkable claims that the map supports; NaN if none can be checked."""
    checkable = [c for c in claims if c.verdict != "not checkable"]
    return sum(c.verdict == "supported" for c in checkable) / len(checkable) if checkable else float("nan")


def sentence_length(sentences: Sequence[str]) -> float:
    """Words per sentence; numbers count as words. 0 for no sentences."""
    return sum(len(_words(s)) for s in sentences) / len(sentences) if sentences else 0.0


def reading_ease(sentences: Sequence[str]) -> float:
    """Flesch's reading ease: 206.835 - 1.015 words per sentence - 84.6 syllables per word. 60 to 70 is plain English,
    below 30 very hard. Flesch (1948); syllables are counted as groups of vowels, a silent final e left out. NaN
    without words.

    >>> round(reading_ease(["The cat sat on the mat."]), 1)
    116.1
    """
    words = [w for s in sentences for w in _words(s)]
    if not words:
        return float("nan")
    return 206.835 - 1.015 * len(words) / len(sentences) - 84.6 * sum(map(syllables, words)) / len(words)


def syllables(word: str) -> int:
    """Groups of vowels, without a silent final e; at least 1. A number counts as one.

    >>> [syllables(w) for w in ("cat", "evidence", "feathered", "whole", "table")]
    [1, 3, 3, 1, 2]
    """
    w = word.lower()
    n = len(_VOWELS.findall(w))
    if n > 1 and w.endswith("e") and not re.search(r"[^aeiouy]le$|[aeiouy]e$", w):
        n -= 1
    return max(n, 1)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:[-'’.][^\W_]+)*", text)


def simulated(text: str | Sequence[str], features: Mapping[str, Iterable[str]]) -> dict[str, float]:
    """What a small reader takes the model's prediction to be, from a text alone: {class: probability}.

    features: what each class has, by the words that a text uses for it: {"glimmoth": {"star", "curl"}}. The reader
    looks for these words; each counts for every class that has it, by the percentage that follows it in its sentence
    (10 % if none does), and against them where the sentence speaks of opposing evidence. Class names themselves are
    not read. Ties are shared; a text that names nothing leaves all classes equally likely. Ours.
    """
    sentences = [text] if isinstance(text, str) else list(text)
    names = re.compile("|".join(re.escape(n) for n in sorted(features, key=len, reverse=True)), re.IGNORECASE)
    having: dict[str, list[str]] = {}
    for name, words in features.items():
        for word in words:
            having.setdefault(word, []).append(name)
    score = dict.fromkeys(features, 0.0)
    longest = sorted(having, key=len, reverse=True)
    found = re.compile(r"\b(?:" + "|".join(map(re.escape, longest)) + r")\b", re.IGNORECASE)
    told = set()
    for sentence in (names.sub("…", s) for s in sentences):
        sign = -1 if _AGAINST.search(sentence.replace("and against …", "")) else 1
        hits = list(found.finditer(sentence))
        for i, m in enumerate(hits):
            after = hits[i + 1].start() if i + 1 < len(hits) else len(sentence)
            word = m[0].lower()
            if (word, sign) in told:
                continue
            told.add((word, sign))
            share = _PERCENT.search(sentence, m.end(), after)
            for name in having[word]:
                score[name] += sign * (float(share[2]) if share else 10.0)
    best = max(score.values())
    likely = [n for n, s in score.items() if s >= best - 1e-9]
    return {n: (1 / len(likely) if n in likely else 0.0) for n in features}


@dataclass(frozen=True)
class Quality:
    """Figures of one text; ``simulated`` is the probability that the small reader gives to the model's prediction."""

    coverage_1: float
    coverage_3: float
    true: float
    words: float
    ease: float
    simulated: float


def quality(v: Verbalization, features: Mapping[str, Iterable[str]] | None = None) -> Quality:
    """All figures of a text. features: as in `simulated`; without them, or a prediction, that figure is NaN."""
    e, units = v.explanation, v.brief.units
    guess = float("nan")
    if features is not None and e.prediction is not None:
        guess = simulated(v.sentences, features).get(e.prediction[0], 0.0)
    return Quality(coverage_at(1, v.sentences, e, units), coverage_at(3, v.sentences, e, units), true_share(v.claims),
                   sentence_length(v.sentences), reading_ease(v.sentences), guess)


class TopK:
    """The plainest writer: it lists the ``k`` units with the largest |value|, as many tools do. For comparison.

    picked: "top" or, as a floor, "random" units (seeded by the explanation's input).
    """

    name = "top-k"

    def __init__(self, k: int = 3, picked: str = "top") -> None:
        if picked not in ("top", "random") or k < 1:
            raise InputError(f"TopK(k={k!r}, picked={picked!r}): k is at least 1, and picked 'top' or 'random'.")
        self.k, self.picked = k, picked

    def write(self, brief: Brief, *, length: Length = "line", audience: Audience = "layperson",
              contradicted: Sequence[Claim] = (), on_text: object = None) -> Draft:
        """One sentence; the arguments change nothing."""
        units = list(brief.units)
        if self.picked == "random":
            import random

            random.Random(brief.explanation.input_sha256).shuffle(units)
        chosen = units[:self.k]
        text = f"The most important parts are: {', '.join(f'the {u.label}' for u in chosen)}."
        return Draft((Sentence(text, [u.id for u in chosen]),))
