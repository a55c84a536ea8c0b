"""Questions: scalar functions of a model's scores, placed by reference frame and granularity.

A question is asked with names (`why("husky").rather_than("wolf")`) and later *bound* to a model's classes, which
turns names into indices. Bound to K classes it is a function from logits `[N, K]` to `[N]`; if it is linear it
is also a weight vector `[K]`. Reference frame (pointwise, contrastive) and granularity (class, group) follow
RFxG, "Reference-Frame x Granularity". torch is imported only when a score is computed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import QuestionError
from .taxonomy import ClassNames, Taxonomy

if TYPE_CHECKING:
    from torch import Tensor

    from .tasks import Task

LINEAR_POOLS = ("mean", "sum")
POOLS = (*LINEAR_POOLS, "logsumexp", "probability", "log-odds")


@dataclass(frozen=True)
class Binding:
    """Where a question points in one model: indices of the target and the foil among ``n_classes`` logits."""

    target: tuple[int, ...]
    foil: tuple[int, ...]
    n_classes: int
    activation: str
    target_names: tuple[str, ...]
    foil_names: tuple[str, ...]
    target_label: str
    foil_label: str
    group: bool


@dataclass(frozen=True)
class Question:
    """Why the target (rather than the foil)? Made by `why`; never changed, only bound.

    target: class names, group names or indices; empty asks for the predicted class of each input.
    foil: the same for the other side; empty means pointwise.
    pool: how the logits of several classes become one number:
        "mean" (default), "sum" (as in the RFxG code), both linear;
        "logsumexp"; "probability" (of any of them); "log-odds" (of the group against all other classes, or
        against the foil) : not linear, answered from the same evidence.
    """

    target: tuple[str | int, ...] = ()
    foil: tuple[str | int, ...] = ()
    pool: str = "mean"
    task: Task | None = None
    binding: Binding | None = field(default=None, repr=False, compare=False)

    # -- asking ----------------------------------------------------------------------------------------------

    def rather_than(self, *foils: Any) -> Question:
        """The contrast: why the target rather than ``foils`` (classes or groups; several form one group)."""
        foil = _sides(foils)
        if not foil:
            raise QuestionError("rather_than() needs at least one class or group, for example .rather_than('wolf').")
        if set(map(_key, foil)) == set(map(_key, self.target)):
            raise QuestionError(f"target and foil are both {_quote(foil)}; ask for two different classes.")
        return replace(self, foil=foil, binding=None)

    @property
    def reference_frame(self) -> str:
        """"contrastive" if there is a foil, else "pointwise"."""
        return "contrastive" if self.foil else "pointwise"

    @property
    def granularity(self) -> str:
        """"group" if the target is a list of classes or, once bound, an inner node of the tree; else "class"."""
        group = self.binding.group if self.binding else len(self.target) > 1
        return "group" if group else "class"

    @property
    def linear(self) -> bool:
        """Whether the score is a weighted sum of the logits."""
        return self.pool in LINEAR_POOLS

    @property
    def predicted(self) -> bool:
        """Whether the target is the predicted class, resolved for each input."""
        return not self.target

    def __str__(self) -> str:
        if self.task is not None:
            return self.task.sentence(self)
        b = self.binding
        target = b.target_label if b else (_quote(self.target) if self.target else "the predicted class")
        foil = b.foil_label if b else _quote(self.foil)
        return f"Why {target} rather than {foil}?" if self.foil else f"Why {target}?"

    # -- binding ---------------------------------------------------------------------------------------------

    def bind(self, classes: Sequence[str] | int, taxonomy: Taxonomy | None = None, *,
             activation: str = "softmax", predicted: int | None = None) -> Question:
        """This question about one model: names become indices.

        classes: the class names in logit order, or their number K when they have no names.
        predicted: index of the predicted class, for `why()`.
        Raises `QuestionError`: unknown or ambiguous class, empty group, target equal to foil.
        """
        names = _class_names(classes)
        if self.target:
            target, group = _resolve(self.target, names, taxonomy)
        elif predicted is not None:
            target, group = [predicted], False
        else:
            raise QuestionError("why() asks for the predicted class; it can only be bound with an input at hand.")
        foil = _resolve(self.foil, names, taxonomy)[0] if self.foil else []
        target, foil = _apart(target, foil, self, names)
        binding = Binding(
            tuple(target), tuple(foil), len(names), activation,
            tuple([names.unique(i) for i in target]), tuple([names.unique(i) for i in foil]),
            _label(self.target or (target[0],), names), _label(self.foil, names), group)
        return Question(self.target, self.foil, self.pool, self.task, binding)

    @property
    def bound(self) -> Binding:
        """The binding; `QuestionError` if the question has not met a model yet."""
        if self.binding is None:
            raise QuestionError(f"{self} is not bound to a model yet: use question.bind(model.classes, taxonomy).")
        return self.binding

    @property
    def target_names(self) -> list[str]:
        """Leaf classes of the target, once bound."""
        return list(self.bound.target_names)

    @property
    def foil_names(self) -> list[str]:
        """Leaf classes of the foil, once bound; empty for pointwise questions."""
        return list(self.bound.foil_names)

    # -- reading ---------------------------------------------------------------------------------------------

    @property
    def weights(self) -> np.ndarray:
        """Weight of each logit, float32 `[K]`. Raises `QuestionError` for a pool that is not linear."""
        if not self.linear:
            raise QuestionError(f"pool={self.pool!r} is not linear in the logits; it has no weight vector. "
                                "Use pool='mean' or 'sum', or ask the evidence itself.")
        b = self.bound
        w = np.zeros(b.n_classes, np.float32)
        w[list(b.target)] = 1.0 / len(b.target) if self.pool == "mean" else 1.0
        if b.foil:
            w[list(b.foil)] -= 1.0 / len(b.foil) if self.pool == "mean" else 1.0
        return w

    def score(self, logits: Tensor) -> Tensor:
        """The question's score `[...]` of logits `[..., K]`; differentiable."""
        b = self.bound
        if logits.shape[-1] != b.n_classes:
            raise QuestionError(f"{self} is bound to {b.n_classes} classes, but the scores have {logits.shape[-1]}.")
        target = _pool(logits, b.target, self.pool, b.activation)
        if not b.foil:
            if self.pool == "log-odds":
                return target - _log_none(logits, b.target, b.activation)
            return target
        if self.pool == "log-odds" and b.activation == "sigmoid":
            odds = [_pool(logits, side, self.pool, b.activation) - _log_none(logits, side, b.activation)
                    for side in (b.target, b.foil)]
            return odds[0] - odds[1]
        return target - _pool(logits, b.foil, self.pool, b.activation)

    def gradient(self, logits: Tensor) -> Tensor:
        """d score / d logits `[..., K]` at ``logits`` `[..., K]`; constant for linear questions."""
        import torch

        if self.linear:
            w = torch.from_numpy(self.weights).to(device=logits.device, dtype=logits.dtype)
            return w.expand(logits.shape)
        with torch.enable_grad():
            at = logits.detach().clone().requires_grad_()
            return torch.autograd.grad(self.score(at).sum(), at)[0]

    def probability(self, logits: Tensor) -> Tensor:
        """Probability `[...]` that the class is one of the target's, from logits `[..., K]`."""
        return _pool(logits, self.bound.target, "probability", self.bound.activation)

    # -- keeping ---------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a manifest; `from_dict` reads it back."""
        d: dict[str, Any] = {"target": list(self.target), "foil": list(self.foil), "pool": self.pool}
        if self.task is not None:
            d["task"] = self.task.to_dict()
        if self.binding is not None:
            b = self.binding
            d["binding"] = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(b).items()}
        return d

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> Question:
        """The question that `to_dict` described."""
        task = None
        if d.get("task"):
            from .tasks import task_from_dict

            task = task_from_dict(d["task"])
        binding = None
        if d.get("binding"):
            said: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in d["binding"].items()}
            binding = Binding(**said)
        return cls(tuple(d["target"]), tuple(d["foil"]), d["pool"], task, binding)

    @classmethod
    def parse(cls, text: str) -> Question:
        """The question in words: ``"why husky rather than wolf"``; several names are quoted: ``why "a" or "b"``."""
        words = re.sub(r"^\s*why\b", "", text.strip().rstrip("?"), flags=re.IGNORECASE).strip()
        sides = re.split(r"\s+rather\s+than\s+", words, flags=re.IGNORECASE)
        if len(sides) > 2:
            raise QuestionError(f"{text!r} says 'rather than' more than once; give several foils in quotes.")
        question = why([*_names_in(sides[0])] or None)
        return question.rather_than(*_names_in(sides[1])) if len(sides) == 2 else question


