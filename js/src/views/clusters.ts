// Many images as points: legend, lasso, previews, and beside them the picked cluster or the picked images.
import { readAtlas, type Atlas } from "../atlas";
import { paint, pixelTable } from "../colormap";
import { follow, h, listen, onFrame, root, say, show } from "../dom";
import { percent } from "../format";
import { pickedOf } from "../lit";
import { makeMark, stamp } from "../marks";
import { createColorBar } from "../parts/colorbar";
import { createLive } from "../parts/readout";
import { createScatter, isDark, type How, type Scatter, type Scene } from "../parts/scatter";
import { neighbour } from "../scatter";
import { connect, type Shared } from "../shared";
import type { Model, Mount, Picked, ScaleState } from "../types";
import { float32, uint16, uint32, uint8 } from "../wire";

interface GroupState {
  size: number;
  accuracy: number | null;
  probability: number | null;
  share: number | null;
  sentence: string;
  exemplar: number;
}

interface About {
  noun: string;
  figure: string;
  axes: string;
  none: string;
}

const SHOWN = 24; // pictures beside the points
const STEPS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0],
};
const KEYS: readonly (readonly [string, string])[] = [
  ["Arrows", "go to the nearest image that way"], ["Space", "pick the image, or drop it"], ["Enter", "show its cluster"],
  ["a", "pick all of its cluster"], ["i and o", "zoom in and out"], ["Ctrl + arrows", "move the view"], ["0", "show all"], ["Esc", "clear"],
  ["Drag", "lasso; with Ctrl add, with Alt take away; with Shift move the view"], ["Ctrl + wheel", "zoom"],
];

function readPoints(model: Model) {
  const places = float32(model.get("points")).data;
  const of = Int32Array.from(uint16(model.get("of")).data, (k) => (k === 65535 ? -1 : k));
  const correct = uint8(model.get("correct")).data; // 255: not known
  const maps = float32(model.get("maps"));
  return { places, of, correct, hollow: Uint8Array.from(correct, (v) => Number(v === 0)), edges: uint32(model.get("edges")).data, maps };
}

class View {
  #model: Model;
  #shared: Shared;
  #atlas: Atlas;
  #signal: AbortSignal;
  #data: ReturnType<typeof readPoints>;
  #groups: GroupState[];
  #about: About;
  #captions: string[];
  #count: number;
  #scatter: Scatter;
  #scene: Scene;
  #state: Uint8Array;
  #active = -1;
  #draft: number[] | null = null; // what the lasso holds while it is drawn
  #before: readonly number[] = [];
  #live = createLive();
  #preview = h("div", { class: "salw-preview", hidden: true });
  #small: HTMLCanvasElement;
  #words = h("p");
  #status = h("p", { class: "salw-note" });
  #card = h("div", { class: "salw-card" });
  #legend = h("ul", { class: "salw-groups" });
  #table = h("tbody");
  #bar = createColorBar();
  #swatches: HTMLCanvasElement[] = [];

