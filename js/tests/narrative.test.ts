// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { areaPath, edgePath, union } from "../src/outline";
import { about, choose, failure, type Passage, type Variant } from "../src/passages";
import type { Highlight } from "../src/types";
import { render } from "../src/widget";
import { fakeHost, fakeLink, fakeModel, heatmapState, narrativeState, type FakeModel } from "./fakes";

beforeEach(() => {
  vi.stubGlobal("ImageData", class {
    data: Uint8ClampedArray;
    constructor(public width: number, public height: number) {
      this.data = new Uint8ClampedArray(width * height * 4);
    }
  });
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockImplementation(() => ({ putImageData: () => {} }) as never);
  vi.stubGlobal("requestAnimationFrame", (callback: () => void) => setTimeout(callback, 0));
  vi.stubGlobal("cancelAnimationFrame", clearTimeout);
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  document.body.replaceChildren();
});

const frame = () => new Promise((done) => setTimeout(done, 5));

async function show(model: FakeModel, link = fakeLink()) {
  const el = document.createElement("div");
  document.body.append(el);
  const abort = new AbortController();
  await render({ model, el, host: fakeHost({ a: link }), signal: abort.signal });
  const one = <E extends Element = HTMLElement>(selector: string) => el.querySelector(selector) as E;
  const all = (selector: string) => [...el.querySelectorAll<HTMLElement>(selector)];
  const lit = () => link.state["highlight"] as Highlight | null;
  return { el, one, all, abort, link, lit };
}

/** A kernel that answers greetings, as Python does. */
function withKernel(model: FakeModel): FakeModel {
  model.on("change:request", () => {
    const request = model.state["request"] as { do: string; id: string };
    if (request.do === "hello") model.set("alive", request.id);
    if (request.do === "write") model.set("reply", { id: request.id, state: "writing", text: "" });
    if (request.do === "stop") model.set("reply", { id: request.id, state: "stopped", text: "" });
  });
  return model;
}

describe("shapes", () => {
  const size = { rows: 2, cols: 3 };
  const image = { rows: 4, cols: 6 };

  it("joins units and keeps what only together fills a cell", () => {
    const a = new Uint8Array([255, 100, 0, 0, 0, 0]);
    const b = new Uint8Array([0, 100, 255, 0, 0, 0]);
    expect([...union([a, b], size).on]).toEqual([1, 1, 1, 0, 0, 0]);
    expect([...union([a], size).on]).toEqual([1, 0, 0, 0, 0, 0]);
    expect([...union([new Uint8Array([9, 30, 0, 0, 0, 0])], size).on]).toEqual([0, 1, 0, 0, 0, 0]);
  });

  it("draws runs of cells and the border around them", () => {
    const mask = { on: new Uint8Array([1, 1, 0, 0, 1, 0]), ...size };
    expect(areaPath(mask, image)).toBe("M0 0H4V2H0ZM2 2H4V4H2Z");
    expect(edgePath(mask, image)).toBe("M0 0H4M0 2H2M2 4H4M0 0V2M2 2V4M4 0V4");
    expect(edgePath({ on: new Uint8Array(6), ...size }, image)).toBe("");
  });
});

describe("choosing", () => {
  const variant = (by: string, length: string, error = "") => ({ by, length, audience: "expert", error }) as Variant;
  const passage = { variants: [variant("template", "line"), variant("template", "report"), variant("llm", "report", "gone"), variant("llm", "line")] } as Passage;
  const want = (by: string, length: string) => ({ by, length, audience: "expert" });

  it("falls back to the template and says why", () => {
    expect(choose(passage, want("llm", "line"))).toBe(passage.variants[3]);
    expect(choose(passage, want("llm", "report"))).toBe(passage.variants[1]);
    expect(failure(passage, want("llm", "report"))).toBe("gone");
    expect(failure(passage, want("llm", "line"))).toBe("");
    expect(choose(passage, want("given", "report"))).toBe(passage.variants[1]);
  });

  it("knows whether a region is about a unit", () => {
    const unit = { label: "left", rows: 2, cols: 3, cells: new Uint8Array([255, 0, 0, 255, 0, 0]) };
    const image = { rows: 4, cols: 6 };
    expect(about(unit, image, [0, 0, 2, 2])).toBe(true); // half of the unit
    expect(about(unit, image, [0, 0, 1, 1])).toBe(true); // wholly inside it
    expect(about(unit, image, [0, 2, 4, 6])).toBe(false);
    expect(about(unit, image, [0, 1, 1, 6])).toBe(false); // a corner of the unit, a corner of the box
  });
});

