// State that several views share by reference: small models without a view ("links"), one or several per widget.
// Everything happens between models in the page, so it works while the kernel is busy or gone.
import type { Host, Model } from "./types";

/** trait -> the aspect of linking it belongs to */
const ASPECTS = {
  cursor: "cursor",
  view: "view",
  selection: "selection",
  highlight: "selection",
  picked: "selection",
  regions: "selection",
  scale: "scale",
  threshold: "scale",
  question: "question",
} as const;

export type Trait = keyof typeof ASPECTS;

export interface Shared {
  get<T>(trait: Trait): T;
  set(trait: Trait, value: unknown): void;
  /** Call back on every change of a trait, whoever made it, also after the widget was linked to others. */
  on(trait: Trait, callback: () => void): void;
}

export function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}

function refsOf(model: Model): Record<string, string> {
  return model.get("links") as Record<string, string>;
}

/** Milliseconds without a change after which Python is told: a gesture sends one message at its end, not one per frame. */
const QUIET = 100;

/** Where the pointer passes by stays in the page; a pinned cursor is a statement. */
function passing(trait: Trait, value: unknown): boolean {
  if (trait === "highlight") return !value || Boolean((value as { passing?: boolean }).passing);
  return trait === "cursor" && !(value as { pinned?: boolean } | null)?.pinned;
}

/** Saves models once they are left in peace, and what is left when the view goes. */
function later(signal: AbortSignal): (link: Model) => void {
  const waiting = new Map<Model, ReturnType<typeof setTimeout>>();
  const save = (link: Model) => {
    waiting.delete(link);
    link.save_changes();
  };
  signal.addEventListener("abort", () => {
    for (const [link, timer] of [...waiting]) {
      clearTimeout(timer);
      save(link);
    }
  });
  return (link) => {
    clearTimeout(waiting.get(link));
    waiting.set(link, setTimeout(() => save(link), QUIET));
  };
}

/** Follow the links that `model` names in its trait `links` ({aspect: reference}). */
export async function connect(model: Model, host: Host, signal: AbortSignal): Promise<Shared> {
  const callbacks = new Map<Trait, (() => void)[]>();
  // A view that cannot ask has no link for the question.
  const had = () => (Object.keys(ASPECTS) as Trait[]).filter((trait) => refsOf(model)[ASPECTS[trait]]);
  let bound = new Map<Trait, Model>();
  let unbind: () => void = () => {};
  const save = later(signal);

  const emit = (trait: Trait) => callbacks.get(trait)?.forEach((callback) => callback());
  const bind = async () => {
    const refs = refsOf(model);
    const traits = had();
    const found = await Promise.all(traits.map((trait) => host.getModel(refs[ASPECTS[trait]] as string)));
    if (signal.aborted) return;
    unbind();
    bound = new Map(traits.map((trait, i) => [trait, found[i] as Model]));
    const undo = traits.map((trait) => {
      const [link, callback] = [bound.get(trait) as Model, () => emit(trait)];
      link.on(`change:${trait}`, callback);
      return () => link.off(`change:${trait}`, callback);
    });
    unbind = () => undo.forEach((off) => off());
  };
  const rebind = () => void bind().then(() => signal.aborted || had().forEach(emit));

  await bind();
  model.on("change:links", rebind);
  signal.addEventListener("abort", () => {
    model.off("change:links", rebind);
    unbind();
  });
  return {
    get: <T>(trait: Trait) => bound.get(trait)?.get(trait) as T,
    set(trait, value) {
      const link = bound.get(trait);
      if (!link || same(link.get(trait), value)) return;
      const before = link.get(trait);
      link.set(trait, value);
      if (!passing(trait, value) || !passing(trait, before)) save(link);
    },
    on: (trait, callback) => void callbacks.set(trait, [...(callbacks.get(trait) ?? []), callback]),
  };
}
