// The question as a sentence with two holes: each opens a searchable list of classes and groups. The foil may be empty.
import type { ClassNodes } from "../classnodes";
import { h, listen, show } from "../dom";
import { percent } from "../format";
import type { TreeNode } from "../questions";
import { createCombobox } from "./combobox";

export interface AskBar {
  el: HTMLElement;
  /** the classes of another picture: same names, other probabilities */
  setNodes(nodes: ClassNodes): void;
  draw(target: string, foil: string): void;
}

/** Nodes as the lists take them; the sizes are what is known of a group, not its members. */
export function treeNodes(nodes: ClassNodes): TreeNode[] {
  return Array.from({ length: nodes.count }, (_, i) => ({
    name: nodes.name(i), kind: i < nodes.classes ? "class" as const : "group" as const,
    rows: new Array<number>(Math.max(1, nodes.sizes[i] as number)), parents: [], children: [],
  }));
}

export function createAskBar(ask: (target: string, foil: string) => void, signal: AbortSignal): AskBar {
  let nodes: ClassNodes | null = null;
  let list: TreeNode[] = [];
  let order: number[] = [];
  let now = { target: "", foil: "" };
  const side = (label: string, pick: (name: string) => void) => createCombobox({
    label,
    get nodes() {
      return list;
    },
    get order() {
      return order;
    },
    detail: (i) => (nodes ? percent(nodes.probability[i] as number) : ""),
    pick: (i) => pick((list[i] as TreeNode).name),
  }, signal);
  const target = side("Why", (name) => ask(name, name === now.foil ? "" : now.foil));
  const foil = side("rather than", (name) => ask(now.target, name === now.target ? "" : name));
  const swap = h("button", { type: "button", "aria-label": "Swap target and foil", title: "Swap target and foil" }, "\u21c4");
  const drop = h("button", { type: "button", "aria-label": "No foil", title: "No foil" }, "\u00d7");
  listen(swap, "click", () => ask(now.foil, now.target), signal);
  listen(drop, "click", () => ask(now.target, ""), signal);
  const find = (name: string) => (name && nodes ? nodes.find(name) : -1);
  return {
    el: h("div", { class: "salw-askbar", role: "group", "aria-label": "Question" }, target.el, foil.el, h("span", { class: "salw-row" }, swap, drop)),
    setNodes(next) {
      nodes = next;
      list = treeNodes(next);
      order = [...list.keys()].sort((a, b) => (next.probability[b] as number) - (next.probability[a] as number));
    },
    draw(a, b) {
      now = { target: a, foil: b };
      target.draw(find(a));
      foil.draw(find(b));
      swap.disabled = drop.disabled = !b;
      show(drop, true);
    },
  };
}
