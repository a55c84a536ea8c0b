// The one bundle for notebooks: each widget says in its trait `_view` which view it wants.
import { h, root } from "./dom";
import type { Host, Model, Mount } from "./types";
import { mount as comparison } from "./views/comparison";
import { mount as classtree } from "./views/classtree";
import { mount as clusters } from "./views/clusters";
import { mount as concepts } from "./views/concepts";
import { mount as contrast } from "./views/contrast";
import { mount as eraser } from "./views/eraser";
import { mount as heatmap } from "./views/heatmap";
import { mount as layers } from "./views/layers";
import { mount as narrative } from "./views/narrative";
import { mount as randomisation } from "./views/randomisation";
import { mount as scorecard } from "./views/scorecard";
import { mount as workbench } from "./views/workbench";

const VIEWS: Readonly<Record<string, Mount>> = { classtree, clusters, comparison, concepts, contrast, eraser, heatmap, layers, narrative, randomisation, scorecard, workbench };

interface RenderProps {
  model: Model;
  el: HTMLElement;
  host: Host;
  signal: AbortSignal;
}

/** Errors appear where the picture would be, in words. */
export async function render({ model, el, host, signal }: RenderProps): Promise<void> {
  const view = VIEWS[String(model.get("_view"))];
  try {
    if (!view) throw new Error(`this page has no view called "${String(model.get("_view"))}"`);
    await view(el, model, host, signal);
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    el.replaceChildren(root("error", signal, h("p", { role: "alert" }, `This view could not be drawn: ${what}. Run its cell again.`)));
  }
}

export default { render };
