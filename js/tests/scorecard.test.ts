// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { enlarged, perturb, plain, ranks } from "../src/perturbed";
import { curveOf, inWords, meanCurve, sorted, type Column, type Group } from "../src/scores";
import { render } from "../src/widget";
import { fakeHost, fakeLink, fakeModel, links, packed } from "./fakes";
import { fakeScreen } from "./screen";

const pixelsOf = fakeScreen();

const frame = (ms = 20) => new Promise((done) => setTimeout(done, ms));
const EVIL = "<img src=x onerror=alert(1)>";
const cell = (mean: number, best = false) => ({ mean, low: mean - 0.1, high: mean + 0.1, best });
const column = (label: string, more: Partial<Column> = {}): Column => ({
  label, arrow: "\u2193", better: "lower", cannot: `why ${label} is no proof`, range: "0..1", source: "a paper", values: [0.1, 0.2, null, 0.4],
  cells: [cell(0.3), cell(0.1, true)], curve: null, plays: "", fill: "", ...more,
});
const GROUPS: Group[] = [{ method: `a ${EVIL}`, kind: "pointwise class", model: "m", rows: [0, 2] }, { method: "b", kind: "pointwise class", model: "m", rows: [1, 3] }];
const NAN = NaN;

/** Four explanations of two pictures of 4 x 6 pixels; maps of 2 x 3; deletion in black with three points. */
function state(more: Record<string, unknown> = {}): Record<string, unknown> {
  const row = (input: number, method: string) => ({ input, question: "Why \u201chusky\u201d?", method, model: "m", kind: "pointwise class", flags: "" });
  const maps = [0, 1, 2, 3].flatMap((k) => [1, 2, 3, 4, 5, 6].map((v) => (k % 2 ? -v : v)));
  return {
    _view: "scorecard", source: "s", links: links("a"), own_scale: false, each: true, title: "4 explanations", notices: [`few ${EVIL}`],
    rows: [row(0, `a ${EVIL}`), row(0, "b"), row(1, `a ${EVIL}`), row(1, "b")], groups: GROUPS,
    columns: [column("deletion", { curve: { x: [0, 0.5, 1], start: 0 }, plays: "most", fill: "black" }),
      column("sparseness", { better: "higher", arrow: "\u2191", cells: [cell(0.6, true), cell(0.5)] })],
    agreement: [[1, -0.5], [-0.5, null]], curves: packed([1, 0.5, 0, 1, 0.2, 0, 0.8, 0.3, 0, NAN, NAN, NAN], [12]),
    maps: packed(maps, [24]), places: [0, 1, 2, 3].map((k) => ({ map: [6 * k, 2, 3], picture: k >> 1 })),
    pictures: { view: new Uint8Array(144).fill(99), dtype: "uint8", shape: [144] }, sheets: [[4, 6], [4, 6]],
    stills: { black: [{ colour: [7, 0, 0] }, { colour: [7, 0, 0] }] }, picture_keys: ["k0 p0", "k1 p1"],
    row: 0, metric: "deletion", at: 1, sort: "", descending: true, ...more,
  };
}

async function mounted(more: Record<string, unknown> = {}) {
  const [model, link, el, stop] = [fakeModel(state(more)), fakeLink(), document.createElement("div"), new AbortController()];
  document.body.append(el);
  await render({ model, el, host: fakeHost({ a: link }), signal: stop.signal });
  return { model, link, el, stop };
}
const all = (el: Element, query: string) => [...el.querySelectorAll<HTMLElement>(query)];
const methods = (el: Element) => all(el, ".salw-score-pick").filter((b) => b.isConnected).map((b) => b.firstChild?.textContent);

describe("what is hidden", () => {
  it("ranks with ties in reading order, and hides, keeps or shows a share", () => {
    const rank = ranks(Float32Array.of(1, 3, 3, 0));
    expect([...rank]).toEqual([2, 0, 1, 3]);
    const [picture, still] = [plain([9, 8, 7], 4), plain([0, 0, 0], 4)];
    const reds = (plays: "most" | "least" | "show", x: number) => {
      const out = new Uint8ClampedArray(16);
      perturb(out, rank, plays, x, picture, still);
      return [0, 4, 8, 12].map((k) => out[k]);
    };
    expect(reds("most", 0.5)).toEqual([9, 0, 0, 9]);
    expect(reds("least", 0.25)).toEqual([9, 9, 9, 0]);
    expect(reds("show", 0.25)).toEqual([0, 9, 0, 0]);
    expect(reds("show", 1)).toEqual([9, 9, 9, 9]);
  });

  it("enlarges as numpy does: centres aligned, edges held, the same size unchanged", () => {
    const map = { data: Float32Array.of(0, 1, 2, 4), rows: 2, cols: 2 };
    expect([...enlarged(map, { rows: 2, cols: 2 })]).toEqual([0, 1, 2, 4]);
    expect([...enlarged(map, { rows: 2, cols: 4 })]).toEqual([0, 0.25, 0.75, 1, 2, 2.5, 3.5, 4]);
  });
});

