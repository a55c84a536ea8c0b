// One map of many: smaller and quicker than a stage. It has no listeners of its own (the grid has), shares its picture's
// pixels and its paint buffer with the others, and moves its marks by style alone.
import { h, say, show } from "../dom";
import { percent, signed } from "../format";
import { cellAt } from "../geometry";
import { index, paintIndexed, type Counts, type Lookup } from "../indexed";
import { bilinear } from "../resample";
import { reach } from "../scale";
import { shareInside, totalsOf, type Totals } from "../sums";
import type { Box, Cursor, Grid, Highlight, ScaleState, Size } from "../types";
import type { Sheet } from "../unpack";
import { seen } from "../viewport";
import { mapInWords } from "./described";
import { createOverlay, type Outline, type Overlay } from "./overlay";

/** Buffers that all tiles of a grid paint with, one after the other. */
export type Buffers = Map<string, { image: ImageData; pixels: Uint32Array }>;

function bufferOf(buffers: Buffers, { rows, cols }: Size) {
  const known = buffers.get(`${rows} ${cols}`);
  if (known) return known;
  const image = new ImageData(cols, rows);
  const made = { image, pixels: new Uint32Array(image.data.buffer) };
  buffers.set(`${rows} ${cols}`, made);
  return made;
}

export interface Tile {
  el: HTMLElement;
  stage: HTMLElement;
  layers: HTMLElement;
  grid: Size;
  /** the map shown now */
  map(): Grid;
  setMap(map: Grid): void;
  paint(scale: ScaleState, threshold: number, colours: Lookup): void;
  counts(): Counts;
  /** whether any cell is at least this large */
  reaches(level: number): boolean;
  /** what was done to the cursor and the region, in as few words as fit below a map */
  touch(cursor: Cursor | null, box: Box | null): void;
  view(box: Box | null): void;
  highlight(part: Highlight | null): void;
  outlines(parts: readonly Outline[]): void;
  say(label: string, scores: readonly string[], note: string): void;
  /** say in words where the map lies, too: made when somebody comes to this tile, once for each map */
  tell(): void;
}

const SMOOTH_AT_MOST = 256;

function smoothSize(sheet: Size): Size {
  const k = Math.min(1, SMOOTH_AT_MOST / Math.max(sheet.rows, sheet.cols));
  return { rows: Math.max(1, Math.round(sheet.rows * k)), cols: Math.max(1, Math.round(sheet.cols * k)) };
}

function percentBox(box: Box, size: Size): string {
  const [y, x] = [100 / size.rows, 100 / size.cols];
  return `left:${box[1] * x}%;top:${box[0] * y}%;width:${(box[3] - box[1]) * x}%;height:${(box[2] - box[0]) * y}%`;
}

function elements(sheet: Sheet, image: Size, grid: Size) {
  const picture = h("canvas", { class: "salw-picture", width: sheet.cols, height: sheet.rows, "aria-hidden": "true" });
  const canvas = h("canvas", { class: "salw-map", width: grid.cols, height: grid.rows, "aria-hidden": "true" });
  const region = h("div", { class: "salw-mark salw-mark-region", hidden: true });
  const cell = h("div", { class: "salw-mark salw-mark-cell", hidden: true });
  const layers = h("div", { class: "salw-layers" }, picture, canvas, region, cell);
  const stage = h("div", { class: "salw-stage salw-tile-stage", tabindex: -1, role: "application",
    "aria-roledescription": "map", style: `aspect-ratio: ${sheet.cols} / ${sheet.rows}` }, layers);
  const lines = { scores: h("p", { class: "salw-tile-scores" }), note: h("p", { class: "salw-tile-note" }), at: h("p", { class: "salw-tile-at" }) };
  const el = h("div", { class: "salw-tile" }, stage, lines.scores, lines.note, lines.at);
  const ctx = picture.getContext("2d");
  const above = canvas.getContext("2d");
  if (!ctx || !above) throw new Error("this browser gave no 2D canvas");
  sheet.put(ctx);
  let overlay: Overlay | null = null;
  return {
    picture, canvas, above, region, cell, layers, stage, lines, el,
    /** contours, hatching and parts of sentences are rare: made when first needed */
    overlay: () => overlay ??= ((made) => (layers.insertBefore(made.el, region), made))(createOverlay(image, grid)),
    hasOverlay: () => overlay !== null,
  };
}

