"""`Verbalization`: a text, what it claims, and what became of each claim; as Markdown, LaTeX or plain data."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from html import escape
from typing import Any

import numpy as np

from ..errors import InputError, LLMError
from ..explanation import Explanation
from .brief import Brief, Sentence, Unit, Usage
from .claims import Claim

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~$])")
_LATEX = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
          "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}",
          ">": r"\textgreater{}", "|": r"\textbar{}", "“": "``", "”": "''", "\N{MINUS SIGN}": "$-$", "×": r"$\times$",
          '"': r"\textquotedbl{}", "…": r"\dots{}", "`": r"\textasciigrave{}", "‘": "`", "’": "'"}


@dataclass(eq=False)
class Verbalization:
    """An explanation in words.

    text: all sentences. sentences: `Sentence`, str with the ids of the units they speak of. claims: what they say,
    each with a verdict. brief: the facts that the writer was given. writer: who wrote it ("template" after a failure).
    usage: what it cost. notices: what a reader must know, in sentences. error: why a writer failed, else None.
    """

    text: str
    sentences: list[Sentence]
    claims: list[Claim]
    explanation: Explanation
    brief: Brief
    writer: str = "template"
    usage: Usage = field(default_factory=Usage)
    notices: tuple[str, ...] = ()
    error: LLMError | None = None

    def __str__(self) -> str:
        return self.text

    @property
    def contradicted(self) -> list[int]:
        """Indices of the sentences that the map contradicts."""
        return sorted({c.sentence for c in self.claims if c.verdict == "contradicted"})

    def to_markdown(self) -> str:
        """The question in bold and the text; sentences that the map contradicts are struck out and say so.

        Names are shown as they are: Markdown and HTML in them are escaped.
        """
        false = set(self.contradicted)
        said = [f"~~{_markdown(s)}~~ (contradicted by the map)" if i in false else _markdown(s)
                for i, s in enumerate(self.sentences)]
        asked = self.explanation.question
        head = [] if asked is None else [f"**{_markdown(str(asked))}**"]
        notes = [f"*{_markdown(n)}*" for n in self.notices]
        return "\n\n".join([" ".join([*head, *said]), *notes])

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def to_latex(self) -> str:
        """The text for a paper, escaped; a sentence that the map contradicts gets a footnote that says so."""
        false = set(self.contradicted)
        return " ".join(_latex(s) + (r"\footnote{The map contradicts this sentence.}" if i in false else "")
                        for i, s in enumerate(self.sentences))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, without the explanation itself (save that with `Explanation.save`)."""
        b = self.brief
        return {
            "schema_version": 1, "writer": self.writer, "notices": list(self.notices),
            "error": None if self.error is None else str(self.error), "usage": vars(self.usage).copy(),
            "sentences": [{"text": str(s), "units": list(s.units), "relation": s.relation} for s in self.sentences],
            "claims": [{f.name: _plain(getattr(c, f.name)) for f in fields(c)} for c in self.claims],
            "brief": {"question": b.question, "target": b.target, "foil": b.foil, "method": b.method,
                      "units": [_unit(u) for u in b.units], "supporting": [u.id for u in b.supporting],
                      "opposing": [u.id for u in b.opposing], "opposes": b.opposes, "coverage": b.coverage,
                      "caveats": list(b.caveats)},
        }

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], explanation: Explanation) -> Verbalization:
        """What `to_dict` wrote, about the same explanation. Raises `InputError` if the data are garbled."""
        try:
            b, shape = d["brief"], explanation.values.shape
            units = {u["id"]: _read_unit(u, shape) for u in b["units"]}
            brief = Brief(explanation, b["question"], b["target"], b["foil"], b["method"], tuple(units.values()),
                          tuple(units[i] for i in b["supporting"]), tuple(units[i] for i in b["opposing"]),
                          float(b["opposes"]), float(b["coverage"]), tuple(b["caveats"]))
            sentences = [Sentence(s["text"], s["units"], s["relation"]) for s in d["sentences"]]
            known = {f.name for f in fields(Claim)}
            claims: list[Claim] = []
            for c in d["claims"]:
                said: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in c.items() if k in known}
                claims.append(Claim(**said))
            error = None if d["error"] is None else LLMError(d["error"])
            return cls(" ".join(sentences), sentences, claims, explanation, brief, d["writer"], Usage(**d["usage"]),
                       tuple(d["notices"]), error)
        except (KeyError, TypeError, ValueError, AttributeError, zlib.error) as e:
            raise InputError(f"this is not what Verbalization.to_dict() wrote about this explanation "
                             f"({type(e).__name__}: {e}).") from e


def _markdown(text: str) -> str:
    return escape(_MARKDOWN.sub(r"\\\1", " ".join(text.split())), quote=False)


def _latex(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in text)


def _plain(value: Any) -> Any:
    if isinstance(value, (np.floating, np.integer, np.bool_)):
        return value.item()
    return [_plain(v) for v in value] if isinstance(value, (tuple, list)) else value


def _unit(u: Unit) -> dict[str, Any]:
    cells = np.ascontiguousarray(u.cells, "<f4")
    return {"id": u.id, "kind": u.kind, "label": u.label, "value": float(u.value), "supports": float(u.supports),
            "opposes": float(u.opposes), "area": float(u.area),
            "cells": base64.b64encode(zlib.compress(cells.tobytes())).decode("ascii")}


def _read_unit(d: Mapping[str, Any], shape: tuple[int, ...]) -> Unit:
    size = 4 * int(np.prod(shape))
    # A short string may unpack to gigabytes; no more than the map's own size is ever wanted.
    raw = zlib.decompressobj().decompress(base64.b64decode(d["cells"], validate=True), size + 1)
    if len(raw) != size:
        raise ValueError(f"the cells of unit {d['id']!r} do not fit a map of shape {shape}")
    cells = np.frombuffer(raw, "<f4").reshape(shape).astype(np.float32)
    return Unit(str(d["id"]), str(d["kind"]), str(d["label"]), cells, float(d["value"]), float(d["supports"]),
                float(d["opposes"]), float(d["area"]))
