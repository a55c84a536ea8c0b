// Zooming and panning by hand: boxes of image pixels that keep the picture's proportions and stay inside it.
import type { Box, Size } from "./types";

const CLOSEST = 1 / 16;

function fit(low: number, length: number, pixels: number): [number, number] {
  const start = Math.min(pixels - length, Math.max(0, low));
  return [start, start + length];
}

/** How much of the picture's sides a view shows, 0..1. */
export function part(view: Box | null, image: Size): number {
  return view ? Math.min(1, Math.max((view[2] - view[0]) / image.rows, (view[3] - view[1]) / image.cols)) : 1;
}

/** The box that is really seen: a view that has other proportions than the picture shows more of it. */
export function seen(view: Box | null, image: Size): Box {
  const share = part(view, image);
  const [row, col] = view ? [(view[0] + view[2]) / 2, (view[1] + view[3]) / 2] : [image.rows / 2, image.cols / 2];
  const [r0, r1] = fit(row - (share * image.rows) / 2, share * image.rows, image.rows);
  const [c0, c1] = fit(col - (share * image.cols) / 2, share * image.cols, image.cols);
  return [r0, c0, r1, c1];
}

/** Larger or smaller by a factor; the point keeps its place. Null: all of the picture. */
export function zoomed(view: Box | null, image: Size, factor: number, at: { row: number; col: number }): Box | null {
  const [r0, c0, r1, c1] = seen(view, image);
  const share = Math.max(CLOSEST, part(view, image) / factor);
  if (share >= 1) return null;
  const [rows, cols] = [share * image.rows, share * image.cols];
  const [a, b] = fit(at.row - ((at.row - r0) / (r1 - r0)) * rows, rows, image.rows);
  const [c, d] = fit(at.col - ((at.col - c0) / (c1 - c0)) * cols, cols, image.cols);
  return [a, c, b, d];
}

/** Moved by image pixels. */
export function panned(view: Box | null, image: Size, rows: number, cols: number): Box | null {
  if (!view) return null;
  const [r0, c0, r1, c1] = seen(view, image);
  const [a, b] = fit(r0 + rows, r1 - r0, image.rows);
  const [c, d] = fit(c0 + cols, c1 - c0, image.cols);
  return [a, c, b, d];
}
