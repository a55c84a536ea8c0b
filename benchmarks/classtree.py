"""The class tree with 100,000 classes in an exported page in Chromium, with no kernel: first layout, and gestures.

Script of a gesture is the processor's time of the page's main thread; the first layout is the wall's, so other work on the
machine counts there.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Row

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))

_STEP = """async ([gesture, i]) => {
  const tree = document.querySelector("[role=tree]"), input = document.querySelector("[role=combobox]");
  const press = (key) => tree.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const items = () => [...tree.children].filter((item) => !item.classList.contains("salw-more"));
  const acts = {
    nothing: () => {},
    ask: (i) => { const all = items(); all[(i * 7 + 3) % all.length].click(); },
    foil: (i) => {
      const all = items();
      all[(i * 5 + 1) % all.length].dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey: true }));
    },
    walk: (i) => press(i % 2 ? "ArrowRight" : "ArrowDown"),
    zoom: (i) => press(i % 2 ? "0" : "z"),
    search: (i) => { input.value = "leaf " + (i * 37); input.dispatchEvent(new Event("input")); },
  };
  acts[gesture](i);
  await new Promise((done) => window.plainFrame(() => setTimeout(done, 0)));
}"""

_NAMES = {"ask": "a click asks", "foil": "Shift and a click set the foil", "walk": "an arrow key", "zoom": "zoom in and out",
          "search": "a key in the search box"}


def measure_tree(classes: int = 100_000, times: int = 40, browser: Any = None) -> dict[str, tuple[float, float]]:
    """Milliseconds of script (median, 95th percentile) for every gesture; "first": from the data to the layout."""
    from chromium import chromium  # type: ignore[import-not-found]
    from grids import script_times  # type: ignore[import-not-found]
    from test_classtree import big  # type: ignore[import-not-found]

    if browser is None:
        with chromium() as found:
            return measure_tree(classes, times, found)
    with tempfile.TemporaryDirectory() as folder:
        path = big(classes).save_html(Path(folder) / "tree.html")
        context = browser.new_context(viewport={"width": 1120, "height": 900})
        try:
            page = context.new_page()
            page.add_init_script("window.plainFrame = window.requestAnimationFrame.bind(window);")
            first = []
            for _ in range(3):
                page.goto(path.as_uri())
                page.wait_for_selector("[role=treeitem]")
                first.append(page.evaluate("performance.now() - performance.getEntriesByType('navigation')[0].responseEnd"))
            rows = {"first": (float(np.median(first)), float(np.max(first)))}
            nothing = np.median(script_times(page, _STEP, "nothing", 12))
            for gesture in _NAMES:
                script_times(page, _STEP, gesture, 6)  # the first ones also compile the script
                spent = np.array(script_times(page, _STEP, gesture, times)) - nothing
                rows[gesture] = float(np.median(spent)), float(np.percentile(spent, 95))
        finally:
            context.close()
    return rows


def run(quick: bool = False) -> list[Row]:
    """The rows of this file; none where there is no Chromium."""
    from chromium import why_not

    if why_not():
        print(f"classtree: {why_not()}")
        return []
    found = measure_tree(times=10 if quick else 40)
    rows = [Row("ClassTree of 100,000 classes, page of 6 MB read to first layout", found["first"][0], "ms", 1000,
                f"slowest of three {found['first'][1]:.0f} ms")]
    return rows + [Row(f"ClassTree of 100,000 classes, {_NAMES[g]}", found[g][0], "ms", 16,
                       f"95th percentile {found[g][1]:.1f} ms") for g in _NAMES]
