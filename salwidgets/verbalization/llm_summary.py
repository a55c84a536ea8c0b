"""Comparisons and tables as data for a language model: rounded figures, bounded rows, nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..errors import InputError
from ..explanation import Explanation

_ROWS = 60
_EXPLANATIONS = 20


def data_of(results: Any) -> dict[str, Any]:
    """Explanations or a table as plain data. Raises `InputError` for what is neither, or empty."""
    if isinstance(results, Explanation):
        return {"explanations": [_explanation(results)]}
    table = results.to_pandas() if hasattr(results, "to_pandas") else results
    if hasattr(table, "to_dict") and hasattr(table, "columns"):
        return _table(table)
    if isinstance(results, Sequence) and results and all(isinstance(e, Explanation) for e in results):
        told = [_explanation(e) for e in results[:_EXPLANATIONS]]
        return {"explanations": told, "not_listed": max(0, len(results) - _EXPLANATIONS)}
    raise InputError(f"summary() takes explanations or a table (a ScoreTable or DataFrame) that is not empty, not "
                     f"{type(results).__name__}.")


def _table(table: Any) -> dict[str, Any]:
    if not len(table):
        raise InputError("the table to be summarised has no rows.")
    rows = [{str(k): _plain(v) for k, v in row.items()} for row in table.head(_ROWS).to_dict("records")]
    means = {str(k): _plain(v) for k, v in table.mean(numeric_only=True).items()}
    return {"rows": rows, "rows_not_listed": max(0, len(table) - _ROWS), "means_of_all_rows": means}


def _explanation(e: Explanation) -> dict[str, Any]:
    from .salient import look

    brief = look(e, "auto")
    leading = [{"label": u.label, "supports_%": round(100 * u.supports)} for u in brief.supporting]
    against = [{"label": u.label, "opposes_%": round(100 * u.opposes)} for u in brief.opposing]
    return {"question": brief.question, "method": brief.method, "score": _plain(e.score),
            "standing_out_for_target": leading, "standing_out_against_target": against,
            "evidence_against_%_of_map": round(100 * brief.opposes), "caveats": list(brief.caveats)}


def _plain(value: Any) -> Any:
    """A number of four digits, None for what is no number, or text."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value if value is None or isinstance(value, (int, bool)) else str(value)[:200]
