"""Concepts: learning, weighing and cropping, beside bare forwards and the factorisation alone.

Bare: the network on the same batches without gradients, then scikit-learn's NMF with the same parameters on the same
activations. Ours adds encoding, importance, scores, prevalence, thumbnails and the best crops.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import torch

import salwidgets as sw
from benchmarks.measure import Row, ratio
from salwidgets.concepts.torch_nmf import hals

_K, _BATCH = 10, 64


def run(quick: bool = False) -> Iterator[Row]:
    """The rows of this file."""
    from sklearn.decomposition import NMF

    n, runs = (200, 3) if quick else (1000, 7)
    world = sw.worlds.creatures(n=n)
    model, x = world.model("cnn"), world.images
    net = model.net
    maps = []
    with model.session(), torch.no_grad(), model.captured(["layer3"]) as found:
        for part in x.split(_BATCH):
            net(part)
            tensor = found["layer3"].tensor
            assert tensor is not None
            maps.append(tensor.detach().numpy().copy())
    rows = np.ascontiguousarray(np.moveaxis(np.concatenate(maps), 1, -1).reshape(-1, maps[0].shape[1]))

    def factorise() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            NMF(_K, init="nndsvda", random_state=0, max_iter=200).fit(rows)

    def bare() -> None:
        with torch.no_grad():
            for part in x.split(_BATCH):
                net(part)
        factorise()

    for importance in ("sobol", "gradient-x-input"):
        def ours(importance: str = importance) -> None:
            sw.concepts.ConceptExtractor(model, n_concepts=_K, importance=importance, batch_size=_BATCH,
                                         progress=False).fit(x, "flutterling")

        r, a, b = ratio(ours, bare, runs, warm=1)
        yield Row(f"ConceptExtractor.fit, {n} images 64 x 64, creatures CNN, {_K} concepts, {importance}", r,
                  "forwards + factorisation", 1.3, f"{a:.2f} s, bare {b:.2f} s")
    x_rows = torch.from_numpy(rows)
    r, a, b = ratio(lambda: hals(x_rows, _K), factorise, runs, warm=1)
    yield Row(f"the torch factorisation on the CPU, {len(rows)} cells", r, "scikit-learn's NMF", None,
              f"{a:.2f} s, scikit-learn {b:.2f} s; meant for GPUs")
