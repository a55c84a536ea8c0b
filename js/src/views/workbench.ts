// Everything joined: pictures, a question in words, methods, maps, tree, scores and sentences. The views inside are the ones
// that stand alone elsewhere; this one asks the kernel, and says what it does.
import type { Asked } from "../asking";
import { tell } from "../asking";
import { readAtlas } from "../atlas";
import { answers, keyOf, statusOf, type Wanted } from "../benching";
import { readNodes } from "../classnodes";
import { follow, h, listen, root, say, show } from "../dom";
import { percent } from "../format";
import { connectKernel, type Kernel } from "../kernel";
import { createAskBar } from "../parts/askbar";
import { noticeList } from "../parts/facts";
import { createMethodList, type MethodChoice } from "../parts/methodlist";
import { createLive } from "../parts/readout";
import { createStrip } from "../parts/strip";
import { connect } from "../shared";
import type { Host, Model, Mount } from "../types";
import { createWaiting } from "../waiting";
import { mount as tree } from "./classtree";
import { mount as maps } from "./comparison";
import { mount as eraser } from "./eraser";
import { mount as words } from "./narrative";

/** Changes that come one after the other are one question. */
const TOGETHER = 60;

/** Pixels of a map at first: few stand side by side. */
const MAP = 232;

const INSIDE: Readonly<Record<string, Mount>> = { eraser, maps, tree, words };

interface Slot {
  el: HTMLElement;
  ref: string;
  abort: AbortController;
}

/** The views inside; one that is replaced stays until its successor is drawn. */
function createSlots(host: Host, signal: AbortSignal, changed: (name: string, model: Model) => void) {
  const slots = Object.fromEntries(Object.keys(INSIDE).map((name) => [name, { el: h("div", { class: `salw-inside salw-inside-${name}` }), ref: "",
    abort: new AbortController() } as Slot]));
  signal.addEventListener("abort", () => Object.values(slots).forEach((slot) => slot.abort.abort()));
  const fill = async (name: string, slot: Slot, ref: string) => {
    if (slot.ref === ref || signal.aborted) return;
    slot.ref = ref;
    const model = await host.getModel(ref);
    if (slot.ref !== ref || signal.aborted) return;
    const [abort, before] = [new AbortController(), slot.abort];
    slot.abort = abort;
    const old = [...slot.el.children];
    const next = h("div");
    slot.el.append(next);
    await (INSIDE[name] as Mount)(next, model, host, abort.signal);
    before.abort();
    old.forEach((child) => child.remove());
    if (!signal.aborted) changed(name, model);
  };
  const empty = (slot: Slot) => {
    slot.ref = "";
    slot.abort.abort();
    slot.el.replaceChildren();
  };
  return {
    el: (name: string) => (slots[name] as Slot).el,
    draw: (refs: Readonly<Record<string, string>>) => Promise.all(Object.entries(slots).map(([name, slot]) => (refs[name] ? fill(name, slot, refs[name]) : empty(slot)))),
  };
}

