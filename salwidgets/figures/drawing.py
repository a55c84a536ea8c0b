"""One map, one colour bar: native cells over their picture, contours, hatching, real numbers on the bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from ..captions import percent, signed
from ..colortables import DIVERGING
from ..explanation import resize
from ..scale import Scale, colour_table
from .words import extent, settle, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUIET = "#555555"
#: shares of the limit that have a line in style "contour", and how wide each is (points)
LEVELS, WIDE = (0.25, 0.5, 0.75), (0.6, 1.0, 1.5)
_GREY = 0.55  # what a half-transparent colour bar is seen against
_FINEST = 2048  # cells a side that are drawn; more than any column prints at 300 dots per inch
_LEAST = 5.0  # points: the smallest letters that journals print
_HATCHED = 256  # blocks a side in which missing cells are hatched


def draw_map(ax: Axes, values: NDArray[np.float32], image: NDArray[np.uint8], scale: Scale,
             box: Sequence[float] | None = None, style: str = "overlay") -> None:
    """One map over its picture: native cells, unless ``scale.smooth``.

    style: "overlay", "contour" (lines over the picture in its own colours), or "side-by-side" (the map alone, opaque).
    """
    height, width = image.shape[:2]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    if style != "side-by-side":
        grey = np.repeat((image @ np.array([0.2126, 0.7152, 0.0722]))[..., None], 3, -1).astype(np.uint8)
        ax.imshow(grey if scale.grey and style == "overlay" else image, extent=extent, interpolation="nearest")
    if style != "contour":
        seen = scale if style == "overlay" else scale.changed(opacity=1.0, fade=False)
        shown = resize(values, height, width) if scale.smooth else _thinned(values)
        ax.imshow(seen.rgba(shown), extent=extent, interpolation="nearest")
    if np.isnan(values).any():
        _hatch(ax, values, image)
    if style == "contour":
        draw_lines(ax, values, image, scale)
    elif scale.contour:
        draw_lines(ax, values, image, scale, [scale.threshold or 0.5], [0.8], "#111111")
    if box is not None:
        ax.add_patch(Rectangle((box[1] - 0.5, box[0] - 0.5), box[3] - box[1], box[2] - box[0], fill=False,
                               edgecolor="#ffb300", linewidth=1.6))
    ax.set_xlim(-0.5, width - 0.5)
    ax.set_ylim(height - 0.5, -0.5)
    plain(ax)


def draw_lines(ax: Axes, values: NDArray[np.float32], image: NDArray[np.uint8], scale: Scale,
               levels: Sequence[float] = LEVELS, widths: Sequence[float] = WIDE, colour: str | None = None) -> None:
    """Lines at shares of the limit, on the native cells: solid for, dashed against, wider where it is stronger."""
    size = image.shape[:2]
    values = _thinned(values)
    inside = np.clip(np.nan_to_num(values, posinf=np.inf, neginf=-np.inf), -scale.reach, scale.reach)
    padded = np.pad(inside, 1, mode="edge")  # the outer cells reach to the edge of the picture
    at = [np.concatenate([[-0.5], (np.arange(n) + 0.5) * m / n - 0.5, [m - 0.5]])
          for n, m in zip(values.shape, size, strict=True)]
    halo: list[Any] | None = [withStroke(linewidth=2.2, foreground="white", alpha=0.85)] if colour is None else None
    for sign, dash in ((-1, "dashed"), (1, "solid")):
        for share, wide in zip(levels, widths, strict=True):
            level = sign * share * scale.reach
            if not padded.min() < level < padded.max():
                continue
            drawn = ax.contour(at[1], at[0], padded, levels=[level], colors=[colour or _colour(scale, level)],
                               linewidths=wide, linestyles=dash)
            if halo:
                drawn.set_path_effects(halo)


def draw_bar(ax: Axes, scale: Scale, maps: Sequence[NDArray[np.float32]], *, style: str = "overlay",
             size: float = 7.5) -> None:
    """A colour bar with real numbers, as the colours look over the picture; with ``maps``, also what is clipped.

    style: "contour" draws the lines instead. size: of the text, in points.
    """
    if style == "contour":
        _line_bar(ax, scale)
    else:
        seen = scale if style == "overlay" else scale.changed(opacity=1.0, fade=False)
        ramp = scale.vmin + (np.arange(256) + 0.5) / 256 * (scale.vmax - scale.vmin)
        rgba = seen.rgba(ramp[None].astype(np.float32)) / 255.0
        blended = rgba[..., :3] * rgba[..., 3:] + _GREY * (1 - rgba[..., 3:])
        ax.imshow(blended, aspect="auto", extent=(scale.vmin, scale.vmax, 0, 1), interpolation="nearest")
    ax.set_yticks([])
    ticks, labels, size = _ticks(scale, ax.bbox.width / ax.figure.get_figure(root=True).dpi, size)
    ax.set_xticks(ticks, labels, fontsize=size)
    ax.tick_params(length=2, pad=2, colors=QUIET)
    below = ax.get_xticklabels()
    below[0].set_horizontalalignment("left")  # the outer numbers stay below the bar
    below[-1].set_horizontalalignment("right")
    for spine in ax.spines.values():
        spine.set_visible(False)
    if maps:
        ax.set_xlabel("\n".join(wrapped(bar_note(scale, maps), 3.6, 6.5)), fontsize=6.5, color=QUIET)


def _ticks(scale: Scale, inches: float, size: float) -> tuple[list[float], list[str], float]:
    """Where the bar has numbers, what they say and how large: as much as there is room for."""
    both = scale.vmin < 0 < scale.vmax
    ticks = [scale.vmin, 0.0, scale.vmax] if both else [scale.vmin, scale.vmax]
    plain = [signed(t) for t in ticks]
    full = ["against " + plain[0], plain[1], "for " + plain[2]] if both else plain
    for labels in (full, plain):
        if extent("   ".join(labels), size) <= inches:
            return ticks, labels, size
    ends = [plain[0], plain[-1]]
    smaller = (s for s in (size, 6.0, 5.5) if s <= size and extent("  ".join(ends), s) <= inches)
    return [ticks[0], ticks[-1]], ends, next(smaller, _LEAST)


def bar_note(scale: Scale, maps: Sequence[NDArray[np.float32]]) -> str:
    """The rule of the limits, what lies beyond them, what is no number."""
    kind, _, share = scale.clip.partition(":")
    rule = {"pixels": f"hold {share} % of cells", "mass": f"hold {share} % of the mass", "max": "at the largest value"}
    values = np.concatenate([np.ravel(m) for m in maps])
    clipped, missing = scale.clipped_share(values), int(np.isnan(values).sum())
    text = f"Limits {rule.get(kind, 'given')}, {percent(clipped) + ' of cells' if clipped else 'none'} beyond them"
    infinite = int(np.isinf(values).sum())
    text += f", {missing} {'cell is' if missing == 1 else 'cells are'} no number (hatched)" if missing else ""
    return text + (f", {infinite} {'cell is' if infinite == 1 else 'cells are'} infinite." if infinite else ".")


def scale_note(scale: Scale) -> str:
    """Colours, limits and rule, for a caption."""
    red = ", red for and blue against" if scale.vmin < 0 and scale.cmap in ("RdBu_r", "coolwarm") else ""
    return f"Colours {scale.cmap} from {signed(scale.vmin)} to {signed(scale.vmax)}{red} (rule {scale.clip})."


def plain(ax: Axes) -> None:
    """No ticks, no frame."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)


