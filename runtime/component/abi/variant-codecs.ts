import type { CanonicalContext } from "./canonical-context.ts";
import { alignTo, type Codec, type CoreType, type CoreValue } from "./codec.ts";
import { loadUnsigned, storeUnsigned } from "./record-codecs.ts";

/** How JavaScript writes the cases of a variant. */
interface Cases {
  readonly indexOf: (value: unknown) => number;
  readonly payloadOf: (value: unknown) => unknown;
  readonly make: (index: number, payload: unknown) => unknown;
}

interface Tagged {
  readonly tag: string;
  readonly val?: unknown;
}

/** `variant { … }`: `{ tag, val }`. */
export function variantCodec(cases: readonly { readonly name: string; readonly codec: Codec | undefined }[]): Codec {
  const names = new CaseNames(cases.map(({ name }) => name));
  const indexOf: Cases["indexOf"] = (value) => names.index((value as Tagged).tag);
  const make: Cases["make"] = (index, payload) => {
    const { name, codec } = cases[index] ?? { name: "", codec: undefined };
    return codec === undefined ? { tag: name } : { tag: name, val: payload };
  };
  return casesCodec(
    cases.map(({ codec }) => codec),
    { indexOf, payloadOf: valueOf, make },
  );
}

const valueOf = (value: unknown): unknown => (value as Tagged).val;

/** `enum { … }`: the name. */
export function enumCodec(names: readonly string[]): Codec {
  const cases = new CaseNames(names);
  return casesCodec(
    names.map(() => undefined),
    {
      indexOf: (value) => cases.index(String(value)),
      payloadOf: () => undefined,
      make: (index) => names[index],
    },
  );
}

/** `result<T, E>`: `{ tag: "ok" | "err", val }`. */
export const resultCodec = (ok: Codec | undefined, err: Codec | undefined): Codec =>
  casesCodec([ok, err], {
    indexOf: (value) => ((value as Tagged).tag === "ok" ? 0 : 1),
    payloadOf: valueOf,
    make: (index, val) => ({ tag: index === 0 ? "ok" : "err", val }),
  });

/** `option<T>`: the value or `undefined`; when T is an option itself `{ tag: "some", val }` or `{ tag: "none" }`. */
export const optionCodec = (some: Codec, isNested: boolean): Codec =>
  casesCodec(
    [undefined, some],
    isNested
      ? {
          indexOf: (value) => ((value as Tagged).tag === "some" ? 1 : 0),
          payloadOf: valueOf,
          make: (index, val) => (index === 0 ? { tag: "none" } : { tag: "some", val }),
        }
      : {
          indexOf: (value) => (value === undefined || value === null ? 0 : 1),
          payloadOf: (value) => value,
          make: (index, payload) => (index === 0 ? undefined : payload),
        },
  );

/** The cases of a variant or an enum. */
export class CaseNames {
  readonly #names: readonly string[];
  readonly #indexByName: ReadonlyMap<string, number>;

  constructor(names: readonly string[]) {
    this.#names = names;
    this.#indexByName = new Map(names.map((name, index) => [name, index]));
  }

  index(name: string): number {
    const index = this.#indexByName.get(name);
    // The host's own mistake, not the guest's.
    if (index === undefined) throw new TypeError(`no case is called ${name}`);
    return index;
  }

  /** @throws GuestFault when there is no such case */
  name(context: CanonicalContext, index: number): string {
    return this.#names[index] ?? noCase(context, index, this.#names.length);
  }
}

/** @throws GuestFault always */
export function noCase(context: CanonicalContext, index: number, count: number): never {
  return context.state.trap(`a variant has ${count} cases, and this is case ${index}`);
}

