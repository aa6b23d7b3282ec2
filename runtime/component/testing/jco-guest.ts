import { Script } from "node:vm";
import { transpileApart } from "./transpile-apart.ts";
import type { WaitingFunctions } from "../transpile.ts";
import type { Host } from "./guest.ts";

type Instantiate = (
  getModule: (name: string) => WebAssembly.Module,
  imports: Host,
  instantiateCore: (module: WebAssembly.Module, imports: object) => WebAssembly.Instance,
) => Promise<Readonly<Record<string, Readonly<Record<string, (...args: readonly unknown[]) => unknown>>>>>;

/** A component that is run by jco's bindings; its exported interfaces. */
export async function jcoGuestOf(
  component: Uint8Array,
  host: Host,
  waiting?: WaitingFunctions,
): ReturnType<Instantiate> {
  const { glue, modules } = await transpileApart(component, waiting);
  const instantiate = new Script(glue, { filename: "glue.js" }).runInThisContext() as Instantiate;
  const getModule = (name: string): WebAssembly.Module => {
    const bytes = modules.get(name);
    if (bytes === undefined) throw new RangeError(`jco asks for the module ${name}, which it has not made`);
    return new WebAssembly.Module(bytes);
  };
  return instantiate(getModule, host, (module, imports) => new WebAssembly.Instance(module, imports));
}
