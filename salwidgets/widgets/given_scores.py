"""Scores that a caller brings along: a table, a data frame, a dict of columns or an array, one row per explanation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import InputError

#: columns that tell which explanation a row is about, not how good it is
_NAMES = {"index", "input", "inputs", "image", "question", "method", "layer", "model", "seed"}


def score_columns(scores: Any, count: int) -> dict[str, list[float | None]]:
    """Name of each score -> one number (None: not known) per explanation, in their order.

    scores: what has ``to_pandas()`` (a ScoreTable), a pandas DataFrame (its columns of numbers), a dict of arrays, or an
    array ``[count]``, ``[count, scores]`` or in the shape of the explanations. Raises `InputError` for other lengths.
    """
    if scores is None:
        return {}
    if hasattr(scores, "to_pandas"):
        scores = scores.to_pandas()
    if hasattr(scores, "columns") and hasattr(scores, "dtypes"):
        kinds = zip(scores.columns, scores.dtypes, strict=True)
        found = {str(name): scores[name] for name, dtype in kinds
                 if getattr(dtype, "kind", "O") in "fiu" and str(name) not in _NAMES}
        if not found:
            raise InputError("scores= holds no column of numbers.")
    elif isinstance(scores, dict):
        found = {str(name): values for name, values in scores.items()}
    else:
        found = _array(scores, count)
    return {name: _column(name, values, count) for name, values in found.items()}


def _array(scores: Any, count: int) -> dict[str, Any]:
    try:
        a = np.asarray(scores, np.float64)
    except (TypeError, ValueError) as e:
        raise InputError(f"scores= takes a table, a dict of columns or an array of numbers, not "
                         f"{type(scores).__name__}.") from e
    if a.size == count:
        return {"given score": a.ravel()}
    if a.ndim == 2 and a.shape[0] == count:
        return {f"given score {j + 1}": a[:, j] for j in range(a.shape[1])}
    raise InputError(f"scores= has shape {list(a.shape)}; there are {count} explanations.")


def _column(name: str, values: Any, count: int) -> list[float | None]:
    try:
        numbers = [float("nan") if v is None else float(v) for v in np.asarray(values).ravel().tolist()]
    except (TypeError, ValueError) as e:
        raise InputError(f"the score {name!r} holds something that is no number: {e}.") from e
    if len(numbers) != count:
        raise InputError(f"the score {name!r} has {len(numbers)} rows; there are {count} explanations.")
    return [v if math.isfinite(v) else None for v in numbers]
