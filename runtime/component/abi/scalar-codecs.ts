import type { ScalarKind } from "../link/value-type.ts";
import type { CanonicalContext } from "./canonical-context.ts";
import type { Codec, CoreType } from "./codec.ts";

interface Scalar<Value> {
  readonly size: number;
  readonly flat: CoreType;
  readonly load: (context: CanonicalContext, pointer: number) => Value;
  readonly store: (context: CanonicalContext, value: Value, pointer: number) => void;
  readonly lift: (context: CanonicalContext, value: never) => Value;
  readonly lower: (value: Value) => number | bigint;
}

function scalar<Value>({ size, flat, load, store, lift, lower }: Scalar<Value>): Codec {
  return {
    size,
    alignment: size,
    flat: [flat],
    load,
    store: (context, value, pointer) => store(context, value as Value, pointer),
    lift: (context, values, at) => lift(context, values[at] as never),
    lower: (_context, value, values) => void values.push(lower(value as Value)),
  };
}

const codePointMax = 0x10ffff;

function liftChar(context: CanonicalContext, code: number): string {
  const codePoint = code >>> 0;
  if (codePoint > codePointMax || (codePoint >= 0xd800 && codePoint <= 0xdfff)) noScalarValue(context, codePoint);
  return String.fromCodePoint(codePoint);
}

/** @throws GuestFault always */
export function noScalarValue({ state }: CanonicalContext, codePoint: number): never {
  return state.trap(`${codePoint} is no Unicode scalar value`);
}

const lowerChar = (value: string): number => value.codePointAt(0) ?? 0;

// Which NaN a number is shall not cross the border: CanonicalABI.md has one for each width, and `Number.NaN` is it.
/** One codec for each type that is one core value. */
export const scalarCodecs: Readonly<Record<ScalarKind, Codec>> = {
  bool: scalar<boolean>({
    size: 1,
    flat: "i32",
    load: ({ bytes }, pointer) => bytes[pointer] !== 0,
    store: ({ bytes }, value, pointer) => (bytes[pointer] = value ? 1 : 0),
    lift: (_, value: number) => value !== 0,
    lower: (value) => (value ? 1 : 0),
  }),
  s8: scalar<number>({
    size: 1,
    flat: "i32",
    load: ({ view }, pointer) => view.getInt8(pointer),
    store: ({ view }, value, pointer) => view.setInt8(pointer, value),
    lift: (_, value: number) => (value << 24) >> 24,
    lower: (value) => (value << 24) >> 24,
  }),
  u8: scalar<number>({
    size: 1,
    flat: "i32",
    load: ({ view }, pointer) => view.getUint8(pointer),
    store: ({ view }, value, pointer) => view.setUint8(pointer, value),
    lift: (_, value: number) => value & 0xff,
    lower: (value) => value & 0xff,
  }),
  s16: scalar<number>({
    size: 2,
    flat: "i32",
    load: ({ view }, pointer) => view.getInt16(pointer, true),
    store: ({ view }, value, pointer) => view.setInt16(pointer, value, true),
    lift: (_, value: number) => (value << 16) >> 16,
    lower: (value) => (value << 16) >> 16,
  }),
  u16: scalar<number>({
    size: 2,
    flat: "i32",
    load: ({ view }, pointer) => view.getUint16(pointer, true),
    store: ({ view }, value, pointer) => view.setUint16(pointer, value, true),
    lift: (_, value: number) => value & 0xffff,
    lower: (value) => value & 0xffff,
  }),
  s32: scalar<number>({
    size: 4,
    flat: "i32",
    load: ({ view }, pointer) => view.getInt32(pointer, true),
    store: ({ view }, value, pointer) => view.setInt32(pointer, value, true),
    lift: (_, value: number) => value | 0,
    lower: (value) => value | 0,
  }),
  u32: scalar<number>({
    size: 4,
    flat: "i32",
    load: ({ view }, pointer) => view.getUint32(pointer, true),
    store: ({ view }, value, pointer) => view.setUint32(pointer, value, true),
    lift: (_, value: number) => value >>> 0,
    lower: (value) => value | 0,
  }),
  s64: scalar<bigint>({
    size: 8,
    flat: "i64",
    load: ({ view }, pointer) => view.getBigInt64(pointer, true),
    store: ({ view }, value, pointer) => view.setBigInt64(pointer, value, true),
    lift: (_, value: bigint) => BigInt.asIntN(64, value),
    lower: (value) => BigInt.asIntN(64, value),
  }),
  u64: scalar<bigint>({
    size: 8,
    flat: "i64",
    load: ({ view }, pointer) => view.getBigUint64(pointer, true),
    store: ({ view }, value, pointer) => view.setBigUint64(pointer, value, true),
    lift: (_, value: bigint) => BigInt.asUintN(64, value),
    lower: (value) => BigInt.asIntN(64, value),
  }),
  f32: scalar<number>({
    size: 4,
    flat: "f32",
    load: ({ view }, pointer) => canonicalNan(view.getFloat32(pointer, true)),
    store: ({ view }, value, pointer) => view.setFloat32(pointer, canonicalNan(value), true),
    lift: (_, value: number) => canonicalNan(value),
    lower: (value) => canonicalNan(Math.fround(value)),
  }),
  f64: scalar<number>({
    size: 8,
    flat: "f64",
    load: ({ view }, pointer) => canonicalNan(view.getFloat64(pointer, true)),
    store: ({ view }, value, pointer) => view.setFloat64(pointer, canonicalNan(value), true),
    lift: (_, value: number) => canonicalNan(value),
    lower: canonicalNan,
  }),
  char: scalar<string>({
    size: 4,
    flat: "i32",
    load: (context, pointer) => liftChar(context, context.view.getUint32(pointer, true)),
    store: ({ view }, value, pointer) => view.setUint32(pointer, lowerChar(value), true),
    lift: liftChar,
    lower: lowerChar,
  }),
};

function canonicalNan(value: number): number {
  return Number.isNaN(value) ? Number.NaN : value;
}
