"""matplotlib figures for papers: the question as title, native cells, one shared scale, fonts embedded, text as text.

Nothing here shows a window or touches pyplot; a figure draws itself in a notebook and can be saved anywhere.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from .captions import caption as caption_of
from .captions import completeness, notices, percent, score_text, signed, title
from .errors import InputError
from .explanation import resize
from .scale import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .explanation import Explanation

#: TrueType fonts inside PDF and PS, text as text in SVG: what journals ask for
PRINT: Any = {"pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "none"}
QUIET = "#555555"
_OWN_SCALES = "Each map has a scale of its own: colours must not be compared between maps."
_GREY = 0.55  # what a half-transparent colour bar is seen against


class PrintFigure(Figure):
    """A figure that always embeds its fonts and shows itself in notebooks, without pyplot."""

    def savefig(self, fname: Any, **kwargs: Any) -> None:
        """As matplotlib's own, with text kept as text."""
        with rc_context(PRINT):
            super().savefig(fname, **kwargs)

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        self.savefig(png, format="png", dpi=110)
        return png.getvalue()


def plot_explanation(explanation: Explanation, ax: Axes | None = None, scale: Scale | None = None) -> Axes:
    """Draw one explanation, with its colour bar, and return the axes.

    ax: where to draw; by default a new figure of its own (``axes.figure``). scale: by default fitted on this map.
    """
    values, image = _parts(explanation)
    scale = scale or Scale.fit(values)
    if ax is None:
        return explanation_figure(explanation, scale=scale).axes[0]
    draw_map(ax, values, image, scale)
    ax.set_title(_wrapped(title(explanation), 44), fontsize=10)
    bar = ax.inset_axes((0.0, -0.09, 1.0, 0.035))
    draw_bar(bar, scale, [values])
    return ax


def explanation_figure(explanation: Explanation, scale: Scale | None = None,
                       box: Sequence[float] | None = None) -> Figure:
    """One explanation with everything that belongs beside it: scores, completeness, notices, region."""
    values, image = _parts(explanation)
    scale = scale or Scale.fit(values)
    lines = [line for line in (_scores(explanation), completeness_line(explanation)) if line]
    lines += [_region_line(values, image, box)] if box else []
    lines += [caption_of(explanation, values.shape, image.shape[:2]), *notices(explanation)]
    return maps_figure([values], image, [title(explanation)], scale, box=box, caption="\n".join(lines))


def panel(explanations: Sequence[Explanation], *, scale: Scale | str | None = None, picture: bool = True,
          titles: Sequence[str] | None = None) -> Figure:
    """A row of maps of one image, with ONE shared scale and colour bar.

    explanations: of the same image. scale: by default fitted on all maps; "each" gives every map a scale and a colour
    bar of its own, for methods that measure in different units. picture: whether the image itself comes first.
    titles: by default the questions. Raises `InputError`.
    """
    items = list(explanations)
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
        shown: Scale | list[Scale] = [Scale.fit(m) for m in maps]
    else:
        shown = scale or Scale.fit(*maps)
    return maps_figure(maps, [image for _, image in found], names, shown, picture=picture,
                       caption=_shared_caption(items, found))


