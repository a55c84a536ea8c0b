// A searchable picker (ARIA combobox with a list box) for classes and groups; 1000 classes are fine.
import { h, listen, say, show, uid } from "../dom";
import { search, usable, type TreeNode } from "../questions";

export interface Combobox {
  el: HTMLElement;
  draw(chosen: number): void;
}

export interface Choices {
  label: string;
  nodes: readonly TreeNode[];
  /** node indices in the order in which an empty search lists them */
  order: readonly number[];
  /** a short figure beside the name, its probability for example */
  detail(i: number): string;
  pick(i: number): void;
}

const LISTED = 60;

function option(choices: Choices, i: number, id: string, chosen: boolean): HTMLElement {
  const node = choices.nodes[i] as TreeNode;
  const off = !usable(choices.nodes, i);
  return h("li", { role: "option", id: `${id}-${i}`, "data-node": i, "aria-selected": String(chosen),
    "aria-disabled": off ? "true" : null },
    h("span", { class: "salw-option-name" }, node.name, node.kind === "group" && h("em", {}, ` ${node.rows.length || ""} classes`)),
    h("span", { class: "salw-option-detail" }, off ? node.reason ?? "not in this basis" : choices.detail(i)));
}

/** What the keys and the pointer do; kept apart from the drawing of the list. */
interface ListState {
  found: number[];
  active: number;
  chosen: number;
  open: boolean;
}

function elements(id: string, label: string) {
  const input = h("input", {
    id: `${id}-input`, type: "text", role: "combobox", autocomplete: "off", spellcheck: "false",
    "aria-expanded": "false", "aria-controls": `${id}-list`, "aria-autocomplete": "list",
  });
  const list = h("ul", { id: `${id}-list`, role: "listbox", "aria-label": `${label}: classes and groups`, hidden: true });
  const none = h("p", { class: "salw-none", hidden: true }, "No class or group is called so.");
  const el = h("div", { class: "salw-combobox" },
    h("label", { for: `${id}-input` }, label), h("div", { class: "salw-combobox-box" }, input, list, none));
  return { input, list, none, el };
}

export function createCombobox(choices: Choices, signal: AbortSignal): Combobox {
  const id = uid();
  const { input, list, none, el } = elements(id, choices.label);
  const state: ListState = { found: [], active: -1, chosen: -1, open: false };

  const mark = () => {
    for (const item of list.children) item.classList.toggle("salw-active", item.id === `${id}-${state.active}`);
    if (state.open && state.active >= 0) input.setAttribute("aria-activedescendant", `${id}-${state.active}`);
    else input.removeAttribute("aria-activedescendant");
    const item = list.querySelector(".salw-active");
    item?.scrollIntoView?.({ block: "nearest" });
  };
  const open = (typed: string) => {
    state.open = true;
    state.found = search(choices.nodes, typed, choices.order, LISTED);
    state.active = state.found.find((i) => usable(choices.nodes, i) && (typed !== "" || i === state.chosen)) ?? -1;
    list.replaceChildren(...state.found.map((i) => option(choices, i, id, i === state.chosen)));
    show(list, state.found.length > 0);
    show(none, state.found.length === 0);
    input.setAttribute("aria-expanded", "true");
    mark();
  };
  const close = () => {
    state.open = false;
    show(list, false);
    show(none, false);
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    input.value = choices.nodes[state.chosen]?.name ?? "";
  };
  const pick = (i: number) => {
    if (!usable(choices.nodes, i)) return;
    state.chosen = i;
    close();
    choices.pick(i);
  };
  const step = (by: number) => {
    const can = state.found.filter((i) => usable(choices.nodes, i));
    const at = can.indexOf(state.active);
    state.active = can[(at + by + can.length + (at < 0 && by < 0 ? 1 : 0)) % can.length] ?? -1;
    mark();
  };
  wire(input, list, { state, open, close, pick, step }, signal);
  return {
    el,
    draw(chosen) {
      state.chosen = chosen;
      if (!state.open) input.value = choices.nodes[chosen]?.name ?? "";
    },
  };
}

interface Acts {
  state: ListState;
  open(typed: string): void;
  close(): void;
  pick(i: number): void;
  step(by: number): void;
}

function wire(input: HTMLInputElement, list: HTMLElement, acts: Acts, signal: AbortSignal): void {
  const { state } = acts;
  listen(input, "click", () => {
    input.select();
    if (!state.open) acts.open("");
  }, signal);
  listen(input, "input", () => acts.open(input.value), signal);
  listen(input, "blur", acts.close, signal);
  listen(input, "keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!state.open) acts.open("");
      else acts.step(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter" && state.open) acts.pick(state.active);
    else if (event.key === "Escape" && state.open) acts.close();
    else {
      event.stopPropagation(); // letters are for the search, not for the view's own keys
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }, signal);
  // Before the blur, which would close the list under the pointer.
  listen(list, "pointerdown", (event) => {
    event.preventDefault();
    const item = (event.target as Element).closest<HTMLElement>("[data-node]");
    if (item) acts.pick(Number(item.dataset["node"]));
  }, signal);
}

/** The whole row of one side: walk up, pick, walk down. */
export interface Picker {
  el: HTMLElement;
  draw(chosen: number, up: string, down: string, closed: string): void;
}

export function createPicker(choices: Choices, walk: (down: boolean) => void, signal: AbortSignal): Picker {
  const box = createCombobox(choices, signal);
  const buttons = [false, true].map((down) => {
    const name = h("span");
    const el = h("button", { type: "button", class: "salw-walk" }, h("span", { "aria-hidden": "true" }, down ? "\u2193" : "\u2191"), name);
    listen(el, "click", () => walk(down), signal);
    return { el, name, down };
  });
  const reason = h("p", { class: "salw-reason" });
  return {
    el: h("div", { class: "salw-picker", role: "group", "aria-label": choices.label }, box.el,
      h("div", { class: "salw-walks" }, ...buttons.map((b) => b.el), reason)),
    draw(chosen, up, down, closed) {
      say(reason, closed);
      box.draw(chosen);
      for (const b of buttons) {
        const to = b.down ? down : up;
        say(b.name, to || (b.down ? "no class below" : "no group above"));
        b.el.disabled = !to;
        const way = b.down ? "down to its most probable child" : "up to its group";
        b.el.setAttribute("aria-label", to ? `${choices.label} ${way}: ${to}` : `${choices.label}: ${b.down ? "no class below" : "no group above"}`);
        b.el.title = to;
      }
    },
  };
}
