// Paint on a picture: cells on or off, strokes that can be undone, and the picture with the paint on it.
import type { Picture } from "./parts/stage";
import type { Cell } from "./geometry";
import type { Size } from "./types";

const MOST_UNDO = 100;

export class Paint {
  on: Uint8Array;
  private before: Uint8Array[] = [];

  constructor(readonly cells: Size) {
    this.on = new Uint8Array(cells.rows * cells.cols);
  }

  /** What follows can be undone as one. */
  begin(): void {
    this.before.push(this.on.slice());
    if (this.before.length > MOST_UNDO) this.before.shift();
  }

  get undoable(): boolean {
    return this.before.length > 0;
  }

  undo(): boolean {
    const last = this.before.pop();
    if (!last) return false;
    this.on = last;
    return true;
  }

  get empty(): boolean {
    return !this.on.includes(1);
  }

  clear(): void {
    if (this.empty) return;
    this.begin();
    this.on = new Uint8Array(this.on.length);
  }

  /** A round dab of `size` cells across. */
  dab(at: Cell, size: number, value: number): void {
    const { rows, cols } = this.cells;
    const reach = size / 2;
    for (let r = Math.max(0, Math.floor(at.r - reach)); r <= Math.min(rows - 1, Math.ceil(at.r + reach)); r++) {
      for (let c = Math.max(0, Math.floor(at.c - reach)); c <= Math.min(cols - 1, Math.ceil(at.c + reach)); c++) {
        const far = (r - at.r) ** 2 + (c - at.c) ** 2;
        if (far <= Math.max(0.25, reach * reach - 0.5)) this.on[r * cols + c] = value;
      }
    }
  }

  /** Dabs without gaps from one cell to another. */
  line(from: Cell, to: Cell, size: number, value: number): void {
    const n = Math.max(1, Math.abs(to.r - from.r), Math.abs(to.c - from.c));
    for (let i = 0; i <= n; i++) {
      this.dab({ r: Math.round(from.r + ((to.r - from.r) * i) / n), c: Math.round(from.c + ((to.c - from.c) * i) / n) }, size, value);
    }
  }

  /** One bit per cell, row by row, as numpy's packbits writes them. */
  code(): string {
    let text = "";
    for (let i = 0; i < this.on.length; i += 8) {
      let byte = 0;
      for (let b = 0; b < 8; b++) byte = byte * 2 + (this.on[i + b] ?? 0);
      text += byte.toString(16).padStart(2, "0");
    }
    return text;
  }

  /** Takes what `code` wrote; false if it does not fit. */
  read(code: string): boolean {
    if (code.length !== 2 * Math.ceil(this.on.length / 8) || /[^0-9a-f]/.test(code)) return false;
    this.on = this.on.map((_, i) => (parseInt(code.slice(2 * (i >> 3), 2 * (i >> 3) + 2), 16) >> (7 - (i & 7))) & 1);
    return true;
  }

  share(): number {
    return this.on.reduce((n, v) => n + v, 0) / this.on.length;
  }
}

/** The picture with a fill, of any size, where there is paint. */
export function painted(picture: Picture, fill: Picture, paint: Paint): Picture {
  const data = picture.data.slice();
  const { rows, cols } = picture;
  const at = (i: number, n: number, of: number) => Math.min(of - 1, Math.floor(((i + 0.5) * of) / n));
  const across = Array.from({ length: cols }, (_, x) => [at(x, cols, paint.cells.cols), 3 * at(x, cols, fill.cols)] as const);
  for (let y = 0; y < rows; y++) {
    const row = at(y, rows, paint.cells.rows) * paint.cells.cols;
    const from = 3 * fill.cols * at(y, rows, fill.rows);
    for (let x = 0; x < cols; x++) {
      const [cell, pixel] = across[x] as readonly [number, number];
      if (!paint.on[row + cell]) continue;
      const to = 3 * (y * cols + x);
      data[to] = fill.data[from + pixel] as number;
      data[to + 1] = fill.data[from + pixel + 1] as number;
      data[to + 2] = fill.data[from + pixel + 2] as number;
    }
  }
  return { rows, cols, data };
}
