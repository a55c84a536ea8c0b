// @vitest-environment happy-dom
import { describe, expect, it, vi } from "vitest";
import { readNodes } from "../src/classnodes";
import { icicle, indented, MOST_CELLS } from "../src/icicle";
import { limitsOf } from "../src/parts/chart";
import { mapInWords } from "../src/parts/described";
import { readFrames } from "../src/views/layers";
import { render } from "../src/widget";
import { contrastState, fakeHost, fakeLink, fakeModel, framesState, links, packed, type FakeModel } from "./fakes";
import { fakeScreen, frame } from "./screen";

const buffer = (data: Uint16Array | Uint32Array, dtype: string) => ({ view: new DataView(data.buffer), dtype, shape: [data.length] });

/** Nodes from names, children (heaviest first) and probabilities; classes come first. */
function treeState(names: string[], below: number[][], p: number[], sizes: number[], classes: number, more: Record<string, unknown> = {}) {
  const text = names.join("");
  const units = Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
  let end = 0;
  let start = 0;
  return {
    _view: "classtree", source: "t", links: { ...links("a"), question: "a" }, own_scale: false, form: "icicle", notices: [], known: true,
    n_classes: classes, root: names.length - 1, names: buffer(units, "uint16"),
    ends: buffer(Uint32Array.from(names.map((n) => (end += n.length))), "uint32"),
    starts: buffer(Uint32Array.from([0, ...below.map((b) => (start += b.length))]), "uint32"),
    children: buffer(Uint32Array.from(below.flat()), "uint32"), probability: packed(p, [p.length]),
    sizes: buffer(Uint32Array.from(sizes), "uint32"), ...more,
  };
}

const HOSTILE = "<img src=x onerror=alert(1)>";
/** husky is below dog and below working; 3 classes beside it. */
const NAMES = ["husky", "beagle", "mule", "cat", HOSTILE, "dog", "working", "animal", "all classes"];
const BELOW = [[], [], [], [], [], [0, 1], [0, 2], [5, 6, 3], [7, 4]];
const P = [0.5, 0.2, 0.1, 0.1, 0.1, 0.7, 0.6, 0.9, 1];
const SIZES = [1, 1, 1, 1, 1, 2, 2, 4, 5];
const dag = (more = {}) => treeState(NAMES, BELOW, P, SIZES, 5, more);
const nodes = readNodes(fakeModel(dag()));

describe("the nodes", () => {
  it("finds names exactly, also where one holds another", () => {
    const state = treeState(["dog", "hot dog", "do", "g", "all"], [[], [], [], [], [1, 0, 2, 3]], [0.3, 0.4, 0.2, 0.1, 1], [1, 1, 1, 1, 4], 4);
    const some = readNodes(fakeModel(state));
    expect(["dog", "hot dog", "do", "g", "og", "dogh", ""].map((n) => some.find(n))).toEqual([0, 1, 2, 3, -1, -1, -1]);
    expect(some.search("dog", 9)).toEqual({ nodes: [0, 1], total: 2 });
    expect(some.search("DOG hot", 9)).toEqual({ nodes: [1], total: 1 });
    expect(some.search("gdo", 9).total).toBe(0); // no name crosses from one to the next
  });
  it("knows all parents, and counts a class once", () => {
    expect(nodes.parents(0)).toEqual([5, 6]);
    expect(nodes.members(7).sort()).toEqual([0, 1, 2, 3]);
  });
});

