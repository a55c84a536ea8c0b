// A table of metrics, their curves with a play head, and the picture that the model saw at that point.
import { follow, h, listen, onFrame, root, say, show, uid } from "../dom";
import { number, percent } from "../format";
import { pickedOf } from "../lit";
import { keyHelp, keyList } from "../parts/alternative";
import { createColorBar } from "../parts/colorbar";
import { noticeList } from "../parts/facts";
import { createLive, createReadout, cursorInWords, regionInWords } from "../parts/readout";
import { createScoreCurves, type CurveLine } from "../parts/scorecurves";
import { agreementTable, createScoreTable, everyRow, inWords, metricFacts } from "../parts/scoretable";
import type { Picture } from "../parts/stage";
import { Stages } from "../parts/stages";
import { enlarged, perturb, plain, ranks, type Plays } from "../perturbed";
import { refit } from "../scale";
import { curveOf, meanCurve, type Column, type Group, type Row } from "../scores";
import { connect } from "../shared";
import type { Cursor, Grid, Model, Mount, Picked, ScaleState, Selection } from "../types";
import { colours, floats } from "../unpack";
import { float32 } from "../wire";
import { scaleControls, watch } from "./heatmap";

const PACE = 350; // milliseconds a point is shown while playing
const SETTLED = 300; // after the last move, before Python is told
const KEYS: readonly (readonly [string, string])[] = [
  [", and .", "play head one point back and on"], ["p", "play and pause"], ["n and b", "next explanation of this method, and back"],
];
const WORDS: Readonly<Record<string, string>> = {
  most: "hidden, the most important first", least: "hidden, the least important first", show: "shown, the most important first",
};

interface Place {
  map: [number, number, number];
  picture: number;
}
type Still = { colour?: number[]; sheet?: number } | null;

/** Everything that came from Python, unpacked once. */
async function unpack(model: Model) {
  const get = <T>(name: string) => model.get(name) as T;
  const sizes = get<[number, number][]>("sheets");
  const [maps, rgb] = await Promise.all([floats(model.get("maps")), colours(model.get("pictures"), sizes)]);
  const sheets: Picture[] = rgb.map((data, i) => ({ data, rows: sizes[i]?.[0] as number, cols: sizes[i]?.[1] as number }));
  const places = get<Place[]>("places");
  const grids: Grid[] = places.map(({ map: [from, rows, cols] }) => ({ data: maps.subarray(from, from + rows * cols), rows, cols }));
  return { rows: get<Row[]>("rows"), groups: get<Group[]>("groups"), columns: get<Column[]>("columns"), curves: float32(model.get("curves")).data,
    sheets, places, grids, stills: get<Record<string, Still[]>>("stills"), keys: get<string[]>("picture_keys") };
}
type Data = Awaited<ReturnType<typeof unpack>>;

/** The picture at the play head; rankings and stills are made once. */
class Playback {
  readonly el = h("canvas", { class: "salw-played", role: "img" });
  private ranked = new Map<number, Uint32Array>();
  private colours = new Map<string, Uint8Array>();

  constructor(private data: Data) {}

  private still(column: Column, place: Place, pixels: number): Uint8Array | null {
    const still = this.data.stills[column.fill]?.[place.picture];
    if (!still) return null;
    if (still.sheet !== undefined) return this.data.sheets[still.sheet]?.data ?? null;
    const key = `${still.colour} ${pixels}`;
    const made = this.colours.get(key) ?? plain(still.colour ?? [], pixels);
    this.colours.set(key, made);
    return made;
  }

  /** Whether there is a picture; it is then drawn. */
  draw(column: Column, row: number, at: number): boolean {
    const [place, grid] = [this.data.places[row], this.data.grids[row]];
    const picture = place && this.data.sheets[place.picture];
    const still = picture && column.curve && column.plays ? this.still(column, place, picture.rows * picture.cols) : null;
    if (!grid || !picture || !still || !column.curve) return false;
    const rank = this.ranked.get(row) ?? ranks(enlarged(grid, picture));
    this.ranked.set(row, rank);
    this.el.width = picture.cols;
    this.el.height = picture.rows;
    const image = new ImageData(picture.cols, picture.rows);
    perturb(image.data, rank, column.plays as Plays, column.curve.x[at] as number, picture.data, still);
    this.el.getContext("2d")?.putImageData(image, 0, 0);
    return true;
  }
}

