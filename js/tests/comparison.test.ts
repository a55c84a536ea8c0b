// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { differences, order, subtract, type PanelState } from "../src/arrange";
import { paint, pixelTable } from "../src/colormap";
import { shareOf } from "../src/geometry";
import { index, lookup, paintIndexed } from "../src/indexed";
import { refitMany } from "../src/limits";
import { outside, refit } from "../src/scale";
import { connect } from "../src/shared";
import { createSlices } from "../src/slices";
import { shareInside, totalsOf } from "../src/sums";
import { floats, halves } from "../src/unpack";
import type { Box, Selection } from "../src/types";
import { panned, seen, zoomed } from "../src/viewport";
import { render } from "../src/widget";
import { SCALE, fakeHost, fakeLink, fakeModel, links, packed, type FakeModel } from "./fakes";

const drawn = new WeakMap<HTMLCanvasElement, Uint8ClampedArray>();

class FakeImageData {
  data: Uint8ClampedArray;
  constructor(public width: number, public height: number) {
    this.data = new Uint8ClampedArray(width * height * 4);
  }
}

beforeEach(() => {
  vi.stubGlobal("ImageData", FakeImageData);
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockImplementation(function (this: HTMLCanvasElement) {
    return { putImageData: (image: ImageData) => drawn.set(this, image.data.slice()) } as never;
  });
  vi.stubGlobal("requestAnimationFrame", (callback: () => void) => setTimeout(callback, 0));
  vi.stubGlobal("cancelAnimationFrame", clearTimeout);
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  document.body.replaceChildren();
});

let seed = 1;
const random = () => ((seed = (seed * 16807) % 2147483647) / 2147483647) * 2 - 1;
const noise = (n: number) => Float32Array.from({ length: n }, () => random() ** 3);
const frame = (ms = 20) => new Promise((done) => setTimeout(done, ms));

const panel = (row: number, column: number, more: Partial<PanelState> = {}): PanelState => ({
  row, column, map: [(row * 2 + column) * 6, 2, 3], picture: row, scores: [row], score: `+${row}.00 logits`, question: "Why \u201chusky\u201d?",
  caption: "grad-cam", notices: [], blind: false, ...more,
});
const VALUES = [1, -1, 0, 2, 0.5, -2, 2, 1, 0, -1, -2, 1, 3, 0, 0, 0, 0, 0, NaN, 1, 1, 1, 1, 1];

function state(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    _view: "comparison", source: "k", links: links("a"), own_scale: false, title: "4 maps by inputs and methods", size: [4, 6],
    maps: packed(VALUES, [24]), pictures: { view: new Uint8Array(4 * 6 * 3 * 2).fill(99), dtype: "uint8", shape: [144] },
    sheets: [[4, 6], [4, 6]], panels: [panel(0, 0), panel(0, 1), panel(1, 0), panel(1, 1)], rows: ["Input 1", "Input <b>2</b>"],
    columns: ["grad-cam", "lrp"], score_names: ["score"], notices: ["<img src=x onerror=alert(1)>"], nodes: [], logits: {}, classes: 0,
    stored: "", reference: "", sort: "", sort_column: -1, descending: true, each: false, active: 0, target: "", foil: "", ...more,
  };
}

async function show(model: FakeModel, link: FakeModel) {
  const el = document.createElement("div");
  document.body.append(el);
  const abort = new AbortController();
  await render({ model, el, host: fakeHost({ a: link }), signal: abort.signal });
  await frame();
  const stages = () => [...el.querySelectorAll<HTMLElement>(".salw-tile-stage")];
  const press = (stage: number, key: string, more: KeyboardEventInit = {}) =>
    (stages()[stage] as HTMLElement).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
  const pixels = () => [...el.querySelectorAll<HTMLCanvasElement>(".salw-map")].map((c) => [...(drawn.get(c) as Uint8ClampedArray)].join());
  const text = (selector: string) => [...el.querySelectorAll(selector)].map((e) => e.textContent);
  return { el, press, stages, pixels, text, abort };
}