describe("the icicle", () => {
  it("shares widths by probability; where nodes share classes, all become narrower", () => {
    const spots = icicle(nodes, [8], 100, 1, false);
    const width = (path: string) => spots.find((s) => s.path === path)?.width;
    expect(width("8/7")).toBeCloseTo(90);
    expect(width("8/7/5")).toBeCloseTo((90 * 0.7) / 1.4);
    expect(width("8/7/5/0")).toBeCloseTo((45 * 0.5) / 0.7, 4);
    expect(spots.filter((s) => s.node === 0).map((s) => s.path)).toEqual(["8/7/5/0", "8/7/6/0"]);
  });
  it("puts what is too narrow together, and pages through it", () => {
    const n = 1000;
    const flat = readNodes(fakeModel(treeState([...Array.from({ length: n }, (_, i) => `c${i}`), "all"],
      [...Array.from({ length: n }, () => []), [...Array(n).keys()]], [...Array.from({ length: n }, () => 1 / n), 1], [...Array(n).fill(1), n], n)));
    const spots = icicle(flat, [n], 100, 0.05, false);
    expect(spots.length).toBeLessThanOrEqual(MOST_CELLS);
    const more = spots.at(-1);
    expect(more?.more).toBe(n);
    const page = icicle(flat, [n], 100, 0.05, false, 900);
    expect(page[1]).toMatchObject({ node: 900, left: 0 });
    expect(page.length).toBe(101);
    expect((page[100]?.left ?? 0) + (page[100]?.width ?? 0)).toBeCloseTo(100, 3);
  });
  it("lists rows of what is open, and how many are left", () => {
    const rows = indented(nodes, new Set(["8", "8/7"]), (path) => (path === "8/7" ? 2 : 30));
    expect(rows.map((r) => r.path)).toEqual(["8", "8/7", "8/7/5", "8/7/6", "8/7/+", "8/4"]);
    expect(rows[4]?.more).toBe(1);
  });
});

fakeScreen();

async function show(model: FakeModel, models: Record<string, FakeModel>) {
  const el = document.createElement("div");
  document.body.append(el);
  const abort = new AbortController();
  await render({ model, el, host: fakeHost(models), signal: abort.signal });
  const press = (selector: string, key: string, more: KeyboardEventInit = {}) =>
    el.querySelector(selector)?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
  const text = (selector: string) => el.querySelector(selector)?.textContent ?? "";
  const items = () => [...el.querySelectorAll<HTMLElement>("[role=treeitem]")];
  const item = (name: string) => items().find((i) => i.getAttribute("aria-label")?.startsWith(name)) as HTMLElement;
  return { el, abort, press, text, items, item };
}

const asking = (target: string, foil = "") => {
  const link = fakeLink();
  link.state["question"] = { target, foil, source: "p" };
  return link;
};

