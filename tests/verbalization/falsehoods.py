"""Answers as language models word them, with planted falsehoods, over real explanations of the creatures world.

``python tests/verbalization/falsehoods.py`` writes falsehoods.json anew (seeded). Each answer has two to four sentences;
every sentence says whether it is true, and a false answer has one that is not: a wrong region, order, sign or number,
or an invented unit. Truth is computed here from the map and the units' cells by numpy, not by the package's checker.
"""

from __future__ import annotations

import json
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import salwidgets as sw
from salwidgets.verbalization.brief import Unit

sys.path.insert(0, str(Path(__file__).parent))

import phrasings as say

STORED = Path(__file__).with_name("falsehoods.json")
WRONG = ("region", "order", "sign", "number", "invented")
METHODS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("grad-cam", {}), ("occlusion", {"window": 16, "stride": 8}), ("input-x-gradient", {}))
CLEAR = 0.06  # an order is planted, or stated, only between shares that differ by so much


def questions(world: Any, i: int) -> list[str]:
    """The class, the contrast and the group question of image ``i``, and two whose target is not what is drawn."""
    name = world.labels[i]
    family = world.taxonomy.parent(name)
    sibling = next(s for s in world.taxonomy.members(family) if s != name)
    return [f"why {name}", f"why {name} rather than {sibling}", f"why {family}", f"why {sibling}",
            f"why {sibling} rather than {name}"]


def ask(words: str) -> sw.Question:
    """The question that such words ask."""
    target, _, foil = words.removeprefix("why ").partition(" rather than ")
    return sw.why(target).rather_than(foil) if foil else sw.why(target)


def explanations(world: Any, images: range) -> dict[tuple[int, str, str], sw.Explanation]:
    """Every image, method and question: {(image, method, words): explanation}."""
    model = world.model("cnn")
    out = {}
    for method, params in METHODS:
        evidence = sw.prepare(model, world.images[list(images)], method, progress=False, **params)
        for k in range(5):
            asked = [questions(world, i)[k] for i in images]
            for i, words, e in zip(images, asked, evidence.explain([ask(a) for a in asked], paired=True), strict=True):
                out[i, method, words] = e
    return out


