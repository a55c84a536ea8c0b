// The tiny host of an exported page: models from JSON, no kernel, no network. It runs the same views as a notebook.
import type { Host, Model } from "./types";
import { render } from "./widget";

interface Stored {
  state: Record<string, unknown>;
  /** [path inside the state, base64] */
  buffers: [string[], string][];
}

export function bytes(base64: string): DataView {
  const native = (Uint8Array as unknown as { fromBase64?(text: string): Uint8Array }).fromBase64;
  if (native) {
    const found = native.call(Uint8Array, base64); // new browsers; ten times as fast
    return new DataView(found.buffer, found.byteOffset, found.byteLength);
  }
  const text = atob(base64);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return new DataView(out.buffer);
}

export function createModel({ state, buffers }: Stored): Model {
  for (const [path, base64] of buffers) {
    const last = path[path.length - 1] as string;
    const owner = path.slice(0, -1).reduce((o, key) => o[key] as Record<string, unknown>, state);
    owner[last] = bytes(base64);
  }
  const listeners = new Map<string, Set<() => void>>();
  return {
    get: (name) => state[name],
    set(name, value) {
      if (Object.is(state[name], value)) return;
      state[name] = value;
      [...(listeners.get(`change:${name}`) ?? [])].forEach((callback) => callback());
    },
    save_changes() {}, // nobody to save to: the page is the whole world
    on: (event, callback) => void listeners.set(event, (listeners.get(event) ?? new Set()).add(callback)),
    off: (event, callback) => void listeners.get(event)?.delete(callback),
  };
}

export function createHost(stored: Readonly<Record<string, Stored>>): Host & { model(id: string): Model } {
  const models = new Map(Object.entries(stored).map(([id, s]) => [id, createModel(s)]));
  const model = (id: string): Model => {
    const found = models.get(id);
    if (!found) throw new Error(`the page holds no model ${id}`);
    return found;
  };
  return { model, getModel: async (ref) => model(ref.replace(/^anywidget:/, "")) };
}

export function start(page: Document): void {
  const text = page.getElementById("salw-state")?.textContent;
  if (!text) return;
  const host = createHost(JSON.parse(text) as Record<string, Stored>);
  for (const el of page.querySelectorAll<HTMLElement>("[data-salw-model]")) {
    const model = host.model(el.dataset["salwModel"] as string);
    void render({ model, el, host, signal: new AbortController().signal });
  }
}

if (typeof document !== "undefined") start(document);
