// Probabilities of classes and groups, before and now: a table with bars.
import { h, show } from "../dom";
import { percent } from "../format";

export interface ScoreRow {
  name: string;
  kind: string;
  before: number;
  now: number;
}

export interface Scores {
  el: HTMLElement;
  /** `stale`: the numbers of another moment; `same`: nothing has changed yet, now is as before */
  draw(rows: readonly ScoreRow[], same: boolean, stale: boolean): void;
}

const KINDS: Readonly<Record<string, string>> = { target: "target", foil: "foil", group: "group", class: "" };

function points(before: number, now: number): string {
  const change = Math.round((now - before) * 1000) / 10;
  return change === 0 ? "\u00b10" : `${change > 0 ? "+" : "\u2212"}${Math.abs(change).toFixed(1)}`;
}

export function createScores(): Scores {
  const body = h("tbody");
  const note = h("p", { class: "salw-note", hidden: true }, "Numbers of an earlier answer.");
  const column = (text: string) => h("th", { scope: "col" }, text);
  const table = h("table", {}, h("caption", {}, "Probability before and now; the change in percentage points"),
    h("thead", {}, h("tr", {}, column("Class or group"), column("Before"), column("Now"), column("Change"))), body);
  const el = h("div", { class: "salw-scores" }, note, table);
  return {
    el,
    draw(rows, same, stale) {
      show(note, stale);
      el.classList.toggle("salw-stale", stale);
      body.replaceChildren(...rows.map(({ name, kind, before, now }) => {
        const then = same ? before : now;
        const bar = h("span", { class: "salw-score-bar", "aria-hidden": "true", style: `--salw-before:${before};--salw-now:${then}` });
        return h("tr", {}, h("th", { scope: "row" }, h("span", {}, name), KINDS[kind] && h("em", {}, ` ${KINDS[kind]}`), bar),
          h("td", {}, percent(before)), h("td", {}, percent(then)), h("td", {}, points(before, then)));
      }));
    },
  };
}