/** What is chosen: explanation, metric, play head, order. It changes here at once; Python hears when it has come to rest. */
class Choice {
  row: number;
  metric: string;
  at: number;
  private rest = 0;

  constructor(private model: Model, private changed: () => void, signal: AbortSignal) {
    this.row = model.get("row") as number;
    this.metric = model.get("metric") as string;
    this.at = model.get("at") as number;
    signal.addEventListener("abort", () => window.clearTimeout(this.rest));
  }

  set(next: Partial<Pick<Choice, "row" | "metric" | "at">>): void {
    Object.assign(this, next);
    this.changed();
    window.clearTimeout(this.rest);
    this.rest = window.setTimeout(() => {
      for (const name of ["metric", "row", "at"] as const) if (this.model.get(name) !== this[name]) this.model.set(name, this[name]);
      this.model.save_changes();
    }, SETTLED);
  }

  /** Python set one of them. The others may be newer here than there. */
  take(name: "row" | "metric" | "at"): void {
    if (this[name] === this.model.get(name)) return;
    Object.assign(this, { [name]: this.model.get(name) });
    this.changed();
  }
}

function field(text: string, control: HTMLElement): HTMLElement {
  control.id = uid();
  return h("div", { class: "salw-field" }, h("label", { for: control.id }, text), control);
}

const labelOf = (r: Row) => [`${r.method}, input ${r.input + 1}`, r.question, r.flags].filter(Boolean).join(", ");

