// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createHost, start } from "../src/host";
import type { Selection } from "../src/types";
import { render } from "../src/widget";
import { contrastState, fakeHost, fakeLink, fakeModel, heatmapState, links, type FakeModel } from "./fakes";

/** The canvas of the test document cannot draw; what was put on it is kept. */
const drawn = new WeakMap<HTMLCanvasElement, ImageData>();

class FakeImageData {
  data: Uint8ClampedArray;
  constructor(public width: number, public height: number) {
    this.data = new Uint8ClampedArray(width * height * 4);
  }
}

beforeEach(() => {
  vi.stubGlobal("ImageData", FakeImageData);
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockImplementation(function (this: HTMLCanvasElement) {
    return { putImageData: (image: ImageData) => drawn.set(this, image) } as never;
  });
  vi.stubGlobal("requestAnimationFrame", (callback: () => void) => setTimeout(callback, 0));
  vi.stubGlobal("cancelAnimationFrame", clearTimeout);
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  document.body.replaceChildren();
});

const frame = () => new Promise((done) => setTimeout(done, 5));

async function show(model: FakeModel, models: Record<string, FakeModel>) {
  const el = document.createElement("div");
  document.body.append(el);
  const abort = new AbortController();
  await render({ model, el, host: fakeHost(models), signal: abort.signal });
  const one = <E extends Element = HTMLElement>(selector: string) => el.querySelector(selector) as E;
  const press = (selector: string, key: string, more: KeyboardEventInit = {}) =>
    one(selector).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
  return { el, one, press, abort };
}

describe("heatmap", () => {
  it("shows the question, the facts and the notices as text, never as HTML", async () => {
    const { el, one } = await show(fakeModel(heatmapState()), { a: fakeLink() });
    expect(one(".salw-head").textContent).toBe("Why \u201chusky\u201d?");
    expect(one(".salw-facts dd").textContent).toBe("+8.31 logits");
    expect(one(".salw-notices").textContent).toBe("<img src=x onerror=alert(1)>");
    expect(el.querySelector("img")).toBeNull();
  });

  it("moves the cursor, draws a region and clears it with keys", async () => {
    const link = fakeLink();
    const { one, press } = await show(fakeModel(heatmapState()), { a: link });
    press(".salw-stage", "ArrowRight");
    press(".salw-stage", "ArrowRight"); // faster than a frame
    await frame();
    expect(link.state["cursor"]).toEqual({ row: 1, col: 5, pinned: false });
    expect(one(".salw-readout dd").textContent).toContain("row 1, column 3");
    press(".salw-stage", "ArrowDown", { shiftKey: true });
    await frame();
    expect((link.state["selection"] as Selection).box).toEqual([0, 4, 4, 6]);
    expect(one(".salw-live").textContent).toContain("Region:");
    press(".salw-stage", "z");
    expect(link.state["view"]).toEqual([0, 4, 4, 6]);
    press(".salw-stage", "+");
    expect(link.state["threshold"]).toBe(0.05);
    press(".salw-stage", "Enter");
    expect(link.state["cursor"]).toMatchObject({ pinned: true });
    press(".salw-stage", "Escape");
    expect([link.state["selection"], link.state["cursor"]]).toEqual([null, null]);
  });

  it("keeps plain keys from the notebook but lets it save and run", async () => {
    const { one } = await show(fakeModel(heatmapState()), { a: fakeLink() });
    const outside = vi.fn();
    document.body.addEventListener("keydown", outside);
    const send = (init: KeyboardEventInit) => one(".salw-stage").dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, ...init }));
    send({ key: "d" });
    expect(outside).toHaveBeenCalledTimes(0);
    send({ key: "s", ctrlKey: true });
    send({ key: "Enter", shiftKey: true, ctrlKey: true });
    expect(outside).toHaveBeenCalledTimes(2);
    document.body.removeEventListener("keydown", outside);
  });

  it("changes the limits by rule and says so", async () => {
    const link = fakeLink();
    const { one } = await show(fakeModel(heatmapState()), { a: link });
    const menu = one<HTMLSelectElement>("select");
    menu.value = "pixels:99";
    menu.dispatchEvent(new Event("change"));
    await frame();
    expect(link.state["scale"]).toMatchObject({ vmin: -1.5, vmax: 1.5, clip: "pixels:99" });
    expect(one(".salw-colorbar .salw-note").textContent).toBe("Limits hold 99\u202f% of cells, 33\u202f% of cells beyond them.");
  });

  it("follows links that are made after it is displayed, and leaves nothing behind", async () => {
    const [a, b] = [fakeLink(), fakeLink()];
    const model = fakeModel(heatmapState());
    const { one, abort } = await show(model, { a, b });
    model.set("links", links("b", { scale: "a" }));
    await frame();
    b.set("cursor", { row: 3, col: 1 });
    await frame();
    expect(one(".salw-readout dd").textContent).toContain("row 2, column 1");
    a.set("cursor", { row: 1, col: 1 });
    await frame();
    expect(one(".salw-readout dd").textContent).toContain("row 2, column 1");
    abort.abort();
    expect([model.listeners(), a.listeners(), b.listeners()]).toEqual([0, 0, 0]);
  });

  it("says in words when it cannot be drawn", async () => {
    const { one } = await show(fakeModel(heatmapState({ map: { view: new ArrayBuffer(4), dtype: "float32", shape: [2, 3] } })), { a: fakeLink() });
    expect(one("[role=alert]").textContent).toContain("needs 24 bytes, got 4");
  });
});

