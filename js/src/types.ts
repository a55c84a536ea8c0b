// What a view knows of the world: a model with traits, and a host that finds other models.

export interface Model {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
}

export interface Host {
  getModel(ref: string): Promise<Model>;
}

export type Mount = (el: HTMLElement, model: Model, host: Host, signal: AbortSignal) => Promise<void>;

export interface Size {
  rows: number;
  cols: number;
}

/** A map at its native resolution, row by row. */
export interface Grid extends Size {
  data: Float32Array;
}

/** Rows and columns of the image in pixels, half open: [row0, col0, row1, col1]. */
export type Box = [number, number, number, number];

/** Where the cursor is, in image pixels (the centre of a cell). */
export interface Cursor {
  row: number;
  col: number;
  pinned?: boolean;
}

export interface Selection {
  kind: "box";
  box: Box;
  source: string;
}

/** A part of the input that a sentence speaks of: the same in every map of the same picture. */
export interface Highlight {
  source: string;
  /** which sentence of the source */
  key: string;
  /** SVG paths in image pixels: the part itself, and its border */
  area: string;
  edge: string;
  relation: string;
  /** one that means several pictures: cells of each by the key of the picture, "1" where it lies */
  parts?: Record<string, { rows: number; cols: number; on: string }>;
  /** where the pointer passes by: Python is not told */
  passing?: boolean;
}

/** Pictures that were picked among many; views find theirs by their keys. */
export interface Picked {
  source: string;
  keys: string[];
}

/** How maps are drawn; the JSON twin of salwidgets.scale.Scale. */
export interface ScaleState {
  vmin: number;
  vmax: number;
  cmap: string;
  clip: string;
  opacity: number;
  smooth: boolean;
  contour: boolean;
  fade: boolean;
  /** draw the picture below in grey, so that every hue belongs to the map */
  grey: boolean;
  /** clip rule -> limit, from numpy; absent rules cannot be chosen */
  table: Record<string, number>;
  /** limits given by the caller, or null */
  given: [number, number] | null;
  /** whether the maps that were fitted hold negative values */
  signed: boolean;
  /** false: a view may fit the limits again when its maps change */
  fixed: boolean;
}
