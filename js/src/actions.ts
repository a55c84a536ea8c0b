// What touching a stage does to the shared state. The same for every view that shows maps.
import { boxOf, cellAt, centreOf, type Cell } from "./geometry";
import type { Action } from "./keyboard";
import { same, type Shared } from "./shared";
import type { StageEvents } from "./parts/stage";
import type { Box, Cursor, Selection, Size } from "./types";

const MOST_THRESHOLD = 0.95;

interface Hands {
  move(cell: Cell, extend: boolean): void;
  selectCell(): void;
  clear(): void;
  box(): Box | null;
}

function act(shared: Shared, action: Action, hands: Hands): void {
  switch (action.kind) {
    case "move": return hands.move(action.cell, action.extend);
    case "select": return hands.selectCell();
    case "pin": {
      const now = shared.get<Cursor | null>("cursor");
      return shared.set("cursor", now && { ...now, pinned: !now.pinned });
    }
    case "clear":
      hands.clear();
      return shared.set("cursor", null);
    case "threshold": {
      const next = Math.round((shared.get<number>("threshold") + action.by) * 100) / 100;
      return shared.set("threshold", Math.min(MOST_THRESHOLD, Math.max(0, next)));
    }
    case "zoom": return shared.set("view", hands.box());
    case "unzoom": return shared.set("view", null);
  }
}

/** Events of a stage that shows `grid` over `image`. `spoken` is told after keys, for the live region. */
export function stageEvents(shared: Shared, image: Size, grid: Size, source: string, spoken: () => void): StageEvents {
  const cursor = () => shared.get<Cursor | null>("cursor");
  const box = () => shared.get<Selection | null>("selection")?.box ?? null;
  const select = (next: Box | null) => shared.set("selection", next && { kind: "box", box: next, source });
  let anchor: Cell | null = null; // where shift + arrows began

  const move = (cell: Cell, extend: boolean) => {
    const now = cursor();
    if (extend) {
      anchor ??= now ? cellAt(now, image, grid) : cell;
      select(boxOf(anchor, cell, image, grid));
    } else anchor = null;
    shared.set("cursor", { ...centreOf(cell, image, grid), pinned: now?.pinned ?? false });
  };
  const selectCell = () => {
    const now = cursor();
    if (!now) return;
    const cell = cellAt(now, image, grid);
    const one = boxOf(cell, cell, image, grid);
    select(same(box(), one) ? null : one);
  };
  return {
    cell() {
      const now = cursor();
      return now && cellAt(now, image, grid);
    },
    hover(next) {
      if (!cursor()?.pinned) shared.set("cursor", next && { ...next, pinned: false });
    },
    brush: select,
    done: spoken,
    action(action) {
      act(shared, action, { move, selectCell, clear: () => select(null), box });
      spoken();
    },
  };
}
