"""What a `Scorecard` sends to the browser: figures, curves, maps, and what stands where a picture is hidden."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .panels import _small
from .pictures import keys_of, picture_of
from .wire import LARGEST, pack

if TYPE_CHECKING:
    from ..explanation import Explanation
    from ..metrics.score_table import Column, ScoreTable

#: what a point of a curve means, by `MetricInfo.plays`
PLAYS = {"most": "hidden, the most important first", "least": "hidden, the least important first",
         "show": "shown, the most important first"}


def figures(table: ScoreTable) -> dict[str, Any]:
    """Rows, groups and columns with means, intervals and which is best; the curves; agreement between metrics."""
    from ..metrics.table_show import best, cells

    groups, found = cells(table)
    members = table.groups()
    columns: list[dict[str, Any]] = []
    curves, start = [], 0
    for c in table.columns:
        shown = [_cell(found.get((g, c.label)), best(groups, found, c, g)) for g in groups]
        columns.append({"label": c.label, "arrow": c.info.arrow, "better": c.info.better, "cannot": c.info.cannot,
                        "range": c.info.range, "source": c.info.source, "values": [_finite(v) for v in c.values.tolist()],
                        "cells": shown, "curve": None, "plays": c.info.plays, "fill": str(c.params.get("fill", ""))})
        if c.curves is not None:
            x, y = c.curves
            columns[-1]["curve"] = {"x": [float(v) for v in x], "start": start}
            curves.append(np.asarray(y, np.float32).ravel())
            start += curves[-1].size
    alike = [[_finite(float(v)) for v in row] for row in table.agreement().to_numpy()] if len(table) >= 3 else []
    rows = [{"input": r.input, "question": r.question, "method": r.method, "model": r.model, "kind": r.kind,
             "flags": "; ".join(r.flags)} for r in table.rows]
    return {"rows": rows, "columns": columns, "agreement": alike, "notices": table.notes,
            "groups": [{"method": m, "kind": k, "model": n, "rows": members[m, k, n]} for m, k, n in groups],
            "curves": pack(np.concatenate(curves) if curves else np.zeros(0), "float32")}


def _cell(cell: tuple[float, float, float] | None, is_best: bool) -> dict[str, Any] | None:
    if cell is None:
        return None
    mean, low, high = map(_finite, cell)
    return {"mean": mean, "low": low, "high": high, "best": is_best}


def _finite(v: float) -> float | None:
    return v if math.isfinite(v) else None


def drawn(table: ScoreTable, given: Any) -> list[Explanation]:
    """The explanations of images behind the rows; none where the table has none, or they are no images.

    `InputError` if ``given`` are not those that were scored.
    """
    es = list(table.explanations) if given is None else [given] if hasattr(given, "values") else list(given)
    if not es:
        return []
    if len(es) != len(table):
        raise InputError(f"the table has {len(table)} rows, and {len(es)} explanations were given; give those that were "
                         "scored, in their order.")
    for i, (e, r) in enumerate(zip(es, table.rows, strict=True)):
        if getattr(e, "method", None) != r.method:
            raise InputError(f"explanation {i} is of {getattr(e, 'method', type(e).__name__)}; row {i} of the table is of "
                             f"{r.method}. Give those that were scored, in their order.")
        if not np.isfinite(np.asarray(e.values)).all():
            raise InputError(f"explanation {i} ({r.method}) holds values that are no numbers or infinite. Metrics score no "
                             "such maps; give those that were scored.")
    images = all(np.ndim(e.values) == 2 and np.size(e.values) and picture_of(e) is not None for e in es)
    return es if images else []


def pictures(table: ScoreTable, es: list[Explanation]) -> tuple[dict[str, Any], list[NDArray[np.uint8]]]:
    """Maps, the different pictures, and what stands in them where they are hidden; the pictures themselves, too."""
    found: dict[str, int] = {}
    images: list[NDArray[np.uint8]] = []
    keys, places, start = [], [], 0
    for e in es:
        image = picture_of(e)
        assert image is not None
        key = keys_of(e, image)
        if key not in found:
            found[key] = len(images)
            images.append(image)
            keys.append(key)
        places.append({"map": [start, *np.shape(e.values)], "picture": found[key]})
        start += np.size(e.values)
    fills = sorted({str(c.params["fill"]) for c in table.columns if c.curves is not None and "fill" in c.params})
    sheets = [_small(image) for image in images]
    stills: dict[str, list[Any]] = {}
    for fill in fills:
        stills[fill] = [_still(image, fill, sheets) for image in images]
    size = start * 4 + sum(s.size for s in sheets)
    if size > LARGEST:
        raise InputError(f"maps and pictures of this table weigh {size / 2**20:.0f} MiB; more than {LARGEST // 2**20} MiB "
                         "is too slow for a browser. Show fewer explanations.")
    values = [np.asarray(e.values, np.float32).ravel() for e in es]
    return {"maps": pack(np.concatenate(values) if values else np.zeros(0), "float32"), "places": places, "stills": stills,
            "pictures": pack(np.concatenate([s.ravel() for s in sheets]) if sheets else np.zeros(0), "uint8"),
            "sheets": [list(s.shape[:2]) for s in sheets], "picture_keys": keys}, sheets[:len(images)]


def _still(image: NDArray[np.uint8], fill: str, sheets: list[NDArray[np.uint8]]) -> dict[str, Any] | None:
    """A colour, or the number of a sheet that is added; None for fills that look at what is left (road, a painter)."""
    if fill == "black":
        return {"colour": [0, 0, 0]}
    if fill == "mean":
        return {"colour": [round(float(v)) for v in image.mean((0, 1))]}
    if fill not in ("blur", "noise"):
        return None
    import torch

    if fill == "noise":
        noise = torch.rand((3, *image.shape[:2]), generator=torch.Generator().manual_seed(0))
        still = (255 * noise).round().permute(1, 2, 0)
    else:
        from ..explainers.baselines import blur

        x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float()
        still = blur(x, 5.0)[0].clamp(0, 255).round().permute(1, 2, 0)
    sheets.append(_small(still.to(torch.uint8).numpy()))
    return {"sheet": len(sheets) - 1}


def perturbed(e: Explanation, image: NDArray[np.uint8], still: NDArray[np.uint8], plays: str, x: float) -> NDArray[np.uint8]:
    """The picture at point ``x`` of a curve, uint8 `[H, W, 3]`, as metrics hide it: ties in reading order."""
    from ..explanation import resize

    h, w = image.shape[:2]
    flat = resize(np.asarray(e.values), h, w).ravel()
    ranks = np.empty(h * w, np.int64)
    ranks[np.argsort(-flat, kind="stable")] = np.arange(h * w)
    count = int((1 - x if plays == "show" else x) * h * w + 1e-6)
    gone = ranks < count if plays == "most" else ranks >= h * w - count
    return np.where(gone.reshape(h, w, 1), still, image)


def playable(column: Column) -> bool:
    """Whether a point of this column's curve is one picture."""
    return column.curves is not None and column.info.plays in PLAYS
