// Questions that the browser answers itself: sides of a contrast, walks on the class tree, titles, scores.
import { quoted } from "./format";

/** A class or a group. Rows point into the basis; groups whose members are not all there carry the reason. */
export interface TreeNode {
  name: string;
  kind: "class" | "group";
  rows: number[];
  parents: number[];
  children: number[];
  reason?: string;
}

export interface Sides {
  target: number[];
  foil: number[];
  /** one sentence when classes were taken out, else "" */
  note: string;
  /** target and foil are the same classes: there is no contrast to show */
  same: boolean;
}

function plural(n: number): string {
  return n === 1 ? "1 class" : `${n} classes`;
}

/** Take shared classes out: of the larger side if it holds the smaller one, of both if they overlap in part. */
export function apart(a: TreeNode, b: TreeNode): Sides {
  const inB = new Set(b.rows);
  const shared = new Set(a.rows.filter((r) => inB.has(r)));
  const sides: Sides = { target: a.rows, foil: b.rows, note: "", same: false };
  if (!shared.size) return sides;
  if (shared.size === a.rows.length && shared.size === b.rows.length) return { ...sides, same: true };
  if (shared.size < a.rows.length) sides.target = a.rows.filter((r) => !shared.has(r));
  if (shared.size < b.rows.length) sides.foil = b.rows.filter((r) => !shared.has(r));
  sides.note = overlapNote(a, b, shared.size, sides);
  return sides;
}

function overlapNote(a: TreeNode, b: TreeNode, shared: number, sides: Sides): string {
  if (shared === a.rows.length) {
    return `${quoted(a.name)} is part of ${quoted(b.name)}: it is compared with the other ${plural(sides.foil.length)}.`;
  }
  if (shared === b.rows.length) {
    return `${quoted(b.name)} is part of ${quoted(a.name)}: the other ${plural(sides.target.length)} are compared with it.`;
  }
  return `${plural(shared)} in both ${quoted(a.name)} and ${quoted(b.name)} ${shared === 1 ? "is" : "are"} left out of both.`;
}

/** Weights of A and B at slider position s: only A at 0, their difference at 0.5, only minus B at 1. */
export function weights(s: number): { a: number; b: number } {
  return { a: Math.min(1, 2 * (1 - s)), b: Math.min(1, 2 * s) };
}

/** The third panel's question in words, for every position of the slider. */
export function mixTitle(a: string, b: string, s: number): string {
  if (s <= 0) return `Why ${quoted(a)}?`;
  if (s >= 1) return `Why not ${quoted(b)}?`;
  const contrast = `Why ${quoted(a)} rather than ${quoted(b)}`;
  if (s === 0.5) return `${contrast}?`;
  const w = weights(s);
  const [name, part] = s < 0.5 ? [b, w.b] : [a, w.a];
  return `${contrast}, with ${quoted(name)} counted at ${Math.round(part * 100)}\u202f%?`;
}

/** Logits of the basis rows and what turns them into probabilities. */
export interface Scores {
  logits: Float32Array;
  /** log of the sum of exp over *all* classes of the model, not only those in the basis */
  logTotal: number;
  sigmoid: boolean;
}

export function score(scores: Scores, rows: readonly number[]): number {
  return rows.reduce((sum, r) => sum + (scores.logits[r] as number), 0) / rows.length;
}

export function probability(scores: Scores, rows: readonly number[]): number {
  if (scores.sigmoid) {
    return 1 - rows.reduce((none, r) => none / (1 + Math.exp(scores.logits[r] as number)), 1);
  }
  return Math.min(1, rows.reduce((sum, r) => sum + Math.exp((scores.logits[r] as number) - scores.logTotal), 0));
}

/** Index of the node one level up that can be shown, or -1. */
export function parentOf(nodes: readonly TreeNode[], i: number): number {
  return (nodes[i] as TreeNode).parents.find((p) => usable(nodes, p)) ?? -1;
}

/** Why the way up is closed although there is a group above, or "". */
export function closedAbove(nodes: readonly TreeNode[], i: number): string {
  const above = (nodes[i] as TreeNode).parents.map((p) => nodes[p] as TreeNode);
  const closed = above[0];
  if (!closed || parentOf(nodes, i) >= 0) return "";
  return `${quoted(closed.name)} cannot be shown: ${closed.reason ?? "it is not in this basis"}.`;
}

/** Index of the most probable child that can be shown, or -1. */
export function childOf(nodes: readonly TreeNode[], i: number, scores: Scores): number {
  let best = -1;
  let most = -1;
  for (const child of (nodes[i] as TreeNode).children) {
    if (!usable(nodes, child)) continue;
    const p = probability(scores, (nodes[child] as TreeNode).rows);
    if (p > most) [best, most] = [child, p];
  }
  return best;
}

export function usable(nodes: readonly TreeNode[], i: number): boolean {
  const node = nodes[i];
  return node !== undefined && !node.reason && node.rows.length > 0;
}

/** Nodes whose name holds every word typed, best first: earliest match, then most probable. */
export function search(nodes: readonly TreeNode[], typed: string, order: readonly number[], limit: number): number[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return order.slice(0, limit);
  const first = words[0] as string;
  const rank = (name: string): number => {
    const at = name.indexOf(first);
    return at === 0 ? 0 : name[at - 1] === " " ? 1 : 2;
  };
  return order
    .map((i, n) => ({ i, n, name: (nodes[i] as TreeNode).name.toLowerCase() }))
    .filter(({ name }) => words.every((w) => name.includes(w)))
    .sort((a, b) => rank(a.name) - rank(b.name) || a.n - b.n)
    .slice(0, limit)
    .map(({ i }) => i);
}
