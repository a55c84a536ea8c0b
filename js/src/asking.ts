// The question that linked views share by name: the trait `question` of a link, null while nobody asks through it.
import { quoted } from "./format";
import type { Shared } from "./shared";

export interface Asked {
  target: string;
  /** "" for none */
  foil: string;
  source: string;
}

export function sentence(target: string, foil: string): string {
  return foil ? `Why ${quoted(target)} rather than ${quoted(foil)}?` : `Why ${quoted(target)}?`;
}

/** Tell the other views; `unasked`: also when nobody has asked through this link yet. */
export function tell(shared: Shared, next: Asked, unasked = false): void {
  const now = shared.get<Asked | null | undefined>("question");
  if (!now && !unasked) return;
  if (now && now.target === next.target && now.foil === next.foil) return;
  shared.set("question", next);
}
