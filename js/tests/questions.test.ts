import { describe, expect, it } from "vitest";
import { pairOf, readBasis } from "../src/basis";
import { apart, childOf, closedAbove, mixTitle, parentOf, probability, score, search, usable, weights, type TreeNode } from "../src/questions";
import { contrastState, fakeModel } from "./fakes";

const node = (name: string, rows: number[]): TreeNode => ({ name, kind: "group", rows, parents: [], children: [] });
const basis = readBasis(fakeModel(contrastState()));

describe("sides of a contrast", () => {
  it("leaves separate sides alone", () => {
    expect(apart(node("a", [0]), node("b", [1]))).toEqual({ target: [0], foil: [1], note: "", same: false });
  });
  it("takes a target out of the foil that holds it, and the other way round", () => {
    const inside = apart(node("husky", [0]), node("dog", [0, 1, 2]));
    expect(inside).toMatchObject({ target: [0], foil: [1, 2], same: false });
    expect(inside.note).toContain("compared with the other 2 classes");
    expect(apart(node("dog", [0, 1, 2]), node("husky", [0]))).toMatchObject({ target: [1, 2], foil: [0] });
  });
  it("takes shared classes out of both when they overlap in part", () => {
    expect(apart(node("a", [0, 1]), node("b", [1, 2]))).toMatchObject({ target: [0], foil: [2] });
  });
  it("sees that both are the same, whatever their names", () => {
    expect(apart(node("a", [0, 1]), node("b", [1, 0])).same).toBe(true);
  });
});

describe("the slider", () => {
  it("goes from A over A - B to -B", () => {
    expect([0, 0.25, 0.5, 0.75, 1].map(weights)).toEqual([
      { a: 1, b: 0 }, { a: 1, b: 0.5 }, { a: 1, b: 1 }, { a: 0.5, b: 1 }, { a: 0, b: 1 }]);
  });
  it("always says in words what is shown", () => {
    expect(mixTitle("a", "b", 0)).toBe("Why \u201ca\u201d?");
    expect(mixTitle("a", "b", 0.5)).toBe("Why \u201ca\u201d rather than \u201cb\u201d?");
    expect(mixTitle("a", "b", 1)).toBe("Why not \u201cb\u201d?");
    expect(mixTitle("a", "b", 0.3)).toContain("with \u201cb\u201d counted at 60\u202f%?");
    expect(mixTitle("a", "b", 0.9)).toContain("with \u201ca\u201d counted at 20\u202f%?");
  });
});

describe("scores", () => {
  it("pools by the mean and adds probabilities over all classes of the model", () => {
    expect(score(basis.scores, [0, 1])).toBe(1.5);
    const total = Math.exp(2) + Math.exp(1) + 2;
    expect(probability(basis.scores, [0, 1])).toBeCloseTo((Math.exp(2) + Math.exp(1)) / total, 12);
    expect(probability({ ...basis.scores, sigmoid: true }, [2, 2])).toBeCloseTo(0.75, 12);
  });
});

describe("the class tree", () => {
  it("walks up, and down to the most probable child", () => {
    expect(basis.nodes[parentOf(basis.nodes, 0)]?.name).toBe("dog");
    expect(basis.nodes[childOf(basis.nodes, 3, basis.scores)]?.name).toBe("husky");
    expect(childOf(basis.nodes, 0, basis.scores)).toBe(-1);
  });
  it("never offers a group that is not wholly there, and says why", () => {
    expect(usable(basis.nodes, 4)).toBe(false);
    expect(parentOf(basis.nodes, 2)).toBe(-1);
    expect(closedAbove(basis.nodes, 2)).toBe("\u201cwild dog\u201d cannot be shown: 1 of its 2 classes is not in this basis.");
    expect(basis.nodes[childOf(basis.nodes, 5, basis.scores)]?.name).toBe("dog");
  });
  it("searches 1000 names at once, earliest match first", () => {
    const many = Array.from({ length: 1000 }, (_, i) => node(`class ${i} of dogs`, [i])).concat(node("dog", [0]), node("hot dog", [1]));
    const order = [...many.keys()];
    expect(search(many, "dog", order, 2).map((i) => many[i]?.name)).toEqual(["dog", "class 0 of dogs"]);
    expect(search(many, "dog hot", order, 9).map((i) => many[i]?.name)).toEqual(["hot dog"]);
    expect(search(many, "", order, 3)).toEqual([0, 1, 2]);
    expect(search(many, "zebra", order, 3)).toEqual([]);
  });
});

describe("a pair", () => {
  it("shows A, B and their mixture with their scores", () => {
    const pair = pairOf(basis, 0, 2);
    expect([...pair.A.data]).toEqual([1, -1, 0, 2, 0.5, -2]);
    expect([...pair.mixture(0.5).data]).toEqual([-2, -4, -3, -1, -2.5, -5]);
    expect([...pair.mixture(1).data]).toEqual([-3, -3, -3, -3, -3, -3]);
    expect([pair.score(0), pair.score(0.5), pair.score(1)]).toEqual([2, 2, 0]);
  });
  it("means over a group", () => expect([...pairOf(basis, 3, 2).A.data]).toEqual([0.5, 0, 0.5, 1, 0.25, -1]));
});