export const mount: Mount = async (el, model, host, signal) => {
  const [shared, data] = await Promise.all([connect(model, host, signal), unpack(model)]);
  if (signal.aborted) return;
  const { rows, groups, columns } = data;
  const withMaps = data.grids.length > 0;
  const choice = new Choice(model, () => drawAll(), signal);
  const group = () => groups.findIndex((g) => g.rows.includes(choice.row));
  const column = () => columns.find((c) => c.label === choice.metric) ?? (columns[0] as Column);
  const last = () => (column().curve?.x.length ?? 1) - 1;
  const live = createLive();
  const source = String(model.get("source"));

  const pick = (row: number) => {
    choice.set({ row });
    const key = data.keys[data.places[row]?.picture ?? -1];
    if (key) shared.set("picked", { source, keys: key.split(" ") });
  };
  const sortBy = (label: string) => {
    const best = columns.find((c) => c.label === label)?.better === "higher";
    const [now, descending] = [model.get("sort") as string, model.get("descending") as boolean];
    if (now !== label) model.set("descending", best);
    else model.set("descending", !descending);
    model.set("sort", now === label && descending !== best ? "" : label);
    model.save_changes();
    drawAll();
    live.say(model.get("sort") ? `Sorted by ${label}, ${model.get("descending") === best ? "best" : "worst"} first.` : "In the order of the table.");
  };
  const about = h("p", { class: "salw-note salw-score-about" });
  let pointed: number | null = null;
  const drawAbout = () => {
    const c = pointed === null ? column() : (columns[pointed] as Column);
    say(about, `${c.label} ${c.arrow} (${c.better} is better) cannot tell: ${c.cannot}`);
  };
  const table = createScoreTable(groups, columns, {
    sort: sortBy,
    pick(i) {
      const wanted = rows[choice.row] as Row;
      const inside = (groups[i] as Group).rows;
      pick(inside.find((r) => rows[r]?.input === wanted.input && rows[r]?.question === wanted.question)
        ?? inside.find((r) => rows[r]?.input === wanted.input) ?? (inside[0] as number));
      live.say(said());
    },
    about(k) {
      pointed = k;
      drawAbout();
    },
  }, signal);

  // -- curves and play head ------------------------------------------------------------------------------------
  const plotted = columns.filter((c) => c.curve);
  const metric = h("select", {}, ...plotted.map((c) => h("option", { value: c.label }, `${c.label} ${c.arrow}`)));
  const which = h("select");
  const chart = createScoreCurves((share) => {
    const x = column().curve?.x ?? [0];
    const wanted = (x[0] as number) + share * ((x[x.length - 1] as number) - (x[0] as number));
    choice.set({ at: x.reduce((best, v, i) => (Math.abs(v - wanted) < Math.abs((x[best] as number) - wanted) ? i : best), 0) });
  }, signal);
  const play = h("button", { type: "button", class: "salw-play" });
  const slider = h("input", { type: "range", min: 0, step: 1, "aria-label": "Play head" });
  const playback = new Playback(data);
  const [played, noPicture] = [h("p", { class: "salw-caption" }), h("p", { class: "salw-note" })];
  let timer = 0;
  const stop = () => {
    window.clearInterval(timer);
    timer = 0;
    drawAll();
  };
  const toggle = () => {
    if (timer) return stop();
    if (choice.at >= last()) choice.set({ at: 0 });
    timer = window.setInterval(() => {
      choice.set({ at: Math.min(last(), choice.at + 1) });
      if (choice.at === last()) stop();
    }, PACE);
    drawAll();
  };
  signal.addEventListener("abort", () => window.clearInterval(timer));
  listen(play, "click", toggle, signal);
  listen(slider, "input", () => choice.set({ at: Number(slider.value) }), signal);
  listen(metric, "change", () => choice.set({ metric: metric.value, at: Math.min(choice.at, (columns.find((c) => c.label === metric.value)?.curve?.x.length ?? 1) - 1) }), signal);
  listen(which, "change", () => pick(Number(which.value)), signal);

  // -- the map -------------------------------------------------------------------------------------------------
  const box = () => shared.get<Selection | null>("selection")?.box ?? null;
  const shownNow = () => ({ grid: data.grids[choice.row] as Grid, picture: data.sheets[data.places[choice.row]?.picture ?? 0] as Picture });
  const touched = () => {
    const { grid, picture } = shownNow();
    return [cursorInWords(grid, picture, shared.get<Cursor | null>("cursor")), regionInWords(grid, picture, box())] as const;
  };
  const stages = new Stages(shared, { source, key: () => data.keys[data.places[choice.row]?.picture ?? 0],
    named: new Set(data.places.map((place) => place.picture)).size === 1,
    speak: () => live.say(touched().filter(Boolean).join(". Region: ")) }, signal);
  const [bar, readout, controls] = [createColorBar(), createReadout(), scaleControls(shared, signal)];
  const own = h("input", { type: "checkbox" });
  own.checked = Boolean(model.get("each"));
  const badge = h("span", { class: "salw-badge" }, "each map has its own scale");
  listen(own, "change", () => drawAll(), signal);

  const point = () => {
    const c = column();
    const x = c.curve?.x[choice.at] ?? 0;
    return c.plays ? `${percent(x)} ${WORDS[c.plays] ?? ""}` : `x = ${number(x)}`;
  };
  const said = () => {
    const r = rows[choice.row] as Row;
    const c = column();
    const y = c.curve && curveOf(c, data.curves, choice.row);
    return `${labelOf(r)}. ${c.label}: ${c.values[choice.row] === null ? "does not apply" : number(c.values[choice.row] as number)}; `
      + `mean of ${r.method}: ${inWords(c.cells[group()])}.` + (y ? ` At ${point()}: ${number(y[choice.at] as number)}.` : "");
  };
  const drawCurves = () => {
    const c = column();
    if (!c.curve) return;
    const here = group();
    const kinds = new Set(groups.map((g) => `${g.kind} ${g.model}`)).size > 1;
    const lines: CurveLine[] = [];
    groups.forEach((g, i) => {
      const y = meanCurve(c, data.curves, g.rows);
      if (y) lines.push({ name: kinds ? `${g.method}, ${g.kind}` : g.method, y, kind: i === here ? "picked" : "other" });
    });
    const mine = curveOf(c, data.curves, choice.row);
    if (mine) lines.push({ name: "this explanation", y: mine, kind: "own" });
    chart.draw(c.curve.x, lines, choice.at);
    metric.value = c.label;
    slider.max = String(last());
    slider.value = String(choice.at);
    slider.setAttribute("aria-valuetext", point());
    say(play, timer ? "Pause" : "Play");
    const drawn = playback.draw(c, choice.row, choice.at);
    show(playback.el, drawn);
    show(played, drawn);
    say(played, point());
    playback.el.setAttribute("aria-label", `The picture with ${point()}, ${labelOf(rows[choice.row] as Row)}`);
    show(noPicture, !drawn);
    say(noPicture, !withMaps ? "This table was loaded without its explanations: give Scorecard(table, explanations=…) to see the pictures."
      : c.plays ? `The fill ${c.fill || "of this metric"} depends on what is left of the picture; it cannot be drawn here.` : "A point of this curve is no single picture.");
  };
  const drawWhich = () => {
    const inside = groups[group()]?.rows ?? [];
    if (which.dataset["of"] !== String(group())) {
      which.dataset["of"] = String(group());
      which.replaceChildren(...inside.map((r) => h("option", { value: r }, labelOf(rows[r] as Row).replace(`${(rows[r] as Row).method}, `, ""))));
    }
    which.value = String(choice.row);
  };
  const drawMap = () => {
    if (!withMaps) return;
    const { grid, picture } = shownNow();
    const scale = shared.get<ScaleState>("scale");
    const limits = own.checked ? refit(scale, [grid.data]) : scale;
    const { stage, describe } = stages.of(grid, picture);
    stage.draw(grid, limits, shared.get("threshold"));
    describe(`Map of ${labelOf(rows[choice.row] as Row)}.`, grid);
    bar.draw(limits, shared.get("threshold"), [grid]);
    controls.draw(scale, shared.get("threshold"));
    show(badge, own.checked || Boolean(model.get("own_scale")));
    say(badge, own.checked ? "each map has its own scale" : "scale not shared with all linked views");
    drawTouch();
  };
  const drawTouch = () => {
    if (!withMaps) return;
    stages.touch();
    readout.draw(...touched());
  };
  const drawNow = () => {
    table.draw(model.get("sort") as string, Boolean(model.get("descending")), group());
    drawAbout();
    drawWhich();
    drawCurves();
    drawMap();
  };
  const once = onFrame(drawNow, signal);
  function drawAll(): void {
    once();
  }
  const drawPicked = () => {
    const now = shared.get<Picked | null | undefined>("picked");
    if (!now || now.source === source) return;
    const found = pickedOf(now, data.keys);
    if (found[data.places[choice.row]?.picture ?? -1]) return;
    const row = (groups[group()]?.rows ?? []).find((r) => found[data.places[r]?.picture ?? -1]);
    if (row !== undefined) choice.set({ row });
  };

  const frame = root("scorecard", signal,
    h("div", { class: "salw-head", role: "heading", "aria-level": 2 }, String(model.get("title"))),
    noticeList(model.get("notices") as string[]), table.el, about,
    h("div", { class: "salw-row" }, field("Explanation", which), plotted.length > 0 && field("Curves", metric)),
    h("div", { class: "salw-score-body" },
      plotted.length > 0 && h("div", { class: "salw-left" }, chart.el, h("div", { class: "salw-scrubber" }, play, slider)),
      plotted.length > 0 && h("div", { class: "salw-left" }, playback.el, played, noPicture),
      withMaps && h("div", { class: "salw-left" }, stages.el, bar.el, badge), withMaps && readout.el),
    agreementTable(columns, model.get("agreement") as (number | null)[][]),
    Boolean(model.get("stored")) && h("p", { class: "salw-note" }, String(model.get("stored"))), metricFacts(columns), everyRow(rows.map(labelOf), columns, signal),
    withMaps && h("details", { class: "salw-fold" }, h("summary", {}, "How maps are drawn"), controls.el,
      h("label", { class: "salw-tick" }, own, "a scale of its own for each map")),
    withMaps ? keyHelp(KEYS) : keyList(KEYS), live.el);
  el.append(frame);
  listen(frame, "keydown", (event) => {
    const typing = event.target instanceof HTMLSelectElement;
    if (event.ctrlKey || event.metaKey || event.altKey || typing || ![",", ".", "p", "n", "b"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "p") return toggle();
    if (event.key === "," || event.key === ".") choice.set({ at: Math.min(last(), Math.max(0, choice.at + (event.key === "." ? 1 : -1))) });
    else {
      const inside = groups[group()]?.rows ?? [];
      const k = inside.indexOf(choice.row) + (event.key === "n" ? 1 : inside.length - 1);
      pick(inside[k % inside.length] as number);
    }
    live.say(said());
  }, signal);
  const taken = (name: "row" | "metric" | "at") => () => choice.take(name);
  follow(model, { row: taken("row"), metric: taken("metric"), at: taken("at"), sort: drawAll, descending: drawAll, own_scale: drawAll }, signal);
  watch(shared, { scale: drawMap, threshold: drawMap, cursor: drawTouch, selection: drawTouch, highlight: stages.part, view: stages.view, regions: stages.names,
    picked: drawPicked }, signal);
  drawNow();
};
