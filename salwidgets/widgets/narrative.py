"""`Narrative`: explanations in words, each sentence with its verdict, tied both ways to the linked maps."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets
from numpy.typing import NDArray

from ..errors import InputError
from ..scale import Scale
from .base import View
from .link import Link
from .passages import Passages, plain_text
from .wire import pack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..verbalization import Verbalization

_LENGTHS = ("line", "paragraph", "report")
_AUDIENCES = ("layperson", "expert")


class Narrative(View):
    """Shows `Verbalization`s. A sentence under the pointer or the focus lights its units in every linked map of the same
    picture; a brushed region lights the sentences about it.

    v: what `salwidgets.verbalize` returned, or a list of them. link: the `Link` of another view, or that view.
    writer: an `LLMWriter` (or another `Writer`) that the reader may ask from the widget; it stays in Python, nothing of
    it but its name is shown or saved. units, on_false: as in `verbalize`, for what it then writes.

    All six of the template's texts (three lengths, two audiences) are made here, so that switching needs no kernel;
    asking a language model does. Traits ``by`` ("template", "llm", "given"), ``length``, ``audience`` and ``figures``
    follow what is done in the browser, and may be set. Raises `InputError`.
    """

    _stop: threading.Event | None = None
    title = traitlets.Unicode().tag(sync=True)
    passages: Any = traitlets.List().tag(sync=True, echo_update=False)
    cells = traitlets.Dict().tag(sync=True, echo_update=False)
    by = traitlets.Enum(("template", "llm", "given"), "template").tag(sync=True)
    length = traitlets.Enum(_LENGTHS, "paragraph").tag(sync=True)
    audience = traitlets.Enum(_AUDIENCES, "layperson").tag(sync=True)
    figures = traitlets.Bool(False).tag(sync=True)
    llm = traitlets.Unicode().tag(sync=True)
    request = traitlets.Dict().tag(sync=True, echo_update=False)
    reply = traitlets.Dict().tag(sync=True)
    alive = traitlets.Unicode().tag(sync=True)

    def __init__(self, v: Verbalization | Sequence[Verbalization], *, link: Link | View | None = None, writer: Any = None,
                 scale: Scale | None = None, units: Any = "auto", on_false: str = "mark") -> None:
        self._given = _checked(v)
        if writer is not None and not callable(getattr(writer, "write", None)):
            raise InputError(f"writer={type(writer).__name__} has no method write(); give a sw.LLMWriter().")
        self._writer, self._how = writer, {"units": units, "on_false": on_false}
        self._first, self._units = self._given, units
        self._passages = Passages(self._given)
        self._running = ""
        first = self._given[0].explanation
        view = link if isinstance(link, View) else None
        asked = [str(w.explanation.question or "A map without a question") for w in self._given]
        super().__init__(
            scale=scale or Scale.fit(*self.shown_maps()), link=None if view else link, image=_image(first),
            _view="narrative", title=asked[0] if len(asked) == 1 else "Explanations in words", llm=_name(writer),
            **self._passages.start)
        if view is not None:
            self.join(dict(view.links))
        self._ship()

    def _ship(self) -> None:
        passages, cells = self._passages.state()
        with self.hold_sync():
            self.cells, self.passages = pack(cells, "uint8"), passages

    @traitlets.observe("regions")
    def _named(self, change: Any) -> None:
        """Sentences speak of the parts that somebody named, and of the given ones again when no name is left."""
        from ..verbalization import verbalize

        if change["new"] == change["old"] or not hasattr(self, "_passages"):
            return
        drawn = [np.ndim(v.explanation.values) == 2 and _image(v.explanation).shape[:2] == self._size for v in self._first]
        masks = {name: mask for name, mask in self.region_masks().items() if any(drawn) and mask.any()}
        how: Any = {"units": masks, "length": self.length, "audience": self.audience}
        self._given = [verbalize(v.explanation, **how) if masks and fits else v
                       for v, fits in zip(self._first, drawn, strict=True)]
        self._how["units"] = masks or self._units
        self._passages = Passages(self._given)
        if self.by == "llm" or (self.by == "given" and masks):
            self.by = "template"
        self._ship()

    # -- asking a language model -----------------------------------------------------------------------------

    @traitlets.observe("request")
    def _asked(self, change: Any) -> None:
        """What the browser wants. Answered with the same id, always."""
        request = change["new"] if isinstance(change["new"], dict) else {}
        do, id = request.get("do"), str(request.get("id", ""))
        if do == "hello":
            self.alive = id
        elif do == "stop":
            self.stop()
        elif do == "write":
            self._begin(id, request.get("length"), request.get("audience"))

    def ask(self) -> None:
        """Ask the writer for the text at the chosen length and audience, as the button does: returns at once."""
        self.by = "llm"
        self._begin(uuid.uuid4().hex[:12], self.length, self.audience)

    def stop(self) -> None:
        """Stop the writer, if it is at work. The template's text stays."""
        if self._stop is not None:
            self._stop.set()

    def close(self) -> None:
        self.stop()
        super().close()

    def _begin(self, id: str, length: Any, audience: Any) -> None:
        if self._writer is None:
            self.reply = {"id": id, "state": "failed", "text": "No language model was given to this widget."}
            return
        if length not in _LENGTHS or audience not in _AUDIENCES:
            self.reply = {"id": id, "state": "failed", "text": "That length or audience is not known."}
            return
        self.stop()  # one text at a time
        self._stop, self._running = stop, _ = threading.Event(), id
        self.reply = {"id": id, "state": "writing", "text": ""}
        threading.Thread(target=self._write, args=(id, length, audience, stop), daemon=True,
                         name="salwidgets-narrative").start()

    def _write(self, id: str, length: str, audience: str, stop: threading.Event) -> None:
        """In a thread of its own: the kernel stays free, and the reader may stop it."""
        state, text = "done", ""
        try:
            for i, given in enumerate(self._given):
                written = self._one(given, id, length, audience, stop)
                if stop.is_set():
                    break
                self._passages.add(i, "llm", length, audience, written)
                state, text = (state, text) if written.error is None else ("failed", str(written.error))
        except _Stopped:
            pass
        except Exception as e:  # whatever a writer does, the reader is told
            state, text = "failed", f"{type(e).__name__}: {e}"
            self._passages.fail(length, audience, text)
        if id != self._running:
            return  # another text was asked for meanwhile
        if stop.is_set():
            state, text = "stopped", ""
        else:
            self._ship()
        self.reply = {"id": id, "state": state, "text": text}

    def _one(self, given: Verbalization, id: str, length: str, audience: str, stop: threading.Event) -> Verbalization:
        from ..verbalization import verbalize

        def on_text(text: str) -> None:
            if stop.is_set():
                raise _Stopped
            if id == self._running:
                self.reply = {"id": id, "state": "writing", "text": text}

        until = getattr(self._writer, "until", None)
        writer = until(stop) if callable(until) else self._writer
        options: Any = {"length": length, "audience": audience, **self._how}
        return verbalize(given.explanation, writer, on_text=on_text, **options)

    # -- reading and keeping ---------------------------------------------------------------------------------

    @property
    def shown(self) -> list[Verbalization]:
        """The texts that are shown now: one per explanation; the template's while the language model has none."""
        return [self._passages.shown(i, self.by, self.length, self.audience) for i in range(len(self._given))]

    @property
    def heading(self) -> str:
        return str(self.title)

    def shown_maps(self) -> list[NDArray[np.float32]]:
        return [np.asarray(v.explanation.values, np.float32) for v in self._given]

    def shown_map(self) -> NDArray[np.float32]:
        values = np.asarray(self._given[0].explanation.values, np.float32)
        return values if values.ndim == 2 else np.zeros(self._size, np.float32)

    @property
    def alt(self) -> str:
        return "\n".join([self.heading, *(plain_text(v) for v in self.shown)])

    def figure(self) -> Figure:
        """The maps with their sentences as caption; sentences that the map contradicts say so."""
        from ..figures import maps_figure

        texts = [plain_text(v) for v in self.shown]
        several = len(texts) > 1
        asked = [f"{v.explanation.question} " if several else "" for v in self._given]
        caption = "\n".join(q + t for q, t in zip(asked, texts, strict=True))
        maps = [(v.explanation, np.asarray(v.explanation.values, np.float32)) for v in self._given
                if np.ndim(v.explanation.values) == 2]
        if not maps:
            return _words_only(self.heading, caption)
        return maps_figure([m for _, m in maps], [_image(e) for e, _ in maps], [str(e.question or "") for e, _ in maps],
                           self.scale, caption=caption + "\n", heading=self.heading, alt=lambda: self.alt)


