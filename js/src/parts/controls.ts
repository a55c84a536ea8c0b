// How maps are drawn: limits, colours, opacity, threshold, smooth, contour. Writes the shared scale.
import { COLOUR_MAPS } from "../colormap";
import { h, listen, say, uid } from "../dom";
import { percent } from "../format";
import { CLIP_RULES, isDiverging } from "../scale";
import type { ScaleState } from "../types";

export interface Controls {
  el: HTMLElement;
  draw(scale: ScaleState, threshold: number): void;
}

export interface ControlEvents {
  scale(change: Partial<ScaleState>): void;
  threshold(value: number): void;
}

const RULES: Readonly<Record<string, string>> = {
  "pixels:99.5": "99.5 % of cells",
  "pixels:99": "99 % of cells",
  "mass:98": "98 % of the mass",
  max: "largest value",
};

function labelled(text: string, control: HTMLElement, ...more: HTMLElement[]): HTMLElement {
  const id = uid();
  control.id = id;
  return h("div", { class: "salw-field" }, h("label", { for: id }, text), control, ...more);
}

function slider(max: number): HTMLInputElement {
  return h("input", { type: "range", min: 0, max, step: 0.01 });
}

function tick(text: string): { el: HTMLElement; box: HTMLInputElement } {
  const box = h("input", { type: "checkbox" });
  return { el: h("label", { class: "salw-tick" }, box, text), box };
}

function menu(options: readonly (readonly [string, string])[]): HTMLSelectElement {
  return h("select", {}, ...options.map(([value, text]) => h("option", { value }, text)));
}

export function createControls(events: ControlEvents, signal: AbortSignal): Controls {
  const clip = menu(CLIP_RULES.map((rule) => [rule, RULES[rule] ?? rule] as const));
  const given = h("option", { value: "explicit" }, "given");
  clip.append(given);
  const cmap = menu(COLOUR_MAPS.map((name) => [name, name] as const));
  const opacity = slider(1);
  const threshold = slider(0.95);
  const [opacityText, thresholdText] = [h("output"), h("output")];
  const ticks = {
    smooth: tick("smooth"), contour: tick("contour"), fade: tick("fade weak cells"), grey: tick("grey picture"),
  };
  const el = h("div", { class: "salw-controls" },
    labelled("Limits", clip), labelled("Colours", cmap),
    labelled("Opacity", opacity, opacityText), labelled("Threshold", threshold, thresholdText),
    h("div", { class: "salw-ticks-row" }, ...Object.values(ticks).map((t) => t.el)));

  listen(clip, "change", () => events.scale({ clip: clip.value }), signal);
  listen(cmap, "change", () => events.scale({ cmap: cmap.value }), signal);
  listen(opacity, "input", () => events.scale({ opacity: Number(opacity.value) }), signal);
  listen(threshold, "input", () => events.threshold(Number(threshold.value)), signal);
  for (const [name, { box }] of Object.entries(ticks)) {
    listen(box, "change", () => events.scale({ [name]: box.checked }), signal);
  }
  return {
    el,
    draw(scale, at) {
      given.hidden = given.disabled = !scale.given;
      // A rule of the caller's own joins the menu.
      for (const rule of Object.keys(scale.table)) {
        if (![...clip.options].some((o) => o.value === rule)) clip.insertBefore(h("option", { value: rule }, rule), given);
      }
      for (const option of clip.options) {
        if (option !== given) option.hidden = option.disabled = scale.table[option.value] === undefined;
      }
      clip.value = scale.clip;
      // A map with both signs keeps a diverging map: a sequential one would hide where zero is.
      for (const option of cmap.options) option.disabled = option.hidden = scale.signed && !isDiverging(option.value);
      cmap.value = scale.cmap;
      opacity.value = String(scale.opacity);
      threshold.value = String(at);
      say(opacityText, percent(scale.opacity));
      say(thresholdText, at > 0 ? `${percent(at)} of the limit` : "off");
      for (const [name, { box }] of Object.entries(ticks)) box.checked = Boolean(scale[name as keyof typeof ticks]);
    },
  };
}
