"""The class tree: names, parents, groups, lowest common ancestor. Imports numpy only; torch never."""

from __future__ import annotations

import difflib
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import InputError, QuestionError

_SUGGESTION_POOL = 20_000  # difflib is quadratic in practice; beyond this many names it looks at a sample only


def nearest(name: str, candidates: Iterable[str], n: int = 3) -> list[str]:
    """Up to ``n`` candidates that are spelt most like ``name``; for error messages."""
    pool = list(candidates)
    if len(pool) > _SUGGESTION_POOL:
        start = name[:1].lower()
        pool = [c for c in pool if c[:1].lower() == start][:_SUGGESTION_POOL]
    folded = {c.lower(): c for c in reversed(pool)}
    within = [c for low, c in folded.items() if name and name.lower() in low]
    close = [folded[m] for m in difflib.get_close_matches(name.lower(), folded, n=n, cutoff=0.6)]
    return list(dict.fromkeys(close + sorted(within, key=len)))[:n]


class ClassNames(Sequence[str]):
    """The names of a model's classes in logit order, with an index that finds one among 100,000 at once.

    Names may repeat (ImageNet has two "crane"). A repeated name is ambiguous when asked for; it can be
    spelt with its index, ``"crane (134)"``.
    """

    def __init__(self, names: Iterable[str]):
        self.names = [unicodedata.normalize("NFC", str(n)) for n in names]
        self._index: dict[str, list[int]] = {}
        for i, name in enumerate(self.names):
            self._index.setdefault(name, []).append(i)
        for name in [n for n, where in self._index.items() if len(where) > 1]:
            for i in self._index[name]:
                self._index.setdefault(f"{name} ({i})", [i])

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: Any) -> Any:
        return self.names[i]

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, (list, tuple, ClassNames)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        head = ", ".join(repr(n) for n in self.names[:3])
        return f"ClassNames([{head}{', …' if len(self) > 3 else ''}], {len(self)} classes)"

    def unique(self, i: int) -> str:
        """The name of class ``i``, with its index where the bare name is ambiguous."""
        name = self.names[i]
        return name if len(self._index[name]) == 1 else f"{name} ({i})"

    def lookup(self, name: str) -> int:
        """Index of the class called ``name``. Raises `QuestionError` if there is none, or several."""
        where = self._index.get(name) or self._index.get(unicodedata.normalize("NFC", name))
        if where is None:
            near = nearest(name, self._index)
            hint = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
            raise QuestionError(f"no class is called {name!r} among {len(self)}.{hint}")
        if len(where) > 1:
            spelt = ", ".join(repr(f"{name} ({i})") for i in where)
            raise QuestionError(f"{name!r} is ambiguous: classes {where} share it. Ask by index, or as {spelt}.")
        return where[0]


