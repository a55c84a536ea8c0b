"""Do the map's values say how much the score changes? Random places are hidden, and the map's sum there is compared.

Both metrics hide the same places for every explanation of an input, keep all logits (`Runs`), and so score each hidden image
once for every method and every question.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..explainers.progress import ProgressOption
from ..explanation import Explanation
from ..models import Model
from .likeness import pearson
from .perturb import Runs, task_of
from .registry import metric


@metric(family="faithfulness", better="lower", needs=("model",), range="0..1", chance=1.0, passes="1 + n_samples",
        cannot="where a large error comes from; and what the network does with hidden squares is not what it does with "
               "photographs",
        source="Yeh et al. 2019, eq. 1, with square removal (sec. 2.2); best scale as in captum")
def infidelity(model: Model, explanations: Sequence[Explanation], *, perturbation: str = "squares", n_samples: int = 64,
               sides: Sequence[float] = (0.125, 0.25), sigma: float = 0.1, normalize: bool = True, fill: Any = "black",
               seed: int = 0, batch_size: int = 64, runs: Runs | None = None,
               progress: ProgressOption = None) -> np.ndarray:
    """Mean squared error of what the map foretells: E_I (I^T M - (q(x) - q(x - I)))^2, q the question's score.

    perturbation: "squares": a random square is replaced by ``fill``; I^T M is the map's sum there, as for maps whose values
        are shares of the score. "noise": x - I, I Gaussian with ``sigma`` times the input's range, the same in all channels;
        I^T M is the sum of noise times map, as for maps that are gradients summed over channels.
    n_samples: perturbations. sides: of the squares, as shares of the image's shorter side; they take turns.
    normalize: the map may first be multiplied by the number that suits it best, at least 0 (maps have no common unit), and
        the error is divided by E (q(x) - q(x - I))^2 (ours): 0 foretells every change, 1 none. False: eq. 1 as it stands,
        in squared units of the score.

    The places come from ``seed`` and are the same for every method and question of an input.
    """
    if perturbation not in ("squares", "noise"):
        raise InputError(f"perturbation={perturbation!r}; use 'squares' or 'noise'.")
    runs = runs or Runs(model, batch_size, progress=progress)

    def foretold(e: Explanation) -> tuple[np.ndarray, Tensor]:
        h, w = _image_size(e, runs, "infidelity")
        chance = np.random.default_rng(seed)
        if perturbation == "squares":
            places = _squares(chance, n_samples, tuple(sides), h, w)
            return places, runs.masked([e] * n_samples, [1 - p for p in places], fill)
        x = runs.input(e)
        noise = (chance.normal(size=(n_samples, h, w)) * sigma * float(x.max() - x.min())).astype(np.float32)
        return noise, runs.logits(x[None] - torch.from_numpy(noise).to(x)[:, None], task_of([e]))

    pairs = _pairs(explanations, runs, n_samples, foretold)
    return np.array([_error(sums, drops, normalize) for sums, drops in pairs])


@metric(family="faithfulness", better="higher", needs=("model",), range="-1..1", chance=0.0, passes="1 + n_samples",
        cannot="whether the map's peak is right: a correlation over random places follows the bulk of the map",
        source="Bhatt et al. 2020, definition 3")
def faithfulness_correlation(model: Model, explanations: Sequence[Explanation], *, cells: int | None = 8,
                             share: float = 0.25, n_samples: int = 64, fill: Any = "black", seed: int = 0,
                             batch_size: int = 64, runs: Runs | None = None,
                             progress: ProgressOption = None) -> np.ndarray:
    """Pearson's correlation, over random subsets S of places, of the map's sum over S with q(x) - q(x without S).

    q is the question's score; S is replaced by ``fill``. cells: places are the cells of a cells x cells grid (ours: hidden
    single pixels look like noise to a network); None: single pixels, as in the paper. share: how much of all places each
    subset has. n_samples: subsets, from ``seed``, the same for every method and question. A constant map, or a score that
    nothing changes: 0.
    """
    if not 0 < share < 1:
        raise InputError(f"share={share!r}; give how much of the image is hidden, between 0 and 1.")
    runs = runs or Runs(model, batch_size, progress=progress)

    def hidden(e: Explanation) -> tuple[np.ndarray, Tensor]:
        h, w = _image_size(e, runs, "faithfulness_correlation")
        places = _subsets(np.random.default_rng(seed), n_samples, cells, share, h, w)
        return places, runs.masked([e] * n_samples, [1 - p for p in places], fill)

    return np.array([pearson(sums, drops) for sums, drops in _pairs(explanations, runs, n_samples, hidden)])


def _pairs(explanations: Sequence[Explanation], runs: Runs, n_samples: int,
           perturbed: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each explanation, what the map says of each perturbation and how far the score fell, float64 `[n_samples]`."""
    if isinstance(n_samples, bool) or not isinstance(n_samples, (int, np.integer)) or n_samples < 2:
        raise InputError(f"n_samples={n_samples!r}; give a whole number of at least 2.")
    asked = runs.questions(explanations)
    clean = runs.originals(explanations)
    kept: dict[int, tuple[np.ndarray, Tensor]] = {}
    out = []
    for e, q, whole in zip(explanations, asked, clean, strict=True):
        key = id(runs.input(e))  # one tensor for all explanations of an input
        if key not in kept:
            kept[key] = perturbed(e)
        places, logits = kept[key]
        drops = q.score(whole.double()) - q.score(logits.double())
        sums = places.reshape(len(places), -1).astype(np.float64) @ runs.map(e).ravel().astype(np.float64)
        out.append((sums, drops.numpy()))
    return out


