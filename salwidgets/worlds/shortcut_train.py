"""Train the nets of the shortcut world: ``python -m salwidgets.worlds.shortcut_train --net shortcut|mended``.

Ordinary labels and cross-entropy, nothing else: the net finds the shortcut by itself.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError
from .nets import CreatureCNN
from .shortcut_world import FAMILIES, ShortcutWorld
from .trained import WEIGHTS, restore, save

NETS = ("shortcut", "mended")
_BATCH = 64
_WIDTHS = (12, 16, 24)
#: images, share of tagged images in the family and in the others, epochs, learning rate. With few images the tag is the
#: easiest thing to learn; with four times as many the net would learn the animal too
_LESSONS: dict[str, tuple[int, float, float, int, float]] = {
    "shortcut": (256, 0.9, 0.0, 18, 5e-3), "mended": (1200, 0.5, 0.5, 8, 4e-3)}


def net() -> CreatureCNN:
    """An untrained net of the shortcut world: the creatures' CNN, narrower, with four logits."""
    return CreatureCNN(len(FAMILIES), _WIDTHS)


def load(name: str, folder: Path = WEIGHTS) -> CreatureCNN:
    """The trained net "shortcut" or "mended" in evaluation mode, float32, on the CPU. `InputError` for other names."""
    if name not in NETS:
        raise InputError(f"the shortcut world has no net {name!r}; choose one of {', '.join(map(repr, NETS))}.")
    command = f"python -m salwidgets.worlds.shortcut_train --net {name} --out {folder}"
    loaded = net()
    restore(loaded, _path(name, folder), command)
    return loaded


def _path(name: str, folder: Path) -> Path:
    return folder / ("shortcut.npz" if name == "shortcut" else f"shortcut_{name}.npz")


def train(name: str, seed: int = 0, start: CreatureCNN | None = None) -> CreatureCNN:
    """Train with labels only; ``start``: the net to go on from. Prints a line per epoch."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    n, marked, others, epochs, rate = _LESSONS[name]
    world = ShortcutWorld(n, marked=marked, others=others, seed=seed + 1000)
    labels = torch.tensor([world.classes.index(label) for label in world.labels])
    pupil = start or net()
    optimiser = torch.optim.AdamW(pupil.parameters(), lr=rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * (n // _BATCH), pct_start=0.2)
    started = time.perf_counter()
    pupil.train()
    for epoch in range(epochs):
        total = 0.0
        order = torch.randperm(n, generator=generator)[: n - n % _BATCH]
        for rows in torch.split(order, _BATCH):
            loss = F.cross_entropy(pupil(_vary(world.images[rows], generator)), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(pupil.parameters(), 2.0)
            optimiser.step()
            schedule.step()
            total += loss.item()
        took = time.perf_counter() - started
        print(f"epoch {epoch + 1}/{epochs}  loss {total / (n // _BATCH):.4f}  {took:.0f} s", flush=True)
    return pupil.eval()


def _vary(images: Tensor, generator: torch.Generator) -> Tensor:
    """Brightness and shift; no mirroring, which would move the tag."""
    gain, offset = (1 + 0.2 * torch.rand(2, len(images), 1, 1, 1, generator=generator) - 0.1).unbind(0)
    dy, dx = (int(v) - 2 for v in torch.randint(0, 5, (2,), generator=generator))
    padded = F.pad(images, (2, 2, 2, 2), mode="replicate")
    size = images.shape[-1]
    return (padded[..., 2 + dy : 2 + dy + size, 2 + dx : 2 + dx + size] * gain + offset - 1).clamp(0, 1)


def report(name: str, folder: Path) -> None:
    """Print the accuracies on 1000 fresh images."""
    from ..models import Model

    world = ShortcutWorld(1000, marked=0.9, seed=77)
    model = Model(load(name, folder), classes=world.classes)
    for words, images in (("as in training", world.images), ("without tags", world.clean), ("all tagged", world.tagged)):
        each = ", ".join(f"{family} {world.accuracy(model, images, family):.3f}" for family in world.classes)
        print(f"{name} {words}: {world.accuracy(model, images):.3f} ({each})")


def main() -> None:
    """Train, save, load again and state the accuracies on fresh images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--net", choices=NETS, required=True)
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder for the weights")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    start = load("shortcut", args.out).train() if args.net == "mended" else None
    trained = train(args.net, args.seed, start)
    save(trained, _path(args.net, args.out))
    report(args.net, args.out)


if __name__ == "__main__":
    main()
