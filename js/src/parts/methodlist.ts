// Which methods answer, and which of their maps the sentences tell.
import { h, listen, say, uid } from "../dom";

export interface MethodChoice {
  name: string;
  family: string;
  passes: string;
}

export interface MethodList {
  el: HTMLElement;
  draw(chosen: readonly string[], lead: string, off: boolean): void;
}

/** The methods in the order of the list, after one is put in or taken out; the last one stays. */
export function toggled(all: readonly MethodChoice[], chosen: readonly string[], name: string): string[] {
  const next = chosen.includes(name) ? chosen.filter((m) => m !== name) : all.map((m) => m.name).filter((m) => m === name || chosen.includes(m));
  return next.length ? next : [...chosen];
}

export function createMethodList(all: readonly MethodChoice[], pick: (chosen: string[]) => void, tell: (lead: string) => void,
  signal: AbortSignal): MethodList {
  const boxes = new Map<string, HTMLInputElement>();
  const families = [...new Set(all.map((m) => m.family))];
  let chosen: readonly string[] = [];
  const summary = h("summary");
  const group = (family: string) => h("fieldset", {}, h("legend", {}, family), ...all.filter((m) => m.family === family).map((m) => {
    const box = h("input", { type: "checkbox" });
    boxes.set(m.name, box);
    listen(box, "change", () => {
      const next = toggled(all, chosen, m.name);
      box.checked = next.includes(m.name);
      if (next.join("\n") !== chosen.join("\n")) pick(next);
    }, signal);
    return h("label", { class: "salw-tick", title: `Model passes: ${m.passes}` }, box, m.name);
  }));
  const el = h("details", { class: "salw-fold salw-methods" }, summary, h("div", { class: "salw-families" }, ...families.map(group)));
  const id = uid();
  const lead = h("select", { id });
  listen(lead, "change", () => tell(lead.value), signal);
  return {
    el: h("div", { class: "salw-choose" }, el, h("div", { class: "salw-field" }, h("label", { for: id }, "Sentences tell"), lead)),
    draw(now, first, off) {
      chosen = now;
      say(summary, `Methods: ${now.join(", ")}`);
      for (const [name, box] of boxes) {
        box.checked = now.includes(name);
        box.disabled = off;
      }
      if ([...lead.options].map((o) => o.value).join("\n") !== now.join("\n")) lead.replaceChildren(...now.map((name) => h("option", { value: name }, name)));
      lead.value = now.includes(first) ? first : now[0] ?? "";
      lead.disabled = off;
    },
  };
}
