// Maps one after the other: one question through the layers of a network, or through networks that become random.
import { follow, h, listen, onFrame, root, say, show, uid } from "../dom";
import { number } from "../format";
import { shareOf } from "../geometry";
import { keyHelp } from "../parts/alternative";
import { createChart, valueInWords, type Line } from "../parts/chart";
import { createColorBar } from "../parts/colorbar";
import { factList, noticeList, type Fact } from "../parts/facts";
import { createNaming } from "../parts/naming";
import { createLive, createReadout, cursorInWords, regionInWords } from "../parts/readout";
import { createThumbnail } from "../parts/stage";
import { Stages } from "../parts/stages";
import { refit } from "../scale";
import { connect } from "../shared";
import type { Box, Cursor, Grid, Model, Mount, ScaleState, Selection } from "../types";
import { float32 } from "../wire";
import { pictureOf, scaleControls, watch } from "./heatmap";

const PACE = 700; // milliseconds a step is shown while playing
const SETTLED = 300; // after the last step, before Python is told

const KEYS: readonly (readonly [string, string])[] = [
  [", and .", "one step back and on"],
  ["p", "play and pause"],
];

export function readFrames(model: Model): Grid[] {
  const { data } = float32(model.get("maps"));
  let start = 0;
  return (model.get("shapes") as [number, number][]).map(([rows, cols]) => {
    const grid = { data: data.subarray(start, start + rows * cols), rows, cols };
    start += rows * cols;
    return grid;
  });
}

/** The step that is shown. It moves here; Python hears of it when it has come to rest. */
class Player {
  at: number;
  private timer = 0;
  private rest = 0;

  constructor(private model: Model, private steps: number, private moved: () => void, signal: AbortSignal) {
    this.at = this.inside(model.get("at") as number);
    signal.addEventListener("abort", () => {
      window.clearInterval(this.timer);
      window.clearTimeout(this.rest);
    });
  }

  private inside(at: number): number {
    return Math.min(this.steps - 1, Math.max(0, at));
  }

  get playing(): boolean {
    return this.timer !== 0;
  }

  to(at: number): void {
    this.at = this.inside(at);
    this.moved();
    window.clearTimeout(this.rest);
    this.rest = window.setTimeout(() => {
      if (this.playing || this.model.get("at") === this.at) return;
      this.model.set("at", this.at);
      this.model.save_changes();
    }, SETTLED);
  }

  /** Python moved it. */
  follow(): void {
    this.at = this.inside(this.model.get("at") as number);
    this.moved();
  }

  toggle(): void {
    if (this.playing) return this.stop();
    if (this.at === this.steps - 1) this.to(0);
    this.timer = window.setInterval(() => {
      this.to(this.at + 1);
      if (this.at === this.steps - 1) this.stop();
    }, PACE);
    this.moved();
  }

  stop(): void {
    window.clearInterval(this.timer);
    this.timer = 0;
    this.to(this.at);
  }
}

function createScrubber(player: Player, steps: number, label: string, signal: AbortSignal) {
  const input = h("input", { type: "range", min: 0, max: steps - 1, step: 1, "aria-label": label });
  const play = h("button", { type: "button", class: "salw-play" });
  listen(input, "input", () => player.to(Number(input.value)), signal);
  listen(play, "click", () => player.toggle(), signal);
  return {
    el: h("div", { class: "salw-scrubber" }, play, input),
    draw(words: string) {
      input.value = String(player.at);
      input.setAttribute("aria-valuetext", words);
      say(play, player.playing ? "Pause" : "Play");
    },
  };
}

