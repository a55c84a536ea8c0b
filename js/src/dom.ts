// Elements without a framework. Text only ever enters as text: no data is parsed as HTML.
import type { Model } from "./types";

type Child = Node | string | null | undefined | false;
type Props = Record<string, string | number | boolean | null | undefined>;

function fill<E extends Element>(el: E, props: Props, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    el.setAttribute(name, value === true ? "" : String(value));
  }
  el.append(...children.filter((c): c is Node | string => c !== null && c !== undefined && c !== false));
  return el;
}

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]):
  HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), props, children);
}

export function svg<K extends keyof SVGElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]):
  SVGElementTagNameMap[K] {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

/** Listen until the view goes away. */
export function listen<K extends keyof HTMLElementEventMap>(
  el: HTMLElement, type: K, callback: (event: HTMLElementEventMap[K]) => void, signal: AbortSignal,
  options: AddEventListenerOptions = {},
): void {
  el.addEventListener(type, callback as EventListener, { ...options, signal });
}

/** Set text only when it differs, so that live regions do not repeat themselves. */
export function say(el: Element, text: string): void {
  if (el.textContent !== text) el.textContent = text;
}

export function show(el: Element, visible: boolean): void {
  el.toggleAttribute("hidden", !visible);
}

/** An id for aria references; views are mounted in one document, several times. */
export function uid(): string {
  return `salw-${Math.random().toString(36).slice(2, 10)}`;
}

/** The outermost element of a widget. Plain keys end here: "d, d" in a view must not delete the notebook's cell. */
export function root(kind: string, signal: AbortSignal, ...children: Child[]): HTMLElement {
  const el = h("section", { class: `salw-root salw-${kind}` }, ...children);
  listen(el, "keydown", (event) => {
    const runs = event.shiftKey && event.key === "Enter";
    if (!event.ctrlKey && !event.metaKey && !event.altKey && !runs) event.stopPropagation();
  }, signal);
  return el;
}

/** Run `draw` once before the next frame, however often it is asked for. */
export function onFrame(draw: () => void, signal: AbortSignal): () => void {
  let asked = 0;
  signal.addEventListener("abort", () => cancelAnimationFrame(asked));
  return () => {
    if (asked || signal.aborted) return;
    asked = requestAnimationFrame(() => {
      asked = 0;
      draw();
    });
  };
}

/** Call back on changes of a model's traits until the view goes away. */
export function follow(model: Model, callbacks: Record<string, () => void>, signal: AbortSignal): void {
  for (const [name, callback] of Object.entries(callbacks)) model.on(`change:${name}`, callback);
  signal.addEventListener("abort", () => {
    for (const [name, callback] of Object.entries(callbacks)) model.off(`change:${name}`, callback);
  });
}

