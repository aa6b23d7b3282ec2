import { describeError } from "@shallop/sdk/internal";
import { capMemories } from "../component/core-module/memory-cap.ts";
import { validateModule } from "../component/core-module/validate-module.ts";
import { examineComponent, type ValidComponent } from "../component/examine-component.ts";
import {
  checkRequirements,
  entryFamily,
  entryFunction,
  entryInterface,
  type Purpose,
  type Requirements,
  type WasiFamily,
} from "../component/requirements.ts";
import { untrueEntry } from "../component/wasi-types.ts";
import { previewOne, previewOneRefusals } from "./preview-one.ts";
import type { ProgramFile } from "./program-file.ts";

/** What a file is, and what this node makes of it. */
export interface Inspection {
  readonly path: string;
  readonly kind: "component" | "core-module";
  readonly sizeBytes: number;
  /** The world that its exports make it one of, and the command that runs it; undefined for another one. */
  readonly world: string | undefined;
  readonly wasiVersion: string | undefined;
  readonly imports: readonly string[];
  readonly exports: readonly string[];
  /** All of its imports and exports as WIT; undefined when none describes it. */
  readonly wit: string | undefined;
  /** Why this node would not run it, a sentence each; none when it would. */
  readonly refused: readonly string[];
}

export async function inspect(file: ProgramFile): Promise<Inspection> {
  return file.layer === "component" ? inspectComponent(file) : inspectModule(file);
}

const worlds: Readonly<Record<Purpose, Readonly<Record<WasiFamily, string>>>> = {
  serve: { "0.2": "wasi:http/proxy", "0.3": "wasi:http/service" },
  run: { "0.2": "wasi:cli/command", "0.3": "wasi:cli/command" },
};

async function inspectComponent({ path, bytes }: ProgramFile): Promise<Inspection> {
  const base = nothing({ path, bytes }, "component");
  const { surface, unmet, found } = await examineComponent(bytes);
  const entries = (["serve", "run"] as const)
    .map((purpose) => ({ purpose, ...checkRequirements(surface, purpose) }))
    .filter(({ entry }) => entry !== undefined);
  const refused = unmet.map((name) => `${name} is imported, and this node does not provide it`);
  const isCommand = entries.some(({ purpose }) => purpose === "run");
  if (found.isValid) refused.push(...refusedOf(found, entries));
  else if (isCommand || !found.isUnlinked) refused.push(`it is invalid: ${found.reason}`);
  const world = entries.map(worldOf).join(", ");
  return {
    ...base,
    world: world === "" ? undefined : world,
    wasiVersion: entries[0]?.wasiVersion ?? versionOf([...surface.exports, ...surface.imports]),
    ...surface,
    wit: found.isValid ? found.wit : undefined,
    refused,
  };
}

type EntryFound = Requirements & { readonly purpose: Purpose };

/** Why a valid component would not be called. */
function refusedOf({ types }: ValidComponent, entries: readonly EntryFound[]): readonly string[] {
  if (entries.length === 0) {
    const wanted = Object.values(entryInterface).flatMap((byFamily) =>
      Object.entries(byFamily).map(([family, name]) => `${name}@${family}`),
    );
    return [`neither ${wanted.join(" nor ")} is exported, so there is nothing to call`];
  }
  const untrue = entries.flatMap(
    ({ purpose, entry = "" }) => untrueEntry(types, { interface: entry, name: entryFunction[purpose] }) ?? [],
  );
  return untrue.map((problem) => `it cannot be called: ${problem}`);
}

function worldOf({ purpose, entry = "", wasiVersion = "" }: EntryFound): string {
  return `${worlds[purpose][entryFamily(entry, purpose) ?? "0.2"]}@${wasiVersion}`;
}

/** @throws BinaryError with the offset, when it is invalid or has a shared memory, which no guest gets */
function compileModule(bytes: Uint8Array): WebAssembly.Module {
  capMemories(bytes, 2 ** 32);
  validateModule(bytes, { index: 0, offset: 0 });
  return new WebAssembly.Module(bytes);
}

function inspectModule({ path, bytes }: ProgramFile): Inspection {
  const base = nothing({ path, bytes }, "core-module");
  let compiled: WebAssembly.Module;
  try {
    compiled = compileModule(bytes);
  } catch (error) {
    return { ...base, refused: [`it is invalid: ${describeError(error)}`] };
  }
  const imported = WebAssembly.Module.imports(compiled);
  const exported = WebAssembly.Module.exports(compiled).map(({ name }) => name);
  return {
    ...base,
    world: exported.includes("_start") ? "a command of WASI preview 1" : undefined,
    wasiVersion: imported.some(({ module }) => module === previewOne) ? "preview 1" : undefined,
    imports: imported.map(({ module, name }) => `${module} ${name}`),
    exports: exported,
    refused: previewOneRefusals(compiled).map((reason) => `it ${reason}`),
  };
}

const nothing = ({ path, bytes }: Pick<ProgramFile, "path" | "bytes">, kind: Inspection["kind"]): Inspection => ({
  path,
  kind,
  sizeBytes: bytes.length,
  world: undefined,
  wasiVersion: undefined,
  imports: [],
  exports: [],
  wit: undefined,
  refused: [],
});

/** The version of the first interface of WASI among `names`. */
function versionOf(names: readonly string[]): string | undefined {
  return names.map((name) => /^wasi:[^@]*@(.+)$/.exec(name)?.[1]).find((version) => version !== undefined);
}