describe("painting through kept colours", () => {
  it.each([0, 0.1, 0.37, 0.5, 0.999, 1])("equals paint() at threshold %s", (threshold) => {
    for (const [vmin, vmax, cmap] of [[-1, 1, "RdBu_r"], [0, 1, "viridis"], [-0.3, 0.7, "coolwarm"]] as const) {
      const values = Float32Array.from([...noise(3000), NaN, Infinity, -Infinity, 0, -0, vmin, vmax, threshold, -threshold]);
      const how = { vmin, vmax, threshold, table: pixelTable(cmap, true) };
      const [want, got] = [new Uint32Array(values.length), new Uint32Array(values.length)];
      const colours = new Uint16Array(values.length);
      const counts = index(values, vmin, vmax, colours);
      paint(values, how, want);
      paintIndexed(values, colours, lookup(how), got);
      expect(got).toEqual(want);
      const said = outside(values, vmin, vmax);
      expect([counts.clipped / (values.length - 1), counts.missing, counts.infinite]).toEqual([said.clipped, said.missing, said.infinite]);
    }
  });
});

describe("limits of many maps", () => {
  it("equal those found by sorting", () => {
    const maps = [noise(70_000), noise(60_000), new Float32Array([NaN, Infinity, 0])];
    const scale = { ...SCALE, clip: "pixels:99", table: { "mass:50": 1 } };
    const [want, got] = [refit(scale, maps), refitMany(scale, maps)];
    for (const [rule, limit] of Object.entries(want.table)) expect(got.table[rule], rule).toBeCloseTo(limit, rule.startsWith("mass") ? 6 : 12);
    expect([got.vmin, got.vmax, got.signed]).toEqual([want.vmin, want.vmax, true]);
  });
  it("hold for maps of zeros and one-sided maps", () => {
    const zeros = refitMany(SCALE, [new Float32Array(120_000)]);
    expect([zeros.vmin, zeros.vmax]).toEqual([-1, 1]);
    const up = refitMany({ ...SCALE, cmap: "viridis" }, [noise(120_000).map(Math.abs)]);
    expect([up.vmin, up.signed]).toEqual([0, false]);
  });
});

describe("totals and viewports", () => {
  it("share of a brush as over all cells", () => {
    const grid = { data: Float32Array.from([...noise(58), NaN, Infinity]), rows: 6, cols: 10 };
    const image = { rows: 60, cols: 110 };
    for (const box of [[0, 0, 60, 110], [7, 3, 33, 71.5], [10, 11, 20, 22], [59, 109, 60, 110]] as Box[]) {
      const [want, got] = [shareOf(grid, image, box), shareInside(grid, totalsOf(grid), image, box)];
      for (const key of ["positive", "negative", "absolute", "sum"] as const) expect(got[key]).toBeCloseTo(want[key] as number, 9);
    }
  });
  it("zooms about a point, keeps proportions and stays inside", () => {
    const image = { rows: 60, cols: 100 };
    const view = zoomed(null, image, 2, { row: 15, col: 80 }) as Box;
    expect(view).toEqual([7.5, 40, 37.5, 90]);
    expect(panned(view, image, -100, 100)).toEqual([0, 50, 30, 100]);
    expect(zoomed(view, image, 0.5, { row: 15, col: 80 })).toBeNull();
    expect(seen([0, 0, 10, 50], image)).toEqual([0, 0, 30, 50]);
    expect(seen(null, image)).toEqual([0, 0, 60, 100]);
  });
});

describe("arrays of a page", () => {
  it("knows half precision numbers", () => {
    const table = halves();
    expect([table[0x3c00], table[0xc000], table[0x7bff], table[1], table[0x7c00]]).toEqual([1, -2, 65504, 2 ** -24, Infinity]);
    expect([table[0x7e00], table[0x8000]].map((v) => Object.is(v, -0) || Number.isNaN(v))).toEqual([true, true]);
  });
  it("passes float32 through", async () => {
    expect([...await floats(packed([1.5, -2], [2]))]).toEqual([1.5, -2]);
  });
});

