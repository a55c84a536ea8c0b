// Arrays as they cross the wire: a top-level trait {view, dtype, shape} whose `view` is a binary buffer.

export interface Packed {
  view: ArrayBuffer | ArrayBufferView;
  dtype: string;
  shape: number[];
}

export interface Unpacked<T> {
  data: T;
  shape: number[];
}

/** Bytes of a buffer whatever it came as. A DataView may start inside a larger message: byteOffset counts. */
function bytesOf(view: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(view)
    ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
    : new Uint8Array(view);
}

function checked(packed: unknown, dtype: string, itemSize: number): { bytes: Uint8Array; shape: number[] } {
  const p = packed as Packed | null;
  if (!p || !p.view || !Array.isArray(p.shape)) throw new Error("an array is missing from the widget's state");
  if (p.dtype !== dtype) throw new Error(`expected ${dtype}, got ${p.dtype}`);
  const bytes = bytesOf(p.view);
  const expected = p.shape.reduce((n, k) => n * k, itemSize);
  if (bytes.byteLength !== expected) {
    throw new Error(`an array of shape [${p.shape.join(", ")}] needs ${expected} bytes, got ${bytes.byteLength}`);
  }
  return { bytes, shape: p.shape };
}

/** float32, little endian. Copied, because a Float32Array cannot start at an odd byte. */
export function float32(packed: unknown): Unpacked<Float32Array> {
  const { bytes, shape } = checked(packed, "float32", 4);
  return { data: new Float32Array(bytes.slice().buffer), shape };
}

export function uint8(packed: unknown): Unpacked<Uint8Array> {
  const { bytes, shape } = checked(packed, "uint8", 1);
  return { data: bytes, shape };
}

export function uint16(packed: unknown): Unpacked<Uint16Array> {
  const { bytes, shape } = checked(packed, "uint16", 2);
  return { data: new Uint16Array(bytes.slice().buffer), shape };
}

export function uint32(packed: unknown): Unpacked<Uint32Array> {
  const { bytes, shape } = checked(packed, "uint32", 4);
  return { data: new Uint32Array(bytes.slice().buffer), shape };
}
