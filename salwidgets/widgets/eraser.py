"""`Eraser`: paint over a part of the picture and see what the scores do, beside what the map said they would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets
from numpy.typing import NDArray

from ..captions import caption, notices, title
from ..errors import InputError
from ..regions import mask_of
from ..scale import Scale
from .base import View
from .link import Link
from .requests import Task, Worker
from .score_rows import score_rows
from .wire import pack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..explanation import Explanation
    from ..metrics.erasing import Erased
    from ..models import Model

FILLS = ("blur", "mean", "black")
#: cells of the paint along the longer side
_FINEST = 64
#: fills are sent no larger than this many pixels a side: they are blurred, or one colour
_FILL_SIDE = 256


class Eraser(View):
    """Paint over a region of an explained picture; the model is asked again, live.

    model: the `Model` that was explained. explanation: of an image, with a question about classes or groups.
    fill: what the paint is made of, "blur" (Gaussian, sigma 5 pixels), "mean" (the picture's mean colour) or "black".
    groups: names of groups whose probability is shown beside the question's own sides, its groups and the likeliest
    classes. link: a `Link`, or a view to link with. scale: a `Scale`; by default fitted on this map.

    The share of the map's sum under the paint, and the predicted change of the score where the method promises one, need no
    kernel; the scores do. ``mask`` is the paint, bool `[H, W]`; ``erased`` the last answer, an `Erased`. ``erase`` paints
    from Python. Raises `InputError` and `QuestionError`.

    >>> world = sw.worlds.creatures(n=1)
    >>> model = world.model("cnn")
    >>> e = sw.explain(model, world.images[0], sw.why(), method="integrated-gradients")
    >>> sw.Eraser(model, e).erase((0, 0, 64, 64), "black").share_of_map
    1.0
    """

    map = traitlets.Dict().tag(sync=True, echo_update=False)
    title = traitlets.Unicode().tag(sync=True)
    caption = traitlets.Unicode().tag(sync=True)
    notices: Any = traitlets.List().tag(sync=True)
    mass = traitlets.Dict().tag(sync=True, echo_update=False)
    fill_pictures = traitlets.Dict().tag(sync=True, echo_update=False)
    fill_sizes: Any = traitlets.List().tag(sync=True)
    promised = traitlets.Bool(False).tag(sync=True)
    fill = traitlets.Enum(FILLS, "blur").tag(sync=True)
    paint = traitlets.Unicode("").tag(sync=True, echo_update=False)
    answer = traitlets.Dict().tag(sync=True, echo_update=False)
    request = traitlets.Dict().tag(sync=True, echo_update=False)
    reply = traitlets.Dict().tag(sync=True)
    alive = traitlets.Unicode().tag(sync=True)
    _worker: Worker | None = None

    def __init__(self, model: Model, explanation: Explanation, *, fill: str = "blur", groups: Sequence[str] = (),
                 scale: Scale | None = None, link: Link | View | None = None) -> None:
        from ..metrics.erasing import Erasing

        if not hasattr(explanation, "values") or not hasattr(explanation, "question"):
            raise InputError(f"Eraser paints on one Explanation (what sw.explain returns for one input), not "
                             f"{type(explanation).__name__}.")
        if not hasattr(model, "predict") or not hasattr(model, "session"):
            raise InputError(f"Eraser asks the model again: give the sw.Model that was explained, not "
                             f"{type(model).__name__}.")
        if fill not in FILLS:
            raise InputError(f"fill={fill!r}: choose one of {', '.join(FILLS)}.")
        self.explanation, self._erasing = explanation, Erasing(model, explanation)
        self._groups = tuple(groups)
        self._worker = Worker(self._score, self._tell)
        self.erased: Erased | None = None
        image = np.full((*self._erasing.size, 3), 128, np.uint8) if explanation.image is None else \
            np.asarray(explanation.image)
        values = np.asarray(explanation.values, np.float32)
        k = max(1.0, max(image.shape[:2]) / _FINEST)
        self._cells = max(1, round(image.shape[0] / k)), max(1, round(image.shape[1] / k))
        pictures = [_small(self._erasing.picture(f)) for f in FILLS]
        view = link if isinstance(link, View) else None
        rows = score_rows(self._erasing, self._erasing.logits_before, self._groups)
        nothing = _hex(np.zeros(self._cells, bool))
        super().__init__(
            scale=Scale.fit(values) if scale is None else scale, link=None if view else link, image=image, _view="eraser",
            map=pack(values, "float32"), picture=pack(image, "uint8"), title=title(explanation),
            caption=caption(explanation, values.shape, image.shape[:2]), notices=notices(explanation),
            mass=pack(_spread(values, self._cells, image.shape[:2]), "float32"),
            fill_pictures=pack(np.concatenate([p.ravel() for p in pictures]), "uint8"),
            fill_sizes=[list(p.shape[:2]) for p in pictures], promised=explanation.completeness is not None, fill=fill,
            paint=nothing, answer={"id": "", "paint": nothing, "fill": fill, "before": self._erasing.before,
                                   "now": self._erasing.before, "whole": None, "rows": rows})
        if view is not None:
            self.join({a: link for a, link in view.links.items() if a in self.links})

    # -- painting --------------------------------------------------------------------------------------------

    @property
    def mask(self) -> NDArray[np.bool_]:
        """What is painted over now, bool `[H, W]`."""
        return _pixels(self._painted(self.paint), self._size)

    def erase(self, region: Any, fill: str | None = None) -> Erased:
        """Paint over ``region`` and return what the model says: bool `[H, W]`, or a box (row0, column0, row1, column1).

        The paint is made of cells (64 along the longer side); a cell is painted if half of it lies in the region.
        """
        if fill is not None:
            self.fill = fill
        given = np.asarray(region)
        mask = mask_of(self._size, [float(v) for v in given]) if given.shape == (4,) else given
        if mask.shape != self._size or mask.dtype != bool:
            raise InputError(f"paint bool [{self._size[0]}, {self._size[1]}] or a box (row0, column0, row1, column1), not "
                             f"{given.dtype} {list(given.shape)}.")
        down, across = (_whole(n, pixels) for n, pixels in zip(self._cells, self._size, strict=True))
        self.paint = _hex(down @ mask @ across.T >= 0.5 - 1e-9)
        self._work("", self.paint, self.fill)
        assert self.erased is not None
        return self.erased

    def reset(self) -> None:
        """Take all paint away."""
        self.paint = _hex(np.zeros(self._cells, bool))

    @traitlets.validate("paint")
    def _check_paint(self, proposal: dict[str, Any]) -> str:
        self._painted(proposal["value"])
        return str(proposal["value"])

    def _painted(self, code: str) -> NDArray[np.bool_]:
        n = self._cells[0] * self._cells[1]
        try:
            bits = np.frombuffer(bytes.fromhex(code), np.uint8)
        except (ValueError, TypeError) as e:
            raise InputError("the paint is no row of hexadecimal digits.") from e
        if len(bits) != (n + 7) // 8:
            raise InputError(f"the paint has {len(bits)} bytes; {self._cells[0]} x {self._cells[1]} cells need "
                             f"{(n + 7) // 8}.")
        return np.unpackbits(bits)[:n].astype(bool).reshape(self._cells)

    # -- asking the model ------------------------------------------------------------------------------------

    @traitlets.observe("request")
    def _asked(self, change: Any) -> None:
        """What the browser wants. Answered with the same id, always; the newest wins."""
        request = change["new"] if isinstance(change["new"], dict) else {}
        if request.get("do") == "hello":
            self.alive = str(request.get("id", ""))
        elif request.get("do") == "score" and self._worker is not None:
            self._worker.submit(request)

    def _score(self, request: dict[str, Any], task: Task) -> None:
        fill = request.get("fill")
        if fill not in FILLS:
            raise InputError(f"the fill {fill!r} is not one of {', '.join(FILLS)}.")
        self._work(task.id, str(request.get("paint", "")), str(fill))

    def _work(self, id: str, paint: str, fill: str) -> None:
        try:
            result = self._erasing(_pixels(self._painted(paint), self._erasing.size), fill)
        except Exception as e:
            raise type(e)(f"{self.title} ({fill} paint): {e}") if isinstance(e, InputError) else e from e
        rows = score_rows(self._erasing, result.logits, self._groups)
        self.erased = result
        self.answer = {"id": id, "paint": paint, "fill": fill, "before": result.before, "now": result.now,
                       "whole": result.whole, "rows": rows}

    def _tell(self, reply: dict[str, Any]) -> None:
        self.reply = reply

    def close(self) -> None:
        if self._worker is not None:
            self._worker.stop()
        super().close()

    # -- reading and keeping ---------------------------------------------------------------------------------

    @property
    def heading(self) -> str:
        return str(self.title)

    def shown_map(self) -> NDArray[np.float32]:
        return np.asarray(self.explanation.values, np.float32)

    def shown_maps(self) -> list[NDArray[np.float32]]:
        return [self.shown_map()]

    def figure(self) -> Figure:
        """The map with the paint's outline, the picture as the model saw it, and the scores before and now."""
        from .eraser_figure import eraser_figure

        picture = self._image.copy()
        mask = self.mask
        fill = self._erasing.picture(self.fill)
        if fill.shape == picture.shape:
            picture[mask] = fill[mask]
        now = self.erased if self.answer.get("paint") == self.paint and self.answer.get("fill") == self.fill else None
        return eraser_figure(self.heading, self.shown_map(), self._image, picture, mask, self.scale, now,
                             self.answer.get("rows", []), self.caption, self.regions)


def _spread(values: NDArray[np.float32], cells: tuple[int, int], size: tuple[int, ...]) -> NDArray[np.float64]:
    """The map's sum on the cells of the paint `cells`; what lies on a pixel goes to the pixel's cell."""
    from ..metrics.erasing import pixel_shares

    v = np.where(np.isfinite(values), values, 0).astype(np.float64)
    down, across = (_cell_of(n, pixels) @ pixel_shares(m, pixels).T
                    for n, m, pixels in zip(cells, v.shape, size, strict=True))
    return np.asarray(down @ v @ across.T)


def _cell_of(cells: int, pixels: int) -> NDArray[np.float64]:
    """Which cell each pixel's centre lies in, 0 or 1 `[cells, pixels]`."""
    at = np.minimum(cells - 1, ((np.arange(pixels) + 0.5) * cells / pixels).astype(int))
    return (at[None] == np.arange(cells)[:, None]).astype(np.float64)


def _whole(cells: int, pixels: int) -> NDArray[np.float64]:
    found = _cell_of(cells, pixels)
    return np.asarray(found / np.maximum(1, found.sum(1, keepdims=True)))


def _pixels(painted: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The paint on pixels: each takes what is on the cell that its centre lies in."""
    rows, cols = (np.minimum(n - 1, ((np.arange(p) + 0.5) * n / p).astype(int))
                  for n, p in zip(painted.shape, size, strict=True))
    return np.asarray(painted[rows][:, cols])


def _hex(painted: NDArray[np.bool_]) -> str:
    return np.packbits(painted.ravel()).tobytes().hex()


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A fill for the screen: one pixel if it is one colour."""
    if (picture == picture[:1, :1]).all():
        return picture[:1, :1]
    step = max(1, -(-max(picture.shape[:2]) // _FILL_SIDE))
    return np.ascontiguousarray(picture[step // 2::step, step // 2::step])
