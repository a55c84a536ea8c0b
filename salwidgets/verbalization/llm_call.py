"""Asking within limits: one deadline for everything, retries with back-off, cancellation from any side.

The request runs in a thread of its own, so that a server that sends nothing, or one byte a second, holds nobody up.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .llm_wire import LARGEST, ChatClient, Fault, Piece

#: seconds before the first retry; doubled for each further one
BACK_OFF = 0.5
_LOOK = 0.05  # seconds between looks at the clock and at the cancel event
_TELL = 0.04  # seconds between calls of on_text


class Cancelled(Exception):
    """The caller's event was set."""


@dataclass
class Deadline:
    """The end of the time that one answer may take, with all its retries. used: seconds that are spent already."""

    seconds: float
    cancel: threading.Event | None = None
    used: float = 0.0

    def __post_init__(self) -> None:
        self.start = time.monotonic()

    @property
    def left(self) -> float:
        """Seconds left. Raises `Cancelled` when the event is set."""
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled
        return self.seconds - self.used - self.elapsed

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.start

    def sleep(self, seconds: float) -> None:
        """Wait, and wake early when cancelled."""
        end = time.monotonic() + min(seconds, self.left)
        while (left := end - time.monotonic()) > 0:
            self.left  # noqa: B018 - raises when cancelled
            time.sleep(min(left, _LOOK))

    def over(self) -> Fault:
        return Fault(f"did not finish within the time limit of {self.seconds:g} s")


@dataclass
class Answer:
    """One whole answer."""

    text: str = ""
    refusal: str = ""
    finish: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, piece: Piece) -> None:
        self.text += piece.text
        self.refusal += piece.refusal
        self.finish = piece.finish or self.finish
        self.prompt_tokens = piece.prompt_tokens or self.prompt_tokens
        self.completion_tokens = piece.completion_tokens or self.completion_tokens
        if len(self.text) > LARGEST:  # other clients than ours may not bound what they read
            raise Fault(f"sent more than {LARGEST // 2**20} MB; the rest was not read")

    def checked(self) -> Answer:
        """Itself, or a `Fault` for answers that are none."""
        if self.refusal:
            from .llm_wire import said

            raise Fault(f"refused to answer: “{said(self.refusal)}”")
        if self.finish == "content_filter":
            raise Fault("withheld its answer (content filter)")
        if self.finish == "length":
            raise Fault("was cut off at its length limit before the answer was complete")
        if not self.text.strip():
            raise Fault("answered with an empty text", retry=True)
        return self


def ask(client: ChatClient, request: dict[str, Any], deadline: Deadline,
        on_text: Callable[[str], Any] | None = None) -> Answer:
    """One request, no retries. on_text: is called in this thread with the raw text so far; what it raises ends the
    request and is passed on, as is KeyboardInterrupt. Raises `Fault` and `Cancelled`."""
    inbox: queue.Queue[Piece | Fault | None] = queue.Queue()
    stop = threading.Event()
    if deadline.left <= 0:
        raise deadline.over()
    thread = threading.Thread(target=_fetch, args=(client, request, deadline.left, inbox, stop), daemon=True,
                              name="salwidgets-llm")
    thread.start()
    answer, told, done = Answer(), 0.0, False
    try:
        while True:
            left = deadline.left
            if left <= 0:
                raise deadline.over()
            try:
                item = inbox.get(timeout=min(left, _LOOK))
            except queue.Empty:
                continue
            if isinstance(item, Fault):
                raise item
            if item is None:
                done = True
                break
            answer.add(item)
            if on_text is not None and item.text and time.monotonic() - told > _TELL:
                on_text(answer.text)
                told = time.monotonic()
    finally:
        stop.set()
        if not done:
            client.abort(thread.ident or 0)
    if on_text is not None and answer.text:
        on_text(answer.text)
    return answer.checked()


def _fetch(client: ChatClient, request: dict[str, Any], timeout: float, inbox: queue.Queue[Piece | Fault | None],
           stop: threading.Event) -> None:
    try:
        for piece in client.answer(request, timeout):
            if stop.is_set():
                return
            inbox.put(piece)
        inbox.put(None)
    except Fault as fault:
        inbox.put(fault)
    except BaseException as e:  # whatever it is, the waiting thread must hear of it
        inbox.put(Fault(f"could not be asked ({type(e).__name__}: {e})"))


def with_retries(once: Callable[[], Any], deadline: Deadline, retries: int) -> Any:
    """``once()``, again after faults that may pass: at most ``retries`` times, waiting as long as the server asks, and
    never beyond the deadline."""
    for attempt in range(retries + 1):
        try:
            return once()
        except Fault as fault:
            if not fault.retry or attempt == retries:
                raise
            wait = fault.after if fault.after is not None else BACK_OFF * 2**attempt
            if wait >= deadline.left:
                raise Fault(f"{fault.message}; waiting {wait:g} s would pass the time limit of {deadline.seconds:g} s",
                            status=fault.status) from None
            deadline.sleep(wait)
    raise AssertionError("unreachable")
