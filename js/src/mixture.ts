// Weighted sums of per-class maps. Sums run in double precision and are kept as float32, as numpy does it.

/** Mean of some rows of a basis [R, cells]. */
export function meanOfRows(maps: Float32Array, rows: readonly number[], cells: number): Float32Array {
  const sum = new Float64Array(cells);
  for (const r of rows) {
    const row = maps.subarray(r * cells, (r + 1) * cells);
    for (let i = 0; i < cells; i++) sum[i] = (sum[i] as number) + (row[i] as number);
  }
  const out = new Float32Array(cells);
  for (let i = 0; i < cells; i++) out[i] = (sum[i] as number) / rows.length;
  return out;
}

/** out = a * A - b * B. A weight of zero drops its map altogether, so that a NaN in it does not spread. */
export function mix(A: Float32Array, B: Float32Array, a: number, b: number, out: Float32Array): void {
  if (b === 0) for (let i = 0; i < out.length; i++) out[i] = a * (A[i] as number);
  else if (a === 0) for (let i = 0; i < out.length; i++) out[i] = -b * (B[i] as number);
  else for (let i = 0; i < out.length; i++) out[i] = a * (A[i] as number) - b * (B[i] as number);
}
