"""How well each method finds what is true by construction in the creatures world, with a random map as the floor.

python -m benchmarks.truth [OUT.md] [--n 60] [--masks 2000] [--methods NAME ...]

Per image: a contrast question (its leaf rather than a sibling), the class question, and the group question (its
family). Two scores, each against `world.truth(question, i)`:

peak: the share of images whose map peaks within 4 pixels (Euclidean) of the true parts.
share: of the positive mass that lies on any part, the share on the true parts; a map without positive mass is 0.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import salwidgets as sw

NEAR = 4.0


def peak_is_near(values: np.ndarray, truth: np.ndarray, pixels: float = NEAR) -> bool:
    """Whether the maximum of a map `[H, W]` lies within ``pixels`` of ``truth`` (bool `[H, W]`)."""
    if not values.max() > 0 or not truth.any():
        return False
    y, x = np.unravel_index(int(values.argmax()), values.shape)
    rows, columns = np.nonzero(truth)
    return bool(np.hypot(rows - y, columns - x).min() <= pixels)


def part_share(values: np.ndarray, truth: np.ndarray, parts: np.ndarray) -> float:
    """Of the positive mass on ``parts``, the share on ``truth`` (bool `[H, W]` each); 0 without positive mass."""
    positive = np.maximum(values, 0)
    on_parts = positive[parts].sum()
    return float(positive[parts & truth].sum() / on_parts) if on_parts > 0 else 0.0


class Measured:
    """Means over images for one net and one method, by question kind."""

    def __init__(self) -> None:
        self.peak: dict[str, list[bool]] = {}
        self.share: dict[str, list[float]] = {}

    def add(self, kind: str, values: np.ndarray, truth: np.ndarray, parts: np.ndarray) -> None:
        """Score one upsampled map."""
        self.peak.setdefault(kind, []).append(peak_is_near(values, truth))
        self.share.setdefault(kind, []).append(part_share(values, truth, parts))

    def cell(self, kind: str) -> str:
        """Mean peak and share as they stand in the table."""
        return f"{np.mean(self.peak[kind]):.2f} / {np.mean(self.share[kind]):.2f}"


def questions(world: sw.worlds.CreatureWorld, i: int) -> tuple[sw.Question, sw.Question, sw.Question]:
    """The contrast with a sibling, the class and the group question of image ``i``; siblings take turns."""
    name = world.labels[i]
    family = world.taxonomy.parent(name)
    assert family is not None
    siblings = [s for s in world.taxonomy.members(family) if s != name]
    return sw.why(name).rather_than(siblings[i % len(siblings)]), sw.why(name), sw.why(family)


def measure(world: sw.worlds.CreatureWorld, net: str, method: str, **params: object) -> Measured:
    """Ask every image its three questions with one method. The class map is also scored against the *contrast's*
    truth ("pointwise"): what the contrast adds to the same method."""
    out = Measured()
    model = world.model(net) if net != "-" else None
    rng = np.random.default_rng(0)
    for start in range(0, len(world), 16):
        index = list(range(start, min(start + 16, len(world))))
        asked = [questions(world, i) for i in index]
        maps: list[Sequence[np.ndarray]] = []
        if model is None:
            maps = [[_smooth_noise(rng) for _ in index] for _ in range(3)]
        else:
            evidence = sw.prepare(model, world.images[index], method, progress=False, **params)
            for k in range(3):
                answers = evidence.explain([q[k] for q in asked], paired=True)
                maps.append([e.upsampled() for e in ([answers] if isinstance(answers, sw.Explanation) else answers)])
        for j, i in enumerate(index):
            parts = np.any(list(world.parts(i).values()), axis=0)
            truths = [world.truth(q, i) for q in asked[j]]
            for kind, k, t in (("contrast", 0, 0), ("pointwise", 1, 0), ("class", 1, 1), ("group", 2, 2)):
                out.add(kind, maps[k][j], truths[t], parts)
    return out


def _smooth_noise(rng: np.random.Generator) -> np.ndarray:
    """A random map as smooth as those of the methods: 8 x 8 noise, upsampled."""
    from salwidgets.explanation import resize

    return resize(rng.normal(size=(8, 8)).astype(np.float32), 64, 64)


def run(n: int, masks: int, only: Sequence[str] | None = None, seed: int = 20_000) -> str:
    """The table as Markdown; ``only`` some methods if named."""
    world = sw.worlds.creatures(n=n, seed=seed)
    lines = ["| net | method | contrast | its truth, asked pointwise | class | group | seconds |",
             "|---|---|---|---|---|---|---|"]
    runs: list[tuple[str, str, dict[str, object]]] = [("-", "random", {})]
    for net in ("cnn", "vit"):
        for info in sw.methods():
            if ("attention" in info.needs and net == "cnn") or (only and info.name not in only):
                continue
            params: dict[str, object] = {"n_masks": masks} if info.name == "rise" else {}
            params |= {"window": 12, "stride": 4} if info.name == "occlusion" else {}
            runs.append((net, info.name, params))
    for net, method, params in runs:
        start = time.perf_counter()
        m = measure(world, net, method, **params)
        row = [m.cell(k) for k in ("contrast", "pointwise", "class", "group")]
        lines.append(f"| {net} | {method} | {' | '.join(row)} | {time.perf_counter() - start:.0f} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


_HEAD = """# What is true, and which methods find it

Made by `make tables` on {n} fresh creatures (seed {seed}). Each cell: peak / share. *Peak* is the share of images whose
map peaks within 4 pixels of the parts that matter by construction; *share* is how much of the positive mass on any part
lies on those parts. The random floor is smooth noise. RISE uses {masks} masks, occlusion a window of 12 and a stride
of 4, everything else its defaults.

The two networks were trained to respond to parts (besides the labels, their logits were fitted to how much of each part
can be seen, with boxes and masks laid over the images; see `salwidgets/worlds/lessons.py`). So this table says how well a
method reads a network that does look at the right places; on networks that do not, there is nothing there to find.

"Its truth, asked pointwise" scores the map of the plain class question against the parts that tell the class from its
sibling: the distance to the column before it is what asking the contrast adds.

"""


def main() -> None:
    """Write the table to the file named on the command line, or print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?")
    parser.add_argument("--n", type=int, default=60)
    parser.add_argument("--masks", type=int, default=2000)
    parser.add_argument("--methods", nargs="*")
    args = parser.parse_args()
    text = _HEAD.format(n=args.n, seed=20_000, masks=args.masks) + run(args.n, args.masks, args.methods) + "\n"
    if args.out:
        Path(args.out).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
