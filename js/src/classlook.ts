// What a class tree shows: where it is zoomed to, which branches are open, and how many rows of each.
import type { ClassNodes } from "./classnodes";

const PAGE = 30; // rows of an indented tree that one more press shows

/** What is looked at: no part of the question, and never sent anywhere. */
export class Look {
  focus: number[];
  from = 0;
  active: string;
  byClasses: boolean;
  foilNext = false;
  readonly open = new Set<string>();
  private extra = new Map<string, number>();

  constructor(private nodes: ClassNodes) {
    this.focus = [nodes.root];
    this.active = String(nodes.root);
    this.byClasses = !nodes.known;
    this.reveal(this.way(nodes.root, () => true));
    this.open.add(this.active);
  }

  /** From a node down to its heaviest class. */
  private way(node: number, go: () => boolean): number[] {
    const path = [node];
    for (let next = this.nodes.children(node, false)[0]; next !== undefined && go(); ) {
      path.push(next);
      next = this.nodes.children(next, false)[0];
    }
    return path;
  }

  /** From the root down to a node, along its first parents. */
  to(node: number): number[] {
    const path = [node];
    for (let up = this.nodes.parents(node)[0]; up !== undefined; up = this.nodes.parents(up)[0]) path.unshift(up);
    return path;
  }

  /** Open everything above the end of a path, and show its row. */
  reveal(path: readonly number[]): void {
    path.slice(0, -1).forEach((node, i) => {
      const here = path.slice(0, i + 1).join("/");
      const place = this.nodes.children(node, false).indexOf(path[i + 1] as number);
      this.open.add(here);
      while (this.shown(here) <= place) this.more(here, place + 1);
    });
  }

  shown(path: string): number {
    return PAGE + (this.extra.get(path) ?? 0);
  }

  more(path: string, atLeast = 0): void {
    this.extra.set(path, Math.max((this.extra.get(path) ?? 0) + PAGE, atLeast - PAGE));
  }

  zoom(path: readonly number[], from = 0): void {
    this.focus = [...path];
    this.from = from;
  }
}
