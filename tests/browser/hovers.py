"""How long a frame of pointing at a sentence takes: its places are lit on a linked map. Used by tests and the benchmarks."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import fakes
import numpy as np
from chromium import chromium
from grids import script_times

import salwidgets as sw
from salwidgets.widgets import Heatmap, Narrative, save_page

_STEP = """async ([name, i]) => {
  const items = [...document.querySelectorAll("button.salw-sentence")];
  if (name === "hover") items[i % items.length].dispatchEvent(new Event("pointerover", { bubbles: true }));
  await new Promise((done) => window.plainFrame(() => setTimeout(done, 0)));
}"""


def measure_hovers(size: int = 224, frames: int = 60, browser: Any = None) -> dict[str, float]:
    """Script time per hover in milliseconds: the first one, the median and the 95th percentile of later ones.

    It is the processor's time of the page's main thread, less that of a frame in which nothing is done.
    """
    if browser is None:
        with chromium() as found:
            return measure_hovers(size, frames, found)
    e = fakes.explanation(size, size, image=fakes.picture(size, size))
    e.values = np.random.default_rng(0).normal(size=(size, size)).astype(np.float32).cumsum(0).cumsum(1)
    heat = Heatmap(e)
    words = Narrative(sw.verbalize(e, length="report", units="superpixels"), link=heat)
    with tempfile.TemporaryDirectory() as folder:
        path = save_page([heat, words], Path(folder) / "page.html")
        context = browser.new_context(viewport={"width": 1120, "height": 900})
        try:
            page = context.new_page()
            page.add_init_script("window.plainFrame = window.requestAnimationFrame.bind(window);")
            page.goto(path.as_uri())
            page.wait_for_selector("button.salw-sentence")
            page.wait_for_timeout(300)
            nothing = np.median(script_times(page, _STEP, "nothing", 20))
            times = np.array(script_times(page, _STEP, "hover", frames)) - nothing
        finally:
            context.close()
    later = times[1:]
    return {"first_ms": float(times[0]), "median_ms": float(np.median(later)), "p95_ms": float(np.percentile(later, 95))}
