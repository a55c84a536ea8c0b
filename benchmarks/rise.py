"""RISE: what a further question costs, what its evidence weighs, and the memory on top of the model's own.

Memory of the other methods that make many passes, too: the process's peak while one photograph-sized input is explained by
ResNet-18, less that of bare passes of the same kind and batch size in a process of its own. The peak is reached with the
first batches, so few are made.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import torch

import salwidgets as sw
from benchmarks.measure import Row, ratio, seconds
from examples.nets.resnet import resnet18

_PEAK = """
import json, re, resource, sys, torch
from pathlib import Path
import salwidgets as sw
from examples.nets.resnet import resnet18
torch.manual_seed(0)
net, x = resnet18().eval(), torch.rand(1, 3, 224, 224)
model = sw.Model(net)
method, params, size, back = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "input"
for _ in range(3):
    batch = x.expand(size, -1, -1, -1).contiguous()
    if back:
        leaf = batch.requires_grad_()
        with model.session():
            torch.autograd.grad(net(leaf)[:, 3].sum(), leaf)
    else:
        with torch.no_grad():
            net(batch)
if method != "bare":
    e = sw.explain(model, x, sw.why(3), method=method, progress=False, **params)
# ru_maxrss remembers the process that started this one, which may have been the larger
status = Path("/proc/self/status")
own = re.search(r"VmHWM:\\s+(\\d+)", status.read_text()) if status.exists() else None
print(json.dumps((int(own[1]) if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024))
"""


def run(quick: bool = False) -> Iterator[Row]:
    """The rows of this file. The passes of ResNet-18 over all masks, which come last, take minutes on two cores."""
    n_masks = 1000 if quick else 8000
    torch.manual_seed(0)

    class Head(torch.nn.Module):
        """1000 scores of a 224 x 224 image at next to no cost: what follows the passes is what is measured."""

        def __init__(self) -> None:
            super().__init__()
            self.fc = torch.nn.Linear(3 * 49, 1000)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(torch.nn.functional.adaptive_avg_pool2d(x, 7).flatten(1))

    x = torch.rand(1, 3, 224, 224)
    evidence = sw.prepare(sw.Model(Head()), x, "rise", n_masks=n_masks, progress=False)
    questions = [sw.why(i).rather_than(i + 1) for i in range(20)]
    evidence.explain(questions[0])
    took = statistics.median(seconds(lambda q=q: evidence.explain(q)) for q in questions)
    yield Row(f"RISE, a further question, {n_masks} masks, 224 x 224, 1000 classes", took * 1e3, "ms", 10)
    yield Row("RISE, its evidence", evidence.parts[0].nbytes / 1e6, "MB", 40)
    for case in _MEMORY:
        yield _memory(*case)
    yield from _passes()
    yield _memory("rise", {"n_masks": n_masks, "batch_size": 64}, 64, "forward", 300)


_MEMORY = (("occlusion", {}, 64, "forward"), ("kernel-shap", {"n_samples": 130}, 64, "forward"),
           ("regional", {"n_segments": [25], "n_samples": 4}, 64, "forward"), ("xrai", {"steps": 16}, 32, "input"),
           ("meaningful-perturbation", {"steps": 4}, 1, "input"), ("fido", {"steps": 2}, 32, "forward"))


def _memory(method: str, params: dict[str, Any], size: int, kind: str, bound: float | None = None) -> Row:
    """Peak memory above that of bare passes ("forward", or forward and back to the "input") of ``size`` at once."""
    bare, full = (_peak(what, params, size, kind) for what in ("bare", method))
    given = ", ".join(f"{k} {v}" for k, v in params.items())
    return Row(f"{method}, peak memory above the model's own, ResNet-18", full - bare, "MB", bound,
               f"{f'{given}: ' if given else ''}process peak {full:.0f} MB, {size} bare passes {kind} at once {bare:.0f} MB")


def _passes() -> list[Row]:
    """Time of the masked passes beside bare passes at the same batch size."""
    net = resnet18().eval()
    model = sw.Model(net)
    x = torch.rand(1, 3, 224, 224)
    batch = x.expand(64, -1, -1, -1).contiguous()

    def bare() -> None:
        with torch.no_grad():
            net(batch), net(batch)

    out = []
    for method, params in (("rise", {"n_masks": 127}), ("occlusion", {"window": 32, "stride": 19})):
        with_mask = lambda m=method, p=params: sw.prepare(model, x, m, batch_size=64, progress=False, **p)  # noqa: E731
        passes = {"rise": 128, "occlusion": 1 + 12 * 12}[method]
        r, a, b = ratio(with_mask, bare, 5)
        out.append(Row(f"{method}, {passes} passes of ResNet-18", r * 128 / passes, "bare passes", None,
                       f"{a:.2f} s, bare {b * passes / 128:.2f} s"))
    return out


def _peak(what: str, params: dict[str, Any], size: int, kind: str) -> float:
    done = subprocess.run([sys.executable, "-c", _PEAK, what, json.dumps(params), str(size), kind], capture_output=True,
                          text=True, check=True)
    return float(json.loads(done.stdout.strip().splitlines()[-1]))
