"""A layer's activations, batch by batch, inside one session: whole maps, and means over crops."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError, ModelError
from ..models import Model
from ..models.layers import FeatureLayer

CROP = 64 / 224
_STRIDE = 0.8


class LayerReader:
    """Reads one layer of a model. crop: side of the crops in pixels, None: 64 / 224 of the shorter side (CRAFT)."""

    def __init__(self, model: Model, layer: str | None, x: Tensor, crop: int | None = None):
        self.model = model
        self.layer: FeatureLayer = model.feature_layer(x, layer)
        height, width = int(x.shape[-2]), int(x.shape[-1])
        self.size = (height, width)
        self.crop = max(1, min(height, width, round(CROP * min(height, width)) if crop is None else int(crop)))

    def maps(self, x: Tensor, first: int = 0) -> tuple[Tensor, Tensor]:
        """Activations `[n, C, h, w]` and logits `[n, classes]`, float32, of images ``x``; first: number of the first."""
        with torch.no_grad(), self.model.captured([self.layer.name]) as found:
            logits = self.model.forward(x)
        kept = found[self.layer.name].tensor
        if kept is None:
            raise ModelError(f"layer {self.layer.name!r} did not run; choose a layer that every input passes.")
        maps = self.layer.layout.to_map(kept.detach()).float()
        if not bool(torch.isfinite(maps.sum())) and not bool(torch.isfinite(maps).all()):
            bad = (~torch.isfinite(maps).flatten(1).all(1)).nonzero().flatten()[:5] + first
            raise InputError(f"layer {self.layer.name!r} puts out NaN or infinity for image "
                             f"{', '.join(map(str, bad.tolist()))}; leave it out, or look at the network's weights.")
        return maps, logits

    # -- crops -----------------------------------------------------------------------------------------------

    def boxes(self) -> np.ndarray:
        """Crops of an image, int `[B, 4]` (row0, column0, row1, column1): every 0.8 sides, the last ones at the edge."""
        tops, lefts = (_starts(n, self.crop) for n in self.size)
        return np.array([[t, left, t + self.crop, left + self.crop] for t in tops for left in lefts])

    def crop_means(self, x: Tensor, batch_size: int, first: int = 0) -> Tensor:
        """Mean activation `[n, B, C]` of each crop, enlarged to the input's size (bilinear), for images ``x``."""
        boxes = self.boxes()
        cut = torch.stack([x[..., t:b, left:right] for t, left, b, right in boxes], 1).flatten(0, 1)
        means = []
        for part in cut.split(batch_size):
            big = torch.nn.functional.interpolate(part.float(), self.size, mode="bilinear", align_corners=False).to(x.dtype)
            means.append(self.maps(big, first)[0].mean((-2, -1)))
        return torch.cat(means).unflatten(0, (len(x), len(boxes)))

    def box_at(self, cell: tuple[int, int]) -> tuple[int, int, int, int]:
        """The crop around the centre of a cell (row, column) of the layer's map, shifted to lie in the image."""
        out = []
        for at, n, cells in zip(cell, self.size, (self.layer.layout.height, self.layer.layout.width), strict=True):
            middle = (at + 0.5) * n / cells
            start = min(max(0, round(middle - self.crop / 2)), n - self.crop)
            out.append((int(start), int(start + self.crop)))
        return out[0][0], out[1][0], out[0][1], out[1][1]


def _starts(n: int, side: int) -> list[int]:
    stride = max(1, round(_STRIDE * side))
    starts = list(range(0, n - side + 1, stride))
    if starts[-1] != n - side:
        starts.append(n - side)
    return starts


def rows_of(maps: Any) -> Any:
    """Maps `[n, C, h, w]` as rows `[n h w, C]`, one per cell; tensor or array."""
    if isinstance(maps, Tensor):
        return maps.movedim(1, -1).reshape(-1, maps.shape[1])
    return np.ascontiguousarray(np.moveaxis(maps, 1, -1).reshape(-1, maps.shape[1]))


def maps_of(rows: Any, n: int, h: int, w: int) -> Tensor:
    """Rows `[n h w, K]` back as maps `[n, K, h, w]`, a float32 tensor."""
    t = rows if isinstance(rows, Tensor) else torch.from_numpy(np.ascontiguousarray(rows, np.float32))
    return t.reshape(n, h, w, -1).movedim(-1, 1).float()
