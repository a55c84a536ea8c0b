"""Every method against every kind of question on five networks, scored: which one to use.

python -m benchmarks.ranking [OUT.md] [--all | --methods NAME ...] [--nets NAME ...]

Measures what docs/ranking.json lacks (--all: everything; --methods: these again), stores each row there as soon as it is
measured, writes the page with all rows and its reading, and the small table that `salwidgets.recommend` reads
(salwidgets/recommend.json). Slow methods get fewer images and steps: `SETTINGS`. Times are the process's own, on one core.

Networks: the two of the creatures world on fresh creatures, and SqueezeNet, Tiny Darknet and ViT-Tiny on photographs of
../shared/data (left out where there is none). Questions: the class, its group, and the class rather than its rival.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

import salwidgets as sw
from benchmarks.ranking_page import page, write_recommendations
from benchmarks.store import Store
from benchmarks.truth import part_share, peak_is_near
from examples.nets import find_data, imagenet_net
from salwidgets.errors import SalwidgetsError
from salwidgets.explanation import resize

KINDS = ("class", "group", "contrast")
NETS = {"cnn": "creatures", "vit": "creatures", "squeezenet1_1": "photos", "tiny_darknet": "photos", "vit_tiny": "photos"}
ROOT = Path(__file__).resolve().parents[1]
STORE = ROOT / "docs" / "ranking.json"
SEED = 30_000
IMAGES = {"creatures": 12, "photos": 2}
STEPS = 10
FLOOR = "random"
_SANE = 4
_RFXG = {"class": "cgc", "group": "pgs", "contrast": "ccs"}


@dataclass(frozen=True)
class Setting:
    """How a slow method is measured: parameters on creatures (64 x 64) and on photographs (224 x 224), and creatures."""

    small: dict[str, Any] = field(default_factory=dict)
    large: dict[str, Any] = field(default_factory=dict)
    n: int = 4


SETTINGS: dict[str, Setting] = {
    "occlusion": Setting({"window": 12, "stride": 4}, {"window": 56, "stride": 28}, 6),
    "rise": Setting({"n_masks": 1000}, {"n_masks": 400}),
    "score-cam": Setting(n=6), "ablation-cam": Setting(n=12),
    "smoothgrad": Setting({}, {"n_samples": 10}, 6), "vargrad": Setting({}, {"n_samples": 10}, 6),
    "gradient-shap": Setting({}, {"n_samples": 10}, 6),
    "integrated-gradients": Setting({"steps": 20}, {"steps": 12}, 6),
    "blur-ig": Setting({"steps": 20}, {"steps": 12}), "guided-ig": Setting({"steps": 20}, {"steps": 12}),
    "xrai": Setting({"steps": 20}, {"steps": 6}, 6),
    "regional": Setting({"n_segments": [25, 50], "n_samples": 5}, {"n_segments": [25, 50], "n_samples": 3}),
    "kernel-shap": Setting({"n_samples": 400}, {"n_samples": 200}),
    "meaningful-perturbation": Setting({"steps": 100}, {"steps": 40}, 3),
    "fido": Setting({"steps": 40}, {"steps": 10}, 3),
}


@dataclass
class Subject:
    """Images to explain, three bound or unbound questions for each `[kind][image]`, and truths where they are known."""

    model: sw.Model
    images: torch.Tensor
    asked: dict[str, list[sw.Question]]
    truth: dict[str, list[np.ndarray]] | None = None
    parts: list[np.ndarray] | None = None


@functools.lru_cache(maxsize=1)
def subject(net: str) -> Subject:
    """The network with all of its images; rows with fewer take the first."""
    return _creatures(net) if NETS[net] == "creatures" else _photos(net)


def _creatures(net: str) -> Subject:
    world = sw.worlds.creatures(n=IMAGES["creatures"], seed=SEED)
    asked: dict[str, list[sw.Question]] = {k: [] for k in KINDS}
    for i, name in enumerate(world.labels):
        family = world.taxonomy.parent(name)
        assert family is not None
        siblings = [s for s in world.taxonomy.members(family) if s != name]
        for kind, q in zip(KINDS, (sw.why(name), sw.why(family), sw.why(name).rather_than(siblings[i % len(siblings)])),
                           strict=True):
            asked[kind].append(q)
    truth = {k: [world.truth(q, i) for i, q in enumerate(asked[k])] for k in KINDS}
    parts = [np.any(list(world.parts(i).values()), axis=0) for i in range(len(world))]
    return Subject(world.model(net), world.images, asked, truth, parts)


def _photos(net: str) -> Subject:
    """Dog and cat: the likeliest dog, rather than the likeliest cat. Dragonfly: rather than the damselfly."""
    from PIL import Image

    data, made = find_data(), imagenet_net(net)
    assert data is not None
    tree = sw.Taxonomy.imagenet(made.classes)
    model = sw.Model(made.module, classes=made.classes, taxonomy=tree, preprocess=made.preprocess, mean=made.mean,
                     std=made.std)
    names = ("dog_and_cat.png", "dragonfly.jpg")[:IMAGES["photos"]]
    x = model.preprocess([Image.open(data / "photos" / n).convert("RGB") for n in names])
    logits = model.logits(x)[0]
    dog, cat = (max((model.classes.lookup(m) for m in tree.members(g)), key=lambda i: float(logits[i]))
                for g in ("dog", "cat"))
    pairs = [(dog, cat, "dog"), (319, 320, "insect")][:len(names)]
    asked = {"class": [sw.why(a) for a, _, _ in pairs], "group": [sw.why(g) for *_, g in pairs],
             "contrast": [sw.why(a).rather_than(b) for a, b, _ in pairs]}
    return Subject(model, x, asked)


def methods() -> list[str]:
    """Every method for images, the registry's order, after the floor."""
    return [FLOOR, *(m.name for m in sw.methods() if "image" in m.modality)]