def places(e: sw.Explanation) -> dict[str, np.ndarray]:
    """Cells of the nine places as area shares of thirds."""
    def third(n: int, k: int) -> np.ndarray:
        fine = np.repeat(np.arange(n), 3)
        return np.bincount(fine[np.arange(3 * n) // n == k], minlength=n) / 3

    h, w = e.values.shape
    names = list(say.PLACE_WORDS)
    return {names[3 * r + c]: np.outer(third(h, r), third(w, c)) for r in range(3) for c in range(3)}


def parts(world: Any, i: int, e: sw.Explanation) -> dict[str, np.ndarray]:
    """Cells of the creature's parts: the mean of each mask over a map's cell."""
    h, w = e.values.shape
    return {name: m.reshape(h, m.shape[0] // h, w, m.shape[1] // w).mean((1, 3)) for name, m in world.parts(i).items()}


def make_units(cells: dict[str, np.ndarray], e: sw.Explanation, kind: str) -> list[Unit]:
    """Units "u1" … in the order of |value|."""
    v = e.values.astype(float)
    up, down = np.maximum(v, 0), np.maximum(-v, 0)
    rows = [(name, c, float((c * v).sum()), float((c * up).sum() / max(up.sum(), 1e-12)),
             float((c * down).sum() / max(down.sum(), 1e-12)), float(c.mean())) for name, c in cells.items()]
    rows.sort(key=lambda r: -abs(r[2]))
    return [Unit(f"u{k + 1}", kind, name, c.astype(np.float32), value, s, o, area)
            for k, (name, c, value, s, o, area) in enumerate(rows)]


def units_of(world: Any, key: tuple[int, str, str], e: sw.Explanation, kind: str) -> list[Unit]:
    """The units that an answer of the set speaks of: "places" or "parts"."""
    if kind == "places":
        return make_units(places(e), e, "place")
    return make_units(parts(world, key[0], e), e, "region")


@dataclass
class Teller:
    """Fills phrasings with facts of one explanation, true or bent."""

    rng: random.Random
    e: sw.Explanation
    units: list[Unit]
    kind: str
    words: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.for_ = sorted(self.units, key=lambda u: -u.supports)
        self.against = sorted(self.units, key=lambda u: -u.opposes)
        self.weak = {"A": [u for u in self.units if u.supports < min(0.06, self.for_[2].supports / 2)],
                     "N": [u for u in self.units if u.opposes < min(0.1, self.against[0].opposes / 2)]}
        down = np.maximum(-self.e.values.astype(float), 0).sum()
        self.minus = float(down / np.abs(self.e.values.astype(float)).sum())

    def name(self, u: Unit | str) -> str:
        """What a writer calls it; the same thing may be called differently in another sentence."""
        label = u if isinstance(u, str) else u.label
        return self.rng.choice(say.PLACE_WORDS[label]) if self.kind == "places" and label in say.PLACE_WORDS else label

    def percent(self, share: float) -> str:
        """A share as a writer gives it."""
        p = round(100 * share)
        return self.rng.choice([f"{p} %", f"{p}%", f"{p} percent", f"{p}%", f"{100 * share:.1f}%"])

    def clear(self) -> str:
        """The slots that may be used: whose order and sign nobody could argue about."""
        a, b, c, d = self.for_[:4]
        n, o = self.against[:2]
        if a.supports - b.supports < CLEAR or b.supports - c.supports < 0.03 or not self.weak["A"]:
            return ""
        if not (a.value > b.value > c.value and self._one_sided(a, 1)):
            return "AB"  # fit for figures, not for orders and signs
        slots = "AB+" + ("C" if c.supports - d.supports > 0.02 and c.value > d.value and c.supports > 0.05 else "")
        if self._one_sided(n, -1) and n.opposes - o.opposes > CLEAR and n.value == min(u.value for u in self.units):
            slots += "N" if 0.02 < self.minus < 0.95 and self.weak["N"] else ""
        return slots

    def _one_sided(self, u: Unit, sign: int) -> bool:
        x = u.cells * self.e.values.astype(float)
        return bool(sign * x.sum() > 0.3 * np.abs(x).sum())

    def fill(self, text: str, units: dict[str, Unit | str], shares: dict[str, str]) -> str:
        """The sentence, with its first letter as it should be."""
        asked = self.e.question
        binding = asked.bound
        target = binding.target_label
        out = text.format(**{k: self.name(u) for k, u in units.items()}, **shares, t=target.strip("“”\""),
                          method=self.e.method)
        return out[0].upper() + out[1:]

    def facts(self) -> tuple[dict[str, Unit | str], dict[str, float]]:
        """Every slot's true filling."""
        a, b, c = self.for_[:3]
        n, o = self.against[:2]
        both = float((np.minimum(a.cells + b.cells, 1) * np.maximum(self.e.values, 0)).sum()
                     / np.maximum(self.e.values, 0).sum())
        return ({"A": a, "B": b, "C": c, "N": n, "O": o},
                {"p": a.supports, "q": b.supports, "n": n.opposes, "s": both, "m": self.minus})

    def bend(self, share: float) -> float:
        """Another share, far enough from the true one that no rounding excuses it."""
        while True:
            x = self.rng.uniform(0.04, 0.96)
            if abs(x - share) > 0.08 and not 0.7 < x / share < 1.4:
                return x


def sentence(t: Teller, wrong: str | None, held_out: bool) -> dict[str, Any]:
    """One sentence, true or bent in the way asked for."""
    kinds = {"region": ("SHARE", "RANK", "AGAINST"), "order": ("ORDER", "RANK"), "sign": ("RELATION",),
             "number": ("SHARE", "AGAINST", "TOGETHER", "BALANCE", "FACTS"),
             "invented": ("SHARE", "RANK", "AGAINST", "RELATION"),
             None: ("SHARE", "SHARE", "AGAINST", "RANK", "ORDER", "RELATION", "TOGETHER", "BALANCE", "FACTS")}
    slots = t.clear()
    kind = t.rng.choice([k for k in kinds[wrong] if "+" in slots or k not in ("RANK", "ORDER", "RELATION")])
    phrases = getattr(say, kind)
    side = t.rng.randrange(2) if "N" in slots else 0
    if (kind == "AGAINST" or wrong == "sign") and "N" not in slots:
        return sentence(t, wrong, held_out)
    texts = [p[side] if isinstance(p, tuple) else p for p in phrases]
    fits = [k for k, p in enumerate(texts) if all(f"{{{c}}}" not in p or c in slots for c in "CN")]
    index = t.rng.choice([k for k in fits if (k % 3 == 2) == held_out])
    text = texts[index]
    units, numbers = t.facts()
    used = [k for k in "ABCN" if f"{{{k}}}" in text]
    if wrong == "invented":
        units[used[0]] = t.rng.choice(say.INVENTED)
    elif wrong == "region" and kind == "SHARE" and "{B}" in text and "{A}" in text:
        units["B"] = t.rng.choice(t.weak["A"])
    elif wrong == "region":
        units[used[0]] = t.rng.choice(t.weak["N" if used[0] == "N" else "A"])
    elif wrong == "order" and kind == "ORDER":
        units["A"], units["B"] = units["B"], units["A"]
    elif wrong == "order":
        other = {"A": "B", "B": "A", "C": "A", "N": "A"}[used[0]]
        units[used[0]] = units[other]
    elif wrong == "sign":
        units["A"], units["N"] = units["N"], units["A"]
    elif wrong == "number" and kind != "FACTS":
        k = t.rng.choice([k for k in numbers if f"{{{k}}}" in text])
        numbers[k] = t.bend(numbers[k])
    score = float(t.e.score or 0.0)
    if wrong == "number" and kind == "FACTS":
        score += t.rng.choice([-1, 1]) * t.rng.uniform(0.8, 4)
    written = f"{score:+.2f}" if t.rng.random() < 0.5 else f"{score:.1f}"
    shares = {k: t.percent(x) for k, x in numbers.items()} | {"score": written}
    return {"text": t.fill(text, units, shares), "true": wrong is None, "kind": wrong or kind.lower(),
            "phrasing": f"{kind.lower()} {index}", "held_out": held_out}


def make(n: int = 480, seed: int = 0) -> list[dict[str, Any]]:
    """``n`` answers, half of them with one falsehood; the five ways of being wrong take turns."""
    rng = random.Random(seed)
    world = sw.worlds.creatures(n=24, seed=9000)
    found = explanations(world, range(24))
    usable = [(key, kind, Teller(rng, e, units_of(world, key, e, kind), kind)) for key, e in found.items()
              for kind in ("places", "parts")]
    usable = [u for u in usable if u[2].clear()]
    print(len(usable), "of", 2 * len(found), "explanations can be told apart clearly")
    answers = []
    for k in range(n):
        wrong = WRONG[k // 2 % 5] if k % 2 == 0 else None
        held_out = k % 3 == 2
        needed = {"sign": "N", "order": "+"}.get(wrong or "", "A")
        key, kind, teller = rng.choice([u for u in usable if needed in u[2].clear()])
        told = [sentence(teller, None, held_out) for _ in range(rng.randint(1, 3))]
        if wrong:
            told.insert(rng.randint(0, len(told)), sentence(teller, wrong, held_out))
        if rng.random() < 0.4:
            told.insert(0, {"text": teller.fill(rng.choice(say.NEUTRAL), {}, {}), "true": True, "kind": "neutral",
                            "phrasing": "neutral", "held_out": held_out})
        answers.append({"image": key[0], "method": key[1], "question": key[2], "units": kind, "sentences": told})
    return answers


if __name__ == "__main__":
    STORED.write_text(json.dumps(make(), ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
