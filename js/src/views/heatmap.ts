// One explanation: its question, its map on the picture, its numbers.
import { stageEvents } from "../actions";
import { h, onFrame, root, show } from "../dom";
import { partIn, pickedOf } from "../lit";
import { createAlternative, keyHelp } from "../parts/alternative";
import { createColorBar } from "../parts/colorbar";
import { createControls } from "../parts/controls";
import { factList, noticeList, type Fact } from "../parts/facts";
import { createNaming, outlinesOf, regionsOf } from "../parts/naming";
import { createLive, createReadout, cursorInWords, regionInWords } from "../parts/readout";
import { createStage, createThumbnail, type Picture } from "../parts/stage";
import { withLimits } from "../scale";
import { connect, type Shared, type Trait } from "../shared";
import type { Cursor, Grid, Highlight, Mount, Picked, ScaleState, Selection } from "../types";
import { float32, uint8 } from "../wire";

export function gridOf(packed: unknown): Grid {
  const { data, shape } = float32(packed);
  return { data, rows: shape[0] as number, cols: shape[1] as number };
}

export function pictureOf(packed: unknown): Picture {
  const { data, shape } = uint8(packed);
  return { data, rows: shape[0] as number, cols: shape[1] as number };
}

/** Controls that write the shared scale. */
export function scaleControls(shared: Shared, signal: AbortSignal) {
  return createControls({
    scale: (change) => shared.set("scale", withLimits({ ...shared.get<ScaleState>("scale"), ...change })),
    threshold: (value) => shared.set("threshold", value),
  }, signal);
}

function parts(shared: Shared, map: Grid, picture: Picture, source: string, signal: AbortSignal) {
  const live = createLive();
  const words = () => [
    cursorInWords(map, picture, shared.get<Cursor | null>("cursor")),
    regionInWords(map, picture, shared.get<Selection | null>("selection")?.box ?? null),
  ] as const;
  const speak = () => live.say(words().filter(Boolean).join(". Region: "));
  return {
    live,
    words,
    stage: createStage(picture, map, stageEvents(shared, picture, map, source, speak), signal),
    bar: createColorBar(),
    controls: scaleControls(shared, signal),
    readout: createReadout(),
    naming: createNaming(shared, picture, source, signal),
    table: createAlternative(picture, signal),
  };
}

export const mount: Mount = async (el, model, host, signal) => {
  const shared = await connect(model, host, signal);
  if (signal.aborted) return;
  const map = gridOf(model.get("map"));
  const picture = pictureOf(model.get("picture"));
  const { live, words, stage, bar, controls, readout, naming, table } = parts(shared, map, picture, String(model.get("source")), signal);
  const title = String(model.get("title"));
  const badge = h("span", { class: "salw-badge", hidden: true }, "scale not shared with all linked views");
  const picked = h("span", { class: "salw-badge", hidden: true }, "among the picked images");

  el.append(root("heatmap", signal,
    h("div", { class: "salw-head", role: "heading", "aria-level": 2 }, title),
    h("div", { class: "salw-body" },
      h("div", { class: "salw-left" }, stage.el, h("p", { class: "salw-caption" }, String(model.get("caption"))),
        bar.el, badge, picked),
      h("div", { class: "salw-side" },
        noticeList(model.get("notices") as string[]),
        h("div", { class: "salw-beside" }, factList(model.get("facts") as Fact[]), createThumbnail(picture)), readout.el, naming.el,
        controls.el, table.el, keyHelp())),
    live.el));
  stage.label(String(model.get("said") || `Map for the question: ${title}`));
  table.draw(map);

  const drawMap = () => {
    const scale = shared.get<ScaleState>("scale");
    const threshold = shared.get<number>("threshold");
    stage.draw(map, scale, threshold);
    bar.draw(scale, threshold, [map]);
    controls.draw(scale, threshold);
  };
  const drawTouch = () => {
    stage.cursor(shared.get<Cursor | null>("cursor"));
    stage.selection(shared.get<Selection | null>("selection")?.box ?? null);
    readout.draw(...words());
    naming.draw(map);
  };
  const drawNames = () => {
    stage.outlines(outlinesOf(regionsOf(shared)));
    naming.draw(map);
  };
  const keys = (model.get("picture_keys") ?? []) as string[];
  const drawPart = () => stage.highlight(partIn(shared.get<Highlight | null>("highlight"), keys[0], picture));
  const drawPicked = () => show(picked, pickedOf(shared.get<Picked | null>("picked"), keys).includes(true));
  const drawView = () => stage.view(shared.get("view"));
  const drawBadge = () => show(badge, Boolean(model.get("own_scale")));
  watch(shared, { scale: drawMap, threshold: drawMap, cursor: drawTouch, selection: drawTouch, highlight: drawPart, regions: drawNames,
    picked: drawPicked, view: drawView }, signal);
  model.on("change:own_scale", drawBadge);
  signal.addEventListener("abort", () => model.off("change:own_scale", drawBadge));
  [drawMap, drawTouch, drawNames, drawPart, drawPicked, drawView, drawBadge].forEach((draw) => draw());
};

/** Draw at most once a frame for whatever changed. */
export function watch(shared: Shared, draws: Partial<Record<Trait, () => void>>, signal: AbortSignal): void {
  const once = new Map<() => void, () => void>();
  for (const [trait, draw] of Object.entries(draws)) {
    if (!once.has(draw)) once.set(draw, onFrame(draw, signal));
    shared.on(trait as Trait, once.get(draw) as () => void);
  }
}

