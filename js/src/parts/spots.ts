// The nodes that are shown now, as a tree that a screen reader can read: cells of an icicle, or rows of an indented tree.
import { h, uid } from "../dom";
import { percent } from "../format";
import type { ClassNodes } from "../classnodes";
import type { Spot } from "../icicle";

const NARROW = 30; // pixels: narrower cells carry no text,
const ROOMY = 96; // narrower ones no figure

export interface Marks {
  target: number;
  foil: number;
  /** path of the spot that the keys are on */
  active: string;
}

export interface Spots {
  el: HTMLElement;
  /** other spots: elements are made */
  lay(spots: readonly Spot[], form: "icicle" | "tree", width: number): void;
  /** other marks on the same spots */
  mark(marks: Marks): void;
  /** which spot an event is about, or -1 */
  at(event: Event): number;
}

export function chance(nodes: ClassNodes, node: number): string {
  return nodes.known ? percent(nodes.probability[node] as number) : "";
}

/** Made once: a number's own toLocaleString makes a formatter at every call. */
const counted = new Intl.NumberFormat("en");

function classes(n: number): string {
  return n === 1 ? "1 class" : `${counted.format(n)} classes`;
}

/** Everything about a node in words; `under`: the parent it is shown under, which goes without saying. */
export function inWords(nodes: ClassNodes, node: number, under = -1): string {
  const others = nodes.parents(node).filter((p) => p !== under).map((p) => `\u201c${nodes.name(p)}\u201d`);
  return [`${nodes.name(node)} ${chance(nodes, node)}`.trim(), node < nodes.classes ? "" : classes(nodes.sizes[node] as number),
    under >= 0 && others.length ? `also under ${others.slice(0, 3).join(", ")}${others.length > 3 ? " and others" : ""}` : ""]
    .filter(Boolean).join(", ");
}

export function moreInWords(nodes: ClassNodes, spot: Spot): string {
  return `${counted.format(spot.more)} more below \u201c${nodes.name(spot.node)}\u201d`;
}

function parentOf(spot: Spot): number {
  const path = spot.path.split("/");
  return path.length > 1 ? Number(path[path.length - 2]) : -1;
}

function text(nodes: ClassNodes, spot: Spot, form: "icicle" | "tree", width: number): (HTMLElement | null)[] {
  const pixels = form === "tree" ? ROOMY : (spot.width / 100) * width;
  const wide = pixels >= NARROW;
  if (spot.more) return [wide ? h("span", { class: "salw-spot-name" }, `${counted.format(spot.more)} more`) : null];
  if (!wide) return [];
  const parents = nodes.parents(spot.node).length;
  const bar = form === "tree" && nodes.known
    ? h("span", { class: "salw-spot-bar", style: `--salw-share: ${nodes.probability[spot.node]}` }) : null;
  return [
    form === "tree" ? h("span", { class: "salw-twisty", "data-twisty": "", "aria-hidden": "true" }, spot.open === null ? "" : spot.open ? "\u25be" : "\u25b8") : null,
    h("span", { class: "salw-spot-name" }, `${nodes.name(spot.node)} `), // read as two words
    parents > 1 ? h("span", { class: "salw-several", "aria-hidden": "true" }, `\u00d7${parents}`) : null,
    bar,
    pixels >= ROOMY ? h("span", { class: "salw-spot-share" }, chance(nodes, spot.node)) : null,
  ];
}

export function createSpots(nodes: ClassNodes, label: string): Spots {
  const id = uid();
  const el = h("div", { class: "salw-spots", role: "tree", tabindex: 0, "aria-label": label });
  let spots: readonly Spot[] = [];
  let items: HTMLElement[] = [];

  const item = (spot: Spot, i: number, form: "icicle" | "tree", width: number): HTMLElement => {
    const place = form === "icicle" ? `left:${spot.left}%;width:${spot.width}%;--salw-level:${spot.level}` : `--salw-level:${spot.level}`;
    const share = spot.more ? 0 : nodes.weight(spot.node, !nodes.known) / nodes.weight(nodes.root, !nodes.known);
    return h("div", {
      role: "treeitem", id: `${id}-${i}`, "data-spot": i, class: `salw-spot${spot.more ? " salw-more" : ""}${form === "icicle" && spot.width * width < NARROW * 100 ? " salw-thin" : ""}`,
      style: `${place};--salw-share:${nodes.known ? share : 0}`,
      "aria-level": spot.level + 1, "aria-posinset": spot.position, "aria-setsize": spot.siblings,
      "aria-expanded": spot.open === null ? null : String(spot.open), "aria-selected": "false",
      title: form === "icicle" ? (spot.more ? moreInWords(nodes, spot) : inWords(nodes, spot.node, parentOf(spot))) : null,
    }, ...text(nodes, spot, form, width));
  };
  return {
    el,
    lay(now, form, width) {
      spots = now;
      items = now.map((spot, i) => item(spot, i, form, width));
      el.replaceChildren(...items);
      el.classList.toggle("salw-icicle", form === "icicle");
      el.style.setProperty("--salw-levels", String(1 + now.reduce((most, spot) => Math.max(most, spot.level), 0)));
    },
    mark({ target, foil, active }) {
      spots.forEach((spot, i) => {
        const el = items[i] as HTMLElement;
        const role = spot.more ? "" : spot.node === target ? "target" : spot.node === foil ? "foil" : "";
        el.classList.toggle("salw-target", role === "target");
        el.classList.toggle("salw-foil", role === "foil");
        el.classList.toggle("salw-active", spot.path === active);
        el.setAttribute("aria-selected", String(role === "target"));
        const words = spot.more ? moreInWords(nodes, spot) : inWords(nodes, spot.node, parentOf(spot));
        el.setAttribute("aria-label", role ? `${words}, ${role}` : words);
      });
      const at = spots.findIndex((spot) => spot.path === active);
      if (at >= 0) el.setAttribute("aria-activedescendant", `${id}-${at}`);
      else el.removeAttribute("aria-activedescendant");
    },
    at(event) {
      const found = (event.target as Element).closest<HTMLElement>("[data-spot]");
      return found ? Number(found.dataset["spot"]) : -1;
    },
  };
}
