// Work on many panels, cut into frames: what can be seen first, no frame longer than a budget, nobody left out.

export interface Slices {
  /** Ask for jobs (bits) on all panels, or on some. */
  ask(jobs: number, which?: Iterable<number>): void;
}

export interface Work {
  count: number;
  /** do these jobs (bits) on a panel */
  run(panel: number, jobs: number): void;
  visible(panel: number): boolean;
  /** everything that was asked for is done; gets the bits of all jobs since the last time */
  done(jobs: number): void;
}

const BUDGET = 9; // milliseconds: leaves a frame of 16 enough for layout and painting
const FIRST = 200; // nothing is on the screen yet: one long frame is sooner done than many short ones

export function createSlices(work: Work, signal: AbortSignal, budget = BUDGET): Slices {
  const jobs = new Uint8Array(work.count);
  let [asked, next, since, allowed] = [0, 0, 0, Math.max(budget, FIRST)];

  /** Panels in turn, from where the last frame stopped: a stream of new wishes must not starve the last ones. */
  const pass = (start: number, wanted: (panel: number) => boolean): boolean => {
    for (let n = 0; n < work.count; n++) {
      const panel = (next + n) % work.count;
      const now = jobs[panel] as number;
      if (!now || !wanted(panel)) continue;
      jobs[panel] = 0;
      work.run(panel, now);
      if (performance.now() - start > allowed) {
        next = (panel + 1) % work.count;
        return false;
      }
    }
    return true;
  };
  const frame = () => {
    asked = 0;
    const start = performance.now();
    const all = pass(start, work.visible) && pass(start, () => true);
    allowed = budget;
    if (!all && jobs.some((j) => j > 0)) return request();
    const finished = since;
    since = 0;
    work.done(finished);
  };
  const request = () => {
    if (!asked && !signal.aborted) asked = requestAnimationFrame(frame);
  };
  signal.addEventListener("abort", () => cancelAnimationFrame(asked));
  return {
    ask(bits, which) {
      since |= bits;
      for (const panel of which ?? jobs.keys()) jobs[panel] = (jobs[panel] as number) | bits;
      request();
    },
  };
}

/** Whether elements are on the screen, or nearly; true for all where the browser cannot tell. */
export function watchVisible(els: readonly Element[], signal: AbortSignal): (i: number) => boolean {
  if (typeof IntersectionObserver === "undefined") return () => true;
  const seen = new Uint8Array(els.length).fill(1);
  const at = new Map(els.map((el, i) => [el, i]));
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) seen[at.get(entry.target) as number] = entry.isIntersecting ? 1 : 0;
  }, { rootMargin: "80px" });
  els.forEach((el) => observer.observe(el));
  signal.addEventListener("abort", () => observer.disconnect());
  return (i) => seen[i] === 1;
}
