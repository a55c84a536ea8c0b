"""`ConceptExtractor`: the directions in a layer that recur over images, and how much each matters for an answer."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError, MethodError, ModelError, QuestionError
from ..explainers.progress import Progress, ProgressOption
from ..explanation import Explanations
from ..models import Model
from ..questions import Question, why
from .activations import LayerReader
from .batches import Batches, class_indices
from .checks import seed, whole_number
from .concept_heads import ConceptHead, closed_form, make_head
from .crops import BestCrops, Crop
from .dictionary import Dictionary, make_dictionary
from .fitting import Weighed, encode, learn, weigh
from .importance import check_method, passes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODES = ("holistic", "crops")


class ConceptExtractor:
    """Concepts of one layer: activations = coefficients @ components, learnt over many images.

    model: a `Model` (a bare torch module is wrapped). layer: by name; None: the layer that class activation maps use.
    n_concepts: K. dictionary: "nmf", "kmeans", "pca", "semi-nmf", or an object with the interface of `Dictionary`.
    mode: "holistic" learns from every cell of whole maps (Fel et al. 2023, "A Holistic Approach"); "crops" from the
        mean activations of crops, enlarged to the input's size (CRAFT, Fel et al. 2023: 64 pixels every 51 at 224).
    importance: "sobol" (total Sobol indices, never negative), or "gradient-x-input", "integrated-gradients",
        "occlusion" (signed, in the question's units); see `salwidgets.concepts.importance`.
    batch_size: images per pass, and masked copies per pass of the head. random_state: the same gives the same concepts.
    progress: None shows a bar after a second, with the time left; a callable is told (done, in all) and may raise to stop.
    crop: side of crops in pixels, for mode="crops" and `best_crops`; None: 64 / 224 of the shorter side.
    max_bytes: activations (and images that cannot be read again) held at once; beyond that the dictionary learns from a
        stream and the network runs twice.

    After `fit` on N images, with a map of h x w cells and C channels:

    * ``components_ [K, C]``, ``coefficients_ [N, K, h, w]`` (None if they weigh more than max_bytes: `transform` again).
    * ``image_importance_ [N, K]``, ``importance_ [K]`` its mean over images.
    * ``leading_ [N]``: the concept with the largest importance (-1: no concept has any). ``prevalence_ [K]``: share of
      images it leads. ``reliability_ [K]``: accuracy of those images, NaN where there are none.
    * ``scores_ [N]``: the question's score, ``reconstructed_scores_ [N]`` the same from coefficients alone;
      ``probabilities_ [N]`` of the target; ``predicted_ [N]`` class indices; ``correct_ [N]`` whether the prediction is
      the label (for groups: of the same group), or, without labels, of the asked class or group.
    * ``reconstruction_error_``: |activations - coefficients @ components| / |activations|, in l2.
    * ``names_``, ``question_``, ``layer_``, ``images_`` (thumbnails, uint8 `[N, 64, 64, 3]`, or None), ``notices_``.

    >>> world = sw.worlds.creatures(n=24)
    >>> sw.concepts.ConceptExtractor(world.model("cnn"), n_concepts=4).fit(world.images, "flutterling").components_.shape
    (4, 80)
    """

    def __init__(self, model: Any, layer: str | None = None, n_concepts: int = 10, dictionary: str | Dictionary = "nmf",
                 mode: str = "holistic", importance: str = "sobol", batch_size: int = 64, random_state: int = 0,
                 progress: ProgressOption = None, crop: int | None = None, max_bytes: int = 1_000_000_000):
        self.model = model
        self.layer = layer
        self.n_concepts = n_concepts
        self.dictionary = dictionary
        self.mode = mode
        self.importance = importance
        self.batch_size = batch_size
        self.random_state = random_state
        self.progress = progress
        self.crop = crop
        self.max_bytes = max_bytes

    # -- scikit-learn's habits -------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's parameters, as they were given."""
        return {name: getattr(self, name) for name in _PARAMETERS}

    def set_params(self, **params: Any) -> ConceptExtractor:
        """Change parameters; `fit` again afterwards."""
        for name, value in params.items():
            if name not in _PARAMETERS:
                raise MethodError(f"ConceptExtractor has no parameter {name!r}; it has {', '.join(_PARAMETERS)}.")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        plain = inspect.signature(ConceptExtractor.__init__).parameters
        said = [f"{n}={v!r}" for n, v in self.get_params().items() if n != "model" and v != plain[n].default]
        fitted = f", {len(self.components_)} concepts of {self.layer_}" if hasattr(self, "components_") else ", not fitted"
        return f"ConceptExtractor({', '.join(said)}{fitted if said else fitted[2:]})"

    # -- fitting ---------------------------------------------------------------------------------------------

    def fit(self, images: Any, cls: Any = None, labels: Sequence[Any] | None = None) -> ConceptExtractor:
        """Learn concepts from ``images`` and weigh them for an answer.

        images: what `Model.preprocess` takes, or a data set, DataLoader or iterable of batches, with or without labels.
        cls: a class name, index, group of the taxonomy or list; or a `Question`, for contrasts ("which concepts speak for
            husky and against wolf"); None: the predicted class of each image.
        labels: the true class of each image, by name or index.
        Raises `InputError`, `QuestionError`, `ModelError`, `MethodError`; then nothing fitted before is changed, and
        nothing is left on the model.
        """
        self._check()
        model = self.model if isinstance(self.model, Model) else Model(self.model)
        question = _question(cls)
        batches = Batches(model, images, self.batch_size, self.max_bytes)
        dictionary = make_dictionary(self.dictionary, self.n_concepts, self.random_state, model.device.type)
        with model.session():
            x = next(iter(batches))[0]
            reader = LayerReader(model, self.layer, x, self.crop)
            with torch.no_grad():
                model.forward(x[:1])  # from here on the classes are known
            _bind_early(question, model)
            truth = None if labels is None else class_indices(labels, model)
            if truth is not None and batches.total not in (None, len(truth)):
                raise InputError(f"there are {len(truth)} labels for {batches.total} images; give one for each.")
            closed = closed_form(model, reader.layer, x[:8])
            per_image = 1 + (len(reader.boxes()) if self.mode == "crops" else 0)
            if closed is None:
                per_image += passes(self.importance, self.n_concepts) + 1
            with Progress(per_image * (batches.total or 0), "learning concepts", self.progress) as bar:
                learnt = learn(reader, batches, dictionary, self.mode, self.max_bytes, self.random_state, bar.step)
                head = make_head(model, reader, closed, dictionary, self.batch_size, bar.step)
                crops = BestCrops(len(head.w))
                weighed = weigh(reader, batches, learnt, head, question, self.importance, self.mode, crops, self.max_bytes,
                                bar.step)
        found = [label for part in weighed.labels if part is not None for label in part]
        if truth is None and found:
            truth = class_indices(found, model)
        if truth is not None and len(truth) != sum(map(len, weighed.predicted)):
            count = sum(map(len, weighed.predicted))
            raise InputError(f"there are {len(truth)} labels for {count} images; give one for each.")
        self._store(model, reader, dictionary, head, question, weighed, crops, truth)
        self.notices_ = (*reader.layer.notices, *learnt.notices, *self._notices(truth))
        return self

    def _check(self) -> None:
        if self.mode not in MODES:
            raise MethodError(f"mode={self.mode!r}; use one of {', '.join(MODES)}.")
        check_method(self.importance)
        for name in ("n_concepts", "batch_size", "max_bytes", *(["crop"] if self.crop is not None else [])):
            whole_number(name, getattr(self, name), 1, MethodError)
        seed(self.random_state, MethodError)
        if self.layer is not None and not isinstance(self.layer, str):
            raise MethodError(f"layer={self.layer!r}; give the name of a layer, or None.")

    def _store(self, model: Model, reader: LayerReader, dictionary: Any, head: ConceptHead, question: Question,
               weighed: Weighed, crops: BestCrops, truth: np.ndarray | None) -> None:
        """Set everything that ends with an underscore, at once and at the end."""
        bound = question if question.predicted else \
            question.bind(model.classes, model.taxonomy, activation=model.activation)
        predicted, in_target = np.concatenate(weighed.predicted), np.concatenate(weighed.target)
        correct = in_target
        if truth is not None:
            correct = predicted == truth
            if not bound.predicted:
                sides = set(bound.bound.target) | set(bound.bound.foil)
                if not any(int(t) in sides for t in truth):
                    raise InputError(f"no image is labelled as a class of “{bound}”; give images of it, or leave the labels "
                                     "out.")
                if bound.bound.group:
                    target = list(bound.bound.target)
                    correct = correct | (in_target & np.isin(truth, target))
        self._model: Model | None = model
        self._reader, self.dictionary_, self._crops = reader, dictionary, crops
        self.components_ = np.asarray(dictionary.components_, np.float32)
        self.question_, self.layer_ = bound, reader.layer.name
        self.image_importance_ = np.concatenate(weighed.importance)
        self.scores_, self.reconstructed_scores_ = np.concatenate(weighed.scores), np.concatenate(weighed.rebuilt)
        self.probabilities_, self.predicted_, self.correct_ = np.concatenate(weighed.probability), predicted, correct
        self.labels_ = truth
        self.coefficients_ = None if weighed.coefficients is None else np.concatenate(weighed.coefficients)
        self.images_ = None if weighed.thumbnails is None else np.concatenate(weighed.thumbnails)
        self.reconstruction_error_ = float(np.sqrt(weighed.error / max(weighed.size, 1e-30)))
        self.names_ = [f"concept {k + 1}" for k in range(len(self.components_))]
        self._summarise()

    def _summarise(self) -> None:
        """What follows from the images' importances."""
        found, k = self.image_importance_, len(self.components_)
        self.importance_ = found.mean(0)
        self.leading_ = np.where(np.abs(found).max(1) > 0, found.argmax(1), -1).astype(np.int64)
        led = np.bincount(self.leading_[self.leading_ >= 0], minlength=k)
        right = np.bincount(self.leading_[(self.leading_ >= 0) & self.correct_], minlength=k)
        with np.errstate(invalid="ignore", divide="ignore"):
            self.prevalence_ = (led / max(1, led.sum())).astype(np.float32)
            self.reliability_ = (right / led).astype(np.float32)

    def _notices(self, truth: np.ndarray | None) -> Iterator[str]:
        n, k = len(self.scores_), len(self.components_)
        if n < k:
            yield f"{n} image{'s'[:n != 1]} for {k} concepts: a concept may be of a single image."
        if truth is None and self.question_.predicted:
            yield "without labels, every image counts as right for the class it is predicted as: reliability says nothing."
        elif truth is None and not self.correct_.any():
            yield f"the model sees none of the images as the target of “{self.question_}”."
        idle = [name for name, found in zip(self.names_, self._crops.found, strict=True) if not found]
        if idle:
            yield f"{', '.join(idle)}: active in no image."
        lone = int((self.leading_ < 0).sum())
        if lone:
            yield f"in {lone} image{'s'[:lone != 1]} no concept matters at all; they count for no concept's prevalence."

    # -- using -----------------------------------------------------------------------------------------------

    def transform(self, images: Any) -> np.ndarray:
        """Concept maps of ``images``: coefficients, float32 `[N, K, h, w]`."""
        return np.concatenate([encode(self.dictionary_, maps).cpu().numpy() for _, maps, _ in self._read(images)])

    def inverse_transform(self, coefficients: np.ndarray) -> np.ndarray:
        """Activations `[N, C, h, w]` that coefficients `[N, K, h, w]` stand for."""
        self._fitted()
        try:
            u = np.asarray(coefficients, np.float32)
        except (TypeError, ValueError) as e:
            raise InputError(f"coefficients must be numbers [N, {len(self.components_)}, h, w]; {e}.") from e
        if u.ndim != 4 or u.shape[1] != len(self.components_):
            raise InputError(f"coefficients have shape {list(u.shape)}; [N, {len(self.components_)}, h, w] is expected.")
        rebuilt = np.einsum("nkhw,kc->nchw", u, self.components_)
        offset = getattr(self.dictionary_, "offset_", None)
        return rebuilt if offset is None else rebuilt + np.asarray(offset, np.float32)[:, None, None]

    def image_importance(self, images: Any) -> np.ndarray:
        """Importance `[N, K]` of each concept for the question on other images, by the same method as in `fit`."""
        from .looking import looks

        return np.concatenate([look.importance().cpu().numpy() for look in looks(self, images)])

    def maps(self, images: Any, concepts: Sequence[int] | None = None) -> Explanations:
        """Concept maps of ``images`` as `Explanations` of shape (inputs, 1, concepts): to look at, save and export.

        A map's values are the concept's coefficients `[h, w]`; its ``method`` is the concept's name. concepts: which (all).
        """
        from .concept_maps import concept_maps

        self._fitted()
        return concept_maps(self, self._read(images), concepts)

    def best_crops(self, k: int, n: int = 8) -> list[Crop]:
        """The ``n`` crops (at most 24) that show concept ``k`` best, one per image, strongest first."""
        self._fitted()
        return self._crops.found[self._index(k)][:whole_number("n", n, 0)]

    def rename(self, k: int, name: str) -> ConceptExtractor:
        """Call concept ``k`` ``name``, in maps, figures, views and sentences."""
        self._fitted()
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"{name!r} is no name; give a word or a few.")
        self.names_[self._index(k)] = name.strip()
        return self

    @property
    def order_(self) -> np.ndarray:
        """Concepts from the most important (by size, whatever its sign) to the least, int64 `[K]`."""
        return np.argsort(-np.abs(self.importance_), kind="stable")

    def figure(self, n_crops: int = 6, concepts: Sequence[int] | None = None, width: str | float | None = None) -> Figure:
        """A figure for a paper: one row per concept with its crops, importance, prevalence and reliability.

        width: of the paper's column (`sw.figures.width_of`), into which at most ``n_crops`` crops go; None: as wide as it
        takes.
        """
        from .concept_figures import concept_figure

        self._fitted()
        return concept_figure(self, n_crops, concepts, width)

    def save(self, path: str | Path) -> Path:
        """Write arrays.npz and manifest.json into folder ``path``, never pickle; `load` reads them back. The model itself
        is not saved."""
        from .concept_storage import save_extractor

        self._fitted()
        return save_extractor(self, Path(path))

    @classmethod
    def load(cls, path: str | Path, model: Any = None, dictionary: Any = None) -> ConceptExtractor:
        """Read back what `save` wrote. model: needed for new images only. dictionary: the fitted object, if it was yours."""
        from .concept_storage import load_extractor

        return load_extractor(Path(path), model, dictionary)

    # -- inside ----------------------------------------------------------------------------------------------

    def _read(self, images: Any) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """(images, activations, logits) of each batch, in one session that ends with the reading, however it ends."""
        model = self.model_
        self.usable_dictionary()
        batches = Batches(model, images, self.batch_size, self.max_bytes)
        with Progress(batches.total or 0, "finding concepts", self.progress) as bar, model.session():
            first = 0
            for x, _ in batches:
                maps, logits = self.reader_of(x).maps(x, first)
                bar.step(len(x))
                first += len(x)
                yield x, maps, logits

    @property
    def model_(self) -> Model:
        """The model that answers; `ModelError` if the extractor was loaded without one."""
        self._fitted()
        if self._model is None:
            raise ModelError("this extractor was loaded without its model; use ConceptExtractor.load(path, model).")
        return self._model

    def usable_dictionary(self) -> Any:
        """The fitted dictionary; `MethodError` if it was the user's own and was not given again to `load`."""
        self._fitted()
        if not callable(getattr(self.dictionary_, "encode", None)):
            raise MethodError("the dictionary of this extractor was an object of your own; give it to load(path, model, "
                              "dictionary=...) to use it on images.")
        return self.dictionary_

    def reader_of(self, x: Tensor) -> LayerReader:
        """What reads the fitted layer for images of the size of ``x`` `[n, ...]`, inside a session."""
        if getattr(self, "_reader", None) is None or self._reader.size != tuple(x.shape[-2:]):
            self._reader = LayerReader(self.model_, self.layer_, x, self.crop)
        return self._reader

    def _fitted(self) -> None:
        if not hasattr(self, "components_"):
            raise MethodError("this ConceptExtractor has not learnt anything yet; call fit(images, cls) first.")

    def _index(self, k: int) -> int:
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 0 <= k < len(self.components_):
            raise InputError(f"there is no concept {k!r}; there are {len(self.components_)}, from 0 on.")
        return int(k)


_PARAMETERS = tuple(list(inspect.signature(ConceptExtractor.__init__).parameters)[1:])


def _question(cls: Any) -> Question:
    question = cls if isinstance(cls, Question) else why(cls)
    if question.task is not None:
        raise QuestionError(f"{question} is not about a class; concepts answer questions about classes, groups and "
                            "contrasts.")
    return question


def _bind_early(question: Question, model: Model) -> None:
    """Wrong names are told before the work."""
    if not question.predicted:
        question.bind(model.classes, model.taxonomy, activation=model.activation)
