"""Performance information curves (PIC): how sure the model gets with the information it is given, in bytes.

An image is blurred by interpolating between 1 % of its pixels; then ever more of the pixels that the map values most are
given back. x is the picture's entropy, estimated by its size as lossless WebP, y the model's softmax (SIC) or whether it is
right (AIC); both are scaled from the blurred picture to the original. The definitions and constants are those of the PAIR
package, with which a test compares.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError, MethodError
from ..explanation import Explanation
from ..questions import Question
from .curves import Curves, class_probabilities, read, rows_of, the_runs
from .perturb import Runs
from .registry import metric

if TYPE_CHECKING:
    from ..explainers.progress import ProgressOption
    from ..models import Model

THRESHOLDS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.10, 0.13, 0.21, 0.34, 0.5, 0.75)
_SEED_SHARE = 0.01
_POINTS = np.append(np.arange(1000) / 1000, 1.0)


@dataclass(eq=False)
class Reveal:
    """Pictures uint8 `[S + 2, H, W(, 3)]`: the original, the blurred one, and one per threshold; and their entropies."""

    pictures: np.ndarray
    entropy: np.ndarray


def reveal(picture: np.ndarray, values: np.ndarray, mask: np.ndarray) -> Reveal:
    """The pictures of one curve, from a picture uint8 `[H, W(, 3)]`, its map `[H, W]` and the bool mask of the start."""
    shown = [mask]
    for share in THRESHOLDS:
        shown.append(mask | (values >= np.quantile(values, 1 - share)))
    pictures = np.stack([picture, *(interpolated(picture, m) for m in shown)])
    return Reveal(pictures, np.array([entropy(p) for p in pictures], np.float64))


def interpolated(picture: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """The picture with what is not ``shown`` (bool `[H, W]`) interpolated over triangles; the corners always show."""
    from scipy.interpolate import LinearNDInterpolator

    known = shown.copy()
    known[[0, 0, -1, -1], [0, -1, 0, -1]] = True
    out = picture.copy()
    if not known.all():
        between = LinearNDInterpolator(np.argwhere(known), picture[known].astype(np.float64))
        out[~known] = np.round(between(np.argwhere(~known)).astype(np.float32)).astype(np.uint8)  # halves stay halves
    return out


def entropy(picture: np.ndarray) -> int:
    """Bytes of the picture as lossless WebP."""
    from PIL import Image

    file = io.BytesIO()
    try:
        Image.fromarray(picture).save(file, format="webp", lossless=True, quality=100)
    except (KeyError, OSError) as e:
        raise MethodError("PIC measures information by lossless WebP, which this Pillow cannot write; install one that can "
                          "(pip install -U Pillow).") from e
    return file.tell()


def first_mask(h: int, w: int, seed: int, x: Tensor) -> np.ndarray:
    """The 1 % of pixels shown from the start, bool `[h, w]`: by ``seed`` and the image, the same for every map of it."""
    words = np.frombuffer(x.detach().cpu().float().numpy().tobytes(), np.uint32)
    rng = np.random.default_rng([seed, int(words.sum(dtype=np.uint64))])
    mask = np.zeros(h * w, bool)
    mask[rng.choice(h * w, int(h * w * _SEED_SHARE), replace=False)] = True
    return mask.reshape(h, w)


def _picture(runs: Runs, x: Tensor, i: int) -> np.ndarray:
    """The input as uint8 `[H, W(, 3)]`; `InputError` if it cannot be turned into one and back."""
    pictures = runs.model.pictures(x[None])
    if pictures is None or x.shape[0] not in (1, 3):
        raise InputError(f"explanation {i}: PIC needs images of 1 or 3 channels; the input has shape {list(x.shape)}.")
    picture = pictures[0] if x.shape[0] == 3 else pictures[0][..., 0]
    if float((_to_input(runs.model, picture[None], x) - x).abs().max()) > 0.51 / 255 * _step(runs.model, x):
        raise InputError(f"explanation {i}: its input is no picture in [0, 1], and the model does not say how it was "
                         "normalised; give sw.Model(..., mean=..., std=...).")
    return picture


def _step(model: Model, x: Tensor) -> float:
    return 1.0 if model.std is None else 1.0 / float(np.min(model.std)) + 1e-6


def _to_input(model: Model, pictures: np.ndarray, like: Tensor) -> Tensor:
    unit = torch.from_numpy(pictures).to(like.device, torch.float32) / 255
    unit = unit.movedim(-1, 1) if unit.ndim == 4 else unit[:, None]
    std = torch.tensor(1.0 if model.std is None else model.std, device=like.device, dtype=torch.float32).reshape(-1, 1, 1)
    return (unit / std + model.black(like[None]).float()[0]).to(like.dtype)


def _reveal_of(runs: Runs, e: Explanation, i: int, seed: int) -> tuple[Reveal, Tensor]:
    """One explanation's pictures and their logits `[S + 2, K]`, kept in the runs for the other of the two metrics."""
    ranked = runs.ranked(e)
    key = ("pic", ranked.input, ranked.key, seed, None if e.question is None else e.question.task)
    if key not in runs.shared:
        x = runs.input(e)
        picture = _picture(runs, x, i)
        shown = reveal(picture, runs.map(e), first_mask(picture.shape[0], picture.shape[1], seed, x))
        task = None if e.question is None else e.question.task
        runs.shared[key] = (shown, runs.logits(_to_input(runs.model, shown.pictures, x), task))
    return runs.shared[key]


