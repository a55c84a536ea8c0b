// Stages that take turns: maps come in several sizes, and one is shown. What views share lies on whichever that is.
import { stageEvents } from "../actions";
import { h, show } from "../dom";
import { partIn } from "../lit";
import type { Shared } from "../shared";
import type { Cursor, Grid, Highlight, Selection } from "../types";
import { createDescription } from "./described";
import { outlinesOf, regionsOf } from "./naming";
import { createStage, type Picture, type Stage } from "./stage";

interface Made {
  stage: Stage;
  picture: Picture;
  describe(asked: string, map: Grid): void;
}

export interface About {
  source: string;
  /** of the picture that is shown, by which a highlight finds it */
  key(): unknown;
  /** whether named regions are of the shown picture: false where a view shows several pictures */
  named: boolean;
  speak(): void;
}

/** One stage for each size of map and picture, the others hidden; whoever had the focus keeps it. */
export class Stages {
  readonly el = h("div", { class: "salw-stages" });
  private made = new Map<string, Made>();
  private current: Made | null = null;

  constructor(private shared: Shared, private about: About, private signal: AbortSignal) {}

  private make(grid: Grid, picture: Picture): Made {
    const { source, speak } = this.about;
    const stage = createStage(picture, grid, stageEvents(this.shared, picture, grid, source, speak), this.signal);
    this.el.append(stage.el);
    return { stage, picture, describe: createDescription(stage, picture, this.signal) };
  }

  /** The stage of this map on this picture, which is shown from now on. */
  of(grid: Grid, picture: Picture): Made {
    const size = [grid.rows, grid.cols, picture.rows, picture.cols].join(" ");
    const found = this.made.get(size) ?? this.make(grid, picture);
    this.made.set(size, found);
    const [before, anew] = [this.current, found.picture !== picture];
    if (before === found && !anew) return found;
    if (anew) found.stage.picture(picture);
    found.picture = picture;
    this.current = found;
    if (before !== found) {
      const focused = before?.stage.el.contains(document.activeElement);
      for (const one of this.made.values()) show(one.stage.el, one === found);
      if (focused) found.stage.el.focus();
    }
    this.view();
    this.part();
    this.names();
    this.touch();
    return found;
  }

  view = (): void => this.current?.stage.view(this.shared.get("view"));

  part = (): void => this.current?.stage.highlight(
    partIn(this.shared.get<Highlight | null>("highlight"), this.about.key(), this.current.picture));

  names = (): void => this.current?.stage.outlines(this.about.named ? outlinesOf(regionsOf(this.shared)) : []);

  /** Cursor and brushed region. */
  touch(): void {
    this.current?.stage.cursor(this.shared.get<Cursor | null>("cursor"));
    this.current?.stage.selection(this.shared.get<Selection | null>("selection")?.box ?? null);
  }
}
