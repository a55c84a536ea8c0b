"""Transformers from inside: their blocks, the grid their tokens lie on, their attention, and what reads their tokens.

All of it is found by one forward on one input and checked by numbers, never guessed from a class name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ..errors import MethodError, ModelError
from .adapter import Model
from .layers import Layout, blocks, token_layout
from .outputs import find_logits
from .session import Run, attending, watched

_ALIKE = {torch.float32: 1e-4, torch.float64: 1e-6}
_NO_PART = (nn.Dropout, nn.Identity, nn.Flatten, nn.AdaptiveAvgPool1d)  # pooling is tried by itself
_MOST = 10  # modules after the last block, beyond which none is left out
_POOLS = ("first", "mean", "patches", "rest", "first and patches", "first and rest")


@dataclass(frozen=True)
class Tail:
    """What turns the last block's tokens into scores: ``modules`` by name, run one after the other on each token.

    pool: which tokens are read: the "first" one, the "mean" of all, of the "patches", or of the "rest" after the first;
    "first and ..." puts both side by side. place: how many modules run before that.
    """

    modules: tuple[str, ...]
    pool: str
    place: int

    def each(self, net: nn.Module, tokens: Tensor) -> Tensor:
        """Scores `[N, T, K]` of tokens `[N, T, C]`: what the net would say if every token were this one."""
        for i, name in enumerate((*self.modules, None)):
            if i == self.place and self.pool.startswith("first and"):
                tokens = torch.cat([tokens, tokens], -1)
            if name is not None:
                tokens = net.get_submodule(name)(tokens)
        n, t = tokens.shape[:2]
        return find_logits(tokens.flatten(0, 1), n * t).unflatten(0, (n, t))

    def whole(self, net: nn.Module, tokens: Tensor, prefix: int) -> Tensor:
        """The net's own scores `[N, K]` from the last block's tokens."""
        for i, name in enumerate((*self.modules, None)):
            if i == self.place:
                tokens = _pooled(tokens, self.pool, prefix)
            if name is not None:
                tokens = net.get_submodule(name)(tokens)
        return find_logits(tokens, len(tokens))


@dataclass(frozen=True)
class TokenPath:
    """How images go through a transformer.

    blocks: names of the blocks whose output are its tokens, in order. tokens: how many (T). layout: where the patches
    among them lie. tail: what reads them after the last block; None if it is no chain of modules. attends: how many
    attention matrices between all tokens one forward makes; 0 with ``trouble``, a clause saying why there are none.
    handed: the modules that put each of them out as it is, in order; none unless all are.
    """

    blocks: tuple[str, ...]
    tokens: int
    layout: Layout
    tail: Tail | None
    attends: int
    trouble: str
    handed: tuple[str, ...] = ()

    def queries(self, like: Tensor) -> Tensor:
        """Weights `[T]` of the tokens whose rows of attention answer: the class token, else the mean of all that are
        read (a prefix of registers alone is no class token, which the tail tells)."""
        w = torch.zeros(self.tokens, device=like.device)
        pool = self.tail.pool if self.tail else ("first" if self.layout.prefix else "mean")
        if pool.startswith("first"):
            w[0] = 1.0
        else:
            w[{"mean": 0, "rest": 1, "patches": self.layout.prefix}[pool]:] = 1.0
        return w / w.sum()


def reads_class_token(model: Model, x: Tensor) -> bool:
    """Whether a network with tokens in front of the patches gives its scores by the first of them, as far as is known."""
    try:
        tail = token_path(model, x, "this method").tail
    except (MethodError, ModelError):
        return True
    return tail is None or tail.pool.startswith("first")


@dataclass(frozen=True, eq=False)
class _Seen:
    """An attention matrix: its shape, its place in memory, and its last row as it was made."""

    shape: torch.Size
    place: int
    row: Tensor


_FOUND: WeakKeyDictionary[Model, dict[Any, TokenPath]] = WeakKeyDictionary()


def token_path(model: Model, x: Tensor, method: str) -> TokenPath:
    """The path of tokens for inputs shaped like ``x``; found by one forward, then remembered.

    Raises `MethodError`, which names ``method``, for a model without transformer blocks; `ModelError` if its tokens cannot
    be placed on a grid.
    """
    other = "Use grad-cam, or occlusion, which needs scores only."
    if not isinstance(model.net, nn.Module):
        raise MethodError(f"{method} looks inside transformer blocks, and {model.name} is a plain callable. Use occlusion "
                          "or rise, which need scores only, or give the torch module itself.")
    if x.ndim != 4:
        raise MethodError(f"{method} draws the patches of images [N, C, H, W]; these inputs are {list(x.shape)}. Use "
                          "integrated-gradients.")
    known = _FOUND.setdefault(model, {})
    key = tuple(x.shape[1:])
    if key not in known:
        seen: list[_Seen] = []

        def note(attention: Tensor) -> Tensor:
            seen.append(_Seen(attention.shape, attention.data_ptr(), attention[..., -1, :].clone()))
            return attention

        with model.session(), torch.no_grad(), watched(model.net) as runs:
            with attending(note):
                output = model.call(x[:1])
            found = blocks(runs)
            if not found or found[-1].output.ndim != 3:
                what = "no transformer block with attention ran in" if not found else \
                    f"blocks put out {list(found[-1].output.shape)}, not one sequence of tokens, in"
                raise MethodError(f"{method} needs a transformer: {what} {model.name}. {other}")
            known[key] = _describe(model, runs, found, output, seen)
    return known[key]


def _describe(model: Model, runs: Sequence[Run], found: Sequence[Run], output: Any,
              seen: Sequence[_Seen]) -> TokenPath:
    last = found[-1]
    t = last.output.shape[1]
    layout = token_layout(t, runs, model.token_grid)
    after = runs[next(i for i, r in enumerate(runs) if r is last) + 1:]
    names = [r.name for r in after
             if not any(True for _ in r.module.children()) and not isinstance(r.module, _NO_PART)]
    same = [r.name for r in found if r.output.shape == last.output.shape]
    trouble = ""
    if not seen:
        trouble = "no softmax of it was seen (a kernel of its own, or attention that is linear)"
    elif any(s.shape[-1] != t or (len(s.shape) == 4 and s.shape[0] != 1) for s in seen):
        trouble = "it is not between all tokens (it stays inside windows, as in Swin, or tokens are merged on the way)"
    return TokenPath(tuple(dict.fromkeys(same)), t, layout, _tail(model.net, names, last.output, layout.prefix, output),
                     0 if trouble else len(seen), trouble, () if trouble else _handed(runs, seen))


def _handed(runs: Sequence[Run], seen: Sequence[_Seen]) -> tuple[str, ...]:
    """Names of the modules whose outputs are the matrices ``seen``, in order; none unless each has one of its own."""
    put_out = {(r.output.data_ptr(), r.output.shape): r for r in reversed(runs) if r.plain}
    found = [r for s in seen if (r := put_out.get((s.place, s.shape))) and torch.equal(r.output[..., -1, :], s.row)]
    names = tuple(r.name for r in found)
    once = len(names) == len(seen) == sum(r.name in names for r in runs)
    return names if once else ()


def _tail(net: nn.Module, names: list[str], tokens: Tensor, prefix: int, output: Any) -> Tail | None:
    """The chain of ``names`` that makes the net's own scores from its last tokens, found by trying where it pools.

    Some of what ran may not count: CLIP puts its class token through a norm that its classifier never reads. So one run of
    neighbours is left out, the shortest that will do.
    """
    try:
        scores = find_logits(output, 1)
    except ModelError:
        return None
    limit = _ALIKE.get(tokens.dtype, 3e-2) * max(1e-12, float(scores.abs().max()))
    for chain in _chains(names):
        for pool in _POOLS:
            for place in range(len(chain) + 1):
                tail = Tail(chain, pool, place)
                try:
                    said = tail.whole(net, tokens, prefix)
                except (RuntimeError, ModelError, TypeError, ValueError, IndexError):
                    continue  # a chain that does not fit together is not the one
                if said.shape == scores.shape and float((said - scores).abs().max()) <= limit:
                    return tail
    return None


def _chains(names: list[str]) -> Iterator[tuple[str, ...]]:
    """All names, then without one run of neighbours, the shorter runs first."""
    yield tuple(names)
    for left in range(1, len(names) if len(names) <= _MOST else 1):
        for start in range(len(names) - left + 1):
            yield (*names[:start], *names[start + left:])


def _pooled(tokens: Tensor, pool: str, prefix: int) -> Tensor:
    if pool.startswith("first and"):
        return torch.cat([tokens[:, 0], _pooled(tokens, pool.removeprefix("first and "), prefix)], -1)
    return tokens[:, 0] if pool == "first" else tokens[:, {"mean": 0, "rest": 1, "patches": prefix}[pool]:].mean(1)
