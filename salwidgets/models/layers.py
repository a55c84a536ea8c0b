"""Which layer holds the features, and how its output lies on the image.

CNN: the last spatial map before pooling. Transformer: the *input norm of the last block*, because with a
class-token head the gradients of patch tokens after the last attention are exactly zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import ModelError
from .session import Run

_POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.LPPool2d, nn.FractionalMaxPool2d)
_PASSING = (nn.Dropout, nn.Dropout2d, nn.Identity)
_MAX_PREFIX = 64


@dataclass(frozen=True)
class Layout:
    """How a feature tensor lies on the image: "nchw", "nhwc", or "tokens" with ``prefix`` tokens in front."""

    kind: str
    height: int
    width: int
    prefix: int = 0

    def to_map(self, features: Tensor) -> Tensor:
        """Features `[..., C, H', W']` as a view of the layer's own output; prefix tokens are left out."""
        if self.kind == "nchw":
            return features
        if self.kind == "nhwc":
            return features.movedim(-1, -3)
        cells = features[..., self.prefix:self.prefix + self.height * self.width, :]
        return cells.unflatten(-2, (self.height, self.width)).movedim(-1, -3)


@dataclass(frozen=True)
class FeatureLayer:
    """The layer chosen (or asked for), by name, and its layout; ``calls`` counts how often one forward runs it.

    head: name of the only layer with weights that runs after it, if what follows may be no more than pooling and
    that layer (`heads.pooled_head` checks it by numbers); else None.
    """

    name: str
    layout: Layout
    calls: int = 1
    notices: tuple[str, ...] = ()
    head: str | None = None


def choose(runs: Sequence[Run], n_classes: int, wanted: str | None = None,
           grid: Sequence[int] | None = None) -> FeatureLayer:
    """The feature layer among the recorded ``runs`` of one forward on one input.

    wanted: a layer by name, or None to choose. grid: (height, width[, prefix tokens]) if the user says so.
    Raises `ModelError` if there is no map, or if tokens cannot be placed on a grid.
    """
    if wanted is not None:
        mine = [r for r in runs if r.name == wanted]
        if not mine:
            raise ModelError(f"the layer {wanted!r} did not run, or put out no tensor; choose one of "
                             f"{', '.join(repr(r.name) for r in runs[-6:])}.")
        return _describe(mine[-1], runs, grid)
    norm = _last_block_norm(runs)
    if norm is not None:
        return _describe(norm, runs, grid)
    spatial = _last_spatial(runs, n_classes)
    if spatial is None:
        raise ModelError("no feature layer found: no module puts out a spatial map [N, C, H, W] with more than one "
                         "cell before pooling. Name one with Model(..., layer='...'), or use a method that needs "
                         "scores only (occlusion, rise).")
    return _describe(spatial, runs, grid)


def _last_spatial(runs: Sequence[Run], n_classes: int) -> Run | None:
    """The last map that is neither pooled nor a map of class scores, by the outermost module that puts it out."""
    pooled = {_identity(r.output) for r in runs if isinstance(r.module, _POOLS)}
    every = [r for r in runs if r.plain and _is_map(r) and _identity(r.output) not in pooled]
    # A network that embeds (no head at all) has no other map than the one that becomes its output.
    maps = [r for r in every if not (r.output.shape[1] == n_classes and _is_scores(r, runs))] or every
    if not maps:
        return None
    last = maps[-1]
    same = [r for r in maps if _identity(r.output) == _identity(last.output)]
    # In-place activations share their input's memory: of equally deep modules, the last one holds what is passed on.
    outermost = min(r.name.count(".") for r in same)
    named = [r for r in same if r.name.count(".") == outermost]
    return next((r for r in named[::-1] if not isinstance(r.module, _PASSING)), named[-1])


def _is_scores(run: Run, runs: Sequence[Run]) -> bool:
    """A map with as many channels as classes is a map of scores if no later module has weights of its own."""
    after = runs[next(i for i, r in enumerate(runs) if r is run) + 1:]
    return not any(isinstance(r.module, (nn.Linear, nn.Conv2d)) for r in after)


def _is_map(run: Run) -> bool:
    t = run.output
    return t.ndim == 4 and t.shape[2] > 1 and t.shape[3] > 1 and not _channels_last(run)


def _channels_last(run: Run) -> bool:
    """Whether a 4-D output is [N, H, W, C]: what Linear and LayerNorm over the last axis put out, or a block of them."""
    for module in [run.module, *run.module.modules()]:
        if isinstance(module, nn.LayerNorm):
            return run.output.shape[-1] == module.normalized_shape[-1] != run.output.shape[1]
        if isinstance(module, nn.Linear):
            return run.output.shape[-1] == module.out_features != run.output.shape[1]
        if isinstance(module, nn.Conv2d):
            return False
    return False


def _identity(t: Tensor) -> tuple[int, torch.Size]:
    return t.data_ptr(), t.shape


