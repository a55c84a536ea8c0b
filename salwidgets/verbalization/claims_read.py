"""What the mentions in a sentence say together: which number, rank or sign belongs to which region."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .claims_facts import Facts
from .claims_judge import Claim, Judge, Readings
from .claims_lexicon import FOIL, Mention, mentions
from .claims_names import Names
from .claims_numbers import Number
from .claims_things import things

_LOCATIVE = re.compile(r"\b(?:at|in|on|within|from|into|around|by|near|inside|over|to|onto|is|comes from|through)"
                       r"(?: (?:the|its|words?|phrase|region|part|area|called|named|a|an|of|whole|entire))*\s*[“(]?\s*$")
_UNSIGNED = re.compile(r"\b(?:attribution|saliency|relevance|importance|attention|weight)\b")
_WORTH = re.compile(r"\b(?:value|sums?|contribut\w+|adds|attribution|net|weight|importance|logits)\b")


class Reader:
    """Reads the sentences of one text in order; remembers what "it" and "these" may refer to."""

    def __init__(self, judge: Judge, facts: Facts, names: Names):
        self.judge, self.facts, self.raw, self.names = judge, facts, judge.raw, names
        self.known = bool(judge.raw.units)
        self.last: list[Mention] = []
        self.sign = 0

    def sentence(self, text: str) -> list[Claim]:
        """The claims of one sentence, prepared as `claims.check_sentences` does."""
        known = [m for m in (self._resolved(m, text) for m in mentions(text)) if m is not None]
        found = sorted([*known, *things(text, known)], key=lambda m: m.start)
        out: list[Claim] = []
        self.sign = 0
        for clause in _clauses(found):
            out += _Clause(self, text, clause).claims()
        out += self.facts.statements(text)
        left = [m for m in found if m.kind == "number" and not m.used and (m.value.share or not out)
                and not self.facts.covers(text, m)]
        if not out:
            return [self.judge.unreadable(text)] if left else []
        return [*out, *(self.judge.unreadable(text[m.start:m.end]) for m in left)]

    def _resolved(self, m: Mention, text: str) -> Mention | None:
        """References with the regions that they may mean; None for a place that this map does not have."""
        if m.kind == "unit":
            known = tuple(r for id in self.names.table[m.value] if (r := self.raw.unit(id)) is not None)
            return Mention("ref", m.start, m.end, known)
        if m.kind == "thing":
            name = self.names.things[m.value] if m.value < len(self.names.things) else "?"
            asked = re.search(r"\b(?:for|than|class|over|as|why|against|question|versus|called|layer|towards?|predicts)\s*$",
                              text[:m.start])
            return Mention("class" if asked else "ref", m.start, m.end, name)
        if m.kind == "id":
            region = self.raw.unit(m.value)
            return Mention("ref", m.start, m.end, (region,) if region else m.value) if self.known else None
        if m.kind in ("place", "fieldrow"):
            regions = tuple(r for label, system in m.value if (r := self.raw.place(label, system)) is not None)
            if m.kind == "place" and any(r.id for r in regions):
                regions = tuple(r for r in regions if r.id)  # a writer who knows units means the unit
            return Mention("ref", m.start, m.end, regions) if regions else None
        return m


def _clauses(found: Sequence[Mention]) -> Iterable[list[Mention]]:
    clause: list[Mention] = []
    for m in found:
        if m.kind == "break":
            yield clause
            clause = []
        else:
            clause.append(m)
    yield clause


class _Clause:
    """One clause: its mentions by kind, and the claims that they make."""

    def __init__(self, reader: Reader, text: str, found: list[Mention]):
        self.reader, self.judge, self.text, self.found = reader, reader.judge, text, found
        self.refs = self._of("ref")
        self.signs = self._of("sign")
        self._turn()
        self.out: list[Claim] = []

    def _of(self, *kinds: str) -> list[Mention]:
        return [m for m in self.found if m.kind in kinds]

    def _turn(self) -> None:
        """Evidence for the foil is evidence against the target; "for the target" alone is a weak sign of support."""
        for m in self._of("class"):
            before = self.text[max(0, m.start - 25):m.start]
            foil = self.text[m.start] == FOIL
            near = [s for s in self.signs if 0 <= m.start - s.end <= 20 and not any(
                x.start >= s.end and x.end <= m.start for x in self.found if x.kind in ("class", "ref", "rather", "sign"))]
            if foil and near and not re.search(r"\b(?:rather than|over|instead of|than|versus|vs\.?)\s*$", before):
                near[-1].sign *= -1
            elif not near and re.search(r"\b(?:for|to|of|towards?|in favou?r of)\s*$", before):
                self.signs.append(Mention("sign", m.start, m.end, "weak", -1 if foil else 1))
        self.signs.sort(key=lambda s: s.start)

    # -- what belongs to what ----------------------------------------------------------------------------------

    def sign_at(self, m: Mention, stops: Sequence[Mention]) -> int:
        """The sign that speaks of a mention: the next one before a stop, else the last one before, else the sentence's."""
        limit = min((s.start for s in stops if s.start > m.start), default=len(self.text))
        after = [s for s in self.signs if m.end <= s.start < limit]
        before = [s for s in self.signs if s.end <= m.start]
        strong = [s for s in after if s.value != "weak"] or after
        if strong:
            return strong[0].sign
        if before:
            return ([s for s in before if s.value != "weak"] or before)[-1].sign
        return self.reader.sign

    def before(self, m: Mention, refs: Sequence[Mention] | None = None) -> Mention | None:
        """The nearest reference before."""
        return next((r for r in reversed(self.refs if refs is None else refs) if r.end <= m.start), None)

    def after(self, m: Mention, refs: Sequence[Mention] | None = None) -> Mention | None:
        """The nearest reference after."""
        return next((r for r in (self.refs if refs is None else refs) if r.start >= m.end), None)

    def between(self, a: int, b: int, *kinds: str) -> bool:
        """Whether a mention of such a kind lies between two positions."""
        return any(x.kind in kinds and a <= x.start < b for x in self.found)

    def words(self, *parts: Mention) -> str:
        """The words from the first to the last of some mentions."""
        return self.text[min(p.start for p in parts):max(p.end for p in parts)]

    # -- claims ---------------------------------------------------------------------------------------------------

    def claims(self) -> list[Claim]:
        """All claims of the clause."""
        self._whole()
        numbers = [m for m in self._of("number") if not m.used]
        self.out += self.reader.facts.read(self.text, self.found, numbers)
        numbers = [m for m in numbers if not m.used]
        self._ranks()
        self._compares()
        self._shares(numbers)
        self._relations()
        bound = [r for r in self.refs if r.used] or self.refs
        if bound:
            self.reader.last = [r for r in bound if not isinstance(r.value, str)]
        if self.signs:
            self.reader.sign = self.signs[-1].sign
        return self.out

    def _whole(self) -> None:
        """Nothing speaks for it; no region stands out."""
        for m in self._of("nothing"):
            self.out.append(self.judge.nothing(self.words(m), m.sign))
        for m in self._of("diffuse"):
            self.out.append(self.judge.diffuse(self.words(m), self.sign_at(m, ())))
            self.signs = [s for s in self.signs if not m.start <= s.start < m.end]

    def _say(self, ref: Mention, make: str, *args: object, parts: Sequence[Mention] = ()) -> None:
        """A claim about one reference, which may be invented."""
        ref.used = True
        text = self.words(ref, *parts)
        if isinstance(ref.value, str):
            self.out.append(self.judge.invented(text, ref.value, self.reader.known))
        else:
            self.out.append(getattr(self.judge, make)(text, ref.value, *args))

    def _negated(self, m: Mention) -> bool:
        return any(n.end <= m.start and (m.start - n.end <= 12 or self.words(n) == "neither") for n in self._of("not"))

    def _ranks(self) -> None:
        ranks = self._of("rank")
        for m in self._of("nonerank"):
            than = next((t for t in self._of("than", "compare") if t.start > m.start), None)
            ref = self.after(than) if than else None
            if than and ref:
                self._say(ref, "rank", 1, self.sign_at(m, ()), parts=[m])
                than.used = True
        for m in self._of("anyother"):
            ref = self.before(m)
            more = [a for a in self._of("adjective") if a.end <= m.start]
            if ref:
                self._say(ref, "rank", -1 if more and more[-1].sign < 0 else 1, self.sign_at(ref, ()), parts=[m])
        ordered = self._of("order")
        if ordered and len(self.refs) > 1 and not [r for r in ranks if r.value != 1]:
            for i, ref in enumerate(r for r in self.refs if r.start > ordered[0].start):
                self._say(ref, "rank", i + 1, self.reader.sign or self.sign_at(ordered[0], ()), parts=[ordered[0]])
            return
        free = [r for r in self.refs if not r.used]
        for m in ranks:
            if isinstance(m.value, str):
                for ref in self.refs:
                    self._say(ref, "rank", m.value, self.sign_at(m, ()), self._negated(m), parts=[m])
                continue
            ref = self._ranked(m, free)
            if ref is not None:
                free.remove(ref)
                sign = m.sign or self.sign_at(m, [r for r in ranks if r is not m])
                self._say(ref, "rank", m.value, sign, self._negated(m), parts=[m])

    def _ranked(self, m: Mention, free: Sequence[Mention]) -> Mention | None:
        """The region that a rank word is about: the one before it, unless that is what is compared with."""
        prior = [r for r in free if r.end <= m.start and not self._compared(r)]
        return prior[-1] if prior else self.after(m, free)

    def _compared(self, ref: Mention) -> bool:
        return any(c.kind in ("than", "versus") and 0 <= ref.start - c.end <= 12 for c in self.found)

    def _compares(self) -> None:
        ratios = self._of("ratio")
        for m in self._of("compare"):
            a = self.before(m) or next(iter(self.reader.last), None)
            ratio = next((r for r in ratios if 0 <= m.start - r.end <= 1), None)
            if not m.used and a:
                self._pairs(m, a, self._joined(m), m.sign, ratio.value if ratio else None)
        for m in self._of("than"):
            adjective = next((x for x in reversed(self.found)
                              if x.kind in ("adjective", "ratio") and x.end <= m.start), None)
            b = self.after(m)
            if m.used or adjective is None or b is None:
                continue
            a = self.before(m) or self.after(b) or next(iter(self.reader.last), None)
            ratio = next((r for r in ratios if r.end <= m.start), None)
            if a:
                self._pairs(m, a, [b], adjective.sign, ratio.value if ratio else None)
        for m in self._of("versus"):
            b = self.after(m)
            adjective = next((x for x in self.found if x.kind == "adjective"), None)
            a = next((r for r in self.refs if r is not b), None) or next(iter(self.reader.last), None)
            if a and b and adjective:
                self._pairs(m, a, [b], adjective.sign)

    def _joined(self, m: Mention) -> list[Mention]:
        """The references after a word that compares, up to the next such word."""
        stop = min((x.start for x in self.found if x.start > m.start and x.kind in ("compare", "than", "rank")),
                   default=len(self.text))
        return [r for r in self.refs if m.end <= r.start < stop][:1 if m.value != "then" else 3]

    def _pairs(self, m: Mention, a: Mention, b: Sequence[Mention], more: int,
               ratio: tuple[float, str] | None = None) -> None:
        sign = self.sign_at(m, ()) if self.signs else self.reader.sign
        for other in b:
            if other is a:
                continue
            strange = next((r for r in (a, other) if isinstance(r.value, str)), None)
            a.used = other.used = True
            if strange is not None:
                self.out.append(self.judge.invented(self.words(m, other), str(strange.value), self.reader.known))
            else:
                start = min(a.start, m.start) if a in self.refs else m.start
                words = self.text[start:max(other.end, m.end)]
                self.out.append(self.judge.compare(words, a.value, [other.value], more, sign, ratio))

    # -- numbers ----------------------------------------------------------------------------------------------------

    def _shares(self, numbers: list[Mention]) -> None:
        for m in numbers:
            ref = self.before(m) or self.after(m)
            near = self.text[max(0, m.start - 40):m.end + 15]
            if ref and not m.value.share and not self._is_share(m) and _WORTH.search(near):
                m.used = True
                self._say(ref, "worth", m.value, self._signs_of(m, numbers), parts=[m])
        numbers = [m for m in numbers if not m.used and (m.value.share or self._is_share(m))]
        whole = [m for m in numbers if self._general(m, numbers, "area")]
        for m in whole:
            refs = [r for r in [self.before(m)] if r and not isinstance(r.value, str)] or self.reader.last
            joint = self._of("together") or any(w in self.text[:m.start] for w in ("together", "these"))
            group = self.reader.last if joint and not self.refs and self.reader.last else refs[-1:]
            if group:
                self.out.append(self.judge.area(self.words(m), [r.value for r in group], m.value))
                m.used = True
        numbers = [m for m in numbers if not m.used]
        if (self._of("together") and len(numbers) == 1 and len(self.refs) > 1) or self._enumerated(numbers):
            self._joint(numbers[0], self.refs, numbers)
        elif self._of("respectively") and len(self.refs) >= len(numbers) > 1:
            for m, ref in zip(numbers, self.refs[-len(numbers):], strict=True):
                self._share(m, ref, numbers)
        elif self._of("each") and len(numbers) == 1:
            for ref in self.refs:
                self._share(numbers[0], ref, numbers)
        else:
            for m in numbers:
                self._bind(m, numbers)

    def _is_share(self, m: Mention) -> bool:
        near = self.text[max(0, m.start - 30):m.end + 30]
        return 0 < abs(m.value.said) <= 1 and "." in self.words(m) and bool(
            re.search(r"\b(?:share|fraction|proportion|of (?:the|all|its|everything|what))\b", near))

    def _enumerated(self, numbers: Sequence[Mention]) -> bool:
        """Whether one number stands before two or more regions joined by nothing but "and"."""
        if len(numbers) != 1 or len(self.refs) < 2 or self.refs[0].start < numbers[0].end:
            return False
        gaps = [self.text[a.end:b.start] for a, b in zip(self.refs, self.refs[1:], strict=False)]
        return all(re.fullmatch(r"[\s,]*(?:and|or)?\s*(?:at |in |on )?(?:the )?", g) for g in gaps)

    def _general(self, m: Mention, numbers: Sequence[Mention], kind: str) -> bool:
        limit = min((n.start for n in numbers if n.start > m.start), default=len(self.text))
        far = 2 if kind == "area" else 25
        return any(x.kind == "general" and x.value == kind and m.end <= x.start < min(limit, m.end + far)
                   for x in self.found)

    def _signs_of(self, m: Mention, numbers: Sequence[Mention]) -> tuple[int, ...]:
        sign = self.sign_at(m, numbers)
        if self._general(m, numbers, "map") or _UNSIGNED.search(self.text[m.end:m.end + 40]):
            return (sign, 0) if sign else (1, 0)
        return (sign or 1,)

    def _share(self, m: Mention, ref: Mention, numbers: Sequence[Mention]) -> None:
        m.used = ref.used = True
        if isinstance(ref.value, str):
            self.out.append(self.judge.invented(self.words(m, ref), ref.value, self.reader.known))
        else:
            signs = self._signs_of(m, numbers)
            self.out.append(self.judge.share(self.words(m, ref), [ref.value], _as_share(m.value), signs))

    def _joint(self, m: Mention, refs: Sequence[Mention], numbers: Sequence[Mention]) -> None:
        m.used = True
        strange = next((r for r in refs if isinstance(r.value, str)), None)
        for r in refs:
            r.used = True
        if strange is not None:
            self.out.append(self.judge.invented(self.words(m, strange), str(strange.value), self.reader.known))
        else:
            groups: list[Readings] = [r.value for r in refs]
            self.out.append(self.judge.share(self.words(m), groups, _as_share(m.value), self._signs_of(m, numbers)))

    def _repeats(self, m: Mention, n: Mention) -> bool:
        """"A quarter of the support (27 %)": the same number again, in brackets."""
        return self.text[n.start - 1] == "(" and not self.between(m.end, n.start, "ref") and m.value.share

    def _bind(self, m: Mention, numbers: Sequence[Mention]) -> None:
        """The region whose share a number is: the next if a word of place leads to it, else the one before."""
        index = numbers.index(m)
        low = numbers[index - 1].end if index else -1
        later = [n.start for n in numbers[index + 1:] if not self._repeats(m, n)]
        high = later[0] if later else len(self.text)
        prior, following = self.before(m), self.after(m)
        if following and (following.start >= high or self.between(m.end, following.start, "than", "compare", "versus")):
            following = None
        if prior and prior.end <= low and following:
            prior = None
        if prior and following:
            gap = self.text[m.end:following.start]
            leads = _LOCATIVE.search(gap) and not re.search(r",[^,]*$", gap)
            ref: Mention | None = following if leads or (prior.used and prior.end <= low) else prior
        else:
            ref = prior or following
        if ref is not None:
            self._share(m, ref, numbers)
            return
        pronoun = next((p for p in self._of("pro") if p.start < m.start or p.start <= m.end + 30), None)
        sign = self.sign_at(m, numbers)
        if self.reader.last and (pronoun or self._of("together")) and not self._general(m, numbers, "map"):
            plural = self._of("together") or (pronoun and self.words(pronoun) in ("they", "these", "both", "those", "them"))
            self._joint(m, self.reader.last if plural else self.reader.last[-1:], numbers)
        elif self._of("elsewhere"):
            self.out.append(self.judge.unreadable(self.words(m)))
            m.used = True
        elif sign:
            m.used = True
            self.out.append(self.judge.balance(self.words(m), sign, _as_share(m.value)))

    # -- signs --------------------------------------------------------------------------------------------------------

    def _relations(self) -> None:
        """Regions of which only a sign, or that the model looks there, is said."""
        strong = [s for s in self.signs if s.value != "weak"] or self.signs
        focus = [m for m in self._of("general") if m.value == "focus"]
        free = [r for r in self.refs if not r.used]
        for m in self._of("absent"):
            ref = self.before(m, free) or self.after(m, free)
            if ref:
                self._say(ref, "absent", self.sign_at(m, ()), self._negated(m), parts=[m])
        late = strong[0].start if strong and any(not isinstance(r.value, str) for r in self.refs) else len(self.text)
        free = [r for r in free if not r.used and not (isinstance(r.value, str) and r.start > late)]
        for i, ref in enumerate(free):
            following = free[i + 1].start if i + 1 < len(free) else len(self.text)
            mine = [s for s in strong if ref.end <= s.start < following] or [s for s in strong if s.start >= ref.end][:1] \
                or [s for s in strong if s.end <= ref.start][-1:]
            if focus and (not mine or mine[0].value == "weak"):
                sign = mine[0].sign if mine else self.reader.sign
                self._say(ref, "prominent", sign, self._negated(focus[0]), parts=focus[:1])
            elif mine:
                self._say(ref, "relation", self._net_sign(mine), self._negated(mine[0]), parts=mine[:1])

    def _net_sign(self, mine: Sequence[Mention]) -> int:
        """"Lowers the evidence for it": of several signs in a row, one that opposes decides."""
        run = [mine[0]]
        for s in mine[1:]:
            if s.start - run[-1].end > 25 or self.between(run[-1].end, s.start, "class"):
                break
            run.append(s)
        return -1 if any(s.sign < 0 for s in run) else 1


def _as_share(n: Number) -> Number:
    return n._replace(share=True)

