import { BuildFault } from "../fault.ts";
import { buildHost } from "./build-host.ts";
import { linkComponent } from "./link.ts";
import { snapshotModuleOf, withSnapshot } from "./snapshot.ts";

/**
 * Wizer's idea (https://github.com/bytecodealliance/wizer), done here: run the function's top level now, in a host where
 * time stands still and chance is a constant, and keep the memory that it leaves. The component then starts where its
 * initialisation ended, and the same source gives the same bytes.
 * @throws BuildFault FUNCTION_INVALID with the guest's error, when the top level throws
 */
export async function preInitialize(base: Uint8Array, script: string): Promise<Uint8Array> {
  const { bytesByModule, instantiate } = await linkComponent(base);
  const host = buildHost();
  const snapshotModule = snapshotModuleOf(base);
  let memory: WebAssembly.Memory | undefined;
  const engine = instantiate(host.imports, (module, imports) => {
    const instance = new WebAssembly.Instance(module, imports);
    const bytes = bytesByModule.get(module);
    if (bytes !== undefined && Buffer.compare(bytes, snapshotModule) === 0) {
      memory = Object.values(instance.exports).find((value) => value instanceof WebAssembly.Memory);
    }
    return instance;
  });
  const { evaluate } = engine;
  if (typeof evaluate !== "function") throw new BuildFault("COMPONENT_INVALID", "the engine evaluates no scripts");
  try {
    evaluate(script);
    // The text of the script is free only when the call is over; the next one zeroes what is free.
    evaluate("");
  } catch (error) {
    throw new BuildFault("FUNCTION_INVALID", `the function's top level failed: ${guestError(error)}${host.output()}`, {
      cause: error,
    });
  }
  if (memory === undefined) throw new BuildFault("COMPONENT_INVALID", "the engine's module has no memory");
  return withSnapshot(base, snapshotModule, new Uint8Array(memory.buffer));
}

/** A `result` that is an error reaches us as `ComponentError` with the guest's own text as payload. */
function guestError(error: unknown): string {
  if (typeof error === "object" && error !== null && "payload" in error && typeof error.payload === "string")
    return error.payload;
  return error instanceof Error ? error.message : String(error);
}