def _error(sums: np.ndarray, drops: np.ndarray, normalize: bool) -> float:
    if not normalize:
        return float(np.mean((sums - drops) ** 2))
    power, energy = float(np.mean(sums ** 2)), float(np.mean(drops ** 2))
    if energy == 0:
        return 0.0
    best = max(0.0, float(np.mean(sums * drops)) / power) if power > 0 else 0.0
    return float(np.mean((best * sums - drops) ** 2)) / energy


def _squares(chance: np.random.Generator, n: int, sides: tuple[float, ...], h: int, w: int) -> np.ndarray:
    """Float32 `[n, h, w]`, 1 inside a random square."""
    if not sides or not all(0 < s <= 1 for s in sides):
        raise InputError(f"sides={sides!r}; give shares of the shorter side, between 0 and 1.")
    out = np.zeros((n, h, w), np.float32)
    for j in range(n):
        side = max(1, round(sides[j % len(sides)] * min(h, w)))
        top, left = int(chance.integers(0, h - side + 1)), int(chance.integers(0, w - side + 1))
        out[j, top:top + side, left:left + side] = 1
    return out


def _subsets(chance: np.random.Generator, n: int, cells: int | None, share: float, h: int, w: int) -> np.ndarray:
    """Float32 `[n, h, w]`, 1 in the places of a random subset."""
    if cells is not None and (isinstance(cells, bool) or not isinstance(cells, (int, np.integer)) or
                              not 2 <= cells <= min(h, w)):
        raise InputError(f"cells={cells!r}; give cells along a side, from 2 to {min(h, w)}, or None for pixels.")
    down, along = (h, w) if cells is None else (cells, cells)
    k = max(1, round(share * down * along))
    chosen = np.zeros((n, down * along), np.float32)
    for row in chosen:
        row[chance.choice(down * along, k, replace=False)] = 1
    grid = chosen.reshape(n, down, along)
    return grid[:, np.arange(h) * down // h][:, :, np.arange(w) * along // w]


def _image_size(e: Explanation, runs: Runs, name: str) -> tuple[int, int]:
    x = runs.input(e)
    if x.ndim != 3 or e.values.ndim != 2:
        raise InputError(f"{name} is about maps of images; this one has an input of shape {list(x.shape)} and a map of "
                         f"shape {list(e.values.shape)}.")
    return int(x.shape[1]), int(x.shape[2])
