"""How long frames of a Comparison of 64 maps take in Chromium, with no kernel. Used by tests and by the benchmarks."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from salwidgets.evidence import Basis
from salwidgets.explanation import Explanations, from_array
from salwidgets.questions import why
from salwidgets.widgets import Comparison, View

_PROBE = """
window.plainFrame = window.requestAnimationFrame.bind(window);
const put = CanvasRenderingContext2D.prototype.putImageData;
window.puts = 0;
const parse = JSON.parse;
JSON.parse = (text) => { window.scriptStart ??= performance.now(); return parse(text); };
CanvasRenderingContext2D.prototype.putImageData = function (...args) {
  if (this.canvas.className.startsWith("salw-map")) { window.puts += 1;
    window.lastPut = performance.now();
    window.order?.push({ canvas: this.canvas, time: window.lastPut });
  }
  return put.apply(this, args);
};
"""

_GESTURES = """
const grid = document.querySelector(".salw-tiles-frame");
const stages = [...document.querySelectorAll(".salw-tile-stage")];
const box = stages[9].getBoundingClientRect();
const pointer = (type, x, y, more) => stages[9].dispatchEvent(new PointerEvent(type, { bubbles: true, pointerId: 1,
  button: 0, clientX: box.left + x * box.width, clientY: box.top + y * box.height, ...more }));
const wave = (i) => [0.1 + 0.8 * ((i * 7) % 31) / 31, 0.1 + 0.8 * ((i * 11) % 29) / 29];
const input = (name, value) => {
  const fields = [...document.querySelectorAll(".salw-field")];
  const field = fields.find((f) => f.querySelector("label").textContent === name).lastElementChild;
  const control = field.matches("input, select") ? field : field.previousElementSibling;
  control.value = String(value);
  control.dispatchEvent(new Event(control.matches("select") ? "change" : "input", { bubbles: true }));
};
const wheel = (deltaY) => stages[9].dispatchEvent(new WheelEvent("wheel", { bubbles: true, cancelable: true, ctrlKey: true,
  deltaY, clientX: box.left + 40, clientY: box.top + 40 }));
const gestures = {
  cursor: (i) => pointer("pointermove", ...wave(i)),
  brush: (i) => { if (i === 0) pointer("pointerdown", 0.05, 0.05); pointer("pointermove", ...wave(i)); },
  zoom: (i) => wheel(i % 20 < 10 ? -30 : 30),
  pan: (i) => {
    if (i === 0) {
      for (let k = 0; k < 8; k++) wheel(-60);
      pointer("pointerdown", 0.5, 0.5, { shiftKey: true });
    }
    pointer("pointermove", ...wave(i), { shiftKey: true });
  },
  threshold: (i) => input("Threshold", ((i * 7) % 90) / 100),
  opacity: (i) => input("Opacity", ((i * 7) % 100) / 100),
  colours: (i) => input("Colours", i % 2 ? "coolwarm" : "RdBu_r"),
};
"""

_STEP = """async ([name, i]) => {
  %s
  gestures.nothing = () => {};
  gestures.end = () => pointer("pointerup", 0.5, 0.5);
  gestures[name](i);
  await new Promise((done) => window.plainFrame(() => setTimeout(done, 0)));
}""".replace("%s", _GESTURES)

GESTURES = ("cursor", "brush", "zoom", "pan", "threshold", "opacity", "colours")


def grid_of(size: int, rows: int = 8, columns: int = 8, photos: list[np.ndarray] | None = None) -> Explanations:
    """64 maps of ``size`` x ``size`` cells over 8 pictures of 224 x 224: smooth hills and noise, signed."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:224, 0:224] / 224
    found = []
    for i in range(rows):
        picture = photos[i % len(photos)] if photos else _picture(rng, x, y)
        for j in range(columns):
            at = rng.uniform(0.2, 0.8, 2)
            line = np.linspace(0, 1, size)
            hill = np.exp(-((line[:, None] - at[0]) ** 2 + (line[None] - at[1]) ** 2) * 20)
            values = hill * 3 - 0.4 + rng.normal(size=(size, size)) * 0.3
            found.append(from_array(values.astype(np.float32), picture, why("husky"), method=f"method-{j}",
                                    score=float(rng.normal())))
    return Explanations(found, (rows, 1, columns))


def _picture(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    waves = [np.sin(rng.uniform(5, 40) * x + rng.uniform(5, 40) * y) * 90 + 128 for _ in range(3)]
    noise = rng.normal(size=(224, 224, 3)) * 8
    return np.clip(np.stack(waves, -1) + noise, 0, 255).astype(np.uint8)


def basis_of(size: int = 224, inputs: int = 64, classes: int = 4) -> Basis:
    """Per-class maps of 64 inputs."""
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(inputs, classes, size, size)).astype(np.float32)
    images = np.repeat(_picture(rng, *(np.mgrid[0:224, 0:224] / 224))[None], inputs, 0)
    images[:, 0, 0, 0] = np.arange(inputs)
    return Basis(maps, np.arange(classes), [f"class {i}" for i in range(classes)],
                 rng.normal(size=(inputs, classes)).astype(np.float32), images, "grad-cam")


