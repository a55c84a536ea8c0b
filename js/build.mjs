// Builds the three files that Python ships: widget.js (notebooks), page.js (exported pages), widget.css.
// `--check` builds in memory and fails if a committed file differs, so a stale bundle cannot be released.
import { build } from "esbuild";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "..", "salwidgets", "widgets", "static");
// Every widget instance loads its own copy of widget.js. 100 kB held heatmap, contrast, narrative and comparison; the rest
// buys the class tree (17 kB), clusters and concepts (19 kB), the scorecard (15 kB), layers and randomisation (8 kB), the
// eraser (9 kB), the workbench and its parts (7 kB), names for regions (2 kB) and what is linked to them.
const limit = 190_000;

const common = { bundle: true, minify: true, target: "es2022", charset: "utf8", write: false, legalComments: "none" };
const entries = [
  { name: "widget.js", options: { entryPoints: [join(here, "src", "widget.ts")], format: "esm" } },
  { name: "page.js", options: { entryPoints: [join(here, "src", "host.ts")], format: "iife" } },
  { name: "widget.css", options: { entryPoints: [join(here, "src", "styles", "widget.css")] } },
];

let stale = 0;
for (const { name, options } of entries) {
  const result = await build({ ...common, ...options });
  const text = result.outputFiles[0].text;
  if (name.endsWith(".js") && Buffer.byteLength(text) >= limit) {
    throw new Error(`${name} is ${Buffer.byteLength(text)} bytes; the limit is ${limit}.`);
  }
  const path = join(target, name);
  if (process.argv.includes("--check")) {
    const committed = await readFile(path, "utf8").catch(() => "");
    if (committed !== text) {
      console.error(`${name} is stale: run "npm run build" in js/ and commit salwidgets/widgets/static.`);
      stale += 1;
    }
  } else {
    await mkdir(target, { recursive: true });
    await writeFile(path, text);
  }
  console.log(`${name}: ${Buffer.byteLength(text)} bytes`);
}
process.exit(stale ? 1 : 0);
