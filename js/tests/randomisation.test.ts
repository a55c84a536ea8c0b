// @vitest-environment happy-dom
import { describe, expect, it, vi } from "vitest";
import type { Selection } from "../src/types";
import { fakeLink, fakeModel, framesState, packed } from "./fakes";
import { fakeScreen, frame, show } from "./screen";

const pixels = fakeScreen();
const HOSTILE = "<img src=x onerror=alert(1)>";
const TRAINED = [1, -1, 0, 2, 0.5, -2];

/** The trained network's map, half of it, and another one ten times as large. */
function state(more: Record<string, unknown> = {}) {
  return framesState({ _view: "randomisation", each: true, through: "Random layers, from the scores down",
    maps: packed([...TRAINED, ...TRAINED.map((v) => v / 2), 20, 0, 0, 0, -10, 0], [18]), shapes: [[2, 3], [2, 3], [2, 3]],
    labels: ["trained", "fc random", HOSTILE], captions: ["trained network", "seed 0", "seed 0"],
    lines: [{ name: "rank correlation", values: [1, 0.9, null] }, { name: "SSIM", values: [1, 0.8, 0.1] }], ...more });
}

async function mounted(more: Record<string, unknown> = {}) {
  const [model, link] = [fakeModel(state(more)), fakeLink()];
  const shown = await show(model, { a: link });
  const step = (key: string) => shown.press(".salw-scrubber input", key);
  const map = () => pixels(shown.one<HTMLCanvasElement>(".salw-map"));
  return { ...shown, model, link, step, map };
}

describe("randomisation", () => {
  it("gives every step limits of its own, since the rank correlation does not see sizes; and says so", async () => {
    const { el, one, step, map } = await mounted();
    const trained = map();
    expect(one(".salw-badge").textContent).toBe("each step has its own scale");
    step(".");
    await frame();
    expect(map()).toEqual(trained);
    const own = [...el.querySelectorAll<HTMLInputElement>("input[type=checkbox]")].at(-1) as HTMLInputElement;
    own.checked = false;
    own.dispatchEvent(new Event("change"));
    await frame();
    expect(map()).not.toEqual(trained);
    expect(one(".salw-badge").hasAttribute("hidden")).toBe(true);
  });
  it("names the network of each step as text, with what the lines say there", async () => {
    const { el, one, texts, step } = await mounted();
    expect([one(".salw-step").textContent, texts(".salw-legend span")]).toEqual(["trained (1 of 3)",
      ["rank correlation: 1.00", "SSIM: 1.00", "share of the positive in the region: none"]]);
    step(".");
    step(".");
    step("."); // there is no fourth
    await frame();
    expect([one(".salw-step").textContent, texts(".salw-legend span").slice(0, 2)]).toEqual([`${HOSTILE} (3 of 3)`,
      ["rank correlation: none", "SSIM: 0.100"]]);
    expect([el.querySelector("img"), one(".salw-caption").textContent]).toEqual([null, "seed 0"]);
    expect(one("input[type=range]").getAttribute("aria-label")).toBe("Random layers, from the scores down");
  });
  it("has every step in a table, with the size that a map of its own scale does not show", async () => {
    const { el, texts } = await mounted();
    const fold = [...el.querySelectorAll<HTMLDetailsElement>("details")].find((d) => d.textContent?.includes("All steps as a table")) as HTMLDetailsElement;
    fold.open = true;
    fold.dispatchEvent(new Event("toggle"));
    const rows = [...fold.querySelectorAll("tbody tr")].map((row) => [...row.children].map((cell) => cell.textContent));
    expect(rows.map((row) => [row[0], row[2], row[3]])).toEqual([["trained", "2.00", "1.00"], ["fc random", "1.00", "0.900"], [HOSTILE, "20.0", "none"]]);
    expect(texts(".salw-fold thead th").slice(0, 3)).toEqual(["Random layers, from the scores down", "Cells", "Largest |value|"]);
  });
  it("follows a region through the networks: its share of the positive is one more line", async () => {
    const { link, texts, step, press } = await mounted();
    for (const key of ["ArrowLeft", "ArrowLeft", "ArrowUp", " "]) press(".salw-stage", key); // the cell of the upper left corner
    await frame();
    expect((link.state["selection"] as Selection).box).toEqual([0, 0, 2, 2]);
    expect(texts(".salw-legend span")[2]).toBe("share of the positive in the region: 0.286"); // 1 of 3.5
    step(".");
    step(".");
    await frame();
    expect(texts(".salw-legend span")[2]).toBe("share of the positive in the region: 1.00");
  });
  it("plays to the end by itself, and Python hears where it came to rest", async () => {
    const { one, model, step, abort } = await mounted();
    vi.useFakeTimers();
    step("p");
    await vi.advanceTimersByTimeAsync(800);
    expect([one(".salw-step").textContent, one(".salw-play").textContent, model.saves]).toEqual(["fc random (2 of 3)", "Pause", 0]);
    await vi.advanceTimersByTimeAsync(2000);
    expect([one(".salw-step").textContent, one(".salw-play").textContent, model.saves, model.state["at"]]).toEqual([`${HOSTILE} (3 of 3)`, "Play", 1, 2]);
    model.set("at", 0);
    await vi.advanceTimersByTimeAsync(50);
    expect(one(".salw-step").textContent).toBe("trained (1 of 3)");
    abort.abort();
    expect(model.listeners()).toBe(0);
  });
});
