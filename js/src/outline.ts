// Cells as shapes: what a highlighted part of the input looks like as SVG paths in image pixels. Made once per sentence.
import type { Size } from "./types";

export interface Mask extends Size {
  /** 1 where a cell belongs to the shape */
  on: Uint8Array;
}

/** The cells of which these units together hold at least half, or of one unit half of what its fullest cell holds. */
export function union(units: readonly Uint8Array[], size: Size): Mask {
  const on = new Uint8Array(size.rows * size.cols);
  const sum = new Uint16Array(on.length);
  for (const cells of units) {
    let most = 0;
    for (const v of cells) if (v > most) most = v;
    const enough = Math.max(1, most / 2);
    for (let i = 0; i < on.length; i++) {
      const v = cells[i] as number;
      sum[i] = (sum[i] as number) + v;
      if (v >= enough || (sum[i] as number) >= 128) on[i] = 1;
    }
  }
  return { on, ...size };
}

const short = (v: number): string => String(Math.round(v * 100) / 100);

/** The shape as one rectangle per run of cells: to be filled, or cut out of a veil with fill-rule evenodd. */
export function areaPath({ on, rows, cols }: Mask, image: Size): string {
  const [y, x] = [image.rows / rows, image.cols / cols];
  const parts: string[] = [];
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      if (!on[r * cols + c]) continue;
      const start = c;
      while (c + 1 < cols && on[r * cols + c + 1]) c++;
      parts.push(`M${short(start * x)} ${short(r * y)}H${short((c + 1) * x)}V${short((r + 1) * y)}H${short(start * x)}Z`);
    }
  }
  return parts.join("");
}

/** The shape's border, straight pieces joined. */
export function edgePath({ on, rows, cols }: Mask, image: Size): string {
  const [y, x] = [image.rows / rows, image.cols / cols];
  const at = (r: number, c: number) => (r >= 0 && c >= 0 && r < rows && c < cols ? (on[r * cols + c] as number) : 0);
  const parts: string[] = [];
  const runs = (lines: number, along: number, differ: (line: number, i: number) => boolean,
    draw: (line: number, from: number, to: number) => string) => {
    for (let line = 0; line <= lines; line++) {
      for (let i = 0; i < along; i++) {
        if (!differ(line, i)) continue;
        const from = i;
        while (i + 1 < along && differ(line, i + 1)) i++;
        parts.push(draw(line, from, i + 1));
      }
    }
  };
  runs(rows, cols, (r, c) => at(r - 1, c) !== at(r, c), (r, a, b) => `M${short(a * x)} ${short(r * y)}H${short(b * x)}`);
  runs(cols, rows, (c, r) => at(r, c - 1) !== at(r, c), (c, a, b) => `M${short(c * x)} ${short(a * y)}V${short(b * y)}`);
  return parts.join("");
}
