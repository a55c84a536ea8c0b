// Points on a canvas of our own, as pure functions: camera, nearest point, neighbour by direction, lasso, marks as pixels.

export interface Camera {
  /** the data point in the middle of the canvas */
  x: number;
  y: number;
  /** pixels per unit */
  k: number;
}

export interface Frame {
  width: number;
  height: number;
}

/** x, y of every point, one after the other; y grows upwards. */
export type Places = Float32Array;

const PADDING = 18;

/** The camera that shows all points. One point, or several at one place, stand in the middle. */
export function fit(places: Places, { width, height }: Frame): Camera {
  const [low, high] = [[Infinity, Infinity], [-Infinity, -Infinity]];
  places.forEach((v, j) => {
    low[j % 2] = Math.min(low[j % 2] as number, v);
    high[j % 2] = Math.max(high[j % 2] as number, v);
  });
  const [x0, y0, x1, y1] = [...low, ...high] as [number, number, number, number];
  const k = Math.min(Math.max(1, width - 2 * PADDING) / (x1 - x0), Math.max(1, height - 2 * PADDING) / (y1 - y0));
  return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, k: Number.isFinite(k) ? k : 1 };
}

export function toScreen(c: Camera, f: Frame, x: number, y: number): [number, number] {
  return [f.width / 2 + (x - c.x) * c.k, f.height / 2 - (y - c.y) * c.k];
}

export function toData(c: Camera, f: Frame, sx: number, sy: number): [number, number] {
  return [c.x + (sx - f.width / 2) / c.k, c.y - (sy - f.height / 2) / c.k];
}

/** Nearer by a factor; what lies under the screen point stays there. `base`: the camera that shows everything. */
export function zoom(c: Camera, f: Frame, factor: number, sx: number, sy: number, base: Camera): Camera {
  const k = Math.min(base.k * 400, Math.max(base.k / 2, c.k * factor));
  const [x, y] = toData(c, f, sx, sy);
  return { x: x - (sx - f.width / 2) / k, y: y + (sy - f.height / 2) / k, k };
}

/** The nearest point within a radius (data units) that `may` allows, or -1. Ten thousand are looked through in 0.1 ms. */
export function nearest(places: Places, x: number, y: number, radius: number, may: (i: number) => boolean = () => true): number {
  let [best, found] = [radius * radius, -1];
  for (let i = 0; i < places.length / 2; i++) {
    const d = ((places[2 * i] as number) - x) ** 2 + ((places[2 * i + 1] as number) - y) ** 2;
    if (d <= best && (d < best || found < 0) && may(i)) [best, found] = [d, i];
  }
  return found;
}

/** The neighbour in a direction (dx, dy; y upwards): near, and not far off the way. -1: there is none. */
export function neighbour(places: Places, from: number, dx: number, dy: number, may: (i: number) => boolean = () => true): number {
  const [x, y] = [places[2 * from] as number, places[2 * from + 1] as number];
  let [best, found] = [Infinity, -1];
  for (let i = 0; i < places.length / 2; i++) {
    const [a, b] = [(places[2 * i] as number) - x, (places[2 * i + 1] as number) - y];
    const along = a * dx + b * dy;
    const aside = Math.abs(a * dy - b * dx);
    if (i === from || along <= 0 || aside > along || !may(i)) continue;
    const cost = along + 2 * aside;
    if (cost < best) [best, found] = [cost, i];
  }
  return found;
}

/** Points inside a closed line (x, y pairs, data units), by the even-odd rule; edges are sorted into bands of y. */
export function inside(places: Places, line: readonly number[], may: (i: number) => boolean = () => true): number[] {
  const n = line.length / 2;
  const found: number[] = [];
  if (n < 3) return found;
  let [low, high] = [Infinity, -Infinity];
  for (let j = 1; j < line.length; j += 2) {
    low = Math.min(low, line[j] as number);
    high = Math.max(high, line[j] as number);
  }
  if (!(high > low)) return found;
  const bands = 64;
  const band = (y: number) => Math.min(bands - 1, Math.floor(((y - low) / (high - low)) * bands));
  const edges: number[][] = Array.from({ length: bands }, () => []);
  for (let j = 0; j < n; j++) {
    const [ya, yb] = [line[2 * j + 1] as number, line[2 * ((j + 1) % n) + 1] as number];
    if (ya === yb) continue;
    for (let b = band(Math.min(ya, yb)); b <= band(Math.max(ya, yb)); b++) (edges[b] as number[]).push(j);
  }
  for (let i = 0; i < places.length / 2; i++) {
    const [x, y] = [places[2 * i] as number, places[2 * i + 1] as number];
    if (!(y >= low && y < high)) continue;
    let odd = false;
    for (const j of edges[band(y)] as number[]) {
      const k = (j + 1) % n;
      const [xa, ya, xb, yb] = [line[2 * j] as number, line[2 * j + 1] as number, line[2 * k] as number, line[2 * k + 1] as number];
      if (ya > y !== yb > y && x < xa + ((y - ya) / (yb - ya)) * (xb - xa)) odd = !odd;
    }
    if (odd && may(i)) found.push(i);
  }
  return found;
}