/** CanonicalABI.md, "load_variant", "store_variant", "lift_flat_variant", "lower_flat_variant". */
function casesCodec(payloads: readonly (Codec | undefined)[], { indexOf, payloadOf, make }: Cases): Codec {
  const count = payloads.length;
  const tagSize = count <= 0x100 ? 1 : count <= 0x1_0000 ? 2 : 4;
  const known = payloads.filter((codec) => codec !== undefined);
  const payloadAlignment = known.reduce((most, codec) => Math.max(most, codec.alignment), 1);
  const payloadSize = known.reduce((most, codec) => Math.max(most, codec.size), 0);
  const alignment = Math.max(tagSize, payloadAlignment);
  const payloadOffset = alignTo(tagSize, payloadAlignment);
  const joined = joinFlat(known);
  const passages = payloads.map((codec) => (codec === undefined ? undefined : passage(codec, joined)));
  const checked = (context: CanonicalContext, index: number): number => {
    if (index >= count) noCase(context, index, count);
    return index;
  };
  return {
    size: alignTo(payloadOffset + payloadSize, alignment),
    alignment,
    flat: ["i32", ...joined],
    load(context, pointer) {
      const index = checked(context, loadUnsigned(context, pointer, tagSize));
      return make(index, payloads[index]?.load(context, pointer + payloadOffset));
    },
    store(context, value, pointer) {
      const index = indexOf(value);
      storeUnsigned(context, pointer, index, tagSize);
      const payload = payloads[index];
      if (payload !== undefined) payload.store(context, payloadOf(value), pointer + payloadOffset);
    },
    lift(context, values, at) {
      const index = checked(context, Number(values[at]) >>> 0);
      return make(index, passages[index]?.lift(context, values, at + 1));
    },
    lower(context, value, values) {
      const index = indexOf(value);
      values.push(index);
      const end = values.length + joined.length;
      passages[index]?.lower(context, payloadOf(value), values);
      while (values.length < end) values.push(zeroOf(joined[joined.length - (end - values.length)]));
    },
  };
}

const zeroOf = (type: CoreType | undefined): CoreValue => (type === "i64" ? 0n : 0);

/** The core types that any of the cases fits in (CanonicalABI.md, "flatten_variant"). */
function joinFlat(codecs: readonly Codec[]): readonly CoreType[] {
  const joined: CoreType[] = [];
  for (const { flat } of codecs) {
    for (const [index, type] of flat.entries()) {
      const other = joined[index];
      joined[index] = other === undefined ? type : join(other, type);
    }
  }
  return joined;
}

function join(a: CoreType, b: CoreType): CoreType {
  if (a === b) return a;
  return (a === "i32" && b === "f32") || (a === "f32" && b === "i32") ? "i32" : "i64";
}

type Passage = Pick<Codec, "lift" | "lower">;

/** A payload whose core values travel in others, where another case has wider ones. */
function passage(codec: Codec, joined: readonly CoreType[]): Passage {
  const { flat } = codec;
  if (flat.every((type, index) => type === joined[index])) return codec;
  return {
    lift(context, values, at) {
      const own = flat.map((type, index) => narrow(values[at + index] ?? 0, joined[index], type));
      return codec.lift(context, own, 0);
    },
    lower(context, value, values) {
      const own: CoreValue[] = [];
      codec.lower(context, value, own);
      for (const [index, type] of flat.entries()) values.push(widen(own[index] ?? 0, type, joined[index]));
    },
  };
}

const scratch = new DataView(new ArrayBuffer(8));

function narrow(value: CoreValue, from: CoreType | undefined, to: CoreType): CoreValue {
  if (from === to) return value;
  if (from === "i64" && to === "i32") return Number(BigInt.asIntN(32, BigInt(value)));
  if (from === "i64") scratch.setBigInt64(0, BigInt.asIntN(64, BigInt(value)), true);
  else scratch.setInt32(0, Number(value), true);
  return to === "f64" ? scratch.getFloat64(0, true) : scratch.getFloat32(0, true);
}

function widen(value: CoreValue, from: CoreType, to: CoreType | undefined): CoreValue {
  if (from === to) return value;
  if (from === "i32") return BigInt(Number(value) >>> 0);
  if (from === "f64") {
    scratch.setFloat64(0, Number(value), true);
    return scratch.getBigInt64(0, true);
  }
  scratch.setFloat32(0, Number(value), true);
  return to === "i64" ? BigInt(scratch.getUint32(0, true)) : scratch.getInt32(0, true);
}
