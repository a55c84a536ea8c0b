// Names for regions: the brushed box gets one (the form is there before, or the page would move under the brush), and all linked views, sentences and tables use it. The names are boxes in the
// shared trait `regions`; Python sees them too.
import { h, listen, say, show, uid } from "../dom";
import { percent, signed } from "../format";
import { shareOf } from "../geometry";
import type { Shared } from "../shared";
import type { Box, Grid, Selection, Size } from "../types";
import type { Outline } from "./overlay";

const LONGEST = 60;

export type Regions = Readonly<Record<string, Box>>;

export function regionsOf(shared: Shared): Regions {
  return shared.get<Regions | undefined>("regions") ?? {};
}

export function outlinesOf(regions: Regions): Outline[] {
  return Object.entries(regions).map(([name, [r0, c0, r1, c1]]) =>
    ({ name, row: r0, col: c0, path: `M${c0} ${r0}H${c1}V${r1}H${c0}Z` }));
}

export interface Naming {
  el: HTMLElement;
  /** the map that the table's numbers are about; and which one that is, where a view shows several */
  draw(map: Grid | null, about?: string): void;
}

/** A box to name the brushed region, and a table of the named ones with what they hold of the map. */
export function createNaming(shared: Shared, image: Size, source: string, signal: AbortSignal): Naming {
  const id = uid();
  const input = h("input", { id, type: "text", maxlength: LONGEST, autocomplete: "off", spellcheck: "false" });
  const give = h("button", { type: "button" }, "Name it");
  const form = h("div", { class: "salw-naming-form" }, h("label", { for: id }, "Name the region"), input, give);
  const body = h("tbody");
  const caption = h("caption");
  const head = ["Name", "Rows", "Columns", "Sum", "Positive", ""].map((text) => (text ? h("th", { scope: "col" }, text) : h("td")));
  const table = h("table", { hidden: true }, caption, h("thead", {}, h("tr", {}, ...head)), body);
  const el = h("div", { class: "salw-naming", tabindex: -1 }, form, table);
  const box = () => shared.get<Selection | null>("selection")?.box ?? null;
  const set = (regions: Regions) => shared.set("regions", regions);
  const name = () => {
    const [text, region] = [input.value.trim(), box()];
    if (!text || !region) return input.focus();
    input.value = "";
    set({ ...regionsOf(shared), [text]: region });
  };
  listen(give, "click", name, signal);
  listen(input, "keydown", (event) => {
    event.stopPropagation();
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    name();
  }, signal);
  listen(body, "click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-region]");
    const text = button?.dataset["region"] ?? "";
    const region = regionsOf(shared)[text];
    if (!button || !region) return;
    if (button.dataset["do"] === "show") return shared.set("selection", { kind: "box", box: [...region], source });
    const { [text]: _gone, ...rest } = regionsOf(shared);
    set(rest);
    (give.disabled ? el : give).focus(); // the button that was pressed is gone
  }, signal);
  const whole = (v: number) => String(Math.round(v * 10) / 10);
  return {
    el,
    draw(map, about) {
      const regions = Object.entries(regionsOf(shared));
      const none = box() === null;
      input.disabled = give.disabled = none;
      input.placeholder = none ? "drag on the picture first" : "left ear";
      show(table, regions.length > 0);
      say(caption, about ? `Named regions \u00b7 ${about}` : "Named regions");
      say(give, regionsOf(shared)[input.value.trim()] ? "Name it anew" : "Name it");
      const focus = document.activeElement instanceof HTMLElement && body.contains(document.activeElement) ? document.activeElement.dataset : null;
      body.replaceChildren(...regions.map(([text, region]) => {
        const share = map && shareOf(map, image, region);
        return h("tr", {}, h("th", { scope: "row" }, h("button", { type: "button", "data-region": text, "data-do": "show" }, text)),
          h("td", {}, `${whole(region[0])}\u2013${whole(region[2])}`), h("td", {}, `${whole(region[1])}\u2013${whole(region[3])}`),
          h("td", {}, share ? signed(share.sum) : ""), h("td", {}, share ? percent(share.positive) : ""),
          h("td", {}, h("button", { type: "button", "data-region": text, "data-do": "drop", "aria-label": `Forget the name ${text}` }, "\u00d7")));
      }));
      if (focus) [...body.querySelectorAll<HTMLElement>("button")].find((b) => b.dataset["region"] === focus["region"] && b.dataset["do"] === focus["do"])?.focus();
    },
  };
}
