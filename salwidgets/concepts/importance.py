"""How much each concept matters for an answer, image by image, on the concepts' coefficients: u -> score(head(u W)).

Additive methods are signed and in the score's units (logits): what the concept gives to (positive) or takes from the
answer. Under an affine head all three are the same and their sum is score(u) - score(no concept), exactly. Sobol indices
are shares of variance, never negative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import MethodError
from ..explainers.base import Columns, weights_of
from .sobol import DESIGNS, jansen, sobol_affine, sobol_masks

if TYPE_CHECKING:
    from .concept_heads import ConceptHead

METHODS = ("sobol", "gradient-x-input", "integrated-gradients", "occlusion")
STEPS = 32


def check_method(name: Any) -> None:
    """Raises `MethodError` unless ``name`` is one of `METHODS`."""
    if name not in METHODS:
        raise MethodError(f"importance={name!r}; use one of {', '.join(METHODS)}.")


def passes(method: str, k: int) -> int:
    """Runs of the head per image where it has no closed form."""
    return {"sobol": DESIGNS * (k + 1), "gradient-x-input": 1, "integrated-gradients": STEPS, "occlusion": k + 1}[method]


def importances(head: ConceptHead, x: Tensor, u: Tensor, columns: Columns, method: str, exact: bool = True) -> Tensor:
    """Importance `[n, K]` of each concept for each image's question, inside a session.

    x: images `[n, ...]`; u: coefficients `[n, K, h, w]`; columns: one bound question per image.

    * gradient-x-input: u_k d score / d u_k at u, summed over cells.
    * integrated-gradients: the same averaged on the way from no concept to u, `STEPS` Gauss-Legendre points.
    * occlusion: score(u) - score(u without k).
    * sobol: total indices over masks in [0, 1) of whole concepts; `DESIGNS` Halton points (CRAFT: Fel et al. 2023).

    exact: use the closed form of an affine head (no difference but time; False for tests).
    """
    k = u.shape[1]
    if exact and head.affine and all(q.linear for q in columns[0]):
        assert head.closed is not None
        some = torch.zeros(len(u), head.closed[0].weight.shape[0], device=u.device)
        shares = head.shares(u, weights_of(columns, some)[0])
        return sobol_affine(shares) if method == "sobol" else shares
    if method == "sobol":
        return jansen(head.scores(x, u, torch.from_numpy(sobol_masks(k)).to(u), columns), k)
    if method == "occlusion":
        masks = torch.cat([torch.ones(1, k), 1 - torch.eye(k)]).to(u)
        s = head.scores(x, u, masks, columns)
        return s[:, :1] - s[:, 1:]
    if method == "gradient-x-input":
        return head.slopes(x, u, torch.ones(1, k).to(u), columns)[:, 0]
    at, weight = (torch.from_numpy(v.astype(np.float32)).to(u) for v in np.polynomial.legendre.leggauss(STEPS))
    slopes = head.slopes(x, u, ((at + 1) / 2)[:, None].expand(-1, k), columns)
    return torch.einsum("nmk,m->nk", slopes, weight / 2)
