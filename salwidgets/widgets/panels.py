"""The maps of a `Comparison` as one list of panels, whether they come as explanations or from bases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..captions import caption, notices, score_text, title
from ..errors import InputError
from .nodes import Nodes
from .places import Origin
from .wire import LARGEST

#: pictures are sent no larger than this many pixels a side; coordinates stay those of the whole picture
_SEEN_AT_MOST = 512


@dataclass(frozen=True)
class Panel:
    """One map: values float32 `[h, w]`, or per-class maps `[R, h, w]` with their logits `[R]`."""

    values: NDArray[np.float32]
    image: NDArray[np.uint8]
    origin: Origin
    question: str
    caption: str
    notices: tuple[str, ...]
    blind: bool
    score: float | None = None
    score_text: str = ""
    logits: NDArray[np.float32] | None = None

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the map."""
        return int(self.values.shape[-2]), int(self.values.shape[-1])


def from_explanations(given: Sequence[Any]) -> list[Panel]:
    """A panel for each explanation of an image. Raises `InputError`."""
    panels = []
    for i, e in enumerate(given):
        if not hasattr(e, "values") or not hasattr(e, "input_sha256"):
            raise InputError(f"Comparison takes Explanations, a list of them, or evidence; item {i} is a "
                             f"{type(e).__name__}.")
        values = np.asarray(e.values, np.float32)
        if values.ndim != 2 or not values.size:
            raise InputError(f"Comparison draws image maps [h, w]; explanation {i} has values of shape "
                             f"{list(values.shape)}.")
        image = np.full((*e.size, 3), 128, np.uint8) if e.image is None else np.asarray(e.image)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise InputError(f"the picture of explanation {i} must be uint8 [H, W, 3], got {image.dtype} "
                             f"{list(image.shape)}.")
        known = e.score is not None and np.isfinite(e.score)
        panels.append(Panel(values, image, _origin(e, e.input_sha256, title(e)), title(e),
                            caption(e, values.shape, image.shape[:2]), tuple(notices(e)), bool(e.class_blind),
                            float(e.score) if known else None, score_text(e) if known else ""))
    _check_size(panels)
    return panels


def from_evidence(given: Sequence[Any], classes: Sequence[Any] | None) -> tuple[list[Panel], Nodes, Any]:
    """A panel for each input of each basis, the classes that all of them hold, and the first basis.

    Raises `InputError` where the bases do not hold the same classes; the evidence raises `MethodError` where a method
    has no basis.
    """
    bases = [b if hasattr(b, "maps") else b.basis(classes) for b in given]
    first = bases[0]
    rows = np.asarray(first.rows)
    panels: list[Panel] = []
    for basis in bases:
        if not np.array_equal(rows, basis.rows) or list(basis.class_names) != list(first.class_names):
            raise InputError("the bases hold different classes; make them with the same ones: classes=[...].")
        if np.ndim(basis.maps) != 4 or len(rows) < 2:
            raise InputError(f"Comparison needs bases of image maps [N, R, h, w] of two classes or more, got "
                             f"{list(np.shape(basis.maps))}.")
        for i, maps in enumerate(np.asarray(basis.maps, np.float32)):
            image = np.asarray(basis.images[i])
            panels.append(Panel(maps, image, _origin(basis, str(i), ""), "", caption(basis, maps.shape[1:],
                                image.shape[:2]), tuple(str(n) for n in basis.notices), False,
                                logits=np.asarray(basis.logits[i])[rows].astype(np.float32)))
    _check_size(panels)
    if not all(np.isfinite(p.logits).all() for p in panels if p.logits is not None):
        raise InputError("the scores of an input hold NaN or infinity; explain inputs the model can score.")
    return panels, Nodes(first.class_names, [int(r) for r in rows], first.taxonomy), first


def _origin(source: Any, key: str, question: str) -> Origin:
    params = {k: v for k, v in (getattr(source, "params", None) or {}).items() if k != "layer"}
    return Origin(key, question, str(source.method or "external"), str(source.layer or ""), str(source.model or ""),
                  tuple(sorted(params.items())))


def _check_size(panels: Sequence[Panel]) -> None:
    if not panels:
        raise InputError("there is nothing to compare: give at least one explanation.")
    size = sum(p.values.size for p in panels) * 4
    if size > LARGEST:
        raise InputError(f"the maps hold {size / 2**20:.0f} MiB; more than {LARGEST // 2**20} MiB is too slow for a "
                         "browser. Compare fewer of them, or choose classes.")


def sheets(panels: Sequence[Panel]) -> tuple[list[NDArray[np.uint8]], list[int]]:
    """The different pictures, no larger than they are seen, and which of them each panel shows."""
    found: dict[tuple[Any, ...], int] = {}
    pictures: list[NDArray[np.uint8]] = []
    which = []
    for p in panels:
        key = (p.image.shape, hash(p.image.tobytes()))
        if key not in found:
            found[key] = len(pictures)
            pictures.append(_small(p.image))
        which.append(found[key])
    return pictures, which


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    longest = max(image.shape[:2])
    if longest <= _SEEN_AT_MOST:
        return image
    from PIL import Image

    k = _SEEN_AT_MOST / longest
    size = max(1, round(image.shape[1] * k)), max(1, round(image.shape[0] * k))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def shared_notices(panels: Sequence[Panel]) -> tuple[list[str], list[list[str]]]:
    """Notices about several maps, with their methods if they are not about all; and what is said of one map alone."""
    about: dict[str, list[str]] = {}
    for p in panels:
        for notice in p.notices:
            about.setdefault(notice, []).append(p.origin.method)
    shared = [notice if len(methods) == len(panels) else f"{', '.join(dict.fromkeys(methods))}: {notice}"
              for notice, methods in about.items() if len(methods) > 1]
    return shared, [[n for n in p.notices if len(about[n]) == 1] for p in panels]


__all__ = ["Panel", "from_evidence", "from_explanations", "shared_notices", "sheets"]
