"""Classes and groups that a `Contrast` can ask about: one node per class of the basis, one per group of the tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import QuestionError
from ..taxonomy import ClassNames, Taxonomy, nearest


@dataclass
class Node:
    """A class or a group. ``rows`` point into the basis; ``reason`` says why it cannot be shown, or is empty."""

    name: str
    kind: str
    rows: list[int]
    parents: list[int] = field(default_factory=list)
    children: list[int] = field(default_factory=list)
    reason: str = ""

    def to_state(self) -> dict[str, Any]:
        """Plain data for the browser."""
        state = {"name": self.name, "kind": self.kind, "rows": self.rows, "parents": self.parents,
                 "children": self.children}
        return {**state, "reason": self.reason} if self.reason else state


class Nodes:
    """All nodes of a basis, found by name, class index or a list of either."""

    def __init__(self, names: Sequence[str], rows: Sequence[int], tree: Taxonomy | None) -> None:
        self.names = names if isinstance(names, ClassNames) else ClassNames(names)
        self.row_of = {int(index): row for row, index in enumerate(rows)}
        self.all = [Node(self.names.unique(int(i)), "class", [row]) for row, i in enumerate(rows)]
        self._at = {node.name: i for i, node in enumerate(self.all)}
        if tree is not None:
            self._add_groups(tree)

    def _index(self, leaf: str) -> int | None:
        """Class index of a leaf of the tree, or None if it is no class of the model (or no single one)."""
        try:
            return self.names.lookup(leaf)
        except QuestionError:
            return None

    def _add_groups(self, tree: Taxonomy) -> None:
        place: dict[str, int] = {}
        for name in tree.nodes:
            if not tree.is_group(name):
                index = self._index(name)
                if index in self.row_of:
                    place[name] = self.row_of[index]
                continue
            indices = [i for i in map(self._index, tree.members(name)) if i is not None]
            rows = [self.row_of[i] for i in indices if i in self.row_of]
            if not rows:
                continue  # nothing of it is in this basis
            missing = len(indices) - len(rows)
            reason = f"{missing} of its {len(indices)} classes {'is' if missing == 1 else 'are'} not in this basis"
            label = f"{name} (group)" if name in self._at else name
            place[name] = self._at[label] = len(self.all)
            self.all.append(Node(label, "group", rows, reason=reason if missing else ""))
        for name, i in place.items():
            self.all[i].parents = [place[p] for p in tree.parents(name) if p in place]
            for p in self.all[i].parents:
                self.all[p].children.append(i)

    def find(self, asked: Any) -> Node:
        """The node for a name, a class index or a list of them (a new group). Raises `QuestionError`."""
        if isinstance(asked, (list, tuple, set)):
            return self._list(list(asked))
        if isinstance(asked, bool) or not (isinstance(asked, str) or hasattr(asked, "__index__")):
            raise QuestionError(f"{asked!r} is no class: give a name, an index, a group, or a list of them.")
        node = self.all[self._at[asked]] if asked in self._at else self._class(asked)
        if node.reason:
            raise QuestionError(f"the group {node.name!r} cannot be shown: {node.reason}. "
                                "Make the basis with all of them, evidence.basis(classes).")
        return node

    def _class(self, asked: Any) -> Node:
        if isinstance(asked, str):
            near = nearest(asked, self._at)
            if asked not in self.names:
                hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
                raise QuestionError(f"no class or group is called {asked!r}.{hint}")
            index = self.names.lookup(asked)
        else:
            index = int(asked)
            if not 0 <= index < len(self.names):
                raise QuestionError(f"class index {index} is out of range: the model has {len(self.names)} classes.")
        if index not in self.row_of:
            raise QuestionError(f"{self.names.unique(index)!r} is not in this basis; make one that holds it: "
                                f"evidence.basis([..., {self.names.unique(index)!r}]).")
        return self.all[self.row_of[index]]

    def _list(self, asked: list[Any]) -> Node:
        if not asked:
            raise QuestionError("the group is empty: the list names no class.")
        parts = [self.find(a) for a in asked]
        if len(parts) == 1:
            return parts[0]
        name = " or ".join(p.name for p in parts)
        if name not in self._at:
            self._at[name] = len(self.all)
            self.all.append(Node(name, "group", list(dict.fromkeys(r for p in parts for r in p.rows))))
        return self.all[self._at[name]]