def title_over(ax: Axes, lines: Sequence[str], size: float, **how: Any) -> None:
    """A title as it is, without mathematics."""
    settle([ax.set_title("\n".join(lines), fontsize=size, **how)])


def _line_bar(ax: Axes, scale: Scale) -> None:
    """Each line as it is drawn on the map, over its value."""
    half = 0.08 * scale.reach
    for sign, dash in ((-1, "dashed"), (1, "solid")):
        for share, wide in zip(LEVELS, WIDE, strict=True):
            level = sign * share * scale.reach
            if scale.vmin < level < scale.vmax:
                ends = [level - half, level + half]
                ax.plot(ends, [0.5, 0.5], color=_colour(scale, level), linewidth=wide, linestyle=dash)
    ax.set_xlim(scale.vmin, scale.vmax)
    ax.set_ylim(0, 1)


def _colour(scale: Scale, level: float) -> tuple[float, float, float]:
    """Of a line: in a diverging map the end of its side, since the middle is nearly white."""
    if scale.cmap in DIVERGING:
        level = scale.vmax if level > 0 else scale.vmin
    index = int(np.clip((level - scale.vmin) / (scale.vmax - scale.vmin) * 256, 0, 255))
    red, green, blue = colour_table(scale.cmap)[index] / 255.0
    return float(red), float(green), float(blue)


def _thinned(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The cells that a print can show: the nearest ones of a very fine map."""
    rows, columns = (np.arange(min(n, _FINEST)) * n // min(n, _FINEST) for n in values.shape)
    return values if max(values.shape) <= _FINEST else values[np.ix_(rows, columns)]


def _hatch(ax: Axes, values: NDArray[np.float32], image: NDArray[np.uint8]) -> None:
    """Hatches what is no number: neighbours in a row as one shape; in a fine map, blocks that hold such a cell."""
    missing = np.isnan(values)
    starts = [np.unique(np.arange(min(n, _HATCHED)) * n // min(n, _HATCHED)) for n in missing.shape]
    missing = np.logical_or.reduceat(np.logical_or.reduceat(missing, starts[0], axis=0), starts[1], axis=1)
    edges = [np.append(s, n) * m / n - 0.5 for s, n, m in zip(starts, values.shape, image.shape, strict=False)]
    shapes = []
    for r, row in enumerate(missing):
        changes = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
        for start, stop in changes.reshape(-1, 2):
            x0, x1, y0, y1 = edges[1][start], edges[1][stop], edges[0][r], edges[0][r + 1]
            shapes.append([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    ax.add_collection(PolyCollection(shapes, facecolors="none", edgecolors=QUIET, hatch="////", linewidths=0),
                      autolim=False)
