"""Units of maps of images: places, given masks and regions; and what share of a map's mass each of them holds.

A map cell that lies in several units is divided by area, so that the shares of a partition sum to 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType

import numpy as np

from ..errors import InputError
from . import english
from .brief import Unit

Cells = np.ndarray | Callable[[], np.ndarray]


class Mass:
    """A map's positive and negative parts, float64 of its shape, and their sums. Values that are not finite count 0."""

    def __init__(self, values: np.ndarray):
        finite = np.isfinite(values)
        self.finite = bool(finite.all())
        v = np.asarray(values, np.float64)
        v = v if self.finite else np.where(finite, v, 0.0)
        self.values = v
        self.up, self.down = np.maximum(v, 0), np.maximum(-v, 0)
        self.total_up, self.total_down = float(self.up.sum()), float(self.down.sum())

    @property
    def opposes(self) -> float:
        """The negative part's share of sum |map|; 0 for an empty map."""
        total = self.total_up + self.total_down
        return self.total_down / total if total > 0 else 0.0

    def unit(self, kind: str, label: str, cells: np.ndarray) -> Unit:
        """A unit of these cells, `[...]` of the map's shape."""
        cells = np.asarray(cells, np.float32)
        up, down = (float(np.vdot(cells.astype(np.float64), part)) for part in (self.up, self.down))
        return self.summed(kind, label, cells, up, down, float(cells.mean()))

    def summed(self, kind: str, label: str, cells: Cells, up: float, down: float, area: float) -> Unit:
        """A unit whose positive and negative mass are known."""
        return Unit("", kind, label, cells, up - down, up / self.total_up if self.total_up > 0 else 0.0,  # type: ignore[arg-type]
                    down / self.total_down if self.total_down > 0 else 0.0, area)


def numbered(units: Sequence[Unit], words: ModuleType = english) -> tuple[Unit, ...]:
    """Units in the order of |value|, with ids "u1", "u2" … and labels that differ; words and phrases keep theirs."""
    seen: dict[str, int] = {}
    out = []
    for i, u in enumerate(sorted(units, key=lambda u: -abs(u.value))):
        n = seen[u.label] = seen.get(u.label, 0) + 1
        label = u.label
        if n > 1 and u.kind not in ("word", "phrase"):
            label = words.LABELS["nth"].format(nth=words.ORDINALS[n - 1], label=label) if n <= len(words.ORDINALS) \
                else words.LABELS["number"].format(label=label, n=n)
        out.append(renamed(u, label, f"u{i + 1}"))
    return tuple(out)


def overlap(n: int, pixels: int) -> np.ndarray:
    """How much of each of ``n`` cells lies on each of ``pixels`` pixels along one axis, `[pixels, n]`; columns sum to 1."""
    if n == pixels:
        return np.eye(n)
    edges = np.arange(pixels + 1) * n / pixels
    cells = np.arange(n)
    return np.maximum(np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells), 0)


def on_pixels(part: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map's mass on another grid; the sum is kept."""
    if part.shape == size:
        return part
    return overlap(part.shape[0], size[0]) @ part @ overlap(part.shape[1], size[1]).T


def on_cells(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """How much of each map cell a mask `[H, W]` covers, float32 `shape`."""
    mask = np.asarray(mask, np.float32)
    if mask.shape == shape:
        return mask
    down, across = overlap(shape[0], mask.shape[0]), overlap(shape[1], mask.shape[1])
    return np.asarray(down.T @ mask @ across, np.float32)


def places(mass: Mass, words: ModuleType = english) -> list[Unit]:
    """The nine fields of a 3 x 3 grid, with the names that a reader would use. Ours, after the habit of describing
    pictures by thirds."""
    rows, columns = overlap(mass.up.shape[0], 3), overlap(mass.up.shape[1], 3)
    return [mass.unit("place", name, np.outer(rows[i // 3], columns[i % 3])) for i, name in enumerate(words.PLACES)]


def masks(mass: Mass, given: dict[str, np.ndarray], size: tuple[int, ...]) -> list[Unit]:
    """A unit for each named mask, at the map's or the input's shape: bool, or how much of each cell belongs (0..1)."""
    if not given:
        raise InputError("units={} names no part of the input; give {name: mask}.")
    units = []
    shape = mass.up.shape
    for name, mask in given.items():
        m = np.asarray(mask.detach().cpu() if hasattr(mask, "detach") else mask)
        if m.shape not in (shape, tuple(size)) or m.dtype.kind not in "biuf":
            raise InputError(f"the mask {name!r} has shape {m.shape} and dtype {m.dtype}; give numbers or bool of shape "
                             f"{shape}" + (f" or {tuple(size)}." if tuple(size) != shape else "."))
        m = m.astype(np.float32)
        if not (np.isfinite(m).all() and m.min() >= 0 and m.max() <= 1):
            raise InputError(f"the mask {name!r} must lie in 0 .. 1; it goes from {m.min():g} to {m.max():g}.")
        cells = on_cells(m, (shape[0], shape[1])) if m.ndim == 2 and len(shape) == 2 else m
        units.append(mass.unit("region", said(name), cells))
    return units


def said(name: object) -> str:
    """A given name as a label: one line, at most 60 characters, and in quotes unless it is made of plain words, so that
    nothing in it can be read as part of the sentence."""
    text = plain(str(name), 60)
    # Kept short: a plain name of many words could be a sentence of its own.
    return text if re.fullmatch(r"[^\W_]+(?:[ '’-][^\W_]+){0,4}", text) and len(text) <= 40 else f"“{text}”"


def plain(text: str, most: int = 80) -> str:
    """Text on one line without control characters, no longer than ``most``, its curly double quotes made single."""
    text = "".join(c if c.isprintable() else " " for c in text)
    text = " ".join(text.replace("“", "‘").replace("”", "’").split())
    return text if len(text) <= most else text[:most - 1].rstrip() + "…"


def place_words(centre: tuple[float, float], words: ModuleType = english) -> str:
    """Where a point (row, column; 0..1) lies, as a sentence says it: "at the top left", "left of the centre"."""
    row, column = centre
    i, j = min(int(row * 3), 2), min(int(column * 3), 2)
    if (i, j) != (1, 1):
        return str(words.LABELS["on" if i == 1 else "at"].format(place=words.PLACES[3 * i + j]))
    down, right = row - 0.5, column - 0.5
    if max(abs(down), abs(right)) < 0.07:
        return str(words.LABELS["centre"])
    if abs(right) >= abs(down):
        return str(words.LABELS["right_of" if right > 0 else "left_of"])
    return str(words.LABELS["below" if down > 0 else "above"])


def renamed(unit: Unit, label: str, id: str = "") -> Unit:
    """The unit under another label; its cells are not made for it."""
    cells = unit.__dict__.get("cells", unit.__dict__.get("_make"))
    return replace(unit, id=id, label=label, cells=cells)  # type: ignore[arg-type]
