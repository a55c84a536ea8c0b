"""`Comparison`: a grid of maps that are touched together, by input, question, method, layer or model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets
from numpy.typing import NDArray

from ..captions import percent
from ..errors import InputError, QuestionError
from ..regions import Share, share_of
from ..scale import Scale
from .asking import Asking
from .base import View
from .compact import LITTLE, compact_maps, compact_pictures
from .given_scores import score_columns
from .link import SHARED, Link
from .nodes import Node, Nodes
from .pairs import Pair, mix_title, pair_of
from .panels import Panel, from_evidence, from_explanations, shared_notices, sheets
from .pictures import keys_of
from .places import place
from .wire import pack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCORE = "score"


class Comparison(Asking):
    """Shows many explanations of images in rows and columns, linked with each other and with other views.

    explanations: `Explanations`, or explanations in a list (also of several models and layers). Or evidence (one or a list
        of what `salwidgets.prepare` returned, of methods linear in the question): then ``target`` and ``foil`` can be
        chosen in the view (or by a linked `ClassTree`), and all maps answer with no kernel; ``foil=""`` is no foil.
    rows, columns: "inputs", "questions", "methods", "layers" or "models", or several of them; by default the columns
        are the methods (else layers, models, questions, inputs) and the rows what else is needed.
    reference: a column, by label or number. The other columns then show their difference to it, raw map minus raw map.
        Maps of class-blind methods and of another resolution are never subtracted; their place says so.
    scores: a ScoreTable, a pandas DataFrame, a dict of columns or an array, with one row per explanation.
    sort: the name of a score to sort the rows by ("score" is the question's own); ``sort_column``: the column that
        counts (-1: the mean over all). descending: largest first.
    scale: "shared" (one for all maps; the default), "each" (a badge says so), or a `Scale`.
    target, foil, classes: as in `Contrast`; only with evidence.

    Traits ``reference``, ``sort``, ``sort_column``, ``descending``, ``each``, ``active`` (the explanation that was touched
    last), ``target``, ``foil``, ``cursor`` and ``selection`` follow the browser, and may be set. Coordinates are pixels
    of the first picture; pictures of other sizes are touched at the same relative place.
    Raises `InputError` and `QuestionError`.

    >>> import numpy as np
    >>> maps = [sw.from_array(np.eye(7), np.zeros((56, 56, 3), np.uint8), method=m) for m in ("a", "b")]
    >>> sw.Comparison(maps).places.columns
    ['a', 'b']
    """

    maps = traitlets.Dict().tag(sync=True, echo_update=False)
    pictures = traitlets.Dict().tag(sync=True, echo_update=False)
    sheets: Any = traitlets.List().tag(sync=True)
    size: Any = traitlets.List().tag(sync=True)
    panels: Any = traitlets.List().tag(sync=True)
    rows: Any = traitlets.List().tag(sync=True)
    columns: Any = traitlets.List().tag(sync=True)
    score_names: Any = traitlets.List().tag(sync=True)
    notices: Any = traitlets.List().tag(sync=True)
    nodes: Any = traitlets.List().tag(sync=True)
    logits = traitlets.Dict().tag(sync=True, echo_update=False)
    classes = traitlets.Int(0).tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    stored = traitlets.Unicode().tag(sync=True)
    reference = traitlets.Any("").tag(sync=True)
    sort = traitlets.Unicode("").tag(sync=True)
    sort_column = traitlets.Int(-1).tag(sync=True)
    descending = traitlets.Bool(True).tag(sync=True)
    each = traitlets.Bool(False).tag(sync=True)
    active = traitlets.Int(0).tag(sync=True)
    target = traitlets.Any("").tag(sync=True)
    foil = traitlets.Any("").tag(sync=True)

    def __init__(self, explanations: Any, *, rows: Any = None, columns: Any = None, reference: Any = None,
                 scores: Any = None, sort: str = "", sort_column: int = -1, descending: bool = True,
                 scale: Scale | str = "shared", target: Any = None, foil: Any = None, classes: Any = None,
                 link: Link | None = None) -> None:
        self._ready = False
        self._find(explanations, classes, scores)
        if self._nodes is None:
            self.aspects = SHARED  # type: ignore[misc]  # explanations have their questions; none can be asked
        self.places = place([p.origin for p in self._panels], rows, columns)
        sides = self._start(target, foil)
        state = self._state(score_columns(scores, len(self._panels)))
        each = _wants_each(scale)
        fitted = scale.changed(fixed=True) if isinstance(scale, Scale) else None
        self._deaf = target is not None or foil is not None  # what is asked for here holds, whatever the link asks
        super().__init__(scale=fitted or Scale.fit(*self._plain(*sides)), link=link, image=self._panels[0].image,
                         _view="comparison", each=each, descending=descending, target=sides[0].name if sides else "",
                         foil=sides[1].name if len(sides) > 1 else "", **state)
        self.sort, self.sort_column = sort, sort_column
        self._ready, self._deaf = True, False
        if reference is not None and reference != "":
            self.reference = reference
        if self._nodes is not None:
            self._tell()

    # -- making ----------------------------------------------------------------------------------------------

    def _find(self, given: Any, classes: Any, scores: Any) -> None:
        many = list(given) if isinstance(given, (list, tuple)) or hasattr(given, "shape") else [given]
        self._nodes: Nodes | None = None
        if many and all(hasattr(e, "basis") or hasattr(e, "rows") for e in many):
            if scores is not None:
                raise InputError("scores= belong to explanations; with evidence the question changes, and scores with it.")
            self._panels, self._nodes, _ = from_evidence(many, classes)
        else:
            self._panels = from_explanations(many)
        self.explanations = many

    def _start(self, target: Any, foil: Any) -> tuple[Node, ...]:
        """The first question: what was asked for, else the classes that are most probable over all inputs."""
        if self._nodes is None:
            if target is not None or foil is not None:
                raise InputError("target= and foil= need evidence (sw.prepare(...)); explanations have their questions.")
            return ()
        mean = np.mean([p.logits for p in self._panels if p.logits is not None], axis=0)
        likely = [self._nodes.all[int(r)] for r in np.argsort(-mean, kind="stable")]
        b = self._nodes.find(foil) if foil else None
        a = next(n for n in likely if n is not b) if target is None else self._nodes.find(target)
        if foil == "":
            return (a,)
        b = b or next((n for n in likely if not set(n.rows) & set(a.rows)), likely[0])
        if set(a.rows) == set(b.rows):
            raise QuestionError(f"target and foil are both {a.name!r}; ask for two different classes.")
        return a, b

    def _state(self, given: dict[str, list[float | None]]) -> dict[str, Any]:
        panels = self._panels
        pictures, which = sheets(panels)
        known = self.explanations if self._nodes is None else [None] * len(panels)
        keys = [keys_of(known[which.index(i)], panels[which.index(i)].image) for i in range(len(pictures))]
        self._pictures = pictures
        own = any(p.score is not None for p in panels) or self._nodes is not None
        if own and SCORE in given:
            raise InputError(f"scores= holds a column {SCORE!r}, the name of the question's own score; call it otherwise.")
        names = [*([SCORE] if own else []), *given]
        shared, alone = shared_notices(panels)
        state, start = [], 0
        for i, p in enumerate(panels):
            row, column = self.places.at[i]
            numbers = [*([p.score] if own else []), *(values[i] for values in given.values())]
            state.append({"row": row, "column": column, "map": [start, *p.grid], "picture": which[i],
                          "scores": numbers, "score": p.score_text, "question": p.question, "caption": p.caption,
                          "notices": alone[i], "blind": p.blind})
            start += p.values.size
        more = {}
        if self._nodes is not None:
            more = {"nodes": [n.to_state() for n in self._nodes.all], "classes": len(panels[0].values),
                    "logits": pack(np.stack([p.logits for p in panels if p.logits is not None]), "float32")}
        return {"maps": pack(np.concatenate([p.values.ravel() for p in panels]), "float32"), "panels": state,
                "pictures": pack(np.concatenate([p.ravel() for p in pictures]), "uint8"),
                "sheets": [list(p.shape[:2]) for p in pictures], "picture_keys": keys,
                "size": list(panels[0].image.shape[:2]), "rows": self.places.rows,
                "columns": self.places.columns, "score_names": names,
                "notices": shared, "title": self._title(), **more}

    def _title(self) -> str:
        questions = list(dict.fromkeys(p.question for p in self._panels))
        if len(questions) == 1 and questions[0]:
            return questions[0]
        told = [" and ".join(f) for f in (self.places.row_facets, self.places.column_facets) if f]
        return f"{len(self._panels)} maps by {' and '.join(told)}" if told else "1 map"

    # -- checks ----------------------------------------------------------------------------------------------

    @traitlets.validate("reference")
    def _check_reference(self, proposal: dict[str, Any]) -> str:
        asked, known = proposal["value"], self.places.columns
        if asked is None or asked == "":
            return ""
        if hasattr(asked, "__index__") and not isinstance(asked, bool) and -len(known) <= int(asked) < len(known):
            asked = known[int(asked)]
        if asked not in known or len(known) < 2:
            raise InputError(f"reference={asked!r} is no column that others can be compared with; the columns are "
                             f"{', '.join(map(repr, known))}.")
        column = known.index(asked)
        if all(p.blind for p, (_, c) in zip(self._panels, self.places.at, strict=True) if c == column):
            raise InputError(f"reference={asked!r}: its maps do not depend on the question (class-blind), so no map is "
                             "subtracted from them or by them.")
        return str(asked)

    @traitlets.validate("sort")
    def _check_sort(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in ("", *self.score_names):
            raise InputError(f"sort={proposal['value']!r} is no score here; there are "
                             f"{', '.join(map(repr, self.score_names)) or 'none'}.")
        return str(proposal["value"])

    @traitlets.validate("sort_column")
    def _check_sort_column(self, proposal: dict[str, Any]) -> int:
        if not -1 <= proposal["value"] < len(self.places.columns):
            raise InputError(f"sort_column={proposal['value']} must be a column's number, or -1 for the mean over all.")
        return int(proposal["value"])

    @traitlets.validate("target", "foil")
    def _check_side(self, proposal: dict[str, Any]) -> str:
        if self._nodes is None or (proposal["value"] in ("", None) and proposal["trait"].name == "foil"):
            return ""
        known = len(self._nodes.all)
        name = self._nodes.find(proposal["value"]).name
        if len(self._nodes.all) > known:
            self.nodes = [n.to_state() for n in self._nodes.all]
        return name

    @traitlets.observe("target", "foil", "reference")
    def _refit(self, change: Any) -> None:
        """As the browser does: the shared limits fit what is shown; its own changes bring their own limits."""
        if not self._ready or change["name"] in self._property_lock:
            return
        now = self.scale
        if not now.fixed and now.clip != "explicit":
            look = {n: getattr(now, n) for n in ("opacity", "threshold", "smooth", "contour", "fade", "grey")}
            self.scale = Scale.fit(*self.shown_maps(), clip=now.clip, cmap=now.cmap, **look)

    # -- reading ---------------------------------------------------------------------------------------------

    @property
    def heading(self) -> str:
        return mix_title(self.target, self.foil, 0.5 if self.foil else 0) if self._nodes else str(self.title)

    def _sides(self) -> tuple[Node, ...]:
        assert self._nodes is not None
        return tuple(self._nodes.find(name) for name in (self.target, self.foil) if name)

    def _plain(self, *sides: Node) -> list[NDArray[np.float32]]:
        """The maps before any difference between columns."""
        if self._nodes is None:
            return [p.values for p in self._panels]
        sides = sides or self._sides()
        return [_pair(p, sides).mixture(0.5 if len(sides) > 1 else 0) for p in self._panels]

    def subtracted(self, i: int) -> int | None:
        """Which explanation is subtracted from the i-th one now, or None."""
        if not self.reference:
            return None
        row, column = self.places.at[i]
        base = self.places.columns.index(self.reference)
        if column == base or (row, base) not in self.places.at:
            return None
        other = self.places.at.index((row, base))
        p, q = self._panels[i], self._panels[other]
        return None if p.blind or q.blind or p.grid != q.grid else other

    def shown_maps(self) -> list[NDArray[np.float32]]:
        plain = self._plain()
        others = [self.subtracted(i) for i in range(len(plain))]
        with np.errstate(invalid="ignore"):  # infinity minus infinity is no number, and is drawn so
            return [m if j is None else (m.astype(np.float64) - plain[j]).astype(np.float32)
                    for m, j in zip(plain, others, strict=True)]

    def shown_map(self) -> NDArray[np.float32]:
        """The map of the panel that was touched last (trait ``active``)."""
        return self.shown_maps()[self.active]

    def shares(self) -> list[Share] | None:
        """What the brushed region holds of each map, in the order of the explanations; None without a region."""
        box = self.selection["box"] if self.selection else None
        return None if box is None else [share_of(m, self._size, box) for m in self.shown_maps()]

    def order(self) -> list[int]:
        """The rows (with one row: the columns) in the order in which they are shown now."""
        along = len(self.places.rows) > 1
        count = len(self.places.rows if along else self.places.columns)
        if not self.sort:
            return list(range(count))
        k = self.score_names.index(self.sort)
        values: list[list[float]] = [[] for _ in range(count)]
        for panel, (row, column) in zip(self.panels, self.places.at, strict=True):
            number = self._score(panel, row, column, k)
            if number is not None and (not along or self.sort_column in (-1, column)):
                values[row if along else column].append(number)
        mean = [sum(v) / len(v) if v else None for v in values]
        sign = -1 if self.descending else 1
        return sorted(range(count), key=lambda i: (mean[i] is None, sign * (mean[i] or 0.0), i))

    def _score(self, panel: Any, row: int, column: int, k: int) -> float | None:
        if self._nodes is None or self.score_names[k] != SCORE:
            value = panel["scores"][k]
            return None if value is None else float(value)
        sides = self._sides()
        return _pair(self._panels[self.places.at.index((row, column))], sides).score(0.5 if len(sides) > 1 else 0)

    # -- asking ----------------------------------------------------------------------------------------------

    def _tie(self) -> None:
        if "question" in self.links:
            super()._tie()
        else:
            View._tie(self)

    def asked(self) -> dict[str, str]:
        return {"target": self.target, "foil": self.foil, "source": self.source}

    def _take(self, target: str, foil: str) -> None:
        assert self._nodes is not None
        try:
            a, b = self._nodes.find(target).name, self._nodes.find(foil).name if foil else ""
        except QuestionError:
            return
        self.target, self.foil = a, b

    @traitlets.observe("target", "foil")
    def _asked_here(self, change: Any) -> None:
        if self._ready and change["name"] not in self._property_lock and self._nodes is not None:
            self._tell()

    # -- keeping ---------------------------------------------------------------------------------------------

    def page_state(self) -> dict[str, Any]:
        """The state as an exported page keeps it: large maps as float16, with the error in words, pictures packed."""
        state: dict[str, Any] = self.get_state()
        values = np.concatenate([p.values.ravel() for p in self._panels])
        said = []
        if values.nbytes > LITTLE:
            state["maps"], error = compact_maps(values, [p.values.size for p in self._panels])
            said.append(f"This page keeps the maps as float16: largest error {percent(error)} of a map's range.")
        if sum(p.nbytes for p in self._pictures) > LITTLE // 4:
            state["pictures"], exact = compact_pictures(self._pictures)
            said += [] if exact else ["Its pictures are JPEG of quality 90."]
        state["stored"] = " ".join(said)
        return state

    @property
    def alt(self) -> str:
        rows, columns = self.places.rows, self.places.columns
        size = f"{len(rows)} × {len(columns)}" if len(rows) > 1 else str(len(columns))
        said = f"{size} maps over pictures. {self.heading}"
        return f"{said} Columns: {', '.join(columns)}." + (f" Rows: {', '.join(rows)}." if len(rows) > 1 else "")

    def figure(self, *, width: str | float | None = None) -> Figure:
        """All maps in their rows and columns, with one colour bar, or one limit under each.

        width: of a column, by name or in inches (`salwidgets.figures.width_of`).
        """
        from ..grid_figure import grid_figure

        maps = self.shown_maps()
        scale: Scale | list[Scale] = [Scale.fit(m, clip=_rule(self.scale), cmap=self.scale.cmap) for m in maps] \
            if self.each else self.scale
        order, along = self.order(), len(self.places.rows) > 1
        rank = {k: i for i, k in enumerate(order)}
        at = [(rank[r], c) if along else (r, rank[c]) for r, c in self.places.at]
        labels = self.places.rows, self.places.columns
        rows, columns = ([labels[0][i] for i in order], labels[1]) if along else (labels[0], [labels[1][i] for i in order])
        lines = [self.heading, f"Differences to {self.reference}." if self.reference else "",
                 *dict.fromkeys(p.caption for p in self._panels)]
        box = self.selection["box"] if self.selection else None
        return grid_figure(maps, [p.image for p in self._panels], at, rows, columns, scale,
                           lines=[line for line in lines if line], box=box, size=self._size, width=width,
                           heading=self.heading, alt=lambda: self.alt,
                           regions=self.regions if len(self._pictures) == 1 else None)


def _wants_each(scale: Any) -> bool:
    if isinstance(scale, Scale) or scale in ("shared", "each"):
        return bool(not isinstance(scale, Scale) and scale == "each")
    raise InputError(f"scale={scale!r}: choose 'shared', 'each', or give a salwidgets Scale.")


def _pair(panel: Panel, sides: tuple[Node, ...]) -> Pair:
    assert panel.logits is not None
    return pair_of(panel.values, panel.logits, sides[0], sides[-1])


def _rule(scale: Scale) -> str:
    return "pixels:99.5" if scale.clip == "explicit" else scale.clip


__all__ = ["Comparison", "Panel"]
