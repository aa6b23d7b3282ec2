import type { CoreType } from "../abi/codec.ts";

// What the small core modules are written with that stand between guests and the linker.

export const moduleHeader: readonly number[] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

export const typeCodes: Readonly<Record<CoreType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c };

export const opcodes = {
  loopBlock: 0x03,
  ifBlock: 0x04,
  elseBlock: 0x05,
  endBlock: 0x0b,
  branch: 0x0c,
  callFunction: 0x10,
  localGet: 0x20,
  localSet: 0x21,
  globalGet: 0x23,
  noResult: 0x40,
} as const;

/** What a core function takes and gives. */
export interface CoreSignature {
  readonly params: readonly CoreType[];
  readonly result: CoreType | undefined;
}

/** Results of `signatures`, each once. */
export function resultsOf(signatures: readonly CoreSignature[]): readonly (CoreType | undefined)[] {
  return [...new Set(signatures.map(({ result }) => result))];
}

interface ShimParts {
  /** Those of the exported functions come first, in their order. */
  readonly types: readonly (readonly number[])[];
  readonly functionImports: readonly (readonly number[])[];
  readonly globalImports: readonly (readonly number[])[];
  /** Of the exported functions: "0", "1", …. */
  readonly bodies: readonly (readonly number[])[];
}

/** A core module of functions between a guest and what it imports. */
export function shimModule({ types, functionImports, globalImports, bodies }: ShimParts): Uint8Array {
  return Uint8Array.from([
    ...moduleHeader,
    ...section(1, types),
    ...section(2, [...functionImports, ...globalImports]),
    ...section(
      3,
      bodies.map((_, index) => u32(index)),
    ),
    ...section(
      7,
      bodies.map((_, index) => [...name(String(index)), 0x00, ...u32(functionImports.length + index)]),
    ),
    ...section(10, bodies),
  ]);
}

/** `type`: its index among the module's types. */
export const functionImport = (from: string, member: string, type: number): readonly number[] => [
  ...[...name(from), ...name(member), 0x00],
  ...u32(type),
];

/** Of type i32, mutable. */
export const globalImport = (from: string, member: string): readonly number[] => [
  ...[...name(from), ...name(member), 0x03],
  ...[typeCodes.i32, 0x01],
];

export function functionType(params: readonly CoreType[], result: CoreType | undefined): readonly number[] {
  const results = result === undefined ? [0] : [1, typeCodes[result]];
  return [0x60, ...u32(params.length), ...params.map((type) => typeCodes[type]), ...results];
}

export function section(id: number, items: readonly (readonly number[])[]): readonly number[] {
  const content = [...u32(items.length), ...items.flat()];
  return [id, ...u32(content.length), ...content];
}

/** The length, and the bytes. */
export function name(text: string): readonly number[] {
  const bytes = new TextEncoder().encode(text);
  return [...u32(bytes.length), ...bytes];
}

/** LEB128, unsigned. */
export function u32(value: number): readonly number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}
