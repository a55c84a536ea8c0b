// Many maps in rows and columns that are touched together. Every gesture is answered here, visible maps first.
import { stageEvents } from "../actions";
import { order, type PanelState } from "../arrange";
import { sentence, tell, type Asked } from "../asking";
import { Maps, read, type Data } from "../comparing";
import { follow, h, listen, root, say, show } from "../dom";
import { number, percent, signed } from "../format";
import { refitMany } from "../limits";
import { partIn, pickedOf } from "../lit";
import { Painting } from "../painting";
import { keyHelp } from "../parts/alternative";
import { createColorBar, outsideSaid } from "../parts/colorbar";
import { createCompareControls } from "../parts/compare_controls";
import { noticeList } from "../parts/facts";
import { createFoil, type Foil } from "../parts/foil";
import { GRID_KEYS, listenToGrid, type Held } from "../parts/gridkeys";
import { createNaming, outlinesOf, regionsOf } from "../parts/naming";
import { createLive, createReadout, cursorInWords, regionInWords } from "../parts/readout";
import { createTile, type Buffers, type Tile } from "../parts/tile";
import { createTileGrid, type TileGrid } from "../parts/tilegrid";
import { topRegions } from "../regions";
import { connect, type Shared } from "../shared";
import { createSlices, watchVisible } from "../slices";
import type { Box, Cursor, Highlight, Model, Mount, Picked, ScaleState, Selection, Size } from "../types";
import type { Sheet } from "../unpack";
import { scaleControls } from "./heatmap";

const [MAP, PAINT, TOUCH, VIEW, PART, SAY] = [1, 2, 4, 8, 16, 32];

/** Maps below this share of the limits are told about: they look empty and are not. */
const FAINT = 0.1;

/** Text below a map. */
function scoreLines(model: Model, maps: Maps, i: number): string[] {
  const panel = maps.data.panels[i] as PanelState;
  const names = model.get("score_names") as string[];
  return names.map((name, k) => {
    if (k === 0 && name === "score") {
      const live = maps.data.classes ? maps.score(i) : null;
      const text = live === null ? panel.score : `${signed(live)} logits`;
      return text && `Score ${text}`;
    }
    const value = panel.scores[k];
    return `${name} ${value === null || value === undefined ? "unknown" : number(value)}`;
  }).filter(Boolean);
}

function table(grid: TileGrid, tiles: readonly Tile[], lines: (i: number) => string[], image: Size, signal: AbortSignal) {
  const body = h("tbody");
  const heading = (text: string) => h("th", { scope: "col" }, text);
  const el = h("details", { class: "salw-fold" }, h("summary", {}, "All maps as a table"), h("table", {},
    h("thead", {}, h("tr", {}, ...["Map", "Scores", "Strongest region", "Sum", "Share"].map(heading))), body));
  const fill = () => {
    if (!el.open) return;
    body.replaceChildren(...grid.lines().flat().filter((i) => i >= 0).map((i) => {
      const top = topRegions((tiles[i] as Tile).map(), image, 1)[0];
      return h("tr", {}, h("th", { scope: "row" }, grid.label(i)), h("td", {}, lines(i).join(", ")),
        h("td", {}, top?.place ?? "no evidence"), h("td", {}, top ? signed(top.sum) : ""), h("td", {}, top ? percent(top.share) : ""));
    }));
  };
  listen(el, "toggle", fill, signal);
  return { el, fill };
}

/** Elements around the grid, laid out once. */
function layout(model: Model, shared: Shared, grid: TileGrid, foil: Foil | null, data: Data, signal: AbortSignal) {
  const parts = {
    heading: h("div", { class: "salw-head", role: "heading", "aria-level": 2 }),
    message: h("p", { class: "salw-message", role: "status" }),
    now: h("p", { class: "salw-now" }),
    caption: h("p", { class: "salw-caption" }),
    notices: h("div"),
    bar: createColorBar(),
    faint: h("p", { class: "salw-note" }),
    badge: h("span", { class: "salw-badge", hidden: true }, "each map has its own scale"),
    apart: h("span", { class: "salw-badge", hidden: true }, "scale not shared with all linked views"),
    readout: createReadout(),
    naming: createNaming(shared, data.image, String(model.get("source")), signal),
    scale: scaleControls(shared, signal),
    controls: createCompareControls(model, closed(model, data.panels), (pixels) => grid.el.style.setProperty("--salw-tile", `${pixels}px`), signal),
    live: createLive(),
  };
  const stored = String(model.get("stored") ?? "");
  const frame = root("comparison", signal, parts.heading, foil?.el, parts.message, parts.controls.el, grid.el);
  return { ...parts, frame, stored: stored ? h("p", { class: "salw-note" }, stored) : null };
}

