// Marching squares on the native grid: values sit at cell centres, the border row and column are repeated outwards.
import type { Grid, Size } from "./types";

type Point = [number, number];

/** Segments between cell edges for each of the 16 corner patterns (bits: top left, top right, bottom right, bottom left). */
const EDGES: readonly (readonly (readonly [number, number])[])[] = [
  [], [[3, 0]], [[0, 1]], [[3, 1]], [[1, 2]], [[3, 0], [1, 2]], [[0, 2]], [[3, 2]],
  [[2, 3]], [[2, 0]], [[0, 1], [2, 3]], [[2, 1]], [[1, 3]], [[1, 0]], [[0, 3]], [],
];

/** SVG path, in image pixels, of where the map crosses `level`. */
export function contour(map: Grid, image: Size, level: number): string {
  const { rows, cols, data } = map;
  const at = (r: number, c: number): number => {
    return data[Math.min(rows - 1, Math.max(0, r)) * cols + Math.min(cols - 1, Math.max(0, c))] as number;
  };
  const x = (c: number) => Math.min(image.cols, Math.max(0, ((c + 0.5) * image.cols) / cols));
  const y = (r: number) => Math.min(image.rows, Math.max(0, ((r + 0.5) * image.rows) / rows));
  const parts: string[] = [];
  for (let r = -1; r < rows; r++) {
    for (let c = -1; c < cols; c++) {
      const corner = [at(r, c), at(r, c + 1), at(r + 1, c + 1), at(r + 1, c)] as [number, number, number, number];
      if (corner.some(Number.isNaN)) continue; // nothing is known there, so no line is drawn
      const pattern = corner.reduce((bits, v, i) => bits | (v >= level ? 1 << i : 0), 0);
      for (const [from, to] of EDGES[pattern] ?? []) {
        const [a, b] = [crossing(from, r, c, corner, level), crossing(to, r, c, corner, level)];
        parts.push(`M${fixed(x(a[1]))} ${fixed(y(a[0]))}L${fixed(x(b[1]))} ${fixed(y(b[0]))}`);
      }
    }
  }
  return parts.join("");
}

/** Point (row, column) where an edge of the square crosses the level. */
function crossing(edge: number, r: number, c: number, v: readonly [number, number, number, number], level: number): Point {
  const along = (a: number, b: number): number => {
    const t = (level - a) / (b - a);
    return Number.isFinite(t) ? Math.min(1, Math.max(0, t)) : 0.5;
  };
  if (edge === 0) return [r, c + along(v[0], v[1])];
  if (edge === 1) return [r + along(v[1], v[2]), c + 1];
  if (edge === 2) return [r + 1, c + along(v[3], v[2])];
  return [r + along(v[0], v[3]), c];
}

function fixed(value: number): string {
  return String(Math.round(value * 100) / 100);
}
