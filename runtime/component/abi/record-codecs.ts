import type { CanonicalContext } from "./canonical-context.ts";
import { alignTo, camelCase, flatOf, type Codec, type CoreValue } from "./codec.ts";

interface Member {
  readonly codec: Codec;
  readonly offset: number;
  /** Where its core values begin among those of the whole. */
  readonly at: number;
}

interface Members {
  readonly size: number;
  readonly alignment: number;
  readonly flat: Codec["flat"];
  readonly members: readonly Member[];
}

/** CanonicalABI.md, "alignment_record", "elem_size_record". */
function layOut(codecs: readonly Codec[]): Members {
  const members: Member[] = [];
  let offset = 0;
  let at = 0;
  for (const codec of codecs) {
    offset = alignTo(offset, codec.alignment);
    members.push({ codec, offset, at });
    offset += codec.size;
    at += codec.flat.length;
  }
  const alignment = codecs.reduce((most, codec) => Math.max(most, codec.alignment), 1);
  return { members, alignment, size: alignTo(offset, alignment), flat: flatOf(codecs) };
}

/** `tuple<…>`: an array. */
export function tupleCodec(codecs: readonly Codec[]): Codec {
  const { members, ...layout } = layOut(codecs);
  return {
    ...layout,
    load: (context, pointer) => members.map(({ codec, offset }) => codec.load(context, pointer + offset)),
    store(context, value, pointer) {
      const items = value as readonly unknown[];
      for (let index = 0; index < members.length; index++) {
        const { codec, offset } = members[index] as Member;
        codec.store(context, items[index], pointer + offset);
      }
    },
    lift: (context, values, start) => members.map(({ codec, at }) => codec.lift(context, values, start + at)),
    lower(context, value, values) {
      const items = value as readonly unknown[];
      for (const [index, { codec }] of members.entries()) codec.lower(context, items[index], values);
    },
  };
}

type JsRecord = Record<string, unknown>;

/** `record { … }`: an object. */
export function recordCodec(fields: readonly { readonly name: string; readonly codec: Codec }[]): Codec {
  const { members, ...layout } = layOut(fields.map(({ codec }) => codec));
  const names = fields.map(({ name }) => camelCase(name));
  const each = (run: (member: Member) => unknown): JsRecord => {
    const record: JsRecord = {};
    for (const [index, member] of members.entries()) record[names[index] ?? ""] = run(member);
    return record;
  };
  return {
    ...layout,
    load: (context, pointer) => each(({ codec, offset }) => codec.load(context, pointer + offset)),
    store(context, value, pointer) {
      const record = value as JsRecord;
      for (const [index, { codec, offset }] of members.entries()) {
        codec.store(context, record[names[index] ?? ""], pointer + offset);
      }
    },
    lift: (context, values, start) => each(({ codec, at }) => codec.lift(context, values, start + at)),
    lower(context, value, values) {
      const record = value as JsRecord;
      for (const [index, { codec }] of members.entries()) codec.lower(context, record[names[index] ?? ""], values);
    },
  };
}

/** `flags { … }`: an object of booleans; at most 32 of them (Explainer.md, "flags"). */
export function flagsCodec(labels: readonly string[]): Codec {
  const names = labels.map(camelCase);
  const size = names.length <= 8 ? 1 : names.length <= 16 ? 2 : 4;
  const fromBits = (bits: number): JsRecord => {
    const flags: JsRecord = {};
    for (const [index, name] of names.entries()) flags[name] = ((bits >>> index) & 1) === 1;
    return flags;
  };
  const toBits = (value: unknown): number => {
    const flags = value as JsRecord;
    let bits = 0;
    for (const [index, name] of names.entries()) if (flags[name] === true) bits |= 1 << index;
    return bits;
  };
  return {
    size,
    alignment: size,
    flat: ["i32"],
    load: (context, pointer) => fromBits(loadUnsigned(context, pointer, size)),
    store: (context, value, pointer) => storeUnsigned(context, pointer, toBits(value), size),
    lift: (_context, values, at) => fromBits(Number(values[at])),
    lower: (_context, value, values: CoreValue[]) => void values.push(toBits(value)),
  };
}

/** `size`: 1, 2 or 4 bytes. */
export function loadUnsigned(context: CanonicalContext, pointer: number, size: number): number {
  if (size === 1) return context.bytes[pointer] ?? 0;
  return size === 2 ? context.view.getUint16(pointer, true) : context.view.getUint32(pointer, true);
}

export function storeUnsigned(context: CanonicalContext, pointer: number, value: number, size: number): void {
  if (size === 1) context.bytes[pointer] = value;
  else if (size === 2) context.view.setUint16(pointer, value, true);
  else context.view.setUint32(pointer, value, true);
}
