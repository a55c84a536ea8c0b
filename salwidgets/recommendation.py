"""`recommend`: which methods to use for a model and a question, with reasons, and which to leave.

The figures come from docs/ranking.md, by way of recommend.json beside this file (`python -m benchmarks.ranking
docs/ranking.md` makes both). They were measured on small networks and few images: a place to start, not a verdict. Check
with `salwidgets.metrics.scorecard` on your own model.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ModelError, QuestionError
from .questions import Question

if TYPE_CHECKING:
    from .explainers import MethodInfo
    from .models import Model

_TABLE = Path(__file__).with_name("recommend.json")
_FLOOR = "random"
_QUICK = 0.15
_SAME_MAP = 0.6
_LARGE = 30_000_000
_MARGIN = 0.1
_NO_RULE = ("LayerNorm", "GroupNorm", "InstanceNorm2d", "GELU", "SiLU", "Mish", "Hardswish", "Sigmoid", "GLU", "LSTM", "GRU")
"""Modules for which relevance methods have no rule."""
_MODALITY = {"Conv1d": "series", "Conv2d": "image", "Conv3d": "volume", "Embedding": "text", "EmbeddingBag": "text"}


@dataclass(frozen=True)
class Choice:
    """One method: its name, why, the figures it rests on (see `Recommendation.figures_mean`), and the parameters with which
    they were measured on photographs: ``sw.explain(model, image, question, method=c.method, **c.params)``."""

    method: str
    reasons: tuple[str, ...]
    figures: dict[str, float] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method}: {'; '.join(self.reasons)}"


@dataclass(frozen=True)
class Recommendation:
    """What to use, best first, and what to avoid. Prints as a short list; iteration is over the methods to use.

    kind: "cnn", "transformer" or "black box". question: which figures were read: "class", "group" or "contrast".
    notices: what a reader must know of the recommendation itself.
    """

    best: tuple[Choice, ...]
    avoid: tuple[Choice, ...]
    kind: str
    question: str
    notices: tuple[str, ...] = ()

    figures_mean = {
        "place": "mean share of the other methods that did better, 0 best", "images": "images measured",
        "seconds": "for one map on one core, the slowest network",
        "peak": "share of maps that peak on the parts that matter",
        "insertion_over_random": "insertion area above the random map's", "share": "share of the map on those parts",
        "stability": "rank correlation when the image is flipped, shifted, darkened",
        "class_sensitivity": "correlation of the maps of the likeliest and the least likely class",
        "randomised": "rank correlation with the map while the weights become random",
    }

    @property
    def methods(self) -> list[str]:
        """Names of the methods to use, best first."""
        return [c.method for c in self.best]

    def __iter__(self) -> Any:
        return iter(self.best)

    def __len__(self) -> int:
        return len(self.best)

    def __repr__(self) -> str:
        article = "a black box" if self.kind == "black box" else f"a {self.kind.replace('cnn', 'CNN')}"
        lines = [f"For {article} and a {self.question} question, use"]
        lines += [f"  {k}. {c}" for k, c in enumerate(self.best, 1)]
        if self.avoid:
            lines += ["Avoid", *(f"  - {c}" for c in self.avoid)]
        return "\n".join([*lines, *self.notices])

    def _repr_html_(self) -> str:
        from html import escape

        def items(choices: Sequence[Choice], tag: str) -> str:
            rows = "".join(f"<li><b>{escape(c.method)}</b>: {escape('; '.join(c.reasons))}</li>" for c in choices)
            return f"<{tag}>{rows}</{tag}>"

        head = escape(repr(self).splitlines()[0])
        avoid = f"<p>Avoid</p>{items(self.avoid, 'ul')}" if self.avoid else ""
        return f"<p>{head}</p>{items(self.best, 'ol')}{avoid}" + "".join(f"<p>{escape(n)}</p>" for n in self.notices)


def recommend(model: Model | Any, question: Question | None = None) -> Recommendation:
    """Which methods to use on ``model`` for ``question`` (None: a class), with reasons, and which to avoid.

    Only methods that the model can run are named: without gradients those that need scores only, without attention blocks
    none that reads attention. Returned are the best by the ranking, the best quick one, and the best that works in another
    way, since two methods that err differently check one another. Errors: `ModelError` if it is no model, `QuestionError` if
    it is no question.

    >>> print(recommend(sw.worlds.creatures(n=1).model("cnn"), sw.why("glimmoth").rather_than("plumemoth")).kind)
    cnn
    """
    from .models import Model

    if not callable(model) and not isinstance(model, Model):
        raise ModelError(f"a model is a salwidgets.Model, a torch module or a callable, not a {type(model).__name__}.")
    if question is not None and not isinstance(question, Question):
        raise QuestionError(f"{question!r} is no question; ask salwidgets.why('husky').")
    asked = model if isinstance(model, Model) else Model(model)
    kind = _kind(asked)
    about = _about(asked, question)
    facts = _facts(kind, about)
    able = _able(asked, kind)
    floor = facts.get(_FLOOR, {}).get("place", 1.0)
    linear = question is None or question.linear
    avoid = _avoid(able, facts, floor, about)
    left = {c.method for c in avoid}
    fine = [m for m in able if m.name not in left and m.name in facts]
    fine.sort(key=lambda m: facts[m.name]["place"])
    large = _parameters(asked) > _LARGE
    if not linear:  # a slope says little of a score that saturates; hiding things asks the score itself
        fine.sort(key=lambda m: "scores" not in m.needs)
    best = [_choice(m, facts, why, linear) for m, why in _pick(fine, facts, large, linear)]
    return Recommendation(tuple(best), tuple(avoid), kind, about, _notices(asked, kind, question, large))


def able(model: Model) -> list[MethodInfo]:
    """The methods that the model can run, as far as its modules tell."""
    return _able(model, _kind(model))


# -- the model and the question ------------------------------------------------------------------------------


def _kind(model: Model) -> str:
    """"black box" without gradients, "transformer" with attention, else "cnn"."""
    if not model.differentiable:
        return "black box"
    for m in model.net.modules():
        name = type(m).__name__.lower()
        if "attention" in name or name.endswith("attn") or {"qkv", "in_proj_weight"} & {*m._modules, *m._parameters}:
            return "transformer"
    return "cnn"


def _parameters(model: Model) -> int:
    return sum(p.numel() for p in model.net.parameters()) if model.differentiable else 0


def _about(model: Model, question: Question | None) -> str:
    if question is None:
        return "class"
    if question.foil:
        return "contrast"
    if question.binding is None and question.task is None and not question.predicted and model._classes is not None:
        question = question.bind(model.classes, model.taxonomy, activation=model.activation)
    return question.granularity


@functools.lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(_TABLE.read_text(encoding="utf-8"))
    return made


def _facts(kind: str, about: str) -> dict[str, dict[str, float]]:
    """Figures of each method for this kind of network and question; of both kinds, for a black box."""
    table = _table()
    if kind != "black box":
        found: dict[str, dict[str, float]] = table["vit" if kind == "transformer" else "cnn"][about]
        return found
    both = [table[k][about] for k in ("cnn", "vit")]
    shared = set.intersection(*(set(b) for b in both))
    return {m: {key: sum(b[m][key] for b in both) / 2 for key in both[0][m] if key in both[1][m]} for m in sorted(shared)}


def _able(model: Model, kind: str) -> list[MethodInfo]:
    """The methods that the model can run, as far as its modules tell."""
    from .explainers import methods

    parts = {type(m).__name__ for m in model.net.modules()} if model.differentiable else set()
    modality = _modality(model)
    return [m for m in methods() if modality in m.modality
            and (kind != "black box" or set(m.needs) <= {"scores"})
            and (kind == "transformer" or "attention" not in m.needs)
            and not (m.family == "relevance" and parts & set(_NO_RULE))]


def _modality(model: Model) -> str:
    """What the first layer with weights takes; an image where that cannot be said."""
    modules = model.net.modules() if model.differentiable else ()
    return next((_MODALITY[name] for name in (type(m).__name__ for m in modules) if name in _MODALITY), "image")


# -- choosing ------------------------------------------------------------------------------------------------


def _pick(fine: list[MethodInfo], facts: dict[str, dict[str, float]], large: bool,
          linear: bool) -> list[tuple[MethodInfo, str]]:
    """The best, the best quick one, and the best of another family, or else the next best."""
    if not fine:
        return []
    best = "the best here" if linear else "the best of those that ask the score itself"
    quick = [m for m in fine if facts[m.name].get("seconds", 1e9) <= _QUICK]
    first = quick[0] if large and quick else fine[0]
    picked = [(first, "the best of the quick ones, and the network is large" if first is not fine[0] else best)]
    if quick and quick[0] is not first:
        picked.append((quick[0], "the best of the quick ones"))
    if first is not fine[0]:
        picked.append((fine[0], "the best here, if you have the time"))
    seen = {m.family for m, _ in picked}
    other = next((m for m in fine if m.family not in seen), None)
    if other is not None:
        picked.append((other, "works in another way, so it checks the others"))
    elif len(fine) > len(picked):
        picked.append((next(m for m in fine if m not in [p for p, _ in picked]), "the next best"))
    return picked


def _choice(m: MethodInfo, facts: dict[str, dict[str, float]], why: str, linear: bool) -> Choice:
    f, params = facts[m.name], _table()["settings"].get(m.name, {})
    reasons = [why, f"mean rank {f['place']:.2f} (0 best; a random map {facts[_FLOOR]['place']:.2f})"]
    if "peak" in f:
        reasons.append(f"its peak lies on what matters in {f['peak']:.0%} of the creatures")
    if "seconds" in f:
        settings = ", ".join(f"{k} {v}" for k, v in params.items())
        reasons.append(f"{f['seconds']:.2g} s a map on one core" + (f" with {settings}" if settings else ""))
    if not linear and "scores" in m.needs:
        reasons.append("asks your score itself, whatever its shape")
    elif not linear and m.family not in ("path", "mask"):
        reasons.append("reads the slope of your score at this input only, which is near 0 where it saturates")
    if m.seed:
        reasons.append("draws at random: fix the seed")
    return Choice(m.name, tuple(reasons), dict(f), dict(params))


def _avoid(able: list[MethodInfo], facts: dict[str, dict[str, float]], floor: float, about: str) -> list[Choice]:
    """Methods that cannot answer this, that no figure tells from chance, or whose maps hardly read the network."""
    out = []
    for m in able:
        f = facts.get(m.name, {})
        reasons = []
        if m.class_blind and about == "contrast":
            reasons.append("draws one map for every question, so it cannot answer a contrast")
        if f and f["place"] > floor - _MARGIN:
            reasons.append(f"hardly better than a random map here (mean rank {f['place']:.2f}, random {floor:.2f})")
        if f.get("randomised", 0.0) > _SAME_MAP:
            reasons.append(f"its map stays when the weights become random (rank correlation {f['randomised']:.2f}): "
                           "it shows the image more than what was learnt")
        if f.get("class_sensitivity", 0.0) > _SAME_MAP and not m.class_blind:
            reasons.append("its maps of the likeliest and the least likely class are much the same (correlation "
                           f"{f['class_sensitivity']:.2f})")
        if reasons:
            out.append(Choice(m.name, tuple(reasons), dict(f)))
    return out


def _notices(model: Model, kind: str, question: Question | None, large: bool) -> tuple[str, ...]:
    said = ["The figures are of small networks and few images (docs/ranking.md); check with sw.metrics.scorecard on your "
            "own."]
    if question is not None and question.task is not None:
        said.append("They were measured for classes; your question reads another output.")
    if question is not None and not question.linear:
        said.append(f"pool={question.pool!r} is not linear, so methods that ask the score itself come first.")
    if _modality(model) != "image":
        said.append(f"They were measured on images; this network takes {_modality(model)}.")
    if kind == "black box":
        said.append("Without gradients only methods that hide parts of the input can run; each map takes many passes.")
    if large:
        said.append("The network is large: quick methods come first.")
    return tuple(said)
