// Rows, columns and their labels around the tiles of a comparison; a single row is broken into lines.
import { h } from "../dom";
import type { PanelState } from "../arrange";
import type { Tile } from "./tile";

export interface TileGrid {
  el: HTMLElement;
  /** rows (with one row: columns) in the order they are to be shown in */
  arrange(order: readonly number[]): void;
  /** panel indices in the order shown, by line; -1 where there is no map */
  lines(): readonly (readonly number[])[];
  label(panel: number): string;
}

export interface Labels {
  rows: readonly string[];
  columns: readonly string[];
}

export function createTileGrid(panels: readonly PanelState[], tiles: readonly Tile[], labels: Labels): TileGrid {
  const alone = labels.rows.length === 1;
  const { rows, columns } = labels;
  const heads = rows.map((text) => h("div", { class: "salw-row-head" }, text));
  const tops = columns.map((text) => h("div", { class: "salw-column-head" }, text));
  const at = new Map(panels.map((p, i) => [p.row * columns.length + p.column, i]));
  const grid = h("div", { class: alone ? "salw-tiles salw-tiles-wrap" : "salw-tiles", style: `--salw-columns: ${columns.length}` });
  // What scrolls can be reached: the tiles inside take the focus.
  const el = h("div", { class: "salw-tiles-frame", role: "group", "aria-label": summary(panels.length, labels) }, grid);
  let shown: number[][] = [];
  const one = (row: number, column: number): HTMLElement => {
    const panel = at.get(row * columns.length + column);
    return panel === undefined ? h("div", { class: "salw-no-map" }, "no map") : (tiles[panel] as Tile).el;
  };
  return {
    el,
    arrange(order) {
      if (alone) {
        shown = [order.map((column) => at.get(column) ?? -1)];
        grid.replaceChildren(...order.map((column) => h("div", { class: "salw-labelled" }, tops[column] as HTMLElement, one(0, column))));
        return;
      }
      shown = order.map((row) => columns.map((_, column) => at.get(row * columns.length + column) ?? -1));
      grid.replaceChildren(h("div", { class: "salw-corner" }), ...tops,
        ...order.flatMap((row) => [heads[row] as HTMLElement, ...columns.map((_, column) => one(row, column))]));
    },
    lines: () => shown,
    label: (panel) => {
      const p = panels[panel] as PanelState;
      return [rows[p.row], columns[p.column]].filter(Boolean).join(", ") || p.question;
    },
  };
}

function summary(count: number, { rows, columns }: Labels): string {
  return rows.length > 1 ? `${count} maps in ${rows.length} rows and ${columns.length} columns` : `${count} maps`;
}