function createScoreTable() {
  const body = h("tbody");
  const table = h("table", {}, h("caption", {}, "Probability of the question\u2019s sides, the groups above and the likeliest classes"),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Class or group"), h("th", { scope: "col" }, "Probability"))), body);
  const kinds: Readonly<Record<string, string>> = { target: "target", foil: "foil", group: "group" };
  return {
    el: h("div", { class: "salw-scores" }, table),
    draw: (rows: readonly { name: string; kind: string; p: number }[]) => body.replaceChildren(...rows.map(({ name, kind, p }) =>
      h("tr", {}, h("th", { scope: "row" }, h("span", {}, name), kinds[kind] && h("em", {}, ` ${kinds[kind]}`),
        h("span", { class: "salw-score-bar", "aria-hidden": "true", style: `--salw-before:0;--salw-now:${p}` })), h("td", {}, percent(p))))),
  };
}

export const mount: Mount = async (el, model, host, signal) => {
  const [shared, atlas] = await Promise.all([connect(model, host, signal), readAtlas(model.get("sheet"))]);
  if (signal.aborted) return;
  let kernel: Kernel | null = null;
  const shown = () => model.get("shown") as Wanted;
  const wanted = (): Wanted => {
    const asked = shared.get<Asked | null>("question") ?? shown();
    return { target: asked.target, foil: asked.foil, index: Number(model.get("index")), methods: model.get("methods") as string[],
      lead: String(model.get("lead")), erasing: Boolean(model.get("erasing")) };
  };
  let latest = keyOf(model.get("asked_for") as Wanted);
  let timer: ReturnType<typeof setTimeout> | undefined;
  signal.addEventListener("abort", () => clearTimeout(timer));
  const ask = (again = false) => {
    const now = wanted();
    if (!kernel?.alive || signal.aborted || (!again && keyOf(now) === latest)) return;
    latest = keyOf(now);
    waiting.insist({ do: "ask", ...now });
  };
  const askSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, TOGETHER);
    draw();
  };
  const set = (name: string, value: unknown) => {
    model.set(name, value);
    model.save_changes();
  };

  const waiting = createWaiting(() => kernel as Kernel, () => draw(), signal);
  const bar = createAskBar((target, foil) => tell(shared, { target, foil, source: String(model.get("source")) }, true), signal);
  const strip = createStrip(atlas, model.get("labels") as string[], (i) => set("index", i), signal);
  const methods = createMethodList(model.get("available") as MethodChoice[], (chosen) => set("methods", chosen), (lead) => set("lead", lead), signal);
  const scores = createScoreTable();
  let pixels = MAP;
  const slots = createSlots(host, signal, (name, part) => {
    if (name === "maps") return size();
    if (name !== "tree") return;
    bar.setNodes(readNodes(part));
    draw();
  });
  /** Maps keep the size that the reader gave them, also those of another answer. */
  const size = () => {
    const range = slots.el("maps").querySelector<HTMLInputElement>(".salw-compare input[type=range]");
    if (!range) return;
    range.value = String(pixels);
    range.dispatchEvent(new Event("input", { bubbles: true }));
    range.addEventListener("input", () => (pixels = Number(range.value)), { signal });
  };

  const head = h("div", { class: "salw-head", role: "heading", "aria-level": 2 });
  const controls = h("fieldset", { class: "salw-bench-controls" }, h("legend", { class: "salw-live" }, "What is asked"), strip.el, bar.el, methods.el);
  const line = h("p", { class: "salw-note salw-status", role: "status" });
  const progress = h("progress", { max: 1, "aria-label": "Answered so far" });
  const stop = h("button", { type: "button" }, "Stop");
  const again = h("button", { type: "button" }, "Ask again");
  const failed = h("p", { class: "salw-failed", role: "alert", hidden: true });
  const failures = h("div");
  const live = createLive();
  const noPaint = h("p", { class: "salw-note" }, "Painting needs a running kernel.");
  const paint = h("details", { class: "salw-fold salw-bench-paint" }, h("summary", {}, "Erase a part, and see the scores change"), noPaint, slots.el("eraser"));
  listen(paint, "toggle", () => kernel?.alive && paint.open !== Boolean(model.get("erasing")) && set("erasing", paint.open), signal);
  listen(stop, "click", () => waiting.stop(), signal);
  listen(again, "click", () => ask(true), signal);
  const part = (title: string, ...inside: HTMLElement[]) =>
    h("div", { class: "salw-bench-part" }, h("div", { class: "salw-panel-title", role: "heading", "aria-level": 3 }, title), ...inside);
  el.append(root("workbench", signal, head, controls,
    h("div", { class: "salw-row salw-bench-status" }, progress, line, stop, again), failed, failures,
    slots.el("maps"),
    h("div", { class: "salw-bench-below" }, h("div", {}, part("In words", slots.el("words")), part("Scores", scores.el)), part("Class tree", slots.el("tree"))), paint,
    live.el));

  function draw(): void {
    const now = wanted();
    const said = statusOf({ alive: Boolean(kernel?.alive), state: waiting.state(), reply: waiting.reply(), fresh: answers(shown(), now), wanted: now, shown: shown() });
    controls.disabled = !kernel?.alive;
    strip.draw(now.index, controls.disabled);
    bar.draw(now.target, now.foil);
    methods.draw(now.methods, now.lead || shown().lead, controls.disabled);
    say(line, said.text);
    say(failed, said.failed);
    show(failed, said.failed !== "");
    progress.value = said.share ?? 0;
    show(progress, said.share !== null);
    show(stop, said.share !== null);
    show(again, said.again);
    if (now.erasing) paint.open = true;
    show(noPaint, !kernel?.alive && !now.erasing);
  }
  const drawAnswer = () => {
    const title = String(model.get("title"));
    if (head.textContent && head.textContent !== title) live.say(`Answered: ${title}`);
    say(head, title);
    scores.draw(model.get("scores") as { name: string; kind: string; p: number }[]);
    failures.replaceChildren(noticeList(model.get("failures") as string[]) ?? "");
  };
  const refill = () => void slots.draw(model.get("parts") as Record<string, string>);
  const answered = () => {
    drawAnswer();
    draw();
  };
  follow(model, { index: askSoon, methods: askSoon, lead: askSoon, erasing: askSoon, parts: refill, shown: answered, title: answered, scores: drawAnswer, failures: drawAnswer,
    asked_for: () => {
      const now = model.get("asked_for") as Wanted;
      if (waiting.state() !== "working") { // Python asked, or another tab, whose question does not come through the link
        latest = keyOf(now);
        tell(shared, { target: now.target, foil: now.foil, source: String(model.get("source")) }, true);
      }
      draw();
    } }, signal);
  shared.on("question", askSoon);
  answered();
  await slots.draw(model.get("parts") as Record<string, string>);
  if (signal.aborted) return;
  kernel = connectKernel(model, () => {
    waiting.heard();
    draw();
  }, signal);
};
