import { $init, generate } from "@bytecodealliance/jco-transpile/component";
import { glueScript } from "./glue-script.ts";
import { waitingImports } from "./wasi/waiting-imports.ts";

export interface Transpiled {
  readonly glue: string;
  readonly modules: ReadonlyMap<string, Uint8Array>;
}

/** Functions that may suspend the guest, as `interface#function`. */
export interface WaitingFunctions {
  readonly imports: readonly string[];
  readonly exports: readonly string[];
}

const wasiWaiting: WaitingFunctions = { imports: waitingImports, exports: ["wasi:http/incoming-handler#handle"] };

/** Makes jco's bindings for a component. One component spoils the transpiler for the next: call it once a process. */
export async function transpile(component: Uint8Array, waiting: WaitingFunctions = wasiWaiting): Promise<Transpiled> {
  await $init;
  const generated = generate(component, {
    name: "component",
    map: [],
    instantiation: { tag: "async" },
    asyncMode: { tag: "jspi", val: { imports: [...waiting.imports], exports: [...waiting.exports] } },
    noNodejsCompat: true,
    noTypescript: true,
    noNamespacedExports: false,
    // Every core module becomes a file: none is hidden in the glue as base64.
    base64Cutoff: 0,
    tracing: false,
  });
  const modules = new Map<string, Uint8Array>();
  let glue: string | undefined;
  for (const [name, bytes] of generated.files) {
    if (name.endsWith(".wasm")) modules.set(name, bytes);
    else if (name === "component.js") glue = glueScript(new TextDecoder().decode(bytes));
  }
  if (glue === undefined) throw new Error("the transpiler wrote no bindings");
  return { glue, modules };
}
