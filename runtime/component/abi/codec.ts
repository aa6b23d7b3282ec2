import type { CanonicalContext } from "./canonical-context.ts";

/** Types of core WebAssembly that values are passed as. */
export type CoreType = "i32" | "i64" | "f32" | "f64";

/** A value as core WebAssembly has it. */
export type CoreValue = number | bigint;

/**
 * How values of one type cross the border between a component and JavaScript, in memory and as core values
 * (CanonicalABI.md, "Loading", "Storing", "Flat Lifting", "Flat Lowering"). Codecs are put together once for each type of
 * a component; nothing of a type is looked at again while values pass.
 *
 * JavaScript's side: numbers, `bigint` for 64 bits, strings (a `char` is one of one code point), `Uint8Array` and its like for
 * lists of numbers, arrays for other lists and tuples, objects with names in camel case for records and flags,
 * `{ tag, val }` for variants and results, the name for enums, the value or `undefined` for options (`{ tag, val }` when
 * the value is an option again), objects of the host for its resources.
 */
export interface Codec {
  readonly size: number;
  readonly alignment: number;
  /** Of what is more than `flatKept` no more: it only ever goes through memory. */
  readonly flat: readonly CoreType[];
  /** The pointer is checked for the whole of what `size` says, and for its alignment. */
  load(context: CanonicalContext, pointer: number): unknown;
  store(context: CanonicalContext, value: unknown, pointer: number): void;
  /** Reads the value that begins at `values[at]`. */
  lift(context: CanonicalContext, values: readonly CoreValue[], at: number): unknown;
  /** Appends the value's `flat` to `values`. */
  lower(context: CanonicalContext, value: unknown, values: CoreValue[]): void;
}

/** One more than any function passes as core values (CanonicalABI.md, "MAX_FLAT_PARAMS"): a list of a fixed length may have millions. */
const flatKept = 17;

/** The core types of values that follow each other, `times` times. */
export function flatOf(parts: readonly Pick<Codec, "flat">[], times = 1): readonly CoreType[] {
  const flat: CoreType[] = [];
  for (let round = 0; round < times; round++) {
    for (const part of parts) flat.push(...part.flat);
    if (flat.length === 0 || flat.length >= flatKept) return flat.slice(0, flatKept);
  }
  return flat;
}

export const alignTo = (pointer: number, alignment: number): number => Math.ceil(pointer / alignment) * alignment;

/** `check-write` → `checkWrite`, as jco names things in JavaScript; words in capitals (`DNS-error`) become `DnsError`-like. */
export function camelCase(name: string): string {
  return name
    .split("-")
    .map((word, index) => {
      const lower = word.toLowerCase();
      return index === 0 ? lower : lower.charAt(0).toUpperCase() + lower.slice(1);
    })
    .join("");
}

export function pascalCase(name: string): string {
  const camel = camelCase(name);
  return camel.charAt(0).toUpperCase() + camel.slice(1);
}
