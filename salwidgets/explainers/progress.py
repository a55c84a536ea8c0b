"""One progress bar for long work: it appears after a second, says the time left, and Ctrl-C (or the notebook's stop
button) ends the work with everything put back."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

_PATIENCE = 1.0  # seconds

ProgressOption = bool | Callable[[int, int], None] | None


class Progress:
    """Counts model passes. ``show``: None shows a bar once the work has taken a second, True at once, False never;
    a callable is told (passes done, passes in all) after every batch and may raise to stop the work."""

    def __init__(self, total: int, label: str = "explaining", show: ProgressOption = None):
        self.total, self.done, self.label, self.show = total, 0, label, show
        self._bar: Any = None
        self._due = 0.0

    def __enter__(self) -> Progress:
        self._due = time.monotonic() + _PATIENCE
        if self.show is True:
            self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()
            _close_widgets(getattr(self._bar, "container", None))

    def _open(self) -> None:
        from tqdm.auto import tqdm

        self._bar = tqdm(total=self.total, initial=self.done, desc=self.label, unit="pass", leave=False, dynamic_ncols=True)

    def expect(self, n: int) -> None:
        """``n`` more passes will be made than were foreseen: what they depend on (channels, say) is known by now."""
        self.total += n
        if self._bar is not None:
            self._bar.total = self.total
            self._bar.refresh()

    def step(self, n: int) -> None:
        """``n`` more passes are done. Where they were not foreseen (``until=``), the total grows."""
        self.done += n
        if self.done > self.total:
            self.total = self.done
            if self._bar is not None:
                self._bar.total = self.total
        if self._bar is not None:
            self._bar.update(n)
        elif self.show is None and time.monotonic() >= self._due:
            self._open()
        elif callable(self.show):
            self.show(self.done, self.total)


def _close_widgets(box: Any) -> None:
    """Close a notebook's bar with what is inside it: tqdm closes the box at most, and each bar would leave ten models."""
    for widget in (*getattr(box, "children", ()), box):
        for part in (getattr(widget, "layout", None), getattr(widget, "style", None), widget):
            if part is not None:
                part.close()
