import { componentWit } from "@bytecodealliance/jco-transpile/wasm-tools";
import { BinaryError } from "./leb128.ts";

// Of wasm-tools' reason: it quotes names, and names are as long as the component likes.
const reasonCharsMax = 1000;

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
    const message = error instanceof Error ? error.message : String(error);
    const invalid = /^(?:Failed to decode wit component\s)?(.*) \(at offset 0x([0-9a-f]+)\)/s.exec(message);
    if (invalid !== null) throw new BinaryError(oneLine(invalid[1] ?? ""), Number.parseInt(invalid[2] ?? "", 16));
    if (/^Failed to decode wit component\s/.test(message)) return undefined;
    throw new BinaryError(`wasm-tools cannot validate it (${oneLine(message)})`, 0);
  }
}

const oneLine = (text: string): string =>
  text
    .replaceAll(/\n\s*/g, "; ")
    .replaceAll(/\s+/g, " ")
    // oxlint-disable-next-line no-control-regex -- that is what is taken out: a name could write to the reader's terminal.
    .replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "?")
    .slice(0, reasonCharsMax);
