"""Saved explanations: arrays.npz, overlay.png and manifest.json in one folder. Never pickle.

Reading trusts nothing: the schema version, every shape, dtype and size, and the SHA-256 of the arrays are checked,
and no path in a manifest is followed.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError
from .explanation import Completeness, Explanation, Explanations
from .questions import Question
from .regions import Regions

SCHEMA_VERSION = 1
_MOST_BYTES = 2_000_000_000
_MOST_ITEMS = 100_000


def save_explanation(e: Explanation, folder: Path) -> Path:
    """Write one explanation into ``folder`` (made if need be)."""
    folder = _folder(folder)
    arrays = {"values": e.values, "input": e.input}
    if e.image is not None:
        arrays["image"] = np.asarray(e.image, np.uint8)
    if e.regions is not None:
        arrays |= {"region_labels": e.regions.labels, "region_scores": e.regions.scores}
    np.savez_compressed(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]
    if e.values.ndim == 2 and e.image is not None:
        overlay(e).save(folder / "overlay.png")
    complete = e.completeness
    manifest = {
        "schema_version": SCHEMA_VERSION, "kind": "explanation",
        "question": None if e.question is None else e.question.to_dict(),
        "asked": None if e.question is None else str(e.question),
        "method": e.method, "params": e.params, "model": e.model, "layer": e.layer, "score": e.score,
        "probability": e.probability, "prediction": None if e.prediction is None else list(e.prediction),
        "completeness": None if complete is None else
        {"share": float(complete), "total": complete.total, "expected": complete.expected},
        "elapsed": e.elapsed, "class_blind": e.class_blind, "notices": list(e.notices),
        "region_names": None if e.regions is None else list(e.regions.names),
        "input_shape": list(e.input_shape), "input_sha256": e.input_sha256,
        "values_sha256": _digest(e.values), "values_shape": list(e.values.shape),
    }
    _write_json(folder, manifest)
    return folder


def save_explanations(es: Explanations, folder: Path) -> Path:
    """Write a grid: each explanation in a folder of its own, 00000, 00001, …"""
    folder = _folder(folder)
    for i, e in enumerate(es):
        save_explanation(e, folder / f"{i:05d}")
    _write_json(folder, {"schema_version": SCHEMA_VERSION, "kind": "explanations", "shape": list(es.shape)})
    return folder


def load(folder: str | Path) -> Explanation | Explanations:
    """Read back what `Explanation.save` or `Explanations.save` wrote.

    Raises `InputError` if anything is missing, truncated, altered, of a newer schema, or not what it says.
    """
    folder = Path(folder)
    manifest = _read_json(folder)
    if manifest.get("kind") == "explanations":
        shape = manifest.get("shape")
        if not (isinstance(shape, list) and len(shape) == 3 and all(isinstance(n, int) and n > 0 for n in shape)
                and int(np.prod(shape, dtype=object)) <= _MOST_ITEMS):
            raise InputError(f"{_where(folder)}: 'shape' is {shape!r}; three positive numbers are expected.")
        items = [_load_one(folder / f"{i:05d}", _read_json(folder / f"{i:05d}")) for i in range(int(np.prod(shape)))]
        return Explanations(items, (shape[0], shape[1], shape[2]))
    return _load_one(folder, manifest)


def _load_one(folder: Path, m: dict[str, Any]) -> Explanation:
    arrays = _read_arrays(folder)
    try:
        values, seen = arrays["values"], arrays["input"]
        if _digest(values) != m["values_sha256"] or _digest(seen) != m["input_sha256"]:
            raise InputError(f"{_where(folder)}: the arrays are not those of the manifest (their SHA-256 differs); the "
                             "files were mixed up or altered. Save the explanation again.")
        c = m["completeness"]
        complete = None
        if c is not None:
            total, expected, share = float(c["total"]), float(c["expected"]), float(c["share"])
            mass = abs(total - expected) / share if share > 0 else 1.0
            complete = Completeness(total, expected, mass)
        return Explanation(
            values, seen, None if m["question"] is None else Question.from_dict(m["question"]), str(m["method"]),
            image=arrays.get("image"),
            params=dict(m["params"]), model=str(m["model"]), layer=m["layer"], score=_number(m["score"]),
            probability=_number(m["probability"]),
            prediction=None if m["prediction"] is None else (str(m["prediction"][0]), float(m["prediction"][1])),
            completeness=complete, elapsed=float(m["elapsed"]), class_blind=bool(m["class_blind"]),
            notices=tuple(str(n) for n in m["notices"]),
            regions=_regions(arrays, m.get("region_names")))
    except (KeyError, TypeError, ValueError, IndexError) as e:
        if isinstance(e, InputError):
            raise
        raise InputError(f"{_where(folder)}: the manifest lacks or garbles a field ({type(e).__name__}: {e}). "
                         "Save the explanation again.") from e


def _regions(arrays: dict[str, np.ndarray], names: list[Any] | None) -> Regions | None:
    if names is None:
        return None
    return Regions(arrays["region_labels"], arrays["region_scores"], tuple(str(n) for n in names))


def _read_json(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    if not path.is_file():
        raise InputError(f"{str(folder)!r} holds no manifest.json; give a folder that Explanation.save wrote.")
    try:
        if path.stat().st_size > 10_000_000:
            raise InputError(f"{_where(folder)}: manifest.json is too large to be one of ours.")
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as e:
        raise InputError(f"{_where(folder)}: manifest.json cannot be read ({e}); it is truncated or no JSON.") from e
    if not isinstance(manifest, dict) or not isinstance(manifest.get("schema_version"), int):
        raise InputError(f"{_where(folder)}: manifest.json has no schema_version; it is none of ours.")
    if manifest["schema_version"] > SCHEMA_VERSION:
        raise InputError(f"{_where(folder)}: it was saved with schema {manifest['schema_version']}, this version reads up "
                         f"to {SCHEMA_VERSION}. Update salwidgets: pip install -U salwidgets.")
    return manifest


def _read_arrays(folder: Path) -> dict[str, np.ndarray]:
    path = folder / "arrays.npz"
    kinds = {"values": "<f4", "input": "<f4", "image": "|u1", "region_labels": "<i4", "region_scores": "<f4"}
    try:
        with zipfile.ZipFile(path) as z:
            if sum(i.file_size for i in z.infolist()) > _MOST_BYTES:
                raise InputError(f"{_where(folder)}: arrays.npz unpacks to more than {_MOST_BYTES // 10**9} GB; refused.")
        with np.load(path, allow_pickle=False) as data:
            arrays = {k: data[k] for k in kinds if k in data.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, MemoryError, SyntaxError) as e:
        if isinstance(e, InputError):
            raise
        raise InputError(f"{_where(folder)}: arrays.npz cannot be read ({e}); it is missing, truncated or altered.") from e
    for name, a in arrays.items():
        if a.dtype != np.dtype(kinds[name]):
            raise InputError(f"{_where(folder)}: {name} has dtype {a.dtype}; {kinds[name]} is expected.")
    if "image" in arrays and (arrays["image"].ndim != 3 or arrays["image"].shape[-1] != 3):
        raise InputError(f"{_where(folder)}: the image has shape {arrays['image'].shape}; [H, W, 3] is expected.")
    return arrays


def overlay(e: Explanation) -> Any:
    """The map over its image as a PIL picture at the input's size, at the default scale."""
    from PIL import Image

    from .scale import Scale

    assert e.image is not None
    scale = Scale.fit(e.values)
    h, w = e.size
    colour = Image.fromarray(np.ascontiguousarray(scale.rgba(e.values)), "RGBA").resize((w, h), Image.Resampling.NEAREST)
    base = Image.fromarray(np.ascontiguousarray(e.image)).convert("RGBA")
    return Image.alpha_composite(base, colour).convert("RGB")


def _digest(a: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(a, "<f4").tobytes()).hexdigest()


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _where(folder: Path) -> str:
    return f"the saved explanation {str(folder)!r}"


def _folder(folder: Path) -> Path:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{str(folder)!r} is a file; give a folder to save into.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write_json(folder: Path, manifest: dict[str, Any]) -> None:
    text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=True)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")
