// What a score table holds, and the sums that its view needs. Pure: no page, no model.
import { number } from "./format";

export interface Cell {
  mean: number | null;
  low: number | null;
  high: number | null;
  best: boolean;
}

export interface Column {
  label: string;
  arrow: string;
  better: string;
  cannot: string;
  range: string;
  source: string;
  values: (number | null)[];
  cells: (Cell | null)[];
  curve: { x: number[]; start: number } | null;
  plays: string;
  fill: string;
}

export interface Group {
  method: string;
  kind: string;
  model: string;
  rows: number[];
}

export interface Row {
  input: number;
  question: string;
  method: string;
  model: string;
  kind: string;
  flags: string;
}

/** Groups in the order of a column's means; those without a figure last, as they came. */
export function sorted(groups: readonly Group[], column: Column | undefined, descending: boolean): number[] {
  const all = groups.map((_, g) => g);
  if (!column) return all;
  const mean = (g: number) => column.cells[g]?.mean ?? null;
  const known = all.filter((g) => mean(g) !== null);
  known.sort((a, b) => (descending ? -1 : 1) * ((mean(a) as number) - (mean(b) as number)));
  return [...known, ...all.filter((g) => mean(g) === null)];
}

export function curveOf(column: Column, all: Float32Array, row: number): Float32Array | null {
  if (!column.curve) return null;
  const n = column.curve.x.length;
  const y = all.subarray(column.curve.start + row * n, column.curve.start + (row + 1) * n);
  return y.every(Number.isFinite) ? y : null;
}

/** The mean curve of some rows; null if none of them has one. */
export function meanCurve(column: Column, all: Float32Array, rows: readonly number[]): Float64Array | null {
  const found = rows.map((row) => curveOf(column, all, row)).filter((y): y is Float32Array => y !== null);
  const first = found[0];
  if (!first) return null;
  const out = new Float64Array(first.length);
  for (const y of found) y.forEach((v, i) => (out[i] = (out[i] as number) + v / found.length));
  return out;
}

export function inWords(cell: Cell | null | undefined): string {
  if (!cell || cell.mean === null) return "does not apply";
  return number(cell.mean) + (cell.low === null || cell.high === null ? "" : `, interval ${number(cell.low)} to ${number(cell.high)}`)
    + (cell.best ? ", the best mean" : "");
}
