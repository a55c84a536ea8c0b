"""salwidgets: ask a model why, see the answer as linked pictures and checked sentences, keep it as a figure.

Names are looked up when they are first used, so that ``import salwidgets`` loads neither torch, anywidget nor
matplotlib.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Model": "models", "Predictions": "models",
    "Taxonomy": "taxonomy", "ClassNames": "taxonomy",
    "Question": "questions", "why": "questions",
    "why_box": "tasks", "why_segment": "tasks", "why_match": "tasks", "why_token": "tasks",
    "Explanation": "explanation", "Explanations": "explanation", "Completeness": "explanation",
    "from_array": "explanation",
    "Evidence": "evidence", "Basis": "evidence",
    "load": "storage",
    "recommend": "recommendation",
    "explain": "explainers", "prepare": "explainers", "methods": "explainers", "MethodInfo": "explainers",
    "Scale": "scale",
    "Heatmap": "widgets", "Contrast": "widgets", "Narrative": "widgets", "Link": "widgets", "link": "widgets",
    "ClassTree": "widgets", "Layers": "widgets", "Randomisation": "widgets", "through_layers": "explainers",
    "Comparison": "widgets", "Eraser": "widgets", "Workbench": "widgets",
    "ClusterView": "widgets", "ConceptView": "widgets", "Scorecard": "widgets",
    "verbalize": "verbalization", "Verbalization": "verbalization", "LLMWriter": "verbalization",
}
_ROOMS = ("concepts", "errors", "explainers", "figures", "metrics", "questions", "scale", "taxonomy", "verbalization",
          "widgets", "worlds")

__all__ = ["__version__", *_HOME, *_ROOMS]  # pyright: ignore


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    elif name in _ROOMS:
        value = importlib.import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
