"""How well each method finds what is true by construction in the creatures world, with a random map as the floor.

python -m benchmarks.truth [OUT.md] [--all | --methods NAME ...] [--n 60]

Measures what docs/truth.json lacks (--all: everything; --methods: these again), stores each row there as soon as it is
measured, and writes the table of all rows. Settings that are not a method's defaults stand in `SETTINGS`.

Per image: a contrast question (its leaf rather than a sibling), the class question, and the group question (its
family). Two scores, each against `world.truth(question, i)`:

peak: the share of images whose map peaks within 4 pixels (Euclidean) of the true parts.
share: of the positive mass that lies on any part, the share on the true parts; a map without positive mass is 0.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import salwidgets as sw
from benchmarks.store import Store
from salwidgets.errors import MethodError
from salwidgets.metrics.truth import part_share, peak_is_near

NEAR = 4.0
SEED = 20_000
KINDS = ("contrast", "pointwise", "class", "group")
STORE = Path(__file__).resolve().parents[1] / "docs" / "truth.json"


@dataclass(frozen=True)
class Setting:
    """How one row is measured where the defaults are not meant for 64 x 64 or take too long.

    params: the method's parameters. n: images, where fewer than the table's. method: what the row measures, if the row
    has a name of its own (a variant).
    """

    params: dict[str, Any] = field(default_factory=dict)
    n: int | None = None
    method: str | None = None


SETTINGS: dict[str, Setting] = {
    "rise": Setting({"n_masks": 2000}),
    "occlusion": Setting({"window": 12, "stride": 4}),
    "xrai": Setting({"steps": 25}, 24),
    "lrp, epsilon-gamma": Setting({"composite": "epsilon-gamma"}, None, "lrp"),
    "xrai, fast": Setting({"steps": 25, "fast": True}, 24, "xrai"),
    "kernel-shap": Setting({}, 24),
    "regional": Setting({}, 12),
    "fido": Setting({}, 12),
    "meaningful-perturbation": Setting({}, 12),
}


class Measured:
    """Means over images for one net and one method, by question kind."""

    def __init__(self) -> None:
        self.peak: dict[str, list[bool]] = {}
        self.share: dict[str, list[float]] = {}

    def add(self, kind: str, values: np.ndarray, truth: np.ndarray, parts: np.ndarray) -> None:
        """Score one upsampled map."""
        self.peak.setdefault(kind, []).append(peak_is_near(values, truth, NEAR))
        self.share.setdefault(kind, []).append(part_share(values, truth, parts))

    def figures(self) -> dict[str, list[float]]:
        """Mean peak and share of each kind."""
        return {k: [round(float(np.mean(self.peak[k])), 4), round(float(np.mean(self.share[k])), 4)] for k in self.peak}


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


def wanted(only: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """(net, row name) of every row the table should have; ``only`` some rows if named."""
    names = [m.name for m in sw.methods() if "image" in m.modality]
    names += [name for name, s in SETTINGS.items() if s.method in names]
    attention = {m.name for m in sw.methods() if "attention" in m.needs}
    rows = [("-", "random")] + [(net, name) for net in ("cnn", "vit") for name in names
                                if not (net == "cnn" and name in attention)]
    if only is not None and (unknown := set(only) - {name for _, name in rows}):
        raise SystemExit(f"no row is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return [r for r in rows if only is None or r[1] in only]


def row(net: str, name: str, n: int) -> dict[str, Any]:
    """Measure one row, as it is stored."""
    setting = SETTINGS.get(name, Setting())
    n = min(n, setting.n or n)
    about = {"net": net, "method": name, "n": n, "seed": SEED, "params": setting.params}
    world = sw.worlds.creatures(n=n, seed=SEED)
    start = time.perf_counter()
    try:
        found = measure(world, net, setting.method or name, **setting.params)
    except MethodError as e:
        return about | {"refused": str(e)}
    return about | {"seconds": round(time.perf_counter() - start, 1)} | found.figures()


def table(rows: Sequence[dict[str, Any]], n: int) -> str:
    """Rows as Markdown; ``n``: how many images a row has if it says nothing of them."""
    lines = ["| net | method | contrast | its truth, asked pointwise | class | group | seconds | settings |",
             "|---|---|---|---|---|---|---|---|"]
    for r in rows:
        if "refused" not in r:
            cells = [f"{r[k][0]:.2f} / {r[k][1]:.2f}" for k in KINDS]
            settings = [f"{k} {v}" for k, v in r["params"].items()] + ([f"{r['n']} images"] if r["n"] != n else [])
            cells = [r["net"], r["method"], *cells, f"{r['seconds']:.0f}", ", ".join(settings)]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def page(rows: dict[tuple[str, str], dict[str, Any]], n: int) -> str:
    """The whole page: the rows in the registry's order, what is not measured, and what was refused."""
    order = wanted()
    parts = [_HEAD.format(n=n, seed=SEED) + table([rows[k] for k in order if k in rows], n)]
    missing = [f"{name} ({net})" for net, name in order if (net, name) not in rows]
    if missing:
        parts.append(f"Not measured yet: {', '.join(missing)}.")
    refused = [f"* {name} on the {net}: {rows[net, name]['refused']}" for net, name in order
               if "refused" in rows.get((net, name), {})]
    if refused:
        parts.append("Refused, with a typed error:\n\n" + "\n".join(refused))
    return "\n\n".join(parts) + "\n"


_HEAD = """# What is true, and which methods find it

Made by `make tables`, which measures the rows that `truth.json` beside this page lacks (`python -m benchmarks.truth
docs/truth.md --all` measures every row again, `--methods NAME` some), on {n} fresh creatures (seed {seed}). Each cell:
peak / share. *Peak* is the share of images whose map peaks within 4 pixels of the parts that matter by construction;
*share* is how much of the positive mass on any part lies on those parts. The random floor is smooth noise. Parameters
are the methods' defaults but where *settings* says otherwise. *seconds*: all images, all questions, on one core.

The two networks were trained to respond to parts (besides the labels, their logits were fitted to how much of each part
can be seen, with boxes and masks laid over the images; see `salwidgets/worlds/lessons.py`). So this table says how well a
method reads a network that does look at the right places; on networks that do not, there is nothing there to find.

"Its truth, asked pointwise" scores the map of the plain class question against the parts that tell the class from its
sibling: the distance to the column before it is what asking the contrast adds.

"""


def main() -> None:
    """Measure what is missing or asked for, store it, and write the table to the file named, or print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?")
    parser.add_argument("--n", type=int, default=60)
    parser.add_argument("--methods", nargs="*", help="measure these again, whether stored or not")
    parser.add_argument("--all", action="store_true", help="measure every row again")
    args = parser.parse_args()
    store = Store(STORE, ("net", "method"))
    for net, name in wanted(args.methods):
        if args.all or args.methods or (net, name) not in store.read():
            found = row(net, name, args.n)
            store.put(found)
            print(found, flush=True)
    text = page(store.read(), args.n)
    if args.out:
        Path(args.out).write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
