// The jail: prepares one component and ends. Standard input is the component; standard output gets the answer
// (jail-protocol.ts). It has no environment, may write no file and start no program; whatever the component's bytes do
// to the transpiler or to V8 ends with this process.
import { readFileSync } from "node:fs";
import { describeError } from "@shallop/sdk/internal";
import { binaryLayer, readSurface } from "./component-binary.ts";
import { warmGlueCache } from "./glue-cache.ts";
import type { JailAnswer } from "./jail-protocol.ts";
import { capMemories } from "./memory-cap.ts";
import { checkRequirements } from "./requirements.ts";
import { transpile } from "./transpile.ts";

interface Output {
  readonly answer: JailAnswer;
  readonly contents: readonly Uint8Array[];
}

const refuse = (answer: JailAnswer): Output => ({ answer, contents: [] });

async function prepareComponent(component: Uint8Array): Promise<Output> {
  const layer = binaryLayer(component);
  if (layer === "core-module") {
    const message =
      "the image holds a core WebAssembly module, not a component: build a component from it, `shallop build` does it for preview-1 modules";
    return refuse({ outcome: "invalid", message });
  }
  if (layer === "unknown") return refuse({ outcome: "invalid", message: "the image holds no WebAssembly component" });
  const surface = readSurface(component);
  const { unmet, handler, wasiVersion } = checkRequirements(surface);
  if (unmet.length > 0) return refuse({ outcome: "unmet", unmet });
  if (handler === undefined || wasiVersion === undefined) {
    const message = `the component does not export wasi:http/incoming-handler@0.2, so it cannot serve requests; it exports ${surface.exports.join(", ") || "nothing"}`;
    return refuse({ outcome: "invalid", message });
  }
  const { glue, modules } = await transpile(component);
  // Validates every function, and refuses what could not be started later: shared memories, for one.
  const compiled = new Map<string, WebAssembly.Module>();
  for (const [name, bytes] of modules) {
    capMemories(bytes, 2 ** 32);
    compiled.set(name, new WebAssembly.Module(bytes));
  }
  const files = new Map<string, Uint8Array>([["glue.js", new TextEncoder().encode(glue)], ...modules]);
  const cache = await warmGlueCache(glue, compiled);
  if (cache !== undefined) files.set("glue.cache", cache);
  const listed = [...files].map(([name, bytes]) => ({ name, bytes: bytes.length }));
  return {
    answer: { outcome: "prepared", wasiVersion, handler, ...surface, files: listed },
    contents: [...files.values()],
  };
}

let output: Output;
try {
  output = await prepareComponent(readFileSync(0));
} catch (error) {
  output = refuse({ outcome: "invalid", message: `the component is malformed: ${describeError(error)}` });
}
const parts = [Buffer.from(`${JSON.stringify(output.answer)}\n`), ...output.contents];
process.stdout.end(Buffer.concat(parts), () => {
  // The transpiler's shim keeps a worker alive.
  process.exit(0);
});
