"""What passes between those who look (`salient`), those who write (`templates`, `llm`) and those who check (`claims`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from ..explanation import Explanation

if TYPE_CHECKING:
    from .claims import Claim

Relation = Literal["supports", "opposes", "none"]
Length = Literal["line", "paragraph", "report"]
Audience = Literal["layperson", "expert"]


@dataclass(frozen=True, eq=False)
class Unit:
    """One part of the input that a sentence can speak of.

    id: "u1", "u2" … in the order of |value|; what writers and views refer to. kind: "place", "region", "word",
    "phrase", "interval", "band" or "segment". label: how a sentence calls it, without an article ("top left",
    "left ear", "not good", "0.4 s to 0.9 s"). cells: float32 of the map's shape, how much of each cell belongs to it
    (0..1); a function that makes them may be given, and is called when they are first looked at. value: signed sum of
    the map inside. supports, opposes: its share (0..1) of all positive and of all negative mass. area: its share of
    the cells. nth: for a word that the text holds more than once, which of them it is, from 1.
    """

    id: str
    kind: str
    label: str
    cells: np.ndarray
    value: float
    supports: float
    opposes: float
    area: float
    nth: int = 0

    def __post_init__(self) -> None:
        if callable(self.cells):
            self.__dict__["_make"] = self.__dict__.pop("cells")

    def __getattr__(self, name: str) -> Any:
        if name == "cells" and "_make" in self.__dict__:
            self.__dict__["cells"] = self.__dict__["_make"]()
            return self.__dict__["cells"]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class Sentence(str):
    """A sentence that knows the ``units`` (ids) it speaks of and their ``relation`` to the target."""

    units: tuple[str, ...]
    relation: Relation

    def __new__(cls, text: str, units: Sequence[str] = (), relation: Relation = "none") -> Sentence:
        self = super().__new__(cls, text)
        self.units, self.relation = tuple(units), relation
        return self

    def __getnewargs__(self) -> tuple[str, tuple[str, ...], Relation]:  # type: ignore[override]
        return str(self), self.units, self.relation


@dataclass(frozen=True, eq=False)
class Brief:
    """All that a writer may say about one explanation: facts and units with numbers, never the raw map.

    question: in words, on one line. target, foil: as a sentence names them, in quotes ("“husky”", "“a” or “b”"); foil is
    "" for pointwise questions. group: whether the target is a group; members: its classes, once bound.
    supporting, opposing: the units that stand out on either side, strongest first; empty if none does. units: all.
    opposes: the negative part's share of sum |map|. coverage: share of the positive mass that ``supporting`` holds.
    caveats: keys of the catalogue that a truthful text must mention ("incomplete", "blind", "broken", "diffuse" …).
    """

    explanation: Explanation
    question: str
    target: str
    foil: str
    method: str
    units: tuple[Unit, ...]
    supporting: tuple[Unit, ...]
    opposing: tuple[Unit, ...]
    opposes: float
    coverage: float
    caveats: tuple[str, ...] = ()
    group: bool = False
    members: tuple[str, ...] = ()

    def unit(self, id: str) -> Unit | None:
        """The unit with that id, or None: writers invent some."""
        return next((u for u in self.units if u.id == id), None)


@dataclass(frozen=True, eq=False)
class Usage:
    """What a text cost. Tokens as the server counted them; ``cost`` in US dollars where prices were given, else None."""

    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    requests: int = 0
    seconds: float = 0.0
    cached: bool = False


@dataclass(frozen=True, eq=False)
class Draft:
    """What a writer returned, before it is checked."""

    sentences: tuple[Sentence, ...]
    usage: Usage = field(default_factory=Usage)
    notices: tuple[str, ...] = ()


class Writer(Protocol):
    """Anything that turns a brief into sentences: `TemplateWriter`, `LLMWriter`, or your own."""

    name: str

    def write(self, brief: Brief, *, length: Length, audience: Audience, contradicted: Sequence[Claim] = (),
              on_text: Callable[[str], Any] | None = None) -> Draft:
        """Sentences about ``brief``. contradicted: false claims of the last draft, to be corrected. on_text: is called
        with the text so far while it streams; raising in it stops the writer. Errors: `LLMError`."""
        ...
