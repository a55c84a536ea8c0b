// A document to mount views in: canvases that keep what was put on them, frames that come at once.
import { afterEach, beforeEach, vi } from "vitest";
import type { Model } from "../src/types";
import { render } from "../src/widget";
import { fakeHost } from "./fakes";

class FakeImageData {
  data: Uint8ClampedArray;
  constructor(public width: number, public height: number) {
    this.data = new Uint8ClampedArray(width * height * 4);
  }
}

/** Call it once in a test file. Returns the pixels of a canvas. */
export function fakeScreen(): (canvas: HTMLCanvasElement) => number[] {
  const drawn = new WeakMap<HTMLCanvasElement, number[]>();
  beforeEach(() => {
    vi.stubGlobal("ImageData", FakeImageData);
    vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockImplementation(function (this: HTMLCanvasElement) {
      return { putImageData: (image: ImageData) => drawn.set(this, [...image.data]) } as never;
    });
    vi.stubGlobal("requestAnimationFrame", (callback: () => void) => setTimeout(callback, 0));
    vi.stubGlobal("cancelAnimationFrame", clearTimeout);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    document.body.replaceChildren();
  });
  return (canvas) => drawn.get(canvas) ?? [];
}

export const frame = () => new Promise((done) => setTimeout(done, 5));

export async function show(model: Model, models: Record<string, Model>) {
  const el = document.createElement("div");
  document.body.append(el);
  const abort = new AbortController();
  await render({ model, el, host: fakeHost(models), signal: abort.signal });
  const one = <E extends Element = HTMLElement>(selector: string) => el.querySelector(selector) as E;
  const texts = (selector: string) => [...el.querySelectorAll(selector)].map((found) => found.textContent ?? "");
  const press = (selector: string, key: string, more: KeyboardEventInit = {}) =>
    one(selector).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
  return { el, one, texts, press, abort };
}
