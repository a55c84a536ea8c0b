// One panel of a contrast: its question, its map, its score, what lies under cursor and brush.
import { h, say, show } from "../dom";
import { signed } from "../format";
import { ruleInWords } from "./colorbar";
import { createDescription } from "./described";
import { cursorInWords, regionInWords } from "./readout";
import { createStage, type Picture, type Stage, type StageEvents } from "./stage";
import type { Box, Cursor, Grid, ScaleState, Size } from "../types";

export interface Panel {
  el: HTMLElement;
  stage: Stage;
  /** what the lines below the map say now */
  words: { cursor: string; region: string };
  draw(map: Grid, scale: ScaleState, threshold: number, title: string, score: string, ownScale: boolean): void;
  touch(map: Grid, cursor: Cursor | null, box: Box | null): void;
  /** there is nothing to show: target and foil are the same */
  hide(nothing: boolean): void;
}

export function createPanel(picture: Picture, grid: Size, events: StageEvents, signal: AbortSignal): Panel {
  const stage = createStage(picture, grid, events, signal);
  const title = h("div", { class: "salw-panel-title", role: "heading", "aria-level": 3 });
  const lines = { score: h("p", { class: "salw-score" }), own: h("p", { class: "salw-note" }), cursor: h("p"), region: h("p") };
  const el = h("div", { class: "salw-panel", role: "group" }, title, stage.el,
    h("div", { class: "salw-lines" }, ...Object.values(lines)));
  const words = { cursor: "", region: "" };
  const describe = createDescription(stage, picture, signal);
  return {
    el,
    stage,
    words,
    draw(map, scale, threshold, question, score, ownScale) {
      stage.draw(map, scale, threshold);
      describe(`Map for the question: ${question}`, map);
      el.setAttribute("aria-label", question);
      say(title, question);
      say(lines.score, score);
      say(lines.own, ownScale ? `Own scale ${signed(scale.vmin)} to ${signed(scale.vmax)}: ${ruleInWords(scale.clip)}.` : "");
    },
    touch(map, cursor, box) {
      stage.cursor(cursor);
      stage.selection(box);
      words.cursor = cursorInWords(map, picture, cursor);
      words.region = regionInWords(map, picture, box);
      say(lines.cursor, words.cursor && `Cursor ${words.cursor}`);
      say(lines.region, words.region && `Region ${words.region}`);
    },
    hide(nothing) {
      el.classList.toggle("salw-nothing", nothing);
      show(lines.score, !nothing);
    },
  };
}
