"""Train a net of the creatures world: ``python -m salwidgets.worlds.train --net cnn --out DIR --seed 0``.

The loss has three parts: the evidence that the visible parts give each class (squared error on the logits), the
class itself (cross-entropy, where enough is drawn), and a map of part variants read from the last features by a
1 x 1 convolution that is thrown away afterwards. The last is what lets the ViT learn soon.

On one core that other work shared, the CNN took 13 minutes and the ViT 35; both then name every one of 2000 fresh
images rightly. Another machine or another number of threads gives other weights that do as well.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import trained
from .anatomy import VARIANTS
from .lessons import EVIDENCE, Evidence, Lessons, cover, draw_lessons
from .nets import NETS, CreatureNet

_SETTINGS = {"cnn": {"epochs": 10, "lr": 4e-3}, "vit": {"epochs": 20, "lr": 1.5e-3}}
_BATCH = 64


class Pupil(nn.Module):
    """A net together with the part reader that is thrown away."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.net = NETS[name]()
        self.reader = nn.Conv2d(self.net.channels, len(VARIANTS), 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``[N, 12]`` and part logits ``[N, 20, 8, 8]``."""
        logits, features = self.net.logits_and_map(x)
        return logits, self.reader(features)


def vary(images: Tensor, parts: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mirror half of a batch, shift all of it by up to 3 px, and change brightness and contrast a little."""
    x, p = images.float() / 255, parts
    mirrored = torch.rand(len(x), generator=generator) < 0.5
    x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
    p = torch.where(mirrored[:, None, None], p.flip(2), p)
    dy, dx = (int(v) - 3 for v in torch.randint(0, 7, (2,), generator=generator))
    x, p = x.roll((dy, dx), (2, 3)), p.roll((dy, dx), (1, 2))
    gain, offset = (1 + 0.2 * torch.rand(2, len(x), 1, 1, 1, generator=generator) - 0.1).unbind(0)
    return (x * gain + offset - 1).clamp(0, 1), p


def loss_of(
    pupil: Pupil, lessons: Lessons, rows: Tensor, evidence: Evidence, generator: torch.Generator
) -> Tensor:
    """Loss of one batch, given by its ``rows``."""
    images, parts = vary(lessons.images[rows], lessons.parts[rows], generator)
    images, left = cover(images, generator)
    labels = lessons.labels[rows]
    scores, maps = evidence(parts, labels, left)
    logits, read = pupil(images)
    clear = lessons.whole[rows] & (left.flatten(1).amin(1) > 0.99)
    answer = F.mse_loss(logits, scores) / EVIDENCE
    name = F.cross_entropy(logits[clear], labels[clear]) if bool(clear.any()) else logits.sum() * 0
    where = F.binary_cross_entropy_with_logits(read, maps) * len(VARIANTS)
    return answer + 0.2 * name + where


@torch.no_grad()
def accuracy(net: nn.Module, n: int, seed: int) -> float:
    """Share of ``n`` fresh images that are named rightly."""
    from .world import CreatureWorld

    world = CreatureWorld(n, seed)
    said = torch.cat([net(batch).argmax(1) for batch in torch.split(world.images, 250)])
    return float((said == torch.tensor([world.classes.index(name) for name in world.labels])).float().mean())


def train(name: str, seed: int, n: int, epochs: int) -> CreatureNet:
    """Train from scratch; prints a line per epoch."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    started = time.perf_counter()
    lessons = draw_lessons(n, seed + 1000)
    print(f"drew {n} images in {time.perf_counter() - started:.0f} s", flush=True)
    pupil, evidence = Pupil(name), Evidence()
    steps = epochs * (n // _BATCH)
    optimiser = torch.optim.AdamW(pupil.parameters(), lr=_SETTINGS[name]["lr"], weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, _SETTINGS[name]["lr"], total_steps=steps, pct_start=0.15
    )
    for epoch in range(epochs):
        total = 0.0
        order = torch.randperm(n, generator=generator)[: n - n % _BATCH]
        for rows in torch.split(order, _BATCH):
            loss = loss_of(pupil, lessons, rows, evidence, generator)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(pupil.parameters(), 2.0)
            optimiser.step()
            schedule.step()
            total += loss.item()
        mean, took = total / (n // _BATCH), time.perf_counter() - started
        print(f"epoch {epoch + 1}/{epochs}  loss {mean:.4f}  {took:.0f} s", flush=True)
    return pupil.net.eval()


def main() -> None:
    """Train, save, load again and state the accuracy on fresh seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--net", choices=sorted(NETS), required=True)
    parser.add_argument("--out", type=Path, default=trained.WEIGHTS, help="folder for NET.npz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=12000)
    parser.add_argument("--epochs", type=int, default=None)
    args = parser.parse_args()
    started = time.perf_counter()
    net = train(args.net, args.seed, args.images, args.epochs or int(_SETTINGS[args.net]["epochs"]))
    trained.save(net, args.out / f"{args.net}.npz")
    took = time.perf_counter() - started
    right = accuracy(trained.load(args.net, args.out), 2000, seed=args.seed + 77)
    print(f"{args.net}: {100 * right:.2f} % on 2000 fresh images, trained in {took:.0f} s")


if __name__ == "__main__":
    main()