def maps_figure(maps: Sequence[NDArray[np.float32]], images: Any, titles: Sequence[str], scale: Scale | list[Scale], *,
                box: Sequence[float] | None = None, caption: str = "", picture: bool = False) -> Figure:
    """Maps `[h, w]` side by side over ``images`` (one uint8 `[H, W, 3]`, or one per map), one colour bar for all.

    scale: one for all maps, or a list with one for each, which then stands under its map.
    """
    scales = scale if isinstance(scale, list) else [scale] * len(maps)
    note = _OWN_SCALES if isinstance(scale, list) else _bar_note(scale, maps)
    pictures = [images] * len(maps) if isinstance(images, np.ndarray) else list(images)
    n = len(maps) + picture
    side = 3.4 if n == 1 else 2.5
    height = side * pictures[0].shape[0] / pictures[0].shape[1]
    width = side * n + 0.12 * (n - 1) + 0.3
    chars = int(side * 12)
    head = 0.2 * max(len(_wrapped(t, chars).splitlines()) for t in titles) + 0.12
    words = textwrap.wrap(caption, int(width * 17)) if "\n" not in caption else [
        w for line in caption.splitlines() for w in textwrap.wrap(line, int(width * 17))]
    foot = 0.62 + 0.165 * (len(words) + len(_wrapped(note, int(width * 17)).splitlines()))
    total = head + height + foot
    fig = PrintFigure(figsize=(width, total), facecolor="white")

    def place(i: int) -> Axes:
        left = 0.15 + i * (side + 0.12)
        return fig.add_axes((left / width, foot / total, side / width, height / total))

    if picture:
        ax = place(0)
        ax.imshow(pictures[0], interpolation="nearest")
        _plain(ax)
        ax.set_title("Image", fontsize=9)
    for i, (values, image, text) in enumerate(zip(maps, pictures, titles, strict=True)):
        ax = place(i + picture)
        draw_map(ax, values, image, scales[i], box)
        ax.set_title(_wrapped(text, chars), fontsize=9)
    if isinstance(scale, list):
        spans = [(0.15 + (i + picture) * (side + 0.12) + 0.15, side - 0.3) for i in range(len(maps))]
    else:
        bar_width = min(width - 0.5, 4.6)
        spans = [((width - bar_width) / 2, bar_width)]
    for (left, span), one in zip(spans, scales, strict=False):
        bar = fig.add_axes((left / width, (foot - 0.24) / total, span / width, 0.12 / total))
        draw_bar(bar, one, [])
    fig.text(0.15 / width, (foot - 0.5) / total, "\n".join([_wrapped(note, int(width * 17)), *words]),
             fontsize=7.5, color=QUIET, va="top", linespacing=1.35)
    # The maps come first for whoever reads fig.axes.
    return fig


def draw_map(ax: Axes, values: NDArray[np.float32], image: NDArray[np.uint8], scale: Scale,
             box: Sequence[float] | None = None) -> None:
    """One map over its picture: native cells, unless ``scale.smooth``."""
    height, width = image.shape[:2]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    grey = np.repeat((image @ np.array([0.2126, 0.7152, 0.0722]))[..., None], 3, -1).astype(np.uint8)
    ax.imshow(grey if scale.grey else image, extent=extent, interpolation="nearest")
    shown = resize(values, height, width) if scale.smooth else values
    ax.imshow(scale.rgba(shown), extent=extent, interpolation="nearest")
    if np.isnan(values).any():
        _hatch(ax, values, image)
    if scale.contour:
        level = (scale.threshold or 0.5) * scale.reach
        sizes = zip(values.shape, (height, width), strict=True)
        rows, cols = ((np.arange(n) + 0.5) * size / n - 0.5 for n, size in sizes)
        if min(values.shape) > 1:
            ax.contour(cols, rows, np.nan_to_num(values), levels=[-level, level], colors="#111111", linewidths=0.8,
                       linestyles=["dashed", "solid"])
    if box is not None:
        ax.add_patch(Rectangle((box[1] - 0.5, box[0] - 0.5), box[3] - box[1], box[2] - box[0], fill=False,
                               edgecolor="#ffb300", linewidth=1.6))
    ax.set_xlim(-0.5, width - 0.5)
    ax.set_ylim(height - 0.5, -0.5)
    _plain(ax)


def _hatch(ax: Axes, values: NDArray[np.float32], image: NDArray[np.uint8]) -> None:
    dy, dx = image.shape[0] / values.shape[0], image.shape[1] / values.shape[1]
    for r, c in np.argwhere(np.isnan(values))[:4096]:
        ax.add_patch(Rectangle((c * dx - 0.5, r * dy - 0.5), dx, dy, fill=False, hatch="////", edgecolor=QUIET,
                               linewidth=0))