describe("the view", () => {
  it("asks with a click, sets the foil with Shift, and marks every place of a node", async () => {
    const link = asking("cat");
    const { item, items, text } = await show(fakeModel(dag()), { a: link });
    expect(text(".salw-head")).toBe("Why \u201ccat\u201d?");
    item("husky").click();
    item("cat").dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey: true }));
    await frame();
    expect(link.state["question"]).toEqual({ target: "husky", foil: "cat", source: "t" });
    expect(text(".salw-head")).toBe("Why \u201chusky\u201d rather than \u201ccat\u201d?");
    const marked = items().filter((i) => i.getAttribute("aria-selected") === "true");
    expect(marked.map((i) => i.getAttribute("aria-label"))).toEqual([
      "husky 50\u202f%, also under \u201cworking\u201d, target", "husky 50\u202f%, also under \u201cdog\u201d, target"]);
    expect(item("cat").getAttribute("aria-label")).toBe("cat 10\u202f%, foil");
  });
  it("refuses a foil that is the target, and says what the sides share", async () => {
    const link = asking("dog");
    const { item, text } = await show(fakeModel(dag()), { a: link });
    item("dog").dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey: true }));
    expect(text(".salw-message")).toContain("is the target");
    item("working").dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey: true }));
    await frame();
    expect(text(".salw-sides")).toContain("1 class in both \u201cdog\u201d and \u201cworking\u201d is left out of both.");
    item("husky").dispatchEvent(new MouseEvent("click", { bubbles: true }));
    await frame();
    expect(text(".salw-sides")).toContain("compared with the other 1 class");
  });
  it("walks by keys in both forms, zooms, and searches", async () => {
    const link = asking("all classes");
    const model = fakeModel(dag());
    const { el, press, text } = await show(model, { a: link });
    const tree = "[role=tree]";
    const active = () => el.querySelector(".salw-active.salw-spot")?.getAttribute("aria-label")?.split(" ")[0];
    press(tree, "ArrowDown");
    press(tree, "ArrowDown");
    press(tree, "ArrowRight");
    expect(active()).toBe("working");
    press(tree, "z");
    expect(el.querySelectorAll(".salw-crumbs button").length).toBe(3);
    press(tree, "Enter");
    press(tree, "0");
    press(tree, "ArrowLeft");
    press(tree, "Enter", { shiftKey: true });
    await frame();
    expect(text(".salw-head")).toBe("Why \u201cworking\u201d rather than \u201cdog\u201d?");
    press(tree, "Escape");
    await frame();
    expect(text(".salw-head")).toBe("Why \u201cworking\u201d?");
    model.set("form", "tree");
    await frame();
    press(tree, "Home");
    press(tree, "ArrowLeft");
    expect(el.querySelectorAll("[role=treeitem]").length).toBe(1);
    press(tree, "ArrowRight");
    press(tree, "ArrowDown");
    expect(active()).toBe("animal");
    const input = el.querySelector("[role=combobox]") as HTMLInputElement;
    press(tree, "/");
    expect(document.activeElement).toBe(input);
    input.value = "img";
    input.dispatchEvent(new Event("input"));
    expect(el.querySelector("[role=option]")?.textContent).toContain(HOSTILE);
    input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
    await frame();
    expect(text(".salw-head")).toBe(`Why \u201c${HOSTILE}\u201d?`);
    expect(el.querySelector("img")).toBeNull();
  });
  it("changes the question of a contrast that shares its link, and hears of it", async () => {
    const link = asking("husky", "wolf");
    const contrast = fakeModel(contrastState({ links: { ...links("a"), question: "a" } }));
    const state = treeState(["husky", "beagle", "wolf", "dog", "all"], [[], [], [], [0, 1], [3, 2]], [0.5, 0.2, 0.3, 0.7, 1], [1, 1, 1, 2, 3], 3);
    const shown = await show(contrast, { a: link });
    const { item, text } = await show(fakeModel(state), { a: link });
    item("dog").click();
    await frame();
    expect([contrast.state["target"], contrast.state["foil"], contrast.state["mix"]]).toEqual(["dog", "wolf", 0.5]);
    expect(shown.text(".salw-head")).toBe("Why \u201cdog\u201d rather than \u201cwolf\u201d?");
    shown.press(".salw-stage", "x");
    await frame();
    expect(text(".salw-head")).toBe("Why \u201cwolf\u201d rather than \u201cdog\u201d?");
    link.set("question", { target: "beagle", foil: "", source: "p" });
    await frame();
    expect([contrast.state["target"], contrast.state["mix"]]).toEqual(["beagle", 0]);
    link.set("question", { target: "all", foil: "", source: "p" });
    await frame();
    expect(shown.text(".salw-message")).toContain("\u201call\u201d is asked about, but it is not in this basis");
  });
  it("leaves nothing behind", async () => {
    const [model, link] = [fakeModel(dag()), asking("cat")];
    const { abort } = await show(model, { a: link });
    abort.abort();
    expect([model.listeners(), link.listeners()]).toEqual([0, 0]);
  });
});

