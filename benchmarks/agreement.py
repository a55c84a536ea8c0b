"""Agreement with implementations that are not ours, on the same weights, inputs and draws.

python -m benchmarks.agreement [OUT.md] [--all | --nets NAME ... | --sources NAME ...]

Peers are compared where they are installed. Where none exists, a plain and slow transcription of the formula takes its
place. Another source is one more line in `SOURCES`. Measures what docs/agreement.json lacks (--all: everything; --nets,
--sources: these again), stores what a source says of a network as soon as it is there, and writes the table of all.
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
from benchmarks import agreement_masks
from benchmarks.store import Store
from examples.nets import find_data, imagenet_net
from salwidgets.errors import MethodError
from salwidgets.explanation import resize

SOURCES = ["benchmarks.peers_captum:maps", "benchmarks.peers_cam:maps", "benchmarks.peers_cam:torchcam_maps",
           "benchmarks.peers_pair:maps", "benchmarks.transcriptions:maps", "benchmarks.agreement_lrp:maps",
           "benchmarks.agreement_regions:maps", "benchmarks.agreement_regions:regional_maps"]
"""module:function. The function takes (model, input `[1, C, H, W]`, class) and yields (method, peer, our parameters, map
`[H, W]` or `[h, w]`). The module may have REMARKS: {(method, peer): what is said where the two do not agree to 0.999}.
A function may leave out what is slow by the size of the input, and methods that are not registered are passed over."""

NETS = ("creatures cnn", "creatures vit", "squeezenet1_1", "tiny_darknet", "vit_tiny", "densenet121, random")
OVERWRITTEN = ("benchmarks.peers_cam:maps", "benchmarks.transcriptions:maps")
REFUSED = "refused"
STORE = Path(__file__).resolve().parents[1] / "docs" / "agreement.json"

Case = tuple[str, sw.Model, Tensor, int]


def case(name: str) -> Case:
    """Name, model, input and class: one of the world's nets or of the ImageNet nets, or a net that overwrites its
    features."""
    if name.startswith("creatures"):
        world = sw.worlds.creatures(n=3)
        return name, world.model(name.split()[1]), world.images[2:3], world.classes.index(world.labels[2])
    if name == NETS[-1]:
        return overwriting()
    from PIL import Image

    found, data = imagenet_net(name), find_data()
    assert data is not None
    model = sw.Model(found.module, classes=found.classes, preprocess=found.preprocess, mean=found.mean, std=found.std)
    return name, model, model.preprocess(Image.open(data / "photos" / "dog_and_cat.png")), 242


def overwriting() -> Case:
    """DenseNet-121 as torchvision has it: a functional ReLU in place behind the feature layer. Random weights."""
    from examples.nets.densenet import densenet121

    torch.manual_seed(0)
    return (NETS[-1], sw.Model(densenet121().eval()),
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


def wanted() -> list[tuple[str, str]]:
    """(network, source) of all there should be; without the ImageNet nets where there are no weights of theirs."""
    names = [n for n in NETS if find_data() is not None or n.startswith(("creatures", "densenet"))]
    searched = (agreement_masks.SOURCE,)
    return [(n, s) for n in names for s in (OVERWRITTEN if n == NETS[-1] else (*SOURCES, REFUSED))
            + (searched if n in agreement_masks.NETS else ())]


def table(store: Store) -> str:
    """All stored rows as Markdown, in the order of networks and sources."""
    found = store.read()
    first, second = ([line for key in wanted() if (key[1] == agreement_masks.SOURCE) == searched
                      for line in found.get(key, {"lines": []})["lines"]] for searched in (False, True))
    return "\n".join(["| network | method | peer | correlation | largest difference | remark |", "|---|---|---|---|---|---|",
                      *first, "", agreement_masks.HEAD, *second])


def refusals(found: Case) -> Iterator[str]:
    """Lines of methods that refuse a network, with what they say. Those that need attention, and lrp, may."""
    name, model, x, cls = found
    for info in sw.methods():
        if "attention" in info.needs or info.name == "lrp":
            try:
                sw.explain(model, x, sw.why(cls), method=info.name, progress=False)
            except MethodError as e:
                yield f"| {name} | {info.name} | - | - | - | refused: {str(e).replace('|', '/')} |"


def rows(some: Case, source: str, only: tuple[str, ...] = ()) -> Iterator[str]:
    """Lines of one source on one network; none where its peer is not installed."""
    name, model, x, cls = some
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

Made by `make tables`, which measures what `agreement.json` beside this page lacks (`python -m benchmarks.agreement
docs/agreement.md --all`: everything again): the same weights, the same input, the same class, the same draws. *Largest
difference* is a share of the peer's largest value. Maps of pytorch-grad-cam are cut at zero, scaled to [0, 1] and enlarged
by it; ours are brought to that form. Where no other library has a method, or it departs from the paper, a plain and slow
transcription of the formula (`benchmarks/transcriptions.py`) is the other side. A remark says why two maps do not agree.
Where a method refuses a network, its typed error stands in the place of a comparison.

"""


def main() -> None:
    """Measure what is missing or asked for, store it, and write the table to the file named, or print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?")
    parser.add_argument("--all", action="store_true", help="measure every row again")
    parser.add_argument("--nets", nargs="*", choices=NETS, help="measure these networks again")
    parser.add_argument("--sources", nargs="*", choices=[*SOURCES, REFUSED, agreement_masks.SOURCE],
                        help="measure what these say again")
    args = parser.parse_args()
    store = Store(STORE, ("network", "source"))
    for name, source in wanted():
        again = args.all or name in (args.nets or ()) or source in (args.sources or ())
        if again or (name, source) not in store.read():
            start = time.perf_counter()
            some = case(name)
            only = ("grad-cam",) if name == NETS[-1] else ()
            lines = list(refusals(some) if source == REFUSED else agreement_masks.lines(*some)
                         if source == agreement_masks.SOURCE else rows(some, source, only))
            took = round(time.perf_counter() - start, 1)
            store.put({"network": name, "source": source, "seconds": took, "lines": lines})
            print(*lines, f"{took} s", sep="\n", flush=True)
    text = _HEAD + table(store) + "\n"
    if args.out:
        Path(args.out).write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
