// Painting in two steps, for many maps at once: which of the 256 colours a cell takes is kept until the limits change, so
// that another threshold or colour map only looks colours up. Equal, pixel for pixel, to paint() in colormap.ts.
import { MISSING, type Paint } from "./colormap";
import { reach } from "./scale";

/** A cell that is no number. */
const NONE = 256;

export interface Counts {
  /** cells beyond the limits, without those that are no number */
  clipped: number;
  missing: number;
  infinite: number;
}

function place(v: number, vmin: number, k: number): number {
  const x = (v - vmin) * k;
  return x >= 255 ? 255 : x > 0 ? x | 0 : 0;
}

/** Write the colour of each value into `out` and count what the limits cut off. */
export function index(values: Float32Array, vmin: number, vmax: number, out: Uint16Array): Counts {
  const k = 256 / (vmax - vmin);
  let [clipped, missing, infinite] = [0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const v = values[i] as number;
    if (v !== v) {
      out[i] = NONE;
      missing += 1;
      continue;
    }
    if (v < vmin || v > vmax) {
      clipped += 1;
      if (v === Infinity || v === -Infinity) infinite += 1;
    }
    const x = (v - vmin) * k;
    out[i] = x >= 255 ? 255 : x > 0 ? x | 0 : 0;
  }
  return { clipped, missing, infinite };
}

/** What each of the 256 colours and "no number" is painted as, below a threshold too. Made once for many maps. */
export interface Lookup {
  pixels: Uint32Array;
  hidden: number;
  /** the colours that the threshold itself falls on: their cells are compared one by one */
  low: number;
  high: number;
}

export function lookup({ vmin, vmax, threshold, table }: Paint): Lookup {
  const k = 256 / (vmax - vmin);
  const hidden = threshold * reach(vmin, vmax);
  const pixels = new Uint32Array(NONE + 1);
  pixels.set(table);
  pixels[NONE] = new Uint32Array(new Uint8Array([...MISSING, 255]).buffer)[0] as number;
  const [low, high] = [place(-hidden, vmin, k), place(hidden, vmin, k)];
  if (hidden > 0) for (let i = low + 1; i < high; i++) pixels[i] = 0;
  return { pixels, hidden, low, high };
}

/** Colour cells into `out`. */
export function paintIndexed(values: Float32Array, colours: Uint16Array, how: Lookup, out: Uint32Array): void {
  const { pixels, hidden, low, high } = how;
  if (!(hidden > 0)) {
    for (let i = 0; i < out.length; i++) out[i] = pixels[colours[i] as number] as number;
    return;
  }
  for (let i = 0; i < out.length; i++) {
    const c = colours[i] as number;
    let colour = pixels[c] as number;
    if (c === low || c === high) {
      const v = values[i] as number;
      if (v < hidden && v > -hidden) colour = 0;
    }
    out[i] = colour;
  }
}
