import {
  checkRequirements,
  entryFamily,
  entryInterface,
  type Purpose,
  type Requirements,
  type WasiFamily,
} from "../component/requirements.ts";
import { readSurface } from "../component/component-binary.ts";
import { exposeState } from "../component/core-module/expose-state.ts";
import { capMemories } from "../component/core-module/memory-cap.ts";
import { findUnlinked } from "../component/instance/linked-component.ts";
import { planLinks } from "../component/link/plan-links.ts";
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
  /** Why this node would not run it, a sentence each; none when it would. */
  readonly refused: readonly string[];
}

export const inspect = (file: ProgramFile): Inspection =>
  file.layer === "component" ? inspectComponent(file) : inspectModule(file);

const worlds: Readonly<Record<Purpose, Readonly<Record<WasiFamily, string>>>> = {
  serve: { "0.2": "wasi:http/proxy", "0.3": "wasi:http/service" },
  run: { "0.2": "wasi:cli/command", "0.3": "wasi:cli/command" },
};

function inspectComponent({ path, bytes }: ProgramFile): Inspection {
  const surface = attempt(() => readSurface(bytes));
  if (!surface.ok)
    return { ...nothing({ path, bytes }, "component"), refused: [`it is malformed: ${surface.problem}`] };
  const found = (["serve", "run"] as const).map((purpose) => ({
    purpose,
    ...checkRequirements(surface.value, purpose),
  }));
  const entries = found.filter(({ entry }) => entry !== undefined);
  const wasi = entries[0]?.wasiVersion ?? versionOf([...surface.value.exports, ...surface.value.imports]);
  const refused = (found[0]?.unmet ?? []).map((name) => `${name} is imported, and this node does not provide it`);
  if (entries.length === 0) {
    const wanted = Object.values(entryInterface).flatMap((byFamily) =>
      Object.entries(byFamily).map(([family, name]) => `${name}@${family}`),
    );
    refused.push(`neither ${wanted.join(" nor ")} is exported, so there is nothing to call`);
  }
  const linked = attempt(() =>
    checkModules(bytes, entries.every(({ purpose }) => purpose === "run") && entries.length > 0),
  );
  if (!linked.ok) refused.push(linked.problem);
  const world = entries.map(worldOf).join(", ");
  return {
    ...nothing({ path, bytes }, "component"),
    world: world === "" ? undefined : world,
    wasiVersion: wasi,
    ...surface.value,
    refused,
  };
}

function worldOf({ purpose, entry = "", wasiVersion = "" }: Requirements & { readonly purpose: Purpose }): string {
  return `${worlds[purpose][entryFamily(entry, purpose) ?? "0.2"]}@${wasiVersion}`;
}

/** @throws what keeps its links from being planned, or a core module of it from being started */
function checkModules(bytes: Uint8Array, isCommand: boolean): void {
  const { plan, modules } = planLinks(bytes);
  const unlinked = findUnlinked(plan);
  if (unlinked !== undefined && isCommand)
    throw new Error(`it uses ${unlinked}, and a command has to be one of WASI 0.2`);
  for (const module of modules) checkModule(unlinked === undefined ? exposeState(module).bytes : module);
}

function checkModule(module: Uint8Array): void {
  // Refuses shared memories, which no guest gets.
  const bytes = capMemories(module, 2 ** 32) as Uint8Array<ArrayBuffer>;
  if (!WebAssembly.validate(bytes)) throw new Error("a core module of it is invalid");
}

const preview1 = "wasi_snapshot_preview1";

function inspectModule({ path, bytes }: ProgramFile): Inspection {
  const base = nothing({ path, bytes }, "core-module");
  const compiled = attempt(() => {
    checkModule(bytes);
    return new WebAssembly.Module(bytes);
  });
  if (!compiled.ok) return { ...base, refused: [`it is malformed: ${compiled.problem}`] };
  const imported = WebAssembly.Module.imports(compiled.value);
  const exported = WebAssembly.Module.exports(compiled.value).map(({ name }) => name);
  const namespaces = [...new Set(imported.map(({ module }) => module))];
  const isCommand = exported.includes("_start");
  const refused = namespaces
    .filter((name) => name !== preview1)
    .map((name) => `${name} is imported, and a core module gets ${preview1} only`);
  if (!isCommand) refused.push("_start is not exported, so there is nothing to call");
  return {
    ...base,
    world: isCommand ? "a command of WASI preview 1" : undefined,
    wasiVersion: namespaces.includes(preview1) ? "preview 1" : undefined,
    imports: imported.map(({ module, name }) => `${module} ${name}`),
    exports: exported,
    refused,
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
  refused: [],
});

/** The version of the first interface of WASI among `names`. */
function versionOf(names: readonly string[]): string | undefined {
  return names.map((name) => /^wasi:[^@]*@(.+)$/.exec(name)?.[1]).find((version) => version !== undefined);
}

type Attempt<Value> = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly problem: string };

function attempt<Value>(run: () => Value): Attempt<Value> {
  try {
    return { ok: true, value: run() };
  } catch (error) {
    return { ok: false, problem: error instanceof Error ? error.message : String(error) };
  }
}
