// @vitest-environment happy-dom
import { describe, expect, it, vi } from "vitest";
import { Paint, painted } from "../src/paint";
import { createWaiting } from "../src/waiting";
import { render } from "../src/widget";
import { fakeHost, fakeLink, fakeModel, links, packed, type FakeModel } from "./fakes";
import { fakeScreen, frame } from "./screen";
import type { Reply } from "../src/kernel";

const HOSTILE = "<img src=x onerror=alert(1)>";
const EMPTY = "00";
const bytes = (n: number, value: number) => ({ view: new Uint8Array(n).fill(value), dtype: "uint8", shape: [n] });

/** 2 x 3 cells of paint over 4 x 6 pixels. */
function eraserState(more: Record<string, unknown> = {}): Record<string, unknown> {
  const row = (name: string, kind: string, before: number, now: number) => ({ name, kind, before, now });
  return {
    _view: "eraser", source: "e", links: links("a"), own_scale: false, title: "Why \u201chusky\u201d?", caption: "ig", notices: [HOSTILE],
    map: packed([1, -1, 0, 2, 0.5, -2], [2, 3]), mass: packed([1, -1, 0, 2, 0.5, -2], [2, 3]), promised: true, fill: "black",
    picture: { ...bytes(72, 99), shape: [4, 6, 3] }, fill_pictures: bytes(9, 7), fill_sizes: [[1, 1], [1, 1], [1, 1]],
    paint: EMPTY, request: {}, reply: {}, alive: "",
    answer: { id: "", paint: EMPTY, fill: "black", before: 3, now: 3, whole: null, rows: [row(HOSTILE, "target", 0.9, 0.9), row("cat", "class", 0.1, 0.1)] },
    ...more,
  };
}

fakeScreen();

async function show(model: FakeModel) {
  const el = document.createElement("div");
  document.body.append(el);
  const link = fakeLink();
  const abort = new AbortController();
  await render({ model, el, host: fakeHost({ a: link }), signal: abort.signal });
  const stage = () => el.querySelector(".salw-stage") as HTMLElement;
  const press = (key: string, more: KeyboardEventInit = {}) =>
    stage().dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
  return { el, link, abort, press, text: (s: string) => el.querySelector(s)?.textContent ?? "", request: () => model.state["request"] as Record<string, string> };
}

/** The kernel says hello. */
async function wake(model: FakeModel) {
  model.set("alive", (model.state["request"] as { id: string }).id);
  await frame();
}

describe("paint", () => {
  it("is written as numpy's packbits writes it, and read back", () => {
    const paint = new Paint({ rows: 2, cols: 5 });
    paint.on.set([1, 0, 0, 0, 0, 1, 0, 1, 1, 0]);
    expect(paint.code()).toBe("8580");
    const other = new Paint({ rows: 2, cols: 5 });
    expect(other.read("8580")).toBe(true);
    expect([...other.on]).toEqual([...paint.on]);
    expect(other.read("85")).toBe(false);
    expect(other.read("zz80")).toBe(false);
  });
  it("leaves no gap along a line, and one undo takes a stroke back", () => {
    const paint = new Paint({ rows: 3, cols: 9 });
    paint.begin();
    paint.line({ r: 1, c: 0 }, { r: 1, c: 8 }, 1, 1);
    expect([...paint.on].reduce((a, b) => a + b)).toBe(9);
    paint.clear();
    expect(paint.empty).toBe(true);
    expect(paint.undo()).toBe(true);
    expect(paint.share()).toBeCloseTo(1 / 3);
    paint.undo();
    expect(paint.undo()).toBe(false);
  });
  it("puts the fill on the pixels of its cells", () => {
    const paint = new Paint({ rows: 2, cols: 2 });
    paint.on[1] = 1;
    const fill = { rows: 1, cols: 1, data: new Uint8Array([1, 2, 3]) };
    const { data } = painted({ rows: 2, cols: 4, data: new Uint8Array(24).fill(9) }, fill, paint);
    expect([...data]).toEqual([9, 9, 9, 9, 9, 9, 1, 2, 3, 1, 2, 3, ...Array(12).fill(9)]);
  });
});

