// The question that a class tree asks: a target and a foil, kept in the link that views share.
import { tell, type Asked } from "./asking";
import type { ClassNodes } from "./classnodes";
import { quoted } from "./format";
import { apart } from "./questions";
import type { Shared } from "./shared";

/** The question, in the link that views share. */
export class ClassQuestion {
  constructor(private shared: Shared, private nodes: ClassNodes, private source: string, private message: (text: string) => void) {}

  get asked(): Asked {
    return this.shared.get<Asked | null>("question") ?? { target: this.nodes.name(this.nodes.root), foil: "", source: "" };
  }

  get target(): number {
    return this.nodes.find(this.asked.target);
  }

  get foil(): number {
    return this.nodes.find(this.asked.foil);
  }

  ask(node: number, foil: boolean): void {
    const { target, foil: now } = this.asked;
    const name = this.nodes.name(node);
    this.message("");
    if (foil) this.rather(node, name, target, now);
    else this.set(name, name === now || this.note(node, this.foil) === null ? "" : now);
  }

  private rather(node: number, name: string, target: string, foil: string): void {
    if (name === foil) return this.set(target, "");
    if (name === target) return this.message(`${quoted(name)} is the target: choose another foil.`);
    if (this.note(this.target, node) === null) {
      return this.message(`${quoted(name)} and ${quoted(target)} are the same classes: choose another foil.`);
    }
    this.set(target, name);
  }

  drop(): void {
    this.message("");
    this.set(this.asked.target, "");
  }

  private set(target: string, foil: string): void {
    tell(this.shared, { target, foil, source: this.source }, true);
  }

  /** One sentence if the sides share classes, "" if not, null if they are the same. */
  note(target: number, foil: number): string | null {
    if (target < 0 || foil < 0) return "";
    const side = (node: number) => ({ name: this.nodes.name(node), kind: "group" as const, rows: this.nodes.members(node), parents: [], children: [] });
    const [a, b] = this.nodes.sizes[target] as number > (this.nodes.sizes[foil] as number) ? [foil, target] : [target, foil];
    const smaller = new Set(this.nodes.members(a));
    if (!this.nodes.members(b).some((row) => smaller.has(row))) return "";
    const sides = apart(side(target), side(foil));
    return sides.same ? null : sides.note;
  }
}
