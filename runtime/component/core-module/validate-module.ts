import { setFlagsFromString } from "node:v8";
import { describeError } from "@shallop/sdk/internal";
import { BinaryError } from "../leb128.ts";

/** Where a core module stands in its component, for messages. */
export interface ModulePlace {
  /** Among the component's core modules, in their order. */
  readonly index: number;
  /** Of its first byte. */
  readonly offset: number;
}

/** Has V8 look at every function of a core module. @throws BinaryError with the offset in the component */
export function validateModule(module: Uint8Array, { index, offset }: ModulePlace): void {
  if (WebAssembly.validate(module)) return;
  // V8 says where: `WebAssembly.Module(): Compiling function #0 failed: type error … @+29`.
  const [, reason, at = "0"] = /^(?:WebAssembly\.Module\(\): )?(.*?)(?: @\+(\d+))?$/s.exec(problemOf(module)) ?? [];
  throw new BinaryError(`core module ${index} is invalid: ${reason ?? "V8 refuses it"}`, offset + Number(at));
}

function problemOf(module: Uint8Array): string {
  // Functions are compiled when they are called, and with our flags not looked at before: here they are.
  setFlagsFromString("--no-wasm-lazy-validation");
  try {
    void new WebAssembly.Module(module);
    return "";
  } catch (error) {
    return describeError(error);
  }
}
