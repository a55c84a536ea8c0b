"""Networks whose layers are made random, and what their maps look like (Adebayo et al. 2018).

The network that was given is never touched: layers are made random in a deep copy.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError, MethodError
from ..explainers.progress import Progress, ProgressOption
from ..explanation import Explanation, resize
from ..models import Model
from ..models.session import watched
from ..taxonomy import nearest
from .again import picture_batch, remake, same_model, ways
from .likeness import spearman, ssim
from .registry import as_model, explanation_list

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

ORDERS = ("cascading", "independent")


def twin(model: Model, metric: str) -> Model:
    """A model around a deep copy of the network, with the same classes, layer and preprocessing."""
    net = model.net
    if not isinstance(net, nn.Module):
        raise MethodError(f"{metric} needs the weights of the network, and {model.name} is a plain callable; give the torch "
                          "module itself, or use a metric that needs scores only, such as sw.metrics.deletion.")
    try:
        with torch.inference_mode(False):
            other = copy.deepcopy(net)
    except Exception as e:
        raise MethodError(f"{metric} makes a copy of the network, and {model.name} cannot be copied: {e}") from e
    return Model(other, classes=model._classes, taxonomy=model.taxonomy, preprocess=model.preprocess_item,
                 layer=model._wanted_layer or "auto", mean=model.mean, std=model.std, activation=model.activation,
                 token_grid=model.token_grid)


def layers_with_weights(model: Model, x: Tensor) -> list[str]:
    """Names of the modules that hold parameters themselves, from the scores down to the input.

    Leaf modules in the order in which one pass over ``x`` runs them, backwards; then those that hold parameters beside
    submodules (class tokens, position embeddings), named "" for the network itself. Modules that do not run are left out.
    """
    net = model.net
    with model.session(), torch.no_grad(), watched(net) as runs:
        model.call(x[:1])
        ran = list(dict.fromkeys(r.name for r in reversed(runs)))
    modules = dict(net.named_modules())

    def holds(name: str) -> bool:
        return any(True for _ in modules[name].parameters(recurse=False))

    leaves = [n for n in ran if n in modules and holds(n) and not any(True for _ in modules[n].children())]
    inner = [n for n in modules if holds(n) and any(True for _ in modules[n].children())]
    return leaves + sorted(inner, key=len, reverse=True)


def make_random(module: nn.Module, generator: torch.Generator) -> None:
    """Make a module's own parameters random, in place.

    Matrices and kernels are drawn normal with the trained ones' mean and standard deviation, so that signals keep their
    size; biases, and the weights and biases of norms, are shuffled. Running statistics stay. Ours: drawing as before
    training shrinks the signal of networks without norms until their maps are rounding.
    """
    with torch.no_grad():
        for p in module.parameters(recurse=False):
            if not p.is_floating_point():
                continue
            if p.ndim >= 2:
                noise = torch.randn(p.shape, generator=generator).to(p.device, p.dtype)
                p.copy_(noise * p.std() + p.mean())
            else:
                order = torch.randperm(p.numel(), generator=generator).to(p.device)
                p.copy_(p.flatten()[order].view_as(p))


@dataclass(eq=False)
class Randomisation:
    """What maps become as layers of the network become random.

    order: "cascading" or "independent". layers: names `[L]`, from the scores down; cascading, all layers up to and with it
    are random. rank_correlation, ssim: float64 `[n, L]`, each explanation's map against the one it was given. maps: for each
    explanation float32 `[L, H', W']`. explanations: those given, with the trained network's maps. model: its name.
    """

    order: str
    layers: tuple[str, ...]
    rank_correlation: np.ndarray
    ssim: np.ndarray
    maps: list[np.ndarray]
    explanations: list[Explanation] = field(repr=False)
    model: str = ""
    seed: int = 0
    elapsed: float = 0.0

    def __post_init__(self) -> None:
        shape = (len(self.explanations), len(self.layers))
        if self.rank_correlation.shape != shape or self.ssim.shape != shape or len(self.maps) != shape[0]:
            raise InputError(f"{shape[0]} explanations and {shape[1]} layers need figures of shape {shape}.")

    @property
    def names(self) -> list[str]:
        """Layer names to show; the network's own parameters are "(network)"."""
        return [name or "(network)" for name in self.layers]

    def to_pandas(self) -> pd.DataFrame:
        """One row per explanation and layer: method, question, layer, rank_correlation, ssim."""
        import pandas as pd

        rows = [{"explanation": i, "method": e.method, "question": str(e.question), "layer": name,
                 "rank_correlation": self.rank_correlation[i, k], "ssim": self.ssim[i, k]}
                for i, e in enumerate(self.explanations) for k, name in enumerate(self.names)]
        return pd.DataFrame(rows)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Mean rank correlation of each method by layer; a line that stays high reads little of the network."""
        import matplotlib.pyplot as plt

        ax = ax or plt.figure(figsize=(max(4.0, 0.3 * len(self.layers)), 3)).gca()
        methods = [e.method for e in self.explanations]
        for method in dict.fromkeys(methods):
            mine = self.rank_correlation[[m == method for m in methods]].mean(0)
            ax.plot(range(len(self.layers)), mine, marker=".", label=method)
        ax.axhline(0, color="0.7", linewidth=0.8)
        ax.set_xticks(range(len(self.layers)), self.names, rotation=90)
        ax.set_ylabel("rank correlation")
        ax.set_title(f"{self.order} randomisation of {self.model}")
        ax.legend(frameon=False)
        return ax

    def __repr__(self) -> str:
        lines = [f"<Randomisation of {self.model}, {self.order}: {len(self.explanations)} explanations x "
                 f"{len(self.layers)} layers; mean rank correlation (SSIM)>"]
        for k, name in enumerate(self.names):
            lines.append(f"  {name:<32} {self.rank_correlation[:, k].mean():+.2f} ({self.ssim[:, k].mean():+.2f})")
        return "\n".join(lines)


def randomise(model: Any, explanations: Any, *, order: str = "cascading", layers: int | Sequence[str] | None = None,
              absolute: bool = False, seed: int = 0, progress: ProgressOption = None) -> Randomisation:
    """Explain again while the network's layers become random, and compare with the maps given.

    model: the `Model` that was explained; never changed. explanations: made by `sw.explain`; one or several.
    order: "cascading": from the scores down, each step makes one more layer random; "independent": one layer at a time.
    layers: names, or at most how many steps (cascading: steps that take several layers; independent: evenly chosen layers);
    None: every layer with weights. absolute: compare |map|, as Adebayo et al. do beside the signed one. seed: of the random
    weights (see `make_random`). Errors: `MethodError` for maps from elsewhere and models without weights; `InputError` for
    another model's explanations or unknown layers.

    >>> world = sw.worlds.creatures(n=1)
    >>> model = world.model("cnn")
    >>> e = sw.explain(model, world.images[0], sw.why())
    >>> sw.metrics.randomise(model, e, layers=["fc"]).layers
    ('fc',)
    """
    start = time.perf_counter()
    model = as_model(model, "randomise")
    es, _ = explanation_list(explanations)
    if order not in ORDERS:
        raise InputError(f"order={order!r}; use 'cascading' or 'independent'.")
    found = ways(es, "randomise")
    same_model(model, es, "randomise")
    other = twin(model, "randomise")
    steps = _steps(layers_with_weights(model, picture_batch(es[0], 0, model, "randomise")), layers, order)
    trained = {k: v.clone() for k, v in other.net.state_dict().items()}
    modules = dict(other.net.named_modules())
    generator = torch.Generator().manual_seed(int(seed))
    made: list[list[np.ndarray]] = [[] for _ in es]
    with Progress(len(steps) * len(es), f"{order} randomisation", progress) as bar:
        for step in steps:
            if order == "independent":
                other.net.load_state_dict(trained)
            for name in step:
                make_random(modules[name], generator)
            for mine, rows in zip(made, remake(other, es, found, "randomise", bar), strict=True):
                mine.append(rows[0][0])
    likeness = np.array([[_alike(e.values, m, absolute) for m in maps] for e, maps in zip(es, made, strict=True)])
    return Randomisation(order, tuple(s[-1] for s in steps), likeness[..., 0], likeness[..., 1],
                         [np.stack(m) for m in made], es, model.name, int(seed), time.perf_counter() - start)


def _steps(names: list[str], layers: int | Sequence[str] | None, order: str) -> list[list[str]]:
    """Layers that become random at each step."""
    if not names:
        raise MethodError("the network has no layers with weights, so nothing can be made random.")
    if layers is None or (isinstance(layers, int) and not isinstance(layers, bool) and layers >= len(names)):
        return [[n] for n in names]
    if isinstance(layers, (int, np.integer)) and not isinstance(layers, bool):
        if layers < 1:
            raise InputError(f"layers={layers!r}; give at least 1 step, or names.")
        ends = np.linspace(len(names) / layers, len(names), layers).round().astype(int)
        if order == "independent":
            return [[names[end - 1]] for end in ends]
        return [names[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
    wanted = [layers] if isinstance(layers, str) else list(layers)  # type: ignore[arg-type]
    unknown = [n for n in wanted if n not in names]
    if unknown or not wanted:
        near = [n for u in unknown for n in nearest(str(u), names)] or names[:6]
        raise InputError(f"no layer with weights is called {', '.join(map(repr, unknown)) or 'nothing'}; there are "
                         f"{', '.join(map(repr, near))}.")
    return [[n] for n in names if n in wanted]


def _alike(given: np.ndarray, other: np.ndarray, absolute: bool) -> tuple[float, float]:
    if absolute:
        given, other = np.abs(given), np.abs(other)
    if min(given.shape) < 7:
        h, w = max(7, given.shape[0]), max(7, given.shape[1])
        return spearman(given, other), ssim(resize(given, h, w), resize(other, h, w))
    return spearman(given, other), ssim(given, other)
