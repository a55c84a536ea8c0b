"""What is kept of a fitted estimator: arrays.npz and manifest.json in one folder. Never pickle; reading trusts nothing."""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError

SCHEMA_VERSION = 1
_MOST_BYTES = 2_000_000_000


def write(folder: str | Path, kind: str, manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Path:
    """Write ``arrays`` and ``manifest`` (plain values; NaN becomes null) into ``folder``, made if need be."""
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{str(folder)!r} is a file; give a folder to save into.")
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]
    kept = {name: {"shape": list(a.shape), "dtype": a.dtype.str, "sha256": _digest(a)} for name, a in arrays.items()}
    full = {"schema_version": SCHEMA_VERSION, "kind": kind, **_plain(manifest), "arrays": kept}
    text = json.dumps(full, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")
    return folder


def read(folder: str | Path, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The manifest and arrays that `write` left; `InputError` where they are missing, altered or of another kind."""
    folder = Path(folder)
    where = f"the saved {kind} {str(folder)!r}"
    manifest = _manifest(folder, kind, where)
    try:
        with zipfile.ZipFile(folder / "arrays.npz") as z:
            if sum(i.file_size for i in z.infolist()) > _MOST_BYTES:
                raise InputError(f"{where}: arrays.npz unpacks to more than {_MOST_BYTES // 10**9} GB; refused.")
        with np.load(folder / "arrays.npz", allow_pickle=False) as data:
            arrays = {name: data[name] for name in manifest["arrays"]}
        altered = [name for name, a in arrays.items() if _digest(a) != manifest["arrays"][name]["sha256"]
                   or list(a.shape) != manifest["arrays"][name]["shape"]]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, TypeError, MemoryError,
            SyntaxError) as e:
        if isinstance(e, InputError):
            raise
        raise InputError(f"{where}: arrays.npz cannot be read ({e}); it is missing, truncated or altered.") from e
    if altered:
        raise InputError(f"{where}: {', '.join(altered)} are not the arrays of the manifest (SHA-256 differs); the files "
                         "were mixed up or altered. Save it again.")
    return manifest, arrays


def number(value: Any) -> float:
    """A figure of a manifest: null is NaN."""
    return float("nan") if value is None else float(value)


def _manifest(folder: Path, kind: str, where: str) -> dict[str, Any]:
    path = folder / "manifest.json"
    if not path.is_file():
        raise InputError(f"{str(folder)!r} holds no manifest.json; give a folder that save() wrote.")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as e:
        raise InputError(f"{where}: manifest.json cannot be read ({e}); it is truncated or no JSON.") from e
    if not isinstance(manifest, dict) or not isinstance(manifest.get("schema_version"), int):
        raise InputError(f"{where}: manifest.json has no schema_version; it is none of ours.")
    if manifest["schema_version"] > SCHEMA_VERSION:
        raise InputError(f"{where}: it was saved with schema {manifest['schema_version']}, this version reads up to "
                         f"{SCHEMA_VERSION}. Update salwidgets: pip install -U salwidgets.")
    if manifest.get("kind") != kind or not isinstance(manifest.get("arrays"), dict):
        raise InputError(f"{where}: it holds {manifest.get('kind')!r}, not {kind!r}.")
    return manifest


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _digest(a: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()
