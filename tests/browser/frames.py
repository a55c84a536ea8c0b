"""How long a frame of the Contrast slider takes in Chromium, with no kernel. Used by tests and by the benchmarks.

>>> measure_frames(size=224, classes=12, frames=120)      # doctest: +SKIP
{'median_ms': 2.1, 'p95_ms': 3.0, ...}
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import fakes
import numpy as np
from chromium import chromium
from grids import script_times

from salwidgets.widgets import Contrast

_STEP = """async ([name, i]) => {
  if (name === "slider") {
    const slider = document.querySelector(".salw-mixer input");
    slider.value = String(((i * 7) % 100) / 100);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  }
  await new Promise((done) => window.plainFrame(() => setTimeout(done, 0)));
}"""


def measure_frames(size: int = 224, classes: int = 12, frames: int = 120, browser: Any = None) -> dict[str, float]:
    """Script time per frame in milliseconds: median, 95th percentile, worst.

    It is the processor's time of the page's main thread, less that of a frame in which nothing is done.
    """
    if browser is None:
        with chromium() as found:
            return measure_frames(size, classes, frames, found)
    with tempfile.TemporaryDirectory() as folder:
        view = Contrast(fakes.basis(size, size, classes), "husky", "wolf")
        path = view.save_html(Path(folder) / "page.html")
        context = browser.new_context(viewport={"width": 1120, "height": 900})
        try:
            page = context.new_page()
            page.add_init_script("window.plainFrame = window.requestAnimationFrame.bind(window);")
            page.goto(path.as_uri())
            page.wait_for_selector(".salw-map")
            nothing = np.median(script_times(page, _STEP, "nothing", 20))
            script_times(page, _STEP, "slider", 12)  # the first frames also compile the script
            times = np.array(script_times(page, _STEP, "slider", frames)) - nothing
        finally:
            context.close()
    return {"median_ms": float(np.median(times)), "p95_ms": float(np.percentile(times, 95)), "max_ms": float(times.max())}


if __name__ == "__main__":
    print(measure_frames())
