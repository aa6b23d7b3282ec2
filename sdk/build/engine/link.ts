import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { transpile } from "@bytecodealliance/jco";
import { BuildFault } from "../fault.ts";

type InstantiateCore = (module: WebAssembly.Module, imports: object) => WebAssembly.Instance;

interface Glue {
  instantiate(
    getCoreModule: (name: string) => WebAssembly.Module,
    imports: unknown,
    instantiateCore: InstantiateCore,
  ): Readonly<Record<string, unknown>>;
}

export interface LinkedComponent {
  /** The bytes of each core module, as compiled. */
  readonly bytesByModule: ReadonlyMap<WebAssembly.Module, Uint8Array>;
  /** Makes an instance and gives its exports. */
  readonly instantiate: (imports: unknown, instantiateCore: InstantiateCore) => Readonly<Record<string, unknown>>;
}

/** A component as compiled core modules and jco's glue between them, in this process. @throws BuildFault COMPONENT_INVALID */
export async function linkComponent(component: Uint8Array): Promise<LinkedComponent> {
  const { files } = await transpile(component, {
    name: "component",
    instantiation: "sync",
    nodejsCompat: false,
    noTypescript: true,
  });
  const glue = await importGlue(files["component.js"]);
  const modules = new Map<string, WebAssembly.Module>();
  const bytesByModule = new Map<WebAssembly.Module, Uint8Array>();
  for (const [name, bytes] of Object.entries(files)) {
    if (!name.endsWith(".wasm")) continue;
    const module = new WebAssembly.Module(bytes);
    modules.set(name, module);
    bytesByModule.set(module, bytes);
  }
  const moduleOf = (name: string): WebAssembly.Module => {
    const module = modules.get(name);
    if (module === undefined) throw new BuildFault("COMPONENT_INVALID", `the component has no module ${name}`);
    return module;
  };
  return {
    bytesByModule,
    instantiate: (imports, instantiateCore) => glue.instantiate(moduleOf, imports, instantiateCore),
  };
}

async function importGlue(source: Uint8Array | undefined): Promise<Glue> {
  if (source === undefined) throw new BuildFault("COMPONENT_INVALID", "the component could not be linked");
  const directory = await mkdtemp(join(tmpdir(), "shallop-engine-"));
  try {
    const path = join(directory, "component.js");
    await writeFile(path, source);
    await writeFile(join(directory, "package.json"), '{"type":"module"}');
    return (await import(pathToFileURL(path).href)) as Glue;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
