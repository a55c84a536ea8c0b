// Small lines over steps, with a play head. Drawn as SVG; the numbers stand in a table elsewhere.
import { h, listen, svg } from "../dom";
import { number } from "../format";

export interface Line {
  name: string;
  /** null: there is no value at this step */
  values: readonly (number | null)[];
}

export interface Chart {
  el: HTMLElement;
  draw(lines: readonly Line[], at: number): void;
}

const DASHES = ["", "5 3", "2 2", "7 2 2 2"];

/** Limits that hold 0 and all values: -1 to 1 or 0 to 1 where they lie in there. */
export function limitsOf(lines: readonly Line[]): [number, number] {
  const all = lines.flatMap((line) => line.values).filter((v): v is number => v !== null && Number.isFinite(v));
  const [low, high] = [Math.min(0, ...all), Math.max(0, ...all)];
  return [low < 0 && low >= -1 ? -1 : low, high <= 1 ? 1 : high];
}

export function createChart(steps: number, pick: (at: number) => void, signal: AbortSignal): Chart {
  const zero = svg("line", { class: "salw-axis", x1: 0, x2: steps });
  const head = svg("line", { class: "salw-head-line" });
  const drawn = svg("g");
  const el = svg("svg", { class: "salw-chart", preserveAspectRatio: "none", viewBox: `0 0 ${steps} 1`, "aria-hidden": "true" },
    zero, head, drawn);
  const [top, bottom] = [h("span"), h("span")];
  const legend = h("div", { class: "salw-legend" });
  const frame = h("div", { class: "salw-chart-frame" }, h("div", { class: "salw-chart-ends", "aria-hidden": "true" }, top, bottom), el);
  listen(frame, "click", (event) => {
    const box = el.getBoundingClientRect();
    pick(Math.min(steps - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * steps))));
  }, signal);
  return {
    el: h("div", { class: "salw-lines-over" }, frame, legend),
    draw(lines, at) {
      const [low, high] = limitsOf(lines);
      const y = (value: number) => String(1 - (value - low) / (high - low));
      top.textContent = number(high);
      bottom.textContent = number(low);
      zero.setAttribute("y1", y(0));
      zero.setAttribute("y2", y(0));
      for (const [name, value] of Object.entries({ x1: at + 0.5, x2: at + 0.5, y1: 0, y2: 1 })) head.setAttribute(name, String(value));
      drawn.replaceChildren(...lines.map((line, k) => {
        let pen = "M";
        const d = line.values.map((value, i) => {
          if (value === null || !Number.isFinite(value)) {
            pen = "M";
            return "";
          }
          const to = `${pen}${i + 0.5} ${y(value)}`;
          pen = "L";
          return to;
        }).join("");
        return svg("path", { d, class: `salw-line-${k}`, "stroke-dasharray": DASHES[k % DASHES.length] ?? "" });
      }));
      legend.replaceChildren(...lines.map((line, k) => h("span", { class: `salw-key-${k}` },
        `${line.name}: ${valueInWords(line.values[at])}`)));
    },
  };
}

export function valueInWords(value: number | null | undefined): string {
  return value === null || value === undefined ? "none" : number(value);
}
