"""Many attribution maps of any size as one stack `[N, 28, 28]`, with what is known about each image."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..explanation import Explanation
from .rates import flags, names

THUMBNAIL = 64
_FEW = 5  # indices that an error lists


@dataclass(eq=False)
class MapStack:
    """maps: float32 `[N, size, size]`, raw and signed; probabilities: `[N]`, NaN where unknown; correct: bool `[N]` or None;
    labels: one per image, or None; thumbnails: uint8 `[N, 64, 64, 3]`, or None where there are no pictures; digests: of
    the inputs, or None; notices: what a reader must know."""

    maps: np.ndarray
    probabilities: np.ndarray
    correct: np.ndarray | None
    labels: list[Any] | None
    thumbnails: np.ndarray | None
    digests: list[str] | None
    question: str
    method: str
    notices: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.maps)


def stack(explanations: Any, size: int, labels: Iterable[Any] | None = None, probabilities: Any = None,
          correct: Any = None, images: Any = None, step: Callable[[int], None] | None = None) -> MapStack:
    """Bring maps to ``size`` x ``size`` and gather what is known.

    explanations: `Explanation`s of any method, or maps: an array `[N, h, w]` or a list of `[h, w]`, of any sizes.
    labels: true class names (or indices) of the images; with explanations that know their prediction, ``correct`` follows.
    probabilities, correct: `[N]`; by default read from the explanations. images: pictures for arrays, one per map.
    Raises `InputError`: no map, a map that is no picture's, NaN, another number of labels than of maps.
    """
    items = as_items(explanations)
    n = len(items)
    known = [e if isinstance(e, Explanation) else None for e in items]
    said = names(labels, n)
    maps = _grids([_map(e, i) for i, e in enumerate(items)], size, step)
    notices = []
    shapes = {np.shape(e.values if isinstance(e, Explanation) else e) for e in items}
    if len(shapes) > 1:
        notices.append(f"The maps have {len(shapes)} sizes; all were brought to {size} x {size}, so small ones are blurred "
                       "and wide ones squeezed.")
    methods = list(dict.fromkeys(e.method for e in known if e is not None))
    if len(methods) > 1:
        notices.append(f"Maps of {len(methods)} methods ({', '.join(methods)}) are mixed: clusters may be those of methods.")
    asked = list(dict.fromkeys(str(e.question) for e in known if e is not None and e.question is not None))
    return MapStack(
        maps, _probabilities(probabilities, known), _correct(correct, said, known), said, _thumbnails(images, known),
        [e.input_sha256 for e in known if e is not None] if all(known) else None,
        asked[0] if len(asked) == 1 else "", methods[0] if len(methods) == 1 else "", tuple(notices))


def as_items(explanations: Any) -> list[Any]:
    """Explanations, or the maps of an array, as a list with at least one entry; else `InputError`."""
    if isinstance(explanations, Explanation):
        return [explanations]
    if hasattr(explanations, "detach"):
        explanations = explanations.detach().cpu().numpy()
    if isinstance(explanations, np.ndarray) and explanations.ndim != 3:
        raise InputError(f"maps of shape {list(explanations.shape)} were given; give [N, h, w].")
    if not hasattr(explanations, "__iter__"):
        raise InputError(f"explanations is a {type(explanations).__name__}; give Explanations or maps [N, h, w].")
    items = list(explanations)
    if not items:
        raise InputError("there are no explanations; give at least one.")
    return items


def _map(item: Any, i: int) -> np.ndarray:
    values = item.values if isinstance(item, Explanation) else item
    try:
        a = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, np.float32)
    except (TypeError, ValueError) as e:
        raise InputError(f"explanation {i} is a {type(item).__name__}; give Explanations or maps [h, w].") from e
    if a.ndim != 2 or not a.size:
        raise InputError(f"explanation {i} has a map of shape {list(a.shape)}; clusters are made of pictures' maps [h, w].")
    return a


def _grids(maps: list[np.ndarray], size: int, step: Callable[[int], None] | None) -> np.ndarray:
    bad = [i for i, m in enumerate(maps) if not np.isfinite(m).all()]
    if bad:
        which = ", ".join(map(str, bad[:_FEW])) + (" …" if len(bad) > _FEW else "")
        raise InputError(f"{len(bad)} of {len(maps)} maps hold NaN or infinite values (number {which}); leave them out, or "
                         "fill them with numpy.nan_to_num if you know what they mean.")
    out = np.empty((len(maps), size, size), np.float32)
    shapes: dict[tuple[int, ...], list[int]] = {}
    for i, m in enumerate(maps):
        shapes.setdefault(m.shape, []).append(i)
    for (h, w), rows in shapes.items():
        down, across = resampling(h, size), resampling(w, size)
        out[rows] = np.einsum("ah,nhw,bw->nab", down, np.stack([maps[i] for i in rows]), across, optimize=True)
        if step is not None:
            step(len(rows))
    return out


def resampling(n: int, size: int) -> np.ndarray:
    """Weights `[size, n]` that bring ``n`` cells to ``size``: means over the area where that is fewer, else bilinear."""
    if n >= size:
        edges = np.linspace(0, n, size + 1)
        low, high = np.maximum.outer(edges[:-1], np.arange(n)), np.minimum.outer(edges[1:], np.arange(n) + 1)
        return (np.clip(high - low, 0, None) * (size / n)).astype(np.float32)
    at = np.clip((np.arange(size) + 0.5) * n / size - 0.5, 0, n - 1)
    return np.clip(1 - np.abs(at[:, None] - np.arange(n)), 0, None).astype(np.float32)


def _probabilities(given: Any, known: list[Explanation | None]) -> np.ndarray:
    if given is None:
        found = [e.probability if e is not None else None for e in known]
        return np.array([np.nan if p is None else p for p in found], np.float64)
    try:
        a = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given, np.float64)
    except (TypeError, ValueError) as e:
        raise InputError(f"probabilities must be numbers, one for each map; {e}.") from e
    if a.shape != (len(known),):
        raise InputError(f"probabilities has shape {list(a.shape)} for {len(known)} maps; give one for each.")
    if not np.isfinite(a).all() or a.min() < 0 or a.max() > 1:
        raise InputError("probabilities must lie between 0 and 1; for logits, use a softmax first.")
    return a


def _correct(given: Any, labels: list[Any] | None, known: list[Explanation | None]) -> np.ndarray | None:
    if given is not None or labels is None:
        return flags(given, len(known))
    predicted = [e.prediction[0] if e is not None and e.prediction is not None else None for e in known]
    if any(p is None for p in predicted) or not all(isinstance(v, str) for v in labels):
        return None
    return np.array([p == label for p, label in zip(predicted, labels, strict=True)])


def _thumbnails(images: Any, known: list[Explanation | None]) -> np.ndarray | None:
    if images is None and any(e is None or e.image is None for e in known):
        return None
    pictures = [e.image for e in known if e is not None] if images is None else list(images)
    if len(pictures) != len(known):
        raise InputError(f"{len(pictures)} images for {len(known)} maps; give one for each.")
    return thumbnails(pictures)


def thumbnails(pictures: Iterable[Any]) -> np.ndarray:
    """Pictures of any size as uint8 `[N, 64, 64, 3]`."""
    from PIL import Image

    from ..explanation import as_picture

    return np.stack([np.asarray(Image.fromarray(as_picture(p)).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))
                     for p in pictures])
