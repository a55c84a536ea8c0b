"""`ClassTree`: what the model says, over its class tree; click a group to ask about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets
from numpy.typing import NDArray

from ..errors import InputError, QuestionError
from ..questions import Question
from ..scale import Scale
from ..taxonomy import ClassNames, Taxonomy
from .asking import Asking
from .base import View
from .classnodes import ClassNodes, class_nodes
from .link import Link
from .wire import pack

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ClassTree(Asking):
    """The probabilities of one input over the class tree, as an icicle or as an indented tree.

    source: `Predictions` (model.predict), evidence (sw.prepare), a `Basis`, or an `Explanation`, whose question is then
    shown on the tree; it does not hold the scores of other classes, so nodes are sized by their number of classes.
    taxonomy: a `Taxonomy`; by default the model's, where ``source`` knows it; without one, all classes hang from one group.
    index: which input of ``source``. question: what is asked first, a `Question` about one class or group, and one foil at
    most; by default the explanation's, else the question of the view it is linked to, else why the predicted class.
    form: "icicle" or "tree". link: a `Link`, or a view to link with.

    A group's probability is the sum over its classes, each counted once (sigmoid: that any of them holds, as if
    independent). A node with several parents is shown under each and marked. A click asks about a node, Shift and a click
    set the foil; a linked `Contrast` follows in the browser, without a kernel. Trait ``question``: a bound `Question`, which
    may be set. Raises `InputError`, `QuestionError`.
    """

    aspects: ClassVar[tuple[str, ...]] = ("question",)
    asks: ClassVar[bool] = True

    names = traitlets.Dict().tag(sync=True, echo_update=False)
    ends = traitlets.Dict().tag(sync=True, echo_update=False)
    starts = traitlets.Dict().tag(sync=True, echo_update=False)
    children = traitlets.Dict().tag(sync=True, echo_update=False)
    probability = traitlets.Dict().tag(sync=True, echo_update=False)
    sizes = traitlets.Dict().tag(sync=True, echo_update=False)
    n_classes = traitlets.Int().tag(sync=True)
    root = traitlets.Int().tag(sync=True)
    known = traitlets.Bool(True).tag(sync=True)
    form = traitlets.Enum(("icicle", "tree"), "icicle").tag(sync=True, echo_update=False)
    notices: Any = traitlets.List().tag(sync=True)
    question: Any = traitlets.Any()

    def __init__(self, source: Any, taxonomy: Taxonomy | None = None, *, index: int = 0, question: Question | None = None,
                 form: str = "icicle", link: Link | View | None = None) -> None:
        if taxonomy is not None and not isinstance(taxonomy, Taxonomy):
            raise InputError(f"taxonomy must be a salwidgets.Taxonomy, not {type(taxonomy).__name__}.")
        self._classes, p, self._activation, tree, first = _read(source, index, taxonomy)
        self._tree = taxonomy or tree
        self.nodes = nodes = class_nodes(self._classes, p, self._tree, sigmoid=self._activation == "sigmoid")
        view = link if isinstance(link, View) else None
        self._deaf, self.known = question is not None, p is not None
        start = question or first
        likeliest = nodes.names[nodes.root if p is None else int(np.argmax(p))]
        self._asked = (likeliest, "") if start is None else self.sides_of(start)
        super().__init__(
            scale=Scale(), link=None if view else link, image=np.full((1, 1, 3), 128, np.uint8),
            _view="classtree", n_classes=nodes.n_classes, root=nodes.root, known=p is not None, form=form,
            notices=nodes.notes, question=self.ask_about(*self._asked), **_packed(nodes))
        if view is not None:
            self.join(dict(view.links))
        self._deaf = False
        self._tell()

    # -- the question ----------------------------------------------------------------------------------------

    def asked(self) -> dict[str, str]:
        return {"target": self._asked[0], "foil": self._asked[1], "source": self.source}

    def _tie(self) -> None:
        super()._tie()
        link = self.links["question"]
        if not link.question:  # this view is made to ask: what another view here asked for goes on, else its own question
            others = [v.asked() for v in link.views if v is not self and isinstance(v, Asking)]
            now = next((q for q in others if q and not self._deaf), None) or self.asked()
            link.question = now
            self._hear()

    def _take(self, target: str, foil: str) -> None:
        if target not in self.nodes.at or (foil and foil not in self.nodes.at):
            return
        try:
            asked = self.ask_about(target, foil)
        except QuestionError:
            return  # both sides hold the same classes, which the view says
        self._asked = target, foil
        self.question = asked

    @traitlets.validate("question")
    def _check_question(self, proposal: dict[str, Any]) -> Question:
        target, foil = self.sides_of(proposal["value"])
        return self.ask_about(target, foil)

    @traitlets.observe("question")
    def _changed(self, change: Any) -> None:
        self._asked = self.sides_of(change["new"])
        if not self._deaf and self._heard is not None:
            self._tell()

    def ask_about(self, target: str, foil: str) -> Question:
        """The bound question about two nodes, by class index or group name."""
        q = Question(self._items(target))
        q = q.rather_than(*self._items(foil)) if foil else q
        # Of an explanation's classes neither order nor number are known: its question stays words.
        return q.bind(self._classes, self._tree, activation=self._activation) if self.known else q

    def _items(self, name: str) -> tuple[str | int, ...]:
        node = self.nodes.at[name]
        if node < self.nodes.n_classes:
            return (name,) if name in self._classes and not (self._tree and name in self._tree
                                                             and self._tree.is_group(name)) else (node,)
        group = next((g for g, i in self.nodes.groups.items() if i == node), None)
        plain = self._tree is not None and group in self._tree and group not in self._classes
        return (str(group),) if plain else tuple(self.nodes.members(node).tolist())

    def sides_of(self, question: Any) -> tuple[str, str]:
        """Names of the nodes that a question is about; `QuestionError` if it is not about single nodes."""
        if not isinstance(question, Question):
            raise QuestionError(f"a ClassTree asks sw.why(...) questions, not {type(question).__name__}.")
        if question.task is not None or question.pool != "mean":
            raise QuestionError(f"{question} reads another output or another pool than the mean; a ClassTree asks about "
                                "classes and groups of its tree: sw.why('dog').")
        if question.predicted and question.binding is None:
            raise QuestionError("why() without an input is about no class yet; ask sw.why('dog').")
        target = question.target or question.bound.target
        return self._node(target, question), self._node(question.foil, question) if question.foil else ""

    def _node(self, items: tuple[str | int, ...], question: Question) -> str:
        nodes = self.nodes
        if len(items) == 1:
            item = items[0]
            if isinstance(item, str) and item in nodes.groups and item not in self._classes:
                return nodes.names[nodes.groups[item]]
            if isinstance(item, str) and item in nodes.at:
                return item
            if isinstance(item, int) and not 0 <= item < nodes.n_classes:
                raise QuestionError(f"class index {item} is out of range: the model has {nodes.n_classes} classes.")
            return nodes.names[item if isinstance(item, int) else self._classes.lookup(item)]
        asked = sorted({i if isinstance(i, int) else self._classes.lookup(i) for i in items})
        for node in np.flatnonzero(nodes.sizes == len(asked)).tolist():
            if node >= nodes.n_classes and nodes.members(node).tolist() == asked:
                return nodes.names[node]
        raise QuestionError(f"{question} is about a list of classes that is no group of this tree; ask about one node on "
                            "each side, or put the group into the taxonomy.")

    # -- reading ---------------------------------------------------------------------------------------------

    @property
    def heading(self) -> str:
        target, foil = self._asked
        return f"Why “{target}” rather than “{foil}”?" if foil else f"Why “{target}”?"

    def share_of(self, name: str) -> float:
        """The probability of a class or group; NaN where it is not known. Raises `QuestionError` for an unknown name."""
        if name not in self.nodes.at:
            raise QuestionError(f"the tree has no node {name!r}.")
        return float(self.nodes.probability[self.nodes.at[name]])

    def shown_maps(self) -> list[NDArray[np.float32]]:
        return []

    def shown_map(self) -> NDArray[np.float32]:
        raise InputError("a ClassTree has no map; link it with a Contrast to see one.")

    def figure(self) -> Figure:
        from .icicle import icicle_figure

        return icicle_figure(self.nodes, self._asked, self.heading, known=self.known)


def _packed(nodes: ClassNodes) -> dict[str, Any]:
    """All nodes as a handful of buffers: 100,000 names as one UTF-16 text and where each ends."""
    text = [name.encode("utf-16-le", "replace") for name in nodes.names]
    return {
        "names": pack(np.frombuffer(b"".join(text), np.uint16), "uint16"),
        "ends": pack(np.cumsum([len(t) // 2 for t in text]), "uint32"),
        "starts": pack(nodes.starts, "uint32"), "children": pack(nodes.children, "uint32"),
        "probability": pack(nodes.probability, "float32"), "sizes": pack(nodes.sizes, "uint32"),
    }


Read = tuple[ClassNames, NDArray[np.float64] | None, str, Taxonomy | None, Question | None]


def _read(source: Any, index: int, taxonomy: Taxonomy | None) -> Read:
    """Classes, probabilities `[K]`, activation, taxonomy and question of what was given."""
    if hasattr(source, "values") and hasattr(source, "question"):
        return _of_explanation(source, taxonomy)
    probabilities = getattr(source, "probabilities", None)
    model = getattr(source, "model", None)
    logits = getattr(source, "logits", None)
    if logits is None:
        raise InputError("ClassTree shows predictions (model.predict), evidence (sw.prepare), a basis or an explanation, "
                         f"not {type(source).__name__}.")
    z = np.asarray(logits.detach().cpu() if hasattr(logits, "detach") else logits, np.float64)
    if z.ndim != 2 or not -len(z) <= index < len(z):
        raise InputError(f"index={index} is out of range: there are scores of shape {list(z.shape)}.")
    z = z[index]
    if not np.isfinite(z).all():
        raise InputError(f"the scores of input {index} hold NaN or infinity; predict an input the model can score.")
    names = getattr(source, "class_names", None)
    if names is None:
        names = model.classes if model is not None and len(model.classes) == len(z) else \
            [f"class {i}" for i in range(len(z))]
    names = names if isinstance(names, ClassNames) else ClassNames(names)
    p = _softmax(z)
    activation = str(getattr(source, "activation", None) or getattr(model, "activation", None) or "softmax")
    if probabilities is not None:  # predictions do not say how they were made, but show it
        p = np.asarray(probabilities, np.float64)[index]
        activation = "softmax" if np.allclose(p, _softmax(z), atol=1e-5) else "sigmoid"
    elif activation == "sigmoid":
        p = 1 / (1 + np.exp(-z))
    return names, p, activation, getattr(source, "taxonomy", None) or getattr(model, "taxonomy", None), None


def _softmax(z: NDArray[np.float64]) -> NDArray[np.float64]:
    e = np.exp(z - z.max())
    return np.asarray(e / e.sum())


def _of_explanation(e: Any, taxonomy: Taxonomy | None) -> Read:
    """What an explanation knows: its question. The classes come from the tree, in no model's order."""
    if taxonomy is None:
        raise InputError("an Explanation holds the scores of its own question only, and no class names: give taxonomy= to "
                         "show the question on the tree, or ClassTree(model.predict(image)) to show probabilities.")
    question = e.question
    if question is not None and question.binding is not None:
        b = question.binding
        target, foil = (t if all(isinstance(i, str) for i in t) and t else names for t, names in (
            (question.target, b.target_names), (question.foil, b.foil_names)))
        question = Question(tuple(target), tuple(foil))
    return ClassNames(taxonomy.leaves), None, "softmax", taxonomy, question
