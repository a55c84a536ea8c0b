// Where the cells of an icicle lie. The same rules as salwidgets/widgets/icicle.py.
import type { ClassNodes } from "./classnodes";

/** A node where it is shown, under one of its parents, or what is too narrow of the children of `node` (`more` of them). */
export interface Spot {
  node: number;
  more: number;
  /** nodes from the root down, joined by "/": a node with several parents is shown in several places */
  path: string;
  level: number;
  left: number;
  width: number;
  /** place among its siblings, from 1, and how many they are */
  position: number;
  siblings: number;
  /** whether children are shown; null for a node that has none */
  open: boolean | null;
}

export const MOST_CELLS = 400;
export const MOST_LEVELS = 24;

/** The cells below the node at the end of `path`, which takes the whole width; `from`: leave out its first children. */
export function icicle(nodes: ClassNodes, path: readonly number[], width: number, narrowest: number, byClasses: boolean, from = 0): Spot[] {
  for (let least = narrowest; ; least *= 1.5) {
    const spots = lay(nodes, path, width, least, byClasses, from);
    if (spots.length <= MOST_CELLS) return spots;
  }
}

function lay(nodes: ClassNodes, path: readonly number[], width: number, narrowest: number, byClasses: boolean, from: number): Spot[] {
  const focus = path[path.length - 1] as number;
  const spots: Spot[] = [{ node: focus, more: 0, path: path.join("/"), level: 0, left: 0, width, position: 1, siblings: 1,
    open: focus < nodes.classes ? null : false }];
  for (let i = 0; i < spots.length && spots.length <= MOST_CELLS; i++) {
    const spot = spots[i] as Spot;
    const children = nodes.children(spot.node, byClasses);
    if (spot.more || !children.length || spot.level + 1 >= MOST_LEVELS) continue;
    const skip = i === 0 ? from : 0;
    let sum = nodes.below(spot.node, byClasses);
    for (let c = 0; c < skip; c++) sum -= nodes.weight(children[c] as number, byClasses);
    const total = skip ? sum : Math.max(nodes.weight(spot.node, byClasses), sum);
    if (total <= 0) continue;
    let left = spot.left;
    let c = skip;
    for (; c < children.length && spots.length <= MOST_CELLS; c++) {
      const child = children[c] as number;
      const weight = nodes.weight(child, byClasses);
      const w = (spot.width * weight) / total;
      if (w < narrowest) break;
      spots.push({ node: child, more: 0, path: `${spot.path}/${child}`, level: spot.level + 1, left, width: w,
        position: c + 1, siblings: children.length, open: child < nodes.classes ? null : false });
      spot.open = true;
      left += w;
      sum -= weight;
    }
    const rest = (spot.width * sum) / total;
    if (c < children.length && rest >= narrowest / 2) {
      spots.push({ node: spot.node, more: children.length - c, path: `${spot.path}/+`, level: spot.level + 1, left,
        width: rest, position: c + 1, siblings: children.length, open: null });
      spot.open = true;
    }
  }
  return spots;
}

/** The rows of an indented tree: below every open path, its first children, and how many are left. */
export function indented(nodes: ClassNodes, open: ReadonlySet<string>, shown: (path: string) => number): Spot[] {
  const rows: Spot[] = [];
  const visit = (node: number, path: string, level: number, position: number, siblings: number) => {
    const isOpen = open.has(path);
    rows.push({ node, more: 0, path, level, left: 0, width: 0, position, siblings, open: node < nodes.classes ? null : isOpen });
    if (!isOpen) return;
    const children = nodes.children(node, false);
    const limit = Math.min(children.length, shown(path));
    for (let c = 0; c < limit; c++) visit(children[c] as number, `${path}/${children[c]}`, level + 1, c + 1, children.length);
    const more = children.length - limit;
    if (more) {
      rows.push({ node, more, path: `${path}/+`, level: level + 1, left: 0, width: 0, position: limit + 1, siblings: children.length,
        open: null });
    }
  };
  visit(nodes.root, String(nodes.root), 0, 1, 1);
  return rows;
}
