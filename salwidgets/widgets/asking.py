"""Views that share their question (`Contrast`, `ClassTree`): target and foil by name, through the trait `Link.question`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from .base import View
from .link import SHARED, Link


class Asking(View):
    """A view whose question other views may set. The browser does the same in js/src/asking.ts.

    `Link.question` stays None until a view that is made to ask joins, or until "question" is linked by name: views that
    share only a cursor keep their own questions.
    """

    aspects: ClassVar[tuple[str, ...]] = (*SHARED, "question")
    _heard: Link | None = None
    _taking = _quiet = _deaf = False

    def asked(self) -> dict[str, str]:
        """``{"target", "foil", "source"}``: names, the foil "" for none."""
        raise NotImplementedError

    def _take(self, target: str, foil: str) -> None:
        """Ask what another view asks; names that this view does not know are left alone."""
        raise NotImplementedError

    def _tie(self) -> None:
        super()._tie()
        link = self.links["question"]
        if link is not self._heard:
            if self._heard is not None:
                self._heard.unobserve(self._hear, "question")
            link.observe(self._hear, "question")
            self._heard = link
        self._hear()

    def _hear(self, change: Any = None) -> None:
        link = self.links["question"]
        if self._deaf or not link.question:
            return
        now, mine = link.question, self.asked()
        if (now["target"], now["foil"]) == (mine["target"], mine["foil"]):
            return
        # If the browser asked, it tells this view itself; an answer from here would arrive late.
        with self._listening("question" in link._property_lock):
            self._take(str(now["target"]), str(now["foil"]))

    @contextmanager
    def _listening(self, unsent: bool) -> Iterator[None]:
        """While another view's question is taken over: nothing is told back, and if ``unsent`` it stays in Python."""
        self._taking, self._quiet = True, unsent
        try:
            yield
        finally:
            self._taking = self._quiet = False

    def _should_send_property(self, key: str, value: Any) -> bool:
        return not self._quiet and bool(super()._should_send_property(key, value))

    def _tell(self) -> None:
        """Tell the others, if anybody asks through this link, what was asked here from Python."""
        link, mine = self.links["question"], self.asked()
        now = link.question
        if now and not self._taking and (now["target"], now["foil"]) != (mine["target"], mine["foil"]):
            link.question = mine

    def close(self) -> None:
        if self._heard is not None:
            self._heard.unobserve(self._hear, "question")
            self._heard = None
        super().close()
