// Paint over a part of the picture: what the map said that would do, at once; what the model says, from the kernel.
import { createColorBar } from "../parts/colorbar";
import { follow, h, listen, onFrame, root, say, show, uid } from "../dom";
import { percent } from "../format";
import { cellAt, centreOf, type Cell } from "../geometry";
import { connectKernel, type Kernel } from "../kernel";
import { edgePath } from "../outline";
import { Paint, painted } from "../paint";
import { keyHelp } from "../parts/alternative";
import { noticeList } from "../parts/facts";
import { outlinesOf, regionsOf } from "../parts/naming";
import { createLive, cursorInWords } from "../parts/readout";
import { createScores } from "../parts/scores";
import { createStage, type Picture, type StageEvents } from "../parts/stage";
import { createTold, explained, mapSays, modelSays, type Answer } from "../parts/told";
import { connect, type Shared } from "../shared";
import type { Cursor, Grid, Highlight, Model, Mount, ScaleState, Selection } from "../types";
import { createWaiting, SILENCE } from "../waiting";
import { uint8 } from "../wire";
import { gridOf, pictureOf, scaleControls, watch } from "./heatmap";

const FILLS = [["blur", "blur"], ["mean", "mean colour"], ["black", "black"]] as const;
const LARGEST = 24;

const KEYS: readonly (readonly [string, string])[] = [
  ["Space", "paint at the cursor"],
  ["Shift + arrows", "paint along the way"],
  ["[ and ]", "smaller and larger brush"],
  ["x", "paint or take paint away"],
  ["u, Ctrl + z", "undo"],
  ["Delete", "take all paint away"],
];

function fillPictures(model: Model): Picture[] {
  const { data } = uint8(model.get("fill_pictures"));
  let start = 0;
  return (model.get("fill_sizes") as [number, number][]).map(([rows, cols]) => {
    const one = { rows, cols, data: data.subarray(start, start + 3 * rows * cols) };
    start += 3 * rows * cols;
    return one;
  });
}

class Eraser {
  readonly paint: Paint;
  readonly map: Grid;
  readonly mass: Grid;
  readonly picture: Picture;
  private fills: Picture[];
  size = 6;
  restoring = false;
  private at: Cell | null = null;
  private last: Cell | null = null;

  constructor(private model: Model, private shared: Shared, private changed: (done: boolean) => void) {
    this.map = gridOf(model.get("map"));
    this.mass = gridOf(model.get("mass"));
    this.picture = pictureOf(model.get("picture"));
    this.fills = fillPictures(model);
    this.paint = new Paint({ rows: this.mass.rows, cols: this.mass.cols });
    this.paint.read(String(model.get("paint")));
  }

  get fill(): string {
    return String(this.model.get("fill"));
  }

  shown(): Picture {
    const at = FILLS.findIndex(([name]) => name === this.fill);
    return this.paint.empty ? this.picture : painted(this.picture, this.fills[at] as Picture, this.paint);
  }

  outline(): string {
    return this.paint.empty ? "" : edgePath({ ...this.paint.cells, on: this.paint.on }, this.picture);
  }

  private cursor(): Cell | null {
    const now = this.shared.get<Cursor | null>("cursor");
    return now && cellAt(now, this.picture, this.mass);
  }

  private stroke(from: Cell, to: Cell): void {
    this.paint.line(from, to, this.size, this.restoring ? 0 : 1);
    this.changed(false);
  }

  /** What is under a box of the picture. */
  box([r0, c0, r1, c1]: readonly number[]): void {
    this.paint.begin();
    const { rows, cols } = this.mass;
    for (let r = 0; r < rows; r++) {
      const y = ((r + 0.5) * this.picture.rows) / rows;
      for (let c = 0; c < cols; c++) {
        const x = ((c + 0.5) * this.picture.cols) / cols;
        if (y > (r0 as number) && y < (r1 as number) && x > (c0 as number) && x < (c1 as number)) this.paint.on[r * cols + c] = 1;
      }
    }
    this.changed(true);
  }

  events(): StageEvents {
    const pinned = () => this.shared.get<Cursor | null>("cursor")?.pinned;
    return {
      cell: () => this.cursor(),
      hover: (next) => {
        if (next) this.at = cellAt(next, this.picture, this.mass);
        if (!pinned()) this.shared.set("cursor", next && { ...next, pinned: false });
      },
      brush: (box) => {
        const { at } = this;
        if (!at || !box) return;
        if (!this.last) {
          this.paint.begin();
          this.last = this.opposite(box, at);
        }
        this.stroke(this.last, at);
        this.last = at;
      },
      done: () => {
        this.last = null;
        this.changed(true);
      },
      action: (action) => this.act(action, Boolean(pinned())),
    };
  }

  /** Where a drag began: the corner of its box that lies across from where it is now. */
  private opposite(box: readonly number[], at: Cell): Cell {
    const [a, b] = [cellAt({ row: (box[0] as number) + 1e-6, col: (box[1] as number) + 1e-6 }, this.picture, this.mass),
      cellAt({ row: (box[2] as number) - 1e-6, col: (box[3] as number) - 1e-6 }, this.picture, this.mass)];
    return { r: a.r === at.r ? b.r : a.r, c: a.c === at.c ? b.c : a.c };
  }