describe("sums", () => {
  it("sorts groups, those without a figure last", () => {
    const c = column("x", { cells: [null, cell(2), cell(3)] });
    const three = [...GROUPS, GROUPS[0] as Group];
    expect(sorted(three, c, true)).toEqual([2, 1, 0]);
    expect(sorted(three, c, false)).toEqual([1, 2, 0]);
    expect(sorted(three, undefined, true)).toEqual([0, 1, 2]);
  });

  it("means curves over the rows that have one", () => {
    const c = column("x", { curve: { x: [0, 1], start: 2 } });
    const y = Float32Array.of(9, 9, 1, 0, NAN, NAN, 3, 2);
    expect([...(meanCurve(c, y, [0, 1, 2]) ?? [])]).toEqual([2, 1]);
    expect(meanCurve(c, y, [1])).toBeNull();
    expect(curveOf(column("x"), y, 0)).toBeNull();
    expect(inWords(cell(0.5, true))).toBe("0.500, interval 0.400 to 0.600, the best mean");
    expect(inWords(null)).toBe("does not apply");
  });
});

describe("the view", () => {
  it("shows figures, directions, notices and hostile names as text", async () => {
    const { el } = await mounted();
    expect(el.querySelector("img")).toBeNull();
    expect(el.textContent).toContain(EVIL);
    expect(all(el, ".salw-score-table thead th")[1]?.textContent).toContain("deletion \u2193");
    expect(el.querySelector(".salw-score-best")?.textContent).toContain("0.600");
    expect(el.querySelector(".salw-score-about")?.textContent).toContain("why deletion is no proof");
    const folded = all(el, ".salw-fold").map((d) => d.textContent).join();
    expect(folded).toContain("why sparseness is no proof");
    expect(all(el, ".salw-agreement tbody td").map((td) => td.textContent)).toEqual(["1.00", "\u22120.50", "\u22120.50", "\u2013"]);
  });

  it("sorts best first, then worst first, then not at all", async () => {
    const { el, model } = await mounted();
    const sort = all(el, ".salw-score-sort")[0] as HTMLElement;
    sort.click();
    await frame();
    expect([model.get("sort"), model.get("descending")]).toEqual(["deletion", false]);
    expect(methods(el)).toEqual(["b", `a ${EVIL}`]);
    expect(sort.closest("th")?.getAttribute("aria-sort")).toBe("ascending");
    sort.click();
    await frame();
    expect(methods(el)).toEqual([`a ${EVIL}`, "b"]);
    sort.click();
    await frame();
    expect(model.get("sort")).toBe("");
    expect(sort.closest("th")?.hasAttribute("aria-sort")).toBe(false);
  });

  it("moves the play head, and draws the picture there", async () => {
    const { el, model } = await mounted();
    const canvas = el.querySelector(".salw-played") as HTMLCanvasElement;
    const reds = () => pixelsOf(canvas).filter((_, i) => i % 4 === 0);
    expect(reds().filter((v) => v === 7)).toHaveLength(12); // half of 24 pixels; the map grows to the lower right
    expect(reds()[23]).toBe(7);
    expect(reds()[0]).toBe(99);
    const frameEl = el.querySelector(".salw-scorecard") as HTMLElement;
    frameEl.dispatchEvent(new KeyboardEvent("keydown", { key: ".", bubbles: true }));
    await frame();
    expect(reds().every((v) => v === 7)).toBe(true);
    expect(el.querySelector(".salw-live")?.textContent).toContain("hidden, the most important first: 0");
    await frame(350);
    expect(model.get("at")).toBe(2);
  });

  it("picks a row: map, curve, and the picture in linked views", async () => {
    const { el, model, link } = await mounted({ row: 2 });
    (all(el, ".salw-score-pick")[1] as HTMLElement).click();
    await frame(350);
    expect(model.get("row")).toBe(3); // the same input
    expect(link.get("picked")).toEqual({ source: "s", keys: ["k1", "p1"] });
    expect(el.querySelector(".salw-curve-own")).toBeNull(); // it has no curve: the metric does not apply
    link.set("picked", { source: "other", keys: ["p0"] });
    await frame(350);
    expect(model.get("row")).toBe(1);
  });

  it("takes what Python sets, and never an older value of the rest", async () => {
    const { el, model } = await mounted();
    el.querySelector(".salw-scorecard")?.dispatchEvent(new KeyboardEvent("keydown", { key: ".", bubbles: true }));
    model.set("row", 1);
    await frame(350);
    expect([model.get("row"), model.get("at")]).toEqual([1, 2]);
    expect(el.querySelector(".salw-score-picked")?.textContent).toContain("b");
  });

  it("says what it cannot draw", async () => {
    const road = await mounted({ stills: { black: [null, null] } });
    expect(road.el.querySelector<HTMLElement>(".salw-played")?.hidden).toBe(true);
    expect(road.el.textContent).toContain("depends on what is left");
    const none = { maps: packed([], [0]), places: [], sheets: [], stills: {}, picture_keys: [], pictures: { view: new Uint8Array(0), dtype: "uint8", shape: [0] } };
    const loaded = await mounted(none);
    expect(loaded.el.querySelector(".salw-stage")).toBeNull();
    expect(loaded.el.textContent).toContain("without its explanations");
  });

  it("outlines named regions where all maps are of one picture, and only there", async () => {
    const names = async (more: Record<string, unknown>) => {
      const { el, link } = await mounted(more);
      link.set("regions", { ear: [0, 0, 2, 4] });
      await frame();
      return [...el.querySelectorAll(".salw-outline-name")].map((name) => name.textContent);
    };
    expect(await names({})).toEqual([]);
    expect(await names({ places: [0, 1, 2, 3].map((k) => ({ map: [6 * k, 2, 3], picture: 0 })) })).toEqual(["ear"]);
  });
  it("leaves nothing behind", async () => {
    const { model, link, stop } = await mounted();
    stop.abort();
    expect(model.listeners() + link.listeners()).toBe(0);
  });
});
