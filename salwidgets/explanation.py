"""`Explanation`: one signed map and where it came from. `Explanations`: a grid of them. numpy only."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from .errors import InputError
from .questions import Question
from .regions import Regions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .scale import Scale


class Completeness(float):
    """How much of the score a map leaves unexplained, as a share of sum |map|; 0 is perfect.

    gap: sum of the map minus what it should sum to, in the question's units (logits).
    expected: what it should sum to (score at the input minus score at the baseline). total: what it sums to.
    """

    expected: float
    total: float

    def __new__(cls, total: float, expected: float, mass: float) -> Completeness:
        gap = abs(total - expected)
        self = super().__new__(cls, gap / mass if mass > 0 else (0.0 if gap == 0 else float("inf")))
        self.expected, self.total = float(expected), float(total)
        return self

    def __getnewargs__(self) -> tuple[float, float, float]:  # type: ignore[override]
        mass = abs(self.gap) / float(self) if float(self) > 0 else 1.0
        return self.total, self.expected, mass

    @property
    def gap(self) -> float:
        """Sum of the map minus the expected sum, signed, in logits."""
        return self.total - self.expected

    def __repr__(self) -> str:
        return f"Completeness({float(self):.3%} of sum |map|, gap {self.gap:+.4g} of {self.expected:.4g})"


@dataclass(eq=False)
class Explanation:
    """One answer: a signed, raw map (never scaled) and everything needed to read, check and repeat it.

    values: float32 at the method's own resolution, `[H', W']` for images, `[T]` text, `[C, L]` series,
        `[D, H, W]` volumes; positive speaks for the target, in the question's units where the method has any.
    input: float32, what the model saw, `[C, H, W]` for images.
    question: bound to the model's classes; None for a map from elsewhere that answers no question.
    image: uint8 `[H, W, 3]`, how to draw the input; None for inputs that are no pictures.
    score: the question's score at the input (logits, for linear questions).
    probability: of the target. prediction: (name, probability) of the model's first class.
    completeness: `Completeness` where the method promises one, else None.
    elapsed: seconds for the evidence of its batch and this answer.
    class_blind: the map is the same for every question. notices: what a reader must know, in sentences.
    regions: the scored regions that the map was made of, for methods that have them (xrai, kernel-shap …), else None.
    """

    values: np.ndarray
    input: np.ndarray
    question: Question | None
    method: str
    image: np.ndarray | None = field(default_factory=lambda: None)  # or a callable that draws it
    params: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    layer: str | None = None
    score: float | None = None
    probability: float | None = None
    prediction: tuple[str, float] | None = None
    completeness: Completeness | None = None
    elapsed: float = 0.0
    class_blind: bool = False
    notices: tuple[str, ...] = ()
    regions: Regions | None = None

    def __post_init__(self) -> None:
        self.values = np.ascontiguousarray(self.values, dtype=np.float32)
        self.input = np.ascontiguousarray(self.input, dtype=np.float32)
        self._widget: Any = None
        if callable(self.image):  # drawn when it is first looked at
            self._draw: Callable[[], np.ndarray] = self.__dict__.pop("image")

    def __getattr__(self, name: str) -> Any:
        if name == "image" and "_draw" in self.__dict__:
            self.image = self.__dict__["_draw"]()
            return self.image
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input, without a batch axis."""
        return tuple(self.input.shape)

    @property
    def input_sha256(self) -> str:
        """SHA-256 of the input's float32 bytes: the same input gives the same figure anywhere."""
        return hashlib.sha256(np.ascontiguousarray(self.input, "<f4").tobytes()).hexdigest()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture the map lies on; `InputError` if the map is not one of an image."""
        if self.values.ndim != 2:
            raise InputError(f"a map of shape {self.values.shape} does not lie on an image.")
        if self.image is not None:
            return self.image.shape[0], self.image.shape[1]
        shape = self.input.shape if self.input.ndim >= 2 else self.values.shape
        return int(shape[-2]), int(shape[-1])

    def upsampled(self, smooth: bool = True) -> np.ndarray:
        """The map at the input's height and width, float32 `[H, W]`: bilinear between cell centres, or, with
        ``smooth=False``, every pixel takes the value of its cell. Nothing is scaled."""
        h, w = self.size
        return resize(self.values, h, w, smooth)

    def plot(self, ax: Axes | None = None, scale: Scale | None = None) -> Axes:
        """Draw image and map with matplotlib and return the axes; never shows a window."""
        from .figures import plot_explanation

        return plot_explanation(self, ax=ax, scale=scale)

    def save(self, folder: str | Path) -> Path:
        """Write arrays.npz, overlay.png and manifest.json into ``folder``; `salwidgets.load` reads them back."""
        from .storage import save_explanation

        return save_explanation(self, Path(folder))

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.values.shape))
        score = "" if self.score is None else f", score {self.score:.3f}"
        where = f" at {self.layer}" if self.layer else ""
        asked = f"{self.question} " if self.question is not None else ""
        return f"<Explanation {asked}{self.method}{where}, map {shape}{score}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        if self.values.ndim != 2:
            return {"text/plain": repr(self)}
        if self._widget is None:
            from .widgets import Heatmap

            self._widget = Heatmap(self)
        return self._widget._repr_mimebundle_(**kwargs)


class Explanations(Sequence[Explanation]):
    """A grid of explanations, shape (inputs, questions, methods).

    Iteration, ``len`` and an integer index run over all of them, inputs outermost and methods innermost;
    ``es[i, q, m]`` picks by place, and a slice in any place gives a smaller grid.
    """

    def __init__(self, items: Sequence[Explanation], shape: tuple[int, int, int] | None = None):
        self._items = list(items)
        self.shape = shape or (len(self._items), 1, 1)
        if int(np.prod(self.shape)) != len(self._items):
            raise InputError(f"{len(self._items)} explanations do not fill the shape {self.shape}.")

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Explanation]:
        return iter(self._items)

    @overload
    def __getitem__(self, key: int) -> Explanation: ...
    @overload
    def __getitem__(self, key: slice) -> Explanations: ...
    @overload
    def __getitem__(self, key: tuple[Any, ...]) -> Any: ...

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, (int, np.integer)):
            return self._items[key]
        if isinstance(key, slice):
            if self.shape[1:] == (1, 1):
                return Explanations(self._items[key])
            key = (key,)
        if not isinstance(key, tuple) or len(key) > 3:
            raise InputError("index explanations with [i] or [input, question, method].")
        full = (*key, *[slice(None)] * (3 - len(key)))
        picks = [[range(n)[k]] if isinstance(k, (int, np.integer)) else list(range(n))[k]
                 for k, n in zip(full, self.shape, strict=True)]
        _, q, m = self.shape
        found = [self._items[(i * q + j) * m + k] for i, j, k in itertools.product(*picks)]
        if all(isinstance(k, (int, np.integer)) for k in full):
            return found[0]
        return Explanations(found, (len(picks[0]), len(picks[1]), len(picks[2])))

    def save(self, folder: str | Path) -> Path:
        """Write each explanation into a folder of its own under ``folder``; `salwidgets.load` reads them back."""
        from .storage import save_explanations

        return save_explanations(self, Path(folder))

    def __repr__(self) -> str:
        n, q, m = self.shape
        methods = ", ".join(dict.fromkeys(e.method for e in self._items))
        return f"<Explanations {n} inputs x {q} questions x {m} methods ({methods})>"


def resize(values: np.ndarray, h: int, w: int, smooth: bool = True) -> np.ndarray:
    """A map `[h', w']` at ``h`` x ``w``, float32; half-pixel centres, edges held."""
    def axis(n_in: int, n_out: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = (np.arange(n_out) + 0.5) * n_in / n_out - 0.5
        if not smooth:
            near = np.clip(np.floor(at + 0.5), 0, n_in - 1).astype(int)
            return near, near, np.zeros(n_out, np.float32)
        at = np.clip(at, 0, n_in - 1)
        low = np.floor(at).astype(int)
        return low, np.minimum(low + 1, n_in - 1), (at - low).astype(np.float32)

    top, bottom, fy = axis(values.shape[0], h)
    left, right, fx = axis(values.shape[1], w)
    v = np.asarray(values, np.float32)
    if not smooth:
        return v[np.ix_(top, left)]
    rows = v[top] * (1 - fy)[:, None] + v[bottom] * fy[:, None]
    return (rows[:, left] * (1 - fx) + rows[:, right] * fx).astype(np.float32)


def as_picture(image: Any) -> np.ndarray:
    """uint8 `[H, W, 3]` of a path, a PIL image, a uint8 `[H, W(, 3|4)]` or a float image in [0, 1] (HWC or CHW)."""
    if isinstance(image, (str, Path)):
        from PIL import Image

        try:
            with Image.open(image) as opened:
                image = opened.convert("RGB")
        except OSError as e:
            raise InputError(f"cannot read the image {str(image)!r}: {e}.") from e
    if hasattr(image, "convert"):
        return np.asarray(image.convert("RGB"))
    a = np.asarray(image.detach().cpu() if hasattr(image, "detach") else image)
    if a.ndim == 4 and len(a) == 1:
        a = a[0]
    if a.ndim == 3 and a.shape[0] in (1, 3) and a.shape[-1] not in (3, 4):
        a = np.moveaxis(a, 0, -1)
    if a.ndim == 2:
        a = a[..., None]
    if a.ndim != 3 or a.shape[-1] not in (1, 3, 4) or a.size == 0:
        raise InputError(f"an image of shape {np.shape(image)} cannot be drawn; give [H, W], [H, W, 3] or [3, H, W].")
    if a.dtype != np.uint8:
        if not np.isfinite(a).all() or a.min() < -1e-6 or a.max() > 1 + 1e-6:
            raise InputError("a float image must lie in [0, 1]; give uint8 for 0 to 255.")
        a = np.clip(np.rint(a * 255), 0, 255).astype(np.uint8)
    a = a[..., :3]
    return np.ascontiguousarray(np.repeat(a, 3, -1) if a.shape[-1] == 1 else a)


def from_array(values: Any, image: Any, question: Question | str | None = None, *, method: str = "external",
               **facts: Any) -> Explanation:
    """Make an `Explanation` of a map that comes from elsewhere (captum, shap, a saliency model).

    values: `[H', W']`, any resolution, signed or not. image: what `as_picture` takes.
    question: a `Question`, or its words (``"why husky rather than wolf"``), or None.
    facts: further fields of `Explanation` (score, layer, params, notices ...).

    >>> import numpy as np
    >>> from_array(np.eye(7), np.zeros((56, 56, 3), np.uint8)).upsampled().shape
    (56, 56)
    """
    v = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    if v.ndim == 3 and v.shape[0] == 1:
        v = v[0]
    if v.ndim != 2 or v.size == 0 or v.dtype.kind not in "fiub":
        raise InputError(f"the map has shape {v.shape} and dtype {v.dtype}; give numbers [H, W].")
    picture = as_picture(image)
    asked = Question.parse(question) if isinstance(question, str) else question
    unknown = set(facts) - set(Explanation.__dataclass_fields__)
    if unknown:
        raise InputError(f"an explanation has no field {', '.join(sorted(unknown))}; it has "
                         f"{', '.join(Explanation.__dataclass_fields__)}.")
    seen = np.moveaxis(picture.astype(np.float32) / 255, -1, 0)
    return Explanation(v, seen, asked, method, image=picture, **facts)