  private act(action: Parameters<StageEvents["action"]>[0], pinned: boolean): void {
    const now = this.cursor();
    if (action.kind === "move") {
      if (action.extend && now) {
        this.paint.begin();
        this.stroke(now, action.cell);
        this.changed(true);
      }
      this.shared.set("cursor", { ...centreOf(action.cell, this.picture, this.mass), pinned });
    } else if (action.kind === "select" && (now ?? this.at)) {
      this.paint.begin();
      this.stroke((now ?? this.at) as Cell, (now ?? this.at) as Cell);
      this.changed(true);
    } else if (action.kind === "pin") {
      this.shared.set("cursor", now && { ...centreOf(now, this.picture, this.mass), pinned: !pinned });
    } else if (action.kind === "clear") this.shared.set("cursor", null);
    else if (action.kind === "zoom") this.shared.set("view", this.shared.get<Selection | null>("selection")?.box ?? null);
    else if (action.kind === "unzoom") this.shared.set("view", null);
  }

  undo(): void {
    if (this.paint.undo()) this.changed(true);
  }

  clear(): void {
    this.paint.clear();
    this.changed(true);
  }
}

function field(text: string, control: HTMLElement, ...more: HTMLElement[]): HTMLElement {
  control.id = uid();
  return h("div", { class: "salw-field" }, h("label", { for: control.id }, text), control, ...more);
}

function createTools(eraser: Eraser, model: Model, shared: Shared, redraw: () => void, signal: AbortSignal) {
  const fill = h("select", {}, ...FILLS.map(([value, text]) => h("option", { value }, text)));
  const size = h("input", { type: "range", min: 1, max: LARGEST, step: 1 });
  const sizeText = h("output");
  const button = (text: string, act: () => void) => {
    const el = h("button", { type: "button" }, text);
    listen(el, "click", act, signal);
    return el;
  };
  const restore = button("Take paint away", () => {
    eraser.restoring = !eraser.restoring;
    redraw();
  });
  const undo = button("Undo", () => eraser.undo());
  const reset = button("Reset", () => eraser.clear());
  const region = button("Paint the region", () => {
    const box = shared.get<Selection | null>("selection")?.box;
    if (box) eraser.box(box);
  });
  listen(fill, "change", () => {
    model.set("fill", fill.value);
    model.save_changes();
  }, signal);
  listen(size, "input", () => {
    eraser.size = Number(size.value);
    redraw();
  }, signal);
  return {
    el: h("div", { class: "salw-tools salw-paint-tools" }, field("Paint", fill), field("Brush", size, sizeText),
      h("div", { class: "salw-buttons" }, restore, undo, reset, region)),
    draw() {
      fill.value = eraser.fill;
      size.value = String(eraser.size);
      say(sizeText, `${eraser.size} of ${eraser.mass.cols} cells`);
      restore.setAttribute("aria-pressed", String(eraser.restoring));
      undo.disabled = !eraser.paint.undoable;
      reset.disabled = eraser.paint.empty;
      show(region, Boolean(shared.get<Selection | null>("selection")));
    },
  };
}

