"""Non-negative factorisation in torch, for activations that are on a GPU, and non-negative least squares for encoding.

Everything is written on tensors of one device; with a fixed seed the same machine gives the same factors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

_TINY = 1e-12


def nnls(rows: Tensor, components: Tensor, alpha: float = 0.0, steps: int = 500, tol: float = 1e-5) -> Tensor:
    """The non-negative u `[n, K]` with the least ||rows - u components||^2 + alpha ||u||^2, for rows `[n, C]`.

    Accelerated projected gradients with restarts (O'Donoghue & Candès 2015), all rows at once; it ends when no
    coefficient moves by more than ``tol`` of the largest.
    """
    k = len(components)
    gram = components @ components.T + alpha * torch.eye(k, dtype=rows.dtype, device=rows.device)
    to = rows @ components.T
    step = 1 / torch.linalg.matrix_norm(gram, 2).clamp_min(_TINY)
    # Solved without the constraint first: where that is non-negative already, it is the answer.
    u = torch.linalg.lstsq(gram.cpu(), to.T.cpu(), driver="gelsd").solution.T.to(rows).clamp_min(0)
    y, t = u, 1.0
    for i in range(steps):
        new = (y - step * (y @ gram - to)).clamp_min_(0)
        moved = new - u
        t_new = (1 + (1 + 4 * t * t) ** 0.5) / 2
        if float(((y - new) * moved).sum()) > 0:
            t_new = t = 1.0
        y, u, t = new + (t - 1) / t_new * moved, new, t_new
        if i % 5 == 4 and float(moved.abs().max()) <= tol * max(float(u.max()), _TINY):
            break
    return u


def hals(rows: Tensor, n_concepts: int, seed: int = 0, alpha: float = 0.0, steps: int = 200,
         tol: float = 1e-4, between: Callable[[], None] = lambda: None) -> tuple[Tensor, Tensor]:
    """rows `[n, C]` >= 0 as u `[n, K]` times components `[K, C]`, both >= 0, in float32.

    Hierarchical alternating least squares (Cichocki & Phan 2009) from an NNDSVDa start (Boutsidis & Gallopoulos 2008).
    alpha: L2 penalties alpha C ||u||^2 / 2 and alpha n ||components||^2 / 2, scaled as scikit-learn scales ``alpha_W``.
    Ends when the projected gradient has fallen to ``tol`` of its first value, or after ``steps``. between: called after
    each round; may raise to stop.
    """
    x = rows.float()
    u, w = _start(x, n_concepts, seed)
    on_u, on_w = alpha * x.shape[1], alpha * x.shape[0]
    first = 0.0
    for i in range(steps):
        moved = _sweep(u, x @ w.T, w @ w.T, on_u)
        w_t = w.T.contiguous()
        moved += _sweep(w_t, x.T @ u, u.T @ u, on_w)
        w = w_t.T.contiguous()
        first = first or moved
        between()
        if i and moved <= tol * first:
            break
    return u, w


def _sweep(factor: Tensor, cross: Tensor, gram: Tensor, penalty: float) -> float:
    """One round over the columns of ``factor`` (in place), each the best given the others; how far from settled it was.

    The columns depend on one another in turn: this loop is the algorithm.
    """
    violation = torch.zeros((), device=factor.device)
    for k in range(factor.shape[1]):
        gradient = factor @ gram[:, k] - cross[:, k] + penalty * factor[:, k]
        projected = torch.where(factor[:, k] > 0, gradient, gradient.clamp_max(0))
        violation += projected.abs().sum()
        factor[:, k] = (factor[:, k] - gradient / (gram[k, k] + penalty).clamp_min(_TINY)).clamp_min(0)
    return float(violation)


def _start(x: Tensor, k: int, seed: int) -> tuple[Tensor, Tensor]:
    """NNDSVD from the Gram matrix, zeros filled with the mean; columns beyond the rank are drawn from ``seed``."""
    values, vectors = torch.linalg.eigh(x.double().T @ x.double())
    values, vectors = values.flip(0).clamp_min(0), vectors.flip(1)
    mean = float(x.mean())
    rank = int((values > values[0] * 1e-12).sum())
    m = min(k, rank)
    s, v = values[:m].sqrt(), vectors[:, :m]
    left = (x.double() @ v) / s
    plus, minus = _halves(left, v, False), _halves(left, v, True)
    better = plus[2] >= minus[2]
    a, b, size = (torch.where(better, p, q) for p, q in zip(plus, minus, strict=True))
    scale = (s * size).sqrt()
    u, w = (a * scale).float(), (b * scale).T.float()
    u, w = (torch.where(t > 0, t, torch.full_like(t, mean)) for t in (u, w))
    if m < k:
        generator = torch.Generator().manual_seed(seed)
        u = torch.cat([u, torch.rand(len(x), k - m, generator=generator).to(u) * mean], 1)
        w = torch.cat([w, torch.rand(k - m, x.shape[1], generator=generator).to(w) * mean])
    return u.contiguous(), w.contiguous()


def _halves(left: Tensor, right: Tensor, negative: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The positive (or negative) parts of singular vectors, at length 1, and the product of the lengths they had."""
    sign = -1 if negative else 1
    a, b = (left * sign).clamp_min(0), (right * sign).clamp_min(0)
    na, nb = a.norm(dim=0).clamp_min(_TINY), b.norm(dim=0).clamp_min(_TINY)
    return a / na, b / nb, na * nb


def semi_nmf(x: Tensor, u: Tensor, steps: int = 200, tol: float = 1e-4,
             between: Callable[[], None] = lambda: None) -> tuple[Tensor, Tensor]:
    """rows `[n, C]` of any sign as u `[n, K]` >= 0 times components `[K, C]`, from a start ``u`` > 0.

    The multiplicative updates of Ding, Li & Jordan 2010, eq. 10 and 11, until the error falls by less than ``tol`` of
    itself in ten rounds.
    """
    total, last = float((x * x).sum()), float("inf")
    components = torch.linalg.pinv(u.T @ u) @ (u.T @ x)
    for i in range(steps):
        cross, gram = x @ components.T, components @ components.T
        up = cross.clamp_min(0) + u @ (-gram).clamp_min(0)
        down = (-cross).clamp_min(0) + u @ gram.clamp_min(0)
        u = u * (up / down.clamp_min(_TINY)).sqrt()
        components = torch.linalg.pinv(u.T @ u) @ (u.T @ x)
        if i % 10 == 9:
            between()
            error = total - float(((u.T @ x) * components).sum())
            if last - error <= tol * max(error, _TINY):
                break
            last = error
    return u, cast(Tensor, components)
