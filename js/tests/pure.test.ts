import { describe, expect, it } from "vitest";
import { paint, pixelTable, rgb, strength } from "../src/colormap";
import { contour } from "../src/contour";
import { number, percent, place, signed } from "../src/format";
import { boxOf, cellAt, centreOf, coverage, shareOf } from "../src/geometry";
import { actionFor } from "../src/keyboard";
import { meanOfRows, mix } from "../src/mixture";
import { topRegions } from "../src/regions";
import { bilinear } from "../src/resample";
import { refit, limitOf, outside, sizes, withLimits } from "../src/scale";
import { float32, uint8 } from "../src/wire";
import { SCALE, packed } from "./fakes";

const grid = (values: number[], rows: number, cols: number) => ({ data: new Float32Array(values), rows, cols });
const image = { rows: 20, cols: 30 };

describe("wire", () => {
  it("honours a buffer that starts inside a larger message, also at an odd byte", () => {
    const whole = new Uint8Array(21);
    whole.set(new Uint8Array(new Float32Array([1.5, -2]).buffer), 13);
    const view = new DataView(whole.buffer, 13, 8);
    expect([...float32({ view, dtype: "float32", shape: [1, 2] }).data]).toEqual([1.5, -2]);
    expect([...uint8({ view: whole.subarray(13, 15), dtype: "uint8", shape: [2] }).data]).toEqual([...whole.slice(13, 15)]);
  });
  it("says what is wrong", () => {
    expect(() => float32({ view: new ArrayBuffer(8), dtype: "float32", shape: [3] })).toThrow("needs 12 bytes, got 8");
    expect(() => float32({ view: new ArrayBuffer(8), dtype: "float64", shape: [1] })).toThrow("expected float32, got float64");
    expect(() => float32(undefined)).toThrow("missing");
  });
});

describe("scale", () => {
  const values = sizes([new Float32Array([1, -2, 3, -4, NaN, Infinity])]);
  it("keeps finite sizes in order", () => expect([...values]).toEqual([1, 2, 3, 4]));
  it("tells a share of the cells from a share of the mass", () => {
    expect(limitOf(values, "pixels:75")).toBe(3);
    expect(limitOf(values, "mass:75")).toBe(4); // 1 + 2 + 3 = 6 of 10
    expect(limitOf(values, "mass:60")).toBe(3);
    expect(limitOf(values, "max")).toBe(4);
  });
  it("never gives a limit of zero", () => {
    expect(limitOf(sizes([new Float32Array([0, 0, 0, 5])]), "pixels:50")).toBe(5);
    expect(limitOf(sizes([new Float32Array([0, NaN])]), "max")).toBe(1);
  });
  it("refuses an unknown rule", () => expect(() => limitOf(values, "most")).toThrow("unknown clip rule"));
  it("is symmetric unless colours are sequential and nothing is negative", () => {
    expect(withLimits({ ...SCALE, clip: "pixels:99" })).toMatchObject({ vmin: -1.5, vmax: 1.5 });
    expect(withLimits({ ...SCALE, cmap: "viridis", signed: false })).toMatchObject({ vmin: 0, vmax: 2 });
    expect(withLimits({ ...SCALE, cmap: "viridis" })).toMatchObject({ vmin: -2, vmax: 2 });
    expect(withLimits({ ...SCALE, clip: "explicit", given: [-1, 5] })).toMatchObject({ vmin: -1, vmax: 5 });
  });
  it("keeps a rule of the caller's own when it fits again", () => {
    const fitted = refit({ ...SCALE, clip: "pixels:50", table: { "pixels:50": 9 } }, [new Float32Array([1, 2, 3, 4])]);
    expect(fitted).toMatchObject({ vmin: -2, vmax: 2, signed: false });
  });
  it("counts what lies outside", () => {
    expect(outside(new Float32Array([-3, 0, 3, NaN, Infinity]), -2, 2)).toEqual({ clipped: 0.75, missing: 1, infinite: 1 });
  });
});

describe("colours", () => {
  const table = pixelTable("RdBu_r", false);
  const draw = (values: number[], threshold = 0) => {
    const out = new Uint32Array(values.length);
    paint(new Float32Array(values), { vmin: -1, vmax: 1, threshold, table }, out);
    return [...out];
  };
  it("puts the ends, zero and what lies beyond where they belong", () => {
    expect(draw([-1, -5, -Infinity])).toEqual([table[0], table[0], table[0]]);
    expect(draw([1, 5, Infinity])).toEqual([table[255], table[255], table[255]]);
    expect(draw([0])).toEqual([table[128]]);
  });
  it("hides small sizes of either sign, not NaN", () => {
    expect(draw([0.2, -0.2, 0.3], 0.25)).toEqual([0, 0, table[Math.floor(1.3 * 128)]]);
    expect([...new Uint8Array(new Uint32Array(draw([NaN], 0.5)).buffer)]).toEqual([150, 150, 150, 255]);
  });
  it("is red for, blue against", () => {
    const colours = rgb("RdBu_r");
    expect(colours[0]).toBeLessThan(colours[2] as number);
    expect(colours[765]).toBeGreaterThan(colours[767] as number);
  });
  it("fades towards no evidence", () => {
    expect(strength(128, true)).toBeLessThan(0.01);
    expect(strength(255, true)).toBe(1);
    expect(strength(0, false)).toBeLessThan(0.01);
  });
});

