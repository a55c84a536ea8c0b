"""Where each map of a `Comparison` stands: rows and columns from what its explanations differ in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError

#: what explanations may differ in, in the order in which it goes into rows
FACETS = ("inputs", "questions", "models", "layers", "methods")
#: which of them becomes the columns if nobody says
_COLUMNS_FIRST = ("methods", "layers", "models", "questions", "inputs")


@dataclass(frozen=True)
class Origin:
    """What is told apart. ``input`` is any key that equal inputs share; ``params`` without the layer."""

    input: str
    question: str
    method: str
    layer: str
    model: str
    params: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Places:
    """``at[i]``: (row, column) of the i-th map. ``rows``, ``columns``: their labels; the facets are what they tell."""

    at: list[tuple[int, int]]
    rows: list[str]
    columns: list[str]
    row_facets: tuple[str, ...]
    column_facets: tuple[str, ...]


def place(origins: Sequence[Origin], rows: Any = None, columns: Any = None) -> Places:
    """Rows and columns for these maps.

    rows, columns: names out of `FACETS`, or several of them. By default the columns are the methods if there is more than
    one (else layers, models, questions, inputs), and the rows are whatever else is needed to tell all maps apart.
    Raises `InputError` for unknown names, and where two maps would fall on one place.
    """
    keys = {f: [getattr(o, name) for o in origins] for f, name in _FIELDS.items()}
    settings = _settings(origins, keys)
    numbers = {f: _numbered(keys[f]) for f in FACETS}
    asked_rows, asked_columns = _names("rows", rows), _names("columns", columns)
    both = set(asked_rows or ()) & set(asked_columns or ())
    if both:
        raise InputError(f"rows and columns both name {', '.join(sorted(both))}; each can stand only once.")
    column_facets = asked_columns if asked_columns is not None else _first_column(numbers, asked_rows or ())
    row_facets = asked_rows if asked_rows is not None else ()
    if asked_rows is None:
        row_facets = _needed(numbers, column_facets)
    elif asked_columns is None:
        column_facets = (*column_facets, *_needed(numbers, (*row_facets, *column_facets), _COLUMNS_FIRST))
    return _placed(origins, settings, numbers, row_facets, column_facets)


def _settings(origins: Sequence[Origin], keys: dict[str, list[Any]]) -> tuple[str, ...]:
    """The parameters that tell runs of one method apart where nothing else does; they join its key.

    Not every parameter is a setting: some methods note there what they found on an input.
    """
    def different(names: Sequence[str]) -> int:
        chosen = [tuple(repr(dict(o.params).get(n)) for n in names) for o in origins]
        return len(set(zip(*keys.values(), chosen, strict=True)))

    if different(()) == len(origins):
        return ()
    names = list(dict.fromkeys(n for o in origins for n, _ in o.params))
    alone = [n for n in names if different((n,)) == len(origins)]
    found = tuple(alone[:1] or names)
    if different(found) > different(()):
        keys["methods"] = [(o.method, *(repr(dict(o.params).get(n)) for n in found)) for o in origins]
        return found
    return ()


def _first_column(numbers: dict[str, list[int]], taken: Sequence[str]) -> tuple[str, ...]:
    free = [f for f in _COLUMNS_FIRST if f not in taken and len(set(numbers[f])) > 1]
    return (free[0],) if free else ()


def _needed(numbers: dict[str, list[int]], chosen: Sequence[str], order: Sequence[str] = FACETS) -> tuple[str, ...]:
    """The facets that must join ``chosen`` before every map has a place of its own."""
    more: tuple[str, ...] = ()
    for facet in order:
        have = _distinct(numbers, (*chosen, *more))
        if facet not in chosen and have < len(numbers[facet]) and _distinct(numbers, (*chosen, *more, facet)) > have:
            more = (*more, facet)
    return more


def _distinct(numbers: dict[str, list[int]], facets: Sequence[str]) -> int:
    return len(set(_combined(numbers, facets)))


def _combined(numbers: dict[str, list[int]], facets: Sequence[str]) -> list[tuple[int, ...]]:
    n = len(next(iter(numbers.values())))
    return [tuple(numbers[f][i] for f in facets) for i in range(n)]


def _placed(origins: Sequence[Origin], settings: Sequence[str], numbers: dict[str, list[int]], row_facets: tuple[str, ...],
            column_facets: tuple[str, ...]) -> Places:
    sides = []
    for facets in (row_facets, column_facets):
        found = _combined(numbers, facets)
        order = {key: i for i, key in enumerate(sorted(set(found)))}
        first = {key: found.index(key) for key in order}
        told = "questions" in (*row_facets, *column_facets)
        labels = [" · ".join(_label(f, origins, settings, numbers, first[key], told) for f in facets) for key in order]
        sides.append(([order[key] for key in found], labels))
    (row_of, row_labels), (column_of, column_labels) = sides
    if not row_facets and not column_facets:
        column_labels = [origins[0].method]  # nothing to tell apart, but a name all the same
    at = list(zip(row_of, column_of, strict=True))
    seen: dict[tuple[int, int], int] = {}
    for i, here in enumerate(at):
        if here in seen:
            where = " and ".join(filter(None, (row_labels[here[0]], column_labels[here[1]]))) or "the only place"
            raise InputError(f"maps {seen[here]} and {i} both fall on {where!r}. Name what sets them apart: rows= and "
                             f"columns= take {', '.join(FACETS)}, or several of them.")
        seen[here] = i
    return Places(at, row_labels, column_labels, row_facets, column_facets)


def _label(facet: str, origins: Sequence[Origin], settings: Sequence[str], numbers: dict[str, list[int]], i: int,
           told: bool) -> str:
    """``told``: the questions stand elsewhere; otherwise inputs that are asked different ones say theirs."""
    o = origins[i]
    if facet == "inputs":
        name = f"Input {numbers['inputs'][i] + 1}"
        asked = {p.question for p, n in zip(origins, numbers["inputs"], strict=True) if n == numbers["inputs"][i]}
        several = len(set(numbers["questions"])) > 1
        return f"{name}: {o.question}" if several and len(asked) == 1 and not told else name
    if facet == "methods":
        return _method_label(o, origins, settings)
    text = {"questions": o.question, "layers": o.layer, "models": o.model}[facet]
    return text or {"questions": "no question", "layers": "no layer", "models": "no model"}[facet]


def _method_label(o: Origin, origins: Sequence[Origin], settings: Sequence[str]) -> str:
    """The method, with those settings in which it differs from itself."""
    others = [dict(p.params) for p in origins if p.method == o.method]
    mine = dict(o.params)
    differ = [k for k in settings if k in mine and any(repr(p.get(k)) != repr(mine[k]) for p in others)]
    return ", ".join([o.method, *(f"{k.replace('_', ' ')} {mine[k]}" for k in differ)])


def _numbered(keys: Sequence[Any]) -> list[int]:
    """Each key's place among the different keys, by first appearance."""
    order: dict[Any, int] = {}
    return [order.setdefault(key, len(order)) for key in keys]


def _names(side: str, given: Any) -> tuple[str, ...] | None:
    if given is None:
        return None
    names = (given,) if isinstance(given, str) else tuple(given)
    unknown = [n for n in names if n not in FACETS]
    if unknown:
        raise InputError(f"{side}={given!r}: choose one or several of {', '.join(FACETS)}.")
    return names


_FIELDS = {"inputs": "input", "questions": "question", "models": "model", "layers": "layer", "methods": "method"}
