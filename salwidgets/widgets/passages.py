"""The texts behind a `Narrative` as plain state: every variant's sentences with verdicts, and the shapes of its units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..verbalization import TemplateWriter, Verbalization
from ..verbalization.api import check

if TYPE_CHECKING:
    from ..verbalization import Claim, Unit

LENGTHS = ("line", "paragraph", "report")
AUDIENCES = ("layperson", "expert")
#: most cells of a unit's shape per side that cross to the browser: more would not be seen
_SIDE = 224

Key = tuple[str, str, str]


class Passages:
    """One passage per explanation: its variants by (by, length, audience).

    start: what the widget first shows, as traits: the variant that was given, if it is one of the template's.
    """

    def __init__(self, given: list[Verbalization]) -> None:
        self.given = given
        self.variants: list[dict[Key, Verbalization]] = [variants_of(v) for v in given]
        self.failures: dict[tuple[str, str], str] = {}
        found = [next((k for k, w in kept.items() if w.text == v.text), None)
                 for v, kept in zip(given, self.variants, strict=True)]
        for v, kept, key in zip(given, self.variants, found, strict=True):
            if key is None:
                kept["given", "", ""] = v
        first = found[0]
        self.start: dict[str, str] = {"by": "given"} if first is None else dict(
            zip(("by", "length", "audience"), first, strict=True))

    def add(self, index: int, by: str, length: str, audience: str, v: Verbalization) -> None:
        """Keep a text, or why there is none."""
        self.failures.pop((length, audience), None)
        self.variants[index][by, length, audience] = v

    def fail(self, length: str, audience: str, why: str) -> None:
        """The language model's text of this kind failed for all."""
        self.failures[length, audience] = why

    def shown(self, index: int, by: str, length: str, audience: str) -> Verbalization:
        """The text for a choice, as js/src/passages.ts chooses it."""
        kept = self.variants[index]
        key = (by, "", "") if by == "given" else (by, length, audience)
        v = kept.get(key)
        return v if v is not None and (v.error is None or by == "given") else kept["template", length, audience]

    def state(self) -> tuple[list[dict[str, Any]], NDArray[np.uint8]]:
        """Passages for the browser, and the cells of all their units, one after the other."""
        out, chunks, offset = [], [np.zeros(0, np.uint8)], 0
        for v, kept in zip(self.given, self.variants, strict=True):
            table = _Table()
            variants = [_variant(key, w, table) for key, w in kept.items()]
            variants += [{"by": "llm", "length": length, "audience": audience, "sentences": [], "notices": [], "error": why,
                          "markdown": "", "latex": ""} for (length, audience), why in self.failures.items()]
            units = []
            for unit, shape in table.units:
                units.append({"label": unit.label, "rows": shape.shape[0], "cols": shape.shape[1], "offset": offset})
                chunks.append(shape.ravel())
                offset += shape.size
            out.append({"title": str(v.explanation.question or "A map without a question"), "size": _size(v),
                        "units": units, "variants": variants})
        return out, np.concatenate(chunks)


class _Table:
    """The units that sentences speak of, each once, although every text has a brief of its own."""

    def __init__(self) -> None:
        self.units: list[tuple[Unit, NDArray[np.uint8]]] = []
        self._at: dict[tuple[str, bytes], int] = {}

    def index(self, unit: Unit) -> int:
        shape = _shape(unit)
        key = unit.label, shape.tobytes()
        if key not in self._at:
            self._at[key] = len(self.units)
            self.units.append((unit, shape))
        return self._at[key]


def variants_of(v: Verbalization) -> dict[Key, Verbalization]:
    """The template's texts of every length and audience, about the same units, each checked."""
    writer, found = TemplateWriter(), {}
    for length in LENGTHS:
        for audience in AUDIENCES:
            draft = writer.write(v.brief, length=length, audience=audience)  # type: ignore[arg-type]
            found["template", length, audience] = Verbalization(
                " ".join(draft.sentences), list(draft.sentences), check(draft.sentences, v.brief), v.explanation, v.brief,
                notices=draft.notices)
    return found


def verdict_of(claims: list[Claim]) -> str:
    """One verdict for a sentence: one false claim makes it false, one true claim and none false make it supported."""
    verdicts = {c.verdict for c in claims}
    return next((v for v in ("contradicted", "supported") if v in verdicts), "not checkable")


def plain_text(v: Verbalization) -> str:
    """The sentences; those that the map contradicts say so."""
    false = set(v.contradicted)
    return " ".join(f"{s} [contradicted by the map]" if i in false else str(s) for i, s in enumerate(v.sentences))


def _variant(key: Key, v: Verbalization, table: _Table) -> dict[str, Any]:
    by, length, audience = key
    said = []
    for i, sentence in enumerate(v.sentences):
        claims = [c for c in v.claims if c.sentence == i]
        known = [u for u in map(v.brief.unit, sentence.units) if u is not None]
        said.append({"text": str(sentence), "units": [table.index(u) for u in known], "relation": sentence.relation,
                     "verdict": verdict_of(claims),
                     "claims": [{"text": c.text, "verdict": c.verdict, "figure": c.figure} for c in claims]})
    failed = v.error if by == "llm" else None
    return {"by": by, "length": length, "audience": audience, "sentences": said, "notices": list(v.notices),
            "error": "" if failed is None else str(failed), "markdown": v.to_markdown(), "latex": v.to_latex()}


def _shape(unit: Unit) -> NDArray[np.uint8]:
    """Cells 0..1 as bytes, at most 224 a side; a line of words or a volume is one row of what it is in front."""
    cells = np.asarray(unit.cells, np.float32)
    if cells.ndim == 3:
        cells = cells.max(0)
    cells = np.atleast_2d(cells)
    pick = [np.minimum((np.arange(min(n, _SIDE)) + 0.5) * n / min(n, _SIDE), n - 1).astype(int) for n in cells.shape]
    return np.rint(255 * np.clip(cells[np.ix_(*pick)], 0, 1)).astype(np.uint8)


def _size(v: Verbalization) -> list[int]:
    e = v.explanation
    return list(e.size) if np.ndim(e.values) == 2 else [1, 1]
