// Many small pictures in a row, one of them chosen: arrows move, Home and End jump.
import type { Atlas } from "../atlas";
import { h, listen } from "../dom";

export interface Strip {
  el: HTMLElement;
  draw(chosen: number, off: boolean): void;
}

/** Where a key leads to from picture `at` of `n`; null for other keys. */
export function stepTo(key: string, at: number, n: number): number | null {
  if (key === "ArrowRight" || key === "ArrowDown") return Math.min(n - 1, at + 1);
  if (key === "ArrowLeft" || key === "ArrowUp") return Math.max(0, at - 1);
  if (key === "Home") return 0;
  return key === "End" ? n - 1 : null;
}

export function createStrip(atlas: Atlas, labels: readonly string[], pick: (i: number) => void, signal: AbortSignal): Strip {
  const items = labels.map((label, i) => {
    const canvas = atlas.canvas();
    atlas.draw(canvas, i);
    return h("button", { type: "button", role: "radio", "aria-checked": "false", tabindex: -1, title: label, "data-i": i }, canvas,
      h("span", {}, label));
  });
  const el = h("div", { class: "salw-strip", role: "radiogroup", "aria-label": "Picture" }, ...items);
  let off = false;
  let chosen = 0;
  listen(el, "click", (event) => {
    const item = (event.target as Element).closest<HTMLElement>("[data-i]");
    if (item && !off) pick(Number(item.dataset["i"]));
  }, signal);
  listen(el, "keydown", (event) => {
    const to = stepTo(event.key, chosen, items.length);
    if (to === null || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (to === chosen || off) return;
    pick(to);
    items[to]?.focus();
  }, signal);
  return {
    el,
    draw(next, closed) {
      [chosen, off] = [next, closed];
      items.forEach((item, i) => {
        item.setAttribute("aria-checked", String(i === next));
        item.tabIndex = i === next ? 0 : -1;
        item.toggleAttribute("aria-disabled", false);
        if (closed && i !== next) item.setAttribute("aria-disabled", "true");
      });
      const item = items[next];
      if (item) el.scrollLeft = Math.max(0, Math.min(item.offsetLeft - el.offsetLeft, Math.max(el.scrollLeft, item.offsetLeft - el.offsetLeft + item.offsetWidth - el.clientWidth)));
    },
  };
}
