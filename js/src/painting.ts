// How many maps are painted: through one scale, or each through its own.
import { pixelTable } from "./colormap";
import { lookup, type Lookup } from "./indexed";
import { refitMany } from "./limits";
import type { Shared } from "./shared";
import type { Grid, Model, ScaleState } from "./types";

/** How maps are painted now; with scales of their own each map has another. */
export class Painting {
  private table: Uint32Array = new Uint32Array(256);
  private tableKey = "";
  private look: Lookup | null = null;
  private lookKey = "";
  private own = new Map<Grid, { like: string; scale: ScaleState }>();

  constructor(private shared: Shared, private model: Model) {}

  get each(): boolean {
    return Boolean(this.model.get("each"));
  }

  /** The same object as long as nothing that it depends on changes. */
  colours(scale: ScaleState, threshold: number): Lookup {
    const tableKey = `${scale.cmap} ${scale.fade}`;
    if (tableKey !== this.tableKey) this.table = pixelTable(scale.cmap, scale.fade);
    this.tableKey = tableKey;
    const { vmin, vmax } = scale;
    const key = `${tableKey} ${vmin} ${vmax} ${threshold}`;
    if (this.look && key === this.lookKey) return this.look;
    this.lookKey = key;
    return (this.look = lookup({ vmin, vmax, threshold, table: this.table }));
  }

  scale(map: Grid): ScaleState {
    const scale = this.shared.get<ScaleState>("scale");
    if (!this.each) return scale;
    const rule = scale.clip === "explicit" ? "pixels:99.5" : scale.clip;
    const like = `${rule} ${scale.cmap}`;
    const known = this.own.get(map);
    const fitted = known?.like === like ? known.scale : refitMany({ ...scale, clip: rule }, [map.data]);
    this.own.set(map, { like, scale: fitted });
    const { vmin, vmax } = fitted;
    return { ...scale, vmin, vmax };
  }

  forget(): void {
    this.own.clear();
  }
}
