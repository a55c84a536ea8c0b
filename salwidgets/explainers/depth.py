"""One question through the depth of a network: the same method at a dozen layers, from one forward pass where it can.

Which layers: of a CNN the outermost blocks that put out a map (a convolution with its norm and activation counts as one),
of a transformer the input norm of every block for CAM, every block for methods that read its tokens. The choice is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError, MethodError, ModelError
from ..explanation import Explanations
from ..models import Model
from ..models.adapter import _width
from ..models.attention import token_path
from ..models.layers import _POOLS, FeatureLayer, _attends, _identity, _is_map, _is_norm, blocks, choose
from ..models.session import Run, watched
from ..questions import Question
from ..taxonomy import nearest
from .api import _answers, _methods, _model
from .base import Job
from .cam_norm import LayersProbe
from .progress import Progress, ProgressOption
from .registry import get, methods

#: how many layers "auto" chooses at most
DOZEN = 12


def through_layers(model: Model, image: Any, question: Question, method: str = "grad-cam",
                   layers: str | Sequence[str] | Sequence[int] = "auto", *, progress: ProgressOption = None,
                   **params: Any) -> Explanations:
    """Ask one question of one image at many depths; show the answer with `sw.Layers`.

    method: one that has a ``layer`` (the CAM family), or a ``block`` (class-embedding). layers: "auto" (at most twelve,
    evenly over the depth, the last one included), names of layers, or numbers of blocks. params: further parameters.
    Methods of the CAM family share one forward pass with the graph from the first of the layers on, after one that finds the
    layers; class-embedding reads all blocks off one pass. Methods that make passes of their own (score-cam, ablation-cam)
    make them for each layer. Returns `Explanations` of shape (1, 1, layers), from the input to the scores.
    Errors: `InputError` (several images), `MethodError` (no layers to choose), `ModelError` (unknown layer).

    >>> world = sw.worlds.creatures(n=1)
    >>> es = through_layers(world.model("cnn"), world.images[0], sw.why())
    >>> [e.layer for e in es]
    ['stem', 'layer1', 'layer2.0', 'layer2.1', 'layer3.0', 'layer3.1']
    """
    model = _model(model)
    if not isinstance(question, Question):
        raise InputError(f"through_layers asks one question, sw.why('husky') for example, not {type(question).__name__}.")
    x, _ = model.batch(image)
    if len(x) != 1:
        raise InputError(f"through_layers shows one image through the depth of a network; got {len(x)}. Call it for each.")
    takes = get(method).defaults
    name = next((p for p in ("block", "layer") if p in takes), None)
    if name is None or name in params:
        raise _no_depth(method, name)
    _methods([method], params)  # a wrong parameter is told before the passes
    job = Job(model, x, question.task, Progress(1, "", False))
    wanted: Sequence[Any] = (_blocks if name == "block" else _layers)(job, layers, method)
    ways = [_methods([method], {**params, name: w})[0] for w in wanted]
    with Progress(sum(w.passes(x) + w.answer_passes(x) for w in ways), "explaining", progress) as bar:
        job.progress = bar
        found = [_answers(way, job, [question], False, 0)[0][0] for way in ways]
    return Explanations(found, (1, 1, len(found)))


def _no_depth(method: str, name: str | None) -> MethodError:
    if name is not None:
        return MethodError(f"{name}= is what through_layers goes through; say layers=[...] in its place.")
    some = [m.name for m in methods() if {"layer", "block"} & set(get(m.name).defaults)]
    return MethodError(f"{method} explains at the input and has no layers to go through. Methods that have: "
                       f"{', '.join(some)}.")


def _spread(names: Sequence[Any]) -> list[Any]:
    """At most a dozen, evenly, with the last."""
    n = len(names)
    if n <= DOZEN:
        return list(names)
    return [names[round((i + 1) * n / DOZEN) - 1] for i in range(DOZEN)]


def _blocks(job: Job, layers: Any, method: str) -> list[int]:
    depth = len(token_path(job.model, job.x, method).blocks)
    if isinstance(layers, str):
        if layers != "auto":
            raise MethodError(f"{method}: layers={layers!r}; give 'auto' or a list of block numbers, 0 to {depth - 1}.")
        return _spread(range(depth))
    return _listed(layers, int, f"numbers of blocks, 0 to {depth - 1}")


def _listed(layers: Any, kind: type, what: str) -> list[Any]:
    items = list(layers) if isinstance(layers, (list, tuple, range)) else []
    if not items or not all(isinstance(i, kind) and not isinstance(i, bool) for i in items) or len(set(items)) < len(items):
        raise MethodError(f"layers={layers!r}; give 'auto' or a list of different {what}.")
    return items


def _layers(job: Job, layers: Any, method: str) -> list[str]:
    """The layers' names. For methods that read features, the job gets a probe of each from one forward pass."""
    model = job.model
    if not isinstance(model.net, nn.Module):
        raise MethodError(f"{method} looks at layers, and {model.name} is a plain callable; give the torch module itself.")
    given = None if isinstance(layers, str) and layers == "auto" else _listed(layers, str, "names of layers")
    with model.session(), torch.no_grad(), watched(model.net) as runs:
        k = _width(model.call(job.x))
        names = given if given is not None else _spread(depths(runs, k))
        if not names:
            raise MethodError(f"no layers of {model.name} put out maps to go through; name them: layers=['...', ...].")
        ran = {r.name for r in runs}
        for name in names:
            if name not in ran:
                raise ModelError(f"no layer {name!r} ran in {model.name}. Nearest: "
                                 f"{', '.join(map(repr, nearest(name, ran))) or 'none'}.")
        found = [choose(runs, k, name, model.token_grid) for name in names]
    with model.session():
        shared = _Shared(LayersProbe(model, job.x, found, job.task))
    for i, layer in enumerate(found):
        job.shared["features", layer.name] = DepthProbe(shared, i, layer)
    return names


