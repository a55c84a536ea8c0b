"""Figures of explanations: one map with all that belongs beside it, or a panel of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..captions import alt_text, completeness, notices, percent, score_text, title
from ..captions import caption as caption_of
from ..errors import InputError
from ..scale import Scale
from .drawing import draw_bar, draw_map, title_over
from .layout import maps_figure
from .named import Regions
from .printed import PrintFigure
from .words import wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..explanation import Explanation


def plot_explanation(explanation: Explanation, ax: Axes | None = None, scale: Scale | None = None) -> Axes:
    """Draw one explanation, with its colour bar, and return the axes.

    ax: where to draw; by default a new figure of its own (``axes.figure``). scale: by default fitted on this map.
    """
    values, image = _parts(explanation)
    scale = scale or Scale.fit(values)
    if ax is None:
        return explanation_figure(explanation, scale=scale).axes[0]
    draw_map(ax, values, image, scale)
    title_over(ax, wrapped(title(explanation), 4.0, 10), 10)
    draw_bar(ax.inset_axes((0.0, -0.09, 1.0, 0.035)), scale, [values])
    return ax


def explanation_figure(explanation: Explanation, scale: Scale | None = None, box: Sequence[float] | None = None, *,
                       width: str | float | None = None, style: str = "overlay",
                       regions: Regions | None = None) -> PrintFigure:
    """One explanation with everything that belongs beside it: scores, completeness, notices, region.

    width, style, regions: as in `panel`.
    """
    values, image = _parts(explanation)
    scale = scale or Scale.fit(values)
    lines = [line for line in (_scores(explanation), completeness_line(explanation)) if line]
    lines += [_region_line(values, image, box)] if box else []
    lines += [caption_of(explanation, values.shape, image.shape[:2]), *notices(explanation)]
    return maps_figure([values], image, [title(explanation)], scale, box=box, caption="\n".join(lines), width=width,
                       style=style, heading=title(explanation), alt=lambda: alt_text(explanation),
                       picture=style == "side-by-side", regions=regions)


def panel(explanations: Any, *, scale: Scale | str | None = None, picture: bool | None = None,
          titles: Sequence[str] | None = None, width: str | float | None = None, style: str = "overlay",
          clip: str = "pixels:99.5", cmap: str = "RdBu_r", letters: bool = False, caption: bool = True,
          across: int | None = None, regions: Regions | None = None) -> PrintFigure:
    """Maps in rows, a row for each image, with ONE shared scale and colour bar.

    explanations: of image maps, each `[h, w]`; those of one image stand in one row, if all images have the same number.
    scale: by default fitted on all maps by ``clip`` in ``cmap``; "each" gives every map a scale and a colour bar of its own,
    for methods that measure in different units. picture: whether each image itself comes first (by default, not in style
    "contour"). titles: by default the questions, with the methods if they differ.
    width: the true width of a column, by name ("neurips", "icml", "cvpr", "cvpr-double", "nature-single", "nature-double",
    "acl", "ieee", "a4" ...: `salwidgets.figures.WIDTHS`, which says where each comes from) or in inches; by default 2.5
    inches a map. style: "overlay" (colours over the grey image), "contour" (lines over the image in its own colours, dashed
    where they speak against and wider where they are stronger, so that it can be read in greyscale) or "side-by-side" (the
    image, then the map alone). letters: a, b, c before the titles. caption: written under the maps; False leaves the rule
    of the limits only, and the figure's ``caption`` and ``latex()`` have the text for the paper. across: maps in a row at
    most; rows are broken where maps would be narrower than 0.95 inches. regions: boxes by name, (row0, column0, row1,
    column1) in pixels of the picture (a view's ``regions``), outlined on every map; the names stand on the first.

    Returns a `PrintFigure`: ``savefig("panel.pdf")`` (or .svg, .png). Raises `InputError`.

    >>> import numpy as np
    >>> maps = [sw.from_array(np.eye(7), np.zeros((56, 56, 3), np.uint8), method=m) for m in ("a", "b")]
    >>> sw.figures.panel(maps, width="cvpr").get_figwidth()
    3.28125
    """
    items: list[Explanation] = [explanations] if hasattr(explanations, "values") else list(explanations)
    if not items:
        raise InputError("panel() needs at least one explanation.")
    found = [_parts(e) for e in items]
    if titles is not None and len(titles) != len(items):
        raise InputError(f"panel() got {len(titles)} titles for {len(items)} explanations.")
    names = list(titles) if titles is not None else [_panel_title(e, items) for e in items]
    maps = [values for values, _ in found]
    if isinstance(scale, str):
        if scale != "each":
            raise InputError(f"panel() got scale={scale!r}; give a Scale, None (one shared), or 'each'.")
        shown: Scale | list[Scale] = [Scale.fit(m, clip=clip, cmap=cmap) for m in maps]
    else:
        shown = scale or Scale.fit(*maps, clip=clip, cmap=cmap)
    return maps_figure(maps, [image for _, image in found], names, shown,
                       picture=style != "contour" if picture is None else picture, caption=_shared_caption(items, found),
                       width=width, style=style, letters=letters, written=caption, across=across,
                       heading=" ".join(dict.fromkeys(title(e) for e in items)), alt=lambda: _alt(items),
                       regions=regions)


def completeness_line(explanation: Explanation) -> str:
    """Completeness as a sentence, or ""."""
    text = completeness(explanation)
    return f"Completeness: {text}" if text else ""


def _alt(items: Sequence[Explanation]) -> str:
    several = len({e.method for e in items}) > 1
    return " ".join(dict.fromkeys(f"{e.method}: {alt_text(e)}" if several else alt_text(e) for e in items))


def _scores(explanation: Explanation) -> str:
    parts = [] if explanation.score is None else [f"score {score_text(explanation)}"]
    parts += [] if explanation.probability is None else [f"probability {percent(explanation.probability)}"]
    return ", ".join(parts).capitalize()


def _region_line(values: NDArray[np.float32], image: NDArray[np.uint8], box: Sequence[float]) -> str:
    from ..regions import share_of

    share = share_of(values, (image.shape[0], image.shape[1]), box)
    parts = ((share.positive, "positive"), (share.absolute, "all absolute mass"))
    held = [f"{percent(v)} of {what}" for v, what in parts if v is not None]
    rows, columns = (f"{box[i]:g}–{box[i + 2]:g}" for i in (0, 1))
    return f"Region rows {rows}, columns {columns}: {', '.join(held)}"


def _panel_title(explanation: Explanation, items: Sequence[Explanation]) -> str:
    """The question; with the method if the panel compares methods; the method alone if all ask the same."""
    several, same = len({e.method for e in items}) > 1, len({title(e) for e in items}) == 1
    return f"{title(explanation)}\n{explanation.method}" if several and not same else \
        str(explanation.method) if several else title(explanation)


def _shared_caption(items: Sequence[Explanation], found: Sequence[tuple[Any, Any]]) -> str:
    lines = [caption_of(e, v.shape, i.shape[:2]) for e, (v, i) in zip(items, found, strict=True)]
    said = [n for e in items for n in notices(e)]
    asked = {title(e) for e in items}
    return "\n".join(dict.fromkeys([*(asked if len(asked) == 1 and len(items) > 1 else ()), *lines, *said]))


def _parts(explanation: Explanation) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    if not hasattr(explanation, "values"):
        raise InputError(f"a figure shows an Explanation, not {type(explanation).__name__}.")
    values = np.asarray(explanation.values, np.float32)
    if values.ndim != 2 or not values.size:
        raise InputError(f"a figure draws image maps [h, w]; this one has values of shape {list(values.shape)}.")
    plain = explanation.image is None
    return values, np.full((*explanation.size, 3), 128, np.uint8) if plain else np.asarray(explanation.image)
