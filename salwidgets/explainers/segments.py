"""Segments of images: superpixels at one or several scales, or the user's own.

Two forms. A partition is a label map `[H, W]`, each pixel in one region at most. A cover is a set of regions that may
overlap (several scales, dilated edges): its pixels are grouped into atoms, the largest sets that no region divides, so
that sums over regions are sums over a few thousand atoms in place of sums over pixels.

Regions of a cover are bits of 64-bit words, 64 to a word: dilating them all is a few dozen shifts and ors of words.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import MethodError
from ..models import Model
from .base import Job, Method

SCALES = (50, 100, 150, 250, 500, 1200)
_SIGMA, _MIN_SIZE, _SIDE, _RADIUS = 0.8, 150, 224, 5
_NAMES = ("slic", "felzenszwalb")

Labels = NDArray[np.int32]
Words = NDArray[np.uint64]


def images(model: Model, x: Tensor) -> NDArray[np.float64]:
    """Images `[N, H, W, C]` in [0, 1] of a batch `[N, C, H, W]`: normalisation undone, each stretched to its own range
    (as in PAIR's code); a constant image is 0. Images that had 8 bits get their levels back: equal neighbours must stay
    equal, or ties between edges break by rounding and segments change with the normalisation."""
    v = x.detach().double().cpu()
    for values, undo in ((model.std, torch.mul), (model.mean, torch.add)):
        if values is not None:
            v = undo(v, torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1))
    levels = (v * 255).round()
    eight_bits = (v * 255 - levels).abs().amax((1, 2, 3), keepdim=True) < 0.01
    v = torch.where(eight_bits, levels / 255, v)
    v = v - v.amin((1, 2, 3), keepdim=True)
    top = v.amax((1, 2, 3), keepdim=True)
    return np.asarray((v / torch.where(top > 0, top, 1.0)).permute(0, 2, 3, 1).numpy())


def felzenszwalb(image: NDArray[np.float64], scales: Sequence[float] = SCALES, sigma: float = _SIGMA,
                 min_size: int = _MIN_SIZE) -> list[Labels]:
    """One label map `[H, W]` per scale, of an image `[H, W, C]` in [0, 1].

    As in PAIR's code (ref): values in [-1, 1], segmented at 224 x 224 so that scales mean the same for every size, labels
    brought back by the nearest pixel. Felzenszwalb & Huttenlocher 2004, through scikit-image.
    """
    from skimage.segmentation import felzenszwalb as segment
    from skimage.transform import resize

    small = resize(image * 2 - 1, (_SIDE, _SIDE), order=3, mode="constant", preserve_range=True, anti_aliasing=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it warns of more than three channels, which it can do
        found = [segment(small, scale=s, sigma=sigma, min_size=min_size) for s in scales]
    return [_compact(resize(labels, image.shape[:2], order=0, mode="constant", preserve_range=True,
                            anti_aliasing=False).astype(np.int32)) for labels in found]


def slic(image: NDArray[np.float64], n_segments: int, compactness: float = 10.0) -> Labels:
    """Superpixels, labels `[H, W]` from 0, of an image `[H, W, C]` in [0, 1]; about ``n_segments``, at most the pixels.

    Achanta et al. 2012, through scikit-image; in Lab where there are three channels.
    """
    from skimage.segmentation import slic as segment

    h, w, c = image.shape
    labels = segment(image, n_segments=min(int(n_segments), h * w), compactness=compactness, convert2lab=c == 3,
                     start_label=0, channel_axis=-1)
    return _compact(labels)


def partitions(method: Method, job: Job, given: Any, n_segments: int) -> list[Labels]:
    """One label map per input, 0 .. R-1 and -1 where no region lies; "slic" with ``n_segments``, "felzenszwalb" (the
    scale that gives the number nearest to it), or what `check` accepts. Kept in ``job.shared``."""
    if given is None or isinstance(given, str):
        key = ("segments", given or "slic", n_segments)
        if key not in job.shared:
            seen = images(job.model, job.x)
            job.shared[key] = [slic(i, n_segments) if given != "felzenszwalb" else _nearest(i, n_segments) for i in seen]
        return list(job.shared[key])
    return [_partition(method, layers) for layers in _given(method, job, given)]


def covers(method: Method, job: Job, given: Any) -> list[Cover]:
    """One cover per input: Felzenszwalb's segments at all `SCALES`, dilated by a disk of radius 5 (None, the default),
    "slic" (25, 50, 100 and 200 superpixels, dilated too; ours), or the user's own, as they are."""
    if given is None or isinstance(given, str):
        key = ("cover", given or "felzenszwalb")
        if key not in job.shared:
            seen = images(job.model, job.x)
            made = [felzenszwalb(i) if given != "slic" else [slic(i, n) for n in (25, 50, 100, 200)] for i in seen]
            job.shared[key] = [Cover.of(layers, _RADIUS) for layers in made]
        return list(job.shared[key])
    return [Cover.of(layers) for layers in _given(method, job, given)]


def describe(given: Any) -> Any:
    """Segments as they stand in a manifest."""
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, (Tensor, np.ndarray)):
        return f"array {list(given.shape)}"
    return f"{len(given)} masks" if isinstance(given, (list, tuple)) else getattr(given, "__name__", "a function")


