// Explanations in words: sentences with their verdicts, tied both ways to every linked map.
// A sentence under the pointer or the focus lights its units; a brushed region lights the sentences about it.
import { follow, h, listen, onFrame, root, say, show, uid } from "../dom";
import { connectKernel, type Kernel } from "../kernel";
import { areaPath, edgePath, union } from "../outline";
import { copyText } from "../parts/copy";
import { createLive } from "../parts/readout";
import { createSentences, type SentenceList } from "../parts/sentences";
import { about, choose, failure, readPassages, type Passage, type Variant, type Wanted } from "../passages";
import { connect, type Shared } from "../shared";
import type { Highlight, Model, Mount, Selection } from "../types";

const LENGTHS = [["line", "One line"], ["paragraph", "Paragraph"], ["report", "Report"]] as const;
const AUDIENCES = [["layperson", "Layperson"], ["expert", "Expert"]] as const;

type Menu = { el: HTMLElement; select: HTMLSelectElement };

function menu(label: string, options: readonly (readonly [string, string])[], change: (value: string) => void, signal: AbortSignal): Menu {
  const id = uid();
  const select = h("select", { id }, ...options.map(([value, text]) => h("option", { value }, text)));
  listen(select, "change", () => change(select.value), signal);
  return { el: h("div", { class: "salw-field" }, h("label", { for: id }, label), select), select };
}

/** What is wanted lives in the model's traits, so that Python sees it. */
function wanted(model: Model): Wanted {
  return { by: String(model.get("by")), length: String(model.get("length")), audience: String(model.get("audience")) };
}

type Shape = Pick<Highlight, "area" | "edge">;

/** Lights units in the linked maps. Shapes are made once per sentence. */
class Lamp {
  private shapes = new WeakMap<Passage, Map<string, Shape>>();
  pinned: string | null = null;

  constructor(private shared: Shared, private source: string) {}

  get key(): string | null {
    const now = this.shared.get<Highlight | null>("highlight");
    return now?.source === this.source ? now.key : null;
  }

  light(key: string | null, passage?: Passage, units: readonly number[] = [], relation = "none"): void {
    if (key === null || !passage || !units.length) {
      if (this.key !== null) this.shared.set("highlight", null);
      return;
    }
    if (this.key === key) return;
    this.shared.set("highlight", { source: this.source, key, relation, ...this.shape(passage, units) });
  }

  /** Make shapes before they are asked for, one at a time, so that the first hover is as quick as the second. */
  prepare(passages: readonly Passage[], signal: AbortSignal): void {
    const todo = passages.flatMap((p) => p.variants.flatMap((v) => v.sentences.map((s) => [p, s.units] as const)));
    const next = () => {
      const job = todo.find(([p, units]) => units.length && !this.of(p).has(units.join()));
      if (!job || signal.aborted) return;
      this.shape(...job);
      setTimeout(next);
    };
    setTimeout(next);
  }

  /** Shapes of this passage; when texts are read again they are other passages, with shapes of their own. */
  private of(passage: Passage): Map<string, Shape> {
    const found = this.shapes.get(passage) ?? new Map<string, Shape>();
    this.shapes.set(passage, found);
    return found;
  }

  private shape(passage: Passage, units: readonly number[]): Shape {
    let shape = this.of(passage).get(units.join());
    if (!shape) {
      const parts = units.flatMap((i) => passage.units[i] ?? []);
      const mask = union(parts.map((u) => u.cells), parts[0] ?? { rows: 0, cols: 0 });
      shape = { area: areaPath(mask, passage.image), edge: edgePath(mask, passage.image) };
      this.of(passage).set(units.join(), shape);
    }
    return shape;
  }
}

interface Block {
  list: SentenceList;
  el: HTMLElement;
  draw(passage: Passage, index: number): void;
  variant(): Variant | undefined;
  mark(passage: Passage): number;
}

