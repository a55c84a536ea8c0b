"""Concepts and clusters: what a model uses, over many images.

`ConceptExtractor` finds directions in a layer that recur over images and says how much each matters for an answer;
`StrategyGraph` lays images out by the concepts that decided them; `ExplanationClusters` groups their maps;
`compare_concepts` and `compare_clusters` set two versions of a model side by side. Names are looked up when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "ConceptExtractor": "extractor", "Crop": "crops",
    "Dictionary": "dictionary", "dictionaries": "dictionary", "make_dictionary": "dictionary",
    "quality": "measures", "ConceptQuality": "measures", "choose_n_concepts": "choosing", "ConceptChoice": "choosing",
    "StrategyGraph": "strategies", "Strategy": "strategies",
    "ExplanationClusters": "clusters", "Cluster": "clusters",
    "compare_concepts": "compare", "compare_clusters": "compare",
}

__all__ = [*_HOME]  # pyright: ignore


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # No module here is called as a name it holds: importing it would put the module in the name's place.
    value = globals()[name] = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