@dataclass(eq=False)
class _Shared:
    """Gradients of all layers for the question asked last: one backward pass for all of them."""

    probe: LayersProbe
    _last: tuple[Tensor, list[Tensor]] | None = field(default=None, repr=False)

    def gradients(self, weights: Tensor) -> list[Tensor]:
        if self._last is None or not torch.equal(self._last[0], weights):
            self._last = (weights, self.probe.gradients(weights))
        return self._last[1]


@dataclass(eq=False)
class DepthProbe:
    """One layer of a pass that keeps several; what `cam.FeatureProbe` is for one."""

    shared: _Shared
    place: int
    layer: FeatureLayer
    head: None = None

    @property
    def features(self) -> Tensor:
        """`[1, C, h, w]`."""
        return self.shared.probe.features[self.place]

    @property
    def logits(self) -> Tensor:
        """`[1, K]`."""
        return self.shared.probe.logits

    def gradients(self, weights: Tensor) -> Tensor:
        """d (weights . logits) / d features, `[Q, 1, C, h, w]`."""
        return self.shared.gradients(weights)[self.place]


def depths(runs: Sequence[Run], n_classes: int) -> list[str]:
    """Names of the layers to go through, from the input to the scores, of one recorded forward."""
    found = blocks(runs)
    if found:
        return [_before_attention(block, runs) for block in found]
    maps = [r for r in runs if _is_map(r) and not isinstance(r.module, _POOLS)]
    once = {r.name for r in maps if sum(o.name == r.name for o in maps) == 1}
    maps = [r for r in maps if r.name in once and r.plain]
    if any(r.output.shape[1] != n_classes for r in maps):  # maps of class scores are no features
        maps = [r for i, r in enumerate(maps) if r.output.shape[1] != n_classes or _weighted_after(r, runs)]
    return [r.name for r in _one_of_each_step(_outermost(maps))]


def _weighted_after(run: Run, runs: Sequence[Run]) -> bool:
    after = runs[next(i for i, r in enumerate(runs) if r is run) + 1:]
    return any(isinstance(r.module, (nn.Linear, nn.Conv2d)) for r in after)


def _outermost(maps: Sequence[Run]) -> list[Run]:
    """Blocks in place of what is inside them; where that leaves fewer than four, the largest block is opened."""
    opened: set[str] = set()
    while True:
        names = {r.name for r in maps if not isinstance(r.module, nn.Sequential) or _conv_norm_act(r.module)} - opened
        shown = [r for r in maps if r.name in names and not any(r.name.startswith(n + ".") for n in names if n != r.name)]
        inside = {r.name: sum(o.name.startswith(r.name + ".") and o.name not in opened for o in maps) for r in shown}
        largest = max(inside, key=lambda n: inside[n], default="")
        if len(shown) >= 4 or not largest or inside[largest] < 2:
            return shown
        opened.add(largest)


def _conv_norm_act(module: nn.Module) -> bool:
    """A short chain with one convolution: a step, not a stage."""
    convolutions = sum(isinstance(m, nn.Conv2d) for m in module.modules())
    return convolutions == 1


_FOLLOWING = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.ELU, nn.Hardswish, nn.BatchNorm2d, nn.GroupNorm,
              nn.InstanceNorm2d, nn.Dropout, nn.Dropout2d, nn.Identity)


def _one_of_each_step(runs: Sequence[Run]) -> list[Run]:
    """Without what a norm or an activation that follows replaces, and without two names for one tensor."""
    kept: list[Run] = []
    for r in runs:
        follows = isinstance(r.module, _FOLLOWING) and kept and kept[-1].output.shape == r.output.shape
        if kept and (follows or _identity(kept[-1].output) == _identity(r.output)):
            kept.pop()
        kept.append(r)
    return kept


def _before_attention(block: Run, runs: Sequence[Run]) -> str:
    """The norm at a block's input, where gradients still reach every token; the block itself where norms come later."""
    inside = [r for r in runs if r.name.startswith(block.name + ".") and r.output.ndim >= 3]
    norm = next((i for i, r in enumerate(inside) if _is_norm(r.module)), None)
    return block.name if norm is None or any(_attends(r) for r in inside[:norm]) else inside[norm].name
