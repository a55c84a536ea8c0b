"""A transformer's tokens in the space of its classes: what the head would say of every token after every block.

Vilas et al. 2023 put each token h_b,t of the residual stream after block b through the network's own final norm and
head. That gives evidence E = head(norm(h)) `[blocks, N, T, K]`: every patch has a logit for every class, at every depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from ..errors import MethodError, ModelError
from ..models.attention import Tail
from .attention import TokenEvidence, probe_of
from .base import Answer, Columns, Job, Method, weights_of
from .registry import register

if TYPE_CHECKING:
    from .api import PreparedEvidence


class ClassEmbeddingEvidence(TokenEvidence):
    """Logits of every token after one block, and the tokens of all blocks for those who want more of them."""

    cheap_basis: ClassVar[bool] = True
    tail: Tail
    cells: Tensor
    """`[N, gh, gw, K]` after the chosen block."""

    def answer(self, columns: Columns) -> Answer:
        return Answer(torch.einsum("nhwk,qnk->qnhw", self.cells, weights_of(columns, self.logits)))

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        return self.cells[..., list(classes)].movedim(-1, 0)

    @property
    def evidence(self) -> Tensor:
        """Logits `[blocks, N, T, K]` of every token (those in front of the patches too) after every block."""
        with self.model.session(), torch.no_grad():
            every = torch.stack([self.tail.each(self.model.net, t).float() for t in self.probe.tokens])
        mine = self.probe.path.layout.to_map(every[self.params["block"]]).movedim(-3, -1)
        if not torch.allclose(mine, self.cells, rtol=1e-3, atol=1e-4 * float(self.cells.abs().max())):
            raise ModelError("the model's weights were changed after this evidence was prepared; prepare it again.")
        return every

    def _map_bytes(self) -> int:
        return 4 * self.cells[..., 0].numel()


@register(name="class-embedding", family="attention", linear=True, signed=True, complete=False, needs=("attention",),
          passes="1 forward", seed=False, source="Vilas et al. 2023, sec. 3")
class ClassEmbedding(Method):
    """The question's score of each patch token after ``block``: w . head(norm(h_block,t)), w the question's weights (lit).

    block: 0 is the first; -1, the last, is the default. A class-token network never reads the patch tokens of its last
    block, yet they mostly lie in the same space. Where the head reads the class token and the mean of the patches side by
    side, a token stands for both (ours). A pool that is not linear is read by its gradient at the input's logits.
    """

    defaults = {"block": -1}

    def prepare(self, job: Job) -> ClassEmbeddingEvidence:
        if job.task is not None:
            raise MethodError("class-embedding reads the network's own class scores, not another task's. Use "
                              "integrated-gradients or occlusion.")
        probe = probe_of(job, self.info.name, "none")
        block, depth, tail = self.params["block"], len(probe.tokens), probe.path.tail
        if isinstance(block, bool) or not isinstance(block, int) or not -depth <= block < depth:
            raise MethodError(f"class-embedding: block={block!r}; {job.model.name} has {depth} blocks: give 0 to "
                              f"{depth - 1}, or -1 for the last.")
        if tail is None:
            raise MethodError(f"class-embedding puts single tokens through the final norm and head, and what "
                              f"{job.model.name} does after its last block is no chain of modules that one token can pass. "
                              "Use gradient-x-attention or grad-cam.")
        with torch.no_grad():
            each = tail.each(job.model.net, probe.tokens[block]).float()
        evidence = self.evidence(ClassEmbeddingEvidence, job, probe.scores.detach(), probe.path.blocks[block])
        evidence.probe, evidence.tail = probe, tail
        evidence.cells = probe.path.layout.to_map(each).movedim(-3, -1)
        job.progress.step(len(job.x))
        return evidence


def class_evidence(prepared: PreparedEvidence) -> Tensor:
    """Logits `[blocks, N, T, K]` of every token after every block, of evidence prepared by class-embedding."""
    parts = [p for p in prepared.parts if isinstance(p, ClassEmbeddingEvidence)]
    if not parts:
        raise MethodError(f"this is evidence of {prepared.method}; prepare it with method='class-embedding'.")
    return torch.cat([p.evidence for p in parts], 1)


def identifiability(evidence: Tensor, classes: int | Sequence[int] | Tensor) -> Tensor:
    """How well a class can be told from each token: 1 - rank / K `[blocks, N, T]`, rank 0 if no class scores higher.

    evidence: logits `[blocks, N, T, K]` (`class_evidence`); classes: one for all inputs, or one for each of the N. A random
    token has 0.5 on average, a token that names the class 1. Vilas et al. 2023, sec. 4; ranks count from 0 (ours).

    >>> identifiability(torch.tensor([[[[3.0, 1.0, 2.0]]]]), 2)
    tensor([[[0.6667]]])
    """
    index = torch.as_tensor(classes, device=evidence.device).reshape(-1)
    if len(index) not in (1, evidence.shape[1]):
        raise MethodError(f"{len(index)} classes for {evidence.shape[1]} inputs; give one, or one for each input.")
    own = evidence.gather(-1, index.expand(evidence.shape[1])[:, None, None].expand(*evidence.shape[:-1], 1))
    return 1 - (evidence > own).sum(-1) / evidence.shape[-1]
