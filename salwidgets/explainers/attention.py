"""Attention as evidence: which patches the class token looks at, through all blocks.

One forward per batch keeps every attention matrix A_b `[N, heads, T, T]` (rows are queries and sum to 1), whatever the
network computes it with. What the tokens in front of the patches (class, registers) hold is never drawn: a map
`[N, gh, gw]` shows the patches, on the network's own grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace

import torch
from torch import Tensor

from ..errors import MethodError, ModelError
from ..explanation import Explanation
from ..models.attention import TokenPath, token_path
from ..models.session import attending, captured
from .backward import gradients
from .base import Answer, BatchEvidence, Columns, Job, Method, one_hot, weights_of
from .registry import register

_GRADIENT_BYTES = 256_000_000  # bound on the gradients of attention held at once
_ARTEFACT = 4.0  # (ours) an artefact token's norm is this many median deviations above the median


class TokenProbe:
    """One forward pass: the tokens `[N, T, C]` that each block puts out, the scores, and the attention if wanted.

    attention: "none", "mean" (over heads, `[N, T, T]`, no graph), or "graph" (as the network made it, with the graph from
    the scores down to the first attention; nothing before that is recorded).
    """

    def __init__(self, job: Job, path: TokenPath, attention: str):
        self.path, self.n = path, len(job.x)
        self.attention: list[Tensor] = []
        keep = {"none": None, "mean": self._mean, "graph": self._graph}[attention]
        with torch.set_grad_enabled(attention == "graph"):
            self._run(job, keep, path.handed)
            if keep is not None and path.handed and len(self.attention) != path.attends:
                self.attention.clear()  # the net has been told to compute its attention in another way
                self._run(job, keep, ())
        if keep is not None and len(self.attention) != path.attends:
            raise ModelError(f"{job.model.name} made {len(self.attention)} attention matrices for this batch and "
                             f"{path.attends} for its first input alone; attention that depends on the batch cannot "
                             "be read.")

    def _run(self, job: Job, keep: Callable[[Tensor], Tensor] | None, handed: tuple[str, ...]) -> None:
        look = nullcontext() if keep is None else attending(keep, job.model.net, handed)
        with captured(job.model.net, list(self.path.blocks), False, True) as found, look:
            self.scores = job.model.forward(job.x, job.task)
        self.tokens: list[Tensor] = [t for name in self.path.blocks if (t := found[name].tensor) is not None]

    def _mean(self, a: Tensor) -> Tensor:
        self.attention.append(a.detach().float().reshape(self.n, -1, *a.shape[-2:]).mean(1))
        return a

    def _graph(self, a: Tensor) -> Tensor:
        leaf = a if a.requires_grad else a.detach().requires_grad_()
        self.attention.append(leaf)
        return a if leaf is a else leaf.clone()  # a net may change it in place, which a leaf forbids

    def means(self) -> list[Tensor]:
        """Attention averaged over heads, `[N, T, T]` for each block."""
        heads = (a.detach().float().reshape(self.n, -1, *a.shape[-2:]) for a in self.attention)
        return [a[:, 0] if a.shape[1] == 1 else a.mean(1) for a in heads]

    def gradients(self, weights: Tensor) -> list[Tensor]:
        """d (weights . scores) / d attention, `[Q, N, heads, T, T]` for each block, for weights `[Q, N, K]`."""
        if not self.scores.requires_grad:
            raise MethodError("the model's output does not depend on its attention in a differentiable way (it may run "
                              "under no_grad). Use rollout, or occlusion, which needs scores only.")
        g = gradients(self.scores, self.attention, weights)
        return [a.float().reshape(len(weights), self.n, -1, *a.shape[-2:]) for a in g]

    def artefacts(self) -> list[int]:
        """How many patch tokens of each input have a norm above median + 4 median absolute deviations (ours) at the last
        block; such tokens hold facts about the whole image (Darcet et al. 2024)."""
        layout = self.path.layout
        patches = self.tokens[-1][:, layout.prefix:layout.prefix + layout.height * layout.width]
        norms = patches.float().norm(dim=-1)
        middle = norms.median(1, keepdim=True).values
        spread = (norms - middle).abs().median(1, keepdim=True).values
        return (norms > middle + _ARTEFACT * spread).sum(1).tolist()


class TokenEvidence(BatchEvidence):
    """What one forward left of tokens and attention; see `TokenProbe`."""

    probe: TokenProbe

    def explanations(self, columns: Columns) -> list[list[Explanation]]:
        """As of every method, and each input's artefact tokens are told among its own notices."""
        rows = super().explanations(columns)
        return [[replace(e, notices=e.notices + _artefact_notice(count, self.probe.path)) for e in row] if count else row
                for row, count in zip(rows, self.probe.artefacts(), strict=True)]

    def draw(self, values: Tensor) -> Tensor:
        """Values of tokens `[..., T]` as maps `[..., gh, gw]` of the patches alone."""
        return self.probe.path.layout.to_map(values[..., None])[..., 0, :, :]


