// A class tree of up to 100,000 classes as flat arrays, and what a view asks of them. Nothing is made before it is needed.
import type { Model } from "./types";
import { float32, uint16, uint32 } from "./wire";

export interface ClassNodes {
  readonly count: number;
  /** nodes 0 to classes - 1 are classes */
  readonly classes: number;
  readonly root: number;
  /** false: probabilities are not known */
  readonly known: boolean;
  readonly probability: Float32Array;
  readonly sizes: Uint32Array;
  name(node: number): string;
  /** the node of a name, or -1 */
  find(name: string): number;
  /** children, heaviest first */
  children(node: number, byClasses: boolean): Uint32Array;
  /** what the children weigh together */
  below(node: number, byClasses: boolean): number;
  weight(node: number, byClasses: boolean): number;
  parents(node: number): number[];
  /** classes at or below, each once */
  members(node: number): number[];
  /** nodes whose name holds every word typed, best first, and how many there are */
  search(typed: string, limit: number): { nodes: number[]; total: number };
}

/** Places of a word that are counted before another is taken to be rarer. */
const COUNTED = 5000;

/** Lower case of the same length, so that places in one text are places in the other. */
function lowered(text: string): string {
  const low = text.toLowerCase();
  if (low.length === text.length) return low;
  return [...text].map((c) => (c.toLowerCase().length === c.length ? c.toLowerCase() : c)).join("");
}

class Names {
  private low = "";
  private known = new Map<string, number>();

  constructor(private text: string, private ends: Uint32Array) {}

  start(node: number): number {
    return node ? (this.ends[node - 1] as number) : 0;
  }

  of(node: number): string {
    return this.text.slice(this.start(node), this.ends[node]);
  }

  /** The node whose name covers a place of the text. */
  private covering(place: number): number {
    let [low, high] = [0, this.ends.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.ends[middle] as number) > place) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  find(name: string): number {
    const node = this.known.get(name) ?? this.look(name);
    if (this.known.size > 99) this.known.clear();
    this.known.set(name, node);
    return node;
  }

  private look(name: string): number {
    if (!name) return -1;
    for (let at = this.text.indexOf(name); at >= 0; at = this.text.indexOf(name, at + 1)) {
      const node = this.covering(at);
      if (this.start(node) === at && this.ends[node] === at + name.length) return node;
    }
    return -1;
  }

  /** Every node whose name holds all words, with how well they fit (0: the whole name). */
  *holding(words: readonly string[]): Generator<{ node: number; rank: number }> {
    this.low ||= lowered(this.text);
    const [first, rare] = [words[0] as string, this.rarest(words)];
    const whole = words.join(" ");
    for (let at = this.low.indexOf(rare); at >= 0;) {
      const node = this.covering(at);
      const [start, end] = [this.start(node), this.ends[node] as number];
      if (at + rare.length <= end) {
        const name = this.low.slice(start, end);
        if (words.every((word) => name.includes(word))) {
          const place = name.indexOf(first);
          const rank = name === whole ? 0 : name.startsWith(whole) ? 1 : place === 0 ? 2 : name[place - 1] === " " ? 3 : 4;
          yield { node, rank };
        }
        at = this.low.indexOf(rare, Math.max(end, at + 1));
      } else at = this.low.indexOf(rare, at + 1);
    }
  }

  /** The word that fewest names hold, as far as is worth counting: the others are only looked for in those names. */
  private rarest(words: readonly string[]): string {
    const often = words.map((word) => {
      let count = 0;
      for (let at = this.low.indexOf(word); at >= 0 && count < COUNTED; at = this.low.indexOf(word, at + 1)) count += 1;
      return count;
    });
    return words[often.indexOf(Math.min(...often))] as string;
  }
}

/** A table from lists: who points at each of `n`. */
function reversed(n: number, starts: Uint32Array, children: Uint32Array): (node: number) => number[] {
  const count = new Uint32Array(n + 1);
  for (const child of children) count[child + 1] = (count[child + 1] as number) + 1;
  for (let i = 0; i < n; i++) count[i + 1] = (count[i + 1] as number) + (count[i] as number);
  const next = count.slice();
  const above = new Uint32Array(children.length);
  for (let parent = 0; parent < n; parent++) {
    for (let e = starts[parent] as number; e < (starts[parent + 1] as number); e++) {
      const child = children[e] as number;
      above[next[child] as number] = parent;
      next[child] = (next[child] as number) + 1;
    }
  }
  return (node) => [...above.subarray(count[node], count[node + 1])];
}

export function readNodes(model: Model): ClassNodes {
  const [starts, children] = [uint32(model.get("starts")).data, uint32(model.get("children")).data];
  const [sizes, probability] = [uint32(model.get("sizes")).data, float32(model.get("probability")).data];
  const text = new TextDecoder("utf-16le").decode(uint16(model.get("names")).data);
  const names = new Names(text, uint32(model.get("ends")).data);
  const count = sizes.length;
  const classes = model.get("n_classes") as number;
  const sums = [new Map<number, number>(), new Map<number, number>()] as const;
  const sorted = new Map<number, Uint32Array>();
  let above: ((node: number) => number[]) | null = null;
  const own = (node: number) => children.subarray(starts[node], starts[node + 1]);
  const nodes: ClassNodes = {
    count, classes, sizes, probability,
    root: model.get("root") as number,
    known: model.get("known") as boolean,
    name: (node) => names.of(node),
    find: (name) => names.find(name),
    weight: (node, byClasses) => (byClasses ? sizes[node] : probability[node]) as number,
    children(node, byClasses) {
      if (!byClasses || !nodes.known) return own(node); // Python sorted them so
      const found = sorted.get(node) ?? own(node).slice().sort((a, b) => (sizes[b] as number) - (sizes[a] as number));
      sorted.set(node, found);
      return found;
    },
    below(node, byClasses) {
      const cache = sums[byClasses ? 1 : 0];
      const found = cache.get(node) ?? own(node).reduce((sum, child) => sum + nodes.weight(child, byClasses), 0);
      cache.set(node, found);
      return found;
    },
    parents: (node) => (above ??= reversed(count, starts, children))(node),
    members(node) {
      const seen = new Uint8Array(count);
      const stack = [node];
      const found: number[] = [];
      seen[node] = 1;
      for (let here = stack.pop(); here !== undefined; here = stack.pop()) {
        if (here < classes) found.push(here);
        for (const child of own(here)) {
          if (!seen[child]) stack.push(child);
          seen[child] = 1;
        }
      }
      return found;
    },
    search(typed, limit) {
      const words = lowered(typed).split(/\s+/).filter(Boolean);
      if (!words.length) return { nodes: [], total: 0 };
      const found = [...names.holding(words)];
      const heavier = (a: number, b: number) => nodes.weight(b, !nodes.known) - nodes.weight(a, !nodes.known);
      const best = found.sort((a, b) => a.rank - b.rank || heavier(a.node, b.node)).slice(0, limit);
      return { nodes: best.map(({ node }) => node), total: found.length };
    },
  };
  return nodes;
}
