// A map in words, for whoever cannot see it: what was asked, and where the map lies. Made once hands rest, not per frame.
import { percent } from "../format";
import { topRegions } from "../regions";
import type { Grid, Size } from "../types";
import type { Stage } from "./stage";

const REST = 250; // milliseconds without a new map

/** The two parts (of at most 8 x 8) with the largest sums; what is no number is said and not counted. */
export function mapInWords(map: Grid, image: Size): string {
  const parts = topRegions(map, image, 2);
  if (parts.length) {
    return `Most of it: ${parts.map((p) => `${p.place}, ${percent(p.share)}, ${p.sum > 0 ? "for" : "against"}`).join("; then ")}.`;
  }
  return map.data.some(Number.isFinite) ? "It is zero everywhere." : "There is no number in it.";
}

/** Labels a stage: with the words for the question at once, with those for the map a little later. */
export function createDescription(stage: Stage, image: Size, signal: AbortSignal): (asked: string, map: Grid) => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = "";
  signal.addEventListener("abort", () => clearTimeout(timer));
  return (asked, map) => {
    if (asked !== last) stage.label(asked);
    last = asked;
    clearTimeout(timer);
    timer = setTimeout(() => stage.label(`${asked} ${mapInWords(map, image)}`), REST);
  };
}