def information_curve(entropy: np.ndarray, performance: np.ndarray, least: float) -> np.ndarray | None:
    """y `[1001]` of one curve from entropy and performance `[S + 2]` (original, blurred, thresholds).

    None where the curve means nothing: the model's performance on the original is below ``least``, or the blurred picture
    has as much entropy, or does as well.
    """
    if performance[0] < least or entropy[1] >= entropy[0] or performance[1] >= performance[0]:
        return None
    x = np.clip((entropy[2:] - entropy[1]) / (entropy[0] - entropy[1]), 0, 1)
    y = np.maximum.accumulate(np.clip((performance[2:] - performance[1]) / (performance[0] - performance[1]), 0, 1))
    x, y = np.append(x, [0.0, 1.0]), np.append(y, [0.0, 1.0])
    order = np.argsort(x, kind="stable")
    curve = np.interp(_POINTS, x[order], y[order])
    curve[-1] = 1.0
    return np.asarray(curve)


def _right(q: Question, logits: Tensor) -> np.ndarray:
    """Whether the target is the answer, of logits `[S, K]`: its most probable class; in a contrast, before the foil's."""
    p = class_probabilities([q], logits)
    target = p[:, list(q.bound.target)].max(1)
    others = p[:, list(q.bound.foil)] if q.foil else np.delete(p, list(q.bound.target), 1)
    return (target >= others.max(1, initial=0.0)).astype(np.float64)


def _pic(model: Model, explanations: list[Explanation], accuracy: bool, least: float, question: Question | None, seed: int,
         runs: Runs) -> Curves:
    if not 0 <= least <= 1:
        raise MethodError(f"min_probability={least!r}; give a probability.")
    y = np.full((len(explanations), len(_POINTS)), np.nan)
    questions = runs.questions(explanations, question)
    for i, (e, q) in enumerate(zip(explanations, questions, strict=True)):
        shown, logits = _reveal_of(runs, e, i, seed)
        does = _right(q, logits) if accuracy else read([q], logits[None], "probability")[0]
        curve = information_curve(shown.entropy, does, least)
        if curve is not None:
            y[i] = curve
    return Curves(_POINTS, y, np.trapezoid(y, _POINTS, axis=1), *rows_of(runs, explanations))


def _sic(model: Model, explanations: list[Explanation], *, min_probability: float = 0.8, question: Question | None = None,
         batch_size: int = 64, seed: int = 0, runs: Runs | None = None, progress: ProgressOption = None) -> Curves:
    """Softmax information curves: x is the share of the picture's information."""
    runs = the_runs(model, runs, batch_size, seed, progress)
    return _pic(model, explanations, False, min_probability, question, seed, runs)


_CANNOT = "anything of pictures that the model is unsure of or still knows when blurred: they are left out (NaN)"


@metric(family="faithfulness", better="higher", needs=("model",), passes="15", range="0..1", curves=_sic, cannot=_CANNOT,
        source="Kapishnikov et al. 2019 (XRAI), section 4: softmax information curve")
def pic_sic(model: Model, explanations: list[Explanation], *, min_probability: float = 0.8,
            question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
            progress: ProgressOption = None) -> np.ndarray:
    """Area under the softmax information curve; NaN for images where the curve means nothing (see `information_curve`).

    min_probability: images that the model is less sure of are left out. question: ask this in place of each map's own.
    A contrast's performance is p(target) - p(foil) (ours). The paper shows the median curve of many images:
    ``pic_sic.curves(...).median``. seed: of the 1 % of pixels shown from the start. runs: shared passes.
    """
    return _sic(model, explanations, min_probability=min_probability, question=question, batch_size=batch_size, seed=seed,
                runs=runs, progress=progress).area


def _aic(model: Model, explanations: list[Explanation], *, min_probability: float = 0.8, question: Question | None = None,
         batch_size: int = 64, seed: int = 0, runs: Runs | None = None, progress: ProgressOption = None) -> Curves:
    """Accuracy information curves: x is the share of the picture's information."""
    runs = the_runs(model, runs, batch_size, seed, progress)
    return _pic(model, explanations, True, min_probability, question, seed, runs)


@metric(family="faithfulness", better="higher", needs=("model",), passes="15", range="0..1", curves=_aic, cannot=_CANNOT,
        source="Kapishnikov et al. 2019 (XRAI), section 4: accuracy information curve")
def pic_aic(model: Model, explanations: list[Explanation], *, min_probability: float = 0.8,
            question: Question | None = None, batch_size: int = 64, seed: int = 0, runs: Runs | None = None,
            progress: ProgressOption = None) -> np.ndarray:
    """Area under the accuracy information curve: whether the target is the model's answer. Parameters as in `pic_sic`.

    In a contrast, whether the target comes before the foil (ours).
    """
    return _aic(model, explanations, min_probability=min_probability, question=question, batch_size=batch_size, seed=seed,
                runs=runs, progress=progress).area
