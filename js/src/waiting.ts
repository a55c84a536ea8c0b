// One question to the kernel at a time: while an answer is awaited, only the newest request is kept, and sent after it.
// Python says at least once a second that it is at work (salwidgets/widgets/requests.py): silence means it is not.
import type { Kernel, Reply } from "./kernel";

const SILENT = 4000;

export type State = "idle" | "working" | "silent";

export interface Waiting {
  /** ask, or ask next; an older request that waits is forgotten */
  ask(request: Record<string, unknown>): void;
  /** ask at once, whatever is awaited */
  insist(request: Record<string, unknown>): void;
  stop(): void;
  /** the reply to the newest request that was sent, or null */
  reply(): Reply | null;
  state(): State;
}

export function createWaiting(kernel: () => Kernel, changed: () => void, signal: AbortSignal): Waiting & { heard(): void } {
  let sent = "";
  let next: Record<string, unknown> | null = null;
  let last: Reply | null = null;
  let beat = "";
  let silent = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  signal.addEventListener("abort", () => clearTimeout(timer));

  const listenOn = () => {
    clearTimeout(timer);
    silent = false;
    if (!sent || signal.aborted) return;
    timer = setTimeout(() => {
      silent = true;
      changed();
    }, SILENT);
  };
  const send = (request: Record<string, unknown>) => {
    next = null;
    sent = kernel().send(request);
    listenOn();
    changed();
  };
  return {
    ask(request) {
      if (sent && !silent) next = request;
      else send(request);
    },
    insist: send,
    stop() {
      next = null;
      kernel().send({ do: "stop" });
    },
    reply: () => last,
    state: () => (silent ? "silent" : sent ? "working" : "idle"),
    /** the kernel's reply has changed */
    heard() {
      const reply = kernel().reply();
      const now = JSON.stringify(reply);
      if (!reply || reply.id !== sent || now === beat) return;
      beat = now;
      last = reply;
      if (reply.state === "working") return listenOn();
      sent = "";
      listenOn();
      if (next) send(next);
    },
  };
}

export const SILENCE = "No answer from the kernel: it is busy with a cell, or gone. What is shown stays.";
