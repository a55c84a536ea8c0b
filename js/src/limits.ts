// Limits of a scale over millions of cells without sorting them all: sizes are counted by their upper 16 bits, and only the
// bin that holds the limit is sorted.
import { CLIP_RULES, limitOf, refit, withLimits } from "./scale";
import type { ScaleState } from "./types";

const FEW = 100_000; // below, sorting is quick

interface Bins {
  counts: Float64Array;
  sums: Float64Array;
  cells: number;
  total: number;
  largest: number;
  signed: boolean;
}

const word = (v: number, f: Float32Array, u: Uint32Array): number => {
  f[0] = v;
  return (u[0] as number) >>> 16;
};

function count(maps: readonly Float32Array[]): Bins {
  const bins: Bins = { counts: new Float64Array(32768), sums: new Float64Array(32768), cells: 0, total: 0, largest: 0, signed: false };
  for (const map of maps) {
    const bits = new Uint32Array(map.buffer, map.byteOffset, map.length);
    for (let i = 0; i < bits.length; i++) {
      const b = (bits[i] as number) & 0x7fffffff; // sizes of floats are in the order of their bits
      if (b >= 0x7f800000) {
        if (map[i] === -Infinity) bins.signed = true;
        continue; // infinite, or no number
      }
      const v = map[i] as number;
      const size = v < 0 ? -v : v;
      bins.counts[b >>> 16] = (bins.counts[b >>> 16] as number) + 1;
      bins.sums[b >>> 16] = (bins.sums[b >>> 16] as number) + size;
      bins.cells += 1;
      if (size > bins.largest) bins.largest = size;
      if (v < 0) bins.signed = true;
    }
  }
  for (const s of bins.sums) bins.total += s;
  return bins;
}

/** Sizes in one bin, in ascending order. */
function bin(maps: readonly Float32Array[], wanted: number): Float32Array {
  const found: number[] = [];
  const [f, u] = ((one) => [one, new Uint32Array(one.buffer)] as const)(new Float32Array(1));
  for (const map of maps) {
    for (const v of map) {
      const size = v < 0 ? -v : v;
      if (size < Infinity && word(size, f, u) === wanted) found.push(size);
    }
  }
  return new Float32Array(found).sort();
}

function limit(maps: readonly Float32Array[], bins: Bins, rule: string): number {
  const [kind, given] = rule.split(":");
  if (bins.largest === 0 || (kind !== "pixels" && kind !== "mass")) return limitOf(new Float32Array([bins.largest]), "max");
  const share = Number(given) / 100;
  const pixels = kind === "pixels";
  const wanted = pixels ? Math.ceil(share * bins.cells - 1e-9) : share * bins.total - 1e-12 * bins.total;
  let before = 0;
  const weights = pixels ? bins.counts : bins.sums;
  let at = 0;
  while (at < weights.length - 1 && before + (weights[at] as number) < wanted) before += weights[at++] as number;
  for (const size of bin(maps, at)) {
    before += pixels ? 1 : size;
    if (before >= wanted) return size > 0 ? size : bins.largest;
  }
  return bins.largest;
}

/** As `refit` in scale.ts. */
export function refitMany(scale: ScaleState, maps: readonly Float32Array[]): ScaleState {
  if (maps.reduce((n, map) => n + map.length, 0) <= FEW) return refit(scale, maps);
  const bins = count(maps);
  const rules = new Set([...CLIP_RULES, ...Object.keys(scale.table)]);
  const table = Object.fromEntries([...rules].map((rule) => [rule, limit(maps, bins, rule)]));
  return withLimits({ ...scale, table, signed: bins.signed });
}
