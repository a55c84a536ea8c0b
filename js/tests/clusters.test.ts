// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { partIn, pickedOf } from "../src/lit";
import { COLOURS, makeMark, stamp, stroke } from "../src/marks";
import { fit, inside, nearest, neighbour, toData, toScreen, zoom } from "../src/scatter";
import { cellsOf, sorted } from "../src/views/concepts";
import { render } from "../src/widget";
import { fakeHost, fakeLink, fakeModel, links, packed, type FakeModel } from "./fakes";

const frame = { width: 300, height: 200 };
let seed = 7;
const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;

describe("camera", () => {
  const places = new Float32Array([0, 0, 10, 0, 4, 2]);
  it("shows all points with the same scale on both axes, y upwards", () => {
    const c = fit(places, frame);
    for (let i = 0; i < 3; i++) {
      const [x, y] = toScreen(c, frame, places[2 * i] as number, places[2 * i + 1] as number);
      expect(x >= 17.9 && x <= 282.1 && y >= 0 && y <= 200).toBe(true);
    }
    expect(toScreen(c, frame, 10, 0)[0] - toScreen(c, frame, 0, 0)[0]).toBeCloseTo(264);
    expect(toScreen(c, frame, 0, 2)[1]).toBeLessThan(toScreen(c, frame, 0, 0)[1]);
  });
  it("puts one point, or several at one place, in the middle", () => {
    for (const one of [new Float32Array([3, 4]), new Float32Array([3, 4, 3, 4])]) {
      const c = fit(one, frame);
      expect(toScreen(c, frame, 3, 4)).toEqual([150, 100]);
      expect(Number.isFinite(c.k)).toBe(true);
    }
  });
  it("keeps what lies under the pointer when it zooms, and goes there and back", () => {
    const c = fit(places, frame);
    const z = zoom(c, frame, 3, 40, 70, c);
    toData(z, frame, 40, 70).forEach((v, i) => expect(v).toBeCloseTo(toData(c, frame, 40, 70)[i] as number));
    toScreen(z, frame, ...toData(z, frame, 12, 34)).forEach((v, i) => expect(v).toBeCloseTo([12, 34][i] as number));
    expect(zoom(c, frame, 1e9, 0, 0, c).k).toBeLessThanOrEqual(400 * c.k);
  });
});

describe("points", () => {
  it("finds the nearest that may be found", () => {
    const places = Float32Array.from({ length: 400 }, random);
    for (let t = 0; t < 50; t++) {
      const [x, y, r] = [random(), random(), 0.05];
      const all = Array.from({ length: 200 }, (_, i) => Math.hypot((places[2 * i] as number) - x, (places[2 * i + 1] as number) - y));
      const best = all.indexOf(Math.min(...all));
      expect(nearest(places, x, y, r)).toBe((all[best] as number) <= r ? best : -1);
      expect(nearest(places, x, y, r, (i) => i !== best)).not.toBe(best);
    }
    expect(nearest(new Float32Array([1, 1]), 1, 1, 0)).toBe(0);
  });
  it("goes to a neighbour that lies in the direction", () => {
    const cross = new Float32Array([0, 0, 1, 0, -1, 0, 0, 1, 0, -1, 5, 0.1, 0.2, 3]);
    expect([[1, 0], [-1, 0], [0, 1], [0, -1]].map(([x, y]) => neighbour(cross, 0, x as number, y as number))).toEqual([1, 2, 3, 4]);
    expect(neighbour(cross, 5, 1, 0)).toBe(-1);
    expect(neighbour(cross, 0, 1, 0, (i) => i !== 1)).toBe(5);
  });
  it("finds what a lasso holds, by the even-odd rule, as a slow transcription does", () => {
    const places = Float32Array.from({ length: 2000 }, random);
    const slow = (line: number[], i: number) => {
      const [x, y] = [places[2 * i] as number, places[2 * i + 1] as number];
      let odd = false;
      for (let a = 0, b = line.length - 2; a < line.length; b = a, a += 2) {
        const [xa, ya, xb, yb] = [line[a], line[a + 1], line[b], line[b + 1]] as [number, number, number, number];
        if (ya > y !== yb > y && x < xa + ((y - ya) * (xb - xa)) / (yb - ya)) odd = !odd;
      }
      return odd;
    };
    for (let t = 0; t < 20; t++) {
      const line = Array.from({ length: 2 * (3 + t * 6) }, random);
      const want = Array.from({ length: 1000 }, (_, i) => i).filter((i) => slow(line, i));
      expect(inside(places, line)).toEqual(want);
    }
    expect(inside(places, [0, 0, 1, 1])).toEqual([]);
    expect(inside(places, [0, 0.5, 1, 0.5, 2, 0.5])).toEqual([]);
    expect(inside(new Float32Array([0.5, 0.5, 3, 3]), [0, 0, 1, 0, 1, 1, 0, 1])).toEqual([0]);
  });
});