describe("contrast", () => {
  const pixels = (canvas: HTMLCanvasElement) => [...(drawn.get(canvas) as ImageData).data].join();

  it("answers a new foil, a walk and the slider from the basis, and tells Python", async () => {
    const model = fakeModel(contrastState());
    const { el, one, press } = await show(model, { a: fakeLink() });
    const maps = [...el.querySelectorAll<HTMLCanvasElement>(".salw-map")];
    const before = maps.map(pixels);
    press(".salw-stage", "u");
    await frame();
    expect(model.state["target"]).toBe("dog");
    expect(one(".salw-head").textContent).toBe("Why \u201cdog\u201d rather than \u201cwolf\u201d?");
    expect(pixels(maps[0] as HTMLCanvasElement)).not.toBe(before[0]);
    const slider = one<HTMLInputElement>(".salw-mixer input");
    slider.value = "1";
    slider.dispatchEvent(new Event("input"));
    await frame();
    expect(model.state["mix"]).toBe(1);
    expect(el.querySelectorAll(".salw-panel-title")[1]?.textContent).toBe("Why not \u201cwolf\u201d?");
    expect(model.saves).toBe(2);
  });

  it("has a kind word when target and foil are the same", async () => {
    const model = fakeModel(contrastState());
    const { one } = await show(model, { a: fakeLink() });
    model.set("foil", "husky");
    await frame();
    expect(one(".salw-message").textContent).toContain("choose another foil");
    expect(one<HTMLInputElement>(".salw-mixer input").disabled).toBe(true);
  });

  it("picks by typing, and refuses a group that is not wholly there", async () => {
    const model = fakeModel(contrastState());
    const { el, one, press } = await show(model, { a: fakeLink() });
    const foil = el.querySelectorAll<HTMLInputElement>("[role=combobox]")[1] as HTMLInputElement;
    foil.value = "wild";
    foil.dispatchEvent(new Event("input"));
    const option = one(".salw-picker:last-child [role=option]");
    expect(option.getAttribute("aria-disabled")).toBe("true");
    expect(option.textContent).toContain("not in this basis");
    foil.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
    expect(model.state["foil"]).toBe("wolf");
    foil.value = "beag";
    foil.dispatchEvent(new Event("input"));
    foil.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
    expect(model.state["foil"]).toBe("beagle");
    press(".salw-stage", "x");
    expect([model.state["target"], model.state["foil"]]).toEqual(["beagle", "husky"]);
  });

  it("shares one scale, and says so when it does not", async () => {
    const { el, one } = await show(fakeModel(contrastState()), { a: fakeLink() });
    const badge = one(".salw-badge");
    expect(badge.hasAttribute("hidden")).toBe(true);
    const own = [...el.querySelectorAll<HTMLInputElement>("input[type=checkbox]")].at(-1) as HTMLInputElement;
    own.checked = true;
    own.dispatchEvent(new Event("change"));
    await frame();
    expect(badge.hasAttribute("hidden")).toBe(false);
    expect(one(".salw-lines .salw-note").textContent).toContain("Own scale");
  });

  it("leaves nothing behind", async () => {
    const [model, link] = [fakeModel(contrastState()), fakeLink()];
    const { abort } = await show(model, { a: link });
    abort.abort();
    expect([model.listeners(), link.listeners()]).toEqual([0, 0]);
  });
});

describe("an exported page", () => {
  it("puts buffers back into the state and draws every view", async () => {
    const floats = new Uint8Array(new Float32Array([1, -1, 0, 2, 0.5, -2]).buffer);
    const state = heatmapState({ map: { dtype: "float32", shape: [2, 3] }, picture: { dtype: "uint8", shape: [4, 6, 3] }, links: links("anywidget:l") });
    const stored = {
      h: { state, buffers: [[["map", "view"], btoa(String.fromCharCode(...floats))], [["picture", "view"], btoa("x".repeat(72))]] },
      l: { state: fakeLink().state, buffers: [] },
    };
    const script = document.createElement("script");
    script.type = "application/json";
    script.id = "salw-state";
    script.textContent = JSON.stringify(stored);
    const place = document.createElement("div");
    place.dataset["salwModel"] = "h";
    document.body.append(place, script);
    start(document);
    await frame();
    expect(place.querySelector(".salw-head")?.textContent).toContain("husky");
    expect(place.querySelectorAll("canvas").length).toBe(4);
  });
  it("names a model that is missing", async () => {
    await expect(createHost({}).getModel("anywidget:x")).rejects.toThrow("holds no model x");
  });
});
