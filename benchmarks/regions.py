"""Region methods: XRAI's own work beside PAIR's, half the passes, a further question, and what evidence weighs."""

from __future__ import annotations

import statistics

import numpy as np
import torch

import salwidgets as sw
from benchmarks.measure import Row, ratio, seconds
from salwidgets.explainers import segments
from salwidgets.explainers.segments import Cover
from salwidgets.explainers.xrai import add_regions


class Head(torch.nn.Module):
    """1000 scores at next to no cost: what is around the passes is what is measured."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc = torch.nn.Linear(3 * 49, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.nn.functional.adaptive_avg_pool2d(x, 7).flatten(1).tanh())


def run(runs: int = 3) -> list[Row]:
    """The rows of this file."""
    return [*_own_work(runs), *_half(), *_questions()]


def photograph() -> np.ndarray:
    """An image `[224, 224, 3]` in [0, 1]: a photograph where the data is there, else blobs with noise."""
    from PIL import Image

    from examples.nets import find_data

    data = find_data()
    if data is not None:
        with Image.open(data / "photos" / "dog_and_cat.png") as opened:
            return np.asarray(opened.convert("RGB").resize((224, 224)), float) / 255
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    image = gaussian_filter(rng.normal(size=(224, 224, 3)), (12, 12, 0)) + 0.01 * rng.normal(size=(224, 224, 3))
    return np.asarray((image - image.min()) / np.ptp(image))


def _own_work(runs: int) -> list[Row]:
    """Segments, their dilation and the adding of regions: all of XRAI but the model's passes."""
    try:
        from saliency.core import xrai as peer
    except ImportError:
        return []
    image = photograph()
    rng = np.random.default_rng(0)
    base = rng.normal(size=(28, 28)).repeat(8, 0).repeat(8, 1) + rng.normal(size=(224, 224))
    three = np.repeat(base[..., None], 3, 2)
    rows = []
    for fast in (False, True):
        params = peer.XRAIParameters(algorithm="fast" if fast else "full")

        def ours(fast: bool = fast) -> None:
            add_regions(Cover.of(segments.felzenszwalb(image), 5), base, fast)

        def theirs(params: object = params) -> None:
            peer.XRAI().GetMask(image, None, base_attribution=three, extra_parameters=params)

        r, a, b = ratio(ours, theirs, runs)
        rows.append(Row(f"XRAI's own work at 224 x 224, {params.algorithm}", r, "of PAIR's", 1 / 3,
                        f"{a:.2f} s, PAIR {b:.2f} s"))
    return rows


def _half(only: tuple[str, ...] = ("squeezenet1_1", "tiny_darknet")) -> list[Row]:
    """Spearman's correlation of the ranking of regions with half the passes, and with all, on a real net if there."""
    from scipy.stats import spearmanr

    from examples.nets import find_data, imagenet_net

    image = torch.from_numpy(photograph()).permute(2, 0, 1)[None].float()
    if find_data() is None:
        world = sw.worlds.creatures(n=1)
        cases = [("creatures cnn", world.model("cnn"), torch.as_tensor(world.images[:1]))]
    else:
        nets = {name: imagenet_net(name) for name in only}
        cases = []
        for name, net in nets.items():
            model = sw.Model(net.module, mean=net.mean, std=net.std)
            mean, std = (torch.tensor(v if v is not None else d).reshape(-1, 1, 1)
                         for v, d in ((net.mean, [0.0]), (net.std, [1.0])))
            cases.append((name, model, (image - mean) / std))
    rows = []
    for name, model, x in cases:
        with_all, half = (sw.explain(model, x, sw.why(), method="xrai", steps=steps, progress=False) for steps in (100, 50))
        cover = Cover.of(segments.felzenszwalb(segments.images(model, model.preprocess(x))[0]), 5)
        size = cover.over_regions(cover.size)
        use = size >= 50
        means = [(cover.over_regions(cover.sums(e.values)) / np.maximum(size, 1))[use] for e in (with_all, half)]
        pixels = spearmanr(with_all.values.ravel(), half.values.ravel()).statistic
        rows.append(Row(f"XRAI, {name}: 1 - rank correlation of regions, 50 for 100 steps",
                        1 - spearmanr(*means).statistic, "", 0.01, f"over the map's pixels {pixels:.4f}"))
    return rows


def _questions() -> list[Row]:
    """A further question at 224 x 224 and 1000 classes."""
    x = torch.from_numpy(photograph()).permute(2, 0, 1)[None].float()
    rows, few = [], {"steps": 4}
    for method, params in (("xrai", few), ("xrai", {**few, "fast": True}), ("kernel-shap", {}), ("regional", {}),
                           ("occlusion", {})):
        evidence = sw.prepare(sw.Model(Head()), x, method, progress=False, **params)
        evidence.explain([sw.why(i) for i in range(4)])  # xrai: later questions are within their span
        questions = [sw.why(i).rather_than((i + 1) % 4) for i in range(4)] * 5
        took = statistics.median(seconds(lambda e=evidence, q=q: e.explain(q)) for q in questions)
        fast = ", fast" if params.get("fast") else ""
        rows.append(Row(f"{method}{fast}, a further question, 224 x 224, 1000 classes", took * 1e3, "ms", 10))
    return rows
