"""Start Chromium for tests: found on this machine, never downloaded, shut down whatever happens."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run", "--disable-background-timer-throttling",
         "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows")


def executable() -> str | None:
    """Path of Chromium, or None: $CHROMIUM, else what the system has."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


def why_not() -> str | None:
    """Why no browser test can run here, or None."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "playwright is not installed (pip install playwright)"
    return None if executable() else "no Chromium found (apt install chromium, or set CHROMIUM)"


@contextmanager
def chromium() -> Iterator[Any]:
    """A Playwright browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=executable(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page that remembers its requests, console errors and uncaught errors."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1120, "height": 900}, **options)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.goto(url)
        self.page.wait_for_selector(".salw-root")

    @classmethod
    def file(cls, browser: Any, path: Path, **options: Any) -> Watched:
        """Open a page from disk."""
        return cls(browser, path.resolve().as_uri(), **options)

    def close(self) -> None:
        """Close the page and its context."""
        self.context.close()


#: pixels of one canvas, as a flat list with its size
PIXELS = """(canvas) => ({ width: canvas.width, height: canvas.height,
  data: Array.from(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data) })"""


def pixels(canvas: Any) -> Any:
    """uint8 `[h, w, 4]` of a canvas."""
    import numpy as np

    found = canvas.evaluate(PIXELS)
    return np.array(found["data"], np.uint8).reshape(found["height"], found["width"], 4)