/** Columns in which no map may be subtracted. */
function closed(model: Model, panels: readonly PanelState[]): boolean[] {
  return (model.get("columns") as string[]).map((_, c) => panels.filter((p) => p.column === c).every((p) => p.blind));
}

type Layout = ReturnType<typeof layout>;

/** Everything a comparison shows, and what has to be drawn again when something changes. */
class View {
  readonly tiles: Tile[];
  readonly held: Held[];
  readonly maps: Maps;
  readonly painting: Painting;
  readonly grid: TileGrid;
  readonly foil: Foil | null;
  private parts: Layout;
  private table: ReturnType<typeof table>;
  private slices: ReturnType<typeof createSlices>;
  private pointed = 0;
  private refit = false;
  private missing = "";

  constructor(private model: Model, private shared: Shared, readonly data: Data, private signal: AbortSignal) {
    this.foil = data.classes ? createFoil(model, data.logits, data.classes, signal) : null;
    this.maps = new Maps(data, this.foil);
    this.maps.compare(this.base);
    this.painting = new Painting(shared, model);
    const buffers: Buffers = new Map();
    this.tiles = data.panels.map((p, i) => createTile(data.sheets[p.picture] as Sheet, data.image, this.maps.shown(i), buffers));
    this.grid = createTileGrid(data.panels, this.tiles, { rows: model.get("rows") as string[], columns: model.get("columns") as string[] });
    this.parts = layout(model, shared, this.grid, this.foil, data, signal);
    this.table = table(this.grid, this.tiles, (i) => scoreLines(model, this.maps, i), data.image, signal);
    const source = String(model.get("source"));
    this.held = this.tiles.map((tile) => ({ tile, events: stageEvents(shared, data.image, tile.grid, source, () => this.speak()) }));
    this.slices = createSlices({ count: this.tiles.length, run: (i, jobs) => this.run(i, jobs),
      visible: watchVisible(this.tiles.map((t) => t.el), signal), done: (jobs) => this.done(jobs) }, signal);
  }

  get base(): number {
    return (this.model.get("columns") as string[]).indexOf(String(this.model.get("reference")));
  }

  mountOn(el: HTMLElement): void {
    const { parts } = this;
    parts.frame.append(h("div", { class: "salw-body salw-below" },
      h("div", { class: "salw-left" }, parts.bar.el, parts.faint, parts.badge, parts.apart, parts.stored, noticeList(this.model.get("notices") as string[])),
      h("div", { class: "salw-side" }, h("div", { class: "salw-about-map" }, parts.now, parts.caption, parts.notices), parts.readout.el, parts.naming.el,
        parts.scale.el, this.table.el, keyHelp(GRID_KEYS))), parts.live.el);
    el.append(parts.frame);
    this.arrange();
    this.pick();
    this.hands();
    this.outline();
    this.point(Math.min(this.tiles.length - 1, Number(this.model.get("active"))));
    this.slices.ask(PAINT | TOUCH | VIEW | PART | SAY);
    this.drawAround();
  }

  private cursor = () => this.shared.get<Cursor | null>("cursor");
  private box = (): Box | null => this.shared.get<Selection | null>("selection")?.box ?? null;

  /** Some jobs of one panel; called by the slices. */
  private run(i: number, jobs: number): void {
    const tile = this.tiles[i] as Tile;
    if (jobs & MAP) tile.setMap(this.maps.shown(i));
    if (jobs & (MAP | PAINT)) {
      const scale = this.painting.scale(tile.map());
      const threshold = this.shared.get<number>("threshold");
      tile.paint(scale, threshold, this.painting.colours(scale, threshold));
    }
    if (jobs & VIEW) tile.view(this.shared.get("view"));
    if (jobs & (MAP | TOUCH)) tile.touch(this.cursor(), this.box());
    if (jobs & PART) tile.highlight(this.lit(i));
    if (jobs & PART) tile.el.classList.toggle("salw-unpicked", this.left && !this.picked[i]);
    if (jobs & (MAP | SAY)) this.say(i, tile);
  }

  private keys = () => (this.model.get("picture_keys") ?? []) as string[];
  private picked: boolean[] = [];
  private left = false;

  /** The part of the picture that is lit; a sentence is about one picture, so that it lights none of several. */
  private lit(i: number): Highlight | null {
    const now = this.shared.get<Highlight | null>("highlight");
    const one = this.data.sheets.length > 1 && !now?.parts ? null : now;
    return partIn(one, this.keys()[(this.data.panels[i] as PanelState).picture], this.data.image);
  }

  /** Maps of pictures that were not picked step back, if some here were. */
  private pick(): void {
    const found = pickedOf(this.shared.get<Picked | null>("picked"), this.keys());
    this.picked = this.data.panels.map((p) => found[p.picture] === true);
    this.left = this.picked.includes(true);
    this.slices.ask(PART);
  }

