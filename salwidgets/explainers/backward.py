"""One backward pass for many questions: gradients of scores with respect to any tensors of the graph."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import ModelError

_UNBATCHED = ("vmap", "batching rule", "data pointer", "functorch")  # what torch says of operations it cannot batch


def gradients(scores: Tensor, tensors: Sequence[Tensor], weights: Tensor, *, retain: bool = True,
              allow_unused: bool = True) -> list[Tensor]:
    """d (weights . scores) / d each tensor, `[Q, *shape]`, for weights `[Q, N, K]`.

    Several questions go in one batched backward; where an operation cannot be batched (torch has no rule for it, or a
    custom backward reads numbers out of its gradient), one by one.
    A tensor that the scores do not depend on has zeros (an error, unless ``allow_unused``).
    Raises `ModelError` if the weights of the network were changed since the forward pass.
    """
    w = weights.to(scores.dtype)
    try:
        with torch.enable_grad():
            found = _backward(scores, tensors, w, retain, allow_unused)
    except RuntimeError as e:
        if "modified by an inplace operation" in str(e):
            raise ModelError("the model's weights were changed after this evidence was prepared; prepare it again. (Or the "
                             "network overwrites what its own backward pass needs, as with a wrong inplace=True: then "
                             "occlusion and rise, which need scores only, can explain it.)") from e
        raise
    return [torch.zeros_like(t).expand(len(w), *t.shape) if g is None else g for t, g in zip(tensors, found, strict=True)]


def _backward(scores: Tensor, tensors: Sequence[Tensor], w: Tensor, retain: bool,
              allow_unused: bool) -> list[Tensor | None]:
    if len(w) > 1:
        try:  # a pass that stops half-way must leave the graph for the passes below
            return list(torch.autograd.grad(scores, tensors, w, retain_graph=True, allow_unused=allow_unused,
                                            is_grads_batched=True))
        except RuntimeError as e:
            if not any(word in str(e).lower() for word in _UNBATCHED):
                raise
    each = [torch.autograd.grad(scores, tensors, row, retain_graph=retain or len(w) > 1, allow_unused=allow_unused)
            for row in w]
    if len(each) == 1:
        return [None if g is None else g[None] for g in each[0]]
    return [None if g[0] is None else torch.stack(g) for g in zip(*each, strict=True)]
