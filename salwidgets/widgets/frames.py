"""What `Layers` and `Randomisation` share: maps of one picture shown one after the other, and lines under them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets
from numpy.typing import NDArray

from ..captions import alt_of_map
from ..errors import InputError
from ..scale import Scale
from .base import View
from .link import Link
from .wire import LARGEST, pack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: maps side by side in a figure
_SHOWN = 8


class Frames(View):
    """Base of views with a player. Maps ``[h, w]`` may differ in size from step to step; the picture is one.

    ``at`` is the step that is shown (0 is the first); the browser sets it when the player has come to rest, and it may be
    set. A brushed region's share of the positive is drawn as a line over the steps.
    """

    maps = traitlets.Dict().tag(sync=True, echo_update=False)
    shapes: Any = traitlets.List().tag(sync=True)
    labels: Any = traitlets.List().tag(sync=True)
    lines: Any = traitlets.List().tag(sync=True)
    captions: Any = traitlets.List().tag(sync=True)
    facts: Any = traitlets.List().tag(sync=True)
    notices: Any = traitlets.List().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    through = traitlets.Unicode("Step").tag(sync=True)
    each = traitlets.Bool(False).tag(sync=True)
    at = traitlets.Int(0).tag(sync=True, echo_update=False)

    def __init__(self, maps: Sequence[NDArray[np.float32]], image: NDArray[np.uint8], labels: Sequence[str], *,
                 scale: Scale | str | None, link: Link | None, at: int, **traits: Any) -> None:
        self._maps = [np.asarray(m, np.float32) for m in maps]
        size = sum(m.size for m in self._maps) * 4
        if size > LARGEST:
            raise InputError(f"these maps weigh {size / 2**20:.0f} MiB; more than {LARGEST // 2**20} MiB is too slow for a "
                             "browser. Choose fewer steps, or a method with coarser maps.")
        each = scale == "each" or (scale is None and len({m.shape for m in self._maps}) > 1)
        if isinstance(scale, str) and scale != "each":
            raise InputError(f"scale={scale!r}: give a Scale, None, or 'each' (limits of its own for every step).")
        fitted = scale if isinstance(scale, Scale) else Scale.fit(*self._maps)
        super().__init__(
            scale=fitted if scale is None or isinstance(scale, (Scale, str)) else scale, link=link, image=image,
            maps=pack(np.concatenate([m.ravel() for m in self._maps]), "float32"),
            shapes=[list(m.shape) for m in self._maps], picture=pack(image, "uint8"),
            labels=list(labels), each=each, at=at, **traits)

    @traitlets.validate("at")
    def _check_at(self, proposal: dict[str, Any]) -> int:
        at, n = int(proposal["value"]), len(self._maps)
        if not -n <= at < n:
            raise InputError(f"at={at} is out of range: there are {n} steps, 0 to {n - 1}.")
        return at % n

    @property
    def heading(self) -> str:
        return str(self.title)

    def shown_map(self) -> NDArray[np.float32]:
        return self._maps[self.at]

    def shown_maps(self) -> list[NDArray[np.float32]]:
        return list(self._maps)

    @property
    def alt(self) -> str:
        step = f"{self.through} {self.at + 1} of {len(self._maps)}: {self.labels[self.at]}."
        return f"{alt_of_map(self.shown_map(), self._image, self.heading)} {step}"

    def figure(self, *, width: str | float | None = None, style: str = "overlay") -> Figure:
        """At most eight steps side by side, evenly chosen with the first and the last, and what the lines say there.

        width, style: as in `salwidgets.figures.panel`.
        """
        from ..figures import maps_figure

        n = len(self._maps)
        chosen = sorted({round(i * (n - 1) / max(1, min(n, _SHOWN) - 1)) for i in range(min(n, _SHOWN))})
        maps = [self._maps[i] for i in chosen]
        scale: Any = [Scale.fit(m) for m in maps] if self.each else self.scale
        titles = ["\n".join([str(self.labels[i]), *(f"{line['name']} {line['values'][i]:.2f}" for line in self.lines
                                                    if line["values"][i] is not None)]) for i in chosen]
        box = self.selection["box"] if self.selection else None
        where = dict.fromkeys(str(self.captions[i]) for i in chosen) if self.captions else {}
        return maps_figure(maps, self._image, titles, scale, box=box, picture=style != "contour", width=width, style=style,
                           heading=self.heading, alt=lambda: self.alt, regions=self.regions,
                           caption="\n".join(dict.fromkeys([self.heading, *where, *self.notices])))


def picture_of(explanation: Any) -> NDArray[np.uint8]:
    """uint8 `[H, W, 3]` to draw an explanation on; grey where it has no picture."""
    if explanation.image is None:
        return np.full((*explanation.size, 3), 128, np.uint8)
    return np.asarray(explanation.image)
