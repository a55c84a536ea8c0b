// Target against foil, answered here from the basis: pickers, three linked panels, a slider from one to the other.
import { stageEvents } from "../actions";
import { tell, type Asked as Question } from "../asking";
import { pairOf, readBasis, type Basis, type Pair } from "../basis";
import { follow, h, listen, onFrame, root, say, show } from "../dom";
import { percent, quoted, signed } from "../format";
import { partIn } from "../lit";
import { createAlternative, keyHelp } from "../parts/alternative";
import { createColorBar } from "../parts/colorbar";
import { createPicker } from "../parts/combobox";
import { factList, noticeList, type Fact } from "../parts/facts";
import { createMixer } from "../parts/mixer";
import { createNaming, outlinesOf, regionsOf } from "../parts/naming";
import { createPanel, type Panel } from "../parts/panel";
import { createLive } from "../parts/readout";
import { createThumbnail } from "../parts/stage";
import { childOf, closedAbove, mixTitle, parentOf, probability, usable, type TreeNode } from "../questions";
import { refit } from "../scale";
import { connect, type Shared } from "../shared";
import type { Cursor, Grid, Model, Mount, ScaleState, Selection } from "../types";
import { pictureOf, scaleControls, watch } from "./heatmap";

const KEYS: readonly (readonly [string, string])[] = [
  ["u, d", "target up to its group, down to its most probable child"],
  ["U, D", "the same for the foil"],
  ["x", "swap target and foil"],
];

type Side = "target" | "foil";

/** What is asked now. Lives in the model's traits, so that Python sees it; read from there every time. */
class Asked {
  private byName: Map<string, number>;
  /** a linked view asks for what this basis cannot show: said in words */
  missing = "";

  constructor(private model: Model, private shared: Shared, readonly basis: Basis) {
    this.byName = new Map(basis.nodes.map((node, i) => [node.name, i]));
  }

  index(side: Side): number {
    return this.byName.get(String(this.model.get(side))) ?? 0;
  }

  name(side: Side): string {
    return (this.basis.nodes[this.index(side)] as TreeNode).name;
  }

  get mix(): number {
    return this.model.get("mix") as number;
  }

  /** Goes out to Python, but nothing that is drawn waits for it. */
  set(values: Partial<Record<Side | "mix", unknown>>): void {
    for (const [name, value] of Object.entries(values)) this.model.set(name, value);
    this.model.save_changes();
    this.missing = "";
    const foil = this.mix <= 0 ? "" : this.name("foil");
    tell(this.shared, { target: this.name("target"), foil, source: String(this.model.get("source")) });
  }

  /** Ask what a linked view asks. Without a foil it is the slider's first position, and the foil is kept for later. */
  take(): boolean {
    const now = this.shared.get<Question | null | undefined>("question");
    if (!now) return false;
    const absent = [now.target, now.foil].find((name) => name && !usable(this.basis.nodes, this.byName.get(name) ?? -1));
    this.missing = absent ? `${quoted(absent)} is asked about, but it is not in this basis.` : "";
    if (absent) return false;
    const foil = now.foil || (now.target === this.name("foil") ? this.name("target") : this.name("foil"));
    const mix = !now.foil ? 0 : this.mix <= 0 ? 0.5 : this.mix;
    const changed = Object.entries({ target: now.target, foil, mix }).filter(([name, value]) => this.model.get(name) !== value);
    if (!changed.length) return false;
    for (const [name, value] of changed) this.model.set(name, value);
    this.model.save_changes();
    return true;
  }

  to(side: Side, down: boolean): number {
    const { nodes, scores } = this.basis;
    return down ? childOf(nodes, this.index(side), scores) : parentOf(nodes, this.index(side));
  }

  walk(side: Side, down: boolean): void {
    const next = this.basis.nodes[this.to(side, down)];
    if (next) this.set({ [side]: next.name });
  }

  swap(): void {
    this.set({ target: this.name("foil"), foil: this.name("target") });
  }
}

function createPickers(asked: Asked, signal: AbortSignal) {
  const { nodes, scores } = asked.basis;
  const chance = nodes.map((node) => (node.rows.length ? probability(scores, node.rows) : 0));
  const order = [...nodes.keys()].sort((a, b) => (chance[b] as number) - (chance[a] as number));
  const make = (side: Side, label: string) => createPicker({
    label, nodes, order,
    detail: (i) => percent(chance[i] as number),
    pick: (i) => asked.set({ [side]: (nodes[i] as TreeNode).name }),
  }, (down) => asked.walk(side, down), signal);
  const pickers = { target: make("target", "Target"), foil: make("foil", "Foil") };
  const swap = h("button", { type: "button", class: "salw-swap", "aria-label": "Swap target and foil", title: "Swap target and foil" }, "\u21c4");
  listen(swap, "click", () => asked.swap(), signal);
  const name = (i: number) => nodes[i]?.name ?? "";
  return {
    el: h("div", { class: "salw-pickers" }, pickers.target.el, swap, pickers.foil.el),
    draw() {
      for (const side of ["target", "foil"] as const) {
        pickers[side].draw(asked.index(side), name(asked.to(side, false)), name(asked.to(side, true)),
          closedAbove(nodes, asked.index(side)));
      }
    },
  };
}

