"""Concepts beside the parts of the creatures, which are known, and the page that shows it.

python -m benchmarks.concept_parts docs/concepts.md
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import salwidgets as sw
from salwidgets.concepts.matching import matched
from salwidgets.worlds.anatomy import PLAIN_PARTS, VARIANTS, variants

FOUND = 0.5
TRAIN, TEST = (600, 11), (240, 12)
SIZES = (("nmf", 12, {}), ("nmf", 24, {}), ("nmf", 32, {}), ("nmf", 48, {}), ("semi-nmf", 32, {}), ("kmeans", 32, {}),
         ("pca", 32, {}), ("nmf", 32, {"mode": "crops", "crop": 32}))
NAMES = (*VARIANTS, *PLAIN_PARTS)

_HEAD = """# Concepts

Made by `make tables` (`python -m benchmarks.concept_parts docs/concepts.md`).

```python
extractor = sw.concepts.ConceptExtractor(model, n_concepts=8, importance="gradient-x-input")
extractor.fit(images, sw.why("flutterling").rather_than("galewing"), labels=labels)
extractor.importance_, extractor.prevalence_, extractor.reliability_   # one figure per concept
extractor.figure()                                                     # the picture below
extractor.rename(4, "slippers")                                        # a name of your own, used everywhere
extractor.maps(images[:4])                                             # concept maps: explanations to look at and export
sw.concepts.quality(extractor, other_images)                           # how good these concepts are
sw.concepts.choose_n_concepts(extractor, images).reason                # how many to ask for, and why
```

![concepts of one question](images/concepts.png)

Which dictionary: nmf where activations cannot be negative (after a relu); semi-nmf, kmeans or pca elsewhere (transformers).
Which importance: gradient-x-input says for which side a concept speaks, is exact where the head is pooling and a linear
layer, and costs one pass of the head; integrated-gradients and occlusion do not need that, and cost more; sobol (the
default, as in CRAFT) says how much of the score depends on a concept, together with others, without a side.

## What is found of the parts

The creatures have {n} parts whose masks are known: {telling} that tell classes apart and {plain} that all creatures share
({plain_names}). Concepts of `{layer}` of the CNN ({cells} x {cells} cells) are learnt from {train} images without labels. On
{test} other images each concept's map is compared with each part's share of every cell (Pearson correlation over all
cells), and concepts and parts are paired one to one (Hungarian method). A part counts as found from a correlation of
{found} on. The oracle knows the masks: for each part it takes the direction of the same activations that gives its
share best in least squares, on the same images, with an offset: about the most that can be read off this layer (concepts
that cannot be negative read a little better here and there, because they leave out what is below zero).

{table}

{said}

## Part by part

NMF with 32 concepts. *concept*: which one is matched; *oracle*: the correlation that the oracle reaches.

{parts}

## Quality

10 concepts from 240 images, "why flutterling rather than galewing", importance by gradient x input (exact here: the
head is affine); `sw.concepts.quality` says what each column is. Lower is better for relative_l2, frechet and c_deletion.
*sobol*: the same concepts ordered by total Sobol indices, which have no sign: they tell how much a concept matters, not
for which side, and taking concepts away in their order takes those that speak against, too.

{quality}
"""


def coverage(world: Any, cells: int) -> np.ndarray:
    """The share of each cell that each part covers, float32 `[N, parts, cells, cells]`."""
    side = 64 // cells
    out = np.zeros((len(world), len(NAMES), cells, cells), np.float32)
    for i in range(len(world)):
        called = variants(world.labels[i])
        for part, mask in world.parts(i).items():
            out[i, NAMES.index(called.get(part, part))] = mask.reshape(cells, side, cells, side).mean((1, 3))
    return out


def correlations(u: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Pearson correlation `[K, P]` over all cells of maps `[N, K, h, w]` and `[N, P, h, w]`."""
    a, b = (np.moveaxis(m, 1, 0).reshape(m.shape[1], -1).astype(np.float64) for m in (u, masks))
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    size = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)
    return np.asarray((a @ b.T) / np.maximum(size, 1e-12))


