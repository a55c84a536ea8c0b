"""The figure of an `Eraser`: the map, the picture with its paint, the scores before and now."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..captions import percent, signed
from ..figures import QUIET, PrintFigure, bar_note, draw_bar, draw_map
from ..figures.drawing import plain
from ..figures.named import Regions, draw_regions
from ..scale import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..metrics.erasing import Erased

_SIDE = 2.5


def eraser_figure(heading: str, values: NDArray[np.float32], image: NDArray[np.uint8], painted: NDArray[np.uint8],
                  mask: NDArray[np.bool_], scale: Scale, now: Erased | None, rows: list[dict[str, Any]],
                  caption: str, regions: Regions | None = None) -> PrintFigure:
    """now: the answer for this paint, or None while there is none; then there are no bars. regions: boxes by name."""
    height = _SIDE * image.shape[0] / image.shape[1]
    width = 2 * _SIDE + 0.5 + (2.9 if now else 0)
    said = list(dict.fromkeys([heading, *told(now), bar_note(scale, [values]), caption]))
    lines = [w for line in said for w in textwrap.wrap(line, int(width * 17))]
    foot = 0.55 + 0.165 * len(lines)
    total = 0.35 + max(height, 0.24 * len(rows) + 0.3 if now else 0) + foot
    fig = PrintFigure(figsize=(width, total), facecolor="white", heading=heading, caption="\n".join(said), scales=[scale])
    places = [(0.15 + i * (_SIDE + 0.12), _SIDE) for i in range(2)]
    top = total - 0.35 - height
    left, right = (fig.add_axes((x / width, top / total, w / width, height / total)) for x, w in places)
    draw_map(left, values, image, scale)
    left.set_title("What the map says", fontsize=9)
    right.imshow(painted, interpolation="nearest")
    right.set_title("What the model sees", fontsize=9)
    plain(right)
    for ax in (left, right):
        draw_regions(ax, regions or {}, (image.shape[0], image.shape[1]))
    if mask.any() and not mask.all():
        left.contour(np.pad(mask, 1)[1:-1, 1:-1].astype(float), levels=[0.5], colors="#111111", linewidths=1.2)
    bar = fig.add_axes((0.3 / width, (top - 0.22) / total, (_SIDE - 0.3) / width, 0.12 / total))
    draw_bar(bar, scale, [])
    if now:
        tall = 0.24 * len(rows)
        ax = fig.add_axes(((2 * _SIDE + 1.75) / width, (total - 0.35 - tall) / total, 1.4 / width, tall / total))
        _bars(ax, rows)
    fig.text(0.15 / width, (foot - 0.5) / total, "\n".join(lines), fontsize=7.5, color=QUIET, va="top", linespacing=1.35)
    return fig.settle()


def told(now: Erased | None) -> list[str]:
    """What was predicted and what was measured, in sentences."""
    if now is None or not now.mask.any():
        return []
    part = percent(float(now.mask.mean()))
    share = "" if now.share_of_map is None else f", {signed_percent(now.share_of_map)} of the map's sum"
    out = [f"{now.fill} paint over {part} of the picture{share}: the score goes from {signed(now.before)} to "
           f"{signed(now.now)} logits ({signed(now.change)})."]
    if now.predicted is not None:
        out.append(f"The map predicts {signed(now.predicted)} logits"
                   + ("." if now.explained is None else f", {signed_percent(now.explained)} of what was measured."))
    if now.share_of_drop is not None:
        out.append(f"Paint over everything changes it by {signed(now.whole - now.before)}; this paint makes "
                   f"{signed_percent(now.share_of_drop)} of that.")
    return out


def signed_percent(share: float) -> str:
    """A share that may be negative or above one, in per cent."""
    size = f"{abs(share):.0%}".replace("%", " %") if abs(share) > 1 else percent(abs(share))
    return size if share >= 0 else f"\N{MINUS SIGN}{size}"


def _bars(ax: Axes, rows: list[dict[str, Any]]) -> None:
    at = np.arange(len(rows))
    ax.barh(at - 0.18, [r["before"] for r in rows], 0.34, color="#c9ced4", label="before")
    ax.barh(at + 0.18, [r["now"] for r in rows], 0.34, color="#1565c0", label="now")
    names = [r["name"] if len(r["name"]) < 22 else r["name"][:20] + "…" for r in rows]
    ax.set_yticks(at, names, fontsize=7.5)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1], ["0", "", "1"], fontsize=7)
    ax.set_title("Probability: grey before, blue now", fontsize=7.5, loc="right")
    ax.tick_params(length=2, colors=QUIET)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
