"""`ConceptView`: the concepts of an extractor as rows: what shows them best, how much they matter, and where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets
from numpy.typing import NDArray

from ..errors import InputError, SalwidgetsError
from ..scale import Scale
from .base import View
from .cluster_points import check_names, known
from .link import Link
from .pictures import keys_of, picture_of, sheet, small
from .wire import LARGEST, pack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("importance", "prevalence", "reliability", "name")
#: pictures of the view's own on which a concept is lit
_SHOWN = 8


class ConceptView(View):
    """Shows fitted concepts: crops that show each best, its importance, prevalence and reliability.

    extractor: a fitted `salwidgets.concepts.ConceptExtractor`. images: pictures to light concepts on: what the extractor
        takes, or explanations; by default some that it learnt from. Pictures of views that are linked (`Heatmap`,
        `Comparison`, `Layers`, what has explanations) are looked at when they are, one forward pass each, if the extractor
        has its model; the maps travel with the view, so that no kernel is needed to light them.
    crops: crops per concept, at most 24. sort: "importance" (by size, whatever its sign), "prevalence", "reliability" or
        "name"; descending: largest first. link: a `Link`, or a view whose selection is shared.

    A concept under the pointer or the focus is lit wherever it reaches half of its largest value in that picture, and at
    least an eighth of its largest anywhere (ours). Traits: ``names`` (written back to the extractor, so that sentences,
    figures and other views use them), ``concept`` (the one that stays lit, -1 for none), ``sort``, ``descending``. All may
    be set. Raises `InputError`.
    """

    aspects: ClassVar[tuple[str, ...]] = ("selection",)

    rows: Any = traitlets.List().tag(sync=True)
    names: Any = traitlets.List().tag(sync=True)
    sort = traitlets.Unicode("importance").tag(sync=True)
    descending = traitlets.Bool(True).tag(sync=True)
    concept = traitlets.Int(-1).tag(sync=True)
    crops = traitlets.Dict().tag(sync=True, echo_update=False)
    counts: Any = traitlets.List().tag(sync=True)
    shown = traitlets.Dict().tag(sync=True, echo_update=False)
    maps = traitlets.Dict().tag(sync=True, echo_update=False)
    title = traitlets.Unicode().tag(sync=True)
    caption = traitlets.Unicode().tag(sync=True)
    notices: Any = traitlets.List().tag(sync=True)
    family = traitlets.Unicode().tag(sync=True)

    def __init__(self, extractor: Any, images: Any = None, *, crops: int = 6, sort: str = "importance",
                 descending: bool = True, title: str | None = None, link: Link | View | None = None) -> None:
        self._ready = False
        self.extractor = _checked(extractor)
        if isinstance(crops, bool) or not isinstance(crops, int) or not 1 <= crops <= 24:
            raise InputError(f"crops={crops!r}; give a whole number from 1 to 24.")
        best = [extractor.best_crops(k, crops) for k in range(len(extractor.components_))]
        self._most = [float(b[0].strength) if b else 0.0 for b in best]
        pictures, keys, maps = self._examples(images, best)
        self._keys, self._maps = keys, [self._bytes(m) for m in maps]
        super().__init__(
            scale=Scale(), link=None, image=np.full((1, 1, 3), 128, np.uint8), _view="concepts", picture_keys=list(keys),
            rows=_rows(extractor), names=[str(n) for n in extractor.names_], sort=sort, descending=descending,
            crops=sheet(small([c.thumbnail for b in best for c in b if c.thumbnail is not None])),
            counts=[sum(c.thumbnail is not None for c in b) for b in best], shown=sheet(small(pictures)),
            maps=self._packed(), title=_title(extractor) if title is None else str(title), caption=_caption(extractor),
            notices=[str(n) for n in getattr(extractor, "notices_", ())], family=family_of(extractor))
        self._ready = True
        if link is not None:
            if not isinstance(link, (Link, View)):
                raise InputError(f"link= takes a Link or a view, not {type(link).__name__}.")
            self.join({"selection": link if isinstance(link, Link) else link.links["selection"]})

    # -- maps of pictures ------------------------------------------------------------------------------------

    def _examples(self, images: Any, best: list[Any]) -> tuple[list[Any], list[str], list[NDArray[np.float32]]]:
        """The view's own pictures with their keys and maps `[K, h, w]`."""
        e = self.extractor
        if images is not None:
            given = list(images) if _are_explanations(images) else None
            found = e.transform(_inputs(given)) if given else None
            if found is None:
                per = e.maps(images)
                step = len(e.components_)
                given = [per[i] for i in range(0, len(per), step)]
                found = np.stack([np.asarray(x.values, np.float32) for x in per])
                found = found.reshape(len(given), step, *found.shape[1:])
            return [picture_of(x) for x in given or ()], [keys_of(x) for x in given or ()], list(found)
        if getattr(e, "images_", None) is None or getattr(e, "coefficients_", None) is None:
            return [], [], []
        firsts = [int(best[int(k)][0].image) for k in np.argsort(-np.abs(e.importance_), kind="stable") if best[int(k)]]
        which = list(dict.fromkeys(firsts))[:_SHOWN]
        return [e.images_[i] for i in which], [""] * len(which), [np.asarray(e.coefficients_[i], np.float32) for i in which]

    def _bytes(self, maps: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Maps `[K, h, w]` as shares of what each concept reaches anywhere, 255 for all of it."""
        most = np.maximum(self._most, [m.max(initial=0) for m in maps]).clip(min=1e-30)
        return np.rint(255 * np.clip(np.nan_to_num(maps) / most[:, None, None], 0, 1)).astype(np.uint8)

    def _packed(self) -> dict[str, Any]:
        flat = np.concatenate([np.zeros(0, np.uint8), *(m.ravel() for m in self._maps)])
        if flat.nbytes > LARGEST:
            raise InputError(f"the concept maps of {len(self._maps)} pictures are too many for a browser; give fewer.")
        return {**pack(flat, "uint8"), "shapes": [list(m.shape[1:]) for m in self._maps]}

    def met(self) -> None:
        """Concept maps of pictures that linked views show and that are not known yet."""
        if not self.__dict__.get("_ready"):
            return
        have = {key for keys in self._keys for key in keys.split()}
        new: dict[str, Any] = {}
        for view in list(self.links["selection"].views):
            for e in shown_by(view):
                keys = keys_of(e)
                if not have & set(keys.split()):
                    new.setdefault(keys, e)
        for group in _by_shape(new):
            try:
                found = self.extractor.transform(_inputs([new[k] for k in group]))
            except SalwidgetsError as e:
                self.notices = list(dict.fromkeys([*self.notices, f"Concepts cannot be lit in all linked views: {e}"]))
                continue
            self._keys += group
            self._maps += [self._bytes(m) for m in found]
        if len(self._keys) > len(self.picture_keys):
            with self.hold_sync():
                self.maps, self.picture_keys = self._packed(), list(self._keys)

    # -- names -----------------------------------------------------------------------------------------------

    @traitlets.validate("names")
    def _check_names(self, proposal: dict[str, Any]) -> list[str]:
        return check_names(proposal["value"], len(self.extractor.names_))

    @traitlets.observe("names")
    def _rename(self, change: Any) -> None:
        if not self._ready:
            return
        for k, name in enumerate(self.names):
            if str(self.extractor.names_[k]) != name:
                self.extractor.rename(k, name)
        for view in list(self.links["selection"].views):
            view.renamed(self.extractor)

    def renamed(self, extractor: Any) -> None:
        """Another view gave the concepts other names."""
        if extractor is self.extractor:
            self.names = [str(n) for n in extractor.names_]

    @traitlets.validate("sort")
    def _check_sort(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in COLUMNS:
            raise InputError(f"sort={proposal['value']!r}: choose one of {', '.join(COLUMNS)}.")
        return str(proposal["value"])

    @traitlets.validate("concept")
    def _check_concept(self, proposal: dict[str, Any]) -> int:
        if not -1 <= proposal["value"] < len(self.extractor.names_):
            raise InputError(f"concept={proposal['value']}: choose 0 to {len(self.extractor.names_) - 1}, or -1 for none.")
        return int(proposal["value"])

    # -- reading ---------------------------------------------------------------------------------------------

    def page_state(self) -> dict[str, Any]:
        """The state as an exported page keeps it, with the names that the extractor has now."""
        self.renamed(self.extractor)
        state: dict[str, Any] = self.get_state()
        return state

    def order(self) -> list[int]:
        """The concepts in the order in which they are shown now; what is not known comes last."""
        if self.sort == "name":
            found = sorted(range(len(self.names)), key=lambda k: (self.names[k].casefold(), k))
            return found[::-1] if self.descending else found
        sign = -1 if self.descending else 1
        values = [row[self.sort] for row in self.rows]
        return sorted(range(len(values)), key=lambda k: (values[k] is None, sign * abs(values[k] or 0.0), k))

    @property
    def heading(self) -> str:
        return str(self.title)

    def shown_maps(self) -> list[NDArray[np.float32]]:
        return []

    def shown_map(self) -> NDArray[np.float32]:
        return np.zeros((1, 1), np.float32)

    @property
    def alt(self) -> str:
        values = [(self.names[k], self.rows[k]["importance"]) for k in self.order()]
        rows = [name if value is None else f"{name} {value:.3g}" for name, value in values]
        return f"{self.heading} Concepts and their importance: {', '.join(rows)}."

    def figure(self, *, width: str | float | None = None) -> Figure:
        """The rows as they are sorted now, for print.

        width: of a column, by name or in inches (`salwidgets.figures.width_of`); fewer crops are shown where it is narrow.
        """
        from ..concepts.concept_figures import concept_figure

        self.renamed(self.extractor)
        figure: Any = concept_figure(self.extractor, max([1, *self.counts]), self.order(), width)
        figure.heading, figure._alt = self.heading, lambda: self.alt
        return figure.settle()


def family_of(extractor: Any) -> str:
    """A name that views of one extractor share, in this session."""
    return f"{id(extractor):x}"


def shown_by(view: Any) -> list[Any]:
    """The explanations of images that a view shows."""
    if isinstance(view, ConceptView):
        return []
    known = [view.__dict__.get("explanation"), *view.__dict__.get("explanations", ()), *view.__dict__.get("_given", ())]
    return [e for e in (getattr(k, "explanation", k) for k in known)
            if hasattr(e, "input_sha256") and np.ndim(e.values) == 2 and np.ndim(e.input) == 3]


def _by_shape(new: dict[str, Any]) -> list[list[str]]:
    groups: dict[tuple[int, ...], list[str]] = {}
    for key, e in new.items():
        groups.setdefault(np.shape(e.input), []).append(key)
    return list(groups.values())


def _are_explanations(images: Any) -> bool:
    from ..explanation import Explanations

    many = isinstance(images, (list, tuple, Explanations)) and len(images) > 0
    return many and all(hasattr(e, "input_sha256") for e in images)


def _inputs(explanations: list[Any]) -> Any:
    import torch

    return torch.from_numpy(np.stack([np.asarray(e.input, np.float32) for e in explanations]))


def _checked(extractor: Any) -> Any:
    if not hasattr(extractor, "best_crops") or not hasattr(extractor, "transform"):
        raise InputError(f"ConceptView shows a fitted sw.concepts.ConceptExtractor, not {type(extractor).__name__}.")
    if not hasattr(extractor, "components_"):
        raise InputError("this ConceptExtractor has not learnt anything yet; call fit(images, cls) first.")
    return extractor


def _rows(extractor: Any) -> list[dict[str, float | None]]:
    columns = {name: getattr(extractor, f"{name}_") for name in COLUMNS[:3]}
    return [{name: known(values[k]) for name, values in columns.items()} for k in range(len(extractor.components_))]


def _title(extractor: Any) -> str:
    n, asked = len(extractor.components_), getattr(extractor, "question_", None)
    return f"{n} concept{'s'[:n != 1]}: {asked}" if asked is not None and str(asked) else f"{n} concept{'s'[:n != 1]}"


def _caption(extractor: Any) -> str:
    kind = extractor.importance if isinstance(getattr(extractor, "importance", None), str) else ""
    said = {"sobol": "importance: total Sobol index", "": ""}.get(kind, f"importance: {kind}")
    n = len(getattr(extractor, "leading_", ()))
    return " · ".join(filter(None, (str(getattr(extractor, "layer_", "")), f"{n:,} images" if n else "", said)))
