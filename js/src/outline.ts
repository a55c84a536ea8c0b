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
  const across = borders(on, rows, cols, cols, 1).map(([line, a, b]) => `M${short(a * x)} ${short(line * y)}H${short(b * x)}`);
  const down = borders(on, cols, rows, 1, cols).map(([line, a, b]) => `M${short(line * x)} ${short(a * y)}V${short(b * y)}`);
  return [...across, ...down].join("");
}

/** Runs [line, from, to] along which the cells on the two sides of a grid line differ. */
function borders(on: Uint8Array, lines: number, length: number, perLine: number, perCell: number): [number, number, number][] {
  const found: [number, number, number][] = [];
  for (let line = 0; line <= lines; line++) {
    let from = -1;
    for (let i = 0; i <= length; i++) {
      const after = line * perLine + i * perCell;
      const differ = i < length && (line > 0 ? on[after - perLine] : 0) !== (line < lines ? on[after] : 0);
      if (differ && from < 0) from = i;
      else if (!differ && from >= 0) {
        found.push([line, from, i]);
        from = -1;
      }
    }
  }
  return found;
}
