// The class tree: probabilities as an icicle or an indented tree; a click asks about a node, Shift and a click set the foil.
import { sentence } from "../asking";
import { Look } from "../classlook";
import { readNodes, type ClassNodes } from "../classnodes";
import { ClassQuestion } from "../classquestion";
import { h, listen, onFrame, root, say, show, uid } from "../dom";
import { quoted } from "../format";
import { icicle, indented, type Spot } from "../icicle";
import { noticeList } from "../parts/facts";
import { createFinder } from "../parts/finder";
import { createLive } from "../parts/readout";
import { chance, createSpots, inWords, moreInWords } from "../parts/spots";
import { connect, type Shared } from "../shared";
import type { Model, Mount } from "../types";

const NARROWEST = 4; // pixels of a cell
const FOUND = 40;
const LIKELIEST = 10;

const KEYS: readonly (readonly [string, string])[] = [
  ["Enter, click", "ask about the node"],
  ["Shift + Enter, Shift + click", "rather than this one: the foil"],
  ["Arrows", "icicle: child, parent, neighbours; tree: rows, open, close"],
  ["z, double click", "icicle: zoom to the node"],
  ["0", "icicle: zoom out by one"],
  ["Home, End", "first and last"],
  ["/", "search"],
  ["Esc", "no foil"],
];

function menu(label: string, options: readonly (readonly [string, string])[]) {
  const id = uid();
  const select = h("select", { id }, ...options.map(([value, text]) => h("option", { value }, text)));
  return { select, el: h("div", { class: "salw-field" }, h("label", { for: id }, label), select) };
}

function button(text: string, act: () => void, signal: AbortSignal): HTMLButtonElement {
  const el = h("button", { type: "button" }, text);
  listen(el, "click", act, signal);
  return el;
}

/** The likeliest classes as a table: the picture in words. */
function createTable(nodes: ClassNodes, look: Look, signal: AbortSignal): HTMLElement {
  const body = h("tbody");
  const head = ["Class", "Probability", "Below"].map((text) => h("th", { scope: "col" }, text));
  const el = h("details", { class: "salw-fold" }, h("summary", {}, `The ${Math.min(LIKELIEST, nodes.classes)} likeliest classes as a table`),
    h("table", {}, h("thead", {}, h("tr", {}, ...head)), body));
  listen(el, "toggle", () => {
    if (!el.open || body.firstChild) return;
    const best = [...nodes.probability.subarray(0, nodes.classes).keys()]
      .sort((a, b) => (nodes.probability[b] as number) - (nodes.probability[a] as number)).slice(0, LIKELIEST);
    body.append(...best.map((node) => h("tr", {}, h("th", { scope: "row" }, nodes.name(node)), h("td", {}, chance(nodes, node)),
      h("td", {}, look.to(node).slice(0, -1).map(nodes.name).join(" \u203a ")))));
  }, signal);
  show(el, nodes.known);
  return el;
}

/** The view itself: what it shows follows from the question, the look and the form. */
class Tree {
  private spots: Spot[] = [];
  readonly tree;
  readonly live = createLive();
  readonly head = h("div", { class: "salw-head", role: "heading", "aria-level": 2 });
  readonly under = h("p", { class: "salw-note salw-sides" });
  readonly said = h("p", { class: "salw-message", role: "status" });
  readonly crumbs = h("nav", { class: "salw-crumbs", "aria-label": "Zoom" });
  readonly readout = h("p", { class: "salw-note salw-at" });
  readonly box;
  private width = 0;
  readonly question;

  constructor(private model: Model, shared: Shared, readonly nodes: ClassNodes, readonly look: Look, private signal: AbortSignal) {
    this.question = new ClassQuestion(shared, nodes, String(model.get("source")), (text) => {
      say(this.said, text);
      if (text) this.live.say(text);
    });
    this.tree = createSpots(nodes, "Classes and groups");
    this.box = h("div", { class: "salw-spots-box" }, this.tree.el);
  }