function createBlock(index: number, model: Model, shared: Shared, lamp: Lamp, redraw: () => void, titled: boolean,
  passages: () => Passage[], signal: AbortSignal): Block {
  const key = (i: number) => `${index}.${i}`;
  let shown: Variant | undefined;
  const lit = (i: number | null) => {
    const said = i === null ? undefined : shown?.sentences[i];
    return said ? lamp.light(key(i as number), passages()[index], said.units, said.relation) : lamp.light(null);
  };
  const rest = () => (lamp.pinned?.startsWith(`${index}.`) ? lit(Number(lamp.pinned.split(".")[1])) : lamp.light(null));
  const list = createSentences({
    over: (i) => (i === null || !shown?.sentences[i]?.units.length ? rest() : lit(i)),
    pick(i) {
      lamp.pinned = lamp.pinned === key(i) ? null : key(i);
      lit(lamp.pinned === null ? null : i);
      redraw();
    },
  }, signal);
  const title = h("div", { class: "salw-panel-title", role: "heading", "aria-level": 3 });
  const error = h("p", { class: "salw-failed", hidden: true });
  const notices = h("ul", { class: "salw-notices", "aria-label": "Notices" });
  const el = h("div", { class: "salw-passage" }, titled && title, error, list.el, notices);
  const own = (name: string | null) => (name?.startsWith(`${index}.`) ? Number(name.split(".")[1]) : null);
  return {
    el,
    list,
    draw(passage) {
      const now = wanted(model);
      const next = choose(passage, now);
      if (next !== shown && own(lamp.key) !== null) lamp.light(null); // the sentence is gone
      if (next !== shown && own(lamp.pinned) !== null) lamp.pinned = null;
      shown = next;
      if (next) list.draw(next, Boolean(model.get("figures")));
      list.el.setAttribute("aria-label", passage.title);
      say(title, passage.title);
      const why = failure(passage, now);
      show(error, Boolean(why));
      say(error, why && `${why} Shown is the template\u2019s text.`);
      notices.replaceChildren(...(next?.notices ?? []).map((text) => h("li", {}, text)));
      show(notices, notices.childElementCount > 0);
    },
    variant: () => shown,
    mark(passage) {
      const box = shared.get<Selection | null>("selection")?.box ?? null;
      const near = new Set<number>();
      if (box) {
        const units = new Set(passage.units.flatMap((u, i) => (about(u, passage.image, box) ? [i] : [])));
        shown?.sentences.forEach((said, i) => said.units.some((u) => units.has(u)) && near.add(i));
      }
      list.mark(own(lamp.key), own(lamp.pinned), near);
      return near.size;
    },
  };
}

/** Template or language model, length, audience; and the button that asks the model, or stops it. */
function createAsking(model: Model, kernel: () => Kernel, signal: AbortSignal) {
  const set = (name: string) => (value: string) => {
    model.set(name, value);
    model.save_changes();
  };
  const llm = String(model.get("llm"));
  const given = (model.get("passages") as { variants: Variant[] }[]).some((p) => p.variants.some((v) => v.by === "given"));
  const by = menu("Written by", [...(given ? [["given", "As given"]] as const : []), ["template", "Template"],
    ["llm", llm || "Language model"]], set("by"), signal);
  const length = menu("Length", LENGTHS, set("length"), signal);
  const audience = menu("For", AUDIENCES, set("audience"), signal);
  const ask = h("button", { type: "button", class: "salw-ask" });
  const why = h("p", { class: "salw-note" });
  const busy = () => kernel().reply()?.state === "writing";
  let sent = "";
  listen(ask, "click", () => {
    if (busy()) kernel().send({ do: "stop", of: kernel().reply()?.id });
    else sent = kernel().send({ do: "write", length: wanted(model).length, audience: wanted(model).audience });
    draw();
  }, signal);
  const option = [...by.select.options].find((o) => o.value === "llm") as HTMLOptionElement;
  const written = () => (model.get("passages") as { variants: Variant[] }[]).some((p) => p.variants.some((v) => v.by === "llm"));
  function reason(): string {
    if (!llm) return "No language model: give one with writer=sw.LLMWriter(\u2026).";
    return kernel().alive ? "" : `${llm} can only be asked with a running kernel.`;
  }
  function draw() {
    const now = wanted(model);
    by.select.value = now.by;
    length.select.value = now.length;
    audience.select.value = now.audience;
    const free = now.by !== "given";
    length.select.disabled = audience.select.disabled = !free;
    option.disabled = Boolean(reason()) && !written();
    say(why, reason());
    const reply = kernel().reply();
    const waiting = sent !== "" && reply?.id !== sent;
    if (reply?.id === sent) sent = "";
    say(ask, busy() ? "Cancel" : waiting ? "Asking\u2026" : `Ask ${llm}`);
    ask.disabled = waiting;
    show(ask, now.by === "llm" && kernel().alive && Boolean(llm));
  }
  return { el: h("div", { class: "salw-asking" }, by.el, length.el, audience.el, ask), why, draw, busy };
}