class _Stopped(Exception):
    """The reader does not want the text any more."""


def _checked(v: Any) -> list[Verbalization]:
    given = list(v) if isinstance(v, (list, tuple)) else [v]
    for one in given:
        if not all(hasattr(one, name) for name in ("sentences", "claims", "brief", "explanation")):
            raise InputError(f"Narrative shows what sw.verbalize(explanation) returns, or a list of such, not "
                             f"{type(one).__name__}.")
    if not given:
        raise InputError("Narrative needs at least one Verbalization; the list is empty.")
    return given


def _name(writer: Any) -> str:
    return "" if writer is None else str(getattr(writer, "name", type(writer).__name__))


def _image(e: Any) -> NDArray[np.uint8]:
    """The picture that brushes and highlights lie on; a text or a series has none, and one pixel stands for it."""
    if np.ndim(e.values) != 2:
        return np.full((1, 1, 3), 128, np.uint8)
    return np.full((*e.size, 3), 128, np.uint8) if e.image is None else np.asarray(e.image)


def _words_only(heading: str, text: str) -> Figure:
    from ..figures import PrintFigure
    from ..figures.words import wrapped

    lines = wrapped(text, 6.0, 8.5)
    fig = PrintFigure(figsize=(6.4, 0.6 + 0.18 * len(lines)), facecolor="white", heading=heading, caption=text)
    fig.text(0.03, 0.97, heading, fontsize=10, va="top", weight="bold")
    fig.text(0.03, 0.97 - 0.32 / fig.get_figheight(), "\n".join(lines), fontsize=8.5, va="top", linespacing=1.4)
    return fig.settle()