  get form(): "icicle" | "tree" {
    return this.model.get("form") === "tree" ? "tree" : "icicle";
  }

  resize(width: number): void {
    if (Math.abs(width - this.width) < 2) return;
    this.width = width;
    if (this.form === "icicle") this.lay();
  }

  /** Other nodes are shown. */
  lay(): void {
    const { look, nodes } = this;
    const width = this.width || 700;
    this.spots = this.form === "tree" ? indented(nodes, look.open, (path) => look.shown(path))
      : icicle(nodes, look.focus, 100, (100 * NARROWEST) / width, look.byClasses, look.from);
    if (!this.spots.some((spot) => spot.path === look.active)) look.active = (this.spots[0] as Spot).path;
    this.tree.lay(this.spots, this.form, width);
    this.breadcrumbs();
    this.mark();
  }

  private breadcrumbs(): void {
    const { look, nodes } = this;
    show(this.crumbs, this.form === "icicle" && (look.focus.length > 1 || look.from > 0));
    this.crumbs.replaceChildren(...look.focus.map((node, i) => {
      const last = i === look.focus.length - 1;
      const el = button(nodes.name(node), () => this.zoom(look.focus.slice(0, i + 1)), this.signal);
      if (last) el.setAttribute("aria-current", "true");
      return el;
    }), look.from ? h("span", {}, `from the ${ordinal(look.from + 1)} child on`) : "");
  }

  /** The same nodes, another question or another active one. */
  mark(): void {
    const { question, nodes, look } = this;
    const { target, foil } = question.asked;
    const [t, f] = [question.target, question.foil];
    this.tree.mark({ target: t, foil: f, active: look.active });
    say(this.head, sentence(target, foil));
    const side = (name: string, node: number) => (node < 0 ? `${quoted(name)} is not in this tree` : inWords(nodes, node));
    const note = question.note(t, f);
    say(this.under, [side(target, t), foil && side(foil, f), note ?? "both are the same classes"].filter(Boolean).join(" \u00b7 "));
    this.read(this.spots.findIndex((spot) => spot.path === look.active));
  }

  read(i: number): void {
    const spot = this.spots[i];
    say(this.readout, !spot ? "" : spot.more ? moreInWords(this.nodes, spot) : inWords(this.nodes, spot.node, parent(spot)));
  }

  zoom(path: readonly number[], from = 0): void {
    this.look.zoom(path, from);
    this.lay();
  }

  zoomOut(): void {
    if (this.look.from) this.zoom(this.look.focus);
    else if (this.look.focus.length > 1) this.zoom(this.look.focus.slice(0, -1));
  }

  get current(): Spot | undefined {
    return this.spots.find((spot) => spot.path === this.look.active);
  }

  zoomTo(spot: Spot): void {
    if (this.form !== "icicle") return;
    const path = spot.path.split("/").map(Number);
    if (!spot.more) return this.zoom(path);
    const own = path.slice(0, -1);
    const here = own.length === this.look.focus.length;
    this.zoom(own, here ? this.nodes.children(spot.node, this.look.byClasses).length - spot.more : 0);
  }

  /** Ask about a spot, or show more if that is what it stands for. */
  choose(spot: Spot | undefined, foil: boolean): void {
    if (!spot) return;
    this.look.active = spot.path;
    if (spot.more && this.form === "icicle") return this.zoomTo(spot);
    if (spot.more) {
      this.look.more(spot.path.slice(0, -2));
      return this.lay();
    }
    this.question.ask(spot.node, foil || this.look.foilNext);
    this.look.foilNext = false;
    this.mark();
    this.speak();
  }

  speak(): void {
    this.live.say(this.said.textContent || `${this.head.textContent} ${this.under.textContent}`);
  }

  toggle(spot: Spot, open = !spot.open): void {
    if (spot.open === null || spot.open === open) return;
    if (open) this.look.open.add(spot.path);
    else this.look.open.delete(spot.path);
    this.lay();
  }

