import { componentWit } from "@bytecodealliance/jco-transpile/wasm-tools";
import { componentProblem } from "@shallop/sdk/internal";
import { BinaryError } from "./leb128.ts";

/**
 * Holds a component against the rules of the Component Model (Binary.md and Explainer.md, "validation") with wasmparser, the
 * validator of wasm-tools, which jco brings along: types, names, canonical options, the signatures of core functions. The
 * bodies of core functions are V8's to check. Call it once a process when the component is not trusted: one that makes
 * wasm-tools trap spoils it for the next.
 * @returns the component's world as WIT; undefined when it is valid, and no WIT describes it (it exports a type, for one)
 * @throws BinaryError with the offset, when it is invalid
 */
export async function validateComponent(component: Uint8Array): Promise<string | undefined> {
  try {
    return await componentWit(component);
  } catch (error) {
    const found = componentProblem(error);
    if (found === undefined) return undefined;
    throw new BinaryError(found.problem, found.offset);
  }
}
