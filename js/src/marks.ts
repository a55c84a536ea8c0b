// Marks of groups: a colour that colour-blind readers can tell (Okabe and Ito 2008, without black) and a shape as second cue.
// Seven colours and six shapes have no common factor, so 42 groups look different. Marks are made once, as pixels.

export const COLOURS: readonly (readonly [number, number, number])[] = [
  [0, 114, 178], [230, 159, 0], [0, 158, 115], [213, 94, 0], [204, 121, 167], [86, 180, 233], [200, 180, 20],
];
/** points of no group */
export const NOBODY: readonly [number, number, number] = [128, 128, 128];

const SHAPES: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => x * x + y * y <= 0.85,
  (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 0.8,
  (x, y) => y <= 0.72 && Math.abs(x) <= (y + 1) * 0.58,
  (x, y) => Math.abs(x) + Math.abs(y) <= 1.08,
  (x, y) => Math.min(Math.abs(x + y), Math.abs(x - y)) <= 0.5 && Math.max(Math.abs(x + y), Math.abs(x - y)) <= 1.4,
  (x, y) => y >= -0.72 && Math.abs(x) <= (1 - y) * 0.58,
];

export function colourOf(group: number): readonly [number, number, number] {
  return group < 0 ? NOBODY : (COLOURS[group % COLOURS.length] as readonly [number, number, number]);
}

/** Pixels of one mark around its point: offsets, and RGBA as the platform's own 32-bit numbers. */
export interface Mark {
  reach: number;
  dx: Int8Array;
  dy: Int8Array;
  pixels: Uint32Array;
}

const FINE = 4;

/** `hollow`: only its border; `faint`: one weak colour. Radius in device pixels. */
export function makeMark(group: number, radius: number, hollow: boolean, faint: boolean, dark: boolean): Mark {
  const shape = SHAPES[group < 0 ? 0 : group % SHAPES.length] as (x: number, y: number) => boolean;
  const size = group < 0 ? radius * 0.7 : radius;
  const border = Math.max(hollow ? 1.6 : 0.9, size * (hollow ? 0.36 : 0.2));
  const colour = colourOf(group);
  const edge = hollow ? colour : colour.map((v) => Math.round(dark ? v * 0.55 + 115 : v * 0.55));
  const reach = Math.ceil(size);
  const [dx, dy, bytes]: [number[], number[], number[]] = [[], [], []];
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      let [whole, core] = [0, 0];
      for (let k = 0; k < FINE * FINE; k++) {
        const u = x + ((k % FINE) + 0.5) / FINE - 0.5;
        const v = y + (Math.floor(k / FINE) + 0.5) / FINE - 0.5;
        if (!shape(u / size, v / size)) continue;
        whole++;
        if (shape(u / (size - border), v / (size - border))) core++;
      }
      const drawn = hollow ? whole - core : whole;
      if (!drawn) continue;
      dx.push(x);
      dy.push(y);
      const share = hollow ? 0 : core / whole;
      for (let c = 0; c < 3; c++) bytes.push(Math.round((colour[c] as number) * share + (edge[c] as number) * (1 - share)));
      bytes.push(Math.round((255 * (faint ? 0.22 : 1) * drawn) / (FINE * FINE)));
    }
  }
  return { reach, dx: Int8Array.from(dx), dy: Int8Array.from(dy), pixels: new Uint32Array(new Uint8Array(bytes).buffer) };
}

/** Put a mark into pixels of a canvas. What is half transparent is drawn only where nothing is: the marks above win. */
export function stamp(out: Uint32Array, width: number, height: number, mark: Mark, x: number, y: number): void {
  const { reach, dx, dy, pixels } = mark;
  if (x < -reach || y < -reach || x >= width + reach || y >= height + reach) return;
  const clear = x >= reach && y >= reach && x < width - reach && y < height - reach;
  for (let k = 0; k < pixels.length; k++) {
    const [px, py] = [x + (dx[k] as number), y + (dy[k] as number)];
    if (!clear && (px < 0 || py < 0 || px >= width || py >= height)) continue;
    const at = py * width + px;
    if (!out[at] || (pixels[k] as number) >>> 31) out[at] = pixels[k] as number;
  }
}

/** A line between two points, one pixel wide, where nothing is yet. */
export function stroke(out: Uint32Array, width: number, height: number, x0: number, y0: number, x1: number, y1: number, colour: number): void {
  const steps = Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0), 1);
  if (Math.max(x0, x1) < 0 || Math.max(y0, y1) < 0 || Math.min(x0, x1) >= width || Math.min(y0, y1) >= height || steps > 4 * (width + height)) return;
  for (let s = 0; s <= steps; s++) {
    const [x, y] = [Math.round(x0 + ((x1 - x0) * s) / steps), Math.round(y0 + ((y1 - y0) * s) / steps)];
    if (x >= 0 && y >= 0 && x < width && y < height) out[y * width + x] = colour;
  }
}
