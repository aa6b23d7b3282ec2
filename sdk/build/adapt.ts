import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { componentEmbed, componentNew } from "@bytecodealliance/jco";
import { BuildFault } from "./fault.ts";
import { witText, worldName } from "./engine/wit.ts";

const previewOne = "wasi_snapshot_preview1";

/**
 * A component of a core module that speaks WASI preview 1, by the adapter of the Bytecode Alliance: a reactor that exports
 * `wasi:http/incoming-handler` (made with wit-bindgen) can serve; a command (`_start`) gets `wasi:cli/run`.
 * @throws BuildFault COMPONENT_INVALID
 */
export async function adaptModule(module: Uint8Array, path: string): Promise<Uint8Array> {
  const compiled = compile(module, path);
  try {
    return await componentNew(module, await adaptersOf(compiled));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `${path} is a core module that cannot be made a component: ${reason.replace(/\s*\n\s*/g, " ").trim()}; build it with wit-bindgen or for wasm32-wasip2`;
    throw new BuildFault("COMPONENT_INVALID", message, { cause: error });
  }
}

/**
 * The same of a module that a compiler has made of one of our guests, which speaks the canonical ABI itself: it does not
 * say what its imports and exports are, and is told the world of a function.
 * @throws BuildFault COMPONENT_INVALID
 */
export async function adaptFunction(module: Uint8Array, path: string): Promise<Uint8Array> {
  return adaptModule(await componentEmbed({ binary: module, witSource: await witText(), world: worldName }), path);
}

async function adaptersOf(module: WebAssembly.Module): Promise<[string, Uint8Array][]> {
  if (!WebAssembly.Module.imports(module).some((wanted) => wanted.module === previewOne)) return [];
  const command = WebAssembly.Module.exports(module).some(({ name }) => name === "_start");
  const kind = command ? "command" : "reactor";
  const jco = dirname(fileURLToPath(import.meta.resolve("@bytecodealliance/jco")));
  const adapter = await readFile(join(jco, `../lib/${previewOne}.${kind}.wasm`));
  return [[previewOne, new Uint8Array(adapter)]];
}

function compile(module: Uint8Array, path: string): WebAssembly.Module {
  try {
    return new WebAssembly.Module(module);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BuildFault("COMPONENT_INVALID", `${path} is a broken core module: ${reason}`, { cause: error });
  }
}
