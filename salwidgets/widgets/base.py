"""What every view has in common: the bundle, the links, pages, figures, a picture that stays without a kernel."""

from __future__ import annotations

import base64
import io
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import numpy as np
import traitlets
from numpy.typing import NDArray

from ..errors import InputError
from ..regions import Share, mask_of, share_of
from ..scale import Scale
from .link import ASPECTS, SHARED, Link
from .pictures import keys_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STATIC = Path(__file__).parent / "static"


def _refs(links: dict[str, Link], _owner: object) -> dict[str, str]:
    return {aspect: f"anywidget:{link.model_id}" for aspect, link in links.items()}


class View(anywidget.AnyWidget):
    """Base of all widgets. What views share lives in `Link` models; ``cursor``, ``selection`` and ``zoom`` mirror it.

    cursor: ``{"row", "col", "pinned"}`` in image pixels, or None.
    selection: ``{"kind": "box", "box": [row0, column0, row1, column1], "source": id}`` in image pixels, or None.
    regions: boxes that somebody named, ``{name: [row0, column0, row1, column1]}``; sentences and tables use the names.
    """

    #: what this view can share; ``asks``: linking it shares the question too
    aspects: ClassVar[tuple[str, ...]] = SHARED
    asks: ClassVar[bool] = False

    _esm = STATIC / "widget.js"
    _css = STATIC / "widget.css"
    _view = traitlets.Unicode().tag(sync=True)
    source = traitlets.Unicode().tag(sync=True)
    links = traitlets.Dict().tag(sync=True, to_json=_refs)
    own_scale = traitlets.Bool(False).tag(sync=True)
    picture = traitlets.Dict().tag(sync=True, echo_update=False)
    picture_keys: Any = traitlets.List().tag(sync=True)
    cursor = traitlets.Instance(dict, allow_none=True)
    selection = traitlets.Instance(dict, allow_none=True).tag(sync=True, echo_update=False)
    zoom = traitlets.Instance(list, allow_none=True)
    regions = traitlets.Dict()

    def __init__(self, *, scale: Scale, link: Link | None, image: NDArray[np.uint8], **traits: Any) -> None:
        if link is not None and not isinstance(link, Link):
            raise InputError(f"link= takes the Link that sw.link() returned, not {type(link).__name__}.")
        if not isinstance(scale, Scale):
            raise InputError(f"scale must be a salwidgets Scale, not {type(scale).__name__}; see Scale.fit(map).")
        self._image = image
        self._ties: dict[str, Any] = {}
        shared = link or Link(scale)
        has = ASPECTS if "question" in self.aspects else SHARED
        traits.setdefault("picture_keys", [keys_of(self._known(), image)])
        super().__init__(links=dict.fromkeys(has, shared), source=uuid.uuid4().hex[:12], **traits)
        self._tie()

    # -- sharing ---------------------------------------------------------------------------------------------

    def join(self, links: dict[str, Link]) -> None:
        """Follow other links for some aspects; `salwidgets.link` calls this."""
        left = set(self.links.values()) - set(links.values())
        self.links = {**self.links, **links}
        self._tie()
        for shared in left - set(self.links.values()):
            shared.leave(self)

    def _tie(self) -> None:
        for tie in self._ties.values():
            tie.unlink()
        mirrored = {"cursor": "cursor", "selection": "selection", "view": "zoom"}
        self._ties = {a: traitlets.link((self.links[a], a), (self, own)) for a, own in mirrored.items()}
        self._ties["regions"] = traitlets.link((self.links["selection"], "regions"), (self, "regions"))
        for shared in self.links.values():
            shared.views.add(self)
        for view in {v for shared in set(self.links.values()) for v in shared.views}:
            view.met()

    def _known(self) -> Any:
        """An explanation of the picture, if the view holds one: other views recognise the picture by its input, too."""
        return self.__dict__.get("explanation") or next(iter(self.__dict__.get("explanations", ())), None)

    def met(self) -> None:
        """Another view joined one of this view's links, or this view a link."""

    def renamed(self, extractor: Any) -> None:
        """A linked view gave the concepts of an extractor other names."""

    def asked(self) -> dict[str, str] | None:
        """The question as `Link.question` holds it; None for views that do not share theirs."""
        return None

    @property
    def scale(self) -> Scale:
        """How the map is shown now, limits included; assign a `Scale` to change it in all views that share it."""
        shared = self.links["scale"]
        return Scale.from_state(shared.scale, shared.threshold)

    @scale.setter
    def scale(self, scale: Scale) -> None:
        if not isinstance(scale, Scale):
            raise InputError(f"scale must be a salwidgets Scale, not {type(scale).__name__}; see Scale.fit(map).")
        shared = self.links["scale"]
        shared.scale, shared.threshold = scale.to_state(), scale.threshold

    @traitlets.validate("selection")
    def _check_selection(self, proposal: dict[str, Any]) -> dict[str, Any] | None:
        value = proposal["value"]
        if value is None:
            return None
        box = value.get("box")
        if not isinstance(box, (list, tuple)) or len(box) != 4 or not (box[0] < box[2] and box[1] < box[3]):
            raise InputError(f"selection needs 'box': [row0, column0, row1, column1] with row0 < row1 and column0 < "
                             f"column1, in image pixels; got {box!r}.")
        return {"kind": "box", "box": list(box), "source": value.get("source", "python")}

    # -- reading ---------------------------------------------------------------------------------------------

    @traitlets.validate("regions")
    def _check_regions(self, proposal: dict[str, Any]) -> dict[str, list[float]]:
        return {str(name).strip(): _checked_box(name, box) for name, box in dict(proposal["value"]).items()}

    def region_masks(self) -> dict[str, NDArray[np.bool_]]:
        """The named regions as bool `[H, W]` over the image, as ``units=`` of `verbalize` takes them."""
        return {name: mask_of(self._size, box) for name, box in self.regions.items()}

    def region_shares(self) -> dict[str, Share]:
        """What each named region holds of the raw map."""
        return {name: share_of(self.shown_map(), self._size, box) for name, box in self.regions.items()}

    def shown_maps(self) -> list[NDArray[np.float32]]:
        """The maps that this view's scale has to fit, float32 `[h, w]` each."""
        raise NotImplementedError

    def shown_map(self) -> NDArray[np.float32]:
        """The raw map `[h, w]` that `share` is about."""
        raise NotImplementedError

    @property
    def share(self) -> Share | None:
        """What the brushed region holds of the raw map, or None without a region."""
        if self.selection is None:
            return None
        return share_of(self.shown_map(), self._size, self.selection["box"])

    def region_mask(self) -> NDArray[np.bool_]:
        """The brushed region as bool `[H, W]` over the image; all False without a region."""
        return mask_of(self._size, self.selection["box"] if self.selection else None)

    @property
    def _size(self) -> tuple[int, int]:
        return int(self._image.shape[0]), int(self._image.shape[1])

    def close(self) -> None:
        """Close the view, and the links that no other open view follows: no comm stays behind."""
        for tie in getattr(self, "_ties", {}).values():
            tie.unlink()
        self._ties = {}
        for shared in set(self.links.values()):
            shared.leave(self)
        layout = None if self.comm is None else self.layout
        super().close()
        if layout is not None:
            layout.close()

    # -- keeping ---------------------------------------------------------------------------------------------

    def figure(self) -> Figure:
        """A matplotlib figure of what the view shows now, for print."""
        raise NotImplementedError

    def save_html(self, path: str | Path, *, title: str | None = None) -> Path:
        """One self-contained page with this view: no network, no kernel. Returns the path."""
        from .export import save_page

        return save_page([self], path, title=title or self.heading)

    @property
    def heading(self) -> str:
        """The question in words."""
        raise NotImplementedError

    @property
    def alt(self) -> str:
        """What the view shows now, for a reader who cannot see its picture."""
        return self.heading

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The live view, and a picture for places that cannot run one (GitHub, PDF, after a restart)."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        png = io.BytesIO()
        self.figure().savefig(png, format="png", dpi=80)
        picture = base64.b64encode(png.getvalue()).decode()
        metadata = {**metadata, "image/png": {"alt": self.alt}}
        return {**data, "text/plain": f"{type(self).__name__}: {self.heading}", "image/png": picture}, metadata


def _checked_box(name: Any, box: Any) -> list[float]:
    if not str(name).strip():
        raise InputError("a region needs a name that is not empty.")
    try:
        found = [float(v) for v in box]
    except (TypeError, ValueError):
        found = []
    if len(found) != 4 or not (found[0] < found[2] and found[1] < found[3]):
        raise InputError(f"the region {str(name)!r} needs [row0, column0, row1, column1] with row0 < row1 and column0 < "
                         f"column1, in image pixels; got {box!r}.")
    return found
