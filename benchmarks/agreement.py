"""Agreement with implementations that are not ours, on the same weights, inputs and draws.

python -m benchmarks.agreement [OUT.md]

Peers are compared where they are installed. Where none exists, a plain and slow transcription of the formula takes its
place. Another source is one more line in `SOURCES`.
"""

from __future__ import annotations

import argparse
import importlib
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import salwidgets as sw
from examples.nets import find_data, imagenet_net
from salwidgets.explanation import resize

SOURCES = ["benchmarks.peers_captum:maps", "benchmarks.peers_cam:maps", "benchmarks.peers_cam:torchcam_maps",
           "benchmarks.peers_pair:maps", "benchmarks.transcriptions:maps", "benchmarks.agreement_lrp:maps",
           "benchmarks.agreement_regions:maps"]
"""module:function. The function takes (model, input `[1, C, H, W]`, class) and yields (method, peer, our parameters, map
`[H, W]` or `[h, w]`). The module may have REMARKS: {(method, peer): what is said where the two do not agree to 0.999}.
A function may leave out what is slow by the size of the input, and methods that are not registered are passed over."""

Case = tuple[str, sw.Model, Tensor, int]


def cases() -> Iterator[Case]:
    """Name, model, input and class: the world's nets, a net that overwrites its features, and the ImageNet nets."""
    world = sw.worlds.creatures(n=3)
    for net in ("cnn", "vit"):
        yield f"creatures {net}", world.model(net), world.images[2:3], world.classes.index(world.labels[2])
    data = find_data()
    for name, cls in (("squeezenet1_1", 242), ("tiny_darknet", 242), ("vit_tiny", 242)) if data else ():
        from PIL import Image

        found = imagenet_net(name)
        model = sw.Model(found.module, classes=found.classes, preprocess=found.preprocess, mean=found.mean, std=found.std)
        yield name, model, model.preprocess(Image.open(data / "photos" / "dog_and_cat.png")), cls


def overwriting() -> Case:
    """DenseNet-121 as torchvision has it: a functional ReLU in place behind the feature layer. Random weights."""
    from examples.nets.densenet import densenet121

    torch.manual_seed(0)
    return ("densenet121, random", sw.Model(densenet121().eval()),
            torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0)), 7)


def compare(method: str, peer: str, e: sw.Explanation, theirs: np.ndarray) -> tuple[float, float]:
    """Correlation, and the largest difference as a share of the largest value."""
    ours = e.values.astype(np.float64)
    theirs = theirs.astype(np.float64)
    if peer == "pytorch-grad-cam":
        signs = (1, -1) if method.startswith("eigen") else (1,)
        return max((_agree(_as_drawn(s * ours, theirs.shape), theirs) for s in signs), key=lambda pair: pair[0])
    return _agree(ours, theirs)


def _as_drawn(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    v = np.maximum(values, 0)
    v = resize((v - v.min()).astype(np.float32), *shape).astype(np.float64)
    return (v - v.min()) / max(1e-12, (v - v.min()).max())


def _agree(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    if not (a.std() > 0 and b.std() > 0):
        return float("nan"), float(np.abs(a - b).max())
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1]), float(np.abs(a - b).max() / np.abs(b).max())


def gaps(e: sw.Explanation, theirs: np.ndarray) -> str:
    """By how much each map misses the sum that the method promises, as a share of its mass; "" where none is promised."""
    if e.completeness is None:
        return ""
    expected = e.completeness.expected
    ours, peer = (abs(float(m.sum()) - expected) / float(np.abs(m).sum()) for m in (e.values, theirs))
    return f"; the map misses its promised sum by {ours:.1%} (ours) and {peer:.1%} (peer) of its mass"


def run() -> str:
    """The table as Markdown."""
    lines = ["| network | method | peer | correlation | largest difference | remark |", "|---|---|---|---|---|---|"]
    for case in cases():
        for source in SOURCES:
            for line in rows(case, source):
                lines.append(line)
                print(line, flush=True)
    densenet = overwriting()
    for source in ("benchmarks.peers_cam:maps", "benchmarks.transcriptions:maps"):
        for line in rows(densenet, source, only=("grad-cam",)):
            lines.append(line)
            print(line, flush=True)
    return "\n".join(lines)


def rows(case: Case, source: str, only: tuple[str, ...] = ()) -> Iterator[str]:
    """Lines of one source on one network; none where its peer is not installed."""
    name, model, x, cls = case
    model.net.eval()
    known = {m.name for m in sw.methods()}
    where, function = source.split(":")
    try:
        module = importlib.import_module(where)
        maps: Callable[..., Any] = getattr(module, function)
        with torch.enable_grad(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*hooks")
            found = []
            for row in maps(model, x, cls):
                found.append(row)
                if only and {r[0] for r in found} >= set(only):
                    break
    except ImportError as e:
        print(f"{source}: {e}")
        return
    for method, peer, params, theirs in found:
        if method not in known or (only and method not in only):
            continue
        e = sw.explain(model, x, sw.why(cls), method=method, progress=False, **params)
        e = e if isinstance(e, sw.Explanation) else e[0]
        theirs = np.asarray(theirs)
        r, difference = compare(method, peer, e, theirs)
        remark = getattr(module, "REMARKS", {}).get((method, peer), "") if method.startswith("eigen") or r < 0.999 else ""
        if r < 0.999:
            remark = getattr(module, "OVERWRITTEN", remark) if name.startswith("densenet") else remark + gaps(e, theirs)
        yield f"| {name} | {method} | {peer} | {r:.5f} | {difference:.1e} | {remark.removeprefix('; ')} |"


_HEAD = """# Agreement with implementations that are not ours

Made by `make tables`: the same weights, the same input, the same class, the same draws. *Largest difference* is a share of
the peer's largest value. Maps of pytorch-grad-cam are cut at zero, scaled to [0, 1] and enlarged by it; ours are brought to
that form. Where no other library has a method, or it departs from the paper, a plain and slow transcription of the formula
(`benchmarks/transcriptions.py`) is the other side. A remark says why two maps do not agree.

"""


def main() -> None:
    """Write the table to the file named on the command line, or only print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?")
    args = parser.parse_args()
    start = time.perf_counter()
    text = _HEAD + run() + "\n"
    print(f"{time.perf_counter() - start:.0f} s")
    if args.out:
        Path(args.out).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
