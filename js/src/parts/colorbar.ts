// The colour bar: real numbers, the rule behind them, and the share of cells that the limits cut off.
import { paint, pixelTable } from "../colormap";
import { h, say, show } from "../dom";
import { number, percent, signed } from "../format";
import { outside as countOutside } from "../scale";
import type { Grid, ScaleState } from "../types";

export interface ColorBar {
  el: HTMLElement;
  /** `said`: what lies outside, in words, for callers that have counted it already */
  draw(scale: ScaleState, threshold: number, maps: readonly Grid[], said?: string): void;
}

const RULE_NAMES: Readonly<Record<string, string>> = {
  max: "limits at the largest value",
  explicit: "limits given",
};

export function ruleInWords(clip: string): string {
  const [kind, share] = clip.split(":");
  if (kind === "pixels") return `limits hold ${share}\u202f% of cells`;
  if (kind === "mass") return `limits hold ${share}\u202f% of the mass`;
  return RULE_NAMES[clip] ?? clip;
}

/** What lies outside, in words; always said, also when it is nothing. */
export function outsideInWords(maps: readonly Grid[], scale: ScaleState): string {
  const parts = maps.map((map) => ({ n: map.data.length, ...countOutside(map.data, scale.vmin, scale.vmax) }));
  const cells = parts.reduce((n, p) => n + p.n - p.missing, 0);
  const clipped = cells ? parts.reduce((n, p) => n + p.clipped * (p.n - p.missing), 0) / cells : 0;
  const missing = parts.reduce((n, p) => n + p.missing, 0);
  return outsideSaid(clipped, missing, parts.reduce((n, p) => n + p.infinite, 0));
}

export function outsideSaid(clipped: number, missing: number, infinite: number): string {
  const said = [clipped > 0 ? `${percent(clipped)} of cells beyond them` : "none beyond them"];
  if (missing) said.push(`${missing} ${missing === 1 ? "cell is" : "cells are"} no number (hatched)`);
  if (infinite) said.push(`${infinite} ${infinite === 1 ? "cell is" : "cells are"} infinite`);
  return said.join(", ");
}

export function createColorBar(): ColorBar {
  const canvas = h("canvas", { class: "salw-bar", width: 256, height: 1, role: "img" });
  const ends = [h("span"), h("span"), h("span")] as const;
  const note = h("p", { class: "salw-note" });
  const against = h("span", {}, "against");
  const speaks = h("span", {}, "for");
  const el = h("div", { class: "salw-colorbar" },
    h("div", { class: "salw-ends", "aria-hidden": "true" }, against, speaks),
    h("div", { class: "salw-bar-frame" }, canvas),
    h("div", { class: "salw-ticks" }, ...ends),
    note);
  const ctx = canvas.getContext("2d");
  const ramp = new Float32Array(256);
  const image = ctx ? new ImageData(256, 1) : null;

  return {
    el,
    draw(scale, threshold, maps, outside = outsideInWords(maps, scale)) {
      const { vmin, vmax } = scale;
      if (ctx && image) {
        for (let i = 0; i < 256; i++) ramp[i] = vmin + ((i + 0.5) / 256) * (vmax - vmin);
        const table = pixelTable(scale.cmap, scale.fade);
        paint(ramp, { vmin, vmax, threshold, table }, new Uint32Array(image.data.buffer));
        ctx.putImageData(image, 0, 0);
        canvas.style.opacity = String(scale.opacity);
      }
      const zero = vmin < 0 && vmax > 0;
      say(ends[0], signed(vmin));
      say(ends[1], zero ? "0" : "");
      say(ends[2], signed(vmax));
      ends[1].style.left = `${(-100 * vmin) / (vmax - vmin)}%`;
      show(against, zero);
      canvas.setAttribute("aria-label", `Colours from ${number(vmin)} to ${number(vmax)}.`);
      say(note, `${capital(ruleInWords(scale.clip))}, ${outside}.`);
    },
  };
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