def check(method: Method, given: Any, x: Tensor, total: int | None = None) -> None:
    """Raises `MethodError` unless ``given`` can be segments of inputs ``x`` `[N, C, H, W]`, which may be some of ``total``.

    A name; whole-number labels `[H, W]` for all inputs or `[N, H, W]`, one map each (negative: no region); masks as
    booleans `[S, H, W]` or a list of `[H, W]`, for all inputs; or a function from an input `[H, W, C]` in [0, 1] to
    labels or masks, for any number of inputs.
    """
    name = method.info.name
    if given is None or callable(given):
        return
    if isinstance(given, str):
        if given not in _NAMES:
            raise MethodError(f"{name}: segments={given!r} is unknown; choose 'slic' or 'felzenszwalb', or give labels.")
        return
    if x.ndim == 4:
        array = _array(method, given)
        if array.ndim not in (2, 3) or array.shape[-2:] != tuple(x.shape[-2:]) or not array.size:
            raise MethodError(f"{name}: segments of shape {list(array.shape)} do not fit images of {x.shape[-2]} x "
                              f"{x.shape[-1]}; give labels [H, W], labels [N, H, W], or masks [S, H, W] of booleans.")
        if array.ndim == 3 and array.dtype != bool and len(array) != (total or len(x)):
            raise MethodError(f"{name}: {len(array)} label maps for {total or len(x)} inputs; give one for each (where each "
                              "has masks of its own, give a function from an image to its masks).")


