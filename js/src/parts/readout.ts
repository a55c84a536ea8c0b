// Numbers one hover away: the value under the cursor and the share of the brushed region.
import { h, say } from "../dom";
import { number, percent, place, signed } from "../format";
import { cellAt, shareOf, totalMass } from "../geometry";
import type { Box, Cursor, Grid, Size } from "../types";

export function cursorInWords(map: Grid, image: Size, cursor: Cursor | null): string {
  if (!cursor) return "";
  const { r, c } = cellAt(cursor, image, map);
  const value = map.data[r * map.cols + c] as number;
  const total = totalMass(map.data);
  const mass = value > 0 ? total.positive : total.absolute - total.positive;
  const share = mass && Number.isFinite(value) && value !== 0
    ? `, ${percent(Math.abs(value) / mass)} of all ${value > 0 ? "positive" : "negative"}` : "";
  return `${signed(value)}${share} \u00b7 row ${r + 1}, column ${c + 1}`;
}

export function regionInWords(map: Grid, image: Size, box: Box | null): string {
  if (!box) return "";
  const share = shareOf(map, image, box);
  const where = place((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, image.rows, image.cols);
  const held = [
    share.positive === null ? "" : `${percent(share.positive)} of positive`,
    share.absolute === null ? "no evidence anywhere" : `${percent(share.absolute)} of all absolute mass`,
  ].filter(Boolean).join(", ");
  return `${held}, sum ${signed(share.sum)} \u00b7 ${pixels(box)}, ${where}`;
}

function pixels(box: Box): string {
  const n = (v: number) => (Number.isInteger(v) ? String(v) : number(v));
  return `rows ${n(box[0])}\u2013${n(box[2])}, columns ${n(box[1])}\u2013${n(box[3])}`;
}

export interface Readout {
  el: HTMLElement;
  draw(cursor: string, region: string): void;
}

const EMPTY = { cursor: "hover or use the arrow keys", region: "drag on the picture" };

export function createReadout(): Readout {
  const at = h("dd");
  const region = h("dd");
  const el = h("dl", { class: "salw-facts salw-readout" },
    h("div", {}, h("dt", {}, "Cursor"), at), h("div", {}, h("dt", {}, "Region"), region));
  const fill = (dd: HTMLElement, text: string, empty: string) => {
    say(dd, text || empty);
    dd.classList.toggle("salw-empty", !text);
  };
  return {
    el,
    draw(cursorText, regionText) {
      fill(at, cursorText, EMPTY.cursor);
      fill(region, regionText, EMPTY.region);
    },
  };
}

/** A polite live region: it speaks after keys and brushes, not for every pixel that a mouse crosses. */
export function createLive(): { el: HTMLElement; say(text: string): void } {
  const el = h("p", { class: "salw-live", "aria-live": "polite", role: "status" });
  return { el, say: (text) => say(el, text) };
}
