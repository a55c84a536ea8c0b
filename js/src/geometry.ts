// Cells of a native grid and pixels of the image. A cell is never split by a brush drawn on its own grid.
import type { Box, Cursor, Grid, Size } from "./types";

export interface Cell {
  r: number;
  c: number;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

export function cellAt(point: { row: number; col: number }, image: Size, grid: Size): Cell {
  return {
    r: clamp(Math.floor((point.row * grid.rows) / image.rows), 0, grid.rows - 1),
    c: clamp(Math.floor((point.col * grid.cols) / image.cols), 0, grid.cols - 1),
  };
}

export function centreOf(cell: Cell, image: Size, grid: Size): Cursor {
  return { row: ((cell.r + 0.5) * image.rows) / grid.rows, col: ((cell.c + 0.5) * image.cols) / grid.cols };
}

/** The box of image pixels that two cells and everything between them cover. */
export function boxOf(a: Cell, b: Cell, image: Size, grid: Size): Box {
  const y = image.rows / grid.rows;
  const x = image.cols / grid.cols;
  return [Math.min(a.r, b.r) * y, Math.min(a.c, b.c) * x, (Math.max(a.r, b.r) + 1) * y, (Math.max(a.c, b.c) + 1) * x];
}

/** How much of each of `n` cells lies between two pixels, 0..1. */
export function coverage(low: number, high: number, n: number, pixels: number): Float64Array {
  const out = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const from = (i * pixels) / n;
    const to = ((i + 1) * pixels) / n;
    const part = (Math.min(high, to) - Math.max(low, from)) / (to - from);
    out[i] = clamp(part > 1 - 1e-9 ? 1 : part < 1e-9 ? 0 : part, 0, 1);
  }
  return out;
}

export interface Share {
  /** share of all positive mass that lies inside; null when the map has none */
  positive: number | null;
  negative: number | null;
  absolute: number | null;
  /** sum of the values inside */
  sum: number;
}

/** What part of a map's mass a box holds. Values that are not finite are left out. */
export function shareOf(map: Grid, image: Size, box: Box): Share {
  const down = coverage(box[0], box[2], map.rows, image.rows);
  const across = coverage(box[1], box[3], map.cols, image.cols);
  const inside = { up: 0, low: 0 };
  const total = { up: 0, low: 0 };
  for (let r = 0, i = 0; r < map.rows; r++) {
    for (let c = 0; c < map.cols; c++, i++) {
      const v = map.data[i] as number;
      if (!Number.isFinite(v)) continue;
      const w = (down[r] as number) * (across[c] as number);
      const side = v > 0 ? "up" : "low";
      total[side] += v;
      inside[side] += w * v;
    }
  }
  const mass = total.up - total.low;
  return {
    positive: total.up ? inside.up / total.up : null,
    negative: total.low ? Math.abs(inside.low / total.low) : null,
    absolute: mass ? (inside.up - inside.low) / mass : null,
    sum: inside.up + inside.low,
  };
}

export function totalMass(map: Float32Array): { positive: number; absolute: number } {
  let positive = 0;
  let absolute = 0;
  for (const v of map) {
    if (!Number.isFinite(v)) continue;
    absolute += Math.abs(v);
    if (v > 0) positive += v;
  }
  return { positive, absolute };
}