def draw_bar(ax: Axes, scale: Scale, maps: Sequence[NDArray[np.float32]]) -> None:
    """A colour bar with real numbers, as the colours look over the picture; with ``maps``, also what is clipped."""
    ramp = scale.vmin + (np.arange(256) + 0.5) / 256 * (scale.vmax - scale.vmin)
    rgba = scale.rgba(ramp[None].astype(np.float32)) / 255.0
    seen = rgba[..., :3] * rgba[..., 3:] + _GREY * (1 - rgba[..., 3:])
    ax.imshow(seen, aspect="auto", extent=(scale.vmin, scale.vmax, 0, 1), interpolation="nearest")
    ax.set_yticks([])
    ticks = [scale.vmin, 0.0, scale.vmax] if scale.vmin < 0 < scale.vmax else [scale.vmin, scale.vmax]
    words = {scale.vmin: "against ", scale.vmax: "for "} if scale.vmin < 0 < scale.vmax else {}
    ax.set_xticks(ticks, [words.get(t, "") + signed(t) for t in ticks], fontsize=7.5)
    ax.tick_params(length=2, pad=2, colors=QUIET)
    labels = ax.get_xticklabels()
    labels[0].set_horizontalalignment("left")  # the outer numbers stay below the bar
    labels[-1].set_horizontalalignment("right")
    for spine in ax.spines.values():
        spine.set_visible(False)
    if maps:
        ax.set_xlabel(_wrapped(_bar_note(scale, maps), 70), fontsize=6.5, color=QUIET)


def completeness_line(explanation: Explanation) -> str:
    """Completeness as a sentence, or ""."""
    text = completeness(explanation)
    return f"Completeness: {text}" if text else ""


def _bar_note(scale: Scale, maps: Sequence[NDArray[np.float32]]) -> str:
    kind, _, share = scale.clip.partition(":")
    rule = {"pixels": f"hold {share} % of cells", "mass": f"hold {share} % of the mass", "max": "at the largest value"}
    values = np.concatenate([np.ravel(m) for m in maps])
    clipped, missing = scale.clipped_share(values), int(np.isnan(values).sum())
    text = f"Limits {rule.get(kind, 'given')}, {percent(clipped) + ' of cells' if clipped else 'none'} beyond them"
    infinite = int(np.isinf(values).sum())
    text += f", {missing} {'cell is' if missing == 1 else 'cells are'} no number (hatched)" if missing else ""
    return text + (f", {infinite} {'cell is' if infinite == 1 else 'cells are'} infinite." if infinite else ".")


def _scores(explanation: Explanation) -> str:
    parts = [] if explanation.score is None else [f"score {score_text(explanation)}"]
    parts += [] if explanation.probability is None else [f"probability {percent(explanation.probability)}"]
    return ", ".join(parts).capitalize()


def _region_line(values: NDArray[np.float32], image: NDArray[np.uint8], box: Sequence[float]) -> str:
    from .regions import share_of

    share = share_of(values, (image.shape[0], image.shape[1]), box)
    parts = ((share.positive, "positive"), (share.absolute, "all absolute mass"))
    held = [f"{percent(v)} of {what}" for v, what in parts if v is not None]
    rows, columns = (f"{box[i]:g}–{box[i + 2]:g}" for i in (0, 1))
    return f"Region rows {rows}, columns {columns}: {', '.join(held)}"


def _panel_title(explanation: Explanation, items: Sequence[Explanation]) -> str:
    """The question; with the method if the panel compares methods."""
    several = len({e.method for e in items}) > 1
    return f"{title(explanation)}\n{explanation.method}" if several else title(explanation)


def _shared_caption(items: Sequence[Explanation], found: Sequence[tuple[Any, Any]]) -> str:
    lines = [caption_of(e, v.shape, i.shape[:2]) for e, (v, i) in zip(items, found, strict=True)]
    said = [n for e in items for n in notices(e)]
    return "\n".join(dict.fromkeys([*lines, *said]))


def _parts(explanation: Explanation) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    if not hasattr(explanation, "values"):
        raise InputError(f"a figure shows an Explanation, not {type(explanation).__name__}.")
    values = np.asarray(explanation.values, np.float32)
    if values.ndim != 2 or not values.size:
        raise InputError(f"a figure draws image maps [h, w]; this one has values of shape {list(values.shape)}.")
    plain = explanation.image is None
    return values, np.full((*explanation.size, 3), 128, np.uint8) if plain else np.asarray(explanation.image)


def _wrapped(text: str, chars: int) -> str:
    return "\n".join(w for line in text.splitlines() for w in textwrap.wrap(line, chars)) or text


def _plain(ax: Axes) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
