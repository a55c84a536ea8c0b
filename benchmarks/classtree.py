"""The class tree with 100,000 classes in an exported page in Chromium, with no kernel: first layout, and gestures."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Row

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))

# Script time of a gesture: its event, and everything that runs in the next animation frame because of it.
_PROBE = """
window.plainFrame = window.requestAnimationFrame.bind(window);
window.spent = 0;
window.requestAnimationFrame = (callback) => window.plainFrame((t) => {
  const start = performance.now();
  callback(t);
  window.spent += performance.now() - start;
});
"""

_DRIVE = """async ([gesture, times]) => {
  const tree = document.querySelector("[role=tree]"), input = document.querySelector("[role=combobox]");
  const press = (key) => tree.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const items = () => [...tree.children].filter((item) => !item.classList.contains("salw-more"));
  const acts = {
    ask: (i) => { const all = items(); all[(i * 7 + 3) % all.length].click(); },
    foil: (i) => {
      const all = items();
      all[(i * 5 + 1) % all.length].dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey: true }));
    },
    walk: (i) => press(i % 2 ? "ArrowRight" : "ArrowDown"),
    zoom: (i) => press(i % 2 ? "0" : "z"),
    search: (i) => { input.value = "leaf " + (i * 37); input.dispatchEvent(new Event("input")); },
  };
  const found = [];
  for (let i = 0; i < times; i++) {
    window.spent = 0;
    const start = performance.now();
    acts[gesture](i);
    const event = performance.now() - start;
    await new Promise((done) => window.plainFrame(() => setTimeout(done, 0)));
    found.push(event + window.spent);
  }
  return found;
}"""

_NAMES = {"ask": "a click asks", "foil": "Shift and a click set the foil", "walk": "an arrow key", "zoom": "zoom in and out",
          "search": "a key in the search box"}


def measure_tree(classes: int = 100_000, times: int = 40, browser: Any = None) -> dict[str, tuple[float, float]]:
    """Milliseconds of script (median, 95th percentile) for every gesture; "first": from the script's start to the layout."""
    from chromium import chromium  # type: ignore[import-not-found]
    from test_classtree import big  # type: ignore[import-not-found]

    if browser is None:
        with chromium() as found:
            return measure_tree(classes, times, found)
    with tempfile.TemporaryDirectory() as folder:
        path = big(classes).save_html(Path(folder) / "tree.html")
        context = browser.new_context(viewport={"width": 1120, "height": 900})
        try:
            page = context.new_page()
            page.add_init_script(_PROBE)
            first = []
            for _ in range(3):
                page.goto(path.as_uri())
                page.wait_for_selector("[role=treeitem]")
                first.append(page.evaluate("performance.now() - performance.getEntriesByType('navigation')[0].responseEnd"))
            rows = {"first": (float(np.median(first)), float(np.max(first)))}
            for gesture in _NAMES:
                page.evaluate(_DRIVE, [gesture, 6])  # the first ones also compile the script
                spent = np.array(page.evaluate(_DRIVE, [gesture, times]))
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
