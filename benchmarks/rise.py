"""RISE: what a further question costs, what its evidence weighs, and the memory on top of the model's own."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

import torch

import salwidgets as sw
from benchmarks.measure import Row, ratio, seconds
from examples.nets.resnet import resnet18

_PEAK = """
import json, resource, sys, torch
import salwidgets as sw
from examples.nets.resnet import resnet18
torch.manual_seed(0)
net, x = resnet18().eval(), torch.rand(1, 3, 224, 224)
model = sw.Model(net)
with torch.no_grad():
    net(x.expand(64, -1, -1, -1).contiguous())
if sys.argv[1] == "rise":
    e = sw.explain(model, x, sw.why(3), method="rise", n_masks=int(sys.argv[2]), batch_size=64, progress=False)
else:
    for _ in range(5):
        model.logits(x.expand(64, -1, -1, -1).contiguous(), batch_size=64)
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
"""


def run(quick: bool = False) -> list[Row]:
    """The rows of this file. The passes of ResNet-18 over all masks take minutes on two cores."""
    rows, n_masks = [], 1000 if quick else 8000
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
    rows.append(Row(f"RISE, a further question, {n_masks} masks, 224 x 224, 1000 classes", took * 1e3, "ms", 10))
    rows.append(Row("RISE, its evidence", evidence.parts[0].nbytes / 1e6, "MB", 40))
    bare, full = (_peak(what, n_masks) for what in ("bare", "rise"))
    rows.append(Row("RISE, peak memory above the model's own, ResNet-18", full - bare, "MB", 300,
                    f"process peak {full:.0f} MB, bare passes at the same batch size {bare:.0f} MB"))
    rows += _passes()
    return rows


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


def _peak(what: str, n_masks: int) -> float:
    done = subprocess.run([sys.executable, "-c", _PEAK, what, str(n_masks)], capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.strip().splitlines()[-1]))
