// Totals of a map, made once, so that a brush only visits the cells inside it.
import { coverage, type Share } from "./geometry";
import type { Box, Grid, Size } from "./types";

export interface Totals {
  positive: number;
  /** as a negative number */
  negative: number;
}

export function totalsOf(map: Grid): Totals {
  const out: Totals = { positive: 0, negative: 0 };
  for (const v of map.data) {
    if (v - v !== 0) continue; // infinite, or no number
    if (v > 0) out.positive += v;
    else out.negative += v;
  }
  return out;
}

/** As `shareOf` in geometry.ts. */
export function shareInside(map: Grid, totals: Totals, image: Size, box: Box): Share {
  const down = coverage(box[0], box[2], map.rows, image.rows);
  const across = coverage(box[1], box[3], map.cols, image.cols);
  const first = across.findIndex((w) => w > 0);
  let last = across.length;
  while (last > 0 && across[last - 1] === 0) last -= 1;
  let [up, low] = [0, 0];
  for (let r = 0; r < map.rows; r++) {
    const tall = down[r] as number;
    if (!tall || first < 0) continue;
    for (let c = first, i = r * map.cols + first; c < last; c++, i++) {
      const v = map.data[i] as number;
      if (v - v !== 0) continue; // infinite, or no number
      if (v > 0) up += tall * (across[c] as number) * v;
      else low += tall * (across[c] as number) * v;
    }
  }
  const mass = totals.positive - totals.negative;
  return {
    positive: totals.positive ? up / totals.positive : null,
    negative: totals.negative ? Math.abs(low / totals.negative) : null,
    absolute: mass ? (up - low) / mass : null,
    sum: up + low,
  };
}
