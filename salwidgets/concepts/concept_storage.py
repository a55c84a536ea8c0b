"""A fitted `ConceptExtractor` in a folder: arrays.npz and manifest.json, never pickle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..models import Model
from ..questions import Question
from . import archive
from .crops import BestCrops, Crop
from .dictionary import restored

if TYPE_CHECKING:
    from .extractor import ConceptExtractor

_KIND = "concept extractor"
_ARRAYS = {"components_": 2, "image_importance_": 2, "scores_": 1, "reconstructed_scores_": 1, "probabilities_": 1,
           "predicted_": 1, "correct_": 1}
_OPTIONAL = {"labels_": 1, "coefficients_": 4, "images_": 4}
_SETTINGS = ("layer", "n_concepts", "mode", "importance", "batch_size", "random_state", "crop", "max_bytes")
_TUNED = ("alpha", "steps")


def save_extractor(extractor: ConceptExtractor, folder: Path) -> Path:
    """Write everything that was learnt; the model itself is not saved, nor is a dictionary of the user's own."""
    arrays = {name: getattr(extractor, name) for name in _ARRAYS}
    arrays |= {name: getattr(extractor, name) for name in _OPTIONAL if getattr(extractor, name) is not None}
    offset = getattr(extractor.dictionary_, "offset_", None)
    if offset is not None:
        arrays["offset"] = np.asarray(offset, np.float32)
    flat = [crop for found in extractor._crops.found for crop in found]
    if flat and flat[0].thumbnail is not None:
        arrays["crops"] = np.stack([c.thumbnail for c in flat if c.thumbnail is not None])
    kind = getattr(extractor.dictionary_, "kind", "")
    return archive.write(folder, _KIND, {
        "settings": {name: getattr(extractor, name) for name in _SETTINGS},
        "dictionary": kind or None,
        "dictionary_parameters": {n: getattr(extractor.dictionary_, n) for n in _TUNED if hasattr(extractor.dictionary_, n)},
        "question": extractor.question_.to_dict(), "asked": str(extractor.question_), "layer": extractor.layer_,
        "names": extractor.names_, "notices": list(extractor.notices_),
        "reconstruction_error": extractor.reconstruction_error_,
        "crops": [[[c.image, list(c.box), c.strength] for c in found] for found in extractor._crops.found],
    }, arrays)


def load_extractor(folder: Path, model: Any, dictionary: Any) -> ConceptExtractor:
    """Read it back; `InputError` where the folder is not what `save_extractor` wrote."""
    from .extractor import ConceptExtractor

    m, arrays = archive.read(folder, _KIND)
    asked = None if model is None else model if isinstance(model, Model) else Model(model)
    try:
        _check(arrays)
        kind = m["dictionary"]
        settings = {name: m["settings"][name] for name in _SETTINGS}
        made = ConceptExtractor(model, dictionary=dictionary or kind or "nmf", **settings)
        fitted = dictionary
        if dictionary is None and kind is not None:
            fitted = restored(kind, arrays["components_"], arrays.get("offset"), settings["random_state"],
                              dict(m["dictionary_parameters"]))
        made.dictionary_ = fitted
        made._model = asked
        for name in (*_ARRAYS, *_OPTIONAL):
            setattr(made, name, arrays.get(name))
        made.question_, made.layer_ = Question.from_dict(m["question"]), str(m["layer"])
        made.names_, made.notices_ = [str(n) for n in m["names"]], tuple(str(n) for n in m["notices"])
        made.reconstruction_error_ = archive.number(m["reconstruction_error"])
        made._crops = _crops(m["crops"], arrays)
        if len(made.names_) != len(made.components_) or len(made._crops.found) != len(made.components_):
            raise ValueError("names or crops are not one per concept")
    except (KeyError, TypeError, ValueError, IndexError) as e:
        if isinstance(e, InputError):
            raise
        raise InputError(f"the saved {_KIND} {str(folder)!r}: the manifest lacks or garbles a field "
                         f"({type(e).__name__}: {e}). Save it again.") from e
    made._summarise()
    return made


def _check(arrays: dict[str, np.ndarray]) -> None:
    """Axes and lengths that belong together."""
    for name, axes in {**_ARRAYS, **_OPTIONAL}.items():
        if name in _ARRAYS and name not in arrays:
            raise ValueError(f"{name} is missing")
        if name in arrays and arrays[name].ndim != axes:
            raise ValueError(f"{name} has shape {arrays[name].shape}")
    n, k = arrays["image_importance_"].shape
    lengths = {name: len(arrays[name]) for name in (*_ARRAYS, *_OPTIONAL) if name in arrays and name != "components_"}
    if set(lengths.values()) != {n} or len(arrays["components_"]) != k:
        raise ValueError(f"the arrays' lengths differ: {lengths}")


def _crops(said: Any, arrays: dict[str, np.ndarray]) -> BestCrops:
    found = BestCrops(len(said))
    pictures, at = arrays.get("crops"), 0
    for k, some in enumerate(said):
        for image, box, strength in some:
            a, b, c, d = (int(v) for v in box)
            picture = None if pictures is None else pictures[at]
            found.found[k].append(Crop(int(image), (a, b, c, d), float(strength), picture))
            at += 1
    return found