class Taxonomy:
    """A class tree. A node may have several parents; leaves are classes, inner nodes are groups.

    >>> tree = Taxonomy.from_parents({"husky": "dog", "beagle": "dog", "wolf": "wild dog",
    ...                               "dog": "canine", "wild dog": "canine"})
    >>> tree.members("dog")
    ['husky', 'beagle']
    >>> tree.common("husky", "wolf")
    'canine'
    """

    def __init__(self, parents: Mapping[str, Sequence[str]]):
        self._parents: dict[str, tuple[str, ...]] = {}
        self._children: dict[str, list[str]] = {}
        for node, above in parents.items():
            self._parents[node] = tuple(dict.fromkeys(above))
        for node in list(self._parents):
            for p in self._parents[node]:
                self._parents.setdefault(p, ())
        for node, above in self._parents.items():
            for p in above:
                self._children.setdefault(p, []).append(node)
        self._order = self._topological()
        self._members: dict[str, list[str]] = {}

    # -- ways to make one ------------------------------------------------------------------------------------

    @classmethod
    def from_parents(cls, parents: Mapping[str, str | Sequence[str] | None]) -> Taxonomy:
        """From ``{child: parent}`` or ``{child: [parent, ...]}``; a root may be given with ``None``."""
        if not isinstance(parents, Mapping) or not parents:
            raise InputError("from_parents needs a non-empty dict {child: parent}, for example {'husky': 'dog'}.")
        return cls({c: [p] if isinstance(p, str) else list(p or ()) for c, p in parents.items()})

    @classmethod
    def from_nested(cls, nested: Mapping[str, Any]) -> Taxonomy:
        """From nested dicts whose ends are lists of leaves (or empty): ``{"dog": ["husky", "beagle"]}``."""
        parents: dict[str, list[str]] = {}

        def walk(tree: Any, above: str | None) -> None:
            items = tree.items() if isinstance(tree, Mapping) else ((str(leaf), None) for leaf in tree)
            for name, below in items:
                parents.setdefault(str(name), [])
                if above is not None:
                    parents[str(name)].append(above)
                if isinstance(below, str):
                    walk([below], str(name))
                elif below:
                    walk(below, str(name))

        if not isinstance(nested, Mapping) or not nested:
            raise InputError("from_nested needs a non-empty dict, for example {'animal': {'dog': ['husky']}}.")
        walk(nested, None)
        return cls(parents)

    @classmethod
    def from_json(cls, path: str | Path) -> Taxonomy:
        """From a JSON file that holds either ``{"parents": {...}}``, ``{child: parent}`` or nested dicts."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as e:
            raise InputError(f"cannot read a class tree from {str(path)!r}: {e}. It must be a JSON object.") from e
        if isinstance(data, dict) and isinstance(data.get("parents"), dict):
            return cls.from_parents(data["parents"])
        if not isinstance(data, dict):
            raise InputError(f"{str(path)!r} holds a JSON {type(data).__name__}; a class tree is an object.")
        flat = all(v is None or isinstance(v, str) for v in data.values())
        return cls.from_parents(data) if flat else cls.from_nested(data)

    @classmethod
    def imagenet(cls, classes: Sequence[str]) -> Taxonomy:
        """The usual everyday groups (dog, cat, bird, vehicle, food, …) over the 1000 ImageNet classes.

        ``classes``: the 1000 names in the usual order (tench first, toilet tissue last). The groups are our
        own index lists; classes that no everyday word gathers hang from "thing".
        """
        from .imagenet_groups import parents_of_classes

        return cls(parents_of_classes(ClassNames(classes)))

    # -- reading ---------------------------------------------------------------------------------------------

    @property
    def nodes(self) -> list[str]:
        """Every node, parents before children."""
        return list(self._order)

    @property
    def leaves(self) -> list[str]:
        """Every leaf, in the order in which they were given."""
        return [n for n in self._parents if not self._children.get(n)]

    @property
    def roots(self) -> list[str]:
        """Nodes without a parent."""
        return [n for n in self._order if not self._parents[n]]

    def __contains__(self, node: object) -> bool:
        return node in self._parents

    def __len__(self) -> int:
        return len(self._parents)

    def __repr__(self) -> str:
        return f"Taxonomy({len(self.leaves)} classes, {len(self) - len(self.leaves)} groups)"

    def is_group(self, node: str) -> bool:
        """Whether ``node`` is in the tree and has children."""
        return bool(self._children.get(node))

    def members(self, node: str) -> list[str]:
        """The leaf classes at or below ``node``, each once; a leaf is its own only member."""
        self._check(node)
        if node not in self._members:
            self._members[node] = [n for n in self._below(node) if not self._children.get(n)]
        return list(self._members[node])

    def children(self, node: str) -> list[str]:
        """The nodes directly below."""
        self._check(node)
        return list(self._children.get(node, ()))

    def parents(self, node: str) -> list[str]:
        """The nodes directly above, in the order given."""
        self._check(node)
        return list(self._parents[node])

    def parent(self, node: str) -> str | None:
        """The first parent, or None for a root."""
        above = self.parents(node)
        return above[0] if above else None

    def path(self, node: str) -> list[str]:
        """From a root down to ``node``, along first parents."""
        self._check(node)
        up = [node]
        while self._parents[up[-1]]:
            up.append(self._parents[up[-1]][0])
        return up[::-1]

    def common(self, a: str, b: str) -> str | None:
        """The lowest common ancestor: of all shared ancestors (or the nodes themselves), the one with fewest
        members; None if the two share none."""
        shared = self._above(a) & self._above(b)
        if not shared:
            return None
        depth = {n: i for i, n in enumerate(self._order)}
        return min(shared, key=lambda n: (len(self.members(n)), -depth[n]))

    def to_parents(self) -> dict[str, list[str]]:
        """``{node: [parents]}``, what `from_parents` takes back."""
        return {n: list(p) for n, p in self._parents.items()}

    # -- inside ----------------------------------------------------------------------------------------------

    def _check(self, node: str) -> None:
        if node not in self._parents:
            near = nearest(str(node), self._parents)
            hint = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
            raise QuestionError(f"the class tree has no node {node!r}.{hint}")

    def _below(self, node: str) -> list[str]:
        seen, stack, out = {node}, [node], []
        while stack:
            here = stack.pop()
            out.append(here)
            for child in reversed(self._children.get(here, ())):
                if child not in seen:
                    seen.add(child)
                    stack.append(child)
        return out

    def _above(self, node: str) -> set[str]:
        self._check(node)
        seen, stack = {node}, [node]
        while stack:
            fresh = [p for p in self._parents[stack.pop()] if p not in seen]
            seen.update(fresh)
            stack.extend(fresh)
        return seen

    def _topological(self) -> list[str]:
        waiting = {n: len(p) for n, p in self._parents.items()}
        ready = [n for n, k in waiting.items() if k == 0]
        order: list[str] = []
        for node in ready:  # grows while it is walked
            order.append(node)
            for child in self._children.get(node, ()):
                waiting[child] -= 1
                if waiting[child] == 0:
                    ready.append(child)
        if len(order) < len(waiting):
            stuck = next(n for n, k in waiting.items() if k > 0)
            raise InputError(f"the class tree has a cycle through {stuck!r}: a node is its own ancestor.")
        return order