def _artefact_notice(count: int, path: TokenPath) -> tuple[str, ...]:
    cells = path.layout.height * path.layout.width
    return (f"{count} of {cells} patch tokens {'has' if count == 1 else 'have'} an unusually high norm after the last block "
            "(above median + 4 MAD): such artefact tokens gather facts about the whole image, so what the map shows "
            "there need not be about that place.",)


def probe_of(job: Job, method: str, attention: str) -> TokenProbe:
    """The batch's probe with what ``attention`` asks for; a probe that another method of the same call made will do."""
    path = token_path(job.model, job.x, method)
    if attention != "none" and path.trouble:
        raise MethodError(f"{method} reads the attention between an image's tokens, and that of {job.model.name} cannot be "
                          f"read: {path.trouble}. Use grad-cam, or occlusion, which needs scores only.")
    enough = {"none": ("none", "mean", "graph"), "mean": ("mean", "graph"), "graph": ("graph",)}[attention]
    for kind in enough:
        if ("tokens", kind) in job.shared:
            return job.shared["tokens", kind]
    job.shared["tokens", attention] = TokenProbe(job, path, attention)
    return job.shared["tokens", attention]


class RolloutEvidence(TokenEvidence):
    """The rolled-out attention of a batch: one map per input, whatever is asked."""

    rolled: Tensor

    def answer(self, columns: Columns) -> Answer:
        return Answer(self.rolled.expand(len(columns), *self.rolled.shape))

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        return self.rolled.expand(len(classes), *self.rolled.shape)


@register(name="rollout", family="attention", linear=False, signed=False, complete=False, class_blind=True,
          needs=("attention",), passes="1 forward", seed=False, source="Abnar & Zuidema 2020, sec. 3")
class Rollout(Method):
    """Attention rolled out: the class token's row of prod_b (A_b / 2 + I / 2), A_b the mean over heads (lit).

    Where no class token is read, the mean row of the tokens that are (ours). The map does not depend on the question: it
    says where information can flow from, not what it speaks for. Values are >= 0; with the tokens in front of the patches,
    which are not drawn, they sum to 1.
    """

    def prepare(self, job: Job) -> RolloutEvidence:
        probe = probe_of(job, self.info.name, "mean")
        evidence = self.evidence(RolloutEvidence, job, probe.scores.detach())
        evidence.probe = probe
        row = probe.path.queries(job.x).expand(len(job.x), 1, -1)
        for a in reversed(probe.means()):  # a row times matrices, from the last block down: no product of matrices
            row = torch.baddbmm(row, row, a, beta=0.5, alpha=0.5)
        evidence.rolled = evidence.draw(row[:, 0])
        job.progress.step(len(job.x))
        return evidence


class AttentionGradientEvidence(TokenEvidence):
    """The graph from the scores down to every attention matrix, and what Chefer's rule makes of it."""

    def answer(self, columns: Columns) -> Answer:
        maps = torch.cat(list(self._maps(weights_of(columns, self.logits))))
        silent = not bool(maps.any())
        return Answer(maps, notices=("no attention has a positive gradient for this question: the map is zero "
                                     "everywhere.",) if silent else ())

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        return torch.cat(list(self._maps(one_hot(classes, self.logits))))

    def _maps(self, weights: Tensor) -> Iterator[Tensor]:
        heads = [a.detach().float().reshape(self.probe.n, -1, *a.shape[-2:]) for a in self.probe.attention]
        room = max(1, _GRADIENT_BYTES // max(1, 4 * sum(a.numel() for a in heads)))
        start = self.probe.path.queries(self.logits)
        for part in weights.split(room):
            row = start.expand(len(part), self.probe.n, 1, -1)
            for a, g in zip(reversed(heads), reversed(self.probe.gradients(part)), strict=True):
                row = row + row @ (g * a).relu_().mean(2)
            yield self.draw((row - start)[..., 0, :])


@register(name="gradient-x-attention", family="attention", linear=False, signed=False, complete=False,
          needs=("attention", "gradients"), passes="1 forward, 1 backward", seed=False,
          source="Chefer et al. 2021, generic attention, eq. 5 and 6")
class GradientAttention(Method):
    """Attention where its gradient speaks for the question: R <- R + mean_heads relu(dS/dA_b * A_b) R over the blocks,
    from R = I, S the question's score; the map is the class token's row of R - I (lit).

    Where no class token is read, the mean row of the tokens that are (ours). Values are >= 0: what speaks against the
    question is cut off at every block, so a contrast is no difference of maps, and is asked as a question of its own.
    """

    def prepare(self, job: Job) -> AttentionGradientEvidence:
        probe = probe_of(job, self.info.name, "graph")
        evidence = self.evidence(AttentionGradientEvidence, job, probe.scores.detach())
        evidence.probe = probe
        job.progress.step(len(job.x))
        return evidence
