// The table of a scorecard: a line for each method, a column for each metric, sorted by a click or a key.
import { h, listen, show, uid } from "../dom";
import { number } from "../format";
import { inWords, sorted, type Cell, type Column, type Group } from "../scores";

export interface ScoreTableEvents {
  sort(label: string): void;
  pick(group: number): void;
  /** a metric is pointed at or has the focus; null: none */
  about(column: number | null): void;
}

export interface ScoreTableView {
  el: HTMLElement;
  draw(sort: string, descending: boolean, picked: number): void;
}

function figure(cell: Cell | null | undefined): HTMLElement {
  if (!cell || cell.mean === null) return h("td", { class: "salw-score-none" }, h("span", { "aria-hidden": "true" }, "\u2013"), hidden("does not apply"));
  const around = cell.low !== null && cell.high !== null ? `[${number(cell.low)}, ${number(cell.high)}]` : "";
  return h("td", { class: cell.best ? "salw-score-best" : "" }, h("span", {}, number(cell.mean)), cell.best && hidden(", the best mean"),
    around && h("small", {}, around));
}

function hidden(text: string): HTMLElement {
  return h("span", { class: "salw-unseen" }, text);
}

function captionOf(text: string): HTMLElement {
  return h("p", { class: "salw-note", id: uid() }, text);
}

export function createScoreTable(groups: readonly Group[], columns: readonly Column[], events: ScoreTableEvents, signal: AbortSignal): ScoreTableView {
  const severalKinds = new Set(groups.map((g) => g.kind)).size > 1;
  const severalModels = new Set(groups.map((g) => g.model)).size > 1;
  const heads = columns.map((column, k) => {
    const button = h("button", { type: "button", class: "salw-score-sort", title: `What it cannot tell: ${column.cannot}` },
      h("span", {}, `${column.label} ${column.arrow}`), hidden(`, ${column.better} is better; sort by it`));
    listen(button, "click", () => events.sort(column.label), signal);
    const el = h("th", { scope: "col" }, button);
    listen(el, "pointerenter", () => events.about(k), signal);
    listen(el, "pointerleave", () => events.about(null), signal);
    listen(button, "focus", () => events.about(k), signal);
    listen(button, "blur", () => events.about(null), signal);
    return el;
  });
  const names = groups.map((g, i) => {
    const more = [severalKinds ? g.kind : "", severalModels ? g.model : ""].filter(Boolean).join(", ");
    const button = h("button", { type: "button", class: "salw-score-pick" }, g.method, more && h("small", {}, more));
    listen(button, "click", () => events.pick(i), signal);
    return button;
  });
  const lines = groups.map((_, i) => h("tr", {}, h("th", { scope: "row" }, names[i]), ...columns.map((c) => figure(c.cells[i]))));
  const body = h("tbody");
  const note = captionOf("Means over images; below them 95\u202f% intervals; \u2605 the best mean of its kind of question, which may be chance where intervals overlap.");
  const table = h("table", { class: "salw-score-table", "aria-describedby": note.id },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "method"), ...heads)), body);
  const el = h("div", {}, h("div", { class: "salw-score-frame", tabindex: 0, role: "region", "aria-label": "Scores, scrolls sideways" }, table), note);
  return {
    el,
    draw(sort, descending, picked) {
      const focused = el.contains(document.activeElement) ? (document.activeElement as HTMLElement) : null;
      const column = columns.find((c) => c.label === sort);
      const now = sorted(groups, column, descending).map((i) => lines[i] as HTMLElement);
      if (now.some((line, i) => body.children[i] !== line)) body.replaceChildren(...now);
      focused?.focus();
      heads.forEach((head, k) => {
        const on = columns[k] === column;
        if (on) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
      names.forEach((button, i) => button.setAttribute("aria-pressed", String(i === picked)));
      lines.forEach((line, i) => line.classList.toggle("salw-score-picked", i === picked));
    },
  };
}

/** What each metric measures by, and what it cannot tell: always there in words, not only under the pointer. */
export function metricFacts(columns: readonly Column[]): HTMLElement {
  const line = (c: Column) => h("tr", {}, h("th", { scope: "row" }, `${c.label} ${c.arrow}`), h("td", {}, `${c.better} is better`),
    h("td", {}, c.range), h("td", {}, c.cannot), h("td", {}, c.source));
  return h("details", { class: "salw-fold" }, h("summary", {}, "What each metric cannot tell"),
    h("div", { class: "salw-score-wide", tabindex: 0, role: "region", "aria-label": "What each metric cannot tell" }, h("table", {},
      h("thead", {}, h("tr", {}, ...["Metric", "Better", "Range", "Cannot tell", "Source"].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, ...columns.map(line)))));
}

/** Rank correlations between metrics as a small matrix; the number is always written. */
export function agreementTable(columns: readonly Column[], alike: readonly (readonly (number | null)[])[]): HTMLElement | null {
  if (columns.length < 2 || !alike.length) return null;
  const cell = (v: number | null) => {
    const td = h("td", {}, v === null ? "\u2013" : (Math.round(v * 100) / 100).toFixed(2).replace("-", "\u2212"));
    if (v !== null) {
      td.classList.add(v < 0 ? "salw-apart" : "salw-alike");
      td.style.setProperty("--salw-much", `${Math.round(Math.abs(v) * 38)}%`);
    }
    return td;
  };
  const note = captionOf("Do the metrics agree? Spearman\u2019s rank correlation, each turned so that higher is better: +1 they rank alike, \u22121 the opposite way.");
  return h("div", { class: "salw-agreeing" }, h("div", { class: "salw-score-wide", tabindex: 0, role: "region", "aria-label": "Agreement between metrics" },
    h("table", { class: "salw-agreement", "aria-describedby": note.id },
      h("thead", {}, h("tr", {}, h("td"), ...columns.map((c) => h("th", { scope: "col" }, c.label)))),
      h("tbody", {}, ...columns.map((c, i) => h("tr", {}, h("th", { scope: "row" }, c.label), ...(alike[i] ?? []).map(cell)))))), note);
}

const MOST = 500;

/** Every explanation with its figures, made when it is opened. */
export function everyRow(labels: readonly string[], columns: readonly Column[], signal: AbortSignal): HTMLElement {
  const table = h("table");
  const note = h("p", { class: "salw-note" }, `The first ${MOST} of ${labels.length}; to_pandas() has all.`);
  show(note, labels.length > MOST);
  const el = h("details", { class: "salw-fold" }, h("summary", {}, "Every explanation as a table"),
    h("div", { class: "salw-score-wide", tabindex: 0, role: "region", "aria-label": "Every explanation" }, table), note);
  listen(el, "toggle", () => {
    if (!el.open || table.childElementCount) return;
    table.append(h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Explanation"), ...columns.map((c) => h("th", { scope: "col" }, `${c.label} ${c.arrow}`)))),
      h("tbody", {}, ...labels.slice(0, MOST).map((label, i) => h("tr", {}, h("th", { scope: "row" }, label),
        ...columns.map((c) => h("td", {}, c.values[i] === null ? "\u2013" : number(c.values[i] as number)))))));
  }, signal);
  return el;
}

export { inWords };
