"""What a strategy graph is made of: for every image, how much each concept matters, and whether the model is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from .rates import names


@dataclass(eq=False)
class Points:
    """importance: float32 `[N, K]`; leading: int64 `[N]`, -1 where no concept matters; probabilities: `[N]`, of the
    question's target; correct: bool `[N]`; predicted: int64 `[N]`; thumbnails: uint8 `[N, 64, 64, 3]` or None."""

    importance: np.ndarray
    leading: np.ndarray
    probabilities: np.ndarray
    correct: np.ndarray
    predicted: np.ndarray
    thumbnails: np.ndarray | None

    def __len__(self) -> int:
        return len(self.importance)


def fitted_points(extractor: Any, labels: Sequence[Any] | None) -> Points:
    """The images that the extractor was fitted on; ``labels`` in place of those it was given."""
    found = Points(
        np.asarray(extractor.image_importance_, np.float32), np.asarray(extractor.leading_, np.int64),
        np.asarray(extractor.probabilities_, np.float64), np.asarray(extractor.correct_, bool),
        np.asarray(extractor.predicted_, np.int64), extractor.images_)
    if labels is not None:
        found.correct = _correct(extractor, found.predicted, labels)
    return found


def new_points(extractor: Any, images: Any, labels: Sequence[Any] | None) -> Points:
    """Other images: one forward each, and the same importance as in the extractor's fit."""
    from .fitting import Weighed, note_answers, thumbnails
    from .looking import looks

    out, pictures = Weighed(), []
    for look in looks(extractor, images):
        out.importance.append(look.importance().cpu().numpy())
        note_answers(out, look.columns, look.logits, None)
        drawn = extractor.model_.pictures(look.x)
        pictures.append(None if drawn is None else thumbnails(drawn))
    importance = np.concatenate(out.importance)
    predicted = np.concatenate(out.predicted)
    correct = np.concatenate(out.target) if labels is None else _correct(extractor, predicted, labels)
    shown = [p for p in pictures if p is not None]
    return Points(
        importance, np.where(np.abs(importance).max(1) > 0, importance.argmax(1), -1).astype(np.int64),
        np.concatenate(out.probability).astype(np.float64), correct, predicted,
        np.concatenate(shown) if len(shown) == len(pictures) else None)


def _correct(extractor: Any, predicted: np.ndarray, labels: Sequence[Any]) -> np.ndarray:
    """Whether the prediction is the label; for a group, whether both are in it, as in `ConceptExtractor.fit`."""
    from .batches import class_indices

    truth = class_indices(names(labels, len(predicted)) or [], extractor.model_)
    correct = predicted == truth
    question = extractor.question_
    if not question.predicted and question.bound.group:
        target = list(question.bound.target)
        correct |= np.isin(predicted, target) & np.isin(truth, target)
    return correct


def shares(importance: np.ndarray) -> np.ndarray:
    """Each concept's share of an image's answer, `[N, K]`: importance over the sum of its absolute values (ours: it stays
    within -1 and 1, where a share of the logit itself would blow up for logits near zero). 0 where no concept matters."""
    total = np.abs(importance).sum(1, keepdims=True)
    return np.divide(importance, total, out=np.zeros_like(importance), where=total > 0)


def embed(importance: np.ndarray, how: str, seed: int) -> tuple[np.ndarray, str, Any]:
    """Two coordinates for every image `[N, 2]`, "umap" or "pca", and the fitted projection (None for a single point)."""
    n, k = importance.shape
    umap = None
    if how in ("umap", "auto") and n > 4 and k > 1:
        umap = _umap(required=how == "umap")
    if umap is not None:
        reducer = umap(n_components=2, n_neighbors=min(15, n - 1), random_state=seed, n_jobs=1)
        return np.asarray(reducer.fit_transform(importance), np.float32), "umap", reducer
    out = np.zeros((n, 2), np.float32)
    if n < 2 or np.ptp(importance, axis=0).max() == 0:
        return out, "pca", None
    from sklearn.decomposition import PCA

    pca = PCA(min(2, k, n), random_state=seed)
    found = pca.fit_transform(importance)
    out[:, : found.shape[1]] = found
    return out, "pca", pca


def neighbours(importance: np.ndarray, k: int) -> np.ndarray:
    """Pairs of images, int64 `[E, 2]`, of which one is among the ``k`` nearest of the other by importance; each once."""
    n = len(importance)
    if k == 0 or n < 2:
        return np.zeros((0, 2), np.int64)
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=min(k, n - 1)).fit(importance).kneighbors(return_distance=False)
    pairs = np.stack([np.repeat(np.arange(n), near.shape[1]), near.ravel()], 1)
    return np.unique(np.sort(pairs, 1), axis=0).astype(np.int64)


def _umap(required: bool) -> Any:
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)  # that its neural variant lacks TensorFlow
            # By name: another package is called umap, too, and has none.
            from umap import UMAP  # type: ignore[import-not-found]
    except ImportError as e:
        if required:
            raise InputError("embedding='umap' needs UMAP, which is not installed: pip install 'salwidgets[umap]'; or use "
                             "embedding='pca'.") from e
        return None
    return UMAP