def why(target: str | int | Iterable[str | int] | None = None, *, pool: str = "mean") -> Question:
    """Ask why a model sees ``target``: a class name, an index, a group, a list of classes; None: the prediction.

    >>> print(why("husky").rather_than("wolf"))
    Why “husky” rather than “wolf”?
    """
    if pool not in POOLS:
        raise QuestionError(f"pool={pool!r} is unknown; choose one of {', '.join(POOLS)}.")
    if target is None:
        return Question(pool=pool)
    sides = _sides([target])
    if not sides:
        raise QuestionError("the group is empty: why([]) names no class. why() asks for the predicted class.")
    return Question(sides, pool=pool)


def _names_in(words: str) -> list[str | int]:
    quoted = re.findall(r"[“\"]([^”\"]+)[”\"]", words)
    if quoted:
        return list(quoted)
    words = words.strip()
    if words.isdigit():
        return [int(words)]
    return [words] if words and words not in ("the predicted class", "this") else []


def _sides(given: Iterable[Any]) -> tuple[str | int, ...]:
    """Names and indices, flattened, each once and in order."""
    out: list[str | int] = []
    for item in given:
        if isinstance(item, (str, int, np.integer)) and not isinstance(item, bool):
            out.append(item if isinstance(item, str) else int(item))
        elif isinstance(item, Iterable):
            out.extend(_sides(item))
        else:
            raise QuestionError(f"{item!r} is no class: give a name, an index or a list of them.")
    return tuple(dict.fromkeys(out))


