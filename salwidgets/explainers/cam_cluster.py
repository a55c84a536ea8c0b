"""CF-CAM: weak channels that look alike share one gradient, and those that look like no other are left out."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..errors import MethodError
from . import baselines
from .base import Job
from .cam import Cam, CamEvidence
from .cam_gradient import FACTS, check_choice
from .registry import register

STRONG, NOISE = -2, -1


@register(name="cf-cam", linear=False, signed=False, source="He et al. 2025", **FACTS)
class CfCam(Cam):
    """w = softmax over the kept channels of the mean filtered gradient.

    Channels whose L2 norm reaches the 75th percentile keep their own gradient. The rest are clustered (see
    `cluster`); a cluster's channels share its filtered mean gradient, and noise is dropped (ref). filter:
    "gaussian" (sigma 1; ours, the paper's second version gives no width) or "bilateral" (spatial 5 cells, range
    0.1; the usual filter with a kernel per cell (ours), where the released code applies one kernel everywhere).
    A softmax of gradients far below 1 is almost even: on many networks the question hardly changes the map.
    """

    defaults: ClassVar[dict[str, Any]] = {**Cam.defaults, "filter": "gaussian"}

    def combine(self, a: Tensor, g: Tensor) -> Tensor:
        smooth = bilateral if self.params["filter"] == "bilateral" else gaussian
        maps = []
        # Each input has clusters of its own. Almost even weights on normalised tokens nearly cancel: keep all digits.
        for an, gn in zip(a.double(), g.double().unbind(1), strict=True):
            labels = cluster(an)
            w = gn.mean((-2, -1))
            members = (labels == torch.arange(int(labels.max()) + 1, device=a.device)[:, None]).to(an)
            if len(members):
                shared = torch.einsum("gc,qchw->qghw", members / members.sum(1, keepdim=True), gn)
                w = torch.where(labels >= 0, smooth(shared).mean((-2, -1))[:, labels.clamp_min(0)], w)
            maps.append(torch.einsum("qc,chw->qhw", w.masked_fill(labels == NOISE, -torch.inf).softmax(-1), an))
        return torch.stack(maps, 1).float()

    def prepare(self, job: Job) -> CamEvidence:
        check_choice(self, "filter", "gaussian", "bilateral")
        return super().prepare(job)


def cluster(a: Tensor) -> Tensor:
    """Labels `[C]` of one input's channels `[C, h, w]`: STRONG, NOISE, or 0, 1, … for clusters found by DBSCAN on
    the flattened maps, with eps the 25th percentile of their distances and at least max(2, 5 %) neighbours (ref)."""
    flat = a.flatten(1).double().cpu()
    norms = flat.norm(dim=1).numpy()
    labels = torch.full((len(flat),), STRONG)
    weak = torch.from_numpy(np.flatnonzero(norms < np.percentile(norms, 75)))
    if len(weak) > 1:
        squares = _squares(flat[weak])
        eps = max(_quartile(squares), 1e-5)
        # Squares are compared, and that of a root has lost a digit: a distance of just eps must stay within it.
        labels[weak] = dbscan(squares, eps * eps * (1 + 1e-15), max(2, int(0.05 * len(weak))))
    elif len(weak):
        labels[weak] = NOISE
    return labels.to(a.device)


def _squares(points: Tensor) -> Tensor:
    """Squared distances `[M, M]` of points `[M, D]` in double precision, where a product is as good as differences."""
    norms = points.square().sum(1)
    return (norms[:, None] + norms).addmm_(points, points.T, alpha=-2).clamp_(min=0).fill_diagonal_(0)


def _quartile(squares: Tensor) -> float:
    """The 25th percentile of the distances from each point to each other, of squares `[M, M]`, each pair's twice there."""
    pairs = np.concatenate([row[i + 1:] for i, row in enumerate(squares.numpy())])
    place, share = divmod(0.25 * (2 * len(pairs) - 1), 1)
    low, high = int(place) // 2, int(place + 1) // 2
    pairs.partition(high)
    above = math.sqrt(pairs[high])
    below = math.sqrt(pairs[:high].max()) if low < high else above
    return below + share * (above - below)


def dbscan(distances: Tensor, eps: float, min_samples: int) -> Tensor:
    """Cluster labels `[M]` from distances `[M, M]`; NOISE where no dense point is near (Ester et al. 1996).

    A point is dense if ``min_samples`` points, itself among them, lie within ``eps``. Clusters are the connected
    dense points, numbered by their first; others within ``eps`` join the first cluster that reaches them.
    """
    near = distances <= eps
    near = (near | near.T).int()  # a last digit may tell the distance from here to there from that back
    dense = near.sum(1) >= min_samples
    count = len(near)
    # Numbered backwards, so that 0 means none and the largest among a point's neighbours (a product) is the first.
    number = torch.where(dense, torch.arange(count, 0, -1, dtype=torch.int32), 0)
    while True:  # every dense point takes the first number among its dense neighbours, until none changes
        first = (near * number).amax(1)
        update = torch.where(dense, first, 0)
        if torch.equal(update, number):
            break
        number = update
    names = number[dense].unique()
    return torch.where(first > 0, len(names) - 1 - torch.searchsorted(names, first), NOISE)


def gaussian(g: Tensor) -> Tensor:
    """Gaussian of sigma 1 cell over maps `[Q, G, h, w]`, edges reflected."""
    return baselines.blur(g, 1.0)


def bilateral(g: Tensor, spatial: float = 5.0, spread: float = 0.1) -> Tensor:
    """Each cell of `[Q, G, h, w]` becomes the mean of cells weighted by nearness in place and in value."""
    h, w = g.shape[-2:]
    if h * w > 4096:
        raise MethodError("cf-cam: filter='bilateral' compares all pairs of cells, too many at this layer; use "
                          "filter='gaussian' or a later layer.")
    at = torch.cartesian_prod(torch.arange(h), torch.arange(w)).to(g)
    place = torch.cdist(at, at).square() / (2 * spatial**2)
    out = []
    for flat in g.flatten(0, 1).flatten(1):  # one map at a time: each needs a matrix of cells by cells
        weight = torch.exp(-place - (flat[:, None] - flat).square() / (2 * spread**2))
        out.append(weight @ flat / weight.sum(1))
    return torch.stack(out).reshape(g.shape)