def _last_block_norm(runs: Sequence[Run]) -> Run | None:
    """The first norm that runs inside the last transformer block (a repeated module with attention inside)."""
    found = blocks(runs)
    if not found:
        return None
    last = found[-1]
    inside = [r for r in runs if r.name.startswith(last.name + ".") and r.output.ndim >= 3]
    norm = next((i for i, r in enumerate(inside) if _is_norm(r.module)), None)
    if norm is not None and any(_attends(r) for r in inside[:norm]):  # norms after attention (Swin v2) see one branch only
        return next((r for r in found[-2::-1] if r.output.shape == last.output.shape), last)
    return None if norm is None else inside[norm]


def blocks(runs: Sequence[Run]) -> list[Run]:
    """The transformer blocks that ran (repeated modules with a norm and attention inside), in order."""
    found = [r for r in runs if _is_block(r)]
    outer = {name for r in found for name in _around(r.name)}  # a whole network may be called "dinov2"
    return [r for r in found if r.name not in outer]


def _around(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def _attends(run: Run) -> bool:
    return "attention" in type(run.module).__name__.lower() or "attn" in run.name.rsplit(".", 1)[-1].lower()


def _is_block(run: Run) -> bool:
    inside = list(run.module.named_modules())[1:]
    attends = any("attention" in type(m).__name__.lower() or "attn" in n.rsplit(".", 1)[-1].lower()
                  for n, m in inside)
    direct = any(_is_norm(m) for m in run.module.children())
    parts = run.name.split(".")
    return attends and direct and parts[-1][-1:].isdigit() and run.output.ndim >= 3


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.LayerNorm) or type(module).__name__.lower().endswith(("rmsnorm", "layernorm"))


def _describe(run: Run, runs: Sequence[Run], grid: Sequence[int] | None) -> FeatureLayer:
    calls = sum(r.name == run.name for r in runs)
    notices: tuple[str, ...] = ()
    if calls > 1:
        notices = (f"layer {run.name} runs {calls} times in one forward; its last run is explained.",)
    shape = run.output.shape
    if run.output.ndim == 4 and _channels_last(run):
        layout = Layout("nhwc", shape[1], shape[2])
    elif run.output.ndim == 4:
        layout = Layout("nchw", shape[2], shape[3])
    elif run.output.ndim == 3:
        layout = token_layout(shape[1], runs, grid)
    else:
        raise ModelError(f"layer {run.name!r} puts out {list(shape)}: that is no map. Choose a layer that puts out "
                         "[N, C, H, W], [N, H, W, C] or tokens [N, T, C].")
    if layout.height * layout.width < 2:
        raise ModelError(f"layer {run.name!r} puts out a single cell ({list(shape)}); choose an earlier layer.")
    return FeatureLayer(run.name, layout, calls, notices, _only_weights_after(run, runs) if layout.kind == "nchw" else None)


_WEIGHTLESS = (nn.Dropout, nn.Dropout2d, nn.Identity, nn.ReLU, nn.AdaptiveAvgPool2d, nn.AvgPool2d, nn.Flatten)


def _only_weights_after(run: Run, runs: Sequence[Run]) -> str | None:
    """The single Linear or 1x1 convolution that runs after ``run``, if everything else there is pooling and the like."""
    place = max(i for i, r in enumerate(runs) if r.name == run.name)
    after = [r for r in runs[place + 1:] if not any(True for _ in r.module.children())]
    weighted = [r for r in after if not isinstance(r.module, _WEIGHTLESS) and _identity(r.output) != _identity(run.output)]
    if len(weighted) != 1:
        return None
    m = weighted[0].module
    small = isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1) and m.stride == (1, 1) and m.groups == 1 \
        and m.padding in ((0, 0), "valid", 0)
    return weighted[0].name if small or isinstance(m, nn.Linear) else None


def token_layout(n_tokens: int, runs: Sequence[Run], grid: Sequence[int] | None) -> Layout:
    """Where ``n_tokens`` tokens lie: from the user's grid, or from the patch embedding that ran."""
    if grid is not None:
        h, w = int(grid[0]), int(grid[1])
        prefix = int(grid[2]) if len(grid) > 2 else n_tokens - h * w
        if prefix < 0 or prefix + h * w > n_tokens:
            raise ModelError(f"token_grid={tuple(grid)} does not fit {n_tokens} tokens.")
        return Layout("tokens", h, w, prefix)
    patches = [r.output.shape[-2:] for r in runs if r.output.ndim == 4 and isinstance(r.module, nn.Conv2d)]
    for h, w in [(int(s[0]), int(s[1])) for s in patches[::-1]]:
        if 0 <= n_tokens - h * w <= _MAX_PREFIX and h * w > 1:
            return Layout("tokens", h, w, n_tokens - h * w)
    for h, w in [(int(s[0]), int(s[1])) for s in patches[::-1]]:
        for k in range(1, 7):  # patch merging halves the grid (Swin)
            mh, mw = math.ceil(h / 2**k), math.ceil(w / 2**k)
            if mh * mw == n_tokens and n_tokens > 1:
                return Layout("tokens", mh, mw, 0)
    raise ModelError(f"{n_tokens} tokens cannot be placed on a grid: no patch embedding that fits them ran. "
                     "Say it with Model(..., token_grid=(height, width, prefix_tokens)).")
