import { readFileSync } from "node:fs";

/** V8 compiles what is used often, at first for little, then well. More than this brings little. */
export const practiceRounds = 8;

/** A component of ours that imports all of WASI 0.2, as those do that toolchains make. */
export function practiceComponent(): Uint8Array {
  return Buffer.from(readFileSync(new URL("practice-component.txt", import.meta.url), "latin1"), "base64");
}
