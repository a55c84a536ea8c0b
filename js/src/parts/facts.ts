// What belongs beside a map: scores, completeness, notices. Terms and values come ready as text.
import { h } from "../dom";

export interface Fact {
  term: string;
  text: string;
}

export function factList(facts: readonly Fact[]): HTMLElement {
  return h("dl", { class: "salw-facts" }, ...facts.map(({ term, text }) =>
    h("div", {}, h("dt", {}, term), h("dd", {}, text))));
}

/** Notices are part of the answer ("class-blind", "not faithful on this model"): never folded away. */
export function noticeList(notices: readonly string[]): HTMLElement | null {
  if (!notices.length) return null;
  return h("ul", { class: "salw-notices", "aria-label": "Notices" }, ...notices.map((text) => h("li", {}, text)));
}