export const mount: Mount = async (el, model, host, signal) => {
  const shared = await connect(model, host, signal);
  if (signal.aborted) return;
  const frames: { all: () => void; ask: (done: boolean) => void } = { all: () => {}, ask: () => {} };
  const eraser = new Eraser(model, shared, (done) => frames.ask(done));
  const live = createLive();
  const { picture, mass, map } = eraser;
  const stages = [createStage(picture, mass, eraser.events(), signal), createStage(picture, mass, eraser.events(), signal)] as const;
  const bar = createColorBar();
  const controls = scaleControls(shared, signal);
  const badge = h("span", { class: "salw-badge", hidden: true }, "scale not shared with all linked views");
  const tools = createTools(eraser, model, shared, () => frames.all(), signal);
  const told = createTold();
  const scores = createScores();
  const status = h("p", { class: "salw-note salw-status", role: "status" });
  const failed = h("p", { class: "salw-failed", role: "alert", hidden: true });
  const at = h("p", { class: "salw-note salw-at" });
  const title = String(model.get("title"));
  const promised = Boolean(model.get("promised"));

  let kernel: Kernel | null = null;
  let speak = false;
  const nobody: Kernel = { alive: false, send: () => "", reply: () => null };
  const waiting = createWaiting(() => kernel ?? nobody, () => frames.all(), signal);
  const answer = () => model.get("answer") as Answer;
  const fresh = () => answer().paint === eraser.paint.code() && (eraser.paint.empty || answer().fill === eraser.fill);
  let tried = ""; // what failed once is not asked again and again
  const ask = () => {
    const [paint, fill] = [eraser.paint.code(), eraser.fill];
    if (!kernel?.alive || eraser.paint.empty || fresh() || tried === paint + fill) return;
    tried = paint + fill;
    waiting.ask({ do: "score", paint, fill });
  };
  frames.ask = (done) => {
    model.set("paint", eraser.paint.code());
    ask();
    if (done) model.save_changes();
    if (done) speak = true;
    frames.all();
  };

  const head = (text: string) => h("div", { class: "salw-panel-title", role: "heading", "aria-level": 3 }, text);
  el.append(root("eraser", signal,
    h("div", { class: "salw-head", role: "heading", "aria-level": 2 }, title), tools.el,
    failed, status,
    h("div", { class: "salw-erase-panels" },
      h("div", {}, head("What the map says"), stages[0].el, bar.el, badge),
      h("div", {}, head("What the model sees"), stages[1].el, at),
      scores.el),
    told.el, noticeList(model.get("notices") as string[]),
    h("p", { class: "salw-caption" }, String(model.get("caption"))),
    h("details", { class: "salw-fold" }, h("summary", {}, "How the map is drawn"), controls.el),
    keyHelp(KEYS), live.el));
  stages[0].label(`Map for the question: ${title} Paint on it with Space.`);
  stages[1].label("The picture as the model sees it. Paint on it with Space.");

  const drawMap = () => {
    const [scale, threshold] = [shared.get<ScaleState>("scale"), shared.get<number>("threshold")];
    stages[0].draw(map, scale, threshold);
    bar.draw(scale, threshold, [map]);
    controls.draw(scale, threshold);
  };
  const drawTouch = () => {
    const cursor = shared.get<Cursor | null>("cursor");
    stages.forEach((stage) => {
      stage.cursor(cursor);
      stage.selection(shared.get<Selection | null>("selection")?.box ?? null);
    });
    say(at, cursorInWords(map, picture, cursor));
    tools.draw();
  };
  const drawPart = () => stages.forEach((stage) => stage.highlight(shared.get<Highlight | null>("highlight")));
  const drawView = () => stages.forEach((stage) => stage.view(shared.get("view")));
  const drawBadge = () => show(badge, Boolean(model.get("own_scale")));

  const drawStatus = () => {
    const now = fresh();
    const reply = waiting.reply();
    const error = reply?.state === "failed" && !now && waiting.state() === "idle";
    show(failed, error);
    say(failed, error ? reply.text : "");
    const text = eraser.paint.empty ? "Paint over a part of either picture: the model is asked again while you paint."
      : now ? "" : !kernel?.alive ? "The scores need a running kernel: shown are those of the last answer."
        : waiting.state() === "silent" ? SILENCE : error ? "" : "Asking the model \u2026";
    say(status, text);
    show(status, text !== "");
  };
  const drawTold = () => {
    const now = answer();
    const said = mapSays(eraser.mass, eraser.paint, promised);
    const known = fresh() && !eraser.paint.empty;
    const texts = [eraser.paint.empty ? "" : `${percent(eraser.paint.share())} of the picture`, said.text, known ? modelSays(now) : "",
      known ? explained(now, said.under, promised) : ""];
    told.draw(texts);
    scores.draw(now.rows, eraser.paint.empty, !eraser.paint.empty && !known);
    if (speak && known) live.say(`${texts[2]}. ${texts[3]}.`);
    if (known) speak = false;
  };
  const drawPaint = () => {
    const picture = eraser.shown();
    const path = eraser.outline();
    stages[1].picture(picture);
    const shapes = [...outlinesOf(regionsOf(shared)), ...(path ? [{ path }] : [])];
    stages.forEach((stage) => stage.outlines(shapes));
    tools.draw();
    drawStatus();
    drawTold();
  };
  frames.all = onFrame(drawPaint, signal);
  listen(el, "keydown", (event) => {
    if (!(event.target as Element).closest(".salw-stage") || event.altKey || event.metaKey) return;
    if (event.ctrlKey ? event.key === "z" : event.key === "u") eraser.undo();
    else if (event.ctrlKey) return;
    else if (event.key === "[" || event.key === "]") eraser.size = Math.min(LARGEST, Math.max(1, eraser.size + (event.key === "]" ? 1 : -1)));
    else if (event.key === "x") eraser.restoring = !eraser.restoring;
    else if (event.key === "Delete") eraser.clear();
    else return;
    event.preventDefault();
    event.stopPropagation();
    frames.all();
  }, signal, { capture: true });
  watch(shared, { regions: () => frames.all(), scale: drawMap, threshold: drawMap, cursor: drawTouch, selection: drawTouch, highlight: drawPart, view: drawView }, signal);
  const repaint = () => {
    if (String(model.get("paint")) !== eraser.paint.code()) {
      eraser.paint.begin();
      eraser.paint.read(String(model.get("paint")));
    }
    frames.all();
  };
  follow(model, { own_scale: drawBadge, answer: () => frames.all(), paint: repaint, fill: () => {
    ask();
    frames.all();
  } }, signal);
  [drawMap, drawTouch, drawPart, drawView, drawBadge, drawPaint].forEach((draw) => draw());
  kernel = connectKernel(model, () => {
    waiting.heard();
    ask();
    frames.all();
  }, signal);
};