def oracle(train: np.ndarray, masks: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Maps `[N, P, h, w]` of ``test`` activations by the least-squares reading of ``masks`` from ``train`` activations."""
    rows = np.moveaxis(train, 1, -1).reshape(-1, train.shape[1]).astype(np.float64)
    design = np.concatenate([rows, np.ones((len(rows), 1))], 1)
    weights = np.linalg.lstsq(design, np.moveaxis(masks, 1, -1).reshape(len(rows), -1), rcond=None)[0]
    return np.asarray(np.einsum("nchw,ck->nkhw", test, weights[:-1]) + weights[-1][:, None, None])


def matched_parts(found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each part the correlation of its concept (0 if none is left for it) and which concept that is (-1)."""
    rows, columns = matched(found)
    best, which = np.zeros(found.shape[1]), np.full(found.shape[1], -1)
    best[columns], which[columns] = found[rows, columns], rows
    return best, which


def activations(model: Any, layer: str, images: Any) -> np.ndarray:
    """The layer's activations `[N, C, h, w]`."""
    extractor = sw.concepts.ConceptExtractor(model, layer, 2, "pca", progress=False).fit(images[:64])
    return np.concatenate([maps.numpy() for _, maps, _ in extractor._read(images)])


def measure(layer: str = "layer3", cells: int = 8, sizes: Any = SIZES) -> dict[str, Any]:
    """Rows of the table: name, found, mean correlation; and the parts of the NMF with 32 concepts."""
    train, test = (sw.worlds.creatures(n=n, seed=seed) for n, seed in (TRAIN, TEST))
    model, masks = train.model("cnn"), coverage(test, cells)
    ideal = oracle(activations(model, layer, train.images), coverage(train, cells), activations(model, layer, test.images))
    top = np.diagonal(correlations(ideal, masks))
    out: dict[str, Any] = {"oracle": top, "rows": [], "layer": layer, "cells": cells}
    for kind, k, options in sizes:
        extractor = sw.concepts.ConceptExtractor(model, layer, k, kind, importance="gradient-x-input", progress=False,
                                                 **options).fit(train.images)
        found = correlations(extractor.transform(test.images), masks)
        best, which = matched_parts(np.abs(found) if kind == "pca" else found)
        name = kind + (" on crops of 32 pixels" if options else "") + (" (either sign)" if kind == "pca" else "")
        out["rows"].append((name, k, best, extractor.reconstruction_error_))
        if (kind, k, options) == ("nmf", 32, {}):
            out["nmf"] = (best, which)
    return out


def table(result: dict[str, Any]) -> str:
    """The dictionaries beside the oracle, as Markdown."""
    top = result["oracle"]
    head = ["dictionary", "concepts", "parts found", "of the oracle's", "mean correlation", "of the oracle's",
            "left out (l2)"]
    lines = ["| " + " | ".join(head) + " |", "|---|---|---|---|---|---|---|",
             f"| oracle | {len(top)} | {(top >= FOUND).sum()} of {len(top)} | | {top.mean():.2f} | | |"]
    for name, k, best, error in result["rows"]:
        share = (best >= FOUND).sum() / max(1, (top >= FOUND).sum())
        lines.append(f"| {name} | {k} | {(best >= FOUND).sum()} of {len(top)} | {share:.0%} | {best.mean():.2f} | "
                     f"{best.mean() / top.mean():.0%} | {error:.0%} |")
    return "\n".join(lines)


def reading(result: dict[str, Any]) -> str:
    """What the figures say, from the figures."""
    top, (best, _) = result["oracle"], result["nmf"]
    share = (best >= FOUND).sum() / max(1, (top >= FOUND).sum())
    missed = [name for name, r in zip(NAMES, best, strict=True) if r < FOUND]
    crops = next((b for name, _, b, _ in result["rows"] if "crops" in name), None)
    text = f"NMF with 32 concepts finds {share:.0%} of the parts that the oracle finds (wanted: 70 %). "
    if missed:
        plain = set(missed) <= set(PLAIN_PARTS)
        text += f"Not found: {', '.join(missed)}" + (", which tell no class from another. " if plain else ". ")
    if crops is not None and (crops >= FOUND).sum() < (best >= FOUND).sum():
        text += ("Crops do worse than whole maps here: a crop that is enlarged to the input's size shows a creature at a "
                 "scale which this network was not trained on.")
    return text


def parts(result: dict[str, Any]) -> str:
    """Part by part, best first, as Markdown."""
    best, which = result["nmf"]
    lines = ["| part | concept | correlation | oracle |", "|---|---|---|---|"]
    for p in np.argsort(-best, kind="stable"):
        lines.append(f"| {NAMES[p]} | {which[p] + 1 if which[p] >= 0 else ''} | {best[p]:.2f} | {result['oracle'][p]:.2f} |")
    return "\n".join(lines)


def quality_table() -> str:
    """The quality of each dictionary on the same images, as Markdown."""
    world = sw.worlds.creatures(n=240, seed=TRAIN[1])
    question, lines = sw.why("flutterling").rather_than("galewing"), []
    for kind, importance in (("nmf", "gradient-x-input"), ("nmf", "sobol"), ("semi-nmf", "gradient-x-input"),
                             ("kmeans", "gradient-x-input"), ("pca", "gradient-x-input")):
        extractor = sw.concepts.ConceptExtractor(world.model("cnn"), dictionary=kind, importance=importance,
                                                 progress=False).fit(world.images, question)
        row = sw.concepts.quality(extractor, world.images, folds=3, seeds=2).to_pandas().iloc[0]
        if not lines:
            lines = ["| dictionary | " + " | ".join(row.index) + " |", "|---" * (len(row) + 1) + "|"]
        name = kind + (", sobol" if importance == "sobol" else "")
        lines.append(f"| {name} | " + " | ".join(f"{v:.2f}" if n != "n_dead" else f"{v:.0f}" for n, v in row.items()) + " |")
    return "\n".join(lines)


def picture(path: Path) -> None:
    """The figure of one extractor."""
    world = sw.worlds.creatures(n=240, seed=TRAIN[1])
    extractor = sw.concepts.ConceptExtractor(world.model("cnn"), n_concepts=8, importance="gradient-x-input", progress=False)
    extractor.fit(world.images, sw.why("flutterling").rather_than("galewing"), labels=world.labels)
    path.parent.mkdir(parents=True, exist_ok=True)
    extractor.figure().savefig(path, dpi=80)


def main() -> None:
    """Write the page and its picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    out = Path(parser.parse_args().out)
    result = measure()
    picture(out.parent / "images" / "concepts.png")
    out.write_text(_HEAD.format(
        n=len(NAMES), telling=len(VARIANTS), plain=len(PLAIN_PARTS), plain_names=", ".join(PLAIN_PARTS), train=TRAIN[0],
        test=TEST[0], found=FOUND, layer=result["layer"], cells=result["cells"], table=table(result), said=reading(result),
        parts=parts(result), quality=quality_table()), encoding="utf-8")


if __name__ == "__main__":
    main()
