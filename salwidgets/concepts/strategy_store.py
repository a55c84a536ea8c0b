"""Saved strategy graphs: what `StrategyGraph.fit` found, without the extractor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import InputError
from .archive import read, write
from .strategies import StrategyGraph
from .strategy_points import Points

KIND = "strategy graph"
_SETTINGS = ("n_neighbors", "embedding", "min_images", "random_state")
_ARRAYS = ("importance_", "leading_", "probabilities_", "correct_", "predicted_", "embedding_", "edges_")


class _Projection:
    """Principal components that were read back."""

    def __init__(self, mean: Any, axes: Any):
        self.mean, self.axes = mean, axes

    def transform(self, importance: Any) -> Any:
        return (importance - self.mean) @ self.axes.T


class _Unknown:
    """A projection that cannot be saved."""

    def transform(self, importance: Any) -> Any:
        raise InputError("UMAP's projection is not saved; fit the graph again, or use embedding='pca', to place images.")


def save(graph: StrategyGraph, folder: str | Path) -> Path:
    """Write ``graph`` into ``folder``."""
    arrays = {name: getattr(graph, name) for name in _ARRAYS}
    if graph.thumbnails_ is not None:
        arrays["thumbnails_"] = graph.thumbnails_
    mean = getattr(graph._projection, "mean_", getattr(graph._projection, "mean", None))
    if graph.embedded_by_ == "pca" and mean is not None:
        arrays |= {"mean": mean, "axes": getattr(graph._projection, "components_", getattr(graph._projection, "axes", None))}
    return write(folder, KIND, {
        "settings": {name: getattr(graph, name) for name in _SETTINGS}, "embedded_by": graph.embedded_by_,
        "names": graph._names(), "question": graph.question_,
        "strategies": [{"concept": s.concept, "sentence": s.sentence} for s in graph.strategies_]}, arrays)


def load(cls: type[StrategyGraph], folder: str | Path, extractor: Any = None) -> StrategyGraph:
    """Read back what `save` wrote."""
    manifest, arrays = read(folder, KIND)
    try:
        graph = cls(extractor, **{name: manifest["settings"][name] for name in _SETTINGS})
        n, k = arrays["importance_"].shape
        if any(len(arrays[name]) != n for name in _ARRAYS if name != "edges_") or len(manifest["names"]) != k:
            raise InputError(f"the saved strategy graph {str(folder)!r}: its arrays are of different lengths; they were "
                             "altered.")
        graph.names_, graph.question_ = [str(name) for name in manifest["names"]], str(manifest["question"])
        graph.embedding_, graph.edges_ = arrays["embedding_"], arrays["edges_"]
        graph.embedded_by_ = str(manifest["embedded_by"])
        graph._projection = _Unknown() if graph.embedded_by_ == "umap" else \
            _Projection(arrays["mean"], arrays["axes"]) if "mean" in arrays else None
        graph._take(Points(arrays["importance_"], arrays["leading_"], arrays["probabilities_"], arrays["correct_"],
                           arrays["predicted_"], arrays.get("thumbnails_")))
        return graph
    except (KeyError, TypeError, ValueError, IndexError) as e:
        if isinstance(e, InputError):
            raise
        raise InputError(f"the saved strategy graph {str(folder)!r}: the manifest lacks or garbles a field "
                         f"({type(e).__name__}: {e}). Save it again.") from e
