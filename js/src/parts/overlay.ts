// Vector layer over a map: contours, hatching of missing cells, the brushed region and the cursor cell.
import { contour } from "../contour";
import { show, svg, uid } from "../dom";
import { cellAt, type Cell } from "../geometry";
import { labels } from "../labels";
import { reach } from "../scale";
import type { Box, Cursor, Grid, Highlight, ScaleState, Size } from "../types";

/** A shape in image pixels. */
export interface Outline {
  path: string;
  name?: string;
  /** where the name stands, if there is room: the upper left corner */
  row?: number;
  col?: number;
}

export interface Overlay {
  el: SVGSVGElement;
  lines(map: Grid, scale: ScaleState, threshold: number): void;
  cursor(cursor: Cursor | null): void;
  selection(box: Box | null): void;
  highlight(part: Highlight | null): void;
  outlines(parts: readonly Outline[]): void;
}

const HATCHED_AT_MOST = 4096; // a grey cell still marks the rest

/** Lines about 60 to the longer side, whatever the size of the image in pixels. */
function hatching(id: string, image: Size): SVGElement {
  const gap = Math.max(image.rows, image.cols) / 60;
  const pattern = svg("pattern", { id, width: gap, height: gap, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("line", { x1: 0, y1: 0, x2: 0, y2: gap, class: "salw-hatch", "stroke-width": gap / 2 }));
  return svg("defs", {}, pattern);
}

function outline(box: Box): Record<string, number> {
  return { x: box[1], y: box[0], width: box[3] - box[1], height: box[2] - box[0] };
}

function place(el: SVGElement, box: Box | null): void {
  show(el, box !== null);
  if (box) for (const [name, value] of Object.entries(outline(box))) el.setAttribute(name, String(value));
}

/** A shape drawn twice, dark below light, so that it is seen on any picture. */
function twice(tag: "rect" | "path", name: string): SVGElement[] {
  return ["halo", "line"].map((part) => svg(tag, { class: `salw-${name} salw-${part}`, hidden: true }));
}

export function createOverlay(image: Size, grid: Size): Overlay {
  const hatch = uid();
  const missing = svg("path", { fill: `url(#${hatch})` });
  const positive = twice("path", "contour");
  const negative = twice("path", "contour salw-negative");
  const region = twice("rect", "region");
  const veil = svg("path", { class: "salw-veil", "fill-rule": "evenodd", hidden: true });
  const part = twice("path", "part");
  const cell = twice("rect", "cell");
  const named = svg("g", { class: "salw-outlines" });
  const el = svg("svg", { viewBox: `0 0 ${image.cols} ${image.rows}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    hatching(hatch, image), missing, ...positive, ...negative, veil, named, ...part, ...region, ...cell);
  const y = image.rows / grid.rows;
  const x = image.cols / grid.cols;
  const boxAt = ({ r, c }: Cell): Box => [r * y, c * x, (r + 1) * y, (c + 1) * x];

  return {
    el,
    lines(map, scale, threshold) {
      const level = (threshold > 0 ? threshold : 0.5) * reach(scale.vmin, scale.vmax);
      for (const [paths, at] of [[positive, level], [negative, -level]] as const) {
        const d = scale.contour ? contour(map, image, at) : "";
        paths.forEach((path) => {
          path.setAttribute("d", d);
          show(path, d !== "");
        });
      }
      missing.setAttribute("d", missingCells(map, boxAt));
    },
    cursor(cursor) {
      const at = cursor && boxAt(cellAt(cursor, image, grid));
      cell.forEach((rect) => {
        place(rect, at);
        rect.classList.toggle("salw-pinned", Boolean(cursor?.pinned));
      });
    },
    outlines: (parts) => named.replaceChildren(...outlined(parts, image)),
    selection: (box) => region.forEach((rect) => place(rect, box)),
    highlight(lit) {
      [veil, ...part].forEach((path) => show(path, Boolean(lit)));
      if (!lit) return;
      veil.setAttribute("d", `M0 0H${image.cols}V${image.rows}H0Z${lit.area}`);
      part.forEach((path) => {
        path.setAttribute("d", lit.edge);
        path.classList.toggle("salw-against", lit.relation === "opposes");
      });
    },
  };
}

/** All shapes, and their names on top. */
function outlined(parts: readonly Outline[], image: Size): SVGElement[] {
  const size = Math.max(image.rows, image.cols) / 26;
  const lines = parts.flatMap(({ path }) => ["halo", "line"].map((part) => svg("path", { d: path, class: `salw-outline salw-${part}` })));
  const names = parts.flatMap(({ name, row = 0, col = 0 }) => (name ? [{ name, row, col }] : []));
  return [...lines, ...labels(names, image, size).map(({ text, x, y }) => svg("text", { x, y, "font-size": size, class: "salw-outline-name" }, text))];
}

function missingCells(map: Grid, boxAt: (cell: Cell) => Box): string {
  const parts: string[] = [];
  map.data.forEach((v, i) => {
    if (!Number.isNaN(v) || parts.length >= HATCHED_AT_MOST) return;
    const b = boxAt({ r: Math.floor(i / map.cols), c: i % map.cols });
    parts.push(`M${b[1]} ${b[0]}H${b[3]}V${b[2]}H${b[1]}Z`);
  });
  return parts.join("");
}
