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

from salwidgets.widgets import Contrast

# Script time of a frame: the input event that asks for it plus everything that runs in its animation frame.
_PROBE = """
window.spent = 0;
const original = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (callback) => original((t) => {
  const start = performance.now();
  callback(t);
  window.spent += performance.now() - start;
});
"""

_DRIVE = """async (frames) => {
  const slider = document.querySelector(".salw-mixer input");
  const next = () => new Promise((done) => setTimeout(done, 0));
  const painted = () => new Promise((done) => window.plainFrame(() => setTimeout(done, 0)));
  const times = [], gaps = [];
  let last = performance.now();
  for (let i = 0; i < frames; i++) {
    window.spent = 0;
    const start = performance.now();
    slider.value = String(((i * 7) % 100) / 100);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    const asked = performance.now() - start;
    await painted();
    times.push(asked + window.spent);
    const now = performance.now();
    gaps.push(now - last);
    last = now;
    await next();
  }
  return { times, gaps };
}"""


def measure_frames(size: int = 224, classes: int = 12, frames: int = 120, browser: Any = None) -> dict[str, float]:
    """Script time per frame in milliseconds: median, 95th percentile, worst; and the median gap between frames."""
    if browser is None:
        with chromium() as found:
            return measure_frames(size, classes, frames, found)
    with tempfile.TemporaryDirectory() as folder:
        view = Contrast(fakes.basis(size, size, classes), "husky", "wolf")
        path = view.save_html(Path(folder) / "page.html")
        context = browser.new_context(viewport={"width": 1120, "height": 900})
        try:
            page = context.new_page()
            page.add_init_script("window.plainFrame = window.requestAnimationFrame.bind(window);" + _PROBE)
            page.goto(path.as_uri())
            page.wait_for_selector(".salw-map")
            page.evaluate(_DRIVE, 20)  # the first frames also compile the script
            found = page.evaluate(_DRIVE, frames)
        finally:
            context.close()
    times = np.array(found["times"])
    return {"median_ms": float(np.median(times)), "p95_ms": float(np.percentile(times, 95)),
            "max_ms": float(times.max()), "median_gap_ms": float(np.median(found["gaps"])), "frames": float(frames)}


if __name__ == "__main__":
    print(measure_frames())