  /** A node that was searched for comes into sight and is asked about. */
  find(node: number, foil: boolean): void {
    const path = this.look.to(node);
    this.look.reveal(path);
    if (path.length > 1) {
      const above = path.slice(0, -1);
      const place = this.nodes.children(above[above.length - 1] as number, this.look.byClasses).indexOf(node);
      this.look.zoom(above);
      this.look.active = path.join("/");
      const seen = icicle(this.nodes, above, 100, (100 * NARROWEST) / (this.width || 700), this.look.byClasses);
      if (!seen.some((spot) => spot.path === this.look.active)) this.look.from = place;
    } else this.look.active = path.join("/");
    this.question.ask(node, foil);
    this.lay();
    this.speak();
    this.tree.el.querySelector(".salw-active")?.scrollIntoView?.({ block: "nearest" });
  }

  spot(i: number): Spot | undefined {
    return this.spots[i];
  }

  go(i: number): void {
    const spot = this.spots[Math.min(this.spots.length - 1, Math.max(0, i))];
    if (!spot) return;
    this.look.active = spot.path;
    this.mark();
    this.tree.el.querySelector(".salw-active")?.scrollIntoView?.({ block: "nearest" });
  }

  key(key: string): boolean {
    const i = this.spots.findIndex((spot) => spot.path === this.look.active);
    const spot = this.spots[i];
    if (!spot) return false;
    if (key === "Home" || key === "End") this.go(key === "Home" ? 0 : this.spots.length - 1);
    else if (key === "Escape") this.question.drop();
    else if (key === "z") this.zoomTo(spot);
    else if (key === "0") this.zoomOut();
    else return this.form === "tree" ? this.keyInTree(key, i, spot) : this.keyInIcicle(key, i, spot);
    return true;
  }

  private keyInTree(key: string, i: number, spot: Spot): boolean {
    if (key === "ArrowDown") this.go(i + 1);
    else if (key === "ArrowUp") this.go(i - 1);
    else if (key === "ArrowRight" && spot.open === false) this.toggle(spot, true);
    else if (key === "ArrowRight") this.go(spot.open ? i + 1 : i);
    else if (key === "ArrowLeft" && spot.open) this.toggle(spot, false);
    else if (key === "ArrowLeft") this.up(spot);
    else return false;
    return true;
  }

  private keyInIcicle(key: string, i: number, spot: Spot): boolean {
    if (key === "ArrowLeft" || key === "ArrowRight") {
      const next = i + (key === "ArrowRight" ? 1 : -1);
      if (this.spots[next]?.level === spot.level) this.go(next);
    } else if (key === "ArrowUp") this.up(spot);
    else if (key !== "ArrowDown") return false;
    else if (spot.open) this.go(this.spots.findIndex((s) => s.level === spot.level + 1 && s.path.startsWith(`${spot.path}/`)));
    else if (spot.open === false || spot.more) this.zoomTo(spot);
    return true;
  }

  private up(spot: Spot): void {
    const above = spot.path.split("/").slice(0, -1).join("/");
    const at = this.spots.findIndex((s) => s.path === above);
    if (at >= 0) return this.go(at);
    this.look.active = above || spot.path;
    this.zoomOut();
  }
}

function parent(spot: Spot): number {
  const path = spot.path.split("/");
  return path.length > 1 ? Number(path[path.length - 2]) : -1;
}

function ordinal(n: number): string {
  const last = n % 100 > 10 && n % 100 < 14 ? 0 : n % 10;
  return `${n}${["th", "st", "nd", "rd"][last] ?? "th"}`;
}

