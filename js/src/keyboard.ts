// Which key does what on a map. Pure, so that it can be tested and printed as help.
import type { Size } from "./types";
import type { Cell } from "./geometry";

export type Action =
  | { kind: "move"; cell: Cell; extend: boolean }
  | { kind: "pin" }
  | { kind: "select" }
  | { kind: "clear" }
  | { kind: "threshold"; by: number }
  | { kind: "zoom" }
  | { kind: "unzoom" };

export const HELP: readonly (readonly [string, string])[] = [
  ["Arrows", "move the cursor cell"],
  ["Home, End", "first and last cell of the row (with Ctrl: of the map)"],
  ["Shift + arrows", "draw a region"],
  ["Space", "select the cell"],
  ["Enter", "pin the cursor"],
  ["+ and \u2212", "raise and lower the threshold"],
  ["z and 0", "zoom to the region and back"],
  ["Esc", "clear"],
];

const STEPS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

export interface Pressed {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

/** The action for a key, or null to leave the key to the page. */
export function actionFor(press: Pressed, cursor: Cell | null, grid: Size): Action | null {
  if (press.altKey || press.metaKey) return null;
  const step = STEPS[press.key];
  const now = cursor ?? { r: Math.floor((grid.rows - 1) / 2), c: Math.floor((grid.cols - 1) / 2) };
  if (step) {
    // The first arrow only makes the cursor appear, in the middle.
    const [dr, dc] = cursor ? step : [0, 0];
    return { kind: "move", cell: inside({ r: now.r + dr, c: now.c + dc }, grid), extend: press.shiftKey };
  }
  if (press.key === "Home" || press.key === "End") {
    const end = press.key === "End";
    const r = press.ctrlKey ? (end ? grid.rows - 1 : 0) : now.r;
    return { kind: "move", cell: { r, c: end ? grid.cols - 1 : 0 }, extend: press.shiftKey };
  }
  return press.ctrlKey ? null : plain(press.key);
}

function plain(key: string): Action | null {
  switch (key) {
    case "Enter": return { kind: "pin" };
    case " ": return { kind: "select" };
    case "Escape": return { kind: "clear" };
    case "+": case "=": return { kind: "threshold", by: 0.05 };
    case "-": case "_": return { kind: "threshold", by: -0.05 };
    case "z": return { kind: "zoom" };
    case "0": return { kind: "unzoom" };
    default: return null;
  }
}

function inside(cell: Cell, grid: Size): Cell {
  return {
    r: Math.min(grid.rows - 1, Math.max(0, cell.r)),
    c: Math.min(grid.cols - 1, Math.max(0, cell.c)),
  };
}
