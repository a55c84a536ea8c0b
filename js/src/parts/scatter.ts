// The canvas of a scatter: points as stamped marks, hover, lasso, pan and zoom. It knows no model.
import { h, listen, onFrame } from "../dom";
import { makeMark, stamp, stroke, type Mark } from "../marks";
import { fit, inside, nearest, toData, toScreen, zoom, type Camera, type Places } from "../scatter";

export interface Scene {
  places: Places;
  /** group of each point, -1 for none */
  of: Int32Array;
  /** 1: drawn hollow */
  hollow: Uint8Array;
  /** 0: not drawn, 1: faint, 2: full */
  state: Uint8Array;
  edges: Uint32Array;
  showEdges: boolean;
}

export type How = "set" | "add" | "less";

export interface ScatterEvents {
  /** the point under the pointer, or -1 */
  hover(i: number): void;
  click(i: number): void;
  /** points inside the line that is being drawn; `done`: the gesture is over */
  lasso(found: number[], how: How, done: boolean): void;
}

export interface Scatter {
  el: HTMLElement;
  /** something changed: draw before the next frame */
  draw(): void;
  /** the ringed point, or -1 */
  ring(i: number): void;
  zoom(factor: number): void;
  pan(x: number, y: number): void;
  all(): void;
  /** bring a point into sight */
  reveal(i: number): void;
  at(i: number): [number, number];
  /** dragging moves the view, and draws the lasso with Shift */
  pans: boolean;
}

const NEAR = 14; // pixels within which the pointer finds a point
const STEP = 3; // pixels between two corners of a lasso

export function isDark(el: Element): boolean {
  const [r = 0, g = 0, b = 0] = getComputedStyle(el).color.match(/[\d.]+/g)?.map(Number) ?? [];
  return r + g + b > 384;
}

/** Marks of every group: full, faint, and hollow of both. Small where points are many. */
function markSet(count: number, ratio: number, dark: boolean): (group: number, hollow: number, faint: boolean) => Mark {
  const radius = ratio * (count > 4000 ? 3.4 : count > 600 ? 4.4 : 6);
  const known = new Map<number, Mark>();
  return (group, hollow, faint) => {
    const key = group * 4 + hollow * 2 + Number(faint);
    let mark = known.get(key);
    if (!mark) known.set(key, (mark = makeMark(group, radius, hollow === 1, faint, dark)));
    return mark;
  };
}

