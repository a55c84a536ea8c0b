// Many images as points: a legend that is a table, lasso, previews, and beside them the picked cluster or the picked images.
import { readAtlas } from "../atlas";
import { paint, pixelTable } from "../colormap";
import { follow, h, listen, onFrame, root, say, show } from "../dom";
import { percent } from "../format";
import { pickedOf } from "../lit";
import { makeMark, stamp } from "../marks";
import { keyList } from "../parts/alternative";
import { createColorBar } from "../parts/colorbar";
import { noticeList } from "../parts/facts";
import { createLive } from "../parts/readout";
import { createScatter, isDark, type How } from "../parts/scatter";
import { neighbour } from "../scatter";
import { connect } from "../shared";
import type { Highlight, Mount, Picked, ScaleState } from "../types";
import { float32, uint16, uint32, uint8 } from "../wire";

interface Group {
  size: number;
  accuracy: number | null;
  probability: number | null;
  share: number | null;
  sentence: string;
  exemplar: number;
  unreliable: boolean;
}

interface About {
  noun: string;
  figure: string;
  axes: string;
  none: string;
}

const SHOWN = 24; // pictures beside the points
const STEPS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0],
};
const KEYS: readonly (readonly [string, string])[] = [
  ["Arrows", "go to the nearest image that way"], ["Space", "pick the image, or drop it"], ["Enter", "show its cluster"],
  ["a", "pick all of its cluster"], ["i and o", "zoom in and out"], ["Ctrl + arrows", "move the view"], ["0", "show all"], ["Esc", "clear"],
  ["Drag", "lasso; with Ctrl add, with Alt take away; with Shift move the view"], ["Ctrl + wheel", "zoom"],
];
const SWATCH = 28; // pixels a side

function counted(n: number, word: string): string {
  const many = word.endsWith("y") ? `${word.slice(0, -1)}ies` : `${word}s`;
  return `${n.toLocaleString("en")} ${n === 1 ? word : many}`;
}

function drawMark(canvas: HTMLCanvasElement, group: number, dark: boolean): void {
  const image = new ImageData(SWATCH, SWATCH);
  stamp(new Uint32Array(image.data.buffer), SWATCH, SWATCH, makeMark(group, 11, false, false, dark), SWATCH / 2, SWATCH / 2);
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}

