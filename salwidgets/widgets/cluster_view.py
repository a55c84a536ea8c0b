"""`ClusterView`: many images as points, coloured by the cluster or the concept that leads them, with a lasso."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets
from numpy.typing import NDArray

from ..errors import InputError
from ..scale import Scale
from .base import View
from .cluster_points import NONE, check_names, read
from .concept_view import family_of
from .link import Link
from .pictures import sheet, small
from .wire import LARGEST, pack

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ClusterView(View):
    """Shows images as a scatter: what the model relies on in each, and which groups of images it answers alike.

    given: a fitted `salwidgets.concepts.StrategyGraph` (images by concept importance, coloured by their leading concept) or
        fitted `ExplanationClusters`. Or plain arrays in its place:
    points: `[N, 2]`, finite. labels: the group of each point, `[N]` of names or numbers; -1 and None stand for no group.
    names: names of the groups, in the order of the sorted labels. thumbnails: small pictures, uint8 `[N, h, w, 3]` or a
        list. images: the pictures themselves (uint8 arrays, PIL images, or explanations), one per point: linked views
        recognise theirs among the picked ones by them; thumbnails are made of them. captions: a text for each point.
    correct: whether the model was right on each image (NaN: not known). edges: pairs of points `[E, 2]`.
    link: a `Link`, or a view whose selection is shared. title: the heading.

    Colour and shape tell the group, a hollow mark a wrong answer. Traits: ``selected`` (points picked with the lasso, list
    of int; told once, at the end of the gesture), ``cluster`` (the group that is shown beside the points, -1 for none),
    ``hidden`` (groups switched off in the legend), ``names`` (of the groups; with a graph they are the names of its
    extractor's concepts). All may be set. Raises `InputError`.

    >>> import numpy as np
    >>> view = sw.ClusterView(points=np.eye(3, 2), labels=["ear", "ear", "tail"])
    >>> view.sizes
    {'ear': 2, 'tail': 1}
    """

    aspects: ClassVar[tuple[str, ...]] = ("selection",)

    points = traitlets.Dict().tag(sync=True, echo_update=False)
    of = traitlets.Dict().tag(sync=True, echo_update=False)
    correct = traitlets.Dict().tag(sync=True, echo_update=False)
    edges = traitlets.Dict().tag(sync=True, echo_update=False)
    maps = traitlets.Dict().tag(sync=True, echo_update=False)
    sheet = traitlets.Dict().tag(sync=True, echo_update=False)
    captions: Any = traitlets.List().tag(sync=True)
    groups: Any = traitlets.List().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    about: Any = traitlets.Dict().tag(sync=True)
    names: Any = traitlets.List().tag(sync=True)
    family = traitlets.Unicode().tag(sync=True)
    selected: Any = traitlets.List(traitlets.Int()).tag(sync=True)
    cluster = traitlets.Int(-1).tag(sync=True)
    hidden: Any = traitlets.List(traitlets.Int()).tag(sync=True)

    def __init__(self, given: Any = None, *, points: Any = None, labels: Any = None, names: Sequence[str] | None = None,
                 thumbnails: Any = None, images: Any = None, captions: Any = None, correct: Any = None, edges: Any = None,
                 title: str | None = None, link: Link | View | None = None) -> None:
        found = read(given, points, labels, names=names, thumbnails=thumbnails, images=images, captions=captions,
                     correct=correct, edges=edges)
        self._ready = False
        self._found, self._extractor = found, getattr(given, "extractor", None)
        self._picked: Link | None = None
        maps = _signed(found.groups)
        pictures = [] if found.thumbnails is None else small(found.thumbnails)
        state = sheet(pictures)
        if len(state["view"]) > LARGEST:
            raise InputError(f"the pictures of {len(found.points):,} points are too many for a browser; give fewer points.")
        super().__init__(
            scale=Scale.fit(maps, fade=False, opacity=1.0) if maps.size else Scale(), link=None,
            image=np.full((1, 1, 3), 128, np.uint8), _view="clusters",
            picture_keys=found.keys if all(found.keys) else [],
            points=pack(found.points, "float32"), of=pack(np.where(found.of < 0, 65535, found.of), "uint16"),
            correct=pack(found.correct.view(np.uint8), "uint8"), edges=pack(found.edges, "uint32"), sheet=state,
            maps=pack(maps, "float32"), captions=found.captions, groups=[_state(g) for g in found.groups],
            title=str(found.title if title is None else title), names=[g.name for g in found.groups],
            family="" if self._extractor is None else family_of(self._extractor),
            about={"noun": found.noun, "figure": found.figure, "axes": found.axes, "none": NONE})
        self._pictures = pictures
        self._ready = True
        if link is not None:
            if not isinstance(link, (Link, View)):
                raise InputError(f"link= takes a Link or a view, not {type(link).__name__}.")
            self.join({"selection": link if isinstance(link, Link) else link.links["selection"]})

    # -- checks ----------------------------------------------------------------------------------------------

    @traitlets.validate("names")
    def _check_names(self, proposal: dict[str, Any]) -> list[str]:
        return check_names(proposal["value"], len(self._found.groups))

    @traitlets.validate("selected")
    def _check_selected(self, proposal: dict[str, Any]) -> list[int]:
        n, chosen = len(self._found.points), sorted(set(proposal["value"]))
        if chosen and not 0 <= chosen[0] <= chosen[-1] < n:
            wrong = chosen[0] if chosen[0] < 0 else chosen[-1]
            raise InputError(f"selected holds {wrong}; points are numbered 0 to {n - 1}.")
        return chosen

    @traitlets.validate("cluster")
    def _check_cluster(self, proposal: dict[str, Any]) -> int:
        if not -1 <= proposal["value"] < len(self._found.groups):
            raise InputError(f"cluster={proposal['value']}: choose 0 to {len(self._found.groups) - 1}, or -1 for none.")
        return int(proposal["value"])

    @traitlets.validate("hidden")
    def _check_hidden(self, proposal: dict[str, Any]) -> list[int]:
        return sorted({k for k in proposal["value"] if 0 <= k <= len(self._found.groups)})

    # -- sharing ---------------------------------------------------------------------------------------------

    def _tie(self) -> None:
        if self._picked is not None:
            self._picked.unobserve(self._take, "picked")
        super()._tie()
        self._picked = self.links["selection"]
        self._picked.observe(self._take, "picked")

    @traitlets.observe("selected")
    def _tell(self, change: Any) -> None:
        """Linked views hear of the picked pictures; the browser has told them already if the lasso was drawn there."""
        if self._ready and self._picked is not None:
            keys = [key for i in self.selected for key in self.picture_keys[i].split()] if self.picture_keys else []
            now = {"source": self.source, "keys": keys} if self.selected else None
            if (self._picked.picked or {}).get("keys") != (now or {}).get("keys"):
                self._picked.picked = now

    def _take(self, change: Any) -> None:
        """Another view picked pictures: those of them that are here."""
        now = change["new"]
        if not self._ready or not self.picture_keys or (now or {}).get("source") == self.source:
            return
        wanted = set((now or {}).get("keys", ()))
        self._ready = False  # what was heard is not told again
        self.selected = [i for i, keys in enumerate(self.picture_keys) if not wanted.isdisjoint(keys.split())]
        self._ready = True

    @traitlets.observe("names")
    def _rename(self, change: Any) -> None:
        if not self._ready:
            return
        for group, name in zip(self._found.groups, self.names, strict=True):
            group.name = name
        if self._extractor is not None:
            for k, name in enumerate(self.names):
                if str(self._extractor.names_[k]) != name:
                    self._extractor.rename(k, name)
            for view in list(self.links["selection"].views):
                view.renamed(self._extractor)

    def renamed(self, extractor: Any) -> None:
        """A linked `ConceptView` gave concepts other names."""
        if self._extractor is not None and extractor is self._extractor:
            self.names = [str(n) for n in extractor.names_]

    # -- reading ---------------------------------------------------------------------------------------------

    def page_state(self) -> dict[str, Any]:
        """The state as an exported page keeps it, with the names that the extractor has now."""
        self.renamed(self._extractor)
        state: dict[str, Any] = self.get_state()
        return state

    @property
    def sizes(self) -> dict[str, int]:
        """How many images each group holds, by name."""
        return {g.name: g.size for g in self._found.groups}

    @property
    def labels(self) -> list[str]:
        """The name of the group of each point."""
        return [NONE if k < 0 else self._found.groups[k].name for k in self._found.of]

    @property
    def heading(self) -> str:
        return str(self.title)

    def shown_maps(self) -> list[NDArray[np.float32]]:
        return [m for g in self._found.groups for m in g.maps]

    def shown_map(self) -> NDArray[np.float32]:
        maps = self._found.groups[max(0, self.cluster)].maps
        return maps[0] if maps else np.zeros((1, 1), np.float32)

    @property
    def alt(self) -> str:
        groups = [f"{g.name} ({g.size})" for g in self._found.groups if g.size]
        picked = f" {len(self.selected)} are picked." if self.selected else ""
        group = self._found.groups[self.cluster] if self.cluster >= 0 else None
        shown = f" Shown: {group.sentence or group.name}" if group else ""
        return (f"{len(self._found.points):,} images as points. {self.heading} Groups and their numbers of images: "
                f"{', '.join(groups)}.{picked}{shown}")

    def figure(self, *, width: str | float | None = None) -> Figure:
        """The points with their legend; with a picked cluster, its maps and exemplar beside or below them.

        width: of a column, by name or in inches (`salwidgets.figures.width_of`).
        """
        from .cluster_figure import cluster_figure

        self.renamed(self._extractor)
        return cluster_figure(self._found, self.heading, self._pictures, self.selected, self.cluster, self.hidden,
                              width=width, alt=lambda: self.alt)


def _state(g: Any) -> dict[str, Any]:
    return {"size": g.size, "accuracy": g.accuracy, "probability": g.probability, "share": g.share, "sentence": g.sentence,
            "exemplar": g.exemplar, "unreliable": g.unreliable}


def _signed(groups: Sequence[Any]) -> NDArray[np.float32]:
    """Favourable (>= 0) and unfavourable (<= 0) map of every group, float32 `[G, 2, h, w]`; empty where there is none."""
    if not groups or not all(len(g.maps) == 2 for g in groups):
        return np.zeros((0, 2, 1, 1), np.float32)
    return np.abs(np.stack([np.stack(g.maps) for g in groups])) * np.array([1, -1], np.float32)[:, None, None]

