// The maps behind a Contrast view: per-class maps in, the three pictures of one contrast out.
import { meanOfRows, mix } from "./mixture";
import { apart, score, weights, type Scores, type Sides, type TreeNode } from "./questions";
import type { Grid, Model } from "./types";
import { float32 } from "./wire";

export interface Basis {
  maps: Float32Array;
  cells: number;
  rows: number;
  cols: number;
  nodes: TreeNode[];
  scores: Scores;
}

export function readBasis(model: Model): Basis {
  const { data, shape } = float32(model.get("maps"));
  const [, rows, cols] = shape as [number, number, number];
  return {
    maps: data,
    cells: rows * cols,
    rows,
    cols,
    nodes: model.get("nodes") as TreeNode[],
    scores: {
      logits: float32(model.get("logits")).data,
      logTotal: model.get("log_total") as number,
      sigmoid: model.get("activation") === "sigmoid",
    },
  };
}

export interface Pair {
  sides: Sides;
  A: Grid;
  B: Grid;
  /** score of the mixture at a slider position */
  score(s: number): number;
  /** the mixture at a slider position; the same grid every time, drawn over */
  mixture(s: number): Grid;
  /** A - B, kept apart from the mixture: the shared limits are fitted on A, B and this */
  difference: Float32Array;
}

export function pairOf(basis: Basis, target: number, foil: number): Pair {
  const sides = apart(basis.nodes[target] as TreeNode, basis.nodes[foil] as TreeNode);
  const grid = (data: Float32Array): Grid => ({ data, rows: basis.rows, cols: basis.cols });
  const A = grid(meanOfRows(basis.maps, sides.target, basis.cells));
  const B = grid(meanOfRows(basis.maps, sides.foil, basis.cells));
  const [a, b] = [score(basis.scores, sides.target), score(basis.scores, sides.foil)];
  const M = grid(new Float32Array(basis.cells));
  const difference = new Float32Array(basis.cells);
  mix(A.data, B.data, 1, 1, difference);
  return {
    sides,
    A,
    B,
    difference,
    score(s) {
      const w = weights(s);
      return w.a * a - w.b * b;
    },
    mixture(s) {
      const w = weights(s);
      mix(A.data, B.data, w.a, w.b, M.data);
      return M;
    },
  };
}
