"""`Model`: any torch module as something that can be asked."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError, ModelError
from ..taxonomy import ClassNames, Taxonomy
from . import inputs as inputs_
from .layers import FeatureLayer, choose
from .outputs import find_logits
from .session import Capture, captured, replaced, session, submodule, watched

if TYPE_CHECKING:
    from ..tasks import Task


@dataclass(eq=False)
class Predictions:
    """What a model says: ``logits`` and ``probabilities``, float32 `[N, K]` numpy, and the names of its classes."""

    logits: np.ndarray
    probabilities: np.ndarray
    class_names: ClassNames

    def top(self, k: int = 5) -> list[list[tuple[str, float]]]:
        """For each input, the ``k`` most probable classes as (name, probability), best first."""
        order = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :max(1, int(k))]
        return [[(self.class_names[i], float(p[i])) for i in row]
                for row, p in zip(order, self.probabilities, strict=True)]

    def __len__(self) -> int:
        return len(self.logits)

    def __repr__(self) -> str:
        rows = ["; ".join(f"{n} {p:.1%}" for n, p in row) for row in self.top(3)[:8]]
        return "Predictions(" + " | ".join(rows) + (" | …" if len(self) > 8 else "") + ")"


class Model:
    """A torch module (or callable) with its classes, its preprocessing and its feature layer.

    module: any `torch.nn.Module`, or a callable from a batch to scores. Its output may be a tensor, a tuple, a
        dict or an object with ``.logits``; a head with one column is read as the two logits [-z/2, z/2].
    classes: names in logit order (they may repeat). taxonomy: a `Taxonomy`, needed to ask about groups.
    preprocess: from a PIL image to the tensor `[C, H, W]` that the module takes.
    layer: name of the feature layer, or "auto". token_grid: (height, width[, prefix tokens]) for transformers
        whose grid cannot be read off their patch embedding.
    device: "auto" leaves the module where it is; anything else moves it there.
    mean, std: how tensors were normalised, so that they can be drawn and "black" means black.
    activation: "softmax", or "sigmoid" for multi-label heads.

    The module is only borrowed: modes, requires_grad flags, buffers, hooks and random state are as they were
    after every call, also after an error.
    """

    def __init__(self, module: Any, classes: Sequence[str] | None = None, taxonomy: Taxonomy | None = None,
                 preprocess: Callable[[Any], Any] | None = None, layer: str = "auto",
                 device: str | torch.device = "auto", mean: Sequence[float] | None = None,
                 std: Sequence[float] | None = None, activation: str = "softmax",
                 token_grid: Sequence[int] | None = None):
        if not callable(module):
            raise ModelError(f"a model is a torch module or a callable, not a {type(module).__name__}.")
        if activation not in ("softmax", "sigmoid"):
            raise ModelError(f"activation={activation!r}; use 'softmax', or 'sigmoid' for multi-label heads.")
        if taxonomy is not None and not isinstance(taxonomy, Taxonomy):
            raise ModelError("taxonomy must be a salwidgets.Taxonomy, for example Taxonomy.from_parents({...}).")
        self.module = module
        self.net, self._compiled = _unwrap(module)
        if device != "auto" and isinstance(self.net, nn.Module):
            self.net.to(device)
        self._device = None if device == "auto" else torch.device(device)
        self.taxonomy = taxonomy
        self.preprocess_item = preprocess
        self.mean, self.std = mean, std
        self.activation = activation
        self.token_grid = token_grid
        if layer == "":
            raise ModelError("layer=''; give the name of a layer, or 'auto'.")
        self._wanted_layer = None if layer == "auto" else layer
        self._classes = ClassNames(classes) if classes is not None else None
        self._named = classes is not None
        self._layers: dict[Any, FeatureLayer] = {}
        self._depth = 0
        self._turn = threading.RLock()

    # -- facts -----------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What the module calls itself."""
        return getattr(self.net, "__name__", type(self.net).__name__)

    @property
    def device(self) -> torch.device:
        """Where the module's weights are (the CPU for a callable without any)."""
        if self._device is not None:
            return self._device
        if isinstance(self.net, nn.Module):
            for tensors in (self.net.parameters(), self.net.buffers()):
                for t in tensors:
                    return t.device
        return torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the module's weights, which inputs are turned into."""
        if isinstance(self.net, nn.Module):
            for p in self.net.parameters():
                if p.is_floating_point():
                    return p.dtype
        return torch.float32

    @property
    def classes(self) -> ClassNames:
        """Class names in logit order; "class 0", "class 1", … once an input has been seen, if none were given."""
        if self._classes is None:
            raise ModelError("the classes are not known before the first prediction; give Model(..., classes=[...]).")
        return self._classes

    @property
    def differentiable(self) -> bool:
        """Whether this is a torch module, whose gradients can be asked for."""
        return isinstance(self.net, nn.Module)

    def __repr__(self) -> str:
        k = f"{len(self._classes)} classes" if self._classes is not None else "classes unknown yet"
        return f"<Model {self.name}, {k}, {self.device}>"

    # -- predicting ------------------------------------------------------------------------------------------

    def preprocess(self, inputs: Any) -> Tensor:
        """Inputs (PIL, ndarray, path, tensor, or a list of these) as the batch `[N, ...]` that the module takes."""
        return self.batch(inputs)[0]

    def batch(self, inputs: Any) -> tuple[Tensor, bool]:
        """The batch of `preprocess` on the model's device and in its dtype, and whether it was a single input."""
        x, single = inputs_.to_batch(inputs, self.preprocess_item, self.mean, self.std, self._input_axes())
        x = x.to(device=self.device, dtype=self.dtype if x.is_floating_point() else None)
        # One memory layout, whatever the picture came in: other layouts take other kernels, whose last digits differ.
        return x.contiguous(), single

    def predict(self, inputs: Any, batch_size: int = 32) -> Predictions:
        """Logits, probabilities and top classes of ``inputs``."""
        logits = self.logits(self.preprocess(inputs), batch_size)
        p = torch.sigmoid(logits) if self.activation == "sigmoid" else torch.softmax(logits, -1)
        return Predictions(logits.cpu().numpy(), p.cpu().numpy(), self.classes)

    def _input_axes(self) -> int | None:
        """Axes of one input, by the first layer with weights: 3 for images; None if that layer does not say."""
        if not isinstance(self.net, nn.Module):
            return 3
        for m in self.net.modules():
            if isinstance(m, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
                return len(m.kernel_size) + 1
            if isinstance(m, (nn.Linear, nn.Embedding, nn.RNNBase)):
                return None
        return 3

    def logits(self, x: Tensor, batch_size: int = 32) -> Tensor:
        """Float32 logits `[N, K]` of a batch `[N, ...]` as the module takes it, without a graph."""
        x = x[None] if x.ndim == self._input_axes() else x
        inputs_.check(x)
        with self.session(), torch.no_grad():
            return torch.cat([self.forward(part) for part in x.to(self.device).split(batch_size)])

    def forward(self, x: Tensor, task: Task | None = None) -> Tensor:
        """One bare pass inside a `session`: float32 scores `[N, K]`, differentiable if the caller asks for it.

        task: what reads the scores off an output that is not `[N, K]` (a segmentation, a similarity, a token).
        """
        output = self.call(x)
        scores = find_logits(output, len(x)) if task is None else task.read(output, len(x))
        if task is None:
            self._learn_classes(scores.shape[1])
        return scores

    def call(self, x: Tensor) -> Any:
        """The module's own output; shape errors become `ModelError`."""
        try:
            return self.net(x)
        except (RuntimeError, ValueError, IndexError) as e:
            if isinstance(e, torch.OutOfMemoryError):
                raise
            wrong = self._shape_complaint(x, str(e))
            if wrong is None:
                raise
            raise ModelError(f"{wrong} The module said: {str(e).splitlines()[0]}") from e

    def _learn_classes(self, k: int) -> None:
        if self._classes is None:
            self._classes = ClassNames(f"class {i}" for i in range(k))
        elif len(self._classes) != k:
            raise ModelError(f"the model puts out {k} scores but {len(self._classes)} class names were given"
                             + (" (a one-column head is read as two classes)." if k == 2 else "."))

    def _shape_complaint(self, x: Tensor, said: str) -> str | None:
        first = next((m for m in self.net.modules() if isinstance(m, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear))),
                     None) if isinstance(self.net, nn.Module) else None
        channels = getattr(first, "in_channels", None)
        if channels is not None and x.ndim >= 3 and x.shape[1] != channels:
            return (f"wrong input shape: the input has {x.shape[1]} channels {list(x.shape)}, the model's first "
                    f"convolution takes {channels}.")
        if re.search(r"shape|size|dimension|channel|dtype|scalar type", said, re.IGNORECASE):
            return f"the model cannot take an input of shape {list(x.shape)} and dtype {x.dtype}."
        return None

    # -- borrowing -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def session(self) -> Iterator[Model]:
        """Borrow the module: evaluation mode, no parameter gradients, everything put back afterwards. Threads take turns:
        what a widget asks in the background waits for a cell that asks the same model, and the other way round."""
        with self._turn:
            if self._depth:
                self._depth += 1
                try:
                    yield self
                finally:
                    self._depth -= 1
                return
            with session(self.net, self.device, self._compiled):
                self._depth = 1
                try:
                    yield self
                finally:
                    self._depth = 0

    def captured(self, layers: Sequence[str], cut: bool = True) -> contextlib.AbstractContextManager[dict[str, Capture]]:
        """Hook layers by name for one block; see `session.captured`."""
        return captured(self._network(), list(layers), cut)

    def replaced(self, changes: dict[str, Callable[[Tensor], Tensor]],
                 call: int | None = None) -> contextlib.AbstractContextManager[None]:
        """Change what layers put out, for one block; see `session.replaced`."""
        return replaced(self._network(), changes, call)

    def _network(self) -> nn.Module:
        if not isinstance(self.net, nn.Module):
            raise ModelError("a plain callable has no layers and no gradients; use occlusion or rise, or give the "
                             "torch module itself.")
        return self.net

    # -- features --------------------------------------------------------------------------------------------

    @property
    def layer(self) -> str | None:
        """Name of the feature layer: the one asked for, or the one found when a map was first needed."""
        found = next(iter(self._layers.values()), None)
        return self._wanted_layer or (found.name if found else None)

    def feature_layer(self, x: Tensor, wanted: str | None = None) -> FeatureLayer:
        """The feature layer and its layout for inputs shaped like ``x``; found by one forward, then remembered."""
        net = self._network()
        if wanted == "":
            raise ModelError("layer=''; give the name of a layer, or None for the model's own.")
        wanted = wanted or self._wanted_layer
        key = (wanted, tuple(x.shape[1:]))
        if key not in self._layers:
            if wanted is not None:
                submodule(net, wanted)  # raises with the nearest names
            with self.session(), torch.no_grad(), watched(net) as runs:
                scores = self.call(x[:1])
                self._layers[key] = choose(runs, _width(scores), wanted, self.token_grid)
        return self._layers[key]

    def pictures(self, x: Tensor) -> np.ndarray | None:
        """uint8 `[N, H, W, 3]` to draw a batch, or None if it is no batch of images."""
        return inputs_.to_pictures(x, self.mean, self.std)

    def black(self, x: Tensor) -> Tensor:
        """What black is in the model's input space, broadcastable to ``x``: (0 - mean) / std."""
        if x.ndim != 4:
            raise InputError("black is a colour; these inputs are no images.")
        mean, std = inputs_._column(self.mean, 0.0), inputs_._column(self.std, 1.0)
        return (-mean / std).to(device=x.device, dtype=x.dtype)

    # -- ready-made ------------------------------------------------------------------------------------------

    @classmethod
    def from_transformers(cls, model_or_path: Any, processor: Any = None, **options: Any) -> Model:
        """A transformers image classifier: an object, a local directory or a hub name (which needs a network)."""
        from .hubs import from_transformers

        return from_transformers(cls, model_or_path, processor, **options)

    @classmethod
    def from_torchvision(cls, name: str, weights: Any = "DEFAULT", **options: Any) -> Model:
        """A torchvision classifier by name; weights that are not on this machine need a network."""
        from .hubs import from_torchvision

        return from_torchvision(cls, name, weights, **options)


def _width(output: Any) -> int:
    try:
        return int(find_logits(output, 1).shape[1])
    except ModelError:
        return -1  # dense outputs: no map of theirs is taken for class scores


def _unwrap(module: Any) -> tuple[Any, bool]:
    """The module inside DataParallel and torch.compile wrappers, and whether it may still run compiled."""
    compiled = False
    while True:
        if hasattr(module, "_orig_mod"):
            module, compiled = module._orig_mod, True
        elif isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            module = module.module
        else:
            break
    if isinstance(module, nn.Module):
        compiled = compiled or any(getattr(m, "_compiled_call_impl", None) is not None for m in module.modules())
    return module, compiled
