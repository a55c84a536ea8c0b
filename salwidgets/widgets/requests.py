"""Requests from the browser that take their time: answered in a thread, newest first, with progress, and stoppable.

The browser's side is js/src/waiting.ts. Every answer carries the request's id, and while one is at work the browser hears
of it at least once a second: silence means that the kernel is busy with a cell, or gone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

BEAT = 1.0


class Stopped(Exception):
    """The reader does not want the answer any more."""


class Task:
    """One request at work."""

    def __init__(self, id: str, tell: Callable[[dict[str, Any]], None]) -> None:
        self.id, self._tell = id, tell
        self._stop = threading.Event()
        self._start = time.monotonic()
        self._said: dict[str, Any] = {"text": "", "share": 0.0}

    def stop(self) -> None:
        """Ask the work to end at its next step."""
        self._stop.set()

    def check(self) -> None:
        """Raises `Stopped` if the answer is not wanted any more."""
        if self._stop.is_set():
            raise Stopped

    def step(self, share: float, text: str) -> None:
        """``share`` (0..1) of the work is done, and what is being done now. Raises `Stopped`."""
        self.check()
        before, self._said = self._said, {"text": text, "share": share}
        if text != before["text"] or share - before["share"] >= 0.02:
            self.beat()

    def beat(self) -> None:
        """Tell how far it is, with the seconds left as it looks now."""
        share = float(self._said["share"])
        spent = time.monotonic() - self._start
        left = spent / share * (1 - share) if share > 0.02 and spent > 0.5 else None
        self._tell({"id": self.id, "state": "working", **self._said, "left": left})


class Worker:
    """Answers requests one at a time. A newer request stops the one at work and takes the place of any that waits.

    work: (request, task) -> None; what it raises goes to the browser as one sentence. tell: takes the replies,
    ``{"id", "state": "working" | "done" | "failed" | "stopped", "text", "share", "left"}``; called from a thread.
    """

    def __init__(self, work: Callable[[dict[str, Any], Task], None], tell: Callable[[dict[str, Any]], None]) -> None:
        self._work, self._tell = work, tell
        self._lock = threading.Lock()
        self._next: tuple[dict[str, Any], Task] | None = None
        self._now: Task | None = None
        self._newest = ""
        self._thread: threading.Thread | None = None

    def submit(self, request: dict[str, Any], *, stops: bool = True) -> None:
        """Answer ``request`` as soon as possible. stops: an older one that is at work is given up."""
        task = Task(str(request.get("id", "")), self._say)
        with self._lock:
            self._newest = task.id
            self._next = request, task
            if stops and self._now is not None:
                self._now.stop()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="salwidgets-answers")
                self._thread.start()

    def stop(self) -> None:
        """Give up what is at work and what waits."""
        with self._lock:
            waiting, self._next = self._next, None
            if self._now is not None:
                self._now.stop()
        if waiting is not None:
            self._say({"id": waiting[1].id, "state": "stopped", "text": ""})

    @property
    def busy(self) -> bool:
        """Whether a request is at work or waits."""
        with self._lock:
            return self._thread is not None

    def wait(self, timeout: float = 60.0) -> bool:
        """Wait until all is answered; False if that took too long."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)
        return not self.busy

    def _say(self, reply: dict[str, Any]) -> None:
        if reply["id"] == self._newest:  # nobody waits for an older one
            self._tell(reply)

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._next is None:
                    self._thread = self._now = None
                    return
                (request, task), self._next = self._next, None
                self._now = task
            self._one(request, task)

    def _one(self, request: dict[str, Any], task: Task) -> None:
        ended = threading.Event()
        heart = threading.Thread(target=_beats, args=(task, ended), daemon=True, name="salwidgets-progress")
        heart.start()
        reply: dict[str, Any] = {"id": task.id, "state": "done", "text": ""}
        try:
            self._work(request, task)
        except Stopped:
            reply["state"] = "stopped"
        except Exception as e:  # whatever it is, the reader is told
            reply |= {"state": "failed", "text": _sentence(e)}
        finally:
            ended.set()
        heart.join()
        self._say(reply)


def _beats(task: Task, ended: threading.Event) -> None:
    while not ended.wait(BEAT):
        task.beat()


def _sentence(e: Exception) -> str:
    """Our own errors are sentences; others say what they are."""
    from ..errors import SalwidgetsError

    return str(e) if isinstance(e, SalwidgetsError) else f"{type(e).__name__}: {e}"
