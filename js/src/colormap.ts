// From values to pixels through a 256-entry table. Equal, pixel for pixel, to Scale.rgba in Python.
import { TABLES } from "./colormap.gen";
import { isDiverging, reach } from "./scale";

export const COLOUR_MAPS: readonly string[] = Object.keys(TABLES);

/** Cells that are no number: a grey that no colour map holds at its middle, hatched on top. */
export const MISSING: readonly [number, number, number] = [150, 150, 150];

/** RGB of one map, 256 triples. */
export function rgb(cmap: string): Uint8Array {
  const text = TABLES[cmap];
  if (text === undefined) throw new Error(`unknown colour map ${cmap}; known: ${COLOUR_MAPS.join(", ")}`);
  const bytes = atob(text);
  return Uint8Array.from(bytes, (c) => c.charCodeAt(0));
}

/** Strength of entry i, 0 at "no evidence", 1 at the limit: what `fade` multiplies the opacity with. */
export function strength(i: number, diverging: boolean): number {
  const d = diverging ? Math.abs((2 * (i + 0.5)) / 256 - 1) : (i + 0.5) / 256;
  return Math.min(1, 2 * d);
}

/** 256 RGBA entries packed as the platform's own 32-bit pixels. */
export function pixelTable(cmap: string, fade: boolean): Uint32Array {
  const colours = rgb(cmap);
  const bytes = new Uint8Array(1024);
  const diverging = isDiverging(cmap);
  for (let i = 0; i < 256; i++) {
    bytes.set(colours.subarray(3 * i, 3 * i + 3), 4 * i);
    bytes[4 * i + 3] = fade ? Math.floor(255 * strength(i, diverging) + 0.5) : 255;
  }
  return new Uint32Array(bytes.buffer);
}

export interface Paint {
  vmin: number;
  vmax: number;
  /** share of the largest size below which nothing is drawn */
  threshold: number;
  table: Uint32Array;
}

/** Colour `values` into `out` (one 32-bit pixel each). */
export function paint(values: Float32Array, how: Paint, out: Uint32Array): void {
  const { vmin, vmax, table } = how;
  const k = 256 / (vmax - vmin);
  const hidden = how.threshold * reach(vmin, vmax);
  const missing = new Uint32Array(new Uint8Array([...MISSING, 255]).buffer)[0] as number;
  for (let i = 0; i < values.length; i++) {
    const v = values[i] as number;
    if (v !== v) out[i] = missing;
    else if (v < hidden && v > -hidden) out[i] = 0;
    else {
      const x = (v - vmin) * k;
      out[i] = table[x >= 255 ? 255 : x > 0 ? x | 0 : 0] as number;
    }
  }
}
