// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { cut, labels } from "../src/labels";
import { createNaming, outlinesOf } from "../src/parts/naming";
import { connect } from "../src/shared";
import { contrastState, fakeHost, fakeLink, fakeModel, framesState, links } from "./fakes";
import { fakeScreen, frame, show } from "./screen";

const HOSTILE = "<img src=x onerror=alert(1)>";
const MAP = { rows: 2, cols: 3, data: new Float32Array([1, -1, 0, 2, 0.5, -2]) };

fakeScreen();

async function make() {
  const link = fakeLink();
  const abort = new AbortController();
  const shared = await connect(fakeModel({ links: links("a") }), fakeHost({ a: link }), abort.signal);
  const naming = createNaming(shared, { rows: 4, cols: 6 }, "me", abort.signal);
  document.body.append(naming.el);
  const draw = () => naming.draw(MAP);
  shared.on("regions", draw);
  shared.on("selection", draw);
  draw();
  const input = naming.el.querySelector("input") as HTMLInputElement;
  const enter = () => input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
  return { link, naming, input, enter, regions: () => link.state["regions"] };
}

describe("names of regions", () => {
  it("are given to the brushed box, once there is one", async () => {
    const { link, naming, input, enter, regions } = await make();
    expect([input.disabled, input.placeholder]).toEqual([true, "drag on the picture first"]);
    enter();
    expect(regions()).toBeUndefined();
    link.set("selection", { kind: "box", box: [0, 0, 2, 4], source: "x" });
    expect([input.disabled, input.placeholder]).toEqual([false, "left ear"]);
    input.value = "   ";
    enter();
    expect(regions()).toBeUndefined();
    input.value = ` ${HOSTILE} `;
    enter();
    expect(regions()).toEqual({ [HOSTILE]: [0, 0, 2, 4] });
    expect(naming.el.querySelector("img")).toBeNull();
    const cells = [...naming.el.querySelectorAll("tbody td")].map((c) => c.textContent);
    expect(cells.slice(0, 4)).toEqual(["0\u20132", "0\u20134", "0", "29\u202f%"]); // 1 of 3.5 positive
  });
  it("select their box again, and can be forgotten", async () => {
    const { link, naming, regions } = await make();
    link.set("regions", { ear: [0, 0, 2, 2], eye: [2, 2, 4, 4] });
    const button = (text: string, what: string) => [...naming.el.querySelectorAll<HTMLElement>("tbody button")]
      .find((b) => b.dataset["region"] === text && b.dataset["do"] === what) as HTMLElement;
    button("eye", "show").click();
    expect(link.state["selection"]).toEqual({ kind: "box", box: [2, 2, 4, 4], source: "me" });
    button("ear", "drop").click();
    expect(regions()).toEqual({ eye: [2, 2, 4, 4] });
    expect(outlinesOf(regions() as never)).toEqual([{ name: "eye", row: 2, col: 2, path: "M2 2H4V4H2Z" }]);
  });
});

describe("the places of names", () => {
  const image = { rows: 60, cols: 100 };
  const at = (names: [string, number, number][]) => labels(names.map(([name, row, col]) => ({ name, row, col })), image, 4);
  it("are the upper left corners, but inside the picture", () => {
    expect(at([["ear", 10, 20]])).toEqual([{ text: "ear", x: 21, y: 14.4 }]);
    const [right, bottom] = at([["ear", 10, 99], ["foot", 59, 0]]);
    expect([right?.x, bottom?.y]).toEqual([100 - 3 * 0.64 * 4, 60 - 5 + 4.4]);
  });
  it("are not on each other, also where boxes are the same or a column is full", () => {
    const found = at(Array.from({ length: 12 }, (_, k) => [`name ${k}`, 50, 20] as [string, number, number]));
    const rows = found.map(({ y }) => y).sort((a, b) => a - b);
    expect(rows.every((y, k) => k === 0 || y - (rows[k - 1] as number) >= 5 - 1e-9)).toBe(true);
    expect([Math.min(...rows) >= 4.4, Math.max(...rows) <= 60]).toEqual([true, true]);
  });
  it("cut what is wider than the picture, and count wide characters as wide", () => {
    expect(cut("ear", 5)).toBe("ear");
    expect(cut("a very long name", 5)).toBe("a very\u2026");
    expect(cut("\u5de6\u8033\u5de6\u8033", 3)).toBe("\u5de6\u8033\u2026");
    expect(cut("x".repeat(9), 0)).toBe("x\u2026");
  });
});