describe("slices", () => {
  it("do what can be seen first, and starve nobody while new wishes come", async () => {
    const ran: number[] = [];
    let done = 0;
    const slices = createSlices({ count: 6, visible: (i) => i > 3, done: () => (done += 1), run: (i) => {
      ran.push(i);
      const end = performance.now() + 3;
      while (performance.now() < end);
    } }, new AbortController().signal, 2); // the budget holds one panel
    slices.ask(1);
    await frame(60);
    expect(ran).toEqual([4, 5, 0, 1, 2, 3]); // the first drawing has a longer budget
    ran.length = 0;
    for (let n = 0; n < 6; n++) {
      slices.ask(1);
      await frame(1);
    }
    await frame(80);
    expect(ran.slice(0, 2).sort()).toEqual([4, 5]);
    expect(new Set(ran).size).toBe(6);
    expect(done).toBe(2);
  });
});

describe("order and differences", () => {
  const panels = [panel(0, 0, { scores: [3] }), panel(0, 1, { scores: [1] }), panel(1, 0, { scores: [null] }), panel(1, 1, { scores: [9] }),
    panel(2, 0, { scores: [null] })];
  it("sorts rows by a score, unknown ones last", () => {
    const how = { by: 0, column: -1, descending: true };
    expect(order(panels, 3, 2, { ...how, by: -1 })).toEqual([0, 1, 2]);
    expect(order(panels, 3, 2, how)).toEqual([1, 0, 2]);
    expect(order(panels, 3, 2, { ...how, descending: false })).toEqual([0, 1, 2]);
    expect(order(panels, 3, 2, { ...how, column: 0 })).toEqual([0, 1, 2]);
    expect(order([panel(0, 0), panel(0, 1, { scores: [5] })], 1, 2, how)).toEqual([1, 0]);
  });
  it("subtracts within a row, never what is class-blind or of another grid", () => {
    const some = [panel(0, 0), panel(0, 1), panel(1, 0), panel(1, 1, { blind: true }), panel(2, 0), panel(2, 1, { map: [0, 7, 7] }), panel(3, 1)];
    expect(differences(some, 0).map((d) => d.other)).toEqual([-1, 0, -1, -1, -1, -1, -1]);
    expect(differences(some, 0).map((d) => d.said).slice(3)).toEqual(["no difference: class-blind", "the reference",
      "no difference: other resolution", "no difference: the reference has no map here"]);
    const grid = (v: number[]) => ({ data: new Float32Array(v), rows: 1, cols: 2 });
    expect([...subtract(grid([3, 1]), grid([1, 5])).data]).toEqual([2, -4]);
  });
});

