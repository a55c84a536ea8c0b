"""How many concepts: quality over their number, and a proposal that says why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import InputError
from ..explainers.progress import Progress, ProgressOption
from ..models import Model
from .activations import LayerReader, rows_of
from .batches import Batches
from .checks import check_extractor, whole_number
from .dictionary import fit_in_rounds, make_dictionary
from .fitting import check_rows, check_signs
from .matching import folds_of, stability
from .measures import hoyer

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from .extractor import ConceptExtractor

_STEADY = 0.9


@dataclass(eq=False)
class ConceptChoice:
    """Quality over the number of concepts. n_concepts: the proposal; reason: why, in a sentence.

    sizes: the numbers tried. table: name of a figure (relative_l2, hoyer, stability_seeds, stability_folds; see
    `ConceptQuality`) to its values, float64 `[len(sizes)]`.
    """

    n_concepts: int
    reason: str
    sizes: list[int]
    table: dict[str, np.ndarray]

    def to_pandas(self) -> DataFrame:
        """One row per number of concepts."""
        import pandas as pd

        return pd.DataFrame({"n_concepts": self.sizes, **self.table})

    def figure(self) -> Figure:
        """The figures over the number of concepts, with the proposal marked."""
        from .concept_figures import choice_figure

        return choice_figure(self)


def choose_n_concepts(extractor: ConceptExtractor, images: Any, n_concepts: Iterable[int] = range(2, 21, 2), *,
                      folds: int = 3, seeds: int = 3, most_cells: int = 20_000,
                      progress: ProgressOption = None) -> ConceptChoice:
    """Try numbers of concepts on ``images``, with the layer, dictionary and mode of ``extractor`` (fitted or not).

    The network runs once. Dictionaries are learnt on at most ``most_cells`` activations, drawn by the extractor's seed.
    Proposed is (ours) the elbow of relative_l2 (the point farthest below the line between its ends) among the numbers whose
    stability (mean of seeds and folds) is at least 0.9 of the best. It is a proposal: look at the figure. progress: as
    everywhere (a callable may raise to stop); None: as the extractor says.

    >>> world = sw.worlds.creatures(n=24)
    >>> extractor = sw.concepts.ConceptExtractor(world.model("cnn"))
    >>> choose_n_concepts(extractor, world.images, (2, 4, 6), most_cells=1000).n_concepts in (2, 4, 6)
    True
    """
    check_extractor(extractor, fitted=False)
    sizes = _sizes(n_concepts)
    for name, value, least in (("folds", folds, 0), ("seeds", seeds, 0), ("most_cells", most_cells, 1)):
        whole_number(name, value, least)
    progress = extractor.progress if progress is None else progress
    rows, groups = _cells(extractor, images, most_cells, progress)
    check_rows(torch.from_numpy(rows), sizes[-1])
    kept = folds_of(groups, folds, extractor.random_state or 0) if folds > 1 else []
    found: list[tuple[float, ...]] = []
    each = 1 + len(kept) + (seeds if seeds > 1 else 0)
    with Progress(len(sizes) * each, "trying numbers of concepts", progress) as bar:
        for k in sizes:
            found.append(_tried(extractor, rows, kept, k, seeds, bar.step))
    table = dict(zip(("relative_l2", "hoyer", "stability_seeds", "stability_folds"), np.array(found).T, strict=True))
    place, reason = _proposal(sizes, table)
    return ConceptChoice(sizes[place], reason, sizes, table)


def _sizes(given: Any) -> list[int]:
    numbers = [given] if isinstance(given, (int, np.integer)) else given
    try:
        sizes = sorted({whole_number("n_concepts", k, 1) for k in numbers})
    except TypeError:
        sizes = []
    if not sizes:
        raise InputError(f"n_concepts={given!r}; give whole numbers of at least 1, for example range(2, 21, 2).")
    return sizes


def _tried(extractor: ConceptExtractor, rows: np.ndarray, kept: list[np.ndarray], k: int, seeds: int,
           step: Callable[[int], None]) -> tuple[float, ...]:
    start = extractor.random_state or 0
    dictionary = fit_in_rounds(make_dictionary(extractor.dictionary, k, start), rows, lambda: step(0))
    step(1)
    u = np.asarray(dictionary.encode(rows))
    offset = getattr(dictionary, "offset_", None)
    rebuilt = u @ np.asarray(dictionary.components_) + (0 if offset is None else offset)
    error = float(np.linalg.norm(rows - rebuilt)) / max(float(np.linalg.norm(rows)), 1e-30)
    sparse = hoyer(u)
    sparse = sparse[np.isfinite(sparse)]
    return (error, float(sparse.mean()) if len(sparse) else float("nan"),
            stability(dictionary, [rows] * seeds, [start + s for s in range(seeds)], step) if seeds > 1 else float("nan"),
            stability(dictionary, [rows[f] for f in kept], [start] * len(kept), step))


def _cells(extractor: ConceptExtractor, images: Any, most: int, progress: ProgressOption) -> tuple[np.ndarray, np.ndarray]:
    """At most ``most`` activations `[n, C]`, drawn at random, and the image that each is of."""
    extractor._check()
    model = extractor.model if isinstance(extractor.model, Model) else Model(extractor.model)
    batches = Batches(model, images, extractor.batch_size, extractor.max_bytes)
    dictionary = make_dictionary(extractor.dictionary, 1, extractor.random_state)
    random = np.random.default_rng(extractor.random_state)
    rows, groups, keys, first, reader = np.zeros((0, 0), np.float32), np.zeros(0, int), np.zeros(0), 0, None
    with Progress(batches.total or 0, "reading activations", progress) as bar, model.session():
        for x, _ in batches:
            reader = reader or LayerReader(model, extractor.layer, x, extractor.crop)
            maps, _ = reader.maps(x, first)
            check_signs(reader, dictionary, maps)
            new = rows_of(maps) if extractor.mode == "holistic" else \
                reader.crop_means(x, extractor.batch_size, first).flatten(0, 1)
            # The cells with the largest random keys are a uniform sample, whatever number comes.
            key = random.random(len(new))
            group = first + np.repeat(np.arange(len(x)), len(new) // len(x))
            values = new.cpu().numpy()
            rows = values if not len(rows) else np.concatenate([rows, values])
            groups, keys = np.concatenate([groups, group]), np.concatenate([keys, key])
            if len(rows) > 2 * most:
                best = np.sort(np.argpartition(-keys, most)[:most])
                rows, groups, keys = rows[best], groups[best], keys[best]
            first += len(x)
            bar.step(len(x))
    best = np.sort(np.argsort(-keys, kind="stable")[:most])
    return rows[best], groups[best]


def _proposal(sizes: list[int], table: dict[str, np.ndarray]) -> tuple[int, str]:
    error = table["relative_l2"]
    both = np.stack([table["stability_seeds"], table["stability_folds"]])
    known = np.isfinite(both)
    with np.errstate(invalid="ignore"):
        steady = np.where(known.any(0), np.where(known, both, 0).sum(0) / known.sum(0), np.nan)
    able = np.ones(len(sizes), bool) if np.isnan(steady).all() else steady >= _STEADY * np.nanmax(steady)
    x = np.asarray(sizes, float)
    span = max(x[-1] - x[0], 1.0)
    line = error[0] + (error[-1] - error[0]) * (x - x[0]) / span
    below = np.where(able, line - error, -np.inf)
    place = int(below.argmax())
    said = f"{sizes[place]} concepts leave {error[place]:.0%} of the activations out"
    if below[place] > 1e-9:
        said += f"; from here on the error falls more slowly (elbow between {sizes[0]} and {sizes[-1]})"
    if np.isfinite(steady[place]):
        said += f", and learnt again they are alike to {steady[place]:.2f} (best {np.nanmax(steady):.2f})"
    return place, said + "."
