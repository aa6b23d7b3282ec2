import { readFile } from "node:fs/promises";
import { buildHost } from "./build-host.ts";
import { linkComponent } from "./link.ts";

// A program by itself: prints the median start time of the component that its argument names, in milliseconds.

const [path] = process.argv.slice(2);
const { instantiate } = await linkComponent(await readFile(path ?? ""));
const host = buildHost();
const timesMs: number[] = [];
// One more than counts: the first instance also pays for the glue's own start.
for (let round = 0; round < 6; round++) {
  const began = performance.now();
  instantiate(host.imports, (module, imports) => new WebAssembly.Instance(module, imports));
  timesMs.push(performance.now() - began);
}
const counted = timesMs.slice(1).sort((a, b) => a - b);
process.stdout.write((counted[Math.floor(counted.length / 2)] ?? 0).toFixed(2));
