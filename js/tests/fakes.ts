// A model and a host without a notebook, as small as a test needs them.
import type { Host, Model, ScaleState } from "../src/types";

export interface FakeModel extends Model {
  state: Record<string, unknown>;
  saves: number;
  listeners(): number;
}

export function fakeModel(state: Record<string, unknown>): FakeModel {
  const callbacks = new Map<string, Set<() => void>>();
  const model: FakeModel = {
    state,
    saves: 0,
    get: (name) => state[name],
    set(name, value) {
      if (Object.is(state[name], value)) return;
      state[name] = value;
      [...(callbacks.get(`change:${name}`) ?? [])].forEach((callback) => callback());
    },
    save_changes() {
      model.saves += 1;
    },
    on: (event, callback) => void callbacks.set(event, (callbacks.get(event) ?? new Set()).add(callback)),
    off: (event, callback) => void callbacks.get(event)?.delete(callback),
    listeners: () => [...callbacks.values()].reduce((n, set) => n + set.size, 0),
  };
  return model;
}

export const SCALE: ScaleState = {
  vmin: -2, vmax: 2, cmap: "RdBu_r", clip: "max", opacity: 1, smooth: false, contour: false, fade: false, grey: true,
  table: { max: 2, "pixels:99": 1.5 }, given: null, signed: true, fixed: false,
};

export function fakeLink(): FakeModel {
  return fakeModel({ cursor: null, selection: null, highlight: null, view: null, scale: SCALE, threshold: 0 });
}

export function fakeHost(models: Record<string, Model>): Host {
  return { getModel: async (ref) => models[ref] as Model };
}

export function packed(values: number[], shape: number[]) {
  const data = new Float32Array(values);
  return { view: new DataView(data.buffer), dtype: "float32", shape };
}

/** Links of a widget: every aspect to the same model, unless said. */
export function links(ref: string, other: Record<string, string> = {}): Record<string, string> {
  return { cursor: ref, view: ref, selection: ref, scale: ref, ...other };
}

/** 2 x 3 cells over 4 x 6 pixels: not square, so that a transposition shows. */
export function heatmapState(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    _view: "heatmap", source: "h", links: links("a"), own_scale: false, title: "Why \u201chusky\u201d?",
    map: packed([1, -1, 0, 2, 0.5, -2], [2, 3]), caption: "grad-cam",
    picture: { view: new Uint8Array(4 * 6 * 3).fill(99), dtype: "uint8", shape: [4, 6, 3] },
    facts: [{ term: "Score", text: "+8.31 logits" }], notices: ["<img src=x onerror=alert(1)>"], ...more,
  };
}

export function contrastState(more: Record<string, unknown> = {}): Record<string, unknown> {
  const node = (name: string, rows: number[], parents: number[], children: number[] = [], reason?: string) =>
    ({ name, kind: children.length ? "group" : "class", rows, parents, children, ...(reason ? { reason } : {}) });
  return {
    _view: "contrast", source: "c", links: links("a"), own_scale: false, caption: "grad-cam", facts: [], notices: [],
    picture: { view: new Uint8Array(4 * 6 * 3).fill(99), dtype: "uint8", shape: [4, 6, 3] },
    maps: packed([1, -1, 0, 2, 0.5, -2, 0, 1, 1, 0, 0, 0, 3, 3, 3, 3, 3, 3], [3, 2, 3]),
    logits: packed([2, 1, 0], [3]), log_total: Math.log(Math.exp(2) + Math.exp(1) + Math.exp(0) + 1), activation: "softmax",
    nodes: [node("husky", [0], [3]), node("beagle", [1], [3]), node("wolf", [2], [4]), node("dog", [0, 1], [5], [0, 1]),
      node("wild dog", [2], [5], [2], "1 of its 2 classes is not in this basis"), node("canine", [0, 1, 2], [], [3, 4])],
    target: "husky", foil: "wolf", mix: 0.5, ...more,
  };
}

/** Two units on 2 x 3 cells over 4 x 6 pixels: the first column, and the last cell. Two lengths, one false sentence. */
export function narrativeState(more: Record<string, unknown> = {}): Record<string, unknown> {
  const said = (text: string, units: number[], verdict: string, relation = "supports") =>
    ({ text, units, relation, verdict, claims: [{ text, verdict, figure: "it is 12 %" }] });
  const variant = (length: string, sentences: unknown[], by = "template", error = "") =>
    ({ by, length, audience: "layperson", sentences, notices: [], error, markdown: `md ${length}`, latex: `tex ${length}` });
  const units = [{ label: "left", rows: 2, cols: 3, offset: 0 }, { label: "corner", rows: 2, cols: 3, offset: 6 }];
  const cells = new Uint8Array([255, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 255]);
  return {
    _view: "narrative", source: "n", links: links("a"), own_scale: false, title: "Why \u201chusky\u201d?", llm: "LLM test",
    by: "template", length: "paragraph", audience: "layperson", figures: false, request: {}, reply: {}, alive: "",
    cells: { view: cells, dtype: "uint8", shape: [12] },
    passages: [{
      title: "Why \u201chusky\u201d?", size: [4, 6], units,
      variants: [
        variant("paragraph", [said("The <b>left</b> supports.", [0], "supported"), said("The corner opposes.", [1], "contradicted", "opposes"),
          said("So it is.", [], "not checkable", "none")]),
        variant("line", [said("Left.", [0], "supported")]),
      ],
    }],
    ...more,
  };
}

/** Two steps over one picture of 4 x 6 pixels: 2 x 3 cells, then 1 x 3. */
export function framesState(more: Record<string, unknown> = {}): Record<string, unknown> {
  const { picture } = heatmapState();
  return { _view: "layers", source: "l", links: links("a"), own_scale: false, picture, title: "Why?", through: "Layer", each: false, at: 0,
    maps: packed([1, -1, 0, 2, 0.5, -2, 3, 4, 5], [9]), shapes: [[2, 3], [1, 3]], labels: ["one", "two"], captions: ["first", "second"],
    lines: [{ name: "rank correlation", values: [1, null] }], facts: [], notices: [], ...more };
}
