// Target and foil for many inputs at once: two pickers over the classes of the bases.
import { h, listen } from "../dom";
import { signed } from "../format";
import { childOf, closedAbove, parentOf, score, usable, type Scores, type TreeNode } from "../questions";
import type { Model } from "../types";
import { createPicker } from "./combobox";

export type Side = "target" | "foil";

export interface Foil {
  el: HTMLElement;
  target(): TreeNode;
  /** null: the question has none */
  foil(): TreeNode | null;
  /** ask what a linked view asks; false if it asks nothing that these bases can answer */
  take(target: string, foil: string): boolean;
  draw(): void;
}

/** `logits`: per input and row of the basis; the lists are ordered by their mean. */
export function createFoil(model: Model, logits: Float32Array, classes: number, signal: AbortSignal): Foil {
  const nodes = () => model.get("nodes") as TreeNode[];
  const mean = new Float32Array(classes);
  for (let i = 0; i < logits.length; i++) mean[i % classes] = (mean[i % classes] as number) + ((logits[i] as number) * classes) / logits.length;
  const scores: Scores = { logits: mean, logTotal: Math.log(mean.reduce((sum, v) => sum + Math.exp(v), 0)), sigmoid: false };
  const list = nodes();
  const level = list.map((node) => (node.rows.length ? score(scores, node.rows) : -Infinity));
  const order = [...list.keys()].sort((a, b) => (level[b] as number) - (level[a] as number));
  const index = (side: Side) => Math.max(0, nodes().findIndex((node) => node.name === model.get(side)));
  const set = (values: Partial<Record<Side, string>>) => {
    for (const [side, name] of Object.entries(values)) model.set(side, name);
    model.save_changes();
  };
  const to = (side: Side, down: boolean) => (down ? childOf(nodes(), index(side), scores) : parentOf(nodes(), index(side)));
  const make = (side: Side, label: string) => createPicker({
    label, nodes: list, order,
    detail: (i) => signed(level[i] as number),
    pick: (i) => set({ [side]: (list[i] as TreeNode).name }),
  }, (down) => {
    const next = nodes()[to(side, down)];
    if (next) set({ [side]: next.name });
  }, signal);
  const pickers = { target: make("target", "Target"), foil: make("foil", "Foil") };
  const swap = h("button", { type: "button", class: "salw-swap", "aria-label": "Swap target and foil", title: "Swap target and foil" }, "\u21c4");
  listen(swap, "click", () => set({ target: String(model.get("foil")), foil: String(model.get("target")) }), signal);
  const name = (i: number) => nodes()[i]?.name ?? "";
  const alone = h("input", { type: "checkbox" });
  let last = "";
  listen(alone, "change", () => {
    const target = index("target");
    const other = order.find((i) => i !== target && usable(list, i) && !(list[i] as TreeNode).rows.some((r) => (list[target] as TreeNode).rows.includes(r)));
    set({ foil: alone.checked ? "" : last || name(other ?? target) });
  }, signal);
  return {
    el: h("div", { class: "salw-asks" }, h("div", { class: "salw-pickers" }, pickers.target.el, swap, pickers.foil.el),
      h("label", { class: "salw-tick" }, alone, "no foil: why the target at all?")),
    target: () => nodes()[index("target")] as TreeNode,
    foil: () => (model.get("foil") ? nodes()[index("foil")] as TreeNode : null),
    take(target, foil) {
      const known = [target, foil].every((asked) => !asked || nodes().some((node, i) => node.name === asked && usable(nodes(), i)));
      if (known && (model.get("target") !== target || model.get("foil") !== foil)) set({ target, foil });
      return known;
    },
    draw() {
      const none = !model.get("foil");
      alone.checked = swap.disabled = none;
      pickers.foil.el.classList.toggle("salw-unasked", none);
      if (!none) last = String(model.get("foil"));
      for (const side of ["target", "foil"] as const) {
        pickers[side].draw(index(side), name(to(side, false)), name(to(side, true)), closedAbove(nodes(), index(side)));
      }
    },
  };
}
