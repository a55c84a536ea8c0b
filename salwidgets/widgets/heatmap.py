"""`Heatmap`: one explanation as a map on its picture, with its question, its numbers and a brush."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets
from numpy.typing import NDArray

from ..captions import alt_text, caption, facts, notices, title
from ..errors import InputError
from ..scale import Scale
from .base import View
from .link import Link
from .wire import pack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..explanation import Explanation


class Heatmap(View):
    """Shows an `Explanation` of an image.

    explanation: its map is signed and raw, `[h, w]` at the method's own resolution; cells are drawn as they are.
    scale: a `Scale`; by default fitted on this map ("pixels:99.5", diverging, symmetric around zero).
    link: the `Link` of another view, to share cursor, zoom, region and scale with from the start.

    Traits: ``cursor``, ``selection``; ``share`` and ``region_mask()`` read the brushed region.
    Raises `InputError` for what is no explanation of an image.
    """

    map = traitlets.Dict().tag(sync=True, echo_update=False)
    title = traitlets.Unicode().tag(sync=True)
    caption = traitlets.Unicode().tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)
    facts: Any = traitlets.List().tag(sync=True)
    notices: Any = traitlets.List().tag(sync=True)

    def __init__(self, explanation: Explanation, *, scale: Scale | None = None, link: Link | None = None) -> None:
        values, image = _checked(explanation)
        self.explanation = explanation
        super().__init__(
            scale=Scale.fit(values) if scale is None else scale, link=link, image=image, _view="heatmap",
            map=pack(values, "float32"), picture=pack(image, "uint8"), title=title(explanation),
            caption=caption(explanation, values.shape, image.shape[:2]), facts=facts(explanation),
            notices=notices(explanation), said=alt_text(explanation))

    @property
    def heading(self) -> str:
        return str(self.title)

    @property
    def alt(self) -> str:
        return str(self.said)

    def shown_map(self) -> NDArray[np.float32]:
        return np.asarray(self.explanation.values, np.float32)

    def shown_maps(self) -> list[NDArray[np.float32]]:
        return [self.shown_map()]

    def value_at(self, row: float, col: float) -> float:
        """The raw value of the cell over an image pixel."""
        values = self.shown_map()
        height, width = self._size
        r = min(values.shape[0] - 1, max(0, math.floor(row * values.shape[0] / height)))
        c = min(values.shape[1] - 1, max(0, math.floor(col * values.shape[1] / width)))
        return float(values[r, c])

    def figure(self, *, width: str | float | None = None, style: str = "overlay") -> Figure:
        """What it shows now, for print; width and style as in `salwidgets.figures.panel`."""
        from ..figures import explanation_figure

        box = self.selection["box"] if self.selection else None
        return explanation_figure(self.explanation, scale=self.scale, box=box, width=width, style=style,
                                  regions=self.regions)


def _checked(explanation: Any) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Map and picture of an explanation, or an `InputError` that says what else was given."""
    kind = type(explanation).__name__
    if not hasattr(explanation, "values") or not hasattr(explanation, "image"):
        raise InputError(f"Heatmap shows one Explanation (what sw.explain returns for one input), not {kind}. "
                         "For an array of your own: sw.from_array(values, image).")
    values = np.asarray(explanation.values, np.float32)
    if values.ndim != 2 or not values.size:
        raise InputError(f"Heatmap draws image maps [h, w]; this {kind} has values of shape {list(values.shape)}.")
    # A map without a picture (a saved one, for example) is drawn on plain grey of the input's size.
    plain = explanation.image is None
    image = np.full((*explanation.size, 3), 128, np.uint8) if plain else np.asarray(explanation.image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InputError(f"the picture must be uint8 [H, W, 3], got {image.dtype} {list(image.shape)}.")
    return values, image