@dataclass(eq=False)
class Cover:
    """Regions that may overlap. atoms: int32 `[H, W]`, the atom of each pixel. size: float64 `[A]`, pixels of each atom.
    member: bool `[A, S]`, whether an atom is in a region; the same as pairs ``region``, ``atom`` `[P]`, by region, which
    start at ``start`` `[S + 1]`. Memory: 1 byte per atom and region, 16 per pair, 4 per pixel (a photograph at 224 x 224
    has some 350 regions and 4500 atoms: 2.5 MB)."""

    atoms: Labels
    member: NDArray[np.bool_]
    size: NDArray[np.float64]

    def __post_init__(self) -> None:
        self.region, self.atom = np.nonzero(self.member.T)
        self.start = np.searchsorted(self.region, np.arange(self.member.shape[1] + 1))

    @classmethod
    def of(cls, layers: Sequence[Labels], radius: int = 0) -> Cover:
        """The cover by all regions of several label maps `[H, W]`, each dilated by a disk."""
        words, count = _pack(layers)
        words = _dilate(words, radius) if radius else words
        shape, flat = words.shape[:2], words.reshape(-1, words.shape[2])
        first, atoms = _groups(flat)
        bits = flat[first].astype("<u8").view(np.uint8)
        member = np.unpackbits(bits, axis=1, count=count, bitorder="little").astype(bool)
        return cls(atoms.reshape(shape).astype(np.int32), member, np.bincount(atoms, minlength=len(first)).astype(float))

    def over_regions(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum of ``values`` `[A]` of the atoms of each region, float64 `[S]`."""
        return np.asarray(np.bincount(self.region, values[self.atom], self.member.shape[1]))

    def atoms_of(self, region: int) -> NDArray[np.intp]:
        """Atoms of one region."""
        return self.atom[self.start[region]:self.start[region + 1]]

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sum of ``values`` `[H, W]` over each atom, float64 `[A]`."""
        return np.asarray(np.bincount(self.atoms.ravel(), np.asarray(values, float).ravel(), len(self.size)), float)


def _pack(layers: Sequence[Labels]) -> tuple[Words, int]:
    """Words `[H, W, B]` in which bit s says whether a pixel is in region s, and the number of regions."""
    counts = [int(layer.max()) + 1 for layer in layers]
    words = np.zeros((layers[0].size, max(1, -(-sum(counts) // 64))), np.uint64)
    start = 0
    for layer, count in zip(layers, counts, strict=True):
        pixels = np.flatnonzero(layer.ravel() >= 0)
        bit = layer.ravel()[pixels].astype(np.int64) + start
        words[pixels, bit >> 6] |= np.uint64(1) << (bit & 63).astype(np.uint64)
        start += count
    return words.reshape(*layers[0].shape, -1), start


def _dilate(words: Words, radius: int) -> Words:
    """Every region grown by a disk (x^2 + y^2 <= radius^2): rows are widened first, then laid over one another."""
    def lay(onto: Words, source: Words, by: int, axis: int) -> None:
        """Or ``source``, moved by ``by`` pixels either way along an axis, into ``onto``."""
        onto, source = np.moveaxis(onto, axis, 0), np.moveaxis(source, axis, 0)
        if by < len(source):
            onto[by:] |= source[:len(source) - by]
            onto[:len(source) - by] |= source[by:]

    half = {dy: int(np.sqrt(radius * radius - dy * dy)) for dy in range(radius + 1)}
    wide, out = words.copy(), np.zeros_like(words)
    for w in range(radius + 1):
        if w:
            lay(wide, words, w, 1)
        for dy in (d for d, width in half.items() if width == w):
            lay(out, wide, dy, 0)
    return out


def _groups(rows: Words) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Index of a first row of each distinct kind `[A]`, and the kind of each row, of words `[P, B]`."""
    odd = np.random.default_rng(0).integers(0, 2**63, rows.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    _, first, kind = np.unique((rows * odd).sum(1, dtype=np.uint64), return_index=True, return_inverse=True)
    if (rows[first][kind] != rows).any():  # two kinds with one hash
        _, first, kind = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first, kind.ravel()


def _given(method: Method, job: Job, given: Any) -> list[list[Labels]]:
    """The user's segments as layers of label maps for every input."""
    check(method, given, job.x, job.total)
    if callable(given):
        return [_called(method, given, image, job.x[:1]) for image in images(job.model, job.x)]
    array = _array(method, given)
    if array.ndim == 3 and array.dtype != bool:
        return [[_labelled(method, labels)] for labels in job.mine(array)]
    layers = [_mask(method, m) for m in array] if array.ndim == 3 else [_labelled(method, array)]
    return [layers] * len(job.x)


def _called(method: Method, function: Callable[[Any], Any], image: NDArray[np.float64], like: Tensor) -> list[Labels]:
    found = function(image)
    if found is None or isinstance(found, str) or callable(found):
        raise MethodError(f"{method.info.name}: the function in segments= returned {found!r}; it must return labels [H, W] "
                          "or masks.")
    check(method, found, like)
    array = _array(method, found)
    if array.ndim == 3 and array.dtype == bool:
        return [_mask(method, m) for m in array]
    return [_labelled(method, array[0] if array.ndim == 3 else array)]


def _array(method: Method, given: Any) -> NDArray[Any]:
    """Labels `[H, W]` or `[N, H, W]` as whole numbers, masks `[S, H, W]` as booleans."""
    several = isinstance(given, (list, tuple))
    try:
        array = np.stack([_numpy(g) for g in given]) if several else _numpy(given)
    except (ValueError, TypeError) as e:
        raise MethodError(f"{method.info.name}: segments={describe(given)!r} are no label map and no list of masks of one "
                          "shape.") from e
    if array.dtype.kind not in "iub":
        raise MethodError(f"{method.info.name}: segments are {array.dtype}; labels are whole numbers, masks booleans.")
    if several and array.dtype != bool:
        if not np.isin(array, (0, 1)).all():
            raise MethodError(f"{method.info.name}: a list of segments is a list of masks (0 or 1); give label maps as one "
                              "array [N, H, W].")
        array = array.astype(bool)
    return array[None] if array.ndim == 2 and array.dtype == bool else array


def _numpy(value: Any) -> NDArray[Any]:
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)


def _labelled(method: Method, labels: NDArray[Any]) -> Labels:
    if not (labels >= 0).any():
        raise MethodError(f"{method.info.name}: the segments hold no region; labels below 0 mean no region.")
    return _compact(labels)


def _mask(method: Method, mask: NDArray[Any]) -> Labels:
    return np.where(mask, 0, -1).astype(np.int32)


def _compact(labels: NDArray[Any]) -> Labels:
    """Labels 0 .. R-1 in the order of the given numbers; negative ones are -1."""
    inside = labels >= 0
    out = np.full(labels.shape, -1, np.int32)
    out[inside] = np.unique(labels[inside], return_inverse=True)[1].ravel()
    return out


def _partition(method: Method, layers: list[Labels]) -> Labels:
    """One label map of layers that do not overlap."""
    out, start = np.full(layers[0].shape, -1, np.int32), 0
    for layer in layers:
        inside = layer >= 0
        if (out[inside] >= 0).any():
            raise MethodError(f"{method.info.name} needs regions that do not overlap; two of the masks do. Give a label map "
                              "[H, W], or use xrai, which takes overlapping masks.")
        out[inside] = layer[inside] + start
        start += int(layer.max()) + 1
    if start == 0:
        raise MethodError(f"{method.info.name}: all masks are empty.")
    return _compact(out)


def _nearest(image: NDArray[np.float64], n_segments: int) -> Labels:
    return min(felzenszwalb(image), key=lambda labels: abs(int(labels.max()) + 1 - n_segments))
