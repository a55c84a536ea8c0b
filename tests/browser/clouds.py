"""How long frames of a ClusterView of many points take in Chromium, with no kernel. Used by tests and by the benchmarks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import concept_fakes
import numpy as np

from salwidgets.widgets import ClusterView

_PROBE = """
window.plainFrame = window.requestAnimationFrame.bind(window);
const put = CanvasRenderingContext2D.prototype.putImageData;
window.puts = 0;
CanvasRenderingContext2D.prototype.putImageData = function (...args) {
  if (this.canvas.className === "salw-points") window.puts += 1;
  return put.apply(this, args);
};
"""

_STEP = """async ([name, i]) => {
  const stage = document.querySelector(".salw-scatter"), box = stage.getBoundingClientRect();
  const pointer = (type, x, y, more) => stage.dispatchEvent(new PointerEvent(type, { bubbles: true, pointerId: 1, button: 0,
    clientX: box.left + x * box.width, clientY: box.top + y * box.height, ...more }));
  const circle = [0.5 + 0.35 * Math.cos(i / 12), 0.5 + 0.35 * Math.sin(i / 12)];
  const gestures = {
    nothing: () => {},
    hover: () => pointer("pointermove", ...circle),
    pan: () => {
      if (i === 0) pointer("pointerdown", ...circle, { shiftKey: true });
      pointer("pointermove", ...circle, { shiftKey: true });
    },
    lasso: () => { if (i === 0) pointer("pointerdown", ...circle); pointer("pointermove", ...circle); },
    zoom: () => stage.dispatchEvent(new WheelEvent("wheel", { bubbles: true, cancelable: true, ctrlKey: true,
      deltaY: i % 20 < 10 ? -30 : 30, clientX: box.left + 200, clientY: box.top + 200 })),
    end: () => pointer("pointerup", ...circle),
  };
  gestures[name]();
  await new Promise((done) => window.plainFrame(() => setTimeout(done, 0)));
}"""

GESTURES = ("pan", "zoom", "lasso", "hover")


def cloud(n: int = 10_000, groups: int = 12) -> ClusterView:
    """Many points with pictures, answers and neighbours."""
    points, of = concept_fakes.blobs(n, groups)
    pictures = np.random.default_rng(0).integers(0, 255, (n, 4, 4, 3)).astype(np.uint8).repeat(8, 1).repeat(8, 2)
    order = np.argsort(points[:, 0], kind="stable")
    return ClusterView(points=points, labels=of, thumbnails=pictures, correct=np.arange(n) % 5 > 0,
                       edges=np.stack([order[:-1], order[1:]], -1), title=f"{n} images")


@contextmanager
def open_page(view: ClusterView, browser: Any) -> Iterator[Any]:
    """The exported page of a view in a fresh context, drawn. ``size_on_disk`` and ``drawn_ms`` are known of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = view.save_html(Path(folder) / "page.html")
        context = browser.new_context(viewport={"width": 1120, "height": 1000})
        try:
            page = context.new_page()
            page.add_init_script(_PROBE)
            page.goto(path.as_uri())
            while not page.evaluate("window.puts"):  # the page's policy forbids polling by evaluation
                page.wait_for_timeout(20)
            page.drawn_ms = page.evaluate("performance.now()")
            page.size_on_disk = path.stat().st_size
            yield page
        finally:
            context.close()


def frames(page: Any, gesture: str, count: int = 60) -> dict[str, float]:
    """Time per frame in milliseconds of one gesture: script, style, layout and paint.

    It is the processor's time of the page's main thread (Chromium's TaskDuration in thread ticks), so that other work of
    the machine does not count; less what the measuring itself costs, a frame in which nothing is done.
    """
    times = {name: _times(page, name, n) for name, n in (("nothing", 20), (gesture, count))}
    page.evaluate(_STEP, ["end", count])
    page.wait_for_timeout(200)
    found = np.array(times[gesture][12:]) - np.median(times["nothing"])  # the first frames also compile the script
    return {"median_ms": float(np.median(found)), "p95_ms": float(np.percentile(found, 95)), "max_ms": float(found.max())}


def _times(page: Any, gesture: str, count: int) -> list[float]:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(m["value"] for m in metrics if m["name"] == "TaskDuration")

    times = []
    for i in range(count):
        before = spent()
        page.evaluate(_STEP, [gesture, i])
        times.append(spent() - before)
    session.detach()
    return times