interface Panels {
  A: Panel;
  M: Panel;
  B: Panel;
}

function createPanels(shared: Shared, model: Model, basis: Basis, live: { say(text: string): void }, signal: AbortSignal): Panels {
  const picture = pictureOf(model.get("picture"));
  const make = () => {
    const speak = () => live.say([panel.words.cursor, panel.words.region].filter(Boolean).join(". Region: "));
    const panel: Panel = createPanel(picture, basis, stageEvents(shared, picture, basis, String(model.get("source")), speak), signal);
    return panel;
  };
  return { A: make(), M: make(), B: make() };
}

/** Keys that work anywhere in the view; those of a map or a search box never come this far. */
function viewKeys(el: HTMLElement, asked: Asked, signal: AbortSignal): void {
  const acts: Record<string, () => void> = {
    u: () => asked.walk("target", false), d: () => asked.walk("target", true),
    U: () => asked.walk("foil", false), D: () => asked.walk("foil", true), x: () => asked.swap(),
  };
  listen(el, "keydown", (event) => {
    const act = acts[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLSelectElement) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }, signal);
}

/** Everything that is drawn again when the question, the slider or the scale changes. */
class Drawing {
  private pair: Pair;
  private M: Grid;
  ownScales = false;

  constructor(private shared: Shared, private asked: Asked, private panels: Panels) {
    this.pair = pairOf(asked.basis, asked.index("target"), asked.index("foil"));
    this.M = this.pair.mixture(asked.mix);
  }

  /** Target or foil changed: new maps, and one scale that fits all three. */
  ask(): void {
    this.pair = pairOf(this.asked.basis, this.asked.index("target"), this.asked.index("foil"));
    const scale = this.shared.get<ScaleState>("scale");
    if (scale.fixed) return;
    const maps = [this.pair.A.data, this.pair.B.data, this.pair.difference];
    this.shared.set("scale", refit(scale, maps));
  }

  get same(): boolean {
    return this.pair.sides.same;
  }

  get note(): string {
    if (this.asked.missing) return this.asked.missing;
    if (!this.same) return this.pair.sides.note;
    return `Target and foil are the same (${quoted(this.asked.name("target"))}): choose another foil to see what sets them apart.`;
  }

  get maps(): Grid[] {
    return [this.pair.A, this.M, this.pair.B];
  }

  sides(): void {
    const { scores } = this.asked.basis;
    const [a, b] = [this.asked.name("target"), this.asked.name("foil")];
    const chance = (rows: number[]) => `probability ${percent(probability(scores, rows))}`;
    const { target, foil } = this.pair.sides;
    this.one(this.panels.A, this.pair.A, `Why ${quoted(a)}?`, `Score ${signed(this.pair.score(0))}, ${chance(target)}`);
    this.one(this.panels.B, this.pair.B, `Why ${quoted(b)}?`, `Score ${signed(-this.pair.score(1))}, ${chance(foil)}`);
  }

  mixture(): void {
    const s = this.asked.mix;
    this.M = this.pair.mixture(s);
    this.panels.M.hide(this.same);
    const title = mixTitle(this.asked.name("target"), this.asked.name("foil"), s);
    this.one(this.panels.M, this.M, title, `Score ${signed(this.pair.score(s))}`);
  }

  /** The map that the names are about: the mixture, or what is left where there is none. */
  get main(): [map: Grid, question: string] {
    const [a, b] = [this.asked.name("target"), this.asked.name("foil")];
    return this.same ? [this.pair.A, mixTitle(a, b, 0)] : [this.M, mixTitle(a, b, this.asked.mix)];
  }

  names(): void {
    const shapes = outlinesOf(regionsOf(this.shared));
    [this.panels.A, this.panels.M, this.panels.B].forEach((panel) => panel.stage.outlines(shapes));
  }

  private one(panel: Panel, map: Grid, title: string, score: string): void {
    const scale = this.shared.get<ScaleState>("scale");
    const own = this.ownScales ? refit(scale, [map.data]) : scale;
    panel.draw(map, own, this.shared.get("threshold"), title, score, this.ownScales);
    this.touch(panel, map);
  }

