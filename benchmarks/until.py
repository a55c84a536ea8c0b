"""Integrated gradients that stop by themselves, against 1024 steps, on every photograph: the class and a contrast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import salwidgets as sw
from benchmarks.measure import Row
from examples.nets import find_data, imagenet_net

STEPS = 1024


def run(device: str = "cpu", quick: bool = False, only: Sequence[str] | None = None) -> Iterator[Row]:
    """The rows of this file (``only``: of some photographs); none without them. Each takes a minute or two of a core."""
    data = find_data()
    if data is None:
        print("until: no ../shared/data beside the repository")
        return
    net = imagenet_net("squeezenet1_1")
    model = sw.Model(net.module, classes=net.classes, preprocess=net.preprocess, mean=net.mean, std=net.std, device=device)
    count, worst = 0, 1.0
    names = sorted(p.name for p in (data / "photos").iterdir() if p.suffix in (".png", ".jpg", ".jpeg")
                   and "mask" not in p.name)
    for name in [n for n in names[:2 if quick else None] if only is None or n in only]:
        for kind, passes, r in _photo(model, data / "photos" / name):
            count, worst = count + 1, min(worst, r)
            yield Row(f"{name}, {kind}", passes, "passes", 257, f"1 - correlation with {STEPS} steps {1 - r:.1e}")
    if only is None:
        yield Row(f"1 - correlation with {STEPS} steps, the worst of {count} maps", 1 - worst, "", 0.001)


def _photo(model: sw.Model, path: Path) -> list[tuple[str, int, float]]:
    """(kind of question, passes, correlation) of one photograph. The foil is the runner-up: the score difference is
    small there, and the map's parts nearly cancel."""
    from PIL import Image

    x = model.preprocess(Image.open(path).convert("RGB"))
    first, second = np.argsort(-model.predict(x).logits[0])[:2].tolist()
    asked = {"class": sw.why(first), "contrast": sw.why(first).rather_than(second)}
    fine: Any = sw.explain(model, x, list(asked.values()), method="integrated-gradients", steps=STEPS, rule="trapezoid",
                           batch_size=8, progress=False)
    found = []
    for (kind, question), reference in zip(asked.items(), fine, strict=True):
        count = [0]

        def told(done: int, total: int, count: list[int] = count) -> None:
            count[0] = done

        e: Any = sw.explain(model, x, question, method="integrated-gradients", until=0.02, batch_size=8, progress=told)
        r = float(np.corrcoef(e.values.ravel(), reference.values.ravel())[0, 1])
        found.append((kind, count[0], r))
    return found
