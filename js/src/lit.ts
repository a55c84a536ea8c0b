// What is lit or picked in this picture: a highlight may mean several pictures, each by its key.
import { areaPath, edgePath, type Mask } from "./outline";
import type { Highlight, Picked, Size } from "./types";

// A view knows a picture by several keys, with a space between: that of the input, and that of the picture itself.

/** The part of a highlight that lies in the picture with this key; null where it means other pictures. */
export function partIn(lit: Highlight | null | undefined, key: unknown, image: Size): Highlight | null {
  if (!lit?.parts) return lit ?? null;
  const part = String(key).split(" ").map((k) => lit.parts?.[k]).find(Boolean);
  if (!part) return null;
  const mask: Mask = { rows: part.rows, cols: part.cols, on: Uint8Array.from(part.on, Number) };
  return { ...lit, area: areaPath(mask, image), edge: edgePath(mask, image) };
}

/** Which of these pictures are picked; none if nothing is picked, or none of these. */
export function pickedOf(picked: Picked | null | undefined, keys: readonly string[]): boolean[] {
  const wanted = new Set(picked?.keys ?? []);
  return keys.map((key) => key.split(" ").some((k) => wanted.has(k)));
}
