"""ONE table of every view, for the tests that hold for all (axe, hostile names, odd maps, figures, export, leftovers).

A new view: one line in `VIEWS` (it takes a name that may be hostile: use it wherever a view shows a name), and, if it draws
maps, one line in `MAPPED` (it takes the map, float32 `[h, w]`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import concept_fakes
import fakes
import numpy as np
import score_fakes
import torch

import salwidgets as sw
from salwidgets.evidence import Basis
from salwidgets.explanation import Explanation
from salwidgets.questions import why
from salwidgets.taxonomy import Taxonomy
from salwidgets.widgets import (
    ClassTree,
    ClusterView,
    Comparison,
    ConceptView,
    Contrast,
    Eraser,
    Heatmap,
    Layers,
    Narrative,
    Randomisation,
    Scorecard,
    View,
    Workbench,
)

HOSTILE = "<script>window.hurt=1</script><img src=x onerror='window.hurt=1'> $\\frac{ &amp; \"q\" {{7*7}} \u202ex"


def explained(name: str, rows: int = 6, cols: int = 10, **fields: Any) -> Explanation:
    """A made-up explanation whose question, method, layer and notice carry the name."""
    e = fakes.explanation(rows, cols, **{"layer": name, "notices": (name,), "prediction": (name, 0.5), **fields})
    e.question, e.method = why(name).rather_than("wolf"), name
    return e


def basis_of(name: str, maps: np.ndarray | None = None) -> Basis:
    """Per-class maps; three of the classes and a group carry the name."""
    classes = [name, f"{name} 2", "wolf", f"{name} 3"]
    tree = Taxonomy.from_nested({f"all {name}": {f"group {name}": classes[:2], "rest": classes[2:]}})
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1, 4, 6, 10)) if maps is None else maps
    return Basis(values.astype(np.float32), np.arange(4), classes, np.array([[3.0, 1.0, 2.0, 0.5]], np.float32),
                 fakes.picture()[None], name, tree, layer=name, notices=(name,))


@dataclass
class Randomised:
    """What `salwidgets.metrics.randomise` returns, as far as the view reads it."""

    explanations: list[Explanation]
    names: list[str]
    maps: list[np.ndarray]
    order: str = "cascading"
    layers: list[str] = field(default_factory=list)
    rank_correlation: np.ndarray = field(default_factory=lambda: np.array([[0.9, float("nan")]]))
    ssim: np.ndarray = field(default_factory=lambda: np.array([[0.8, 0.1]]))
    seed: int = 0


def randomised(name: str, values: np.ndarray | None = None) -> Randomised:
    """Two steps after the trained map."""
    e = explained(name) if values is None else mapped(values)
    return Randomised([e], [name, f"{name} 2"], [np.stack([e.values * 0.5, -e.values])], layers=["fc", "conv"])


def mapped(values: np.ndarray, method: str = "rise") -> Explanation:
    """An explanation whose map is what was given."""
    return sw.from_array(np.asarray(values, np.float32), fakes.picture(), why("husky"), method=method)


def clustered(name: str) -> ClusterView:
    """A picked cluster with a sentence, and everything that a ClusterView can hold."""
    points, of = concept_fakes.blobs()
    view = ClusterView(points=points, labels=[f"{name} {k}" if k else None for k in of], captions=[name] * len(of),
                       title=name, thumbnails=concept_fakes.tiles(len(of)), correct=np.arange(len(of)) % 3 > 0,
                       edges=[[0, 1], [2, 3]])
    view.cluster = 1
    return view


def erased(name: str, values: np.ndarray | None = None) -> Eraser:
    """Painted and asked; the classes and the model carry the name."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 60 * 100, 3))
    net[1].weight.data = torch.randn(net[1].weight.shape, generator=torch.Generator().manual_seed(0)) * 0.02
    net[1].bias.data.zero_()
    tree = Taxonomy.from_nested({f"group {name}": [name, "wolf"], "rest": [f"{name} 2"]})
    model = sw.Model(net, classes=[name, "wolf", f"{name} 2"], taxonomy=tree)
    x = torch.from_numpy(fakes.picture().transpose(2, 0, 1) / np.float32(255))
    e = sw.explain(model, x, why(name), method="integrated-gradients", progress=False)  # tqdm's bar is widgets, too
    if values is not None:
        e.values = values
    view = Eraser(model, e)
    view.erase((10, 20, 40, 60))
    return view


def scored(values: np.ndarray) -> Scorecard:
    """A table over four maps of which the first, which is shown, is what was given."""
    table = score_fakes.table()
    table.explanations[0].values = np.asarray(values, np.float32)
    return Scorecard(table)


def bench(name: str) -> Workbench:
    """Two pictures; the classes, a group and the labels carry the name."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 60 * 100, 3))
    net[1].weight.data = torch.randn(net[1].weight.shape, generator=torch.Generator().manual_seed(0)) * 0.02
    net[1].bias.data.zero_()
    tree = Taxonomy.from_nested({f"group {name}": [name, "wolf"], "rest": [f"{name} 2"]})
    model = sw.Model(net, classes=[name, "wolf", f"{name} 2"], taxonomy=tree)
    x = torch.from_numpy(fakes.picture().transpose(2, 0, 1) / np.float32(255))
    return Workbench(model, torch.stack([x, 1 - x]), why(name).rather_than("wolf"), labels=[name, f"{name} 2"],
                     methods=["integrated-gradients", "input-x-gradient"])


VIEWS: dict[str, Callable[[str], View]] = {
    "Heatmap": lambda name: Heatmap(explained(name)),
    "Contrast": lambda name: Contrast(basis_of(name), name, "wolf"),
    "Comparison": lambda name: Comparison([explained(name), explained(f"{name} 2")], scores={name: np.arange(2.0)}),
    "Comparison of evidence": lambda name: Comparison([basis_of(name)], target=name, foil="wolf"),
    "ClassTree": lambda name: ClassTree(basis_of(name)),
    "Eraser": erased,
    "Layers": lambda name: Layers([explained(name), explained(name, 3, 5, layer="b")], labels=[name, "b"]),
    "Randomisation": lambda name: Randomisation(randomised(name)),
    "ClusterView": clustered,
    "ConceptView": lambda name: ConceptView(concept_fakes.Fitted(name=name)),
    "Scorecard": lambda name: Scorecard(score_fakes.table(name), at=4),
    "Workbench": bench,
    "Narrative": lambda name: Narrative(sw.verbalize(explained(name), length="report")),
}

MAPPED: dict[str, Callable[[np.ndarray], View]] = {
    "Heatmap": lambda m: Heatmap(mapped(m)),
    "Contrast": lambda m: Contrast(basis_of("husky", np.stack([m, m * 0.5, np.zeros_like(m), -m])[None]), "husky", "wolf"),
    "Comparison": lambda m: Comparison([mapped(m), mapped(m * 0.5, "lrp")]),
    "Eraser": lambda m: erased("husky", m),
    "Layers": lambda m: Layers([mapped(m), mapped(m * 0.5)], labels=["a", "b"]),
    "Randomisation": lambda m: Randomisation(randomised("fc", m)),
    "Scorecard": lambda m: scored(m),
}
