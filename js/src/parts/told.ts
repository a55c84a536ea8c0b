// What the map said that painting would do, and what the model says it does, in words.
import { h, say } from "../dom";
import { percent, signed } from "../format";
import type { Paint } from "../paint";
import type { Grid } from "../types";
import type { ScoreRow } from "./scores";

export interface Answer {
  paint: string;
  fill: string;
  before: number;
  now: number;
  whole: number | null;
  rows: ScoreRow[];
}

/** A share that may be negative or above one. */
function part(share: number): string {
  const size = Math.abs(share);
  return (share < 0 ? "\u2212" : "") + (size > 1 ? `${(100 * size).toFixed(0)}\u202f%` : percent(size));
}

/** The sum of the map under the paint, and of the whole map. */
function sums(mass: Grid, paint: Paint): { under: number; total: number } {
  let under = 0;
  let total = 0;
  mass.data.forEach((v, i) => {
    total += v;
    if (paint.on[i]) under += v;
  });
  return { under, total };
}

/** Term and text of what the map said and what the model says. */
export function createTold() {
  const rows = ["Paint", "The map says", "The model says", "Explained"].map((term) => ({ term, dd: h("dd") }));
  const el = h("dl", { class: "salw-facts salw-told" }, ...rows.map(({ term, dd }) => h("div", {}, h("dt", {}, term), dd)));
  return { el, draw: (texts: readonly string[]) => rows.forEach(({ dd }, i) => say(dd, texts[i] || "\u2013")) };
}

export function mapSays(mass: Grid, paint: Paint, promised: boolean): { text: string; under: number } {
  const { under, total } = sums(mass, paint);
  if (paint.empty) return { text: "", under };
  const share = total ? `${part(under / total)} of its sum is under the paint (${signed(under)} of ${signed(total)})` : "the map sums to nothing";
  return { text: promised ? `${share}: the score should change by ${signed(-under)} logits` : share, under };
}

export function modelSays(answer: Answer): string {
  const change = answer.now - answer.before;
  const whole = answer.whole === null ? 0 : answer.whole - answer.before;
  return `the score changes by ${signed(change)} logits, from ${signed(answer.before)} to ${signed(answer.now)}`
    + (whole ? `: ${part(change / whole)} of what paint over everything does (${signed(whole)})` : "");
}

export function explained(answer: Answer, under: number, promised: boolean): string {
  const change = answer.now - answer.before;
  if (!promised) return "this method promises no change in logits: compare the two shares";
  return change ? `${part(-under / change)} of the measured change was predicted` : "nothing changed";
}
