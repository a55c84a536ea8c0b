"""Robustness: does a map stay when the input changes so little, or in such a way, that it should?

Both metrics explain again: they need maps made by `sw.explain`, and ask their method on changed inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..explainers.progress import Progress, ProgressOption
from ..explanation import Explanation, resize
from ..models import Model
from .again import remake, same_model, ways
from .likeness import spearman
from .registry import metric

AUGMENTATIONS = ("flip", "shift", "brightness")


@metric(family="robustness", better="lower", needs=("model",), range="0 and up",
        passes="n_samples explanations",
        cannot="whether the map is right: a map that never changes scores best",
        source="Yeh et al. 2019, eq. 2, divided by the map's norm (as captum does)")
def max_sensitivity(model: Model, explanations: Sequence[Explanation], *, radius: float = 0.02, n_samples: int = 10,
                    seed: int = 0, progress: ProgressOption = None) -> np.ndarray:
    """How far a map can move when the input moves by at most ``radius``: max_j ||M(x + u_j) - M(x)|| / ||M(x)||.

    radius: of the uniform noise u_j, as a share of the input's range (largest minus smallest value). The norm is
    Frobenius', at the map's own resolution. The question stays the one of the explanation. Lower is better; 0: the map does
    not move. A map that is zero everywhere has no norm: 0 if it stays zero, else infinity. Noise comes from ``seed`` and is
    the same for every method. Errors: `MethodError` for maps from elsewhere, `InputError` for another model.
    """
    _positive(n_samples, "n_samples")
    if not 0 <= float(radius) < float("inf"):
        raise InputError(f"radius={radius!r}; give a share of the input's range, for example 0.02.")

    def near(x: Tensor) -> Tensor:
        chance = torch.Generator().manual_seed(int(seed))
        u = (2 * torch.rand(n_samples, *x.shape[1:], generator=chance) - 1).to(x.device, x.dtype)
        return x + float(radius) * (x.max() - x.min()) * u

    found = ways(explanations, "max_sensitivity")
    same_model(model, explanations, "max_sensitivity")
    with Progress(n_samples * len(explanations), "max sensitivity", progress) as bar:
        made = remake(model, explanations, found, "max_sensitivity", bar, near)
    return np.array([_farthest(e.values, [row[0] for row in rows]) for e, rows in zip(explanations, made, strict=True)])


def _farthest(values: np.ndarray, moved: list[np.ndarray]) -> float:
    norm = float(np.linalg.norm(values.astype(np.float64)))
    most = max(float(np.linalg.norm(m.astype(np.float64) - values)) for m in moved)
    return most / norm if norm > 0 else (0.0 if most == 0 else float("inf"))


@metric(family="robustness", better="higher", needs=("model",), range="-1..1", chance=0.0,
        passes="one explanation for each augmentation",
        cannot="whether the map is right; and where the network itself answers otherwise about the changed image, a map may "
               "rightly change with it",
        source="ours, after equivariance and invariance of explanations (Crabbé & van der Schaar 2023)")
def stability(model: Model, explanations: Sequence[Explanation], *,
              augmentations: Sequence[str] = AUGMENTATIONS, shift: int | None = None, gain: float = 0.8,
              progress: ProgressOption = None) -> np.ndarray:
    """Mean rank correlation of a map with those of changed images, moved back: 1 for a map that goes with its image.

    augmentations: some of "flip" (left to right), "shift" (to the right and down by ``shift`` pixels, by default 1/16 of the
    shorter side; the border repeats), "brightness" (every colour times ``gain``, with the model's own black). Spearman's
    correlation at the input's resolution, where both maps have the scene. A constant map correlates with nothing: 0.
    Errors as for `max_sensitivity`.
    """
    names = (augmentations,) if isinstance(augmentations, str) else tuple(augmentations)
    if not names or set(names) - set(AUGMENTATIONS):
        raise InputError(f"augmentations={augmentations!r}; choose some of {', '.join(AUGMENTATIONS)}.")
    pixels = {i: _shift_of(e, shift) for i, e in enumerate(explanations)}
    found = ways(explanations, "stability")
    same_model(model, explanations, "stability")

    def changed(x: Tensor) -> Tensor:
        by = max(1, min(x.shape[-2:]) // 16) if shift is None else shift
        return torch.cat([_change(model, x, name, by, gain) for name in names])

    with Progress(len(names) * len(explanations), "stability", progress) as bar:
        made = remake(model, explanations, found, "stability", bar, changed)
    return np.array([np.mean([_likeness(e, row[0], name, pixels[i]) for name, row in zip(names, rows, strict=True)])
                     for i, (e, rows) in enumerate(zip(explanations, made, strict=True))])


def _shift_of(e: Explanation, shift: int | None) -> int:
    h, w = e.input.shape[-2:]
    by = max(1, min(h, w) // 16) if shift is None else shift
    if isinstance(by, bool) or not isinstance(by, (int, np.integer)) or not 1 <= by < min(h, w):
        raise InputError(f"shift={shift!r}; give pixels, from 1 to {min(h, w) - 1} for an image of {h} x {w}.")
    return int(by)


def _change(model: Model, x: Tensor, name: str, by: int, gain: float) -> Tensor:
    if name == "flip":
        return x.flip(-1)
    if name == "shift":
        return torch.nn.functional.pad(x, (by, 0, by, 0), mode="replicate")[..., :x.shape[-2], :x.shape[-1]]
    black = model.black(x)
    return black + (x - black) * float(gain)


def _likeness(e: Explanation, moved: np.ndarray, name: str, by: int) -> float:
    """Correlation of the map with one of a changed image, on the pixels that show the same."""
    h, w = e.input.shape[-2:]
    here, there = resize(e.values, h, w), resize(moved, h, w)
    if name == "flip":
        there = there[:, ::-1]
    elif name == "shift":
        here, there = here[:-by, :-by], there[by:, by:]
    return spearman(here, there)


def _positive(value: Any, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InputError(f"{name}={value!r}; give a whole number of at least 1.")
