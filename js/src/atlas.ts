// Small pictures on one sheet: which part of it is which picture.
import { h } from "./dom";
import { sheets } from "./unpack";

export interface Atlas {
  /** rows and columns of a picture; 0 where there is none */
  tile: readonly [number, number];
  /** a canvas of that size */
  canvas(label?: string): HTMLCanvasElement;
  /** put picture `i` on it */
  draw(canvas: HTMLCanvasElement, i: number): void;
}

export async function readAtlas(packed: unknown): Promise<Atlas> {
  const { tile, columns, size } = packed as { tile: [number, number]; columns: number; size: [number, number] };
  const [rows, cols] = tile;
  const all = h("canvas", { width: Math.max(1, size[1]), height: Math.max(1, size[0]) });
  const ctx = all.getContext("2d");
  if (rows && ctx) (await sheets(packed, [size]))[0]?.put(ctx);
  return {
    tile,
    canvas: (label) => h("canvas", { class: "salw-small", width: cols, height: rows, ...(label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" }) }),
    draw: (canvas, i) => rows && canvas.getContext("2d")?.drawImage(all, (i % columns) * cols, Math.floor(i / columns) * rows, cols, rows, 0, 0, cols, rows),
  };
}
