// Concepts as rows: what shows each best, how much it matters, and where it lies in the pictures of this and linked views.
import { readAtlas, type Atlas } from "../atlas";
import { follow, h, listen, onFrame, root, say } from "../dom";
import { number, percent, signed } from "../format";
import { partIn } from "../lit";
import { noticeList } from "../parts/facts";
import { createOverlay, type Overlay } from "../parts/overlay";
import { createLive } from "../parts/readout";
import { connect, type Shared } from "../shared";
import type { Highlight, Model, Mount, Size } from "../types";
import { uint8 } from "../wire";

const COLUMNS = ["importance", "prevalence", "reliability"] as const;
type Column = (typeof COLUMNS)[number];
type Row = Record<Column, number | null>;

const LOWEST = 255 / 8; // a concept that nowhere in a picture reaches an eighth of its largest value is not there

/** Rows in the order of a column; by size, and what is not known comes last. */
export function sorted(rows: readonly Row[], names: readonly string[], sort: string, descending: boolean): number[] {
  const sign = descending ? -1 : 1;
  const at = rows.map((_, k) => k);
  if (sort === "name") return at.sort((a, b) => sign * (names[a] as string).localeCompare(names[b] as string) || a - b);
  const value = (k: number) => (rows[k] as Row)[sort as Column];
  return at.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    return Number(x === null) - Number(y === null) || sign * (Math.abs(x ?? 0) - Math.abs(y ?? 0)) || a - b;
  });
}

/** Cells where a concept lies: at least half of its largest value in this picture. */
export function cellsOf(cells: Uint8Array): string {
  const most = cells.reduce((a, b) => Math.max(a, b), 0);
  return Array.from(cells, (v) => (v >= Math.max(LOWEST, most / 2) ? "1" : "0")).join("");
}

/** The parts of every picture in which a concept lies, by the keys of the pictures; own pictures are called "#0", "#1"... */
function partsOf(model: Model, concept: number): NonNullable<Highlight["parts"]> {
  const packed = model.get("maps");
  const { data } = uint8(packed);
  const count = (model.get("names") as string[]).length;
  const parts: NonNullable<Highlight["parts"]> = {};
  let start = 0;
  (packed as { shapes: [number, number][] }).shapes.forEach(([rows, cols], i) => {
    const from = start + concept * rows * cols;
    const part = { rows, cols, on: cellsOf(data.subarray(from, from + rows * cols)) };
    for (const key of [`#${i}`, ...((model.get("picture_keys") as string[])[i] ?? "").split(" ")]) if (key) parts[key] = part;
    start += count * rows * cols;
  });
  return parts;
}

/** Lights a concept; the one that stays lit is the trait `concept`. */
function createLamp(model: Model, shared: Shared) {
  const source = String(model.get("source"));
  const made = new Map<number, NonNullable<Highlight["parts"]>>();
  const now = () => {
    const lit = shared.get<Highlight | null>("highlight");
    return lit?.source === source ? Number(lit.key.split(".")[1]) : -1;
  };
  return {
    now,
    forget: () => made.clear(),
    light(k: number, passing: boolean) {
      if (k < 0) return now() >= 0 && shared.set("highlight", null);
      if (now() === k) return;
      if (!made.has(k)) made.set(k, partsOf(model, k));
      shared.set("highlight", { source, key: `${String(model.get("family"))}.${k}`, area: "", edge: "", relation: "concept", parts: made.get(k), passing });
    },
  };
}

function bar(value: number | null, most: number, both: boolean): HTMLElement {
  const share = value === null || !most ? 0 : Math.min(1, Math.abs(value) / most) * (both ? 50 : 100);
  const from = both ? (value !== null && value < 0 ? 50 - share : 50) : 0;
  return h("span", { class: `salw-concept-bar${value !== null && value < 0 ? " salw-against" : ""}`, "aria-hidden": "true" },
    h("span", { style: `left:${from}%;width:${share}%` }), both && h("i", {}));
}

/** The view's own pictures, with the part that is lit. */
function strip(atlas: Atlas, model: Model): { el: HTMLElement; light(lit: Highlight | null, concept: number): void } {
  const size: Size = { rows: atlas.tile[0], cols: atlas.tile[1] };
  const overlays: Overlay[] = [];
  const { count } = model.get("shown") as { count: number };
  const el = h("div", { class: "salw-concept-strip", "aria-hidden": "true" }, ...Array.from({ length: count }, (_, i) => {
    const canvas = atlas.canvas();
    atlas.draw(canvas, i);
    const overlay = createOverlay(size, { rows: 1, cols: 1 });
    overlays.push(overlay);
    return h("div", { class: "salw-stage", style: `aspect-ratio:${size.cols}/${size.rows}` }, h("div", { class: "salw-layers", style: "inset:0" }, canvas, overlay.el));
  }));
  return { el, light: (lit, concept) => overlays.forEach((o, i) => o.highlight(concept < 0 ? null : partIn(lit, `#${i}`, size))) };
}

