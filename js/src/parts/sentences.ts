// A text as a list of sentences, each with its verdict: icon, word and colour, and the figures that show it.
import { h, listen, show } from "../dom";
import type { Said, Variant } from "../passages";

export interface SentenceEvents {
  /** the pointer or the focus is on a sentence, or on none */
  over(index: number | null): void;
  /** a sentence was clicked, or chosen by Enter or Space */
  pick(index: number): void;
}

export interface SentenceList {
  el: HTMLElement;
  draw(variant: Variant, figures: boolean): void;
  /** which sentence is lit in the maps, which one stays lit, and which are about the brushed region */
  mark(active: number | null, pinned: number | null, lit: ReadonlySet<number>): void;
}

const SIGNS: Readonly<Record<string, readonly [icon: string, word: string]>> = {
  supported: ["\u2713", "supported"],
  contradicted: ["\u2717", "contradicted"],
  "not checkable": ["?", "not checkable"],
};

function badge(verdict: string): HTMLElement {
  const [icon, word] = SIGNS[verdict] ?? SIGNS["not checkable"] as readonly [string, string];
  return h("span", { class: `salw-verdict salw-${verdict.replace(" ", "-")}` }, h("span", { "aria-hidden": "true" }, icon), word);
}

function claims(said: Said, figures: boolean): HTMLElement | null {
  const shown = said.claims.filter((c) => c.figure && (figures || c.verdict === "contradicted"));
  if (!shown.length) return null;
  return h("ul", { class: "salw-claims", "aria-label": "Figures" }, ...shown.map((c) =>
    h("li", {}, h("q", {}, c.text), ` ${c.verdict}: ${c.figure}`)));
}

export function createSentences(events: SentenceEvents, signal: AbortSignal): SentenceList {
  const el = h("ol", { class: "salw-sentences" });
  let items: { li: HTMLElement; button: HTMLElement; region: HTMLElement }[] = [];
  const at = (target: EventTarget | null) => {
    const found = items.findIndex(({ li }) => target instanceof Node && li.contains(target));
    return found < 0 ? null : found;
  };
  listen(el, "pointerover", (event) => events.over(at(event.target)), signal);
  listen(el, "pointerleave", () => events.over(null), signal);
  listen(el, "focusin", (event) => events.over(at(event.target)), signal);
  listen(el, "focusout", (event) => at(event.relatedTarget) === null && events.over(null), signal);
  listen(el, "click", (event) => {
    const index = at(event.target);
    if (index !== null && (event.target as Element).closest(".salw-sentence")) events.pick(index);
  }, signal);

  const item = (said: Said, figures: boolean) => {
    const tied = said.units.length > 0;
    const button = tied
      ? h("button", { type: "button", class: "salw-sentence", "aria-pressed": "false" }, said.text)
      : h("span", { class: "salw-sentence" }, said.text);
    const region = h("span", { class: "salw-about", hidden: true }, "about the region");
    const li = h("li", { class: `salw-said-${said.verdict.replace(" ", "-")}` }, button, " ", badge(said.verdict), " ", region, claims(said, figures));
    return { li, button, region };
  };
  return {
    el,
    draw(variant, figures) {
      const focused = at(document.activeElement);
      items = variant.sentences.map((said) => item(said, figures));
      el.replaceChildren(...items.map(({ li }) => li));
      if (focused !== null) items[focused]?.button.focus();
    },
    mark(active, pinned, lit) {
      items.forEach(({ li, button, region }, i) => {
        li.classList.toggle("salw-active", i === active);
        li.classList.toggle("salw-lit", lit.has(i));
        if (button.hasAttribute("aria-pressed")) button.setAttribute("aria-pressed", String(i === pinned));
        show(region, lit.has(i));
      });
    },
  };
}
