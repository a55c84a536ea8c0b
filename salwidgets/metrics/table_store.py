"""Saved score tables: scores.json, scores.csv and curves.npz in one folder. Never pickle; reading trusts nothing."""

from __future__ import annotations

import json
import math
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, MethodError
from .registry import get
from .score_table import Column, Row, ScoreTable

SCHEMA_VERSION = 1
_WORDS = ("sha256", "question", "reference_frame", "granularity", "method", "model")


def save(table: ScoreTable, folder: Path) -> Path:
    """Write ``table`` into ``folder`` (made if need be); the CSV is for others to read, and is not read back."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{str(folder)!r} is a file; give a folder to save into.")
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {
        "schema_version": SCHEMA_VERSION, "kind": "scores", "passes": table.passes, "elapsed": table.elapsed,
        "rows": [asdict(r) for r in table.rows],
        "columns": [{"label": c.label, "metric": c.info.name, "better": c.info.better, "cannot": c.info.cannot,
                     "params": c.params, "notes": list(c.notes), "passes": c.passes, "elapsed": c.elapsed,
                     "values": [v if math.isfinite(v) else None for v in c.values.tolist()]} for c in table.columns]}
    text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "scores.json").write_text(text + "\n", encoding="utf-8")
    table.to_pandas().to_csv(folder / "scores.csv", index=False)
    arrays = {f"{part}{i}": a for i, c in enumerate(table.columns) if c.curves is not None
              for part, a in zip("xy", c.curves, strict=True)}
    np.savez_compressed(folder / "curves.npz", **arrays)  # type: ignore[arg-type]
    return folder


def load(folder: str | Path) -> ScoreTable:
    """The table that `ScoreTable.save` wrote into ``folder``; `InputError` if it is missing, damaged or none of ours."""
    folder = Path(folder)
    where = f"the saved table {str(folder)!r}"
    manifest = _manifest(folder, where)
    try:
        rows = [Row(input=int(r["input"]), flags=tuple(map(str, r["flags"])), **{k: str(r[k]) for k in _WORDS})
                for r in manifest["rows"]]
        columns = []
        with np.load(folder / "curves.npz", allow_pickle=False) as arrays:
            for i, c in enumerate(manifest["columns"]):
                values = np.array([np.nan if v is None else float(v) for v in c["values"]], np.float64)
                if len(values) != len(rows):
                    raise InputError(f"{where}: {c['label']} has {len(values)} figures for {len(rows)} rows.")
                curves = (arrays[f"x{i}"], arrays[f"y{i}"]) if f"x{i}" in arrays.files else None
                if curves is not None and curves[1].shape != (len(rows), len(curves[0])):
                    raise InputError(f"{where}: the curves of {c['label']} have shape {curves[1].shape}; they were altered.")
                columns.append(Column(str(c["label"]), get(c["metric"]).info, dict(c["params"]), values, curves,
                                      tuple(map(str, c["notes"])), int(c["passes"]), float(c["elapsed"])))
        return ScoreTable(rows, columns, int(manifest["passes"]), float(manifest["elapsed"]))
    except MethodError as e:
        raise InputError(f"{where}: {e} It may be of a newer version: pip install -U salwidgets.") from e
    except (KeyError, TypeError, ValueError, OSError, EOFError, zipfile.BadZipFile) as e:
        if isinstance(e, InputError):
            raise
        raise InputError(f"{where} cannot be read ({type(e).__name__}: {e}); it is incomplete or altered.") from e


def _manifest(folder: Path, where: str) -> dict[str, Any]:
    path = folder / "scores.json"
    if not path.is_file():
        raise InputError(f"{str(folder)!r} holds no scores.json; give a folder that ScoreTable.save wrote.")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as e:
        raise InputError(f"{where}: scores.json cannot be read ({e}); it is truncated or no JSON.") from e
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if not isinstance(version, int) or manifest.get("kind") != "scores":
        raise InputError(f"{where}: scores.json is none of ours.")
    if version > SCHEMA_VERSION:
        raise InputError(f"{where}: it was saved with schema {version}, this version reads up to {SCHEMA_VERSION}. "
                         "Update salwidgets: pip install -U salwidgets.")
    return manifest