describe("layers", () => {
  it("cuts the maps out of one buffer", () => {
    const maps = readFrames(fakeModel(framesState()));
    expect(maps.map((m) => [m.rows, m.cols, [...m.data]])).toEqual([[2, 3, [1, -1, 0, 2, 0.5, -2]], [1, 3, [3, 4, 5]]]);
  });
  it("scrubs without telling Python, and tells it when it has come to rest", async () => {
    const model = fakeModel(framesState());
    const { el, text, press } = await show(model, { a: fakeLink() });
    vi.useFakeTimers();
    press(".salw-scrubber input", ".");
    await vi.advanceTimersByTimeAsync(100);
    expect(text(".salw-step")).toBe("two (2 of 2)");
    expect(text(".salw-caption")).toBe("second");
    expect(text(".salw-legend")).toContain("rank correlation: none");
    expect(model.saves).toBe(0);
    await vi.advanceTimersByTimeAsync(400);
    expect([model.saves, model.state["at"]]).toEqual([1, 1]);
    (el.querySelector(".salw-play") as HTMLElement).click(); // from the last step it begins again
    await vi.advanceTimersByTimeAsync(20);
    expect(text(".salw-step")).toBe("one (1 of 2)");
    await vi.advanceTimersByTimeAsync(800);
    expect(text(".salw-step")).toBe("two (2 of 2)");
    expect(text(".salw-play")).toBe("Play");
  });
  it("draws a brushed region's share at every step", async () => {
    const link = fakeLink();
    const { el, text } = await show(fakeModel(framesState()), { a: link });
    link.set("selection", { kind: "box", box: [0, 0, 4, 2], source: "x" });
    await frame();
    expect(text(".salw-legend")).toContain("share of the positive in the region: 0.857");
    expect(el.querySelectorAll(".salw-chart path").length).toBe(2);
  });
  it("keeps as many lines before a region as with one, so that nothing below moves", async () => {
    const link = fakeLink();
    const { el, text } = await show(fakeModel(framesState({ lines: [] })), { a: link });
    expect([text(".salw-legend"), el.querySelectorAll(".salw-legend span").length]).toEqual(["share of the positive in the region: none", 1]);
    link.set("selection", { kind: "box", box: [0, 0, 4, 2], source: "x" });
    await frame();
    expect(el.querySelectorAll(".salw-legend span").length).toBe(1);
  });
  it("says in words where the map of the step lies", async () => {
    const { el, press } = await show(fakeModel(framesState()), { a: fakeLink() });
    vi.useFakeTimers();
    press(".salw-scrubber input", ".");
    await vi.advanceTimersByTimeAsync(100);
    const said = () => [...el.querySelectorAll(".salw-stage")].filter((s) => !s.hasAttribute("hidden")).map((s) => s.getAttribute("aria-label"));
    expect(said()).toEqual(["Map at two (2 of 2) for the question: Why? Arrow keys move the cursor."]);
    await vi.advanceTimersByTimeAsync(400);
    expect(said()[0]).toContain("Most of it: middle right, 42\u202f%, for; then centre, 33\u202f%, for.");
  });
  it("has words for maps of nothing", () => {
    const map = (v: number) => ({ data: new Float32Array([v, v]), rows: 1, cols: 2 });
    expect([mapInWords(map(0), { rows: 3, cols: 6 }), mapInWords(map(NaN), { rows: 3, cols: 6 })]).toEqual(["It is zero everywhere.", "There is no number in it."]);
    expect(mapInWords(map(-1), { rows: 3, cols: 6 })).toBe("Most of it: middle left, 50\u202f%, against; then middle right, 50\u202f%, against.");
  });
  it("gives lines limits that hold zero", () => {
    const line = (...values: (number | null)[]) => [{ name: "", values }];
    expect([limitsOf(line(0.2, 0.9)), limitsOf(line(-0.2, null)), limitsOf(line(3, -7))]).toEqual([[0, 1], [-1, 1], [-7, 3]]);
  });
  it("leaves nothing behind", async () => {
    const [model, link] = [fakeModel(framesState()), fakeLink()];
    const { abort } = await show(model, { a: link });
    abort.abort();
    expect([model.listeners(), link.listeners()]).toEqual([0, 0]);
  });
});