describe("the newest request", () => {
  it("waits for the one at work, takes the place of older ones, and is not held up by silence", () => {
    vi.useFakeTimers();
    const sent: Record<string, unknown>[] = [];
    let reply: Reply | null = null;
    const kernel = { alive: true, send: (r: Record<string, unknown>) => `id${sent.push(r)}`, reply: () => reply };
    const waiting = createWaiting(() => kernel, () => {}, new AbortController().signal);
    const say = (id: string, state: string, share = 0) => {
      reply = { id, state, text: "", share };
      waiting.heard();
    };
    waiting.ask({ n: 1 });
    waiting.ask({ n: 2 });
    waiting.ask({ n: 3 });
    expect(sent).toEqual([{ n: 1 }]);
    say("id9", "done");
    expect(sent.length).toBe(1); // an answer to somebody else
    vi.advanceTimersByTime(3000);
    say("id1", "working", 0.5);
    vi.advanceTimersByTime(3000);
    expect(waiting.state()).toBe("working");
    vi.advanceTimersByTime(1500);
    expect(waiting.state()).toBe("silent");
    say("id1", "working", 0.6);
    expect(waiting.state()).toBe("working");
    say("id1", "done");
    expect(sent).toEqual([{ n: 1 }, { n: 3 }]);
    vi.advanceTimersByTime(4500);
    waiting.ask({ n: 4 });
    expect(sent.length).toBe(3);
  });
});

describe("the eraser", () => {
  it("says what the map predicts without a kernel, and that scores need one", async () => {
    const model = fakeModel(eraserState());
    const { press, text, el, abort, link } = await show(model);
    const saved = model.saves;
    link.set("cursor", { row: 3, col: 1, pinned: false });
    press("[");
    for (let i = 0; i < 5; i++) press("[");
    press(" ");
    await frame();
    expect(model.state["paint"]).toBe("10"); // cell (1, 0)
    expect(model.saves).toBe(saved + 1);
    expect(text(".salw-told")).toContain("score should change by \u22122.00 logits");
    expect(text(".salw-told")).toContain("400\u202f% of its sum");
    expect(text(".salw-status")).toContain("need a running kernel");
    expect(el.querySelector(".salw-scores")?.classList.contains("salw-stale")).toBe(true);
    press("z", { ctrlKey: true });
    await frame();
    expect(model.state["paint"]).toBe(EMPTY);
    expect(el.innerHTML).not.toContain("<img");
    abort.abort();
    expect(model.listeners()).toBe(0);
  });
  it("asks while it is painted on, and shows the answer for this paint only", async () => {
    const model = fakeModel(eraserState());
    const { press, text, request, link } = await show(model);
    await wake(model);
    link.set("cursor", { row: 0.5, col: 0.5, pinned: false });
    for (let i = 0; i < 6; i++) press("[");
    press(" ");
    await frame();
    const first = request();
    expect(first).toMatchObject({ do: "score", paint: "80", fill: "black" });
    press("ArrowRight", { shiftKey: true });
    await frame();
    expect(request()).toBe(first); // one at a time
    const old = model.state["answer"] as Record<string, unknown>;
    model.set("answer", { ...old, id: first["id"], paint: "80", now: 1, whole: 0 });
    model.set("reply", { id: first["id"], state: "done", text: "" });
    await frame();
    expect(text(".salw-status")).toContain("Asking");
    expect(request()).toMatchObject({ do: "score", paint: "c0" });
    model.set("answer", { ...old, id: request()["id"], paint: "c0", now: 2, whole: 0, rows: [{ name: "cat", kind: "foil", before: 0.1, now: 0.4 }] });
    model.set("reply", { id: request()["id"], state: "done", text: "" });
    await frame();
    expect(text(".salw-told")).toContain("changes by \u22121.00 logits, from +3.00 to +2.00");
    expect(text(".salw-told")).toContain("33\u202f% of what paint over everything does");
    expect(text(".salw-scores tbody")).toContain("+30.0");
    expect(text(".salw-live")).toContain("changes by");
  });
  it("shows an error as text and keeps what it has", async () => {
    const model = fakeModel(eraserState());
    const { press, text, request, link, el } = await show(model);
    await wake(model);
    link.set("cursor", { row: 0.5, col: 0.5, pinned: false });
    press(" ");
    await frame();
    model.set("reply", { id: request()["id"], state: "failed", text: HOSTILE });
    await frame();
    expect(text("[role=alert]")).toBe(HOSTILE);
    expect(el.innerHTML).not.toContain("<img");
    expect(text(".salw-scores tbody")).toContain("cat");
  });
  it("follows paint from Python, and paints the region that another view brushed", async () => {
    const model = fakeModel(eraserState());
    const { text, el, link } = await show(model);
    model.set("paint", "fc");
    await frame();
    expect(text(".salw-told")).toContain("100\u202f% of the picture");
    link.set("selection", { kind: "box", box: [0, 0, 2, 6], source: "x" });
    await frame();
    model.set("paint", EMPTY);
    const button = [...el.querySelectorAll("button")].find((b) => b.textContent === "Paint the region") as HTMLElement;
    button.click();
    await frame();
    expect(model.state["paint"]).toBe("e0");
  });
});