export const mount: Mount = async (el, model, host, signal) => {
  const [shared, atlas] = await Promise.all([connect(model, host, signal), readAtlas(model.get("sheet"))]);
  if (signal.aborted) return;
  const get = <T>(name: string) => model.get(name) as T;
  const places = float32(get("points")).data;
  const of = Int32Array.from(uint16(get("of")).data, (k) => (k === 65535 ? -1 : k));
  const correct = uint8(get("correct")).data; // 255: not known
  const { data: mapData, shape: [known, , rows = 0, cols = 0] } = float32(get("maps"));
  const groups = get<Group[]>("groups");
  const about = get<About>("about");
  const captions = get<string[]>("captions");
  const keys = get<string[]>("picture_keys");
  const source = get<string>("source");
  const nobody = of.includes(-1);
  const scene = {
    places, of, hollow: Uint8Array.from(correct, (v) => Number(v === 0)), state: new Uint8Array(of.length).fill(2),
    edges: uint32(get("edges")).data, showEdges: false,
  };
  const { state } = scene;
  const live = createLive();
  let active = -1; // the image that is looked at
  let draft: number[] | null = null; // what the lasso holds while it is drawn
  let before: readonly number[] = [];

  const selected = () => draft ?? get<number[]>("selected");
  const cluster = () => get<number>("cluster");
  const nameOf = (k: number) => get<string[]>("names")[k] ?? about.none;
  const bitOf = (k: number) => (k < 0 ? groups.length : k); // points of no group are hidden by a number of their own
  const group = (i: number) => of[i] as number;
  const visible = (i: number) => state[i] !== 0;
  const every = Array.from(of.keys());
  const members = (k: number) => every.filter((i) => of[i] === k);
  const inWords = (i: number) => [`Image ${i + 1}`, captions[i], nameOf(group(i)), ["wrong", "right"][correct[i] as number]].filter(Boolean).join(", ");
  const set = (traits: Record<string, unknown>) => {
    for (const [name, value] of Object.entries(traits)) model.set(name, value);
    model.save_changes();
  };
  /** Picked images: one message to Python, and the linked views hear of their pictures. */
  const pick = (picked: number[], k = -1) => {
    draft = null;
    set({ selected: picked, cluster: k });
    const named = keys.length ? picked.flatMap((i) => (keys[i] as string).split(" ")) : [];
    shared.set("picked", picked.length ? { source, keys: named } : null);
  };
  const clear = () => {
    pick([]);
    live.say("Nothing is picked.");
  };
  /** What is picked, or the members of the cluster that is shown. */
  const shown = () => (selected().length || cluster() < 0 ? [...selected()] : members(cluster()));
  const summary = (picked: readonly number[]) => {
    const counts = new Map<number, number>();
    for (const i of picked) counts.set(group(i), (counts.get(group(i)) ?? 0) + 1);
    const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 4).map(([k, n]) => `${n} in ${nameOf(k)}`);
    const judged = picked.filter((i) => correct[i] !== 255);
    return `${counted(picked.length, "image")} picked: ${most.join(", ")}${counts.size > 4 ? " and others" : ""}.`
      + (judged.length ? ` ${percent(judged.filter((i) => correct[i]).length / judged.length)} of them are right.` : "");
  };

  // -- the points ----------------------------------------------------------------------------------------------

  const small = atlas.canvas();
  const words = h("p");
  const preview = h("div", { class: "salw-preview", hidden: true }, atlas.tile[0] > 0 && small, words);
  const scatter = createScatter(scene, `${counted(of.length, "image")} as points in ${counted(groups.length, about.noun)}. Arrow keys go from image to image.`, {
    hover: (i) => point(i, false),
    click(i) {
      if (i < 0) return clear();
      point(i, true);
      pick([], group(i));
    },
    lasso,
  }, signal);
  scatter.el.append(preview);

  /** Which points are drawn, and how: a concept that is lit in a linked view shows its images, too. */
  function restate(): void {
    const hidden = new Set(get<number[]>("hidden"));
    const picked = selected();
    const lit = shared.get<Highlight | null>("highlight")?.key.split(".");
    const k = lit && lit[0] === get("family") ? Number(lit[1]) : cluster();
    for (const i of every) state[i] = hidden.has(bitOf(group(i))) ? 0 : picked.length ? 1 : k < 0 || of[i] === k ? 2 : 1;
    for (const i of picked) if (state[i]) state[i] = 2;
    scatter.draw();
  }

  /** Look at an image; `spoken`: by the keys or a click, so that it is said and holds against a passing pointer. */
  function point(i: number, spoken: boolean): void {
    if (!spoken && (i === active || (i < 0 && document.activeElement === scatter.el))) return;
    active = i;
    show(preview, i >= 0);
    scatter.ring(i);
    if (i < 0) return;
    if (spoken) scatter.reveal(i);
    atlas.draw(small, i);
    say(words, inWords(i));
    preview.classList.toggle("salw-at-left", scatter.at(i)[0] > scatter.el.clientWidth / 2);
    if (spoken) live.say(inWords(i) + (selected().includes(i) ? ", picked" : ""));
  }

  function lasso(found: number[], how: How, done: boolean): void {
    if (!draft) before = selected();
    const inLine = new Set(found);
    const kept = how === "set" ? [] : before.filter((i) => !inLine.has(i));
    const next = how === "less" ? kept : [...kept, ...found].sort((a, b) => a - b);
    if (done) {
      pick(next);
      return live.say(next.length ? summary(next) : "Nothing is picked.");
    }
    draft = next;
    restate();
    say(status, counted(next.length, "image"));
  }

  listen(scatter.el, "keydown", (event) => {
    const step = STEPS[event.key];
    if (event.altKey || event.metaKey || (event.ctrlKey && !step)) return;
    const now = active < 0 || !visible(active) ? state.indexOf(2) : active;
    const picked = selected();
    const speak = () => live.say(summary(shown()));
    const acts: Record<string, () => void> = {
      " "() {
        pick(picked.includes(now) ? picked.filter((i) => i !== now) : [...picked, now].sort((a, b) => a - b));
        point(now, true);
      },
      Enter: () => (pick([], group(now)), speak()),
      a: () => (pick(members(group(now))), speak()),
      i: () => scatter.zoom(1.5),
      o: () => scatter.zoom(1 / 1.5),
      0: () => scatter.all(),
      Escape: clear,
    };
    const act = step ? () => {
      if (event.ctrlKey) return scatter.pan(step[0] / 6, step[1] / 6);
      const next = active < 0 ? -1 : neighbour(places, now, ...step, visible);
      point(next < 0 ? now : next, true);
    } : acts[event.key];
    if (!act || now < 0) return;
    event.preventDefault();
    act();
  }, signal);
  listen(scatter.el, "focus", () => active < 0 && point(state.indexOf(2), true), signal);

  // -- legend and card -----------------------------------------------------------------------------------------

  const figures = ([["accuracy", about.figure], ["probability", "Probability"], ["share", "Share"]] as const).filter(([key]) => groups.some((g) => g[key] !== null));
  const value = (v: number | null | undefined) => (v === null || v === undefined ? "\u2013" : percent(v));
  const legend = [...groups.keys(), ...(nobody ? [-1] : [])].filter((k) => groups[k]?.size !== 0).map((k) => {
    const swatch = h("canvas", { class: "salw-swatch", width: SWATCH, height: SWATCH, "aria-hidden": "true" });
    const box = h("input", { type: "checkbox" });
    const name = h("button", { type: "button", disabled: k < 0 });
    listen(box, "change", () => set({ hidden: get<number[]>("hidden").filter((j) => j !== bitOf(k)).concat(box.checked ? [] : bitOf(k)) }), signal);
    listen(name, "click", () => pick([], cluster() === k ? -1 : k), signal);
    const row = h("tr", {}, h("td", {}, box), h("th", { scope: "row" }, swatch, name),
      ...[String(groups[k]?.size ?? members(-1).length), ...figures.map(([key]) => value(groups[k]?.[key]) + (key === "accuracy" && groups[k]?.unreliable ? " \u26a0" : ""))].map((text) => h("td", {}, text)));
    return { k, row, box, name, swatch };
  });
  const bar = createColorBar();
  const card = h("div", { class: "salw-card" });
  const status = h("p", { class: "salw-note" });

  function gallery(which: readonly number[]): HTMLElement {
    if (!atlas.tile[0]) return h("p", { class: "salw-note" }, "No pictures were given with the points.");
    return h("div", { class: "salw-gallery" }, ...which.slice(0, SHOWN).map((i) => {
      const canvas = atlas.canvas(inWords(i));
      atlas.draw(canvas, i);
      listen(canvas, "pointerenter", () => point(i, false), signal);
      return canvas;
    }), which.length > SHOWN && h("p", { class: "salw-note" }, `the first ${SHOWN} of ${which.length.toLocaleString("en")}`));
  }

  /** Mean map of what speaks for (0) or against (1) the answer in a cluster. */
  function clusterMap(k: number, side: number): HTMLElement {
    const said = side ? "Speaks against it" : "Speaks for it";
    const canvas = h("canvas", { class: "salw-cluster-map", width: cols, height: rows, role: "img", "aria-label": `${said}: mean map of ${nameOf(k)}` });
    const { vmin, vmax, cmap } = shared.get<ScaleState>("scale");
    const image = new ImageData(cols, rows);
    const start = (2 * k + side) * rows * cols;
    paint(mapData.subarray(start, start + rows * cols), { vmin, vmax, threshold: 0, table: pixelTable(cmap, false) }, new Uint32Array(image.data.buffer));
    canvas.getContext("2d")?.putImageData(image, 0, 0);
    return h("figure", {}, canvas, h("figcaption", {}, said));
  }

  function drawCard(): void {
    const [picked, k] = [selected(), cluster()];
    const one = groups[k];
    const heading = (text: string) => h("div", { class: "salw-panel-title", role: "heading", "aria-level": 3 }, text);
    say(status, picked.length ? summary(picked) : `${counted(of.length, "image")}. Draw a line around some to pick them.`);
    if (picked.length || !one) return card.replaceChildren(...(picked.length ? [heading("Picked images"), gallery(picked)] : []));
    const maps = known ? [h("div", { class: "salw-cluster-maps" }, clusterMap(k, 0), clusterMap(k, 1)), bar.el] : [];
    if (known) bar.draw(shared.get("scale"), 0, [{ rows: 2 * rows, cols, data: mapData.subarray(2 * k * rows * cols, 2 * (k + 1) * rows * cols) }]);
    card.replaceChildren(heading(nameOf(k)), h("p", {}, one.sentence),
      one.unreliable ? noticeList(["The model is right less often here than on the other images, beyond chance."]) as HTMLElement : "", ...maps, gallery([...new Set([one.exemplar, ...members(k)])].filter((i) => i >= 0)));
  }

  function draw(): void {
    restate();
    const dark = isDark(scatter.el);
    for (const { k, row, box, name, swatch } of legend) {
      drawMark(swatch, k, dark);
      box.checked = !get<number[]>("hidden").includes(bitOf(k));
      box.setAttribute("aria-label", `Show ${nameOf(k)}`);
      say(name, nameOf(k));
      name.setAttribute("aria-pressed", String(cluster() === k && k >= 0));
      row.classList.toggle("salw-lit", cluster() === k && k >= 0);
    }
    drawCard();
  }

  // -- laid out ------------------------------------------------------------------------------------------------

  const button = (text: string, label: string, act: () => void) => {
    const made = h("button", { type: "button", "aria-label": label, title: label }, text);
    listen(made, "click", act, signal);
    return made;
  };
  const tick = (text: string, act: (on: boolean) => void) => {
    const box = h("input", { type: "checkbox" });
    listen(box, "change", () => act(box.checked), signal);
    return h("label", { class: "salw-tick" }, box, text);
  };
  const note = [correct.includes(0) ? "Hollow marks: wrong answers." : "", about.axes].filter(Boolean).join(" ");
  const head = (text: string) => h("th", { scope: "col" }, text);
  el.append(root("clusters", signal, h("div", { class: "salw-head", role: "heading", "aria-level": 2 }, get<string>("title")),
    h("div", { class: "salw-body" },
      h("div", { class: "salw-left" },
        h("div", { class: "salw-row" }, button("+", "Zoom in", () => scatter.zoom(1.5)), button("\u2212", "Zoom out", () => scatter.zoom(1 / 1.5)),
          button("All", "Show all points", () => scatter.all()),
          button("Clear", "Clear what is picked", clear), tick("drag moves", (on) => (scatter.pans = on)),
          scene.edges.length > 0 && tick("neighbours", (on) => {
            scene.showEdges = on;
            scatter.draw();
          })),
        scatter.el, status, note && h("p", { class: "salw-note" }, note)),
      h("div", { class: "salw-side" },
        h("div", { class: "salw-groups", tabindex: 0, role: "region", "aria-label": "Legend" }, h("table", {},
          h("thead", {}, h("tr", {}, h("td"), head(about.noun.charAt(0).toUpperCase() + about.noun.slice(1)), head("Images"), ...figures.map((f) => head(f[1])))),
          h("tbody", {}, ...legend.map((l) => l.row)))),
        card, keyList(KEYS))), live.el));
  const again = onFrame(draw, signal);
  follow(model, { selected: again, cluster: again, hidden: again, names: again }, signal);
  shared.on("highlight", onFrame(restate, signal));
  shared.on("picked", () => {
    const now = shared.get<Picked | null | undefined>("picked");
    if (now?.source !== source && keys.length) set({ selected: pickedOf(now, keys).flatMap((is, i) => (is ? i : [])) });
  });
  draw();
};
