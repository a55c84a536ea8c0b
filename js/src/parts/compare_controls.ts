// What a comparison can be told: reference, order, one scale or many, size of the maps. Writes the model's traits.
import { h, listen, uid } from "../dom";
import type { Model } from "../types";

export interface CompareControls {
  el: HTMLElement;
  draw(): void;
}

type Choice = readonly [string, string];

function field(text: string, control: HTMLElement): HTMLElement {
  control.id = uid();
  return h("div", { class: "salw-field" }, h("label", { for: control.id }, text), control);
}

function menu(choices: readonly Choice[]): HTMLSelectElement {
  return h("select", {}, ...choices.map(([value, text]) => h("option", { value }, text)));
}

/** `closed`: columns that cannot be a reference. */
export function createCompareControls(model: Model, closed: readonly boolean[], resize: (pixels: number) => void,
  signal: AbortSignal): CompareControls {
  const columns = model.get("columns") as string[];
  const scores = model.get("score_names") as string[];
  const many = (model.get("rows") as string[]).length > 1;
  const set = (name: string, value: unknown) => {
    model.set(name, value);
    model.save_changes();
  };
  const reference = menu([["", "nothing"], ...columns.map((c) => [c, c] as const)]);
  closed.forEach((off, i) => {
    if (off) (reference.options[i + 1] as HTMLOptionElement).disabled = true;
  });
  const sort = menu([["", "order given"], ...scores.map((s) => [s, s] as const)]);
  const column = menu([["-1", "mean of all"], ...columns.map((c, i) => [String(i), c] as const)]);
  const way = menu([["1", "largest first"], ["", "smallest first"]]);
  const size = h("input", { type: "range", min: 56, max: 320, step: 4, value: 104 });
  const each = h("input", { type: "checkbox" });
  const el = h("div", { class: "salw-controls salw-compare" },
    columns.length > 1 && field("Difference to", reference),
    scores.length > 0 && field(many ? "Sort rows by" : "Sort by", sort),
    scores.length > 0 && field("Order", way),
    scores.length > 0 && many && columns.length > 1 && field("of column", column),
    field("Size of maps", size),
    h("label", { class: "salw-tick" }, each, "a scale of its own for each map"));
  listen(reference, "change", () => set("reference", reference.value), signal);
  listen(sort, "change", () => set("sort", sort.value), signal);
  listen(column, "change", () => set("sort_column", Number(column.value)), signal);
  listen(way, "change", () => set("descending", way.value !== ""), signal);
  listen(each, "change", () => set("each", each.checked), signal);
  listen(size, "input", () => resize(Number(size.value)), signal);
  return {
    el,
    draw() {
      reference.value = String(model.get("reference"));
      sort.value = String(model.get("sort"));
      column.value = String(model.get("sort_column"));
      way.value = model.get("descending") ? "1" : "";
      way.disabled = column.disabled = sort.value === "";
      each.checked = Boolean(model.get("each"));
    },
  };
}
