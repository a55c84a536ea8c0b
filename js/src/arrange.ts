// Which map stands where in a comparison, which is subtracted from which, and in what order rows are shown.
import type { Grid } from "./types";

export interface PanelState {
  row: number;
  column: number;
  /** start among all cells, rows and columns of the map */
  map: [number, number, number];
  picture: number;
  scores: (number | null)[];
  score: string;
  question: string;
  caption: string;
  notices: string[];
  blind: boolean;
}

export interface Order {
  /** index of the score to sort by, or -1 */
  by: number;
  /** column that counts, -1 for the mean over all */
  column: number;
  descending: boolean;
}

/** Rows in the order shown; with one row, columns. As Comparison.order in Python. */
export function order(panels: readonly PanelState[], rows: number, columns: number, how: Order): number[] {
  const along = rows > 1;
  const all = Array.from({ length: along ? rows : columns }, (_, i) => i);
  if (how.by < 0) return all;
  const mean = all.map((i) => {
    const values = panels
      .filter((p) => (along ? p.row : p.column) === i && (!along || how.column < 0 || p.column === how.column))
      .map((p) => p.scores[how.by])
      .filter((v): v is number => v !== null && v !== undefined);
    return values.length ? values.reduce((a, b) => a + b, 0) / values.length : null;
  });
  const sign = how.descending ? -1 : 1;
  return all.sort((a, b) => {
    const [x, y] = [mean[a] ?? null, mean[b] ?? null];
    if (x === null || y === null) return Number(x === null) - Number(y === null) || a - b;
    return sign * (x - y) || a - b;
  });
}

export interface Difference {
  /** index of the panel that is subtracted, or -1 */
  other: number;
  /** what a reader must know about this panel while differences are shown */
  said: string;
}

/** What becomes of each panel when the others are compared with column `base` (-1: nothing). */
export function differences(panels: readonly PanelState[], base: number): Difference[] {
  return panels.map((p) => {
    if (base < 0) return { other: -1, said: "" };
    if (p.column === base) return { other: -1, said: "the reference" };
    const other = panels.findIndex((q) => q.row === p.row && q.column === base);
    const q = panels[other];
    if (!q) return { other: -1, said: "no difference: the reference has no map here" };
    if (p.blind || q.blind) return { other: -1, said: "no difference: class-blind" };
    if (p.map[1] !== q.map[1] || p.map[2] !== q.map[2]) return { other: -1, said: "no difference: other resolution" };
    return { other, said: "difference" };
  });
}

/** a - b in double precision, kept as float32, as numpy does it. */
export function subtract(a: Grid, b: Grid): Grid {
  const out = new Float32Array(a.data.length);
  for (let i = 0; i < out.length; i++) out[i] = (a.data[i] as number) - (b.data[i] as number);
  return { data: out, rows: a.rows, cols: a.cols };
}
