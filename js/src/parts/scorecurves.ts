// Mean curves of all methods with a play head; the chosen method stands out. The numbers at the head are the legend.
import { h, listen, svg } from "../dom";
import { number } from "../format";
import { limitsOf } from "./chart";

export interface CurveLine {
  name: string;
  y: ArrayLike<number>;
  kind: "picked" | "own" | "other";
}

export interface ScoreCurves {
  el: HTMLElement;
  draw(x: readonly number[], lines: readonly CurveLine[], at: number): void;
}

export function createScoreCurves(pick: (share: number) => void, signal: AbortSignal): ScoreCurves {
  const zero = svg("line", { class: "salw-axis" });
  const head = svg("line", { class: "salw-head-line" });
  const drawn = svg("g");
  const el = svg("svg", { class: "salw-chart", preserveAspectRatio: "none", viewBox: "0 0 1 1", "aria-hidden": "true" }, zero, head, drawn);
  const [top, bottom, left, right] = [h("span"), h("span"), h("span"), h("span")];
  const legend = h("ul", { class: "salw-curve-legend" });
  const frame = h("div", { class: "salw-chart-frame salw-curves" }, h("div", { class: "salw-chart-ends", "aria-hidden": "true" }, top, bottom), el);
  const at = (event: PointerEvent | MouseEvent) => {
    const box = el.getBoundingClientRect();
    pick(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
  };
  listen(frame, "pointerdown", (event) => {
    if (event.button !== 0) return;
    frame.setPointerCapture?.(event.pointerId);
    at(event);
  }, signal);
  listen(frame, "pointermove", (event) => event.buttons & 1 && at(event), signal);
  return {
    el: h("div", { class: "salw-lines-over" }, frame, h("div", { class: "salw-curve-ends", "aria-hidden": "true" }, left, right), legend),
    draw(x, lines, step) {
      const [x0, x1] = [x[0] ?? 0, x[x.length - 1] ?? 1];
      const [low, high] = limitsOf(lines.map((line) => ({ name: line.name, values: Array.from(line.y) })));
      const across = (v: number) => (v - x0) / (x1 - x0 || 1);
      const down = (v: number) => 1 - (v - low) / (high - low || 1);
      [top.textContent, bottom.textContent, left.textContent, right.textContent] = [number(high), number(low), number(x0), number(x1)];
      for (const [name, v] of Object.entries({ x1: 0, x2: 1, y1: down(0), y2: down(0) })) zero.setAttribute(name, String(v));
      const now = across(x[step] ?? x0);
      for (const [name, v] of Object.entries({ x1: now, x2: now, y1: 0, y2: 1 })) head.setAttribute(name, String(v));
      const order = ["other", "picked", "own"];
      drawn.replaceChildren(...[...lines].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind)).map((line) => svg("path", {
        class: `salw-curve-${line.kind}`, d: Array.from(line.y, (v, i) => `${i ? "L" : "M"}${across(x[i] as number)} ${down(v)}`).join("") })));
      legend.replaceChildren(...lines.map((line) => h("li", { class: `salw-curve-${line.kind}` }, `${line.name}: ${number(line.y[step] ?? NaN)}`)));
    },
  };
}
