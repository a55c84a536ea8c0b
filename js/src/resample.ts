// Bilinear enlargement with cell centres aligned: what "smooth" shows. It invents detail, so it is off by default.
import type { Grid, Size } from "./types";

interface Tap {
  low: number;
  high: number;
  t: number;
}

/** For every row (or column) of the larger grid, the two of the smaller that it lies between. */
export function taps(from: number, to: number): Tap[] {
  return Array.from({ length: to }, (_, i) => {
    const x = Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5));
    const low = Math.floor(x);
    return { low, high: Math.min(from - 1, low + 1), t: x - low };
  });
}

export function bilinear(map: Grid, size: Size): Grid {
  const out = new Float32Array(size.rows * size.cols);
  const across = taps(map.cols, size.cols);
  let i = 0;
  for (const { low, high, t } of taps(map.rows, size.rows)) {
    const top = map.data.subarray(low * map.cols, (low + 1) * map.cols);
    const bottom = map.data.subarray(high * map.cols, (high + 1) * map.cols);
    for (const tap of across) {
      const a = (top[tap.low] as number) * (1 - tap.t) + (top[tap.high] as number) * tap.t;
      const b = (bottom[tap.low] as number) * (1 - tap.t) + (bottom[tap.high] as number) * tap.t;
      out[i++] = a * (1 - t) + b * t;
    }
  }
  return { data: out, rows: size.rows, cols: size.cols };
}