@contextmanager
def open_page(view: Comparison, browser: Any, width: int = 1120) -> Any:
    """The exported page of a view in a fresh context, drawn."""
    with tempfile.TemporaryDirectory() as folder:
        path = view.save_html(Path(folder) / "page.html")
        context = browser.new_context(viewport={"width": width, "height": 1000})
        try:
            page = context.new_page()
            page.add_init_script(_PROBE)
            page.goto(path.as_uri())
            n = len(view.places.at)
            while page.evaluate("window.puts") < n:  # the page's policy forbids polling by evaluation
                page.wait_for_timeout(20)
            page.size_on_disk = path.stat().st_size
            yield page
        finally:
            context.close()


def frames(page: Any, gesture: str, count: int = 60) -> dict[str, float]:
    """Script time per frame in milliseconds of one gesture.

    It is the processor's time of the page's main thread (Chromium's ScriptDuration in thread ticks), so that other work
    of the machine does not count; less what the measuring itself costs, a frame in which nothing is done.
    """
    times = {name: _times(page, name, n) for name, n in (("nothing", 20), (gesture, count))}
    page.evaluate(_STEP, ["end", 0])
    page.wait_for_timeout(300)
    found = np.array(times[gesture][12:]) - np.median(times["nothing"])  # the first frames also compile the script
    return {"median_ms": float(np.median(found)), "p95_ms": float(np.percentile(found, 95)), "max_ms": float(found.max())}


def _times(page: Any, gesture: str, count: int) -> list[float]:
    return script_times(page, _STEP, gesture, count)


