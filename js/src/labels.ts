// Where names stand on a picture: at the upper left of what they name, moved until each can be read.
import type { Size } from "./types";

export interface Label {
  text: string;
  /** left end and base line, in pixels of the picture */
  x: number;
  y: number;
}

const [WIDE, NARROW, LINE] = [1.05, 0.64, 1.25]; // ems: of a character (with room to spare for bold ones), of a line
const FIRST_WIDE = 0x1100; // Hangul, Kana, Han and signs that are about as wide as high

function ems(text: string): number {
  return [...text].reduce((sum, c) => sum + ((c.codePointAt(0) as number) < FIRST_WIDE ? NARROW : WIDE), 0);
}

/** The beginning of a name that has room in so many ems; the whole name stands in a table. */
export function cut(name: string, room: number): string {
  if (ems(name) <= room) return name;
  const kept = [...name];
  while (kept.length > 1 && ems(kept.join("")) + NARROW > room) kept.pop();
  return `${kept.join("").trimEnd()}\u2026`;
}

/** A place for each name: inside the picture, and on no other name while there is room. `size`: of the letters. */
export function labels(names: readonly { name: string; row: number; col: number }[], image: Size, size: number): Label[] {
  const line = LINE * size;
  const taken: { top: number; left: number; right: number }[] = [];
  return names.map(({ name, row, col }) => {
    const text = cut(name, image.cols / size);
    const wide = ems(text) * size;
    const left = Math.max(0, Math.min(col + size / 4, image.cols - wide));
    const first = Math.max(0, Math.min(row, image.rows - line));
    const steps = Math.ceil(image.rows / line);
    const below = Array.from({ length: steps }, (_, k) => first + k * line).filter((top) => top + line <= image.rows);
    const above = Array.from({ length: steps }, (_, k) => first - (k + 1) * line).filter((top) => top >= 0);
    const free = (top: number) => taken.every((t) => top >= t.top + line - 1e-9 || t.top >= top + line - 1e-9 || left >= t.right || left + wide <= t.left);
    const top = [...below, ...above].find(free) ?? first;
    taken.push({ top, left, right: left + wide });
    return { text, x: left, y: top + 1.1 * size };
  });
}