  private say(i: number, tile: Tile): void {
    const scale = this.painting.each ? this.painting.scale(tile.map()) : null;
    const own = this.data.panels[i]?.notices.length ? "has a notice" : "";
    const note = [this.maps.said(i), own, scale && `${number(scale.vmin)} to ${signed(scale.vmax)}`].filter(Boolean).join(" \u00b7 ");
    tile.say(this.grid.label(i), scoreLines(this.model, this.maps, i), note);
    if (i === this.pointed) tile.tell();
  }

  private done(jobs: number): void {
    if (jobs & MAP && this.refit) this.fit();
    if (jobs & (MAP | PAINT)) this.drawNote();
    if (jobs & (MAP | TOUCH)) this.drawReadout();
    if (jobs & MAP) this.table.fill();
  }

  private fit(): void {
    this.refit = false;
    const scale = this.shared.get<ScaleState>("scale");
    if (!scale.fixed) this.shared.set("scale", refitMany(scale, this.tiles.map((t) => t.map().data)));
  }

  /** Another reference or another question: new maps, then one scale that fits them. */
  private again(): void {
    this.maps.compare(this.base);
    this.painting.forget();
    this.refit = true;
    this.slices.ask(MAP);
    this.arrange();
    this.drawAround();
  }

  private arrange(): void {
    const { model } = this;
    const names = model.get("score_names") as string[];
    const by = names.indexOf(String(model.get("sort")));
    const panels = this.foil && by === 0 ? this.data.panels.map((p, i) => ({ ...p, scores: [this.maps.score(i)] })) : this.data.panels;
    const focused = document.activeElement;
    this.grid.arrange(order(panels, (model.get("rows") as string[]).length, (model.get("columns") as string[]).length,
      { by, column: model.get("sort_column") as number, descending: Boolean(model.get("descending")) }));
    if (focused instanceof HTMLElement && this.grid.el.contains(focused)) focused.focus({ preventScroll: true });
    this.table.fill();
  }

  /** The colour bar, and what the limits do to the maps. Counts and sums are kept by the tiles: no cell is looked at. */
  private drawNote(): void {
    const scale = this.shared.get<ScaleState>("scale");
    const cells = this.tiles.reduce((n, t) => n + t.map().data.length, 0);
    const sum = (key: "clipped" | "missing" | "infinite") => this.tiles.reduce((n, t) => n + t.counts()[key], 0);
    const missing = sum("missing");
    const share = cells > missing ? sum("clipped") / (cells - missing) : 0;
    const faint = this.painting.each ? 0 : this.tiles.filter((t) => !t.reaches(FAINT * scale.vmax)).length;
    this.parts.bar.draw(scale, this.shared.get("threshold"), [], outsideSaid(share, missing, sum("infinite")));
    say(this.parts.faint, faint ? `${faint} of ${this.tiles.length} maps stay below a tenth of the limits: their methods may measure in `
      + "other units. A scale of its own for each map shows where their evidence lies." : "");
    const { style } = this.grid.el;
    style.setProperty("--salw-opacity", String(scale.opacity));
    this.grid.el.classList.toggle("salw-all-grey", scale.grey);
    this.grid.el.classList.toggle("salw-all-smooth", scale.smooth);
  }

  private drawAround(): void {
    const { parts, model } = this;
    const reference = String(model.get("reference"));
    say(parts.heading, this.foil ? sentence(this.foil.target().name, this.foil.foil()?.name ?? "") : String(model.get("title")));
    say(parts.message, this.missing || this.maps.same ? this.missing || "Target and foil are the same: choose another foil to see what sets them apart."
      : reference && `Differences to \u201c${reference}\u201d: raw map minus raw map, in the units of the methods.`);
    this.grid.el.classList.toggle("salw-nothing", this.maps.same);
    show(parts.bar.el, !this.painting.each);
    show(parts.badge, this.painting.each);
    show(parts.apart, Boolean(model.get("own_scale")));
    parts.controls.draw();
    parts.scale.draw(this.shared.get("scale"), this.shared.get("threshold"));
    this.foil?.draw();
  }

  private words() {
    const map = (this.tiles[this.pointed] as Tile).map();
    return [cursorInWords(map, this.data.image, this.cursor()), regionInWords(map, this.data.image, this.box())] as const;
  }

  /** Names lie on tiles of the first picture's proportions only where there is one picture. */
  private outline(): void {
    const shapes = this.data.sheets.length > 1 ? [] : outlinesOf(regionsOf(this.shared));
    this.tiles.forEach((tile) => tile.outlines(shapes));
  }