describe("marks", () => {
  it("are filled with the group's colour, hollow ones only at the border, and never leave the canvas", () => {
    const out = new Uint32Array(20 * 10);
    stamp(out, 20, 10, makeMark(1, 6, false, false, false), 9, 5);
    const rgb = (v: number) => [v & 255, (v >>> 8) & 255, (v >>> 16) & 255];
    expect(rgb(out[5 * 20 + 9] as number)).toEqual([...(COLOURS[1] as readonly number[])]);
    const hollow = new Uint32Array(20 * 10);
    stamp(hollow, 20, 10, makeMark(1, 6, true, false, false), 9, 5);
    expect(hollow[5 * 20 + 9]).toBe(0);
    expect(hollow.some((v) => v !== 0)).toBe(true);
    for (const [x, y] of [[-2, 5], [19, 9], [-50, 3], [5, 400]]) stamp(out, 20, 10, makeMark(0, 6, false, false, true), x as number, y as number);
    expect(out.length).toBe(200);
    expect(makeMark(0, 6, false, true, false).pixels.every((p) => p >>> 24 < 60)).toBe(true);
  });
  it("42 groups look different", () => {
    const seen = new Set(Array.from({ length: 42 }, (_, k) => [...makeMark(k, 6, false, false, false).pixels].join()));
    expect(seen.size).toBe(42);
  });
  it("lines join their ends", () => {
    const out = new Uint32Array(100);
    stroke(out, 10, 10, 1, 1, 8, 4, 9);
    expect([out[11], out[48]]).toEqual([9, 9]);
    stroke(out, 10, 10, -500, 0, -400, 9, 9);
  });
});

describe("what is lit and picked", () => {
  it("is found by any key of a picture", () => {
    const lit = { source: "s", key: "f.1", area: "", edge: "", relation: "concept", parts: { b: { rows: 1, cols: 2, on: "01" } } };
    expect(partIn(lit, "a b", { rows: 4, cols: 8 })?.area).toBe("M4 0H8V4H4Z");
    expect(partIn(lit, "a", { rows: 4, cols: 8 })).toBeNull();
    const plain = { source: "s", key: "0.0", area: "M0", edge: "M1", relation: "supports" };
    expect(partIn(plain, "a", { rows: 4, cols: 8 })).toBe(plain);
    expect(pickedOf({ source: "s", keys: ["b", "c"] }, ["a b", "d", "c"])).toEqual([true, false, true]);
    expect(pickedOf(undefined, ["a"])).toEqual([false]);
  });
  it("a concept lies where it reaches half of its most, and nowhere if it is weak", () => {
    expect(cellsOf(new Uint8Array([200, 100, 99, 0]))).toBe("1100");
    expect(cellsOf(new Uint8Array([31, 20, 0]))).toBe("000");
  });
  it("rows are sorted by size, the unknown last", () => {
    const rows = [0.2, -0.7, null].map((v) => ({ importance: v, prevalence: v, reliability: v }));
    expect(sorted(rows, ["b", "a", "c"], "importance", true)).toEqual([1, 0, 2]);
    expect(sorted(rows, ["b", "a", "c"], "importance", false)).toEqual([0, 1, 2]);
    expect(sorted(rows, ["b", "a", "c"], "name", false)).toEqual([1, 0, 2]);
  });
});

// -- the views against a fake model ----------------------------------------------------------------------------------

const drawn = new Map<string, Uint8ClampedArray>();

beforeEach(() => {
  vi.stubGlobal("ImageData", class {
    data: Uint8ClampedArray;
    constructor(public width: number, public height: number) {
      this.data = new Uint8ClampedArray(width * height * 4);
    }
  });
  const nothing = () => {};
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockImplementation(function (this: HTMLCanvasElement) {
    const put = (image: ImageData) => drawn.set(this.className, image.data);
    return { putImageData: put, drawImage: nothing, clearRect: nothing,
    setTransform: nothing, beginPath: nothing, lineTo: nothing, closePath: nothing, stroke: nothing, arc: nothing } as never;
  });
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(300);
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(200);
  vi.stubGlobal("requestAnimationFrame", (callback: () => void) => setTimeout(callback, 0));
  vi.stubGlobal("cancelAnimationFrame", clearTimeout);
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  document.body.replaceChildren();
});

