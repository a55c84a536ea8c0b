// A picture with a map on it: two canvases, a vector layer, and what pointer and keys do there.
// The stage knows no model: it is told what to show and reports what was touched.
import { paint, pixelTable } from "../colormap";
import { h, listen } from "../dom";
import { boxOf, cellAt, centreOf, type Cell } from "../geometry";
import { actionFor, type Action } from "../keyboard";
import { bilinear } from "../resample";
import type { Box, Cursor, Grid, Highlight, ScaleState, Size } from "../types";
import { createOverlay, type Outline } from "./overlay";

export interface Picture extends Size {
  data: Uint8Array; // RGB
}

export interface StageEvents {
  /** the cursor's cell now, which may be newer than what the last frame drew */
  cell(): Cell | null;
  hover(cursor: Cursor | null): void;
  /** a box while it is dragged and when it is done; null: a click on the region takes it away */
  brush(box: Box | null): void;
  action(action: Action): void;
  /** a drag is over */
  done(): void;
}

export interface Stage {
  el: HTMLElement;
  draw(map: Grid, scale: ScaleState, threshold: number): void;
  cursor(cursor: Cursor | null): void;
  selection(box: Box | null): void;
  highlight(part: Highlight | null): void;
  view(box: Box | null): void;
  label(text: string): void;
  /** another picture of the same size below the map */
  picture(next: Picture): void;
  /** parts of the picture that have an outline and perhaps a name */
  outlines(parts: readonly Outline[]): void;
}

const SMOOTH_AT_MOST = 512; // pixels per side: more would not be seen at the size of a panel

function context(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const found = canvas.getContext("2d");
  if (!found) throw new Error("this browser gave no 2D canvas");
  return found;
}

function drawPicture(canvas: HTMLCanvasElement, picture: Picture): void {
  const image = new ImageData(picture.cols, picture.rows);
  for (let i = 0, j = 0; i < picture.data.length; i += 3, j += 4) {
    image.data[j] = picture.data[i] as number;
    image.data[j + 1] = picture.data[i + 1] as number;
    image.data[j + 2] = picture.data[i + 2] as number;
    image.data[j + 3] = 255;
  }
  context(canvas).putImageData(image, 0, 0);
}

function ratio(size: Size): string {
  return `aspect-ratio: ${size.cols} / ${size.rows}; --salw-ratio: ${size.cols / size.rows}`;
}

/** The picture as it is, small, beside its grey twin under the map. */
export function createThumbnail(picture: Picture): HTMLElement {
  const canvas = h("canvas", { class: "salw-thumb", width: picture.cols, height: picture.rows, role: "img",
    "aria-label": "The picture without a map", style: ratio(picture) });
  drawPicture(canvas, picture);
  return canvas;
}

/** Paints maps of one size, keeping its buffers: nothing is allocated per frame. */
function painter(canvas: HTMLCanvasElement): (map: Grid, scale: ScaleState, threshold: number) => void {
  const ctx = context(canvas);
  let image = new ImageData(1, 1);
  let key = "";
  let table: Uint32Array = new Uint32Array(256);
  return (map, scale, threshold) => {
    if (canvas.width !== map.cols || canvas.height !== map.rows || image.width !== map.cols || image.height !== map.rows) {
      canvas.width = map.cols;
      canvas.height = map.rows;
      image = new ImageData(map.cols, map.rows);
    }
    if (key !== `${scale.cmap} ${scale.fade}`) {
      key = `${scale.cmap} ${scale.fade}`;
      table = pixelTable(scale.cmap, scale.fade);
    }
    paint(map.data, { vmin: scale.vmin, vmax: scale.vmax, threshold, table }, new Uint32Array(image.data.buffer));
    ctx.putImageData(image, 0, 0);
    canvas.style.opacity = String(scale.opacity);
  };
}