export function createScatter(scene: Scene, label: string, events: ScatterEvents, signal: AbortSignal): Scatter {
  const { places } = scene;
  const count = places.length / 2;
  const below = h("canvas", { class: "salw-points", "aria-hidden": "true" });
  const above = h("canvas", { class: "salw-lasso", "aria-hidden": "true" });
  const el = h("div", { class: "salw-scatter", tabindex: 0, role: "application", "aria-roledescription": "scatter plot", "aria-label": label }, below, above);
  const [ctx, pen] = [below.getContext("2d"), above.getContext("2d")];
  if (!ctx || !pen) throw new Error("this browser gave no 2D canvas");
  let frame = { width: 640, height: 480 };
  let ratio = 1;
  let image = new ImageData(1, 1);
  let pixels = new Uint32Array(1);
  let marks = markSet(count, 1, false);
  let base: Camera = fit(places, frame);
  let camera = base;
  let ringed = -1;
  let line: number[] = []; // the lasso, in data units
  const visible = (i: number) => scene.state[i] !== 0;

  const points = () => {
    const { width, height } = image;
    pixels.fill(0);
    const [kx, ox] = [camera.k * ratio, width / 2 - camera.x * camera.k * ratio];
    const [ky, oy] = [-camera.k * ratio, height / 2 + camera.y * camera.k * ratio];
    const px = (i: number) => Math.round((places[2 * i] as number) * kx + ox);
    const py = (i: number) => Math.round((places[2 * i + 1] as number) * ky + oy);
    if (scene.showEdges) {
      for (let e = 0; e < scene.edges.length; e += 2) {
        const [a, b] = [scene.edges[e] as number, scene.edges[e + 1] as number];
        if (visible(a) && visible(b)) stroke(pixels, width, height, px(a), py(a), px(b), py(b), 0x50888888);
      }
    }
    for (const wanted of [1, 2]) {
      for (let i = 0; i < count; i++) {
        if (scene.state[i] === wanted) stamp(pixels, width, height, marks(scene.of[i] as number, scene.hollow[i] as number, wanted === 1), px(i), py(i));
      }
    }
    ctx.putImageData(image, 0, 0);
  };
  const overlay = () => {
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, frame.width, frame.height);
    const twice = (path: () => void) => {
      for (const [colour, wide] of [["#000a", 4], ["#fff", 2]] as const) {
        pen.beginPath();
        path();
        [pen.strokeStyle, pen.lineWidth] = [colour, wide];
        pen.stroke();
      }
    };
    if (line.length) {
      twice(() => {
        for (let j = 0; j < line.length; j += 2) pen.lineTo(...toScreen(camera, frame, line[j] as number, line[j + 1] as number));
        pen.closePath();
      });
    }
    if (ringed >= 0) twice(() => pen.arc(...at(ringed), 9, 0, 7));
  };
  const at = (i: number) => toScreen(camera, frame, places[2 * i] as number, places[2 * i + 1] as number);
  const drawOver = onFrame(overlay, signal);
  const draw = onFrame(() => {
    points();
    overlay();
  }, signal);
  const see = (next: Camera) => {
    camera = next;
    draw();
  };
  const resize = () => {
    const { clientWidth: width, clientHeight: height } = el;
    if (!width || !height) return;
    const whole = camera === base;
    frame = { width, height };
    ratio = Math.min(2, window.devicePixelRatio || 1);
    for (const canvas of [below, above]) [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    image = new ImageData(below.width, below.height);
    pixels = new Uint32Array(image.data.buffer);
    marks = markSet(count, ratio, isDark(el));
    base = fit(places, frame);
    see(whole ? base : { ...camera });
  };
  const found = (event: PointerEvent | MouseEvent): [number, number] => {
    const box = el.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const under = (event: PointerEvent) => nearest(places, ...toData(camera, frame, ...found(event)), NEAR / camera.k, visible);
  const out: Scatter = {
    el, draw, at, pans: false,
    ring(i) {
      ringed = i;
      drawOver();
    },
    zoom: (factor) => see(zoom(camera, frame, factor, frame.width / 2, frame.height / 2, base)),
    pan: (x, y) => see({ ...camera, x: camera.x + (x * frame.width) / camera.k, y: camera.y + (y * frame.height) / camera.k }),
    all: () => see(base),
    reveal(i) {
      const [x, y] = at(i);
      if (x < 0 || y < 0 || x > frame.width || y > frame.height) see({ ...camera, x: places[2 * i] as number, y: places[2 * i + 1] as number });
    },
  };
  gestures();
  if (typeof ResizeObserver !== "undefined") {
    const watch = new ResizeObserver(resize);
    watch.observe(el);
    signal.addEventListener("abort", () => watch.disconnect());
  }
  resize();
  return out;

  function gestures(): void {
    let mode: "" | "lasso" | "pan" = "";
    let [startX, startY, lastX, lastY, moved] = [0, 0, 0, 0, false];
    let how: How = "set";
    // Many moves may come in a frame: points are looked for once in each.
    const look = onFrame(() => mode === "lasso" && events.lasso(inside(places, line, visible), how, false), signal);
    listen(el, "pointerdown", (event) => {
      if (event.button > 1) return;
      const other = event.shiftKey || event.button === 1;
      mode = out.pans === other ? "lasso" : "pan";
      how = event.ctrlKey || event.metaKey ? "add" : event.altKey ? "less" : "set";
      [startX, startY] = [lastX, lastY] = found(event);
      moved = false;
      line = [];
      el.setPointerCapture?.(event.pointerId);
    }, signal);
    listen(el, "pointermove", (event) => {
      if (!mode) return events.hover(under(event));
      const [x, y] = found(event);
      if (!moved && Math.hypot(x - startX, y - startY) < STEP) return;
      if (!moved && mode === "lasso") line.push(...toData(camera, frame, startX, startY));
      moved = true;
      if (mode === "pan") see({ ...camera, x: camera.x - (x - lastX) / camera.k, y: camera.y + (y - lastY) / camera.k });
      else if (Math.hypot(x - lastX, y - lastY) < STEP) return;
      else {
        line.push(...toData(camera, frame, x, y));
        look();
        drawOver();
      }
      [lastX, lastY] = [x, y];
    }, signal);
    const end = (event: PointerEvent) => {
      const was = mode;
      mode = "";
      if (was === "lasso" && moved) events.lasso(inside(places, line, visible), how, true);
      else if (was && !moved && event.type === "pointerup") events.click(under(event));
      line = [];
      drawOver();
    };
    listen(el, "pointerup", end, signal);
    listen(el, "pointercancel", end, signal);
    listen(el, "pointerleave", () => mode || events.hover(-1), signal);
    listen(el, "wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // a page scrolls on
      event.preventDefault();
      see(zoom(camera, frame, Math.exp(-event.deltaY / 150), ...found(event), base));
    }, signal, { passive: false });
  }
}