describe("narrative", () => {
  it("lists sentences with verdicts in words, and text stays text", async () => {
    const { el, all } = await show(fakeModel(narrativeState()));
    expect(all("ol.salw-sentences > li")).toHaveLength(3);
    expect(all(".salw-sentence")[0]?.textContent).toBe("The <b>left</b> supports.");
    expect(el.querySelector(".salw-sentence b")).toBeNull();
    expect(all(".salw-verdict").map((e) => e.textContent)).toEqual(["\u2713supported", "\u2717contradicted", "?not checkable"]);
    expect(all(".salw-claims").map((e) => e.textContent)).toEqual(["The corner opposes. contradicted: it is 12 %"]);
  });

  it("lights units while hovered or focused, keeps them when clicked, and Esc clears", async () => {
    const { all, one, lit, link } = await show(fakeModel(narrativeState()));
    const [first, second] = all(".salw-sentence") as [HTMLElement, HTMLElement];
    first.dispatchEvent(new Event("pointerover", { bubbles: true }));
    expect(lit()).toMatchObject({ source: "n", key: "0.0", relation: "supports", area: "M0 0H2V2H0ZM0 2H2V4H0Z" });
    one(".salw-sentences").dispatchEvent(new Event("pointerleave"));
    expect(lit()).toBeNull();
    second.focus();
    await frame();
    expect(lit()).toMatchObject({ key: "0.1", relation: "opposes" });
    expect(all("li.salw-active")).toHaveLength(1);
    second.click();
    second.blur();
    await frame();
    expect(lit()?.key).toBe("0.1");
    expect(second.getAttribute("aria-pressed")).toBe("true");
    second.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    await frame();
    expect(lit()).toBeNull();
    link.set("highlight", { source: "another", key: "0.0" });
    await frame();
    expect(all("li.salw-active")).toHaveLength(0);
  });

  it("lights the sentences about a brushed region and says how many", async () => {
    const { all, one, link } = await show(fakeModel(narrativeState()));
    link.set("selection", { kind: "box", box: [0, 0, 4, 2], source: "h" });
    await frame();
    expect(all("li.salw-lit").map((e) => e.querySelector(".salw-sentence")?.textContent)).toEqual(["The <b>left</b> supports."]);
    expect(one("li.salw-lit .salw-about").hidden).toBe(false);
    expect(one(".salw-live").textContent).toBe("1 of 3 sentences is about the region.");
    link.set("selection", { kind: "box", box: [0, 2, 2, 4], source: "h" });
    await frame();
    expect(one(".salw-live").textContent).toBe("None of 3 sentences are about the region.");
  });

  it("switches texts without a kernel and greys what needs one", async () => {
    const model = fakeModel(narrativeState());
    const { all, one } = await show(model);
    const [by, length] = all("select") as unknown as [HTMLSelectElement, HTMLSelectElement];
    length.value = "line";
    length.dispatchEvent(new Event("change"));
    await frame();
    expect(all(".salw-sentence").map((e) => e.textContent)).toEqual(["Left."]);
    expect(model.state["length"]).toBe("line");
    expect([...by.options].find((o) => o.value === "llm")?.disabled).toBe(true);
    expect(one(".salw-asking + .salw-note").textContent).toContain("running kernel");
    expect(one(".salw-ask").hidden).toBe(true);
  });

  it("asks, shows the stream, can be cancelled, and shows an error with the template's text", async () => {
    const model = withKernel(fakeModel(narrativeState({ by: "llm" })));
    const { one, all } = await show(model);
    await frame();
    const ask = one<HTMLButtonElement>(".salw-ask");
    expect(ask.textContent).toBe("Ask LLM test");
    ask.click();
    await frame();
    const { id } = model.state["request"] as { id: string };
    expect(model.state["request"]).toMatchObject({ do: "write", length: "paragraph", audience: "layperson" });
    model.set("reply", { id, state: "writing", text: "The left" });
    await frame();
    expect(one(".salw-stream").textContent).toBe("The left");
    expect(ask.textContent).toBe("Cancel");
    ask.click();
    await frame();
    expect(model.state["request"]).toMatchObject({ do: "stop" });
    expect(one(".salw-stream").hidden).toBe(true);
    const [passage] = model.state["passages"] as { variants: unknown[] }[];
    const failed = { by: "llm", length: "paragraph", audience: "layperson", sentences: [], notices: [], error: "It failed (500).", markdown: "", latex: "" };
    model.set("passages", [{ ...passage, variants: [...(passage?.variants ?? []), failed] }]);
    await frame();
    expect(one(".salw-failed").textContent).toBe("It failed (500). Shown is the template\u2019s text.");
    expect(all(".salw-sentence")).toHaveLength(3);
  });

  it("an old reply in a saved notebook is not a kernel", async () => {
    const { one } = await show(fakeModel(narrativeState({ by: "llm", alive: "old", reply: { id: "x", state: "writing", text: "half" } })));
    expect(one(".salw-stream").hidden).toBe(true);
    expect(one(".salw-ask").hidden).toBe(true);
  });

  it("copies what is shown", async () => {
    const written: string[] = [];
    vi.stubGlobal("navigator", { clipboard: { writeText: async (text: string) => void written.push(text) } });
    const { all, one } = await show(fakeModel(narrativeState()));
    all(".salw-row button").forEach((b) => b.click());
    await frame();
    expect(written).toEqual(["md paragraph", "tex paragraph"]);
    expect(one(".salw-live").textContent).toBe("Copied as LaTeX.");
  });

  it("a heatmap draws the lit part above the map and takes it away again", async () => {
    const link = fakeLink();
    const { one } = await show(fakeModel(heatmapState()), link);
    link.set("highlight", { source: "n", key: "0.0", area: "M0 0H2V4H0Z", edge: "M0 0H2", relation: "opposes" });
    await frame();
    expect(one(".salw-veil").getAttribute("d")).toBe("M0 0H6V4H0ZM0 0H2V4H0Z");
    expect(one(".salw-part.salw-line").classList.contains("salw-against")).toBe(true);
    expect(one(".salw-veil").hasAttribute("hidden")).toBe(false);
    link.set("highlight", null);
    await frame();
    expect(one(".salw-veil").hasAttribute("hidden")).toBe(true);
  });

  it("leaves nothing behind when it goes", async () => {
    const model = fakeModel(narrativeState());
    const { abort, one, lit, link } = await show(model);
    one(".salw-sentence").dispatchEvent(new Event("pointerover", { bubbles: true }));
    expect(lit()).not.toBeNull();
    abort.abort();
    expect([model.listeners(), link.listeners()]).toEqual([0, 0]);
  });
});