def script_times(page: Any, step: str, name: str, count: int) -> list[float]:
    """The processor's time of the page's main thread for ``step([name, i])``, milliseconds each."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(m["value"] for m in metrics if m["name"] == "ScriptDuration")

    times = []
    for i in range(count):
        before = spent()
        page.evaluate(step, [name, i])
        times.append(spent() - before)
    session.detach()
    return times


def first_paint(page: Any) -> dict[str, float]:
    """Milliseconds (of the wall's clock): from the data in the page (its script starts) to the last map of the first
    drawing; from the navigation to Chromium's first contentful paint."""
    page.wait_for_timeout(300)
    found = page.evaluate("""() => ({ last: window.lastPut - window.scriptStart,
      painted: performance.getEntriesByName("first-contentful-paint")[0].startTime })""")
    return {"drawn_ms": float(found["last"]), "painted_ms": float(found["painted"])}


def another_foil(page: Any, foil: str) -> dict[str, float]:
    """A new foil in a comparison of bases: when the first and the last visible and hidden map are painted, milliseconds."""
    return dict(page.evaluate("""async (name) => {
      const seen = (canvas) => {
        const box = canvas.getBoundingClientRect();
        return box.bottom > 0 && box.top < innerHeight;
      };
      window.order = [];
      const input = document.querySelectorAll("[role=combobox]")[1];
      input.click();
      input.value = name;
      input.dispatchEvent(new Event("input", { bubbles: true }));
      const visible = new Set([...document.querySelectorAll(".salw-tile .salw-map")].filter(seen));
      const start = performance.now();
      input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
      while (new Set(window.order.map((o) => o.canvas)).size < 64) await new Promise((done) => setTimeout(done, 10));
      const first = [...new Map([...window.order].reverse().map((o) => [o.canvas, o.time])).entries()];
      const times = (on) => first.filter(([canvas]) => visible.has(canvas) === on).map(([, time]) => time - start);
      const done = Math.max(...times(true));
      return { visible: visible.size, last_visible_ms: done, first_hidden_ms: Math.min(...times(false)),
        too_early: times(false).filter((time) => time < done).length,
        last_ms: Math.max(...first.map(([, time]) => time - start)) };
    }""", foil))


def leftovers(browser: Any, count: int = 200, view: View | None = None) -> dict[str, float]:
    """Views mounted and closed again in one page: listeners, nodes and canvases that are left, after a collection.

    view: by default a Comparison of four maps.
    """
    from salwidgets.widgets.base import STATIC
    from salwidgets.widgets.export import page_state

    view = view or Comparison(grid_of(7, 2, 2))
    stored = page_state([view])
    context = browser.new_context()
    try:
        page = context.new_page()
        page.set_content("<main></main>")
        page.evaluate(_MOUNT, [(STATIC / "widget.js").read_text("utf-8"), stored, view.model_id])
        page.evaluate("window.cycle(5)")
        session = context.new_cdp_session(page)
        session.send("Performance.enable")

        def counts() -> dict[str, float]:
            for _ in range(3):
                session.send("HeapProfiler.collectGarbage")
            metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
            canvases = page.evaluate("window.made.filter((ref) => ref.deref()).length")
            return {"listeners": metrics["JSEventListeners"], "nodes": metrics["Nodes"], "canvases": canvases,
                    "traits": page.evaluate("window.callbacks()")}

        before = counts()
        page.evaluate(f"window.cycle({count})")
        page.wait_for_timeout(200)
        after = counts()
    finally:
        context.close()
    return {name: after[name] - before[name] for name in after}


_MOUNT = """async ([source, stored, id]) => {
  const { default: bundle } = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const listeners = new Map();
  const modelOf = ({ state, buffers }) => {
    for (const [path, text] of buffers) path.slice(0, -1).reduce((o, key) => o[key], state)[path.at(-1)] = bytes(text);
    const on = (event, f) => void listeners.set(f, event);
    return { get: (name) => state[name], set: (name, value) => { state[name] = value; }, save_changes() {}, on,
      off: (event, f) => void listeners.delete(f) };
  };
  const models = Object.fromEntries(Object.entries(stored).map(([key, value]) => [key, modelOf(value)]));
  const host = { getModel: async (ref) => models[ref.replace(/^anywidget:/, "")] };
  window.made = [];
  window.callbacks = () => listeners.size;
  window.cycle = async (count) => {
    for (let i = 0; i < count; i++) {
      const el = document.createElement("div");
      document.querySelector("main").append(el);
      const abort = new AbortController();
      await bundle.render({ model: models[id], el, host, signal: abort.signal });
      for (const canvas of el.querySelectorAll("canvas")) window.made.push(new WeakRef(canvas));
      if (i % 10 === 0) await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
      abort.abort();
      el.remove();
    }
  };
}"""


_COUNTED = """async ([source, stored, id, gestures, count]) => {
  document.body.innerHTML = "<main></main>";
  const { default: bundle } = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  let sent = 0;
  const modelOf = ({ state, buffers }) => {
    for (const [path, text] of buffers) path.slice(0, -1).reduce((o, key) => o[key], state)[path.at(-1)] = bytes(text);
    const callbacks = new Map();
    let changed = false;
    return {
      get: (name) => state[name],
      on: (event, f) => void callbacks.set(event, [...(callbacks.get(event) ?? []), f]),
      off() {},
      set(name, value) {
        state[name] = value;
        changed = true;
        for (const f of callbacks.get(`change:${name}`) ?? []) f();
      },
      save_changes() { sent += changed; changed = false; }, send() { sent += 1; },
    };
  };
  const models = Object.fromEntries(Object.entries(stored).map(([key, value]) => [key, modelOf(value)]));
  const host = { getModel: async (ref) => models[ref.replace(/^anywidget:/, "")] };
  await bundle.render({ model: models[id], el: document.querySelector("main"), host, signal: new AbortController().signal });
  const rest = (ms) => new Promise((done) => setTimeout(done, ms));
  await rest(500);
  const play = new Function("name", "i", `%s; gestures.end = () => pointer("pointerup", 0.5, 0.5); gestures[name](i);`);
  const found = {};
  const frames = async (name, n) => {
    let [last, stalls] = [performance.now(), 0];
    for (let i = 0; i < n; i++) {
      play(name, i);
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
      stalls += performance.now() - last > 80;
      last = performance.now();
    }
    const during = [sent, stalls];
    play("end", 0);
    await rest(400);
    return during;
  };
  for (const name of gestures) {
    await frames(name, 12);  // the first ones also compile the script
    sent = 0;
    const during = await frames(name, count);
    found[name] = [during[0], sent - during[0], during[1]];
  }
  return found;
}""".replace("%s", _GESTURES.replace("\\", "\\\\").replace("`", "\\`").replace("$", "\\$"))


def messages(browser: Any, view: View, count: int = 60) -> dict[str, tuple[int, int, int]]:
    """How often the page would write to a kernel while a gesture of ``count`` frames runs, and after it came to rest.

    The third is how often the machine let the page wait for 80 ms or more: a gesture that pauses for 100 ms is at rest.
    The models are those of a notebook as far as a view sees them: what is not saved is not sent.
    """
    from salwidgets.widgets.base import STATIC
    from salwidgets.widgets.export import page_state

    context = browser.new_context(viewport={"width": 1120, "height": 1000})
    try:
        page = context.new_page()
        page.set_content("<main></main>")
        source = (STATIC / "widget.js").read_text("utf-8")
        found = page.evaluate(_COUNTED, [source, page_state([view]), view.model_id, list(GESTURES), count])
    finally:
        context.close()
    return {name: (int(during), int(after), int(stalls)) for name, (during, after, stalls) in found.items()}


__all__ = ["GESTURES", "another_foil", "basis_of", "first_paint", "frames", "grid_of", "leftovers", "messages", "open_page",
           "script_times"]