describe("geometry", () => {
  const cells = { rows: 2, cols: 3 };
  it("goes from pixels to cells and back", () => {
    expect(cellAt({ row: 10, col: 9.9 }, image, cells)).toEqual({ r: 1, c: 0 });
    expect(cellAt({ row: 99, col: -5 }, image, cells)).toEqual({ r: 1, c: 0 });
    expect(centreOf({ r: 1, c: 2 }, image, cells)).toEqual({ row: 15, col: 25 });
    expect(boxOf({ r: 1, c: 2 }, { r: 0, c: 1 }, image, cells)).toEqual([0, 10, 20, 30]);
  });
  it("covers whole cells of its own grid and parts of another", () => {
    expect([...coverage(0, (100 * 2) / 7, 7, 100)]).toEqual([1, 1, 0, 0, 0, 0, 0]);
    expect([...coverage(5, 15, 2, 20)]).toEqual([0.5, 0.5]);
  });
  it("gives shares of positive, negative and absolute mass", () => {
    const map = grid([1, -1, NaN, 3, 0, -3], 2, 3);
    expect(shareOf(map, image, [10, 0, 20, 10])).toEqual({ positive: 0.75, negative: 0, absolute: 3 / 8, sum: 3 });
    expect(shareOf(grid([0, 0], 1, 2), image, [0, 0, 20, 15])).toMatchObject({ positive: null, absolute: null });
  });
});

describe("keys", () => {
  const press = (key: string, more = {}) => ({ key, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more });
  const cells = { rows: 4, cols: 7 };
  it("moves within the map; the first arrow shows the cursor in the middle", () => {
    expect(actionFor(press("ArrowLeft"), null, cells)).toEqual({ kind: "move", cell: { r: 1, c: 3 }, extend: false });
    expect(actionFor(press("ArrowLeft"), { r: 2, c: 0 }, cells)).toMatchObject({ cell: { r: 2, c: 0 } });
    expect(actionFor(press("ArrowDown", { shiftKey: true }), { r: 2, c: 0 }, cells)).toMatchObject({ cell: { r: 3, c: 0 }, extend: true });
    expect(actionFor(press("End"), { r: 2, c: 0 }, cells)).toMatchObject({ cell: { r: 2, c: 6 } });
    expect(actionFor(press("Home", { ctrlKey: true }), { r: 2, c: 3 }, cells)).toMatchObject({ cell: { r: 0, c: 0 } });
  });
  it("leaves other keys to the page", () => {
    for (const key of ["Tab", "a", "F5"]) expect(actionFor(press(key), null, cells)).toBeNull();
    expect(actionFor(press("-", { ctrlKey: true }), null, cells)).toBeNull();
    expect(actionFor(press("ArrowUp", { altKey: true }), null, cells)).toBeNull();
  });
  it("knows the other keys", () => {
    expect(["Enter", " ", "Escape", "+", "-", "z", "0"].map((k) => actionFor(press(k), null, cells)?.kind))
      .toEqual(["pin", "select", "clear", "threshold", "threshold", "zoom", "unzoom"]);
  });
});

describe("contour", () => {
  it("runs between a high and a low half, in image pixels", () => {
    const path = contour(grid([1, 0, 1, 0], 2, 2), { rows: 20, cols: 40 }, 0.5);
    expect(path).toContain("20 ");
    expect(new Set([...path.matchAll(/[ML]([\d.]+) /g)].map((m) => m[1]))).toEqual(new Set(["20"]));
  });
  it("is empty where the level is not crossed, and survives NaN and infinity", () => {
    expect(contour(grid([1, 1, 1, 1], 2, 2), image, 0.5)).toBe("");
    expect(contour(grid([NaN, Infinity, 0, 1], 2, 2), image, 0.5)).not.toContain("NaN");
    expect(contour(grid([NaN, NaN, 0, 1], 2, 2), image, -1)).toBe("");
  });
});

describe("maps", () => {
  it("averages rows and mixes", () => {
    expect([...meanOfRows(new Float32Array([1, 2, 3, 4, 5, 8]), [0, 2], 2)]).toEqual([3, 5]);
    const out = new Float32Array(2);
    mix(new Float32Array([1, 2]), new Float32Array([4, NaN]), 0.5, 1, out);
    expect([...out]).toEqual([-3.5, NaN]);
    mix(new Float32Array([1, 2]), new Float32Array([4, NaN]), 1, 0, out);
    expect([...out]).toEqual([1, 2]);
  });
  it("enlarges with cell centres aligned", () => {
    expect([...bilinear(grid([0, 4], 1, 2), { rows: 1, cols: 4 }).data]).toEqual([0, 1, 3, 4]);
  });
  it("finds the regions that count most", () => {
    const found = topRegions(grid([0, 0, -6, 1, 0, 3], 2, 3), image, 2);
    expect(found).toEqual([
      { place: "upper right", rows: [0, 10], cols: [20, 30], sum: -6, share: 0.6 },
      { place: "lower right", rows: [10, 20], cols: [20, 30], sum: 3, share: 0.3 }]);
    expect(topRegions(grid([0, 0], 1, 2), image)).toEqual([]);
  });
  it("packs nothing but what it was given", () => expect(packed([1], [1]).view.byteLength).toBe(4));
});

describe("words", () => {
  it("writes numbers as a reader wants them", () => {
    expect([0, 1.234, -0.5, 12345, 1e-7, Infinity, -Infinity, NaN].map(number))
      .toEqual(["0", "1.23", "\u22120.500", "12345", "1.0e\u22127", "+\u221e", "\u2212\u221e", "not a number"]);
    expect(signed(2)).toBe("+2.00");
    expect([percent(0), percent(0.0001), percent(0.123), percent(null)]).toEqual(["0.0\u202f%", "< 0.1\u202f%", "12\u202f%", "none"]);
  });
  it("names places", () => {
    expect([place(1, 1, 9, 9), place(4, 4, 9, 9), place(8, 4, 9, 9), place(4, 8, 9, 9)])
      .toEqual(["upper left", "centre", "lower centre", "middle right"]);
  });
});