function createCopying(blocks: readonly Block[], tell: (text: string) => void, signal: AbortSignal): HTMLElement[] {
  return (["Markdown", "LaTeX"] as const).map((form) => {
    const button = h("button", { type: "button" }, `Copy as ${form}`);
    listen(button, "click", () => {
      const text = blocks.map((b) => b.variant()?.[form === "Markdown" ? "markdown" : "latex"] ?? "").join("\n\n");
      void copyText(text).then((done) => tell(done ? `Copied as ${form}.` : "This browser does not let a page copy text."));
    }, signal);
    return button;
  });
}

const ENDS: Readonly<Record<string, string>> = { done: "The text is written.", stopped: "Stopped.", failed: "The language model gave no text." };

export const mount: Mount = async (el, model, host, signal) => {
  const shared = await connect(model, host, signal);
  if (signal.aborted) return;
  let passages = readPassages(model);
  const lamp = new Lamp(shared, String(model.get("source")));
  const live = createLive();
  const frames: { all: () => void; mark: () => void } = { all: () => {}, mark: () => {} };
  let kernel: Kernel | null = null;
  const nobody: Kernel = { alive: false, send: () => "", reply: () => null };
  const asking = createAsking(model, () => kernel ?? nobody, signal);
  const blocks = passages.map((_, i) => createBlock(i, model, shared, lamp, () => frames.mark(), passages.length > 1, () => passages, signal));
  const figures = h("input", { type: "checkbox" });
  const told = h("p", { class: "salw-note" });
  const stream = h("p", { class: "salw-stream", hidden: true });
  const tell = (text: string) => {
    say(told, text);
    live.say(text);
  };
  const frame = root("narrative", signal,
    h("div", { class: "salw-head", role: "heading", "aria-level": 2 }, String(model.get("title"))),
    asking.el, asking.why, stream, h("div", { class: "salw-passages" }, ...blocks.map((b) => b.el)),
    h("div", { class: "salw-row" }, ...createCopying(blocks, tell, signal),
      h("label", { class: "salw-tick" }, figures, "show the figures behind each sentence")),
    told, live.el);
  el.append(frame);

  const drawAll = () => {
    asking.draw();
    figures.checked = Boolean(model.get("figures"));
    passages.forEach((passage, i) => blocks[i]?.draw(passage, i));
    const reply = kernel?.reply() ?? null;
    show(stream, asking.busy());
    frame.setAttribute("aria-busy", String(asking.busy()));
    if (asking.busy()) say(stream, reply?.text || "The language model is writing\u2026");
    drawMarks();
  };
  const drawMarks = () => {
    const count = passages.reduce((n, passage, i) => n + (blocks[i]?.mark(passage) ?? 0), 0);
    const all = blocks.reduce((n, b) => n + (b.variant()?.sentences.length ?? 0), 0);
    const brushed = Boolean(shared.get<Selection | null>("selection"));
    if (brushed !== marked.brushed || count !== marked.count) {
      tell(brushed ? `${count || "None"} of ${all} sentences ${count === 1 ? "is" : "are"} about the region.` : "");
    }
    marked = { brushed, count };
  };
  let marked = { brushed: false, count: 0 };
  let state = "";
  frames.all = onFrame(drawAll, signal);
  frames.mark = onFrame(drawMarks, signal);
  kernel = connectKernel(model, () => {
    const now = kernel?.reply()?.state ?? "";
    if (now !== state && now in ENDS && state === "writing") tell(ENDS[now] as string);
    else if (now !== state && now === "writing") tell("The language model is writing.");
    state = now;
    frames.all();
  }, signal);
  listen(figures, "change", () => {
    model.set("figures", figures.checked);
    model.save_changes();
  }, signal);
  listen(frame, "keydown", (event) => {
    if (event.key !== "Escape") return;
    lamp.pinned = null;
    lamp.light(null);
    frames.mark();
  }, signal);
  const reread = () => {
    passages = readPassages(model);
    lamp.prepare(passages, signal);
    frames.all();
  };
  follow(model, { passages: reread, cells: reread, by: frames.all, length: frames.all, audience: frames.all, figures: frames.all }, signal);
  shared.on("selection", frames.mark);
  shared.on("highlight", frames.mark);
  signal.addEventListener("abort", () => lamp.light(null));
  drawAll();
  lamp.prepare(passages, signal);
};
