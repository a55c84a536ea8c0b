"""The forms in which a language model answers: schemas that it is sent, and how its words are read back."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from .brief import Sentence, Usage
from .llm_wire import Fault, said

_MOST = 60
_TEXTS = re.compile(r'"text"\s*:\s*"((?:[^"\\]|\\.)*)')
NOT_FROM_THE_MODEL = "From a language model's general knowledge, not from the explained model."


@dataclass(frozen=True, eq=False)
class Attributes:
    """What tells two classes apart, to be shown beside a map. ``note`` says that it is not from the explained model."""

    target: str
    foil: str
    of_target: tuple[str, ...]
    of_foil: tuple[str, ...]
    usage: Usage = field(default_factory=Usage)
    note: str = NOT_FROM_THE_MODEL

    def __str__(self) -> str:
        sides = [f"{name}: {', '.join(has) or 'nothing given'}." for name, has in
                 ((self.target, self.of_target), (self.foil, self.of_foil))]
        return f"{' '.join(sides)} ({self.note})"


@dataclass(frozen=True, eq=False)
class Summary:
    """A plain-language summary. unverified: numbers in it that the summarised data do not hold. note: where it is from."""

    text: str
    sentences: tuple[str, ...]
    unverified: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    note: str = "Written by a language model from the figures it was given."

    def __str__(self) -> str:
        odd = f" Not in the data: {', '.join(self.unverified)}." if self.unverified else ""
        return f"{self.text} ({self.note}{odd})"


@cache
def forms() -> dict[str, Any]:
    """The pydantic models of the three kinds of answer. Made when first needed: pydantic is an extra."""
    try:
        from pydantic import BaseModel, ConfigDict
    except ImportError:
        raise Fault("cannot be asked: the pydantic package is missing (pip install salwidgets[llm])") from None

    # Strict servers want closed objects; what others add beside what was asked for does no harm.
    closed = ConfigDict(extra="ignore", json_schema_extra={"additionalProperties": False})

    class SentenceForm(BaseModel):
        model_config = closed
        text: str
        units: list[str]
        relation: Literal["supports", "opposes", "none"]

    class TextForm(BaseModel):
        model_config = closed
        sentences: list[SentenceForm]

    class AttributesForm(BaseModel):
        model_config = closed
        target: list[str]
        foil: list[str]

    class SummaryForm(BaseModel):
        model_config = closed
        sentences: list[str]

    return {"text": TextForm, "attributes": AttributesForm, "summary": SummaryForm}


def response_format(form: str, level: str) -> dict[str, Any] | None:
    """``response_format`` of a request. level: "json_schema", "json_object", or "" for none at all."""
    if level == "json_schema":
        schema = forms()[form].model_json_schema()
        return {"type": "json_schema", "json_schema": {"name": form, "strict": True, "schema": schema}}
    return {"type": level} if level else None


def described(form: str) -> str:
    """The form in words, for servers that take no schema."""
    schema = json.dumps(forms()[form].model_json_schema(), separators=(",", ":"))
    return f"Answer with one JSON object and nothing else. Its schema: {schema}"


def read(form: str, text: str) -> Any:
    """The answer as its pydantic model. Raises `Fault` for what is no JSON or of another shape."""
    from pydantic import ValidationError

    found = _json(text)
    try:
        answer = forms()[form].model_validate(found)
    except ValidationError as e:
        first = e.errors(include_url=False, include_input=False)[0]
        at = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise Fault(f"answered with JSON of another shape ({at}: {first['msg']})", retry=True) from None
    sentences = getattr(answer, "sentences", None)
    if sentences is not None:
        words = [s if isinstance(s, str) else s.text for s in sentences]
        if not any(w.strip() for w in words):
            raise Fault("answered with no sentence", retry=True)
        if len(words) > _MOST:
            raise Fault(f"answered with {len(words)} sentences; {_MOST} are the most", retry=True)
    return answer


def _json(text: str) -> Any:
    """The JSON in an answer, which may stand in a code fence or after thoughts."""
    bare = re.sub(r"(?s)^.*</think>", "", text).strip()
    start, end = bare.find("{"), bare.rfind("}")
    try:
        return json.loads(bare[start:end + 1] if 0 <= start < end else bare)
    except (ValueError, RecursionError):
        raise Fault(f"answered with text that is not the JSON asked for: “{said(bare)}”", retry=True) from None


def sentences_of(answer: Any) -> tuple[Sentence, ...]:
    """Sentences with units and relations; line breaks and control characters become spaces."""
    return tuple(Sentence(line(s.text), s.units, s.relation) for s in answer.sentences if s.text.strip())


def line(text: str) -> str:
    """One line of printable text."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def so_far(text: str) -> str:
    """The sentences in an answer that is still arriving, the last one perhaps cut."""
    found = []
    for match in _TEXTS.finditer(text):
        raw = re.sub(r"\\(u[0-9a-fA-F]{0,3})?$", "", match.group(1))
        try:
            found.append(line(json.loads(f'"{raw}"', strict=False)))
        except ValueError:
            continue
    return " ".join(found).encode("utf-8", "ignore").decode()


def strange_numbers(text: str, data: str) -> tuple[str, ...]:
    """Numbers in ``text`` that are not in ``data``, at the precision at which they are written."""
    number = r"(?<![\w.])[-+\N{MINUS SIGN}]?\d+(?:\.\d+)?"
    known = {abs(float(n.replace("\N{MINUS SIGN}", "-"))) for n in re.findall(number, data)}
    odd = []
    for n in re.findall(number, text):
        value, digits = abs(float(n.replace("\N{MINUS SIGN}", "-"))), len(n.partition(".")[2])
        near = 0.5000001 * 10.0 ** -digits
        if not any(abs(value - k) <= near or abs(value - 100 * k) <= near for k in known):
            odd.append(n)
    return tuple(dict.fromkeys(odd))


def usage_sum(parts: Sequence[Usage]) -> Usage:
    """What several answers cost together."""
    costs = [u.cost for u in parts if u.cost is not None]
    return Usage(parts[-1].model if parts else "", sum(u.prompt_tokens for u in parts),
                 sum(u.completion_tokens for u in parts), sum(costs) if costs else None,
                 sum(u.requests for u in parts), sum(u.seconds for u in parts), all(u.cached for u in parts))
