"""The score as a function of concept coefficients: u -> question(head(u W + offset)), for masked copies of u in one batch.

Three ways, the quickest that is right: heads that are pooling and one linear layer are written in closed form
(`explainers.heads` recognises them by numbers); otherwise the network itself runs on from the layer. It then runs up to
the layer once per image where it can go on with more copies than it was given (tried and checked by numbers), and
else once per copy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import MethodError, ModelError
from ..explainers.base import Columns, apply, weights_of
from ..explainers.heads import PooledHead, pooled_head
from ..models import Model
from ..models.layers import FeatureLayer
from ..models.outputs import find_logits
from .activations import LayerReader

_BYTES = 128_000_000
_AGREE = 1e-4


def closed_form(model: Model, layer: FeatureLayer, x: Tensor) -> tuple[PooledHead, Tensor] | None:
    """The head in closed form and its bias `[classes]`, if it has one; tried on ``x``, inside a session."""
    if layer.head is None:
        return None
    # cut: a copy of the features is handed on, so that a relu in place cannot change them.
    with torch.no_grad(), model.captured([layer.name]) as found, model.captured([layer.head], cut=False) as after:
        logits = model.forward(x)
    a, z = found[layer.name].tensor, after[layer.head].tensor
    module: Any = model.net.get_submodule(layer.head)
    if a is None or z is None:
        return None
    head = pooled_head(module, layer.layout.to_map(a.detach()).float(), z.float(), logits)
    bias = torch.zeros(logits.shape[1], device=logits.device) if module.bias is None else module.bias.detach().float()
    return None if head is None else (head, bias)


class ConceptHead:
    """One fitted dictionary under one head. ``affine``: the logits are affine in u.

    components `[K, C]`, offset `[C]` or None; nonnegative: coefficients are known to be >= 0. A head with a relu on its
    input is affine only where u W cannot be negative; elsewhere the network runs. step: told of runs of the network.
    """

    def __init__(self, model: Model, layer: FeatureLayer, closed: tuple[PooledHead, Tensor] | None, components: Tensor,
                 offset: Tensor | None, batch_size: int, step: Callable[[int], None] = lambda n: None,
                 nonnegative: bool = False):
        self.model, self.layer, self.batch_size, self.step = model, layer, batch_size, step
        self.w = components
        self.offset = offset
        positive = nonnegative and offset is None and bool((components >= 0).all())
        if closed is not None and closed[0].inner is not None and not positive:
            closed = None
        self.closed = closed
        self._way: str | None = None

    @property
    def affine(self) -> bool:
        """Whether each logit is a weighted sum of the concepts' mean coefficients, plus a constant."""
        return self.closed is not None and self.closed[0].outer is None

    def shares(self, u: Tensor, weights: Tensor) -> Tensor:
        """What each concept gives to the score, `[n, K]`, under an affine head, for question weights `[n, classes]`."""
        assert self.closed is not None
        effect = self.w @ self.closed[0].weight.T
        return u.mean((-2, -1)) * (weights @ effect.T)

    def scores(self, x: Tensor, u: Tensor, masks: Tensor, columns: Columns) -> Tensor:
        """The question's scores `[n, M]` where concept k of image n has coefficient masks[., k] u[n, k].

        x: the images `[n, ...]`; u: `[n, K, h, w]`; masks: `[M, K]`, or `[n, M, K]` of each image its own.
        """
        with torch.no_grad():
            return torch.cat([self._scored(*part) for part in self._parts(x, u, masks, columns)])

    def slopes(self, x: Tensor, u: Tensor, masks: Tensor, columns: Columns) -> Tensor:
        """sum over cells of u_k d score / d (masks_k u_k), `[n, M, K]`: the change per unit of each mask."""
        out = []
        for some, v, m, asked in self._parts(x, u, masks, columns):
            # A pass of the network holds its graph until its own gradients are taken.
            at_once = m.shape[1] if self.closed is not None else max(1, self.batch_size // len(some))
            out.append(torch.cat([self._slope(some, v, part, asked) for part in m.split(at_once, 1)], 1))
        return torch.cat(out)

    def _slope(self, x: Tensor, u: Tensor, masks: Tensor, columns: Columns) -> Tensor:
        at = masks.clone().requires_grad_()
        with torch.enable_grad():
            s = self._scored(x, u, at, columns)
        if not s.requires_grad:
            raise MethodError("the model's output does not depend on the layer in a differentiable way; use "
                              "importance='occlusion' or 'sobol', which need scores only.")
        return torch.autograd.grad(s.sum(), at)[0]

    def _parts(self, x: Tensor, u: Tensor, masks: Tensor, columns: Columns) -> list[tuple[Tensor, Tensor, Tensor, Columns]]:
        """Images a few at a time, so that their masked maps fit in memory, each with masks of its own `[n, M, K]`."""
        masks = masks.expand(len(x), -1, -1)
        widest = max(len(self.w), len(_used(columns)) if self.closed is not None else self.w.shape[1])
        size = max(1, _BYTES // max(1, 4 * masks.shape[1] * widest * u.shape[-1] * u.shape[-2]))
        size = size if self.closed is not None else min(size, self.batch_size)
        return [(x[i:i + size], u[i:i + size], masks[i:i + size], [c[i:i + size] for c in columns])
                for i in range(0, len(x), size)]

    def _scored(self, x: Tensor, u: Tensor, masks: Tensor, columns: Columns) -> Tensor:
        if self.closed is None:
            return apply(columns, self._run(x, u, masks))[0]
        linear = all(q.linear for q in columns[0])
        used = _used(columns) if linear else None
        logits = self._closed(u, masks, used)
        if not linear:
            return apply(columns, logits)[0]
        some = torch.zeros(len(u), self.closed[0].weight.shape[0], device=u.device)
        weights = weights_of(columns, some)[0][:, used]
        return torch.einsum("nmr,nr->nm", logits, weights)

    def _closed(self, u: Tensor, masks: Tensor, classes: list[int] | None) -> Tensor:
        """Logits `[n, M, R]` of some classes (None: all)."""
        assert self.closed is not None
        head, bias = self.closed
        rows = slice(None) if classes is None else classes
        effect, b = self.w @ head.weight[rows].T, bias[rows]
        if self.offset is not None:
            b = b + self.offset @ head.weight[rows].T
        if head.outer is None:
            return torch.einsum("nmk,nk,kr->nmr", masks, u.mean((-2, -1)), effect) + b
        z = torch.einsum("nmk,nkp,kr->nmpr", masks, u.flatten(2), effect) + b
        return z.relu().mean(2)

    # -- through the network ---------------------------------------------------------------------------------

    def _maps(self, u: Tensor, masks: Tensor) -> Tensor:
        """u masks W + offset, `[n, M, C, h, w]`."""
        maps = torch.einsum("nmk,nkhw,kc->nmchw", masks, u, self.w)
        return maps if self.offset is None else maps + self.offset[:, None, None]

    def _run(self, x: Tensor, u: Tensor, masks: Tensor) -> Tensor:
        """Logits `[n, M, classes]` of the network, run on from the layer."""
        m = masks.shape[1]
        if m > 1 and self._way is None:
            self._way = self._choose(x, u)
        way = "full" if m == 1 or self._way is None else self._way
        n = 1 if way == "one" else max(1, self.batch_size // m)
        out = []
        for i in range(0, len(x), n):
            rows = []
            for part in masks[i:i + n].split(max(1, self.batch_size), 1):
                rows.append(self._forward(x[i:i + n], self._maps(u[i:i + n], part), way))
                self.step(part.shape[0] * part.shape[1])
            out.append(torch.cat(rows, 1))
        return torch.cat(out)

    def _forward(self, x: Tensor, maps: Tensor, way: str) -> Tensor:
        """Logits `[n, M, classes]` with maps `[n, M, C, h, w]` in the place of the layer's own."""
        n, m = maps.shape[:2]
        flat = maps.flatten(0, 1)

        def put(t: Tensor) -> Tensor:
            # Tokens that lie on no cell (class, registers) stay as the image made them.
            new = (t if way == "full" else t.repeat_interleave(m, 0)).clone()
            self.layer.layout.to_map(new)[:] = flat.to(new.dtype)
            return new

        seen = x.repeat_interleave(m, 0) if way == "full" else x
        with self.model.replaced({self.layer.name: put}, call=self.layer.calls):
            return find_logits(self.model.call(seen), n * m).unflatten(0, (n, m))

    def _choose(self, x: Tensor, u: Tensor) -> str:
        """The quickest way that gives what a whole forward per copy gives: "many", "one" or "full"."""
        k = len(self.w)
        masks = torch.ones(min(2, len(x)), 3, k, device=u.device)
        masks[:, 1, : (k + 1) // 2], masks[:, 2] = 0.3, 0
        with torch.no_grad():
            maps = self._maps(u[:2], masks)
            right = self._forward(x[:2], maps, "full")
            # With a single image the two are the same, and a residual that fits one image need not fit two.
            for way, n in (("many", len(maps)), ("one", 1))[len(maps) == 1:]:
                try:
                    found = self._forward(x[:n], maps[:n], way)
                except (RuntimeError, ModelError, ValueError, IndexError):
                    continue  # the rest of the network remembers how many images there were
                if found.shape == right[:n].shape and torch.allclose(found, right[:n], rtol=_AGREE, atol=_AGREE):
                    return way
        return "full"


def _used(columns: Columns) -> list[int]:
    """Classes that linear questions read."""
    return sorted({i for column in columns for q in column for i in (*q.bound.target, *q.bound.foil)})


def make_head(model: Model, reader: LayerReader, closed: Any, dictionary: Any, batch_size: int,
              step: Callable[[int], None] = lambda n: None) -> ConceptHead:
    """The score as a function of coefficients, for a fitted dictionary."""
    found: Any = getattr(dictionary, "components_", 0)
    if np.ndim(found) != 2:
        raise MethodError(f"{dictionary!r} has no components_ [K, C] after fit.")
    w = torch.from_numpy(np.array(found, np.float32)).to(model.device)
    offset = getattr(dictionary, "offset_", None)
    if offset is not None:
        offset = torch.from_numpy(np.array(offset, np.float32)).to(model.device)
    nonnegative = getattr(dictionary, "kind", "") in ("nmf", "semi-nmf", "kmeans")
    return ConceptHead(model, reader.layer, closed, w, offset, batch_size, step, nonnegative)