/** Pointer and keys on the tree. */
function touch(view: Tree, finder: { focus(): void }, signal: AbortSignal): void {
  const { el } = view.tree;
  listen(el, "click", (event) => {
    const spot = view.spot(view.tree.at(event));
    if (spot && (event.target as Element).closest("[data-twisty]") && spot.open !== null) return view.toggle(spot);
    view.choose(spot, event.shiftKey);
  }, signal);
  listen(el, "dblclick", (event) => {
    const spot = view.spot(view.tree.at(event));
    if (spot && !spot.more) view.zoomTo(spot);
  }, signal);
  // Shift and a click would select text.
  listen(el, "mousedown", (event) => event.shiftKey && event.preventDefault(), signal);
  listen(el, "pointerover", (event) => view.read(view.tree.at(event)), signal);
  listen(el, "pointerleave", () => view.mark(), signal);
  listen(el, "keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter") view.choose(view.current, event.shiftKey);
    else if (event.key === "/") finder.focus();
    else if (!view.key(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }, signal);
}

export const mount: Mount = async (el, model, host, signal) => {
  const shared = await connect(model, host, signal);
  if (signal.aborted) return;
  const nodes = readNodes(model);
  const look = new Look(nodes);
  const view = new Tree(model, shared, nodes, look, signal);
  const finder = createFinder("Search", {
    search: (typed) => nodes.search(typed, FOUND), name: nodes.name, pick: (node, foil) => view.find(node, foil),
    detail: (node) => [node < nodes.classes ? "" : `${nodes.sizes[node]} classes`, chance(nodes, node)].filter(Boolean).join(", "),
  }, signal);
  const form = menu("Shown as", [["icicle", "icicle"], ["tree", "indented tree"]]);
  const widths = menu("Widths", [["p", "probability"], ["n", "number of classes"]]);
  const foil = button("Rather than \u2026", () => {
    look.foilNext = !look.foilNext;
    draw();
  }, signal);
  const none = button("No foil", () => {
    view.question.drop();
    view.speak();
  }, signal);
  const whole = nodes.known ? "" : "Probabilities are not known here: widths are numbers of classes.";
  el.append(root("classtree", signal, view.head, view.under, view.said,
    h("div", { class: "salw-tools" }, finder.el, form.el, widths.el, h("div", { class: "salw-buttons" }, foil, none)),
    noticeList([...(model.get("notices") as string[]), whole].filter(Boolean)), view.crumbs, view.box, view.readout,
    h("p", { class: "salw-note" }, `${nodes.classes.toLocaleString("en")} classes. Click: ask. Shift and click: rather than this.`),
    createTable(nodes, look, signal),
    h("details", { class: "salw-fold" }, h("summary", {}, "Keys"), h("dl", { class: "salw-keys" },
      ...KEYS.map(([key, what]) => h("div", {}, h("dt", {}, key), h("dd", {}, what))))),
    view.live.el));
  touch(view, finder, signal);

  const draw = () => {
    const { foil: now } = view.question.asked;
    foil.setAttribute("aria-pressed", String(look.foilNext));
    none.disabled = !now;
    show(widths.el, nodes.known && view.form === "icicle");
    form.select.value = view.form;
    view.mark();
  };
  const lay = onFrame(() => {
    view.lay();
    draw();
  }, signal);
  listen(form.select, "change", () => {
    model.set("form", form.select.value);
    model.save_changes();
  }, signal);
  listen(widths.select, "change", () => {
    look.byClasses = widths.select.value === "n";
    look.from = 0;
    lay();
  }, signal);
  model.on("change:form", lay);
  signal.addEventListener("abort", () => model.off("change:form", lay));
  shared.on("question", onFrame(draw, signal));
  if (typeof ResizeObserver !== "undefined") {
    const observer = new ResizeObserver(([entry]) => entry && view.resize(entry.contentRect.width));
    observer.observe(view.box);
    signal.addEventListener("abort", () => observer.disconnect());
  }
  const asked = view.question.target;
  if (asked >= 0) {
    look.reveal(look.to(asked));
    look.active = look.to(asked).join("/");
  }
  view.resize(view.box.clientWidth);
  view.lay();
  draw();
};
