// The data of a comparison, and the map of every panel as it is asked for now.
import { differences, subtract, type Difference, type PanelState } from "./arrange";
import { meanOfRows, mix } from "./mixture";
import type { Foil } from "./parts/foil";
import { apart, type Sides } from "./questions";
import type { Grid, Model, Size } from "./types";
import { floats, sheets, type Sheet } from "./unpack";
import { float32 } from "./wire";

export interface Data {
  panels: PanelState[];
  cells: Float32Array;
  sheets: Sheet[];
  image: Size;
  /** classes of a basis, or 0 */
  classes: number;
  logits: Float32Array;
}

export async function read(model: Model): Promise<Data> {
  const [rows, cols] = model.get("size") as [number, number];
  const classes = model.get("classes") as number;
  const [cells, pictures] = await Promise.all([floats(model.get("maps")),
    sheets(model.get("pictures"), model.get("sheets") as [number, number][])]);
  return { panels: model.get("panels") as PanelState[], cells, sheets: pictures, image: { rows, cols }, classes,
    logits: classes ? float32(model.get("logits")).data : new Float32Array(0) };
}

/** The maps of all panels as they are asked for now: from explanations or from bases, and minus a reference. */
export class Maps {
  private plain: (Grid | null)[];
  private against: Difference[] = [];

  constructor(readonly data: Data, private foil: Foil | null) {
    this.plain = data.panels.map(() => null);
  }

  ask(): void {
    this.plain.fill(null);
  }

  compare(base: number): void {
    this.against = differences(this.data.panels, base);
  }

  get same(): boolean {
    return this.sides()?.same ?? false;
  }

  private sides(): Sides | null {
    const foil = this.foil?.foil();
    return this.foil && foil ? apart(this.foil.target(), foil) : null;
  }

  said(i: number): string {
    return this.against[i]?.said ?? "";
  }

  private raw(i: number): Grid {
    const known = this.plain[i];
    if (known) return known;
    const { cells, classes, panels } = this.data;
    const [start, rows, cols] = (panels[i] as PanelState).map;
    const n = rows * cols;
    const data = this.foil ? this.contrast(cells.subarray(start, start + classes * n), n) : cells.subarray(start, start + n);
    return (this.plain[i] = { data, rows, cols });
  }

  private contrast(basis: Float32Array, n: number): Float32Array {
    const sides = this.sides();
    if (!sides) return meanOfRows(basis, (this.foil as Foil).target().rows, n);
    const out = new Float32Array(n);
    mix(meanOfRows(basis, sides.target, n), meanOfRows(basis, sides.foil, n), 1, 1, out);
    return out;
  }

  shown(i: number): Grid {
    const other = this.against[i]?.other ?? -1;
    return other < 0 ? this.raw(i) : subtract(this.raw(i), this.raw(other));
  }

  /** The question's score, which changes with the foil. */
  score(i: number): number | null {
    if (!this.foil) return this.data.panels[i]?.scores[0] ?? null;
    const { logits, classes } = this.data;
    const sides = this.sides();
    const mean = (rows: number[]) => rows.reduce((sum, r) => sum + (logits[i * classes + r] as number), 0) / rows.length;
    return sides ? mean(sides.target) - mean(sides.foil) : mean(this.foil.target().rows);
  }
}
