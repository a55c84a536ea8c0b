// Limits of a colour scale. The same rules, to the last bit, as salwidgets/scale.py.
import { DIVERGING } from "./colormap.gen";
import type { ScaleState } from "./types";

export const CLIP_RULES: readonly string[] = ["pixels:99.5", "pixels:99", "mass:98", "max"];

const RULE = /^(pixels|mass):(\d+(?:\.\d+)?)$/;

/** Sizes |v| of all finite values, in ascending order. */
export function sizes(maps: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(maps.reduce((n, m) => n + m.length, 0));
  let n = 0;
  for (const map of maps) {
    for (const value of map) if (Number.isFinite(value)) all[n++] = Math.abs(value);
  }
  return all.subarray(0, n).sort();
}

/** The limit that a clip rule asks for. A rule that gives 0 on a map that is not zero falls back to the largest value. */
export function limitOf(sorted: Float32Array, rule: string): number {
  const n = sorted.length;
  const largest = n ? (sorted[n - 1] as number) : 0;
  if (largest === 0) return 1;
  if (rule === "max") return largest;
  const parts = RULE.exec(rule);
  if (!parts) throw new Error(`unknown clip rule ${rule}; known: ${CLIP_RULES.join(", ")}`);
  const share = Number(parts[2]) / 100;
  const limit = parts[1] === "pixels" ? pixelLimit(sorted, share) : massLimit(sorted, share);
  return limit > 0 ? limit : largest;
}

/** Smallest size with at least this share of the cells at or below it. */
function pixelLimit(sorted: Float32Array, share: number): number {
  const k = Math.ceil(share * sorted.length - 1e-9) - 1;
  return sorted[Math.min(sorted.length - 1, Math.max(0, k))] as number;
}

/** Smallest size with at least this share of the absolute mass at or below it. */
function massLimit(sorted: Float32Array, share: number): number {
  let total = 0;
  for (const size of sorted) total += size;
  const wanted = share * total - 1e-12 * total;
  let sum = 0;
  for (const size of sorted) {
    sum += size;
    if (sum >= wanted) return size;
  }
  return sorted[sorted.length - 1] as number;
}

/** The scale fitted again on other maps, for every rule on its menu. Limits that the caller gave stay. */
export function refit(scale: ScaleState, maps: readonly Float32Array[]): ScaleState {
  const sorted = sizes(maps);
  const rules = new Set([...CLIP_RULES, ...Object.keys(scale.table)]);
  const table = Object.fromEntries([...rules].map((rule) => [rule, limitOf(sorted, rule)]));
  return withLimits({ ...scale, table, signed: maps.some((map) => map.some((v) => v < 0)) });
}

/** The scale with the limits that its rule and its colours ask for: symmetric around zero unless nothing is negative. */
export function withLimits(scale: ScaleState): ScaleState {
  if (scale.clip === "explicit" && scale.given) return { ...scale, vmin: scale.given[0], vmax: scale.given[1] };
  const limit = scale.table[scale.clip];
  if (limit === undefined) return scale;
  return { ...scale, vmin: isDiverging(scale.cmap) || scale.signed ? -limit : 0, vmax: limit };
}

/** Share of the cells that lie outside the limits, and how many cells are no number. */
export function outside(map: Float32Array, vmin: number, vmax: number): { clipped: number; missing: number; infinite: number } {
  let out = 0;
  let missing = 0;
  let infinite = 0;
  for (const value of map) {
    if (Number.isNaN(value)) missing += 1;
    else {
      if (value < vmin || value > vmax) out += 1;
      if (!Number.isFinite(value)) infinite += 1;
    }
  }
  const counted = map.length - missing;
  return { clipped: counted ? out / counted : 0, missing, infinite };
}

export function isDiverging(cmap: string): boolean {
  return DIVERGING.includes(cmap);
}

/** The largest size that the limits show: threshold and contour are shares of it. */
export function reach(vmin: number, vmax: number): number {
  return Math.max(Math.abs(vmin), Math.abs(vmax));
}