export const mount: Mount = async (el, model, host, signal) => {
  const [shared, crops, own] = await Promise.all([connect(model, host, signal), readAtlas(model.get("crops")), readAtlas(model.get("shown"))]);
  if (signal.aborted) return;
  const get = <T>(name: string) => model.get(name) as T;
  const rows = get<Row[]>("rows");
  const nameOf = (k: number) => get<string[]>("names")[k] as string;
  const pinned = () => get<number>("concept");
  const lamp = createLamp(model, shared);
  const live = createLive();
  const pictures = strip(own, model);
  const set = (traits: Record<string, unknown>) => {
    for (const [name, value] of Object.entries(traits)) model.set(name, value);
    model.save_changes();
  };
  const rest = () => lamp.light(pinned(), false);
  const most = Math.max(...rows.map((r) => Math.abs(r.importance ?? 0)));
  const both = rows.some((r) => (r.importance ?? 0) < 0);
  const text = (row: Row, c: Column) => {
    const value = row[c];
    return value === null ? "none" : c !== "importance" ? percent(value) : both ? signed(value) : number(value);
  };
  let tile = 0;
  const lines = rows.map((row, k) => {
    const name = h("input", { type: "text", class: "salw-concept-name", "aria-label": `Name of concept ${k + 1}`, spellcheck: "false", maxlength: 200 });
    const canvases = Array.from({ length: get<number[]>("counts")[k] as number }, () => {
      const canvas = crops.canvas();
      crops.draw(canvas, tile++);
      return canvas;
    });
    const light = h("button", { type: "button", class: "salw-concept-crops" }, ...canvases, !canvases.length && "light");
    const line = h("tr", {}, h("th", { scope: "row" }, name, light),
      ...COLUMNS.map((c) => h("td", {}, bar(row[c], c === "importance" ? most : 1, c === "importance" && both), text(row, c))));
    listen(name, "change", () => {
      const given = name.value.trim() || `concept ${k + 1}`;
      set({ names: rows.map((_, j) => (j === k ? given : nameOf(j))) });
      live.say(`Concept ${k + 1} is called ${given}.`);
    }, signal);
    listen(name, "keydown", (event) => event.key === "Enter" && name.blur(), signal);
    listen(light, "click", () => {
      set({ concept: pinned() === k ? -1 : k });
      live.say(pinned() === k ? `${nameOf(k)} stays lit.` : "Nothing stays lit.");
    }, signal);
    for (const enter of ["pointerenter", "focusin"] as const) listen(line, enter, () => lamp.light(k, true), signal);
    for (const leave of ["pointerleave", "focusout"] as const) listen(line, leave, rest, signal);
    return { line, name, light };
  });
  const heads = (["name", ...COLUMNS] as const).map((c) => {
    const button = h("button", { type: "button" }, c === "name" ? "Concept" : c.charAt(0).toUpperCase() + c.slice(1));
    listen(button, "click", () => set(get("sort") === c ? { descending: !get("descending") } : { sort: c, descending: c !== "name" }), signal);
    return { c, th: h("th", { scope: "col" }, button) };
  });
  const body = h("tbody");
  const linked = h("p", { class: "salw-note" });
  const notices = h("div");
  const frame = root("concepts", signal, h("div", { class: "salw-head", role: "heading", "aria-level": 2 }, get<string>("title")),
    pictures.el, linked, h("table", { class: "salw-concept-table" }, h("thead", {}, h("tr", {}, ...heads.map((head) => head.th))), body),
    h("p", { class: "salw-caption" }, get<string>("caption")), notices, live.el);
  el.append(frame);

  const draw = () => {
    const down = get<boolean>("descending");
    for (const { c, th } of heads) {
      if (get("sort") === c) th.setAttribute("aria-sort", down ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    }
    const focused = document.activeElement;
    const wanted = sorted(rows, get("names"), get("sort"), down).map((k) => lines[k]?.line as HTMLElement);
    if (wanted.some((line, i) => body.children[i] !== line)) body.replaceChildren(...wanted);
    if (focused instanceof HTMLElement && body.contains(focused)) focused.focus({ preventScroll: true });
    lines.forEach(({ name, light }, k) => {
      if (focused !== name) name.value = nameOf(k);
      light.setAttribute("aria-pressed", String(pinned() === k));
      light.setAttribute("aria-label", `Keep ${nameOf(k)} lit`);
    });
    const others = get<string[]>("picture_keys").filter(Boolean).length;
    say(linked, `Point at a concept to light it here${others ? ` and in linked views (${others} ${others === 1 ? "picture" : "pictures"})` : ""}; click to keep it lit.`);
    notices.replaceChildren(noticeList(get("notices")) ?? "");
  };
  const drawLit = () => {
    const now = lamp.now();
    lines.forEach(({ line }, k) => line.classList.toggle("salw-lit", k === now));
    pictures.light(shared.get<Highlight | null>("highlight"), now);
  };
  const again = onFrame(draw, signal);
  const relit = () => {
    const k = lamp.now();
    lamp.forget();
    lamp.light(-1, true);
    lamp.light(k, k !== pinned());
    again();
  };
  follow(model, { names: again, sort: again, descending: again, notices: again, maps: relit, picture_keys: relit,
    concept: () => (rest(), again()) }, signal);
  shared.on("highlight", onFrame(drawLit, signal));
  listen(frame, "keydown", (event) => event.key === "Escape" && set({ concept: -1 }), signal);
  signal.addEventListener("abort", () => lamp.light(-1, true));
  draw();
  rest();
  drawLit();
};