const HOSTILE = "<img src=x onerror=alert(1)>";
const bytes = (values: number[], dtype: string, shape = [values.length]) => {
  const data = dtype === "uint16" ? new Uint16Array(values) : dtype === "uint32" ? new Uint32Array(values) : new Uint8Array(values);
  return { view: new DataView(data.buffer), dtype, shape };
};
const sheet = (count: number) => ({ ...bytes(Array(count * 12).fill(9), "uint8"), tile: [2, 2], columns: count, size: [2, 2 * count], count });

function clusterState(more: Record<string, unknown> = {}): Record<string, unknown> {
  const group = (size: number, exemplar: number) => ({ size, accuracy: 0.5, probability: null, share: null, sentence: `${size} ${HOSTILE}`, exemplar, unreliable: size === 2 });
  return {
    _view: "clusters", source: "c", links: links("a"), title: "Why?", points: packed([0, 0, 1, 0, 0, 1, 5, 5, 6, 5], [5, 2]),
    of: bytes([0, 0, 0, 1, 65535], "uint16"), correct: bytes([1, 0, 255, 1, 1], "uint8"), edges: bytes([0, 1], "uint32", [1, 2]),
    maps: packed([], [0, 2, 1, 1]), sheet: sheet(5), captions: ["", "", "", HOSTILE, ""], groups: [group(3, 1), group(2, 3)], family: "f",
    about: { noun: "strategy", figure: "Reliability", axes: "", none: "no cluster" }, names: [HOSTILE, "tail"], selected: [], cluster: -1, hidden: [],
    picture_keys: ["k0 p0", "k1", "k2", "k3", "k4"], ...more,
  };
}

const later = () => new Promise((done) => setTimeout(done, 20));

async function show(model: FakeModel, link: FakeModel) {
  const el = document.createElement("div");
  document.body.append(el);
  const abort = new AbortController();
  await render({ model, el, host: fakeHost({ a: link }), signal: abort.signal });
  await later();
  const press = (key: string, more: KeyboardEventInit = {}) =>
    (el.querySelector(".salw-scatter") as HTMLElement).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
  const text = (selector: string) => [...el.querySelectorAll(selector)].map((e) => e.textContent);
  return { el, press, text, abort };
}

describe("clusters", () => {
  it("walks, picks, shows a cluster and clears with keys alone; linked views hear of the pictures", async () => {
    const [model, link] = [fakeModel(clusterState()), fakeLink()];
    const { el, press, text } = await show(model, link);
    expect(text("tbody th button")).toEqual([HOSTILE, "tail", "no cluster"]);
    expect(el.querySelector("img")).toBeNull();
    press("ArrowRight");
    expect(text(".salw-live")[0]).toBe(`Image 1, ${HOSTILE}, right`);
    press("ArrowRight");
    expect(text(".salw-live")[0]).toContain("Image 2,");
    press(" ");
    await later();
    expect(model.state["selected"]).toEqual([1]);
    expect(link.state["picked"]).toEqual({ source: "c", keys: ["k1"] });
    press("a");
    expect(model.state["selected"]).toEqual([0, 1, 2]);
    expect((link.state["picked"] as { keys: string[] }).keys).toEqual(["k0", "p0", "k1", "k2"]);
    press("Enter");
    await later();
    expect([model.state["cluster"], model.state["selected"], link.state["picked"]]).toEqual([0, [], null]);
    expect(text(".salw-card p")[0]).toBe(`3 ${HOSTILE}`);
    press("Escape");
    expect(model.state["cluster"]).toBe(-1);
  });
  it("a concept that is lit in a linked view shows the images that it leads", async () => {
    const [model, link] = [fakeModel(clusterState()), fakeLink()];
    await show(model, link);
    const full = () => (drawn.get("salw-points") as Uint8ClampedArray).filter((v, i) => i % 4 === 3 && v === 255).length;
    const [all] = [full()];
    link.set("highlight", { source: "v", key: "f.1", area: "", edge: "", relation: "concept", parts: {} });
    await later();
    const one = full();
    expect(one > 0 && one < all / 2).toBe(true);
    link.set("highlight", { source: "v", key: "another.1", area: "", edge: "", relation: "concept", parts: {} });
    await later();
    expect(full()).toBe(all);
    expect(model.saves).toBe(0);
  });
  it("takes what another view picked, and not what is its own", async () => {
    const [model, link] = [fakeModel(clusterState()), fakeLink()];
    await show(model, link);
    link.set("picked", { source: "other", keys: ["p0", "k4"] });
    expect(model.state["selected"]).toEqual([0, 4]);
    link.set("picked", { source: "c", keys: ["k3"] });
    expect(model.state["selected"]).toEqual([0, 4]);
  });
  it("the legend hides groups and says which is unreliable", async () => {
    const [model, link] = [fakeModel(clusterState()), fakeLink()];
    const { el, text, abort } = await show(model, link);
    (el.querySelectorAll("tbody input")[1] as HTMLInputElement).click();
    expect(model.state["hidden"]).toEqual([1]);
    expect(text("tbody td")).toContain("50\u202f% \u26a0");
    (el.querySelectorAll("tbody button")[1] as HTMLButtonElement).click();
    await later();
    expect(text(".salw-notices li")[0]).toContain("less often");
    const before = model.listeners() + link.listeners();
    abort.abort();
    expect(before).toBeGreaterThan(0);
    expect(model.listeners() + link.listeners()).toBe(0);
  });
});

