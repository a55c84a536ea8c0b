"""One progress bar for long work: it appears after a second, says the time left, and Ctrl-C (or the notebook's stop
button) ends the work with everything put back."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

ProgressOption = bool | Callable[[int, int], None] | None


class Progress:
    """Counts model passes. ``show``: None shows a bar once the work has taken a second, True at once, False never;
    a callable is told (passes done, passes in all) after every batch and may raise to stop the work."""

    def __init__(self, total: int, label: str = "explaining", show: ProgressOption = None):
        self.total, self.done, self.label, self.show = total, 0, label, show
        self._bar: Any = None

    def __enter__(self) -> Progress:
        if self.show is None or self.show is True:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=self.total, desc=self.label, unit="pass", leave=False, dynamic_ncols=True,
                             delay=0.0 if self.show else 1.0)
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self, n: int) -> None:
        """``n`` more passes are done. Where they were not foreseen (``until=``), the total grows."""
        self.done += n
        if self.done > self.total:
            self.total = self.done
            if self._bar is not None:
                self._bar.total = self.total
        if self._bar is not None:
            self._bar.update(n)
        elif callable(self.show):
            self.show(self.done, self.total)
