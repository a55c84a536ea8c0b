"""The registry: what each method is, needs and promises. A test proves the facts for every method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import MethodError
from ..taxonomy import nearest

if TYPE_CHECKING:
    from .base import Method

M = TypeVar("M", bound="type[Method]")


@dataclass(frozen=True)
class MethodInfo:
    """The facts of one method.

    family: "cam", "attention", "gradient", "path", "relevance", "perturbation" or "mask". linear: a question that is a
    weighted sum of others has the same weighted sum of their maps. signed: negative values mean evidence against.
    complete: the map's sum is promised (see `Completeness`). class_blind: the map does not depend on the question.
    needs: what it needs of a model ("features", "attention", "gradients", "scores"). passes: model passes per input.
    seed: whether chance enters. modality: kinds of input. parameters: names and defaults. source: the paper.
    """

    name: str
    family: str
    linear: bool
    signed: bool
    complete: bool
    needs: tuple[str, ...]
    passes: str
    seed: bool
    source: str
    class_blind: bool = False
    modality: tuple[str, ...] = ("image",)
    parameters: tuple[tuple[str, Any], ...] = ()


_REGISTRY: dict[str, type[Method]] = {}


def register(**facts: Any) -> Callable[[M], M]:
    """Class decorator: put a method into the registry with its facts."""

    def put(cls: M) -> M:
        cls.info = MethodInfo(parameters=tuple(cls.defaults.items()), **facts)
        _REGISTRY[cls.info.name] = cls
        return cls

    return put


def get(name: str) -> type[Method]:
    """The class of the method called ``name``; `MethodError` with the nearest names if there is none."""
    if not isinstance(name, str):
        raise MethodError(f"{name!r} is no method's name; give a string such as 'grad-cam'. "
                          "salwidgets.methods() lists them all.")
    if name not in _REGISTRY:
        near = nearest(name, _REGISTRY) or get_close_matches(name.lower(), _REGISTRY, n=3, cutoff=0.0)
        raise MethodError(f"no method is called {name!r}; did you mean {' or '.join(map(repr, near))}? "
                          "salwidgets.methods() lists them all.")
    return _REGISTRY[name]


class MethodTable(list[MethodInfo]):
    """The list that `methods` returns; it prints as a table."""

    _columns = ("name", "family", "linear", "signed", "complete", "class_blind", "needs", "passes", "source")

    def __repr__(self) -> str:
        cells = [[c.replace("_", "-") for c in self._columns]]
        cells += [[_cell(getattr(m, c)) for c in self._columns] for m in self]
        width = [max(len(row[i]) for row in cells) for i in range(len(self._columns))]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, width, strict=True)).rstrip() for row in cells)

    def _repr_html_(self) -> str:
        from html import escape

        head = "".join(f"<th style='text-align:left'>{c.replace('_', '-')}</th>" for c in self._columns)
        rows = ["".join(f"<td style='text-align:left'>{escape(_cell(getattr(m, c)))}</td>" for c in self._columns)
                for m in self]
        return f"<table><tr>{head}</tr>" + "".join(f"<tr>{r}</tr>" for r in rows) + "</table>"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def methods() -> MethodTable:
    """Every method with its facts, as a list that prints as a table.

    >>> "grad-cam" in [m.name for m in methods()]
    True
    """
    order = ("cam", "attention", "gradient", "path", "relevance", "perturbation", "mask")
    infos = [cls.info for cls in _REGISTRY.values()]
    return MethodTable(sorted(infos, key=lambda m: order.index(m.family) if m.family in order else len(order)))
