// A search box over very many names: a combobox whose list is made while typing.
import { h, listen, say, show, uid } from "../dom";

export interface Finder {
  el: HTMLElement;
  focus(): void;
}

export interface Found {
  nodes: number[];
  total: number;
}

export interface FinderEvents {
  search(typed: string): Found;
  name(node: number): string;
  detail(node: number): string;
  /** a name was chosen; `foil` with Shift */
  pick(node: number, foil: boolean): void;
}

export function createFinder(label: string, events: FinderEvents, signal: AbortSignal): Finder {
  const id = uid();
  const input = h("input", { id: `${id}-input`, type: "text", role: "combobox", autocomplete: "off", spellcheck: "false",
    "aria-expanded": "false", "aria-controls": `${id}-list`, "aria-autocomplete": "list", placeholder: "name of a class or group" });
  const list = h("ul", { id: `${id}-list`, role: "listbox", "aria-label": "Classes and groups found", hidden: true });
  const note = h("p", { class: "salw-none", role: "status", hidden: true });
  const el = h("div", { class: "salw-combobox salw-finder" }, h("label", { for: `${id}-input` }, label),
    h("div", { class: "salw-combobox-box" }, input, list, note));
  let found: Found = { nodes: [], total: 0 };
  let active = 0;

  const mark = () => {
    [...list.children].forEach((item, i) => {
      item.classList.toggle("salw-active", i === active);
      item.setAttribute("aria-selected", String(i === active));
    });
    const item = list.children[active];
    if (item) input.setAttribute("aria-activedescendant", item.id);
    else input.removeAttribute("aria-activedescendant");
    item?.scrollIntoView?.({ block: "nearest" });
  };
  const close = () => {
    show(list, false);
    show(note, false);
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const open = () => {
    if (!input.value.trim()) return close();
    found = events.search(input.value);
    active = 0;
    list.replaceChildren(...found.nodes.map((node, i) => h("li", { role: "option", id: `${id}-${i}`, "data-place": i },
      h("span", { class: "salw-option-name" }, events.name(node)),
      h("span", { class: "salw-option-detail" }, events.detail(node)))));
    show(list, found.nodes.length > 0);
    show(note, found.nodes.length === 0);
    say(note, found.nodes.length ? "" : "No class or group is called so.");
    input.setAttribute("aria-expanded", String(found.nodes.length > 0));
    mark();
  };
  const pick = (place: number, foil: boolean) => {
    const node = found.nodes[place];
    if (node === undefined || list.hasAttribute("hidden")) return;
    input.value = "";
    close();
    events.pick(node, foil);
  };
  listen(input, "input", open, signal);
  listen(input, "blur", close, signal);
  listen(input, "keydown", (event) => {
    event.stopPropagation(); // letters are for the search, and Shift + Enter is for the foil, not for the notebook
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const n = found.nodes.length;
      active = n ? (active + (event.key === "ArrowDown" ? 1 : n - 1)) % n : 0;
      mark();
    } else if (event.key === "Enter") pick(active, event.shiftKey);
    else if (event.key === "Escape") {
      input.value = "";
      close();
    } else return;
    event.preventDefault();
  }, signal);
  listen(list, "pointerdown", (event) => {
    event.preventDefault();
    const item = (event.target as Element).closest<HTMLElement>("[data-place]");
    if (item) pick(Number(item.dataset["place"]), event.shiftKey);
  }, signal);
  return { el, focus: () => input.focus() };
}