/** Paints a map through the colours it keeps. */
function painter(parts: ReturnType<typeof elements>, sheet: Size, buffers: Buffers) {
  let colours = new Uint16Array(0);
  let smooth: Grid | null = null;
  let key = "";
  let painted: Lookup | null = null;
  let counted: Counts = { clipped: 0, missing: 0, infinite: 0 };
  return {
    counts: () => counted,
    forget() {
      key = "";
      smooth = null;
    },
    paint(map: Grid, scale: ScaleState, look: Lookup) {
      const shown = scale.smooth ? (smooth ??= bilinear(map, smoothSize(sheet))) : map;
      const wanted = `${scale.vmin} ${scale.vmax} ${scale.smooth}`;
      if (key === wanted && painted === look) return;
      if (key !== wanted) {
        if (colours.length !== shown.data.length) colours = new Uint16Array(shown.data.length);
        const found = index(shown.data, scale.vmin, scale.vmax, colours);
        counted = shown === map ? found : index(map.data, scale.vmin, scale.vmax, new Uint16Array(map.data.length));
        key = wanted;
      }
      painted = look;
      const { image, pixels } = bufferOf(buffers, shown);
      if (parts.canvas.width !== shown.cols || parts.canvas.height !== shown.rows) {
        parts.canvas.width = shown.cols;
        parts.canvas.height = shown.rows;
      }
      paintIndexed(shown.data, colours, look, pixels);
      parts.above.putImageData(image, 0, 0);
    },
  };
}

function marks(parts: ReturnType<typeof elements>, image: Size, grid: Size) {
  const [y, x] = [image.rows / grid.rows, image.cols / grid.cols];
  return {
    cursor(at: Cursor | null) {
      show(parts.cell, at !== null);
      if (!at) return;
      const { r, c } = cellAt(at, image, grid);
      parts.cell.style.cssText = percentBox([r * y, c * x, (r + 1) * y, (c + 1) * x], image);
      parts.cell.classList.toggle("salw-pinned", Boolean(at.pinned));
    },
    region(box: Box | null) {
      show(parts.region, box !== null);
      if (box) parts.region.style.cssText = percentBox(box, image);
    },
  };
}

/** `image`: the size whose pixels the shared state counts in, whatever the size of this picture. */
export function createTile(sheet: Sheet, image: Size, first: Grid, buffers: Buffers): Tile {
  const grid: Size = { rows: first.rows, cols: first.cols };
  const parts = elements(sheet, image, grid);
  const brush = painter(parts, sheet, buffers);
  const mark = marks(parts, image, grid);
  let map = first;
  let totals: Totals | null = null;
  let drawnLines = "";
  let told = "";
  let label = "";
  const name = () => parts.stage.setAttribute("aria-label", `${label}${told && ` ${told}`} Arrow keys move the cursor.`);
  const sums = () => (totals ??= totalsOf(map));
  let reached = { level: NaN, is: false };
  const reaches = (level: number) => {
    if (reached.level !== level) reached = { level, is: map.data.some((v) => v >= level || v <= -level) };
    return reached.is;
  };
  const drawLines = (scale: ScaleState, threshold: number) => {
    const level = (threshold > 0 ? threshold : 0.5) * reach(scale.vmin, scale.vmax);
    const wanted = scale.contour || brush.counts().missing ? `${scale.contour && level}` : "";
    if (wanted === drawnLines && !scale.contour) return;
    if (wanted || parts.hasOverlay()) parts.overlay().lines(map, scale, threshold);
    drawnLines = wanted;
  };
  return {
    el: parts.el, stage: parts.stage, layers: parts.layers, grid,
    map: () => map,
    setMap(next) {
      map = next;
      totals = null;
      told = "";
      reached = { level: NaN, is: false };
      drawnLines = "new";
      brush.forget();
    },
    paint(scale, threshold, colours) {
      brush.paint(map, scale, colours);
      drawLines(scale, threshold);
    },
    counts: brush.counts,
    reaches,
    touch(cursor, box) {
      mark.cursor(cursor);
      mark.region(box);
      say(parts.lines.at, words(map, sums, image, cursor, box));
    },
    view(box) {
      const [r0, c0, r1, c1] = seen(box, image);
      const [y, x] = [image.rows / (r1 - r0), image.cols / (c1 - c0)];
      parts.layers.style.cssText = `width:${100 * x}%;height:${100 * y}%;left:${(-100 * x * c0) / image.cols}%;top:${(-100 * y * r0) / image.rows}%`;
    },
    highlight(part) {
      if (part || parts.hasOverlay()) parts.overlay().highlight(part);
    },
    outlines(shapes) {
      if (shapes.length || parts.hasOverlay()) parts.overlay().outlines(shapes);
    },
    say(question, scores, note) {
      label = `${question}. ${[...scores, note].filter(Boolean).join(", ")}.`;
      name();
      say(parts.lines.scores, scores.join("\n"));
      say(parts.lines.note, note);
    },
    tell() {
      told ||= mapInWords(map, image);
      name();
    },
  };
}

function words(map: Grid, totals: () => Totals, image: Size, cursor: Cursor | null, box: Box | null): string {
  const parts: string[] = [];
  if (cursor) {
    const { r, c } = cellAt(cursor, image, map);
    parts.push(signed(map.data[r * map.cols + c] as number));
  }
  if (box) parts.push(`${percent(shareInside(map, totals(), image, box).absolute)} in region`);
  return parts.join(" \u00b7 ");
}
