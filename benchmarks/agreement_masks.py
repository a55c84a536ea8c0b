"""Searched masks beside plain searches of the same loss, twice as long: the second table of `benchmarks.agreement`.

Two searches end at different masks of nearly the same loss, so masks are not compared: each is judged by the loss as
printed, written out here and computed for both, without jitter and (FIDO) under the same 64 fresh draws. The plain search
is torch's own Adam on one image, from a mask of 1/2, with draws of its own: once with the step size (and draws a step) of
the authors' example, once with ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

import salwidgets as sw
from salwidgets.explainers import baselines

SOURCE = "benchmarks.agreement_masks:lines"
NETS = ("creatures cnn", "creatures vit", "squeezenet1_1")  # minutes each, so not all
HEAD = """## Searched masks

The loss that a search reached beside that of plain searches for twice as many steps (`benchmarks/agreement_masks.py`);
lower is better, and all are computed by the plain code. No jitter; parameters are else the defaults. Which of several
nearly equal masks a search ends at is chance: on single images either can be a little ahead. *As published*: with
the step size and the draws a step of the authors' examples (0.1; FIDO 0.05 and 8), else with ours (0.1; FIDO 0.4 and 4).

| network | method | steps | loss | plain, as published | plain, our step size | without any mask |
|---|---|---|---|---|---|---|"""

PUBLISHED = {"meaningful-perturbation": (0.1, 1), "fido": (0.05, 8)}

Loss = Callable[[Tensor, "Tensor | None"], Tensor]


def lines(name: str, model: sw.Model, x: Tensor, cls: int) -> Iterator[str]:
    """A line for each method and objective on one network."""
    net = model.net
    before = [p.requires_grad for p in net.parameters()]
    net.requires_grad_(False)
    below = baselines.blur(x, 10)
    try:
        for method, params in (("meaningful-perturbation", {"variant": "deletion"}),
                               ("meaningful-perturbation", {"variant": "preservation"}),
                               ("fido", {"objective": "ssr"}), ("fido", {"objective": "sdr"})):
            given = {**params, "jitter": 0} if method.startswith("meaningful") else params
            e = sw.explain(model, x[0], sw.why(cls), method=method, progress=False, **given)
            assert isinstance(e, sw.Explanation)
            cells, steps = torch.from_numpy(e.values)[None, None], int(e.params["steps"])
            kind = next(iter(params.values()))
            make = deletion if method.startswith("meaningful") else drops
            seen, loss, step, free = make(net, x, below, cls, cells, kind, e.params)
            with torch.no_grad():
                ours, nothing = float(loss(seen, None)), float(loss(torch.ones_like(seen), None))
            rates = PUBLISHED[method], (float(e.params["lr"]), int(e.params.get("n_samples", 1)))
            plain = {r: search(loss, step, free, 2 * steps, *r) for r in dict.fromkeys(rates)}
            found = " | ".join(f"{v:.4g}" for v in (ours, plain[rates[0]], plain[rates[1]], nothing))
            yield f"| {name} | {method}, {kind} | {steps} | {found} |"
    finally:
        for p, asked in zip(net.parameters(), before, strict=True):
            p.requires_grad_(asked)


Step = Callable[[Tensor, int], "tuple[Tensor, Tensor | None]"]


def search(loss: Loss, step: Step, free: Tensor, steps: int, lr: float, draws: int) -> float:
    """The loss after ``steps`` of Adam. step: from the free numbers to the mask's cells, and a step's draws."""
    free = free.clone().requires_grad_()
    adam = torch.optim.Adam([free], lr)
    for _ in range(steps):
        adam.zero_grad()
        cells, noise = step(free, draws)
        loss(cells, noise).backward()
        adam.step()
        if noise is None:
            free.data.clamp_(0, 1)
    with torch.no_grad():
        return float(loss(step(free, 1)[0], None))


def deletion(net: Any, x: Tensor, below: Tensor, cls: int, values: Tensor, variant: str,
             p: dict[str, Any]) -> tuple[Any, ...]:
    """Fong & Vedaldi 2017: the mask's cells m, 1 where the image is seen; sums as on the published 28 x 28 cells."""
    finer = values[0, 0].numel() / 784
    l1, tv = p["l1"] / finer, p["tv"] * finer ** (p["tv_beta"] / 2 - 1)
    sign = 1 if variant == "deletion" else -1

    def loss(m: Tensor, _: Tensor | None) -> Tensor:
        up = F.interpolate(m, x.shape[-2:], mode="bilinear", align_corners=False)
        score = net(x * up + below * (1 - up)).softmax(1)[0, cls]
        rough = sum(((a - b).abs() ** p["tv_beta"]).sum() for a, b in
                    ((m[:, :, 1:], m[:, :, :-1]), (m[..., 1:], m[..., :-1])))
        return sign * score + l1 * (1 - m if sign > 0 else m).sum() + tv * rough

    return (1 - values if sign > 0 else values), loss, lambda free, _: (free, None), torch.full_like(values, 0.5)


def drops(net: Any, x: Tensor, below: Tensor, cls: int, values: Tensor, objective: str,
          p: dict[str, Any]) -> tuple[Any, ...]:
    """Chang et al. 2019: the rates at which cells are kept, by the Concrete relaxation; sums over 224 x 224 pixels."""
    sign = 1 if objective == "sdr" else -1
    chance = torch.Generator().manual_seed(77)
    weight = p["l1"] * 224 * 224

    def noise(count: int) -> Tensor:
        return torch.rand(count, 1, *values.shape[-2:], generator=chance).clamp(1e-6, 1 - 1e-6).logit()

    judges = noise(64)

    def up(cells: Tensor) -> Tensor:
        return F.interpolate(cells, x.shape[-2:], mode="bilinear", align_corners=False)

    def loss(kept: Tensor, drawn: Tensor | None) -> Tensor:
        found = []
        for some in (judges if drawn is None else drawn).split(8):
            z = up(((kept.clamp(1e-6, 1 - 1e-6).logit() + some) / p["temperature"]).sigmoid())
            logits = net(x * z + below * (1 - z))
            rest = torch.cat([logits[:, :cls], logits[:, cls + 1:]], 1)
            found.append(logits[:, cls] - rest.logsumexp(1))
        rate = up(kept).mean()
        return sign * torch.cat(found).mean() + weight * (rate if sign < 0 else 1 - rate)

    return ((1 - values if sign > 0 else values), loss, lambda free, draws: (free.sigmoid(), noise(draws)),
            torch.zeros_like(values))
