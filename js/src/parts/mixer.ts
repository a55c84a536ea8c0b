// The slider from "Why A?" over "Why A rather than B?" to "Why not B?".
import { h, listen, say } from "../dom";
import { mixTitle, weights } from "../questions";

export interface Mixer {
  el: HTMLElement;
  draw(mix: number, target: string, foil: string, off: boolean): void;
}

const STOPS = [0, 0.5, 1] as const;

export function createMixer(change: (mix: number) => void, signal: AbortSignal): Mixer {
  const input = h("input", { type: "range", min: 0, max: 1, step: 0.01, "aria-label": "From why the target to why not the foil" });
  const stops = STOPS.map((at) => {
    const button = h("button", { type: "button", class: "salw-stop" });
    listen(button, "click", () => change(at), signal);
    return button;
  });
  const formula = h("p", { class: "salw-note" });
  listen(input, "input", () => change(Number(input.value)), signal);
  return {
    el: h("div", { class: "salw-mixer" }, input, h("div", { class: "salw-stops" }, ...stops), formula),
    draw(mix, target, foil, off) {
      if (Number(input.value) !== mix) input.value = String(mix);
      input.disabled = off;
      input.setAttribute("aria-valuetext", mixTitle(target, foil, mix));
      stops.forEach((button, i) => {
        say(button, mixTitle(target, foil, STOPS[i] as number));
        button.setAttribute("aria-pressed", String(mix === STOPS[i]));
        button.disabled = off;
      });
      const { a, b } = weights(mix);
      say(formula, `Middle map = ${term(a, target)}${b ? ` \u2212 ${term(b, foil)}` : ""}`.replace(`${term(0, target)} \u2212 `, "\u2212 "));
    },
  };
}

function term(weight: number, name: string): string {
  return weight === 1 ? `map of \u201c${name}\u201d` : `${weight.toFixed(2)} \u00d7 map of \u201c${name}\u201d`;
}
