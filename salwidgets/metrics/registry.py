"""The registry: what each metric measures, which way is better, what it needs and what it cannot tell."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from ..errors import InputError, MethodError
from ..explanation import Explanation
from ..taxonomy import nearest

if TYPE_CHECKING:
    from ..questions import Question

FAMILIES = ("faithfulness", "RFxG", "localisation", "human", "robustness", "sanity", "complexity", "truth")
NEEDS = {  # what a metric may need besides the explanations, and how a caller gives it
    "model": "the model that was explained",
    "masks": "masks of what should be pointed at, bool [H, W] (masks=...)",
    "boxes": "boxes (x0, y0, x1, y1) of what should be pointed at (boxes=...)",
    "fixations": "human fixations (fixations=...)",
    "rationales": "human rationales, one mark per token (rationales=...)",
    "world": "a world whose right answers are known, such as sw.worlds.creatures() (world=...)",
}


@dataclass(frozen=True)
class MetricInfo:
    """The facts of one metric.

    family: one of `FAMILIES`. better: "higher" or "lower". needs: keys of `NEEDS`. cannot: what the figure cannot tell,
    in one sentence. source: the paper. range: of the figure, in words. chance: what a map that knows nothing scores, where
    that is known. passes: model passes per explanation, in words. applies: whether a bound question can be answered; None:
    any. questions: the questions it is about, in words. parameters: names and defaults. plays: what a point x of its curve
    stands for: "most", "least" (that share hidden, of what the map values most or least), "show" (that share shown, what it
    values most first); "": no single picture.
    """

    name: str
    family: str
    better: str
    needs: tuple[str, ...]
    cannot: str
    source: str
    range: str = ""
    chance: float | None = None
    passes: str = "0"
    applies: Callable[[Question], bool] | None = None
    questions: str = "any"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    plays: str = ""

    @property
    def arrow(self) -> str:
        """Which way is better: an arrow up or down."""
        return "↑" if self.better == "higher" else "↓"


class Metric(Protocol):
    """A metric: a function with its facts, and its curves where it has any."""

    __name__: str
    info: MetricInfo
    curves: Callable[..., Any] | None

    def __call__(self, *args: Any, **params: Any) -> Any: ...


_REGISTRY: dict[str, Metric] = {}


def metric(*, family: str, better: str, cannot: str, source: str, needs: tuple[str, ...] = (), range: str = "",
           chance: float | None = None, passes: str = "0", applies: Callable[[Question], bool] | None = None,
           questions: str = "any", curves: Callable[..., Any] | None = None,
           plays: str = "") -> Callable[[Callable[..., Any]], Metric]:
    """Function decorator: put a metric into the registry with its facts (see `MetricInfo`), and check its calls.

    ``curves``: what ``.curves(...)`` calls; takes the same and returns `Curves`, whose ``area`` is the metric.
    The function below takes, in this order and as far as its ``needs`` say: the `Model`; a list of explanations; one list
    per truth (masks, fixations …) as long as the explanations; the world. It returns float64 `[n]`. Callers may give one
    explanation and get a float, a bare torch module for the model, and one truth for all explanations.
    """
    if family not in FAMILIES or better not in ("higher", "lower") or not set(needs) <= set(NEEDS):
        raise ValueError(f"a metric of family {family!r}, better {better!r}, with needs {needs} is none.")

    def put(function: Callable[..., Any]) -> Metric:
        name = function.__name__
        if function.__module__ == f"{__package__}.{name}":
            raise ValueError(f"the metric {name!r} needs a module of another name, which would hide it.")
        parameters = {p.name: p.default for p in inspect.signature(function).parameters.values()
                      if p.kind is inspect.Parameter.KEYWORD_ONLY}
        info = MetricInfo(name, family, better, tuple(needs), cannot, source, range, chance, passes, applies, questions,
                          parameters, plays)

        @functools.wraps(function)
        def call(*args: Any, **params: Any) -> Any:
            given, one = _arguments(info, args, params)
            values = np.asarray(function(*given, **params), np.float64)
            return float(values[0]) if one else values

        made = cast(Metric, call)
        made.info = info
        made.curves = None if curves is None else _curve_call(info, curves)
        _REGISTRY[name] = made
        return made

    return put


def _curve_call(info: MetricInfo, curves: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(curves)
    def call(*args: Any, **params: Any) -> Any:
        return curves(*_arguments(info, args, params)[0], **params)

    return call


def _arguments(info: MetricInfo, args: tuple[Any, ...], params: dict[str, Any]) -> tuple[list[Any], bool]:
    """The positional arguments of the function below, checked; and whether one explanation was given."""
    names = [*(["model"] if "model" in info.needs else []), "explanations", *(n for n in info.needs if n != "model")]
    given = dict(zip(names, args, strict=False))
    if len(args) > len(names):
        raise MethodError(f"{info.name} takes {', '.join(names)} and keyword arguments; got {len(args)} positional ones.")
    for n in names:
        if n in params:
            given[n] = params.pop(n)
    if given.get("model") is not None and "model" in names:
        given["model"] = as_model(given["model"], info.name)
    for n in names:
        if given.get(n) is None:
            what = "the explanations" if n == "explanations" else NEEDS[n]
            raise MethodError(f"{info.name} needs {what}: sw.metrics.{info.name}({', '.join(names)}).")
    unknown = sorted(set(params) - set(info.parameters))
    if unknown:
        raise MethodError(f"{info.name} has no parameter {', '.join(map(repr, unknown))}; it takes "
                          f"{', '.join(info.parameters) or 'none'}.")
    es, one = explanation_list(given["explanations"])
    given["explanations"] = es
    for n in names:
        if n not in ("model", "explanations", "world"):
            given[n] = one_each(given[n], len(es), n)
    if info.applies is not None:
        for i, e in enumerate(es):
            asked = params.get("question") or e.question
            if asked is not None and asked.binding is not None and not info.applies(asked):
                raise MethodError(f"{info.name} is about {info.questions}; explanation {i} answers “{asked}”.")
    return [given[n] for n in names], one


def as_model(model: Any, name: str) -> Any:
    """``model`` as a `Model` (a bare torch module is wrapped); `MethodError` if it is none."""
    from ..models import Model

    if isinstance(model, Model):
        return model
    if isinstance(model, (Explanation, Sequence)) or not callable(model):
        raise MethodError(f"{name} needs the model that was explained as its first argument, not a "
                          f"{type(model).__name__}: sw.metrics.{name}(model, explanations).")
    return Model(model)


def explanation_list(explanations: Any) -> tuple[list[Explanation], bool]:
    """Explanations in flat order, and whether one alone was given. `InputError`: empty, no explanations, NaN."""
    one = isinstance(explanations, Explanation)
    if not one and (isinstance(explanations, (str, bytes)) or not isinstance(explanations, Sequence)):
        raise InputError(f"a {type(explanations).__name__} is no explanation; give what sw.explain returns, or wrap a map "
                         "from elsewhere: sw.from_array(map, image, question).")
    es = [explanations] if one else list(explanations)
    if not es:
        raise InputError("the list of explanations is empty.")
    for i, e in enumerate(es):
        if not isinstance(e, Explanation):
            raise InputError(f"explanation {i} is a {type(e).__name__}; wrap a map from elsewhere: "
                             "sw.from_array(map, image, question).")
        if e.values.size == 0 or not np.isfinite(e.values).all():
            raise InputError(f"explanation {i} ({e.method}) holds NaN or infinity, or is empty; leave it out, or clean the "
                             "map first (numpy.nan_to_num).")
    return es, one


def one_each(given: Any, n: int, what: str) -> list[Any]:
    """``given`` once per explanation: a list, or a stacked array `[n, H, W]`, of ``n``; or one truth for all of them.

    A list of plain numbers (a box, marks of tokens) is one truth; so is any list if there is one explanation.
    """
    many = isinstance(given, (list, tuple)) and not all(isinstance(v, (int, float, np.number, np.bool_)) for v in given)
    if not many and not (hasattr(given, "ndim") and given.ndim >= 3):
        return [given] * n
    if len(given) == n:
        return list(given)
    if len(given) == 1:
        return [given[0]] * n
    if n == 1 and many:
        return [given]
    raise InputError(f"{len(given)} {what} for {n} explanations; give one for each, or one for all.")


def get(name: str | Metric) -> Metric:
    """The metric called ``name`` (a metric itself passes); `MethodError` with the nearest names if there is none."""
    key = name if isinstance(name, str) else getattr(name, "__name__", repr(name))
    _load()
    if key not in _REGISTRY:
        near = nearest(key, _REGISTRY) or sorted(_REGISTRY)
        raise MethodError(f"no metric is called {key!r}; did you mean {' or '.join(map(repr, near[:3]))}? "
                          "salwidgets.metrics.metrics() lists them all.")
    return _REGISTRY[key]


class MetricTable(list[MetricInfo]):
    """The list that `metrics` returns; it prints as a table."""

    _columns = ("name", "family", "better", "needs", "questions", "passes", "range", "cannot", "source")

    def __repr__(self) -> str:
        shown = [c for c in self._columns if c not in ("cannot", "source")]
        cells = [shown, *([_cell(getattr(m, c)) for c in shown] for m in self)]
        width = [max(len(row[i]) for row in cells) for i in range(len(shown))]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, width, strict=True)).rstrip() for row in cells)

    def _repr_html_(self) -> str:
        from html import escape

        titles = {"cannot": "what it cannot tell"}
        head = "".join(f"<th style='text-align:left'>{titles.get(c, c)}</th>" for c in self._columns)
        rows = ["".join(f"<td style='text-align:left'>{escape(_cell(getattr(m, c)))}</td>" for c in self._columns)
                for m in self]
        return f"<table><tr>{head}</tr>" + "".join(f"<tr>{r}</tr>" for r in rows) + "</table>"


def _cell(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def metrics() -> MetricTable:
    """Every metric with its facts, as a list that prints as a table.

    >>> "deletion" in [m.name for m in metrics()]
    True
    """
    _load()
    infos = [m.info for m in _REGISTRY.values()]
    return MetricTable(sorted(infos, key=lambda m: FAMILIES.index(m.family)))


def _load() -> None:
    from . import load_all

    load_all()
