// The regions that count most, as a table: the text alternative to the picture.
import { place } from "./format";
import type { Grid, Size } from "./types";

export interface Region {
  place: string;
  /** image pixels: [row0, row1, col0, col1], half open and rounded */
  rows: [number, number];
  cols: [number, number];
  sum: number;
  /** share of the map's absolute mass */
  share: number;
}

const MOST = 8; // no more than 8 x 8 tiles: a table of single pixels would say nothing

export function topRegions(map: Grid, image: Size, count = 5): Region[] {
  const tall = Math.min(MOST, map.rows);
  const wide = Math.min(MOST, map.cols);
  const sums = new Float64Array(tall * wide);
  const mass = new Float64Array(tall * wide);
  let total = 0;
  for (let r = 0, i = 0; r < map.rows; r++) {
    for (let c = 0; c < map.cols; c++, i++) {
      const v = map.data[i] as number;
      if (!Number.isFinite(v)) continue;
      const tile = Math.floor((r * tall) / map.rows) * wide + Math.floor((c * wide) / map.cols);
      sums[tile] = (sums[tile] as number) + v;
      mass[tile] = (mass[tile] as number) + Math.abs(v);
      total += Math.abs(v);
    }
  }
  if (!total) return [];
  return Array.from(sums.keys())
    .filter((i) => (mass[i] as number) > 0)
    .sort((a, b) => Math.abs(sums[b] as number) - Math.abs(sums[a] as number))
    .slice(0, count)
    .map((i) => region(Math.floor(i / wide), i % wide, { rows: tall, cols: wide }, map, image, sums[i] as number, (mass[i] as number) / total));
}

/** Native cells of a tile start where `floor(r * tiles / cells)` first reaches it. */
function region(r: number, c: number, tiles: Size, map: Size, image: Size, sum: number, share: number): Region {
  const edge = (i: number, n: number, cells: number, pixels: number) => Math.round((Math.ceil((i * cells) / n) * pixels) / cells);
  const rows: [number, number] = [edge(r, tiles.rows, map.rows, image.rows), edge(r + 1, tiles.rows, map.rows, image.rows)];
  const cols: [number, number] = [edge(c, tiles.cols, map.cols, image.cols), edge(c + 1, tiles.cols, map.cols, image.cols)];
  return { place: place((rows[0] + rows[1]) / 2, (cols[0] + cols[1]) / 2, image.rows, image.cols), rows, cols, sum, share };
}
