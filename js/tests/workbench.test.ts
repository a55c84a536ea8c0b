// @vitest-environment happy-dom
import { describe, expect, it, vi } from "vitest";
import { answers, keyOf, statusOf, timeLeft, type Now, type Wanted } from "../src/benching";
import type { ClassNodes } from "../src/classnodes";
import { createAskBar } from "../src/parts/askbar";
import { createMethodList, toggled } from "../src/parts/methodlist";
import { createStrip, stepTo } from "../src/parts/strip";

const HOSTILE = "<img src=x onerror=alert(1)>";
const wanted: Wanted = { target: "husky", foil: "wolf", index: 1, methods: ["lrp", "rise"], lead: "", erasing: false };
const now = (more: Partial<Now>): Now =>
  ({ alive: true, state: "idle", reply: null, fresh: true, wanted, shown: { ...wanted, foil: "" }, ...more });
const signal = () => new AbortController().signal;

describe("what is wanted and what is shown", () => {
  it("is told apart by target, foil, picture and methods", () => {
    expect(answers({ ...wanted, lead: "rise", erasing: true }, wanted)).toBe(true);
    for (const other of [{ target: "cat" }, { foil: "" }, { index: 0 }, { methods: ["rise"] }]) expect(answers({ ...wanted, ...other }, wanted)).toBe(false);
    expect(keyOf({ ...wanted, lead: "rise" })).not.toBe(keyOf(wanted));
  });

  it("is told in one line", () => {
    expect(statusOf(now({})).text).toBe("");
    const dead = statusOf(now({ alive: false, fresh: false }));
    expect(dead.text).toContain("need a running kernel");
    expect(dead.text).toContain("Why \u201chusky\u201d rather than \u201cwolf\u201d? is not answered: shown is Why \u201chusky\u201d?");
    expect(dead.again).toBe(false);
    const busy = statusOf(now({ state: "working", fresh: false, reply: { id: "1", state: "working", text: "rise on a.jpg", share: 0.25, left: 12.2 } }));
    expect(busy.text).toContain("rise on a.jpg, about 13\u202fs left");
    expect(busy.share).toBe(0.25);
    const silent = statusOf(now({ state: "silent", fresh: false }));
    expect(silent.text).toContain("No answer from the kernel");
    expect(silent).toMatchObject({ again: true, share: null });
    expect(statusOf(now({ fresh: false, reply: { id: "1", state: "failed", text: HOSTILE } }))).toMatchObject({ failed: HOSTILE, again: true });
    expect(statusOf(now({ fresh: false, reply: { id: "1", state: "stopped", text: "" } })).text).toMatch(/^Stopped\./);
    expect(timeLeft(null)).toBe("");
    expect(timeLeft(200)).toBe("about 3\u202fmin left");
  });
});

describe("the parts that ask", () => {
  it("moves along the strip by keys, and is closed without a kernel", () => {
    expect(["ArrowRight", "ArrowLeft", "Home", "End", "x"].map((key) => stepTo(key, 1, 3))).toEqual([2, 0, 0, 2, null]);
    expect(stepTo("ArrowRight", 2, 3)).toBe(2);
    const pick = vi.fn();
    const atlas = { tile: [2, 3] as const, canvas: () => document.createElement("canvas"), draw: vi.fn() };
    const strip = createStrip(atlas, [HOSTILE, "b", "c"], pick, signal());
    document.body.append(strip.el);
    strip.draw(1, false);
    const items = [...strip.el.querySelectorAll("button")];
    expect(items.map((i) => [i.getAttribute("aria-checked"), i.tabIndex])).toEqual([["false", -1], ["true", 0], ["false", -1]]);
    expect(items[0]?.textContent).toBe(HOSTILE);
    items[1]?.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    items[0]?.click();
    expect(pick.mock.calls).toEqual([[2], [0]]);
    strip.draw(1, true);
    items[0]?.click();
    expect(pick).toHaveBeenCalledTimes(2);
  });

  it("keeps one method at least, in the order of the list", () => {
    const all = ["a", "b", "c"].map((name) => ({ name, family: "cam", passes: "1" }));
    expect(toggled(all, ["c"], "a")).toEqual(["a", "c"]);
    expect(toggled(all, ["a", "c"], "a")).toEqual(["c"]);
    expect(toggled(all, ["c"], "c")).toEqual(["c"]);
    const [pick, lead] = [vi.fn(), vi.fn()];
    const list = createMethodList(all, pick, lead, signal());
    document.body.append(list.el);
    list.draw(["a"], "gone", false);
    const boxes = [...list.el.querySelectorAll<HTMLInputElement>("input")];
    expect(boxes.map((b) => b.checked)).toEqual([true, false, false]);
    expect(list.el.querySelector("select")?.value).toBe("a");
    (boxes[0] as HTMLInputElement).click();
    expect((boxes[0] as HTMLInputElement).checked).toBe(true);
    (boxes[1] as HTMLInputElement).click();
    expect(pick.mock.calls).toEqual([[["a", "b"]]]);
  });

  it("asks about two sides, never about the same", () => {
    const names = ["husky", HOSTILE, "dog"];
    const nodes = { count: 3, classes: 2, sizes: new Uint32Array([1, 1, 2]), probability: new Float32Array([0.2, 0.7, 0.9]),
      name: (i: number) => names[i], find: (name: string) => names.indexOf(name) } as unknown as ClassNodes;
    const ask = vi.fn();
    const bar = createAskBar(ask, signal());
    document.body.append(bar.el);
    bar.setNodes(nodes);
    bar.draw("husky", "");
    const [target, foil] = [...bar.el.querySelectorAll("input")] as [HTMLInputElement, HTMLInputElement];
    const [swap, drop] = [...bar.el.querySelectorAll("button")] as [HTMLButtonElement, HTMLButtonElement];
    expect([target.value, foil.value, swap.disabled, drop.disabled]).toEqual(["husky", "", true, true]);
    const choose = (input: HTMLInputElement, typed: string) => {
      input.value = typed;
      input.dispatchEvent(new Event("input", { bubbles: true }));
      input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
    };
    choose(foil, "<img");
    expect(ask).toHaveBeenLastCalledWith("husky", HOSTILE);
    bar.draw("husky", HOSTILE);
    choose(target, "<img");
    expect(ask).toHaveBeenLastCalledWith(HOSTILE, "");
    bar.draw("husky", HOSTILE);
    swap.click();
    expect(ask).toHaveBeenLastCalledWith(HOSTILE, "husky");
    drop.click();
    expect(ask).toHaveBeenLastCalledWith("husky", "");
    expect(bar.el.querySelector("img")).toBeNull();
  });
});
