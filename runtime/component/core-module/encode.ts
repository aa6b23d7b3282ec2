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