describe("comparison", () => {
  it("shows names, scores and notices as text", async () => {
    const { el, text } = await show(fakeModel(state()), fakeLink());
    expect(text(".salw-head")).toEqual(["4 maps by inputs and methods"]);
    expect(text(".salw-row-head")).toEqual(["Input 1", "Input <b>2</b>"]);
    expect(text(".salw-tile-scores")).toEqual(["Score +0.00 logits", "Score +0.00 logits", "Score +1.00 logits", "Score +1.00 logits"]);
    expect(el.querySelector("b, img")).toBeNull();
    expect(el.querySelector(".salw-tile-stage")?.getAttribute("aria-label")).toContain("Input 1, grad-cam. Score +0.00 logits");
  });

  it("moves the cursor in all maps, walks between them and tells Python which was touched", async () => {
    const [model, link] = [fakeModel(state()), fakeLink()];
    const { press, stages, text } = await show(model, link);
    press(0, "Home");
    await frame();
    expect(text(".salw-tile-at")).toEqual(["+1.00", "+2.00", "+3.00", "not a number"]);
    stages()[0]?.focus();
    press(0, "n");
    expect(document.activeElement).toBe(stages()[1]);
    press(1, "j");
    expect(document.activeElement).toBe(stages()[3]);
    expect(model.state["active"]).toBe(3);
    expect(stages().map((s) => s.tabIndex)).toEqual([-1, -1, -1, 0]);
    press(3, "ArrowRight", { shiftKey: true });
    await frame();
    expect((link.state["selection"] as Selection).box).toEqual([0, 0, 2, 4]);
    expect(text(".salw-tile-at")[0]).toContain("in region");
  });

  it("zooms and pans by keys", async () => {
    const link = fakeLink();
    const { press } = await show(fakeModel(state()), link);
    press(0, "i");
    expect((link.state["view"] as Box).map((v) => Math.round(v * 10) / 10)).toEqual([0.7, 1, 3.3, 5]);
    press(0, "ArrowRight", { ctrlKey: true });
    expect((link.state["view"] as Box)[1]).toBeCloseTo(1.8);
    press(0, "o");
    expect(link.state["view"]).toBeNull();
  });

  it("shows differences to a column and fits the scale on them", async () => {
    const [model, link] = [fakeModel(state()), fakeLink()];
    const { pixels, text } = await show(model, link);
    const before = pixels();
    model.set("reference", "grad-cam");
    await frame();
    const after = pixels();
    expect(text(".salw-tile-note")).toEqual(["the reference", "difference", "the reference", "difference"]);
    expect(after[1]).not.toBe(before[1]);
    expect((link.state["scale"] as typeof SCALE).table["max"]).toBe(3); // 3 of the reference; the largest difference is 3 as well
    expect(text(".salw-message")[0]).toContain("grad-cam");
  });

  it("sorts, and says when each map has its own scale", async () => {
    const model = fakeModel(state());
    const { el, text } = await show(model, fakeLink());
    model.set("sort", "score");
    expect(text(".salw-row-head")).toEqual(["Input <b>2</b>", "Input 1"]);
    expect(el.querySelectorAll(".salw-badge")[0]?.hasAttribute("hidden")).toBe(true);
    model.set("each", true);
    await frame();
    expect(el.querySelectorAll(".salw-badge")[0]?.hasAttribute("hidden")).toBe(false);
    expect(text(".salw-tile-note").every((note) => note?.includes(" to "))).toBe(true);
  });

  it("answers another foil from bases, pointwise questions too", async () => {
    const node = (name: string, rows: number[]) => ({ name, kind: "class", rows, parents: [], children: [] });
    const panels = [panel(0, 0, { map: [0, 2, 3], scores: [null] }), panel(1, 0, { map: [12, 2, 3], scores: [null] })];
    const link = fakeModel({ ...fakeLink().state, question: null });
    const model = fakeModel(state({ panels, columns: ["grad-cam"], classes: 2, logits: packed([3, 1, 0, 5], [2, 2]),
      nodes: [node("husky", [0]), node("wolf", [1])], target: "husky", foil: "wolf", links: links("a", { question: "a" }) }));
    const { text, pixels, press } = await show(model, link);
    press(0, "Home");
    await frame();
    expect(text(".salw-tile-at")).toEqual(["\u22121.00", "not a number"]);
    expect(text(".salw-tile-scores")).toEqual(["Score +2.00 logits", "Score \u22125.00 logits"]);
    const before = pixels();
    link.set("question", { target: "wolf", foil: "", source: "tree" });
    await frame();
    expect([model.state["target"], model.state["foil"]]).toEqual(["wolf", ""]);
    expect(text(".salw-head")).toEqual(["Why \u201cwolf\u201d?"]);
    expect(text(".salw-tile-at")[0]).toBe("+2.00");
    expect(pixels()[0]).not.toBe(before[0]);
    link.set("question", { target: "sparrow", foil: "", source: "tree" });
    await frame();
    expect(text(".salw-message")[0]).toContain("not in these bases");
  });

  it("leaves nothing behind", async () => {
    const [model, link] = [fakeModel(state()), fakeLink()];
    const { abort } = await show(model, link);
    abort.abort();
    expect([model.listeners(), link.listeners()]).toEqual([0, 0]);
  });
});

describe("messages to Python", () => {
  it("a passing cursor sends none, a brush one at its end", async () => {
    const link = fakeLink();
    const shared = await connect(fakeModel({ links: links("a") }), fakeHost({ a: link }), new AbortController().signal);
    for (let i = 0; i < 50; i++) shared.set("cursor", { row: i, col: 0, pinned: false });
    await frame(150);
    expect(link.saves).toBe(0);
    for (let i = 1; i < 50; i++) shared.set("selection", { kind: "box", box: [0, 0, i, i], source: "x" });
    shared.set("cursor", { row: 1, col: 0, pinned: true });
    await frame(150);
    expect(link.saves).toBe(1);
  });
  it("what is left when the view goes is sent", async () => {
    const [link, abort] = [fakeLink(), new AbortController()];
    const shared = await connect(fakeModel({ links: links("a") }), fakeHost({ a: link }), abort.signal);
    shared.set("threshold", 0.5);
    abort.abort();
    expect(link.saves).toBe(1);
  });
});
