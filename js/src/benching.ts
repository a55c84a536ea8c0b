// What a workbench is asked for, and what it says while the kernel works, waits or is gone.
import { sentence } from "./asking";
import type { Reply } from "./kernel";
import { SILENCE, type State } from "./waiting";

export interface Wanted {
  target: string;
  foil: string;
  index: number;
  methods: string[];
  lead: string;
  erasing: boolean;
}

export function keyOf(w: Partial<Wanted>): string {
  return JSON.stringify([w.target ?? "", w.foil ?? "", w.index ?? 0, w.methods ?? [], w.lead ?? "", Boolean(w.erasing)]);
}

/** Whether what is shown answers what is wanted; the sentences may tell another map. */
export function answers(shown: Partial<Wanted>, wanted: Wanted): boolean {
  return keyOf({ ...shown, lead: "", erasing: false }) === keyOf({ ...wanted, lead: "", erasing: false });
}

export function timeLeft(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "";
  const s = Math.ceil(seconds);
  return s < 90 ? `about ${s}\u202fs left` : `about ${Math.round(s / 60)}\u202fmin left`;
}

export interface Now {
  alive: boolean;
  state: State;
  reply: Reply | null;
  fresh: boolean;
  wanted: Wanted;
  shown: Wanted;
}

export interface Said {
  text: string;
  /** what went wrong, in the kernel's words */
  failed: string;
  /** null: no bar */
  share: number | null;
  again: boolean;
}

/** One line under the controls. */
export function statusOf({ alive, state, reply, fresh, wanted, shown }: Now): Said {
  const asked = sentence(wanted.target, wanted.foil);
  const told = wanted.target === shown.target && wanted.foil === shown.foil ? "" : `${asked} is not answered: shown is ${sentence(shown.target, shown.foil)}`;
  const said: Said = { text: "", failed: "", share: null, again: false };
  const lines = (...parts: string[]) => parts.filter(Boolean).join(" ");
  if (!alive) return { ...said, text: lines("Other questions, pictures and methods need a running kernel; what is shown answers without one.", told) };
  if (state === "silent") return { ...said, text: lines(SILENCE, told), again: true };
  if (state === "working") {
    const at = reply?.state === "working" ? reply : null;
    return { ...said, text: lines(`${asked} Asking the model:`, [at?.text, timeLeft(at?.left)].filter(Boolean).join(", ") || "\u2026"), share: at?.share ?? 0 };
  }
  if (fresh) return said;
  if (reply?.state === "failed") return { ...said, failed: reply.text, text: told, again: true };
  return { ...said, text: lines(reply?.state === "stopped" ? "Stopped." : "", told), again: true };
}
