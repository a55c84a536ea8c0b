// Where names stand on a picture: at the upper left of what they name, moved until each can be read.
import type { Size } from "./types";

export interface Label {
  text: string;
  /** left end and base line, in pixels of the picture */
  x: number;
  y: number;
}

const [WIDE, NARROW, LINE] = [1.05, 0.64, 1.25]; // ems: of a character (with room to spare for bold ones), of a line
const SLACK = 1e-9; // of sums of lines
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
    // the nearest free line touches a name that is in the way; of equals, the lower one
    const far = (top: number) => Math.abs(top - first) + (top < first ? 0.1 * line : 0);
    const lines = taken.flatMap((t) => [t.top + line, t.top - line]).sort((a, b) => far(a) - far(b));
    const free = (top: number) => top >= 0 && top + line <= image.rows + SLACK && taken.every((t) =>
      Math.abs(top - t.top) >= line - SLACK || left >= t.right || left + wide <= t.left);
    const top = [first, ...lines].find(free) ?? first;
    taken.push({ top, left, right: left + wide });
    return { text, x: left, y: top + 1.1 * size };
  });
}
