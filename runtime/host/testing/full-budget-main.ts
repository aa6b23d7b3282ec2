// A process that holds all that a budget allows at once, in V8's own coin: memories, each with a fork's image mapped over it, and
// suspended stacks. It says how many mappings that takes. Its argument: the mappings that a process may have.
import { readFileSync } from "node:fs";
import { parse } from "@bytecodealliance/jco";
import { ImageSources } from "../../component/fork/image-sources.ts";
import { budgetFor } from "../process-budget.ts";

const { memoriesMax, stacksMax } = budgetFor(Number(process.argv[2]));
const text = `(module
  (import "host" "wait" (func $wait))
  (memory (export "memory") 2)
  (data (i32.const 70000) "more than one page is in use")
  (func (export "run") (call $wait)))`;
const module = new WebAssembly.Module(new Uint8Array(await parse(text)));
const waits = new Promise<void>(() => undefined);
const wait = new WebAssembly.Suspending(() => waits);
const sources = new ImageSources();

const kept: unknown[] = [];
const instances: WebAssembly.Instance[] = [];
for (let count = 0; count < memoriesMax; count++) {
  const instance = new WebAssembly.Instance(module, { host: { wait } });
  instances.push(instance);
  kept.push(sources.capture(instance.exports["memory"] as WebAssembly.Memory));
}
const runs = instances.map((instance) => WebAssembly.promising(instance.exports["run"] as () => void));
for (let count = 0; count < stacksMax; count++) kept.push(runs[count % runs.length]?.());
await new Promise(setImmediate);

const mappings = readFileSync("/proc/self/maps", "utf8").split("\n").length;
process.stdout.write(JSON.stringify({ memories: instances.length, stacks: kept.length - instances.length, mappings }));
process.exit(0);
