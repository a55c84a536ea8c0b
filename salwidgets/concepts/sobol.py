"""Total Sobol indices by Jansen's estimator on Halton designs: how much of a score's variance goes through each concept."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

DESIGNS = 32


@lru_cache(maxsize=8)
def _designs(k: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    from scipy.stats import qmc

    both = qmc.Halton(2 * k, scramble=False).random(n)
    a, b = both[:, :k], both[:, k:]
    mixed = np.repeat(a[None], k, 0)
    mixed[np.arange(k), :, np.arange(k)] = b.T
    return a, mixed


def sobol_masks(k: int, n: int = DESIGNS) -> np.ndarray:
    """Masks `[n (K + 1), K]` in [0, 1): ``n`` Halton points A, then A with column k of a second design, for each k.

    The sequence is unscrambled, as in CRAFT (ref), so that the same K always has the same masks. The design B by itself
    is left out: Jansen's total index needs only A and the mixed ones.
    """
    a, mixed = _designs(k, n)
    return np.concatenate([a, mixed.reshape(-1, k)]).astype(np.float32)


def jansen(scores: Tensor, k: int) -> Tensor:
    """Total indices `[N, K]` from scores `[N, n (K + 1)]` at `sobol_masks`: Jansen 1999,
    ST_k = mean (f(A) - f(A with k from B))^2 / (2 Var f(A)). 0 where the score does not vary at all."""
    f = scores.double().unflatten(1, (k + 1, -1))
    a, mixed = f[:, :1], f[:, 1:]
    variance = a.var(-1, unbiased=True)
    # Noise of float32 is no variance.
    flat = variance <= (1e-6 * f.abs().amax((-2, -1))[:, None].clamp_min(1e-12)) ** 2
    total = (a - mixed).pow(2).mean(-1) / (2 * variance)
    return torch.where(flat, torch.zeros_like(total), total).float()


def sobol_affine(shares: Tensor) -> Tensor:
    """The exact total indices `[N, K]` of score = sum_k shares_k mask_k + b, masks uniform: shares_k^2 / sum shares^2."""
    squares = shares.double().pow(2)
    total = squares.sum(1, keepdim=True)
    return torch.where(total > 0, squares / total.clamp_min(1e-300), torch.zeros_like(squares)).float()