  touch(panel: Panel, map: Grid): void {
    panel.touch(map, this.shared.get<Cursor | null>("cursor"), this.shared.get<Selection | null>("selection")?.box ?? null);
  }

  touchAll(): void {
    [this.panels.A, this.panels.M, this.panels.B].forEach((panel, i) => this.touch(panel, this.maps[i] as Grid));
  }
}

/** Everything around the panels, laid out once. */
function layout(model: Model, shared: Shared, asked: Asked, panels: Panels, live: HTMLElement, signal: AbortSignal) {
  const picture = pictureOf(model.get("picture"));
  const own = h("input", { type: "checkbox" });
  const parts = {
    own,
    pickers: createPickers(asked, signal),
    mixer: createMixer((mix) => asked.set({ mix }), signal),
    bar: createColorBar(),
    controls: scaleControls(shared, signal),
    naming: createNaming(shared, picture, String(model.get("source")), signal),
    table: createAlternative(picture, signal),
    note: h("p", { class: "salw-message", role: "status" }),
    badge: h("span", { class: "salw-badge", hidden: true }, "each panel has its own scale"),
    heading: h("div", { class: "salw-head", role: "heading", "aria-level": 2 }),
  };
  const caption = h("p", { class: "salw-caption" }, String(model.get("caption")));
  const frame = root("contrast", signal, parts.heading,
    h("div", { class: "salw-beside" }, parts.pickers.el, createThumbnail(picture)), parts.note,
    h("div", { class: "salw-panels" }, panels.A.el, panels.M.el, panels.B.el, parts.mixer.el),
    h("div", { class: "salw-body salw-below" },
      h("div", { class: "salw-left" }, parts.bar.el, parts.badge, caption,
        noticeList(model.get("notices") as string[]), factList(model.get("facts") as Fact[])),
      h("div", { class: "salw-side" }, parts.naming.el, parts.controls.el,
        h("label", { class: "salw-tick" }, own, "a scale of its own for each panel"), parts.table.el, keyHelp(KEYS))),
    live);
  return { ...parts, frame };
}

export const mount: Mount = async (el, model, host, signal) => {
  const shared = await connect(model, host, signal);
  if (signal.aborted) return;
  const asked = new Asked(model, shared, readBasis(model));
  const taken = asked.take();
  const live = createLive();
  const panels = createPanels(shared, model, asked.basis, live, signal);
  const drawing = new Drawing(shared, asked, panels);
  if (taken) drawing.ask();
  const parts = layout(model, shared, asked, panels, live.el, signal);
  el.append(parts.frame);
  viewKeys(parts.frame, asked, signal);

  const drawNaming = () => parts.naming.draw(...drawing.main);
  const drawMix = () => {
    drawing.mixture();
    drawNaming();
    say(parts.heading, mixTitle(asked.name("target"), asked.name("foil"), 0.5));
    parts.mixer.draw(asked.mix, asked.name("target"), asked.name("foil"), drawing.same);
    parts.bar.draw(shared.get("scale"), shared.get("threshold"), drawing.maps);
    parts.table.draw(drawing.maps[1] as Grid);
  };
  const drawAll = () => {
    drawing.sides();
    drawMix();
    parts.controls.draw(shared.get("scale"), shared.get("threshold"));
    show(parts.bar.el, !drawing.ownScales);
    show(parts.badge, drawing.ownScales);
    say(parts.note, drawing.note);
    parts.pickers.draw();
  };
  const frames = { all: onFrame(drawAll, signal), mix: onFrame(drawMix, signal) };
  const ask = () => {
    drawing.ask();
    frames.all();
  };
  shared.on("question", () => {
    asked.take();
    frames.all();
  });
  follow(model, { target: ask, foil: ask, mix: frames.mix }, signal);
  listen(parts.own, "change", () => {
    drawing.ownScales = parts.own.checked;
    frames.all();
  }, signal);
  const drawView = () => [panels.A, panels.M, panels.B].forEach((panel) => panel.stage.view(shared.get("view")));
  const touch = () => drawing.touchAll();
  const brushed = () => {
    touch();
    drawNaming();
  };
  const drawNames = () => {
    drawing.names();
    drawNaming();
  };
  const lit = () => partIn(shared.get("highlight"), (model.get("picture_keys") as string[] | undefined)?.[0], pictureOf(model.get("picture")));
  const drawPart = () => [panels.A, panels.M, panels.B].forEach((panel) => panel.stage.highlight(lit()));
  watch(shared, { scale: drawAll, threshold: drawAll, cursor: touch, selection: brushed, highlight: drawPart, regions: drawNames, view: drawView }, signal);
  [drawAll, drawNames, drawPart, drawView].forEach((draw) => draw());
};
