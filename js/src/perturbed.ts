// A picture with a share of its pixels hidden, as the metrics hide them: by the map's ranking, ties in reading order.
import { taps as doubles } from "./resample";
import type { Grid, Size } from "./types";

/** What a point of a curve stands for: a share hidden (most or least important first), or shown. */
export type Plays = "most" | "least" | "show";

const taps = (from: number, to: number) => doubles(from, to).map((tap) => ({ ...tap, t: Math.fround(tap.t) }));

/** The map at the size of the picture, rounded to float32 at every step as numpy does, so that ties fall the same way. */
export function enlarged(map: Grid, size: Size): Float32Array {
  const f = Math.fround;
  const out = new Float32Array(size.rows * size.cols);
  const across = taps(map.cols, size.cols);
  let i = 0;
  for (const { low, high, t } of taps(map.rows, size.rows)) {
    const line = new Float32Array(map.cols);
    for (let c = 0; c < map.cols; c++) {
      line[c] = f(f((map.data[low * map.cols + c] as number) * f(1 - t)) + f((map.data[high * map.cols + c] as number) * t));
    }
    for (const tap of across) {
      out[i++] = f(f((line[tap.low] as number) * f(1 - tap.t)) + f((line[tap.high] as number) * tap.t));
    }
  }
  return out;
}

/** 0 for the largest value, 1 for the next, … */
export function ranks(values: Float32Array): Uint32Array {
  const order = Uint32Array.from(values, (_, i) => i).sort((a, b) => (values[b] as number) - (values[a] as number) || a - b);
  const out = new Uint32Array(values.length);
  order.forEach((at, rank) => (out[at] = rank));
  return out;
}

/** Put what is hidden at `x` into `out` (RGBA), over `picture` and `still` (RGB). */
export function perturb(out: Uint8ClampedArray, rank: Uint32Array, plays: Plays, x: number, picture: Uint8Array, still: Uint8Array): void {
  const n = rank.length;
  const count = Math.floor((plays === "show" ? 1 - x : x) * n + 1e-6);
  for (let i = 0, j = 0, k = 0; i < n; i++, j += 3, k += 4) {
    const r = rank[i] as number;
    const from = (plays === "most" ? r < count : r >= n - count) ? still : picture;
    out[k] = from[j] as number;
    out[k + 1] = from[j + 1] as number;
    out[k + 2] = from[j + 2] as number;
    out[k + 3] = 255;
  }
}

/** A picture of one colour. */
export function plain(colour: readonly number[], pixels: number): Uint8Array {
  const out = new Uint8Array(3 * pixels);
  for (let i = 0; i < out.length; i++) out[i] = colour[i % 3] as number;
  return out;
}