def _key(item: str | int) -> str:
    return f"{type(item).__name__}:{item}"


def _quote(items: Iterable[str | int]) -> str:
    words = [f"“{i}”" if isinstance(i, str) else f"class {i}" for i in items]
    if len(words) > 4:
        words = [*words[:3], f"{len(words) - 3} others"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}" if words else ""


def _label(items: tuple[str | int, ...], names: ClassNames) -> str:
    return _quote([names.unique(i) if isinstance(i, int) else i for i in items])


def _class_names(classes: Sequence[str] | int) -> ClassNames:
    if isinstance(classes, ClassNames):
        return classes
    return ClassNames(f"class {i}" for i in range(classes)) if isinstance(classes, int) else ClassNames(classes)


def _resolve(items: tuple[str | int, ...], names: ClassNames, tree: Taxonomy | None) -> tuple[list[int], bool]:
    """Indices of the classes that ``items`` stand for, and whether they are a group."""
    found: list[int] = []
    group = len(items) > 1
    for item in items:
        if isinstance(item, int):
            if not 0 <= item < len(names):
                raise QuestionError(f"class index {item} is out of range: the model has {len(names)} classes.")
            found.append(item)
        elif tree is not None and item in tree and tree.is_group(item):
            members = [names.lookup(m) for m in tree.members(item) if m in names]
            if item in names:
                raise QuestionError(f"{item!r} names both a class (index {names.lookup(item)}) and a group of "
                                    f"{len(members)}; ask by index, or why(taxonomy.members({item!r})).")
            if not members:
                raise QuestionError(f"the group {item!r} is empty: none of its members is a class of this model.")
            found.extend(members)
            group = True
        else:
            found.append(_lookup(item, names, tree))
    return list(dict.fromkeys(found)), group


def _lookup(item: str, names: ClassNames, tree: Taxonomy | None) -> int:
    try:
        return names.lookup(item)
    except QuestionError as e:
        if tree is None or item in names:
            if tree is None and item not in names:
                raise QuestionError(f"{e} (Groups need a class tree: Model(..., taxonomy=...).)") from None
            raise
        from .taxonomy import nearest

        groups = nearest(item, (n for n in tree.nodes if tree.is_group(n)))
        hint = f" Groups spelt like it: {', '.join(map(repr, groups))}." if groups else ""
        raise QuestionError(f"{e}{hint}") from None


def _apart(target: list[int], foil: list[int], asked: Question, names: ClassNames) -> tuple[list[int], list[int]]:
    """Take shared classes out, so that "why husky rather than dog" compares husky with the *other* dogs.

    Ours: if one side contains the other, the larger gives the shared classes up; if they overlap, both do.
    """
    shared = set(target) & set(foil)
    if not shared:
        return target, foil
    if set(target) == set(foil):
        which = _quote([names[i] for i in target])
        raise QuestionError(f"{asked} has the same target and foil ({which}); ask for two different classes.")
    if shared != set(target):
        target = [i for i in target if i not in shared]
    if len(shared) < len(foil):
        foil = [i for i in foil if i not in shared]
    return target, foil


def _pool(logits: Tensor, index: tuple[int, ...], pool: str, activation: str) -> Tensor:
    import torch

    z = logits[..., list(index)]
    if pool == "mean":
        return z.mean(-1)
    if pool == "sum":
        return z.sum(-1)
    if pool == "logsumexp" or (pool == "log-odds" and activation == "softmax"):
        return torch.logsumexp(z, -1)
    if activation == "sigmoid":
        none = torch.nn.functional.logsigmoid(-z).sum(-1)
        some = -torch.expm1(none)
        return some if pool == "probability" else torch.log(some.clamp_min(torch.finfo(z.dtype).tiny))
    return torch.softmax(logits, -1)[..., list(index)].sum(-1)


def _log_none(logits: Tensor, index: tuple[int, ...], activation: str) -> Tensor:
    """log of the (unnormalised) probability that none of the classes holds."""
    import torch

    if activation == "sigmoid":
        return torch.nn.functional.logsigmoid(-logits[..., list(index)]).sum(-1)
    mask = torch.ones(logits.shape[-1], dtype=torch.bool, device=logits.device)
    mask[list(index)] = False
    if not bool(mask.any()):
        raise QuestionError("the group holds every class: its log-odds are infinite. Ask for a smaller group.")
    return torch.logsumexp(logits[..., mask], -1)
