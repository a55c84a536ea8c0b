// The picture in words: a table of the regions that count most, and the keys. Folded until asked for.
import { h, listen } from "../dom";
import { percent, signed } from "../format";
import { HELP } from "../keyboard";
import { topRegions } from "../regions";
import type { Grid, Size } from "../types";

export interface Alternative {
  el: HTMLElement;
  /** the map changed; the table is only made when it can be seen */
  draw(map: Grid): void;
}

export function createAlternative(image: Size, signal: AbortSignal): Alternative {
  const body = h("tbody");
  const heading = (text: string) => h("th", { scope: "col" }, text);
  const el = h("details", { class: "salw-fold" },
    h("summary", {}, "Top regions as a table"),
    h("table", {},
      h("thead", {}, h("tr", {}, ...["Where", "Rows", "Columns", "Sum", "Share"].map(heading))), body));
  let map: Grid | null = null;
  const fill = () => {
    if (!el.open || !map) return;
    body.replaceChildren(...topRegions(map, image).map((r) => h("tr", {},
      h("th", { scope: "row" }, r.place), h("td", {}, r.rows.join("\u2013")), h("td", {}, r.cols.join("\u2013")),
      h("td", {}, signed(r.sum)), h("td", {}, percent(r.share)))));
  };
  listen(el, "toggle", fill, signal);
  return {
    el,
    draw(now) {
      map = now;
      fill();
    },
  };
}

type Keys = readonly (readonly [string, string])[];

export function keyList(keys: Keys): HTMLElement {
  return h("details", { class: "salw-fold" }, h("summary", {}, "Keys"),
    h("dl", { class: "salw-keys" }, ...keys.map(([key, what]) => h("div", {}, h("dt", {}, key), h("dd", {}, what)))));
}

export function keyHelp(more: Keys = []): HTMLElement {
  return keyList([...HELP, ...more]);
}
