// Arrays as an exported page may keep them: deflated, as float16 with a factor per map, pictures as JPEG.
import { float32, uint8, type Packed } from "./wire";

interface Stored extends Packed {
  packing?: "deflate";
  /** [start, length, factor] of every map that was stored as float16 */
  factors?: [number, number, number][];
}

function bytesOf(view: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(view) ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : new Uint8Array(view);
}

async function inflate(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** All 65536 half precision numbers. */
export function halves(): Float32Array {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const size = exponent === 31 ? (fraction ? NaN : Infinity)
      : exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    table[bits] = bits & 0x8000 ? -size : size;
  }
  return table;
}

function fromHalves(low: Uint8Array, high: Uint8Array, factors: readonly [number, number, number][]): Float32Array {
  const n = low.length;
  const table = halves();
  const out = new Float32Array(n);
  for (const [start, length, factor] of factors) {
    for (let i = start; i < start + length; i++) {
      out[i] = factor * (table[(low[i] as number) | ((high[i] as number) << 8)] as number);
    }
  }
  return out;
}

export async function floats(packed: unknown): Promise<Float32Array> {
  const p = packed as Stored;
  if (p?.dtype !== "float16") return float32(packed).data;
  const bytes = bytesOf(p.view);
  const n = p.shape[0] as number; // the low bytes are noise and come as they are
  return fromHalves(bytes.subarray(0, n), await inflate(bytes.subarray(n)), p.factors ?? []);
}

/** One picture of the page: its size in pixels as it was sent, and how to put it on a canvas of that size. */
export interface Sheet {
  rows: number;
  cols: number;
  put(ctx: CanvasRenderingContext2D): void;
}

function sheetOf(rgb: Uint8Array, rows: number, cols: number): Sheet {
  const image = new ImageData(cols, rows);
  for (let i = 0, j = 0; i < rgb.length; i += 3, j += 4) {
    image.data[j] = rgb[i] as number;
    image.data[j + 1] = rgb[i + 1] as number;
    image.data[j + 2] = rgb[i + 2] as number;
    image.data[j + 3] = 255;
  }
  return { rows, cols, put: (ctx) => ctx.putImageData(image, 0, 0) };
}

/** Each row was stored as its difference to the row above. */
function undoUp(bytes: Uint8Array, rows: number, cols: number): Uint8Array {
  const out = new Uint8Array(bytes);
  for (let i = 3 * cols; i < 3 * rows * cols; i++) out[i] = (out[i] as number) + (out[i - 3 * cols] as number);
  return out;
}

export async function sheets(packed: unknown, sizes: readonly [number, number][]): Promise<Sheet[]> {
  const p = packed as Stored;
  if (p.dtype === "jpeg") return jpegs(p, sizes);
  return (await colours(packed, sizes)).map((rgb, i) => sheetOf(rgb, ...(sizes[i] as [number, number])));
}

/** RGB of every picture that was stored without loss. */
export async function colours(packed: unknown, sizes: readonly [number, number][]): Promise<Uint8Array[]> {
  const p = packed as Stored;
  const deflated = p.packing === "deflate";
  const bytes = deflated ? await inflate(bytesOf(p.view)) : uint8(packed).data;
  let start = 0;
  return sizes.map(([rows, cols]) => {
    const part = bytes.subarray(start, (start += 3 * rows * cols));
    return deflated ? undoUp(part, rows, cols) : part;
  });
}

async function jpegs(p: Stored, sizes: readonly [number, number][]): Promise<Sheet[]> {
  const bytes = bytesOf(p.view);
  let start = 0;
  const files = p.shape.map((length) => bytes.subarray(start, (start += length)));
  const bitmaps = await Promise.all(files.map((file) => createImageBitmap(new Blob([file as BlobPart], { type: "image/jpeg" }))));
  return bitmaps.map((bitmap, i) => {
    const [rows, cols] = sizes[i] as [number, number];
    return { rows, cols, put: (ctx) => ctx.drawImage(bitmap, 0, 0, cols, rows) };
  });
}
