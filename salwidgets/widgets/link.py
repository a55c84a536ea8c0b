"""What linked views share: a small model without a view, and `link`, which makes views share one.

A `Link` lives in the browser as well. Views listen to it there, so touching one view moves the others while the
kernel is busy, and in a page that has no kernel.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from ..errors import InputError
from ..scale import Scale

if TYPE_CHECKING:
    from .base import View

#: what maps share when they are linked
SHARED = ("cursor", "view", "selection", "scale")
ASPECTS = (*SHARED, "question")


class Link(anywidget.AnyWidget):
    """Shared state of views. Coordinates are pixels of the image, boxes are (row0, column0, row1, column1).

    cursor: ``{"row", "col", "pinned"}`` or None. selection: ``{"kind": "box", "box", "source"}`` or None.
    highlight: the part of the picture that a sentence speaks of, or None: ``{"source", "key", "area", "edge",
    "relation"}`` with SVG paths; made in the browser, shared with the selection. One that means several pictures has
    ``"parts"`` by picture in place of paths.
    picked: pictures that were picked among many, or None: ``{"source", "keys"}``; shared with the selection.
    regions: boxes that were named, ``{name: (row0, column0, row1, column1)}``; shared with the selection.
    view: the box that is zoomed to, or None. scale: `Scale.to_state()`. threshold: share of the limit.
    question: ``{"target", "foil", "source"}``, names of nodes, the foil "" for none; None while nobody asks through it.
    """

    _esm = "export default {};"
    cursor = traitlets.Instance(dict, allow_none=True).tag(sync=True, echo_update=False)
    selection = traitlets.Instance(dict, allow_none=True).tag(sync=True)
    highlight = traitlets.Instance(dict, allow_none=True).tag(sync=True, echo_update=False)
    picked = traitlets.Instance(dict, allow_none=True).tag(sync=True, echo_update=False)
    regions = traitlets.Dict().tag(sync=True, echo_update=False)
    view = traitlets.Instance(list, allow_none=True).tag(sync=True)
    scale = traitlets.Dict().tag(sync=True, echo_update=False)
    threshold = traitlets.Float(0.0).tag(sync=True, echo_update=False)
    question = traitlets.Instance(dict, allow_none=True).tag(sync=True, echo_update=False)

    def __init__(self, scale: Scale) -> None:
        self.views: weakref.WeakSet[View] = weakref.WeakSet()
        super().__init__(scale=scale.to_state(), threshold=scale.threshold)

    def leave(self, view: View) -> None:
        """The view follows this link no more; nobody's link is closed."""
        self.views.discard(view)
        if not self.views:
            self.close()

    def close(self) -> None:
        """Close the link's comm, and that of the layout that every widget has."""
        layout = None if self.comm is None else self.layout
        super().close()
        if layout is not None:
            layout.close()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        names = ", ".join(sorted(type(v).__name__ for v in self.views))
        return {"text/plain": f"Link({names})"}, {}


def link(*widgets: View, what: Iterable[str] | None = None) -> Link:
    """Make views share cursor, zoom, region and scale; works before and after they are displayed.

    widgets: two or more of this package's views, in any cells. what: some of "cursor", "view", "selection", "scale"
    (limits, colours and threshold; the shared limits are fitted on all maps together) and "question" (target and foil).
    By default the first four, and the question if one of the views is made to ask (`ClassTree`). Views that were linked to
    one of these before stay linked. Returns the shared `Link`. Raises `InputError`.
    """
    _check(widgets)
    aspects = _wanted(widgets, what)
    first = widgets[0]
    shared = Link(first.scale)
    groups = {a: _group([w for w in widgets if a in w.aspects], a) for a in aspects}
    for aspect in aspects:
        if aspect == "scale":
            like = next(w for w in widgets if aspect in w.aspects)
            shared.scale = _pooled(groups[aspect], like.scale).to_state()
        elif aspect == "question":
            asked = [w.links[aspect].question or w.asked() for w in widgets if aspect in w.aspects]
            shared.question = next((q for q in asked if q and q["foil"]), asked[0])
        else:
            like = next(w for w in widgets if aspect in w.aspects)
            setattr(shared, aspect, getattr(like.links[aspect], aspect))
            if aspect == "selection":
                have = [w for w in widgets if aspect in w.aspects]
                shared.regions = {name: box for w in reversed(have) for name, box in w.links[aspect].regions.items()}
                shared.picked = next(filter(None, (w.links[aspect].picked for w in widgets if aspect in w.aspects)), None)
    members = {v for group in groups.values() for v in group}
    for member in members:
        member.join({a: shared for a in aspects if member in groups[a]})
    for member in members:
        ties = [a for a in SHARED if a != "scale" and a in member.aspects]
        partners = {v for a in ties for v in _group([member], a) if "scale" in v.aspects}
        member.own_scale = "scale" in member.aspects and not partners <= set(_group([member], "scale"))
    return shared


def _check(widgets: tuple[View, ...]) -> None:
    from .base import View

    for w in widgets:
        if not isinstance(w, View):
            raise InputError(f"link() joins salwidgets views (Heatmap, Contrast, ...), not {type(w).__name__}.")
    if len(set(widgets)) < 2:
        raise InputError(f"link() needs two or more different views, got {len(set(widgets))}.")


def _wanted(widgets: tuple[View, ...], what: Iterable[str] | None) -> tuple[str, ...]:
    """The aspects to share: those asked for, or all that two or more of these views have."""
    asked = (what,) if isinstance(what, str) else tuple(what) if what is not None else None
    have = {a: [w for w in widgets if a in w.aspects] for a in ASPECTS}
    kinds = " and ".join(sorted({type(w).__name__ for w in widgets}))
    if asked is None:
        found = tuple(a for a in ASPECTS if len(have[a]) > 1 and (a in SHARED or any(w.asks for w in widgets)))
        if not found:
            raise InputError(f"{kinds} have nothing to share. A ClassTree asks questions of views that can answer them in "
                             "the browser, such as Contrast.")
        return found
    if not asked or any(a not in ASPECTS for a in asked):
        raise InputError(f"what={asked!r}: choose some of {', '.join(ASPECTS)}.")
    lonely = [a for a in asked if len(have[a]) < 2]
    if lonely:
        raise InputError(f"what={asked!r}: {lonely[0]!r} needs two views that have one; here {kinds} are linked.")
    return asked


def _group(widgets: Iterable[View], aspect: str) -> list[View]:
    """These views and all that already share ``aspect`` with one of them."""
    found: dict[View, None] = {}
    for w in widgets:
        found[w] = None
        for other in w.links[aspect].views:
            if other.links.get(aspect) is w.links[aspect]:
                found[other] = None
    return list(found)


def _pooled(views: list[View], like: Scale) -> Scale:
    """One scale over the maps of all views, with the look of ``like``."""
    maps = [m for v in views for m in v.shown_maps()]
    look = {name: getattr(like, name) for name in ("opacity", "threshold", "smooth", "contour", "fade", "grey")}
    limits = like.given if like.clip == "explicit" else None
    clip = "pixels:99.5" if like.clip == "explicit" else like.clip
    return Scale.fit(*maps, clip=clip, cmap=like.cmap, limits=limits, fixed=True, **look)
