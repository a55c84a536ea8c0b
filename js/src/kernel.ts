// Requests to Python with an id and a reply, and whether there is anybody to reply: a saved notebook and an exported page
// have the same state but no kernel. Only an answer to this view's own greeting counts as one.
import type { Model } from "./types";

export interface Reply {
  id: string;
  /** "writing" or "working", "done", "failed" or "stopped" */
  state: string;
  text: string;
  /** how much of the work is done, 0..1, and the seconds that are left, where that is known */
  share?: number;
  left?: number | null;
}

export interface Kernel {
  readonly alive: boolean;
  send(request: Record<string, unknown>): string;
  reply(): Reply | null;
}

export function connectKernel(model: Model, changed: () => void, signal: AbortSignal): Kernel {
  const id = () => Math.random().toString(36).slice(2, 12);
  let alive = false;
  const send = (request: Record<string, unknown>) => {
    const sent = id();
    model.set("request", { ...request, id: sent });
    model.save_changes();
    return sent;
  };
  let hello = "";
  const heard = () => {
    if (hello && model.get("alive") === hello) alive = true;
    changed();
  };
  const events = ["change:alive", "change:reply"];
  events.forEach((event) => model.on(event, heard));
  signal.addEventListener("abort", () => events.forEach((event) => model.off(event, heard)));
  hello = send({ do: "hello" });
  return {
    get alive() {
      return alive;
    },
    send,
    reply: () => (alive ? (model.get("reply") as Reply | null) : null),
  };
}
