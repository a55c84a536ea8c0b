"""Metrics: numbers that say how good an explanation is, and what each of them cannot tell.

Every metric is a function here (``sw.metrics.deletion(model, explanations)``); `metrics` lists them, `scorecard` makes a
table of many. Each module below registers its own metrics and is loaded when a name is first asked for.
"""

from __future__ import annotations

import importlib
from typing import Any

#: the modules that register metrics; one line each
_MODULES = (
    "agreement_with_model",
    "robustness",
    "sanity",
    "retrain",
    "curves",
    "masked",
    "rfxg",
    "pic",
    "localisation",
    "boxes",
    "fixations",
    "object_masks",
    "rationales",
    "complexity",
    "truth",
)
_HOME = {
    "metrics": "registry", "metric": "registry", "MetricInfo": "registry", "MetricTable": "registry",
    "Runs": "perturb", "Curves": "curves", "scorecard": "table", "ScoreTable": "score_table", "load": "table_store",
    "choose_threshold": "localisation", "ChosenThreshold": "localisation", "pooled_pxap": "localisation",
    "randomise": "randomised", "Randomisation": "randomised", "rewritten": "sanity",
    "retraining": "retrain", "Retraining": "retrain",
}
_loaded = False

__all__ = [*_HOME]  # pyright: ignore


def load_all() -> None:
    """Load every module that registers metrics, in order."""
    global _loaded
    if not _loaded:
        _loaded = True
        for name in _MODULES:
            importlib.import_module(f".{name}", __name__)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    else:
        load_all()
        from .registry import _REGISTRY

        if name not in _REGISTRY:
            raise AttributeError(f"no metric is called {name!r}; salwidgets.metrics.metrics() lists them all.")
        value = _REGISTRY[name]
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    load_all()
    from .registry import _REGISTRY

    return sorted({*__all__, *_REGISTRY})
