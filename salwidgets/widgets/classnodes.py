"""The class tree as arrays, for a view of up to 100,000 classes: nodes, edges, probabilities of groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import QuestionError
from ..taxonomy import ClassNames, Taxonomy

#: name of the group above all others, where the tree has several roots or lacks some classes
EVERYTHING = "all classes"


@dataclass(eq=False)
class ClassNodes:
    """Classes (nodes 0 to K - 1, in logit order), then groups; named as in `Contrast`.

    starts `[n + 1]`, children `[E]`: the children of node i are ``children[starts[i]:starts[i + 1]]``, most probable first.
    probability: float64 `[n]`; of a group the sum over its classes, each counted once (softmax), or the probability of any
    of them (sigmoid, as if independent); NaN where nothing is known. sizes: how many classes `[n]`.
    """

    names: list[str]
    starts: NDArray[np.int64]
    children: NDArray[np.int64]
    probability: NDArray[np.float64]
    sizes: NDArray[np.int64]
    n_classes: int
    root: int
    notes: list[str] = field(default_factory=list)
    at: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    """Name in the taxonomy -> node, for groups."""

    def below(self, node: int) -> NDArray[np.int64]:
        """The children of a node."""
        return self.children[self.starts[node]:self.starts[node + 1]]

    def members(self, node: int) -> NDArray[np.int64]:
        """The classes at or below a node, each once, ascending."""
        seen, stack = {node}, [node]
        while stack:
            fresh = [int(c) for c in self.below(stack.pop()) if int(c) not in seen]
            seen.update(fresh)
            stack.extend(fresh)
        return np.array(sorted(i for i in seen if i < self.n_classes), np.int64)


def class_nodes(names: ClassNames, probability: NDArray[Any] | None, tree: Taxonomy | None, *,
                sigmoid: bool = False) -> ClassNodes:
    """The nodes of ``tree`` over the classes ``names`` with ``probability`` `[K]` (None: not known).

    Leaves of the tree that are no class, and groups without a class, are left out and counted in ``notes``; classes that the
    tree lacks hang from a group "all classes".
    """
    k = len(names)
    found, edges, notes = _edges(names, tree)
    p = np.full(k, np.nan) if probability is None else np.asarray(probability, np.float64)
    below: list[list[int]] = [[] for _ in range(k)] + edges
    additive = np.log1p(-np.minimum(p, 1 - 1e-16)) if sigmoid else p
    sums, sizes = _totals(k, below, additive)
    labels = [names.unique(i) for i in range(k)]
    taken = set(labels)
    labels += [f"{g} (group)" if g in taken else g for g in found]
    starts = np.concatenate([[0], np.cumsum([len(b) for b in below])]).astype(np.int64)
    shown = -np.expm1(sums) if sigmoid else np.minimum(sums, 1.0)
    weight = sizes if probability is None else shown
    children = np.array([c for b in below for c in sorted(b, key=lambda c: -weight[c])], np.int64)
    nodes = ClassNodes(labels, starts, children, shown, sizes, k, len(labels) - 1 if found else 0, notes,
                       {name: i for i, name in enumerate(labels)}, {g: k + j for j, g in enumerate(found)})
    return nodes


def _edges(names: ClassNames, tree: Taxonomy | None) -> tuple[list[str], list[list[int]], list[str]]:
    """Groups that hold a class, children before parents, the root last; the children of each; what was left out."""
    place: dict[str, int] = {}
    found: list[str] = []
    edges: list[list[int]] = []
    placed = np.zeros(len(names), bool)
    above: set[int] = set()
    foreign = 0
    for name in reversed(tree.nodes if tree is not None else []):
        if not tree.is_group(name):  # type: ignore[union-attr]
            index = _class_of(names, name)
            foreign += index is None
            if index is not None:
                place[name] = index
            continue
        below = [place[c] for c in tree.children(name) if c in place]  # type: ignore[union-attr]
        if below:
            place[name] = len(names) + len(found)
            found.append(name)
            edges.append(below)
            above.update(below)
            placed[[c for c in below if c < len(names)]] = True
    roots = [i for i in range(len(names), len(names) + len(found)) if i not in above]
    notes = [f"{foreign} leaves of the class tree are no class of the model."] if foreign else []
    loose = np.flatnonzero(~placed).tolist()
    if loose and tree is not None:
        notes.append(f"{len(loose)} of the {len(names)} classes are not in the class tree.")
    if loose or len(roots) > 1:
        label = EVERYTHING
        while label in place or label in names:
            label = f"({label})"
        found.append(label)
        edges.append([*roots, *loose])
    return found, edges, notes


def _class_of(names: ClassNames, leaf: str) -> int | None:
    if leaf not in names:
        return None  # asked first: looking up an unknown name searches for others spelt like it
    try:
        return names.lookup(leaf)
    except QuestionError:
        return None


def _totals(k: int, below: Sequence[Sequence[int]], leaf: NDArray[np.float64]) -> tuple[NDArray[np.float64],
                                                                                      NDArray[np.int64]]:
    """Sum of ``leaf`` over the classes of every node, each counted once, and their number.

    Where no node below has several parents, sums simply add up; elsewhere sets of classes are joined.
    """
    n = len(below)
    sums, sizes = np.concatenate([leaf, np.zeros(n - k)]), np.ones(n, np.int64)
    parents = np.zeros(n, np.int64)
    for b in below:
        parents[b] += 1
    tangled = np.zeros(n, bool)
    sets: dict[int, NDArray[np.int64]] = {}
    for i in range(k, n):
        b = list(below[i])
        tangled[i] = bool((parents[b] > 1).any() or tangled[b].any())
        if tangled[i]:
            sets[i] = np.unique(np.concatenate([_set(c, k, below, sets) for c in b]))
            sums[i], sizes[i] = leaf[sets[i]].sum(), len(sets[i])
        else:
            sums[i], sizes[i] = sums[b].sum(), sizes[b].sum()
    return sums, sizes


def _set(node: int, k: int, below: Sequence[Sequence[int]], sets: dict[int, NDArray[np.int64]]) -> NDArray[np.int64]:
    if node in sets:
        return sets[node]
    found, stack = [], [node]
    while stack:
        here = stack.pop()
        if here < k:
            found.append(here)
        else:
            stack.extend(below[here])
    return np.array(found, np.int64)
