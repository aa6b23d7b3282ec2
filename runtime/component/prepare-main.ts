// The jail: prepares one component, and ends. The component is what descriptor 3 reads when standard input says the purpose; descriptor 4
// gets the files, and then standard output the answer (jail-protocol.ts). It has no environment, may open no file for writing and start no program;
// whatever the component's bytes do to the transpiler or to V8 ends with this process.
import { readFileSync, writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { assert, describeError } from "@shallop/sdk/internal";
import { binaryLayer, type ComponentSurface } from "./component-binary.ts";
import { glueCacheFile, glueFile, linksFile, type PreparedForm } from "./component-plan.ts";
import { validateModule } from "./core-module/validate-module.ts";
import type { PreparedLinks } from "./engine.ts";
import { examineComponent, type InvalidComponent, type ValidComponent } from "./examine-component.ts";
import { warmGlueCache } from "./glue-cache.ts";
import type { JailAnswer } from "./jail-protocol.ts";
import {
  checkRequirements,
  entryFamily,
  entryFunction,
  type Purpose,
  purposesOf,
  type Requirements,
  type WantedPurpose,
} from "./requirements.ts";
import { practise } from "./practice.ts";
import { Validator } from "./validator.ts";
import { untrueEntry } from "./wasi-types.ts";
import { closeSystemCalls } from "../sandbox/kernel/close-system-calls.ts";

interface Output {
  readonly answer: JailAnswer;
  readonly contents: readonly Uint8Array[];
}

const componentDescriptor = 3;
const filesDescriptor = 4;

const refuse = (answer: JailAnswer): Output => ({ answer, contents: [] });

async function prepareComponent(component: Uint8Array, wanted: WantedPurpose): Promise<Output> {
  const layer = binaryLayer(component);
  if (layer === "core-module") {
    const message =
      "the image holds a core WebAssembly module, not a component: build a component from it, `shallop build` does it for preview-1 modules";
    return refuse({ outcome: "invalid", message });
  }
  if (layer === "unknown") return refuse({ outcome: "invalid", message: "the image holds no WebAssembly component" });
  const validation = validator.validate(component);
  validation.catch(() => undefined);
  const { surface, unmet, found } = await examineComponent(component, () => validation);
  if (unmet.length > 0) return refuse({ outcome: "unmet", unmet });
  if (!found.isValid && !found.isUnlinked) return refuse({ outcome: "invalid", message: invalidMessage(found.reason) });
  const { purpose, entry, wasiVersion } = requirementsFor(surface, wanted);
  if (entry === undefined || wasiVersion === undefined) {
    const message = `the component does not export ${missing[wanted]}; it exports ${surface.exports.join(", ") || "nothing"}`;
    return refuse({ outcome: "invalid", message });
  }
  if (!found.isValid && (purpose === "run" || entryFamily(entry, purpose) === "0.3")) {
    return refuse({ outcome: "invalid", message: invalidMessage(found.reason) });
  }
  const untrue = found.isValid && untrueEntry(found.types, { interface: entry, name: entryFunction[purpose] });
  if (typeof untrue === "string")
    return refuse({ outcome: "invalid", message: `the component cannot be called: ${untrue}` });
  const { form, files } = await prepareFiles(component, found);
  const listed = [...files].map(([name, bytes]) => ({ name, bytes: bytes.length }));
  return {
    answer: { outcome: "prepared", form, purpose, wasiVersion, entry, ...surface, files: listed },
    contents: [...files.values()],
  };
}

const invalidMessage = (reason: string): string => `the component is invalid: ${reason}`;

/** For the first purpose that it can be called for; for the last one when it can for none. */
function requirementsFor(
  surface: ComponentSurface,
  wanted: WantedPurpose,
): Requirements & { readonly purpose: Purpose } {
  const [first, second] = purposesOf(wanted).map((purpose) => ({ purpose, ...checkRequirements(surface, purpose) }));
  assert(first !== undefined, "something is wanted");
  return first.entry === undefined ? (second ?? first) : first;
}

const missing: Readonly<Record<WantedPurpose, string>> = {
  serve: "wasi:http/incoming-handler@0.2 or wasi:http/handler@0.3, so it cannot serve requests",
  run: "wasi:cli/run of 0.2 or 0.3, so it cannot be run as a command",
  either: "wasi:http/incoming-handler@0.2, wasi:http/handler@0.3 or wasi:cli/run, so it can neither serve nor be run",
};

/** What the engine needs that runs the component: ours, or jco's bindings where it holds what we do not link. */
async function prepareFiles(
  component: Uint8Array,
  found: ValidComponent | InvalidComponent,
): Promise<{ readonly form: PreparedForm; readonly files: ReadonlyMap<string, Uint8Array> }> {
  if (!found.isValid) {
    // What jco does not know either is named as what it is, and not as jco puts it.
    const files = await transpiledFiles(component).catch(() => Promise.reject(new Error(found.reason)));
    return { form: "bindings", files };
  }
  const { plan, modules } = found;
  const links: PreparedLinks = { plan, states: modules.map(({ state }) => state) };
  const files = new Map<string, Uint8Array>(modules.map(({ bytes }, index) => [`module${index}.wasm`, bytes]));
  return { form: "linked", files: files.set(linksFile, new TextEncoder().encode(JSON.stringify(links))) };
}

async function transpiledFiles(component: Uint8Array): Promise<ReadonlyMap<string, Uint8Array>> {
  // Few components need it, and it takes a while to load.
  const { transpile } = await import("./transpile.ts");
  const { glue, modules } = await transpile(component);
  const compiled = new Map([...modules].map(([name, bytes]) => [name, compileModule(bytes)]));
  const files = new Map<string, Uint8Array>([[glueFile, new TextEncoder().encode(glue)], ...modules]);
  const cache = await warmGlueCache(glue, compiled);
  return cache === undefined ? files : files.set(glueCacheFile, cache);
}

/** A module that jco has made of one of the component's. */
function compileModule(bytes: Uint8Array): WebAssembly.Module {
  validateModule(bytes, { index: 0, offset: 0 });
  return new WebAssembly.Module(bytes);
}

const wantedPurpose = (text: string | undefined): WantedPurpose =>
  text === "run" || text === "either" ? text : "serve";

let output: Output;
if (process.argv[2] === "--close-calls") closeSystemCalls("jail");
const validator = new Validator();
let hasCome = false;
process.stdin.once("readable", () => (hasCome = true));
// Whoever started this process may have no component yet: what is loaded and compiled when it comes is not waited for.
await practise(() => hasCome);
try {
  const purpose = wantedPurpose((await text(process.stdin)).trim());
  output = await prepareComponent(readFileSync(componentDescriptor), purpose);
} catch (error) {
  output = refuse({ outcome: "invalid", message: invalidMessage(describeError(error)) });
}
for (const bytes of output.contents) writeFileSync(filesDescriptor, bytes);
process.stdout.end(`${JSON.stringify(output.answer)}\n`, () => {
  // The transpiler's shim keeps a worker alive.
  process.exit(0);
});