export function createStage(picture: Picture, grid: Size, events: StageEvents, signal: AbortSignal): Stage {
  const image: Size = { rows: picture.rows, cols: picture.cols };
  const below = h("canvas", { class: "salw-picture", width: image.cols, height: image.rows, "aria-hidden": "true" });
  const above = h("canvas", { class: "salw-map", width: grid.cols, height: grid.rows, role: "img" });
  const overlay = createOverlay(image, grid);
  const layers = h("div", { class: "salw-layers" }, below, above, overlay.el);
  const el = h("div", {
    class: "salw-stage", tabindex: 0, role: "application", "aria-roledescription": "map",
    style: ratio(image),
  }, layers);
  drawPicture(below, picture);
  const paintMap = painter(above);

  pointer(el, layers, image, grid, events, signal);
  listen(el, "keydown", (event) => {
    const action = actionFor(event, events.cell(), grid);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    events.action(action);
  }, signal);

  return {
    el,
    draw(map, scale, threshold) {
      const shown = scale.smooth ? bilinear(map, smoothSize(image)) : map;
      paintMap(shown, scale, threshold);
      above.classList.toggle("salw-smooth", scale.smooth);
      below.classList.toggle("salw-grey", scale.grey);
      overlay.lines(map, scale, threshold);
    },
    cursor: (cursor) => overlay.cursor(cursor),
    selection: (box) => overlay.selection(box),
    highlight: (part) => overlay.highlight(part),
    view: (box) => zoom(layers, image, box),
    label(text) {
      above.setAttribute("aria-label", text);
      el.setAttribute("aria-label", `${text} Arrow keys move the cursor.`);
    },
    picture: (next) => drawPicture(below, next),
    outlines: (parts) => overlay.outlines(parts),
  };
}

function smoothSize(image: Size): Size {
  const k = Math.min(1, SMOOTH_AT_MOST / Math.max(image.rows, image.cols));
  return { rows: Math.max(1, Math.round(image.rows * k)), cols: Math.max(1, Math.round(image.cols * k)) };
}

/** Show only a box of the image, keeping its proportions: the layers grow beyond the stage, which cuts them off. */
function zoom(layers: HTMLElement, image: Size, box: Box | null): void {
  const [r0, c0, r1, c1] = box ?? [0, 0, image.rows, image.cols];
  const part = Math.min(1, Math.max((r1 - r0) / image.rows, (c1 - c0) / image.cols));
  const start = (from: number, to: number, n: number) =>
    Math.min(1 - part, Math.max(0, (from + to) / 2 / n - part / 2));
  layers.style.width = `${100 / part}%`;
  layers.style.height = `${100 / part}%`;
  layers.style.left = `${(-100 * start(c0, c1, image.cols)) / part}%`;
  layers.style.top = `${(-100 * start(r0, r1, image.rows)) / part}%`;
}

/** Hover, click and drag, with the pointer captured so that a drag may leave the picture. */
function pointer(el: HTMLElement, layers: HTMLElement, image: Size, grid: Size, events: StageEvents, signal: AbortSignal): void {
  let start: Cell | null = null;
  let moved = false;
  const at = (event: PointerEvent): Cell => {
    const box = layers.getBoundingClientRect();
    const point = {
      row: ((event.clientY - box.top) / box.height) * image.rows,
      col: ((event.clientX - box.left) / box.width) * image.cols,
    };
    return cellAt(point, image, grid);
  };
  listen(el, "pointerdown", (event) => {
    if (event.button !== 0) return;
    start = at(event);
    moved = false;
    el.setPointerCapture?.(event.pointerId);
  }, signal);
  listen(el, "pointermove", (event) => {
    const cell = at(event);
    events.hover(centreOf(cell, image, grid));
    if (!start || (!moved && cell.r === start.r && cell.c === start.c)) return;
    moved = true;
    events.brush(boxOf(start, cell, image, grid));
  }, signal);
  const end = (event: PointerEvent) => {
    if (start && moved) events.done();
    else if (start && event.type === "pointerup") events.action({ kind: "select" });
    start = null;
  };
  listen(el, "pointerup", end, signal);
  listen(el, "pointercancel", end, signal);
  listen(el, "pointerleave", () => start || events.hover(null), signal);
}