  constructor(model: Model, shared: Shared, atlas: Atlas, signal: AbortSignal) {
    [this.#shared, this.#atlas, this.#signal] = [shared, atlas, signal];
    this.#model = model;
    this.#data = readPoints(model);
    this.#count = this.#data.of.length;
    this.#groups = model.get("groups") as GroupState[];
    this.#about = model.get("about") as About;
    this.#captions = model.get("captions") as string[];
    this.#state = new Uint8Array(this.#count).fill(2);
    this.#scene = { ...this.#data, state: this.#state, showEdges: false };
    this.#small = atlas.canvas();
    this.#preview.append(...(atlas.tile[0] ? [this.#small] : []), this.#words);
    const label = `${this.#count.toLocaleString("en")} images as points in ${this.#groups.length} ${plural(this.#about.noun, this.#groups.length)}. Arrow keys go from image to image.`;
    this.#scatter = createScatter(this.#scene, label, {
      hover: (i) => this.#point(i, false),
      click: (i) => this.#click(i),
      lasso: (found, how, done) => this.#lasso(found, how, done),
    }, signal);
    this.#scatter.layer.append(this.#preview);
  }

  #names = () => this.#model.get("names") as string[];
  #selected = () => this.#draft ?? (this.#model.get("selected") as number[]);
  #cluster = () => this.#model.get("cluster") as number;
  #nameOf = (k: number) => (k < 0 ? this.#about.none : (this.#names()[k] as string));
  #hidden = () => new Set(this.#model.get("hidden") as number[]);

  #set(traits: Record<string, unknown>): void {
    for (const [name, value] of Object.entries(traits)) this.#model.set(name, value);
    this.#model.save_changes();
  }

  /** Picked images: one message to Python, and the linked views hear of their pictures. */
  #pick(selected: number[], more: Record<string, unknown> = {}): void {
    this.#draft = null;
    this.#set({ selected, ...more });
    const keys = this.#model.get("picture_keys") as string[];
    const source = String(this.#model.get("source"));
    this.#shared.set("picked", selected.length ? { source, keys: keys.length ? selected.flatMap((i) => (keys[i] as string).split(" ")) : [] } : null);
  }

  mountOn(el: HTMLElement): void {
    const signal = this.#signal;
    const button = (text: string, label: string, act: () => void) => {
      const made = h("button", { type: "button", "aria-label": label, title: label }, text);
      listen(made, "click", act, signal);
      return made;
    };
    const drag = h("select", { "aria-label": "Dragging" }, h("option", { value: "lasso" }, "drag: lasso"), h("option", { value: "pan" }, "drag: move"));
    listen(drag, "change", () => (this.#scatter.drags = drag.value as "lasso" | "pan"), signal);
    const edges = h("input", { type: "checkbox" });
    listen(edges, "change", () => {
      this.#scene.showEdges = edges.checked;
      this.#scatter.draw();
    }, signal);
    const bars = h("div", { class: "salw-row" }, drag, button("+", "Zoom in", () => this.#scatter.zoom(1.5)), button("\u2212", "Zoom out", () => this.#scatter.zoom(1 / 1.5)),
      button("All", "Show all points", () => this.#scatter.show()), button("Picked", "Show what is picked", () => this.#scatter.show(this.#shown())),
      button("Clear", "Pick nothing", () => this.#clear()),
      this.#data.edges.length > 0 && h("label", { class: "salw-tick" }, edges, "neighbours"));
    const known = [this.#data.correct.includes(0) ? "Hollow marks: wrong answers." : "", this.#about.axes].filter(Boolean).join(" ");
    el.append(root("clusters", signal, h("div", { class: "salw-head", role: "heading", "aria-level": 2 }, String(this.#model.get("title"))),
      h("div", { class: "salw-body" },
        h("div", { class: "salw-left" }, bars, this.#scatter.el, this.#status, known && h("p", { class: "salw-note" }, known)),
        h("div", { class: "salw-side" }, h("p", { class: "salw-note salw-figures" }, this.#groups.some((g) => g.accuracy !== null) ? `images \u00b7 ${this.#about.figure.toLowerCase()}` : "images"), this.#legend, this.#card, this.#alternative(), help())), this.#live.el));
    this.#makeLegend();
    listen(this.#scatter.el, "keydown", (event) => this.#key(event), signal);
    listen(this.#scatter.el, "focus", () => this.#active < 0 && this.#point(this.#first(), true), signal);
    const draw = onFrame(() => this.#draw(), signal);
    follow(this.#model, { selected: draw, cluster: draw, hidden: draw, names: draw }, signal);
    this.#shared.on("picked", () => this.#take());
    this.#draw();
  }

  #makeLegend(): void {
    const nobody = this.#data.of.includes(-1);
    const rows = [...this.#groups.keys(), ...(nobody ? [-1] : [])].map((k) => {
      const bit = k < 0 ? this.#groups.length : k;
      const swatch = h("canvas", { class: "salw-swatch", width: 28, height: 28, "aria-hidden": "true" });
      this.#swatches[bit] = swatch;
      const box = h("input", { type: "checkbox", checked: true });
      listen(box, "change", () => this.#set({ hidden: (this.#model.get("hidden") as number[]).filter((j) => j !== bit).concat(box.checked ? [] : [bit]) }), this.#signal);
      const name = h("button", { type: "button", class: "salw-group-name", "aria-pressed": "false", disabled: k < 0 }, "");
      listen(name, "click", () => this.#show(this.#cluster() === k ? -1 : k), this.#signal);
      return h("li", {}, box, swatch, name, h("span", { class: "salw-group-figure" }));
    });
    this.#legend.replaceChildren(...rows);
  }

  #show(cluster: number): void {
    this.#pick([], { cluster });
  }

  #clear(): void {
    this.#show(-1);
    this.#live.say("Nothing is picked.");
  }

  /** points that are shown full because they are picked; empty: nothing is */
  #shown(): number[] {
    const selected = this.#selected();
    const k = this.#cluster();
    return selected.length || k < 0 ? [...selected] : this.#members(k);
  }

  #members(k: number): number[] {
    const found: number[] = [];
    this.#data.of.forEach((of, i) => of === k && found.push(i));
    return found;
  }

  /** Which points are drawn, and how. */
  #restate(): void {
    const hidden = this.#hidden();
    const [selected, k] = [this.#selected(), this.#cluster()];
    const { of } = this.#data;
    const none = this.#groups.length;
    for (let i = 0; i < this.#count; i++) {
      const group = of[i] as number;
      this.#state[i] = hidden.has(group < 0 ? none : group) ? 0 : selected.length ? 1 : k < 0 || group === k ? 2 : 1;
    }
    for (const i of selected) if (this.#state[i]) this.#state[i] = 2;
    this.#scatter.draw();
  }

  #draw(): void {
    this.#restate();
    const [hidden, names, dark] = [this.#hidden(), this.#names(), isDark(this.#legend)];
    [...this.#legend.children].forEach((row, n) => {
      const k = n < this.#groups.length ? n : -1;
      const bit = k < 0 ? this.#groups.length : k;
      const group = this.#groups[k];
      const [box, swatch, name, figure] = [...row.children] as [HTMLInputElement, HTMLCanvasElement, HTMLButtonElement, HTMLElement];
      drawMark(swatch, k, dark);
      box.checked = !hidden.has(bit);
      box.setAttribute("aria-label", `Show ${k < 0 ? this.#about.none : names[k]}`);
      say(name, k < 0 ? this.#about.none : (names[k] as string));
      name.setAttribute("aria-pressed", String(this.#cluster() === k && k >= 0));
      say(figure, [String(group?.size ?? this.#members(-1).length), group && group.accuracy !== null ? percent(group.accuracy) : ""].filter(Boolean).join(" \u00b7 "));
    });
    this.#drawCard();
    this.#fill();
  }

  #summary(selected: readonly number[]): string {
    const counts = new Map<number, number>();
    selected.forEach((i) => counts.set(this.#data.of[i] as number, (counts.get(this.#data.of[i] as number) ?? 0) + 1));
    const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 4).map(([k, n]) => `${n} in ${this.#nameOf(k)}`);
    const known = selected.filter((i) => this.#data.correct[i] !== 255);
    const right = known.filter((i) => this.#data.correct[i] === 1).length;
    return [`${selected.length.toLocaleString("en")} ${plural("image", selected.length)} picked: ${most.join(", ")}${counts.size > 4 ? " and others" : ""}.`,
      known.length ? `${percent(right / known.length)} of them are answered rightly.` : ""].filter(Boolean).join(" ");
  }

  #drawCard(): void {
    const [selected, k] = [this.#selected(), this.#cluster()];
    const group = this.#groups[k];
    say(this.#status, selected.length ? this.#summary(selected) : `${this.#count.toLocaleString("en")} ${plural("image", this.#count)}. Draw a line around some to pick them.`);
    if (this.#draft) return;
    if (selected.length) {
      return this.#card.replaceChildren(h("div", { class: "salw-panel-title", role: "heading", "aria-level": 3 }, "Picked images"), this.#gallery(selected));
    }
    if (!group) return this.#card.replaceChildren();
    const members = this.#members(k).filter((i) => i !== group.exemplar);
    const { data, shape } = this.#data.maps;
    const [, , rows = 0, cols = 0] = shape;
    const maps = ["Speaks for it", "Speaks against it"].map((text, side) => {
      const canvas = h("canvas", { class: "salw-cluster-map", width: cols, height: rows, role: "img", "aria-label": `${text}: mean map of ${this.#nameOf(k)}` });
      this.#paint(canvas, data.subarray((2 * k + side) * rows * cols, (2 * k + side + 1) * rows * cols));
      return h("figure", {}, canvas, h("figcaption", {}, text));
    });
    const figures = this.#figures(group).map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value)));
    const has = shape[0] !== 0;
    if (has) this.#bar.draw(this.#shared.get("scale"), 0, [{ rows: 2 * rows, cols, data: data.subarray(2 * k * rows * cols, 2 * (k + 1) * rows * cols) }]);
    this.#card.replaceChildren(h("div", { class: "salw-panel-title", role: "heading", "aria-level": 3 }, this.#nameOf(k)),
      ...(group.sentence ? [h("p", {}, group.sentence)] : []), h("dl", { class: "salw-facts" }, ...figures),
      ...(has ? [h("div", { class: "salw-cluster-maps" }, ...maps), this.#bar.el] : []),
      this.#gallery(group.exemplar >= 0 ? [group.exemplar, ...members] : members));
  }

  #paint(canvas: HTMLCanvasElement, values: Float32Array): void {
    const scale = this.#shared.get<ScaleState>("scale");
    const image = new ImageData(canvas.width, canvas.height);
    paint(values, { vmin: scale.vmin, vmax: scale.vmax, threshold: 0, table: pixelTable(scale.cmap, false) }, new Uint32Array(image.data.buffer));
    canvas.getContext("2d")?.putImageData(image, 0, 0);
  }

  #figures(group: GroupState): [string, string][] {
    const shown: [string, number | null][] = [[this.#about.figure, group.accuracy], ["Probability", group.probability], ["Share", group.share]];
    return [["Images", String(group.size)], ...shown.filter((f): f is [string, number] => f[1] !== null).map(([term, v]): [string, string] => [term, percent(v)])];
  }

  #gallery(which: readonly number[]): HTMLElement {
    if (!this.#atlas.tile[0]) return h("p", { class: "salw-note" }, "No pictures were given with the points.");
    const some = which.slice(0, SHOWN);
    const list = h("div", { class: "salw-gallery" }, ...some.map((i) => {
      const canvas = this.#atlas.canvas(this.#inWords(i));
      this.#atlas.draw(canvas, i);
      listen(canvas, "pointerenter", () => this.#point(i, false), this.#signal);
      return canvas;
    }));
    return which.length > SHOWN ? h("div", {}, list, h("p", { class: "salw-note" }, `the first ${SHOWN} of ${which.length.toLocaleString("en")}`)) : list;
  }

  #alternative(): HTMLElement {
    const heads = ["", "Images", this.#about.figure, "Probability", "Share"];
    const el = h("details", { class: "salw-fold" }, h("summary", {}, "All as a table"),
      h("table", {}, h("thead", {}, h("tr", {}, ...heads.map((text, i) => h("th", { scope: "col" }, i ? text : capital(this.#about.noun))))), this.#table));
    listen(el, "toggle", () => this.#fill(), this.#signal);
    return el;
  }

  #fill(): void {
    if (!this.#table.closest("details")?.open) return;
    const cell = (v: number | null) => h("td", {}, v === null ? "unknown" : percent(v));
    this.#table.replaceChildren(...this.#groups.map((g, k) => h("tr", {}, h("th", { scope: "row" }, this.#nameOf(k)),
      h("td", {}, String(g.size)), cell(g.accuracy), cell(g.probability), cell(g.share))));
  }

  // -- touching ------------------------------------------------------------------------------------------------

  #inWords(i: number): string {
    const right = this.#data.correct[i];
    return [`Image ${i + 1}`, this.#captions[i], this.#nameOf(this.#data.of[i] as number), right === 1 ? "right" : right === 0 ? "wrong" : ""].filter(Boolean).join(", ");
  }

  #first(): number {
    return this.#state.indexOf(2);
  }

  /** The image that is looked at; `keys`: it is spoken too. */
  #point(i: number, keys: boolean): void {
    if (i < 0 && document.activeElement === this.#scatter.el && this.#active >= 0 && !keys) return; // the keys hold it
    if (i === this.#active && !keys) return;
    this.#active = i;
    show(this.#preview, i >= 0);
    this.#scatter.ring(i);
    if (i < 0) return;
    if (keys) this.#scatter.reveal(i);
    this.#atlas.draw(this.#small, i);
    say(this.#words, this.#inWords(i));
    const [x, y] = this.#scatter.at(i);
    const { clientWidth: width, clientHeight: height } = this.#scatter.el;
    const { style } = this.#preview;
    [style.left, style.right] = x < width / 2 ? [`${x + 12}px`, "auto"] : ["auto", `${width - x + 12}px`];
    [style.top, style.bottom] = y < height / 2 ? [`${y + 12}px`, "auto"] : ["auto", `${height - y + 12}px`];
    if (keys) this.#live.say(`${this.#inWords(i)}${this.#selected().includes(i) ? ", picked" : ""}`);
  }

  #click(i: number): void {
    if (i < 0) return this.#clear();
    this.#point(i, true);
    this.#show(this.#data.of[i] as number);
  }

  #lasso(found: number[], how: How, done: boolean): void {
    if (this.#draft === null) this.#before = this.#selected();
    const inLine = new Set(found);
    const kept = how === "set" ? [] : this.#before.filter((i) => !inLine.has(i));
    const next = how === "less" ? kept : [...kept, ...found].sort((a, b) => a - b);
    if (!done) {
      this.#draft = next;
      this.#restate();
      say(this.#status, `${next.length.toLocaleString("en")} ${plural("image", next.length)}`);
      return;
    }
    this.#pick(next, { cluster: -1 });
    this.#live.say(next.length ? this.#summary(next) : "Nothing is picked.");
  }

  #key(event: KeyboardEvent): void {
    const step = STEPS[event.key];
    const done = () => event.preventDefault();
    if (event.altKey || event.metaKey) return;
    if (step && event.ctrlKey) return done(), this.#scatter.pan(step[0] / 6, step[1] / 6);
    const now = this.#active < 0 || !this.#state[this.#active] ? this.#first() : this.#active;
    if (step) {
      const next = this.#active < 0 ? now : neighbour(this.#data.places, now, step[0], step[1], (i) => this.#state[i] !== 0);
      done();
      return this.#point(next < 0 ? now : next, true);
    }
    if (event.ctrlKey) return;
    const selected = this.#selected();
    const acts: Record<string, () => void> = {
      " ": () => now >= 0 && (this.#pick(selected.includes(now) ? selected.filter((i) => i !== now) : [...selected, now].sort((a, b) => a - b)), this.#point(now, true)),
      Enter: () => now >= 0 && (this.#show(this.#data.of[now] as number), this.#live.say(this.#summary(this.#shown()))),
      a: () => now >= 0 && (this.#pick(this.#members(this.#data.of[now] as number)), this.#live.say(this.#summary(this.#selected()))),
      i: () => this.#scatter.zoom(1.5), o: () => this.#scatter.zoom(1 / 1.5), 0: () => this.#scatter.show(), Escape: () => this.#clear(),
    };
    const act = acts[event.key];
    if (!act) return;
    done();
    act();
  }

  /** What another view picked, if its pictures are here. */
  #take(): void {
    const now = this.#shared.get<Picked | null | undefined>("picked");
    const keys = this.#model.get("picture_keys") as string[];
    if (now?.source === this.#model.get("source") || !keys.length) return;
    this.#set({ selected: pickedOf(now, keys).flatMap((is, i) => (is ? [i] : [])) });
  }
}

function drawMark(canvas: HTMLCanvasElement, group: number, dark: boolean): void {
  const image = new ImageData(28, 28);
  stamp(new Uint32Array(image.data.buffer), 28, 28, makeMark(group, 11, false, false, dark), 14, 14);
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}

function help(): HTMLElement {
  return h("details", { class: "salw-fold" }, h("summary", {}, "Keys"), h("dl", { class: "salw-keys" },
    ...KEYS.map(([key, what]) => h("div", {}, h("dt", {}, key), h("dd", {}, what)))));
}

function plural(word: string, n: number): string {
  return n === 1 ? word : word.endsWith("y") ? `${word.slice(0, -1)}ies` : `${word}s`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export const mount: Mount = async (el, model, host, signal) => {
  const [shared, atlas] = await Promise.all([connect(model, host, signal), readAtlas(model.get("sheet"))]);
  if (!signal.aborted) new View(model, shared, atlas, signal).mountOn(el);
};