def wanted(nets: Sequence[str] | None = None, only: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """(net, method) of every row there should be, the networks taking turns so that an unfinished table is even."""
    names, data = methods(), find_data()
    if only and (unknown := set(only) - set(names)):
        raise SystemExit(f"no method is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    attention = {m.name for m in sw.methods() if "attention" in m.needs}
    rows = [(net, name) for name in names for net, kind in NETS.items() if kind == "creatures" or data is not None]
    rows = [(net, name) for net, name in rows if "vit" in net or name not in attention]
    rows.sort(key=lambda r: r[1] in SETTINGS)  # quick ones first
    return [r for r in rows if (not nets or r[0] in nets) and (not only or r[1] in only)]


def explained(s: Subject, method: str, n: int, params: dict[str, Any]) -> dict[str, list[sw.Explanation]]:
    """The explanations of each kind of question."""
    if method == FLOOR:
        chance = np.random.default_rng(0)
        shape = s.images.shape[-2:]
        base = explained(s, "occlusion", n, {"window": shape[0] // 2, "stride": shape[0] // 2})
        return {k: [dataclasses.replace(e, values=resize(chance.normal(size=(8, 8)).astype(np.float32), *shape),
                                        method=FLOOR, params={}) for e in es] for k, es in base.items()}
    evidence = sw.prepare(s.model, s.images[:n], method, progress=False, **params)
    answers = {k: evidence.explain(s.asked[k][:n], paired=True) for k in KINDS}
    return {k: [a] if isinstance(a, sw.Explanation) else list(a) for k, a in answers.items()}


def row(net: str, method: str) -> dict[str, Any]:
    """Measure one row, as it is stored."""
    s, kind = subject(net), NETS[net]
    setting = SETTINGS.get(method)
    params = {} if setting is None else setting.small if kind == "creatures" else setting.large
    n = IMAGES[kind] if setting is None or kind == "photos" else min(IMAGES[kind], setting.n)
    about = {"net": net, "method": method, "n": n, "seed": SEED, "params": params}
    start = time.process_time()
    try:
        es = explained(s, method, n, params)
    except SalwidgetsError as e:
        return about | {"refused": str(e)}
    took = (time.process_time() - start) / (n * len(KINDS))
    start = time.process_time()
    runs = sw.metrics.Runs(s.model, batch_size=32, progress=False)
    found = {k: _figures(s, k, es[k], runs, cheap=setting is None and method != FLOOR) for k in KINDS}
    return about | {"seconds": round(took, 3), "scoring": round(time.process_time() - start, 1), **found}


def _figures(s: Subject, kind: str, es: list[sw.Explanation], runs: Any, cheap: bool) -> dict[str, list[float]]:
    """Figures of each image for one kind of question: rows with fewer images are compared on theirs."""
    m = sw.metrics
    out: dict[str, Any] = {
        "deletion": m.deletion(s.model, es, fill="black", steps=STEPS, runs=runs),
        "insertion": m.insertion(s.model, es, fill="blur", steps=STEPS, runs=runs),
        "rfxg": getattr(m, _RFXG[kind])(s.model, es, fill="black", runs=runs),
        "sparseness": m.sparseness(es),
    }
    if cheap and kind == "class":
        out["stability"] = m.stability(s.model, es, progress=False)
        if s.truth is not None:
            few = es[:_SANE]
            out["class_sensitivity"] = m.class_sensitivity(s.model, few, progress=False)
            out["randomised"] = m.cascading_randomisation(s.model, few, layers=4, progress=False)
    if s.truth is not None and s.parts is not None:
        maps = [e.upsampled() for e in es]
        out["peak"] = [peak_is_near(v, t) for v, t in zip(maps, s.truth[kind], strict=False)]
        out["share"] = [part_share(v, t, p) for v, t, p in zip(maps, s.truth[kind], s.parts, strict=False)]
    return {k: [round(float(x), 3) for x in v] for k, v in out.items()}


def main() -> None:
    """Measure what is missing or asked for, store it, write the page and the table of recommendations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?")
    parser.add_argument("--nets", nargs="*", choices=list(NETS))
    parser.add_argument("--methods", nargs="*", help="measure these again, whether stored or not")
    parser.add_argument("--all", action="store_true", help="measure every row again")
    parser.add_argument("--write", action="store_true", help="measure nothing, write the pages from the stored rows")
    args = parser.parse_args()
    store = Store(STORE, ("net", "method"))
    for net, method in [] if args.write else wanted(args.nets, args.methods):
        if args.all or args.methods or (net, method) not in store.read():
            found = row(net, method)
            store.put(found)
            print(found, flush=True)
    rows = store.read()
    text = page(rows, wanted(), {"n": IMAGES, "seed": SEED, "steps": STEPS, "nets": NETS, "settings": sorted(SETTINGS)})
    if args.out:
        Path(args.out).write_text(text, encoding="utf-8")
        write_recommendations(rows, NETS, ROOT / "salwidgets" / "recommend.json")
    else:
        print(text)


if __name__ == "__main__":
    main()