  private drawReadout(): void {
    this.parts.readout.draw(...this.words());
    this.parts.naming.draw((this.tiles[this.pointed] as Tile).map());
  }

  private speak(): void {
    this.parts.live.say([this.grid.label(this.pointed), ...this.words()].filter(Boolean).join(". "));
  }

  /** The map that the numbers beside the grid are about. */
  private point(i: number): void {
    const panel = this.data.panels[i] as PanelState;
    (this.tiles[this.pointed] as Tile).stage.tabIndex = -1;
    this.pointed = i;
    (this.tiles[i] as Tile).stage.tabIndex = 0;
    (this.tiles[i] as Tile).tell();
    say(this.parts.now, this.grid.label(i));
    const asked = this.grid.label(i).includes(panel.question) ? "" : panel.question;
    say(this.parts.caption, [asked, panel.caption].filter(Boolean).join(" \u00b7 "));
    this.parts.notices.replaceChildren(noticeList(panel.notices) ?? "");
  }

  private hands(): void {
    const at = new Map(this.tiles.map((tile, i) => [tile.stage, i]));
    const index = (target: EventTarget | null): number => {
      const stage = (target as Element | null)?.closest?.<HTMLElement>(".salw-tile-stage");
      return (stage && at.get(stage)) ?? -1;
    };
    listenToGrid(this.grid.el, {
      image: this.data.image,
      at: (target) => this.held[index(target)] ?? null,
      view: () => this.shared.get<Box | null>("view"),
      setView: (box) => this.shared.set("view", box),
      point: (held) => {
        const i = this.tiles.indexOf(held.tile);
        if (i !== this.pointed) this.point(i);
      },
      beside: (held, across, down) => this.beside(this.tiles.indexOf(held.tile), across, down),
    }, this.signal);
    listen(this.grid.el, "focusin", (event) => {
      const i = index(event.target);
      if (i < 0) return;
      this.point(i);
      if (this.model.get("active") === i) return;
      this.model.set("active", i);
      this.model.save_changes();
    }, this.signal);
  }

  private beside(i: number, across: number, down: number): Held | null {
    const lines = this.grid.lines();
    const line = lines.findIndex((found) => found.includes(i));
    if (down) return this.held[lines[line + down]?.[(lines[line] as readonly number[]).indexOf(i)] ?? -1] ?? null;
    const flat = lines.flat().filter((found) => found >= 0);
    return this.held[flat[flat.indexOf(i) + across] ?? -1] ?? null;
  }

  /** What another view asks through the link, if these bases can answer it. */
  private take(): void {
    const asked = this.shared.get<Asked | null | undefined>("question");
    const absent = asked && this.foil && !this.foil.take(asked.target, asked.foil);
    this.missing = absent ? `${sentence(asked.target, asked.foil)} is asked, but it is not in these bases.` : "";
    this.drawAround();
  }

  follow(): void {
    let asking = false;
    const asked = () => {
      asking = false;
      if (this.signal.aborted) return;
      this.maps.ask();
      this.missing = "";
      this.again();
      const { foil } = this;
      if (foil) tell(this.shared, { target: foil.target().name, foil: foil.foil()?.name ?? "", source: String(this.model.get("source")) });
    };
    const ask = () => { // target and foil may change one after the other; the question is what they are in the end
      if (!asking) queueMicrotask(asked);
      asking = true;
    };
    if (this.foil) {
      this.shared.on("question", () => this.take());
      this.take();
    }
    const sorted = () => {
      this.arrange();
      this.parts.controls.draw();
    };
    follow(this.model, { target: ask, foil: ask, reference: () => this.again(), sort: sorted, sort_column: sorted, descending: sorted,
      each: () => {
        this.slices.ask(PAINT | SAY);
        this.drawAround();
      }, own_scale: () => this.drawAround() }, this.signal);
    const repaint = () => {
      this.slices.ask(this.painting.each ? PAINT | SAY : PAINT);
      this.parts.scale.draw(this.shared.get("scale"), this.shared.get("threshold"));
      this.drawNote();
    };
    const touch = () => this.slices.ask(TOUCH);
    this.shared.on("scale", repaint);
    this.shared.on("threshold", repaint);
    this.shared.on("cursor", touch);
    this.shared.on("selection", touch);
    this.shared.on("regions", () => {
      this.outline();
      touch();
    });
    this.shared.on("view", () => this.slices.ask(VIEW));
    this.shared.on("highlight", () => this.slices.ask(PART));
    this.shared.on("picked", () => this.pick());
  }
}

export const mount: Mount = async (el, model, host, signal) => {
  const [shared, data] = await Promise.all([connect(model, host, signal), read(model)]);
  if (signal.aborted) return;
  const view = new View(model, shared, data, signal);
  view.mountOn(el);
  view.follow();
};
