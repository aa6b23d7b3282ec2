import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { componentNew } from "@bytecodealliance/jco";
import { BuildFault } from "./fault.ts";

/**
 * A component of a core module that speaks WASI preview 1, by the adapter of the Bytecode Alliance: a reactor that exports
 * `wasi:http/incoming-handler` (made with wit-bindgen) can serve; a command (`_start`) gets `wasi:cli/run`.
 * @throws BuildFault COMPONENT_INVALID
 */
export async function adaptModule(module: Uint8Array, path: string): Promise<Uint8Array> {
  const command = WebAssembly.Module.exports(compile(module, path)).some(({ name }) => name === "_start");
  const kind = command ? "command" : "reactor";
  const jco = dirname(fileURLToPath(import.meta.resolve("@bytecodealliance/jco")));
  const adapter = await readFile(join(jco, `../lib/wasi_snapshot_preview1.${kind}.wasm`));
  try {
    return await componentNew(module, [["wasi_snapshot_preview1", new Uint8Array(adapter)]]);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `${path} is a core module that cannot be made a component: ${reason.replace(/\s*\n\s*/g, " ").trim()}; build it with wit-bindgen or for wasm32-wasip2`;
    throw new BuildFault("COMPONENT_INVALID", message, { cause: error });
  }
}

function compile(module: Uint8Array, path: string): WebAssembly.Module {
  try {
    return new WebAssembly.Module(module);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BuildFault("COMPONENT_INVALID", `${path} is a broken core module: ${reason}`, { cause: error });
  }
}
