// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { createNaming, outlinesOf } from "../src/parts/naming";
import { connect } from "../src/shared";
import { fakeHost, fakeLink, fakeModel, links } from "./fakes";

const HOSTILE = "<img src=x onerror=alert(1)>";
const MAP = { rows: 2, cols: 3, data: new Float32Array([1, -1, 0, 2, 0.5, -2]) };

afterEach(() => document.body.replaceChildren());

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
    const form = naming.el.querySelector(".salw-naming-form") as HTMLElement;
    expect(form.hasAttribute("hidden")).toBe(true);
    enter();
    expect(regions()).toBeUndefined();
    link.set("selection", { kind: "box", box: [0, 0, 2, 4], source: "x" });
    expect(form.hasAttribute("hidden")).toBe(false);
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