/** Every step with its figures: what the picture shows, in numbers. Made when it is opened. */
function createSteps(labels: readonly string[], maps: readonly Grid[], lines: () => readonly Line[], heading: string, signal: AbortSignal) {
  const table = h("table");
  const el = h("details", { class: "salw-fold" }, h("summary", {}, "All steps as a table"), table);
  const fill = () => {
    if (!el.open) return;
    const now = lines();
    const head = [heading, "Cells", "Largest |value|", ...now.map((line) => line.name)];
    table.replaceChildren(
      h("thead", {}, h("tr", {}, ...head.map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, ...maps.map((map, i) => h("tr", {}, h("th", { scope: "row" }, labels[i] ?? ""), h("td", {}, `${map.rows} \u00d7 ${map.cols}`),
        h("td", {}, number(map.data.reduce((most, v) => (Number.isFinite(v) ? Math.max(most, Math.abs(v)) : most), 0))),
        ...now.map((line) => h("td", {}, valueInWords(line.values[i])))))));
  };
  listen(el, "toggle", fill, signal);
  return { el, fill };
}

export const mount: Mount = async (el, model, host, signal) => {
  const shared = await connect(model, host, signal);
  if (signal.aborted) return;
  const maps = readFrames(model);
  const labels = model.get("labels") as string[];
  const given = model.get("lines") as Line[];
  const picture = pictureOf(model.get("picture"));
  const captions = model.get("captions") as string[];
  const live = createLive();
  const scale = () => shared.get<ScaleState>("scale");
  const box = () => shared.get<Selection | null>("selection")?.box ?? null;
  let now = maps[0] as Grid;
  const words = () => [cursorInWords(now, picture, shared.get<Cursor | null>("cursor")), regionInWords(now, picture, box())] as const;
  const source = String(model.get("source"));
  const stages = new Stages(shared, { source, key: () => (model.get("picture_keys") as string[] | undefined)?.[0], named: true,
    speak: () => live.say(words().filter(Boolean).join(". Region: ")) }, signal);
  const player = new Player(model, maps.length, () => drawStep(), signal);
  const step = () => `${labels[player.at]} (${player.at + 1} of ${maps.length})`;

  // The line is there before there is a region: a view that grows when a brush begins would move the views below.
  const share = { name: "share of the positive in the region" };
  let shares: { box: Box; line: Line } | null = null;
  const lines = (): readonly Line[] => {
    const region = box();
    if (!region) return [...given, { ...share, values: maps.map(() => null) }];
    if (shares?.box !== region) {
      shares = { box: region, line: { ...share, values: maps.map((map) => shareOf(map, picture, region).positive) } };
    }
    return [...given, shares.line];
  };

  const own = h("input", { type: "checkbox", id: uid() });
  own.checked = Boolean(model.get("each"));
  const badge = h("span", { class: "salw-badge" }, "each step has its own scale");
  const [bar, readout, controls] = [createColorBar(), createReadout(), scaleControls(shared, signal)];
  const naming = createNaming(shared, picture, source, signal);
  const scrubber = createScrubber(player, maps.length, String(model.get("through")), signal);
  const chart = createChart(maps.length, (at) => player.to(at), signal);
  const table = createSteps(labels, maps, lines, String(model.get("through")), signal);
  const long = labels.some((label) => label.length > 32) && "salw-step-long"; // two lines at every step, or the map would jump
  const title = h("div", { class: `salw-step ${long || ""}`, role: "heading", "aria-level": 3 });
  const caption = h("p", { class: "salw-caption" });
  const question = String(model.get("title"));

  const drawLines = () => {
    chart.draw(lines(), player.at);
    table.fill();
  };
  const drawMap = () => {
    now = maps[player.at] as Grid;
    const limits = own.checked ? refit(scale(), [now.data]) : scale();
    const { stage, describe } = stages.of(now, picture);
    stage.draw(now, limits, shared.get("threshold"));
    describe(`Map at ${step()} for the question: ${question}`, now);
    bar.draw(limits, shared.get("threshold"), [now]);
    controls.draw(scale(), shared.get("threshold"));
    show(badge, own.checked || Boolean(model.get("own_scale")));
    say(badge, own.checked ? "each step has its own scale" : "scale not shared with all linked views");
    say(title, step());
    say(caption, captions[player.at] ?? "");
    scrubber.draw(step());
    drawTouch();
    drawNaming();
  };
  const drawTouch = () => {
    stages.touch();
    readout.draw(...words());
  };
  const drawNaming = () => naming.draw(now, step());
  const drawNames = () => {
    stages.names();
    drawNaming();
  };
  const drawNow = () => {
    drawMap();
    drawLines();
  };
  const drawAll = onFrame(drawNow, signal);
  function drawStep(): void {
    drawAll();
  }

  const frame = root("through", signal,
    h("div", { class: "salw-head", role: "heading", "aria-level": 2 }, question),
    h("div", { class: "salw-body" },
      h("div", { class: "salw-left" }, title, stages.el, scrubber.el, chart.el, caption, bar.el, badge),
      h("div", { class: "salw-side" }, noticeList(model.get("notices") as string[]),
        h("div", { class: "salw-beside" }, factList(model.get("facts") as Fact[]), createThumbnail(picture)), readout.el, naming.el, controls.el,
        h("label", { class: "salw-tick" }, own, "a scale of its own for each step"), table.el, keyHelp(KEYS))),
    live.el);
  el.append(frame);
  listen(frame, "keydown", (event) => {
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !(event.target instanceof HTMLSelectElement);
    if (!plain || ![",", ".", "p"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "p") player.toggle();
    else player.to(player.at + (event.key === "." ? 1 : -1));
    live.say(step());
  }, signal);
  listen(own, "change", drawAll, signal);
  follow(model, { at: () => player.follow(), own_scale: drawAll }, signal);
  watch(shared, { scale: drawNow, threshold: drawNow, cursor: drawTouch, selection: drawNow, highlight: stages.part, regions: drawNames, view: stages.view }, signal);
  drawNow();
};
