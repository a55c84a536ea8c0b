"""`Workbench`: a model, its pictures, a question in words and several methods, joined; the one view that asks the kernel."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets
from numpy.typing import NDArray

from ..captions import alt_text
from ..errors import InputError, MethodError, QuestionError
from ..explanation import Explanations
from ..scale import Scale
from .asking import Asking
from .base import View, _refs
from .bench import Bench
from .classtree import ClassTree
from .comparison import Comparison
from .eraser import Eraser
from .link import Link
from .narrative import Narrative
from .pictures import keys_of, sheet, small
from .requests import Task, Worker

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..explanation import Explanation
    from ..models import Model
    from ..questions import Question

_NO_MODULE = "export default {};"


class _Maps(Comparison):
    """Shown inside the workbench, whose module draws it: one bundle serves all."""

    _esm, _css = _NO_MODULE, ""  # type: ignore[assignment]


class _Tree(ClassTree):
    _esm, _css = _NO_MODULE, ""  # type: ignore[assignment]


class _Words(Narrative):
    _esm, _css = _NO_MODULE, ""  # type: ignore[assignment]


class _Paint(Eraser):
    _esm, _css = _NO_MODULE, ""  # type: ignore[assignment]


class Workbench(Asking):
    """Ask a model about pictures, in words, and see maps, class tree, scores and sentences answer together.

    model: a `Model`. images: what it takes, one or several. question: the first one, about one class or group and one foil
    at most; by default why the predicted class of the first picture. methods: names of the methods to compare; by default
    "grad-cam" where the model can run it, else what `salwidgets.recommend` puts first. index: the picture. labels: names
    of the pictures. scale: a `Scale`; by default each method has limits of its own. writer: an `LLMWriter` that may be asked
    for the sentences. link: a `Link`, or a view to link with. kept: how many pieces of evidence, each of one method on one
    picture, are held in memory (32); the one longest not asked goes first. `forget` lets all go.

    ``question``, ``index``, ``methods``, ``lead`` (the method whose map the sentences tell) and ``erasing`` (whether an
    `Eraser` on that map is shown) follow the browser. Set from Python they are answered at once, and what goes wrong
    raises. ``answers`` are the explanations that are shown, `Explanations` of shape (1, 1, methods); ``regions`` the
    parts of the picture that were named, kept for each picture.

    Asked in the browser, the model works in a thread: the newest request wins, it can be stopped, and errors come back into
    the view. The evidence of a method on a picture is kept: another question to it costs no preparation again. Without a
    kernel the last answer stays, with its maps, tree and sentences alive.
    Raises `InputError`, `QuestionError`, `MethodError`.

    >>> world = sw.worlds.creatures(n=2)
    >>> bench = sw.Workbench(world.model("cnn"), world.images)
    >>> bench.methods, bench.answers.shape
    (['grad-cam'], (1, 1, 1))
    """

    asks: ClassVar[bool] = True

    title = traitlets.Unicode().tag(sync=True)
    labels: Any = traitlets.List().tag(sync=True)
    sheet = traitlets.Dict().tag(sync=True, echo_update=False)
    available: Any = traitlets.List().tag(sync=True)
    index = traitlets.Int(0).tag(sync=True)
    methods: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    lead = traitlets.Unicode().tag(sync=True)
    erasing = traitlets.Bool(False).tag(sync=True)
    asked_for = traitlets.Dict().tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)
    scores: Any = traitlets.List().tag(sync=True)
    failures: Any = traitlets.List().tag(sync=True)
    parts = traitlets.Dict().tag(sync=True, to_json=_refs)
    request = traitlets.Dict().tag(sync=True, echo_update=False)
    reply = traitlets.Dict().tag(sync=True)
    alive = traitlets.Unicode().tag(sync=True)
    question: Any = traitlets.Any()
    _worker: Worker | None = None

    def __init__(self, model: Model, images: Any, question: Question | None = None, *,
                 methods: str | Sequence[str] | None = None, index: int = 0, labels: Sequence[str] | None = None,
                 scale: Scale | None = None, writer: Any = None, link: Link | View | None = None, kept: int = 32) -> None:
        if not hasattr(model, "predict") or not hasattr(model, "session"):
            raise InputError(f"Workbench asks a sw.Model, not a {type(model).__name__}: sw.Model(module, classes=...).")
        self._bench = bench = Bench(model, images, labels, kept)
        self._lock, self._sides = threading.RLock(), ("", "")
        self._named: dict[int, dict[str, Any]] = {}
        self._ready, self._writer = False, writer
        self._worker = Worker(self._requested, self._tell_browser)
        self.answers: Explanations = Explanations([], (0, 1, 1))
        self._at = self._checked_index(index)
        self.available = bench.able()
        view = link if isinstance(link, View) else None
        super().__init__(scale=scale or Scale(), link=None if view else link, image=bench.pictures[self._at],
                         _view="workbench", sheet=sheet(small(list(bench.pictures))), labels=bench.labels,
                         index=self._at, picture_keys=[keys_of(None, bench.pictures[self._at])],
                         methods=self._first(methods), available=self.available)
        if view is not None:
            self.join({a: shared for a, shared in view.links.items() if a in self.links})
        self._own_scale_given = scale is not None
        if getattr(question, "predicted", False) and getattr(question, "binding", None) is None:
            question = None
        self._tree: ClassTree = self._part(_Tree, bench.predictions, bench.model.taxonomy, index=self._at, question=question)
        self.question = self._tree.question
        self._ready = True
        self.ask()

    # -- checks ----------------------------------------------------------------------------------------------

    def _first(self, methods: str | Sequence[str] | None) -> list[str]:
        if methods is not None:
            return [methods] if isinstance(methods, str) else list(methods)
        able = [m["name"] for m in self.available]
        if "grad-cam" in able:
            return ["grad-cam"]
        from ..recommendation import recommend

        return [name for name in recommend(self._bench.model).methods if name in able][:1]

    def _checked_index(self, index: int) -> int:
        n = len(self._bench.labels)
        if not -n <= index < n:
            raise InputError(f"index={index} is out of range: there {'is 1 picture' if n == 1 else f'are {n} pictures'}.")
        return int(index) % n

    @traitlets.validate("index")
    def _check_index(self, proposal: dict[str, Any]) -> int:
        return self._checked_index(proposal["value"])

    @traitlets.validate("methods")
    def _check_methods(self, proposal: dict[str, Any]) -> list[str]:
        asked, able = list(dict.fromkeys(proposal["value"])), [m["name"] for m in self.available]
        unable = [m for m in asked if m not in able]
        if unable or not asked:
            said = f"{unable[0]!r} is no method that this model can run" if unable else "choose one method at least"
            raise MethodError(f"{said}; there are {', '.join(able)}.")
        return asked

    @traitlets.validate("question")
    def _check_question(self, proposal: dict[str, Any]) -> Any:
        return self._tree.ask_about(*self._sides_of(proposal["value"]))

    def _sides_of(self, question: Any) -> tuple[str, str]:
        """Names of target and foil; ``why()`` asks about the predicted class of the picture."""
        if getattr(question, "predicted", False) and question.binding is None:
            return self._tree.nodes.names[int(np.argmax(self._bench.predictions.logits[self._at]))], ""
        return self._tree.sides_of(question)

    # -- asking ----------------------------------------------------------------------------------------------

    def asked(self) -> dict[str, str]:
        return {"target": self._sides[0], "foil": self._sides[1], "source": self.source}

    def ask(self) -> Explanations:
        """Answer the question now, and return the explanations; what is set from Python is answered so."""
        if self._worker is not None:
            self._worker.stop()
        with self._lock:
            wanted = self._wanted()
            self.asked_for = wanted
            self._tell()
            self._work(wanted, Task("", lambda reply: None))
        return self.answers

    def forget(self) -> Explanations:
        """Let all evidence go and answer the question again; for a network whose weights were changed (trained on,
        pruned), or to free memory. Returns the explanations that are shown now."""
        if self._worker is not None:
            self._worker.stop()
        with self._lock:
            self._bench.forget()
            self._ready = False
            self._tree = self._part(_Tree, self._bench.predictions, self._bench.model.taxonomy, index=self._at,
                                    question=self.question)
            self._ready = True
        return self.ask()

    def _wanted(self) -> dict[str, Any]:
        return {"target": self._sides[0], "foil": self._sides[1], "index": self.index, "methods": list(self.methods),
                "lead": self.lead, "erasing": self.erasing}

    def _tell(self) -> None:
        """This view is made to ask: the question is there for others even if nobody has asked before."""
        link = self.links["question"]
        if not link.question and self._sides[0]:
            link.question = self.asked()
        super()._tell()

    def _take(self, target: str, foil: str) -> None:
        """What another view asks. If the browser asked, its request is on the way; else it is answered here."""
        try:
            asked = self._tree.ask_about(target, foil) if self._ready else None
        except (QuestionError, KeyError):
            return  # another tree's class, or both sides hold the same classes, which the tree says
        if asked is None:
            return
        answered_there, self._ready = self._quiet, False
        self._sides, self.question = (target, foil), asked
        self._ready = True
        if not answered_there:
            self.ask()

    @traitlets.observe("question", "index", "methods", "lead", "erasing")
    def _set(self, change: Any) -> None:
        if change["name"] == "question" and change["new"] is not None and not self._taking:
            self._sides = self._sides_of(change["new"])
        if self._ready and change["name"] not in self._property_lock and not self._taking:
            self.ask()

    @traitlets.observe("request")
    def _asked_there(self, change: Any) -> None:
        """What the browser wants. Answered with the same id, always; the newest wins."""
        request = change["new"] if isinstance(change["new"], dict) else {}
        do = request.get("do")
        if do == "hello":
            self.alive = str(request.get("id", ""))
        elif self._worker is None:
            return
        elif do == "stop":
            self._worker.stop()
        elif do == "ask":
            self.asked_for = {k: request.get(k) for k in self._wanted()}  # another tab need not ask the same
            self._worker.submit(request)

    def _requested(self, request: dict[str, Any], task: Task) -> None:
        methods = [str(m) for m in request.get("methods") or []]
        able = {m["name"] for m in self.available}
        if not methods or not able.issuperset(methods):
            raise MethodError(f"methods={methods}: choose some of those that this model can run.")
        wanted = {"target": str(request.get("target", "")), "foil": str(request.get("foil", "")), "methods": methods,
                  "index": self._checked_index(int(request.get("index", 0))), "lead": str(request.get("lead", "")),
                  "erasing": bool(request.get("erasing", False))}
        with self._lock:
            task.check()
            self._work(wanted, task)

    def _work(self, wanted: dict[str, Any], task: Task) -> None:
        question, index = self._tree.ask_about(wanted["target"], wanted["foil"]), wanted["index"]
        found, failures = self._bench.answer(question, index, wanted["methods"], task)
        lead = next((e for e in found if e.method == wanted["lead"]), found[0])
        task.check()
        self._show(wanted, question, found, found.index(lead), failures)

    # -- showing ---------------------------------------------------------------------------------------------

    def _part(self, kind: Any, *args: Any, **options: Any) -> Any:
        """A view inside this one, that follows the same links."""
        part = kind(*args, link=self.links["selection"], **options)
        other = {a: link for a, link in self.links.items() if a in part.links and part.links[a] is not link}
        if other:
            part.join(other)
        return part

    def _show(self, wanted: dict[str, Any], question: Question, found: list[Explanation], lead: int,
              failures: list[str]) -> None:
        from ..verbalization import verbalize

        old, index = dict(self.parts), wanted["index"]
        if index != self._at:
            self._turn(index)
        if old.get("maps") and len(old["maps"].panels) == len(found):
            each = old["maps"].each
        else:
            each = len(found) > 1 and not self._own_scale_given
        maps = self._part(_Maps, Explanations(found, (1, 1, len(found))), columns="methods",
                          scale="each" if each else "shared")
        words = self._part(_Words, verbalize(found[lead]), writer=self._writer)
        self.answers = maps.explanations = Explanations(found, (1, 1, len(found)))
        self._lead = found[lead]
        now = self.links["scale"].scale
        if not self._own_scale_given and not now.get("fixed"):
            fitted = Scale.fit(*self.shown_maps()).to_state()
            keep = {n: now[n] for n in ("opacity", "smooth", "contour", "fade", "grey", "cmap") if n in now and old}
            self.links["scale"].scale = {**fitted, **keep}
        self.scores, self.failures, self.title = self._bench.scores(question, index), failures, str(question)
        self.parts = {"tree": self._tree, "maps": maps, "words": words, **self._eraser(wanted["erasing"], old)}
        self.shown = {**wanted, "lead": self._lead.method}
        for name, part in old.items():
            if part is not self.parts.get(name):
                part.close()

    def _eraser(self, wanted: bool, old: dict[str, View]) -> dict[str, View]:
        """The paint of the same map stays."""
        if not wanted:
            return {}
        now = old.get("eraser")
        if isinstance(now, Eraser) and now.explanation is self._lead:
            return {"eraser": now}
        return {"eraser": self._part(_Paint, self._bench.model, self._lead)}

    def _turn(self, index: int) -> None:
        """To another picture. Names of regions are of one picture: they wait until it is back."""
        shared = self.links["selection"]
        self._named[self._at] = dict(shared.regions)
        self._at, self._image = index, self._bench.pictures[index]
        self.picture_keys = [keys_of(None, self._image)]
        shared.selection = shared.highlight = None
        self.links["cursor"].cursor = self.links["view"].view = None
        shared.regions = self._named.get(index, {})
        before, self._ready = self._ready, False
        self._tree = self._part(_Tree, self._bench.predictions, self._bench.model.taxonomy, index=index)
        self._ready = before

    def _tell_browser(self, reply: dict[str, Any]) -> None:
        self.reply = reply

    def close(self) -> None:
        if self._worker is not None:
            self._worker.stop()
        for part in self.parts.values():
            part.close()
        super().close()

    # -- reading and keeping ---------------------------------------------------------------------------------

    @property
    def heading(self) -> str:
        return str(self.title)

    def shown_maps(self) -> list[NDArray[np.float32]]:
        return [np.asarray(e.values, np.float32) for e in self.answers]

    def shown_map(self) -> NDArray[np.float32]:
        """The map of the method that the sentences tell."""
        return np.asarray(self._lead.values, np.float32)

    @property
    def alt(self) -> str:
        return " ".join([self.heading, *(f"{e.method}: {alt_text(e)}" for e in self.answers)])

    def figure(self, *, width: str | float | None = None) -> Figure:
        """The maps of all methods with one caption. width: of a column, by name or in inches (`figures.width_of`)."""
        from ..figures import panel

        maps = self.parts["maps"]
        return panel(self.answers, width=width, scale="each" if maps.each else self.scale,
                     regions=self.regions)