const EAR = { kind: "box", box: [0, 0, 2, 4], source: "x" };

/** Names of the outlines on the maps that can be seen. */
const outlined = (el: HTMLElement) => [...el.querySelectorAll(".salw-stage")].filter((stage) => !stage.hasAttribute("hidden"))
  .map((stage) => [...stage.querySelectorAll(".salw-outline-name")].map((name) => name.textContent));

describe.each([["contrast", contrastState(), 3], ["layers", framesState(), 1], ["randomisation", framesState({ _view: "randomisation" }), 1]] as const)(
  "names in %s", (_view, state, maps) => {
    it("are given to what is brushed, outlined on every map, and forgotten", async () => {
      const [link, model] = [fakeLink(), fakeModel(state)];
      link.set("regions", { tail: [2, 3, 4, 6] });
      const { el, one, texts, press, abort } = await show(model, { a: link });
      expect(outlined(el)).toEqual(Array(maps).fill(["tail"]));
      expect(one(".salw-outline").getAttribute("d")).toBe("M3 2H6V4H3Z");
      expect(one<HTMLInputElement>(".salw-naming input").disabled).toBe(true);
      link.set("selection", EAR);
      await frame();
      one<HTMLInputElement>(".salw-naming input").value = HOSTILE;
      press(".salw-naming input", "Enter");
      await frame();
      expect(link.state["regions"]).toEqual({ tail: [2, 3, 4, 6], [HOSTILE]: EAR.box });
      expect(outlined(el)).toEqual(Array(maps).fill(["tail", HOSTILE]));
      expect([texts(".salw-naming tbody th")[1], el.querySelector("img")]).toEqual([HOSTILE, null]);
      one("[data-region=tail][data-do=drop]").click();
      await frame();
      expect(outlined(el)).toEqual(Array(maps).fill([HOSTILE]));
      link.set("regions", {});
      await frame();
      expect([outlined(el), one(".salw-naming table").hasAttribute("hidden")]).toEqual([Array(maps).fill([]), true]);
      abort.abort();
      expect([model.listeners(), link.listeners()]).toEqual([0, 0]);
    });
  });

describe("the table of names", () => {
  it("is about the middle map of a contrast, or the target's where there is no mixture", async () => {
    const [link, model] = [fakeLink(), fakeModel(contrastState())];
    link.set("regions", { ear: EAR.box });
    const { one, texts } = await show(model, { a: link });
    expect(texts(".salw-naming tbody td").slice(0, 4)).toEqual(["0\u20132", "0\u20134", "\u22126.00", "none"]); // 1 - 3 and -1 - 3
    expect(one(".salw-naming caption").textContent).toBe("Named regions \u00b7 Why \u201chusky\u201d rather than \u201cwolf\u201d?");
    model.set("foil", "husky");
    await frame();
    expect(texts(".salw-naming tbody td")[2]).toBe("0"); // 1 - 1
    expect(one(".salw-naming caption").textContent).toBe("Named regions \u00b7 Why \u201chusky\u201d?");
  });
  it("and the outlines follow the step, also to a map of another size", async () => {
    const link = fakeLink();
    link.set("regions", { ear: EAR.box });
    const { el, one, texts, press } = await show(fakeModel(framesState()), { a: link });
    expect([one(".salw-naming caption").textContent, texts(".salw-naming tbody td")[2]]).toEqual(["Named regions \u00b7 one (1 of 2)", "0"]);
    press(".salw-scrubber input", ".");
    await frame();
    expect([one(".salw-naming caption").textContent, texts(".salw-naming tbody td")[2]]).toEqual(["Named regions \u00b7 two (2 of 2)", "+3.50"]); // half of 3 + 4
    expect(outlined(el)).toEqual([["ear"]]);
    link.set("regions", {});
    press(".salw-scrubber input", ",");
    await frame();
    expect(outlined(el)).toEqual([[]]); // the stage that was hidden has forgotten it, too
  });
});