describe("concepts", () => {
  const row = (importance: number, reliability: number | null) => ({ importance, prevalence: 0.5, reliability });
  const state = () => ({
    _view: "concepts", source: "v", links: links("a"), title: "2 concepts", caption: "block", notices: [], family: "f", rows: [row(0.2, 1), row(-0.7, null)],
    names: [HOSTILE, "b"], sort: "importance", descending: true, concept: -1, crops: sheet(2), counts: [1, 1], shown: sheet(1),
    maps: { ...bytes([0, 255, 200, 0, 255, 0, 0, 0, 0, 0, 0, 255], "uint8"), shapes: [[1, 2], [2, 2]] }, picture_keys: ["", "x y"],
  });
  it("a row under the pointer lights its cells in every picture, and no message is sent", async () => {
    const [model, link] = [fakeModel(state()), fakeLink()];
    const { el } = await show(model, link);
    const line = el.querySelectorAll("tbody tr")[0] as HTMLElement; // concept 1 (of size 0.7) comes first
    line.dispatchEvent(new Event("pointerenter"));
    await later();
    const lit = link.state["highlight"] as { key: string; parts: Record<string, { on: string }>; passing: boolean };
    expect(lit.key).toBe("f.1");
    expect(lit.parts).toEqual({ "#0": { rows: 1, cols: 2, on: "10" }, "#1": { rows: 2, cols: 2, on: "0001" }, x: { rows: 2, cols: 2, on: "0001" }, y: { rows: 2, cols: 2, on: "0001" } });
    expect(line.classList.contains("salw-lit")).toBe(true);
    line.dispatchEvent(new Event("pointerleave"));
    expect(link.state["highlight"]).toBeNull();
    await new Promise((done) => setTimeout(done, 150));
    expect(link.saves + model.saves).toBe(0);
  });
  it("keeps one lit, renames, sorts", async () => {
    const [model, link] = [fakeModel(state()), fakeLink()];
    const { el, text } = await show(model, link);
    const [second, first] = [...el.querySelectorAll<HTMLButtonElement>(".salw-concept-crops")];
    first?.click();
    await later();
    expect([model.state["concept"], (link.state["highlight"] as { key: string }).key]).toEqual([0, "f.0"]);
    second?.closest("tr")?.dispatchEvent(new Event("pointerenter"));
    second?.closest("tr")?.dispatchEvent(new Event("pointerleave"));
    expect((link.state["highlight"] as { key: string }).key).toBe("f.0");
    const name = el.querySelectorAll<HTMLInputElement>("tbody input")[1] as HTMLInputElement;
    expect(name.value).toBe(HOSTILE);
    name.value = "  ear ";
    name.dispatchEvent(new Event("change"));
    expect(model.state["names"]).toEqual(["ear", "b"]);
    (el.querySelectorAll("thead button")[0] as HTMLButtonElement).click();
    await later();
    expect([model.state["sort"], model.state["descending"]]).toEqual(["name", false]);
    expect([...el.querySelectorAll<HTMLInputElement>("tbody input")].map((i) => i.value)).toEqual(["b", "ear"]);
    expect(text("tbody td").slice(0, 3)).toEqual(["\u22120.700", "50\u202f%", "none"]);
    expect(el.querySelector("[aria-sort]")?.getAttribute("aria-sort")).toBe("ascending");
    el.querySelector(".salw-root")?.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
    expect(model.state["concept"]).toBe(-1);
  });
});
