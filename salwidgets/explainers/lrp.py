"""Layer-wise relevance propagation (LRP): the score is handed back from layer to layer, and nothing gets lost unseen.

The rules are in `lrp_rules`, the walk through the network in `lrp_graph`. The evidence keeps the graph of the pass; a
question starts it with its weights times the logits, and all rules are linear in that start.

Layer-wise relevance propagation may be covered by patents in some countries. Whoever wants to use it commercially should
look into that first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..errors import MethodError
from ..explanation import Explanation
from ..models.inputs import _column
from ..models.session import rewired, submodule
from .backward import gradients
from .base import Answer, Columns, Job, Method, apply, one_hot, weights_of
from .gradients import _AT_ONCE, ANY, check_channels, need_floats, to_map
from .guided import no_torchscript
from .lrp_graph import Choice, Graph
from .lrp_rules import RULES, STABILISER, Rule
from .path import PathEvidence
from .registry import register

COMPOSITES = {"epsilon-plus": ("epsilon", "z+", "auto"), "epsilon-gamma": ("epsilon", "gamma", "auto"),
              "epsilon-alpha-beta": ("epsilon", "alpha-beta", "auto"), "epsilon": ("epsilon", "epsilon", None),
              "gamma": ("gamma", "gamma", "auto"), "alpha-beta": ("alpha-beta", "alpha-beta", "auto")}
"""Rule of dense layers, of convolutions, and of the first layer (None: as the others of its kind)."""


class RelevanceEvidence(PathEvidence):
    """The graph of one pass. Relevances already asked for are kept: what they span costs no pass.

    A row of ``known`` is the relevance of an input's values, then the biases' share, then the stabilisers'.
    """

    leaf: Tensor
    graph: Tensor
    shares: list[Tensor]
    _told: Tensor | None = None

    def answer(self, columns: Columns) -> Answer:
        weights = weights_of(columns, self.logits)
        rows, _ = self._linear(weights)
        self._told = rows[..., -2:].double().cpu()
        linear = all(q.linear for column in columns for q in column)
        scores = (apply(columns, self.logits) if linear else (weights * self.logits).sum(-1)).double().cpu()
        known = self.params["channels"] != "max-abs"
        return Answer(self._maps(rows), scores - self._told.sum(-1) if known else None)

    def class_maps(self, classes: Sequence[int]) -> Tensor:
        return self._maps(self._linear(one_hot(classes, self.logits))[0])

    def explanations(self, columns: Columns) -> list[list[Explanation]]:
        """Answers as explanations [input][question], each with the shares of its score, in logits."""
        rows = super().explanations(columns)
        assert self._told is not None
        for n, row in enumerate(rows):
            for q, e in enumerate(row):
                bias, absorbed = self._told[q, n].tolist()
                start = float((weights_of([[columns[q][n]]], self.logits[n:n + 1]) * self.logits[n]).sum())
                given = start - bias - absorbed if e.completeness is None else e.completeness.total
                e.params = {**e.params, "input_share": given, "bias_share": bias, "absorbed_share": absorbed}
                e.notices += (f"of {start:+.4g} logits, {given:+.4g} came back to the input, {bias:+.4g} stayed with the "
                              f"network's biases and {absorbed:+.2g} with the stabilisers.",)
                lost = start - given - bias - absorbed
                if e.completeness is not None and not abs(lost) <= 1e-3 * abs(start) + 1e-4 * abs(e.values).sum():
                    e.notices += (f"{lost:+.4g} logits are missing: part of this network (an autograd function of its own, "
                                  "perhaps) is hidden from the rules, and the map is not to be trusted.",)
        return rows

    def _maps(self, rows: Tensor) -> Tensor:
        return to_map(rows[..., :-2].reshape(*rows.shape[:2], *self.x.shape[1:]).float(), self.params["channels"])

    def _integrate(self, columns: Columns | None, weights: Tensor | None) -> tuple[Tensor, tuple[str, ...]]:
        """Rows `[Q, N, values + 2]` of weights `[Q, N, K]`, one backward pass for several."""
        assert weights is not None
        if not self.graph.requires_grad:
            raise MethodError("lrp: the model's output does not depend on its input in a differentiable way. Use "
                              "occlusion or rise, which need scores only.")
        out = []
        for part in (weights * self.logits).split(_AT_ONCE):
            found = gradients(self.graph, [self.leaf, *self.shares], part)
            out.append(torch.cat([found[0].flatten(2), found[1][..., None], found[2][..., None]], -1).float())
        return torch.cat(out), ()


@register(name="lrp", family="relevance", linear=True, signed=True, complete=True, needs=("gradients",),
          passes="1 forward, 1 backward, 1 forward of the rules", seed=False, modality=ANY,
          source="Bach et al. 2015; composites after Montavon et al. 2019 and Kohlbrenner et al. 2020 (lit)")
class LRP(Method):
    """Layer-wise relevance propagation for convolutional and dense networks; map `[N, H, W]`, signed, in logits.

    composite: "epsilon-plus" (default: epsilon on dense layers, z+ on convolutions), "epsilon-gamma",
        "epsilon-alpha-beta", or one rule everywhere: "epsilon", "gamma", "alpha-beta". "epsilon-gamma" finds the creatures'
        parts better (docs/truth.md); on five photographs the default has the better insertion scores (SqueezeNet 0.50
        against 0.47, Tiny Darknet 0.59 against 0.46) and hardly worse deletion scores (0.02 and 0.05 against 0.02 and 0.04).
    first: the rule of layers that see the input itself. "auto" (default): "box" (z^B) if the model knows the range of
        its pixels (``mean`` and ``std`` were given), else "flat"; "epsilon" as a composite has none of its own. Also any
        rule by name, or None for that of the other layers.
    epsilon: of the epsilon rule, added to its denominators (1e-6, absolute; the others have 1e-6). gamma: 0.25. alpha, beta:
        2 and 1; alpha - beta must be 1.
    rules: {layer name: rule} for single layers or all in a container: "epsilon", "z+", "gamma", "alpha-beta", "flat",
        "w2", "box", or "pass" for an activation that has no rule. channels: as for saliency.

    BatchNorm is folded into the layer before or right after it; one that stands alone is a layer like a convolution, and
    in front of all layers it is preprocessing. Sums are split in proportion, max pooling gives all to its winner, means
    and interpolation share out in proportion, activations that are monotone hand on what they get. Arithmetic with
    constants before the first layer is preprocessing, too, and hands on everything (ours).

    Conservation: relevance at the input + the biases' share + the stabilisers' = score. The three are in the
    notices and in ``params`` (``input_share``, ``bias_share``, ``absorbed_share``, in logits), each summed by itself;
    ``completeness`` compares the map with the score minus the other two. Non-linear questions start from their gradient
    weights times the logits, and conserve that sum.

    Raises `MethodError` for operations without a rule: attention, softmax, layer norms, gates (also SiLU and GELU, but see
    ``rules``). Memory: the activations of the batch, once more those of convolutions, and a copy of the weights.
    LRP may be patented for commercial use; see the module's note.
    """

    defaults: ClassVar[dict[str, Any]] = {"composite": "epsilon-plus", "first": "auto", "epsilon": STABILISER, "gamma": 0.25,
                                          "alpha": 2.0, "beta": 1.0, "rules": None, "channels": "sum"}

    def prepare(self, job: Job) -> RelevanceEvidence:
        check_channels(self)
        need_floats(self, job.x)
        no_torchscript("lrp", job.model)
        choice = self._choice(job)
        with torch.enable_grad():
            leaf = job.x.detach().clone().requires_grad_()
            graph = Graph(leaf, choice, {m: name for name, m in job.model.net.named_modules()})
            with rewired(graph):
                scores = job.model.forward(leaf.clone(), job.task)
        unused = sorted(set(choice.named) - graph.used)
        if unused:
            raise MethodError(f"lrp: no layer with weights and no gate runs in {', '.join(map(repr, unused))}, so its rule "
                              "would do nothing. Name a convolution, a dense layer or a container of such.")
        evidence = self.evidence(RelevanceEvidence, job, scores.detach(), first=choice.first and choice.first.name)
        evidence.leaf, evidence.graph, evidence.shares, evidence.known = leaf, scores, graph.shares, []
        job.progress.step(len(job.x))
        return evidence

    def _choice(self, job: Job) -> Choice:
        p = self.params
        if p["composite"] not in list(COMPOSITES):
            raise MethodError(f"lrp: composite={p['composite']!r}; choose one of {', '.join(COMPOSITES)}.")
        if abs(p["alpha"] - p["beta"] - 1) > 1e-9:
            raise MethodError(f"lrp: alpha={p['alpha']} and beta={p['beta']}; alpha - beta must be 1, or relevance is lost.")
        dense, conv, first = COMPOSITES[p["composite"]]
        if p["first"] != "auto":
            first = p["first"]
        elif first == "auto":
            first = "box" if job.model.mean is not None and job.model.std is not None and job.x.ndim == 4 else "flat"
        named = p["rules"] if p["rules"] is not None else {}
        if not isinstance(named, Mapping):
            raise MethodError("lrp: rules is a dict from layer names to rules, for example {'features.0': 'flat'}.")
        for name in named:
            if isinstance(job.model.net, nn.Module):
                submodule(job.model.net, str(name))
        return Choice(self._rule(dense, job), self._rule(conv, job), None if first is None else self._rule(first, job),
                      {str(k): v if v == "pass" else self._rule(v, job) for k, v in named.items()})

    def _rule(self, name: str, job: Job) -> Rule:
        if name not in RULES:
            raise MethodError(f"lrp: no rule is called {name!r}; choose one of {', '.join(RULES)}.")
        low = high = None
        if name == "box":
            if job.x.ndim != 4:
                raise MethodError("lrp: rule 'box' needs the range of pixels, and these inputs are no images; use 'flat'.")
            low = job.model.black(job.x)
            high = low + (1 / _column(job.model.std, 1.0)).to(low)
        p = {k: float(self.params[k]) for k in ("epsilon", "gamma", "alpha", "beta")}
        return Rule(name, p["epsilon"], p["gamma"], p["alpha"], p["beta"], low, high)
