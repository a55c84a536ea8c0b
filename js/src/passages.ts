// Texts as they cross the wire, and the two questions asked of them: which text is wanted, and is it about this region?
import { coverage } from "./geometry";
import type { Box, Model, Size } from "./types";
import { uint8 } from "./wire";

export type Verdict = "supported" | "contradicted" | "not checkable";

export interface Said {
  text: string;
  /** indices into the passage's units */
  units: number[];
  relation: string;
  verdict: Verdict;
  claims: { text: string; verdict: Verdict; figure: string }[];
}

export interface Variant {
  /** "template", "llm" or "given" */
  by: string;
  length: string;
  audience: string;
  sentences: Said[];
  notices: string[];
  error: string;
  markdown: string;
  latex: string;
}

export interface UnitShape extends Size {
  label: string;
  cells: Uint8Array;
}

export interface Passage {
  title: string;
  image: Size;
  units: UnitShape[];
  variants: Variant[];
}

interface Stored {
  title: string;
  size: [number, number];
  units: { label: string; rows: number; cols: number; offset: number }[];
  variants: Variant[];
}

export function readPassages(model: Model): Passage[] {
  const { data } = uint8(model.get("cells"));
  return (model.get("passages") as Stored[]).map(({ title, size, units, variants }) => ({
    title,
    image: { rows: size[0], cols: size[1] },
    units: units.map((u) => ({ label: u.label, rows: u.rows, cols: u.cols, cells: data.subarray(u.offset, u.offset + u.rows * u.cols) })),
    variants,
  }));
}

export interface Wanted {
  by: string;
  length: string;
  audience: string;
}

/** The text that was asked for. An LLM's that is not written yet, or failed, is stood in for by the template's. */
export function choose(passage: Passage, wanted: Wanted): Variant | undefined {
  const fits = (v: Variant) => v.length === wanted.length && v.audience === wanted.audience;
  const of = (by: string) => passage.variants.filter((v) => v.by === by);
  if (wanted.by === "given") return of("given")[0] ?? of("template").find(fits);
  return of(wanted.by).find((v) => fits(v) && !v.error) ?? of("template").find(fits) ?? passage.variants[0];
}

/** Why the LLM gave no text, if it was asked for this one. */
export function failure(passage: Passage, wanted: Wanted): string {
  return passage.variants.find((v) => v.by === wanted.by && v.length === wanted.length && v.audience === wanted.audience)?.error ?? "";
}

const MOST = 0.5;

/** Whether a brushed box holds most of a unit, or a unit most of the box. */
export function about(unit: UnitShape, image: Size, box: Box): boolean {
  const down = coverage(box[0], box[2], unit.rows, image.rows);
  const across = coverage(box[1], box[3], unit.cols, image.cols);
  let inside = 0;
  let total = 0;
  for (let r = 0, i = 0; r < unit.rows; r++) {
    for (let c = 0; c < unit.cols; c++, i++) {
      const v = unit.cells[i] as number;
      total += v;
      inside += v * (down[r] as number) * (across[c] as number);
    }
  }
  const sum = (part: Float64Array) => part.reduce((a, b) => a + b, 0);
  const area = 255 * sum(down) * sum(across);
  return total > 0 && (inside >= MOST * total || (area > 0 && inside >= MOST * area));
}
