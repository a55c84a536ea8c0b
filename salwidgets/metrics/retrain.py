"""Remove and retrain (ROAR): is what a map values needed, even by a network that may learn to do without it?

Deletion shows a network images it never saw. Here a small network is trained from scratch on images from which the top
pixels of their maps are gone, and tested on such images. What no longer can be learnt was in the pixels removed.
"""

from __future__ import annotations

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
from .registry import explanation_list, metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RANDOM = "random"
_BATCH = 32
_RATE = 4e-3


@dataclass(eq=False)
class Retraining:
    """Accuracies of networks trained on images without their maps' top pixels.

    fractions: float64 `[S]`, of the pixels removed; the first is 0. accuracy: method (and "random", for pixels removed at
    random) -> float64 `[S]`, on held-out images treated alike. train, test: how many images.
    """

    fractions: np.ndarray
    accuracy: dict[str, np.ndarray]
    train: int
    test: int
    classes: tuple[str, ...] = ()
    seed: int = 0
    elapsed: float = field(default=0.0, compare=False)

    def drop(self, method: str) -> float:
        """Mean fall of the accuracy over the fractions above 0; higher: what the map values was needed more."""
        if method not in self.accuracy:
            raise MethodError(f"no curve for {method!r}; there are {', '.join(self.accuracy)}.")
        y = self.accuracy[method]
        return float(np.mean(y[0] - y[1:]))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Accuracy against the share removed; never shows a window."""
        if ax is None:
            from matplotlib.figure import Figure

            ax = Figure(figsize=(4.5, 3), layout="constrained").subplots()
        for method, y in self.accuracy.items():
            ax.plot(self.fractions, y, marker=".", label=method, color="0.6" if method == RANDOM else None)
        ax.set_xlabel("share of pixels removed")
        ax.set_ylabel("accuracy after retraining")
        ax.legend(frameon=False)
        return ax

    def __repr__(self) -> str:
        lines = [f"<Retraining on {self.train} images, tested on {self.test}; accuracy with a share of pixels removed>",
                 "  " + " ".join(["removed".ljust(24), *(f"{f:>5.0%}" for f in self.fractions), "  mean fall"])]
        lines += ["  " + " ".join([m.ljust(24), *(f"{a:>5.0%}" for a in y), f"  {self.drop(m):+.3f}"])
                  for m, y in self.accuracy.items()]
        return "\n".join(lines)


def retraining(explanations: Any, world: Any, *, fractions: Sequence[float] = (0.1, 0.3, 0.5, 0.7),
               granularity: str = "group", test_share: float = 0.3, epochs: int = 12,
               widths: tuple[int, int, int] = (8, 16, 24), size: int = 32, seed: int = 0,
               progress: ProgressOption = None) -> Retraining:
    """Train small networks on a world's images without the pixels that maps value most (Hooker et al. 2019, ROAR).

    explanations: made on *every* image of ``world``, one per image and method, in any order: for example
        ``sw.explain(model, world.images, sw.why(), method=[...])``. world: such as `sw.worlds.creatures`; a few hundred
        images are enough for families. Maps are compared with their signs: the top is what speaks for the answer.
    fractions: shares of the pixels that become the image's mean colour; 0 is always measured first.
    granularity: what is learnt: "group" (the parent of each label in the world's tree) or "class".
    test_share: images at the end of the world that are only tested on. epochs, widths, size: of the network (the creatures'
    CNN with these widths) and of its input, to which images are averaged down after the removal.

    Each fraction and method is a training of its own from ``seed``: some seconds on one core. ``progress`` counts epochs and
    may raise to stop. "random" removes the same shares at random: a method that is worth its name falls below it. Errors:
    `InputError` where an image of the world has no map, `MethodError` for a world without labels.
    """
    start = time.perf_counter()
    es, _ = explanation_list(explanations)
    maps = _maps_of(es, world)
    steps = _fractions(fractions)
    names, targets = _targets(world, granularity)
    held = round(test_share * len(targets))
    if not 0 < held < len(targets) - _BATCH:
        raise InputError(f"test_share={test_share!r} of {len(targets)} images leaves too few: {_BATCH} or more are "
                         "needed to train on, and at least one to test.")
    chance = np.random.default_rng(seed)
    h, w = world.images.shape[-2:]
    orders = {m: _orders(v) for m, v in maps.items()} | {RANDOM: np.argsort(chance.random((len(targets), h * w)), axis=1)}
    lesson = _Lesson(targets, held, len(names), epochs, widths, size, int(seed))
    accuracy: dict[str, np.ndarray] = {}
    with Progress(epochs * (1 + len(orders) * (len(steps) - 1)), "retraining", progress) as bar:
        whole = lesson.learn(world.images, bar)
        for method, order in orders.items():
            accuracy[method] = np.array([whole, *(lesson.learn(remove(world.images, order, f), bar) for f in steps[1:])])
    return Retraining(np.array(steps), accuracy, len(targets) - held, held, tuple(names), int(seed),
                      time.perf_counter() - start)


@metric(family="faithfulness", better="higher", needs=("world",), range="-1..1", passes="trainings",
        cannot="anything of a single image; and where evidence is repeated, a network learns from what is left, and a right "
               "map looks wrong",
        source="Hooker et al. 2019, sec. 3 (ROAR); mean fall, less that of random pixels (ours)")
def remove_and_retrain(explanations: list[Explanation], world: Any, *, fractions: Sequence[float] = (0.3, 0.6),
                       granularity: str = "group", test_share: float = 0.3, epochs: int = 12, seed: int = 0,
                       progress: ProgressOption = None) -> np.ndarray:
    """How much more accuracy is lost without a method's top pixels than without random ones, after training again.

    One figure per method, repeated for each of its explanations: they must cover every image of ``world``. See `retraining`,
    which gives the curves. 0 is what random pixels score. Takes trainings: seconds to minutes.
    """
    made = retraining(explanations, world, fractions=fractions, granularity=granularity, test_share=test_share,
                      epochs=epochs, seed=seed, progress=progress)
    return np.array([made.drop(e.method) - made.drop(RANDOM) for e in explanations])


def remove(images: Tensor, order: np.ndarray, fraction: float) -> Tensor:
    """Images `[N, C, H, W]` whose first ``fraction`` of the pixels in ``order`` `[N, H W]` are each image's mean colour."""
    flat = images.flatten(2).clone()
    first = torch.from_numpy(order[:, :int(fraction * order.shape[1] + 1e-6)].copy())
    mean = flat.mean(2, keepdim=True)
    flat.scatter_(2, first[:, None].expand(-1, flat.shape[1], -1), mean.expand(-1, -1, first.shape[1]))
    return flat.view_as(images)


def _orders(maps: np.ndarray) -> np.ndarray:
    """Pixels `[N, H W]` from the most valued down; equal ones in reading order."""
    return np.argsort(-maps.reshape(len(maps), -1), axis=1, kind="stable")


def _maps_of(es: list[Explanation], world: Any) -> dict[str, np.ndarray]:
    """Each method's maps `[N, H, W]` in the order of the world's images."""
    if not hasattr(world, "images") or not hasattr(world, "labels"):
        raise MethodError(f"remove and retrain needs a world with images and labels, such as sw.worlds.creatures(), not a "
                          f"{type(world).__name__}.")
    n, (h, w) = len(world.images), world.images.shape[-2:]
    where = {row.tobytes(): i for i, row in enumerate(world.images.numpy().astype(np.float32))}
    found: dict[str, list[np.ndarray | None]] = {}
    for k, e in enumerate(es):
        i = where.get(e.input.tobytes())
        if i is None:
            raise InputError(f"explanation {k} is of no image of this world; explain world.images.")
        rows = found.setdefault(e.method, [None] * n)
        if rows[i] is not None:
            raise InputError(f"{e.method} has two maps of image {i} (explanation {k}); give one question per image.")
        rows[i] = resize(e.values, h, w)
    for method, rows in found.items():
        missing = [i for i, v in enumerate(rows) if v is None]
        if missing:
            raise InputError(f"remove and retrain needs {method}'s map of every image of the world, and "
                             f"{len(missing)} of {n} are missing (the first is image {missing[0]}): explain world.images.")
    return {m: np.stack([v for v in rows if v is not None]) for m, rows in found.items()}


def _targets(world: Any, granularity: str) -> tuple[list[str], Tensor]:
    if granularity not in ("group", "class"):
        raise InputError(f"granularity={granularity!r}; use 'group' or 'class'.")
    labels = [str(world.taxonomy.parent(name)) if granularity == "group" else name for name in world.labels]
    names = sorted(set(labels))
    if len(names) < 2:
        raise InputError(f"all images of this world are of one {granularity}, {names[0]!r}: there is nothing to learn.")
    return names, torch.tensor([names.index(label) for label in labels])


def _fractions(given: Sequence[float]) -> list[float]:
    steps = sorted({0.0, *(float(f) for f in given)})
    if len(steps) < 2 or not all(0 <= f <= 1 for f in steps):
        raise InputError(f"fractions={list(given)!r}; give shares between 0 and 1, for example (0.1, 0.3, 0.5).")
    return steps


@dataclass(frozen=True)
class _Lesson:
    """One training: the same network, images in the same order and the same shifts, whatever was removed."""

    targets: Tensor
    held: int
    n_classes: int
    epochs: int
    widths: tuple[int, int, int]
    size: int
    seed: int

    def learn(self, images: Tensor, bar: Progress) -> float:
        """Train on all but the held-out images, and the accuracy on those."""
        from ..worlds.nets import CreatureCNN

        x = nn.functional.adaptive_avg_pool2d(images, min(self.size, images.shape[-1]))
        n = len(x) - self.held
        state = torch.random.get_rng_state()
        torch.manual_seed(self.seed)
        try:
            net = CreatureCNN(self.n_classes, self.widths)
        finally:
            torch.random.set_rng_state(state)
        chance = torch.Generator().manual_seed(self.seed)
        optimiser = torch.optim.AdamW(net.parameters(), lr=_RATE, weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=self.epochs * (n // _BATCH),
                                                       pct_start=0.2)
        with torch.inference_mode(False), torch.enable_grad():
            for _ in range(self.epochs):
                for rows in torch.randperm(n, generator=chance)[:n // _BATCH * _BATCH].split(_BATCH):
                    optimiser.zero_grad()
                    loss = nn.functional.cross_entropy(net(self._varied(x[rows], chance)), self.targets[rows])
                    loss.backward()
                    optimiser.step()
                    schedule.step()
                bar.step(1)
        net.eval()
        with torch.no_grad():
            said = torch.cat([net(part).argmax(1) for part in x[n:].split(64)])
        return float((said == self.targets[n:]).float().mean())

    @staticmethod
    def _varied(x: Tensor, chance: torch.Generator) -> Tensor:
        """Half of the batches mirrored, all shifted by up to two pixels."""
        if float(torch.rand((), generator=chance)) < 0.5:
            x = x.flip(-1)
        dy, dx = (int(v) - 2 for v in torch.randint(0, 5, (2,), generator=chance))
        return x.roll((dy, dx), (2, 3))
