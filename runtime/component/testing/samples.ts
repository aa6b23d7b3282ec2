import type { ResourcePlan } from "../link/link-plan.ts";
import { scalarKinds, type PrimitiveKind, type ValueType } from "../link/value-type.ts";

/** Repeatable chance: a linear congruential generator (Numerical Recipes). */
export function chance(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const primitiveKinds = [...scalarKinds, "string"] as const;

/** Where widths end, and numbers that are like no others. */
const edgesOf: Readonly<Partial<Record<PrimitiveKind, readonly unknown[]>>> = {
  s8: [-128, 127, 0],
  u8: [0, 255],
  s16: [-(2 ** 15), 2 ** 15 - 1],
  u16: [0, 2 ** 16 - 1],
  s32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 31, 2 ** 32 - 1],
  s64: [-(2n ** 63n), 2n ** 63n - 1n, -1n, 2n ** 53n + 1n],
  u64: [0n, 2n ** 63n, 2n ** 64n - 1n],
  f32: [Number.NaN, -0, Infinity, -Infinity, Math.fround(1e-45), Math.fround(3.4028235e38)],
  f64: [Number.NaN, -0, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE],
  char: ["\u0000", "\uD7FF", "\uE000", "\uFFFF", "\u{10000}", "\u{10FFFF}"],
};

export const compoundKinds = [
  "list",
  "fixed",
  "record",
  "tuple",
  "variant",
  "enum",
  "flags",
  "option",
  "result",
  "own",
] as const;
type CompoundKind = (typeof compoundKinds)[number];

/** A type and a value of it, as the tests make them. */
export interface Sample {
  readonly type: number;
  readonly value: () => unknown;
}

/** The resource of all handles among the samples: the host's `thing`. */
export const sampleResources: readonly ResourcePlan[] = [{ kind: "host", interface: "test:host/api", name: "thing" }];

/** A `thing`, which is like no other. */
export class SampleThing {
  readonly id: number;

  constructor(id: number) {
    this.id = id;
  }
}

/** Makes types at random, and values of them. */
export class Samples {
  readonly types: ValueType[] = [];
  readonly #below: (below: number) => number;
  readonly #kinds: readonly CompoundKind[];
  #things = 0;

  constructor(below: (below: number) => number, kinds: readonly CompoundKind[] = compoundKinds) {
    this.#below = below;
    this.#kinds = kinds;
  }

  any(depth: number): Sample {
    if (depth === 0 || this.#below(4) === 0) return this.#scalar();
    const kind = this.#kinds[this.#below(this.#kinds.length)] ?? "list";
    return this[kind](depth - 1);
  }

  #add(type: ValueType, value: () => unknown): Sample {
    return { type: this.types.push(type) - 1, value };
  }

  #several(depth: number): readonly Sample[] {
    return Array.from({ length: 1 + this.#below(4) }, () => this.any(depth));
  }

  #scalar(): Sample {
    const kind = primitiveKinds[this.#below(primitiveKinds.length)] ?? "u8";
    return this.#add({ kind }, () => this.#scalarValue(kind));
  }

  #scalarValue(kind: PrimitiveKind): unknown {
    const edges = edgesOf[kind];
    if (edges !== undefined && this.#below(3) === 0) return edges[this.#below(edges.length)];
    const bits = (this.#below(2 ** 16) * 2 ** 16 + this.#below(2 ** 16)) | 0;
    const wide = (BigInt(bits) << 32n) | BigInt(this.#below(2 ** 32));
    const texts = ["", "a", "header-name", "größe", "漢字 and more of it, long enough", "🦀".repeat(9), "\u0000"];
    const values: Record<typeof kind, unknown> = {
      bool: bits < 0,
      s8: (bits << 24) >> 24,
      u8: bits & 0xff,
      s16: (bits << 16) >> 16,
      u16: bits & 0xffff,
      s32: bits,
      u32: bits >>> 0,
      s64: BigInt.asIntN(64, wide),
      u64: BigInt.asUintN(64, wide),
      f32: Math.fround(bits / 7),
      f64: this.#below(9) === 0 ? Number.NaN : bits / 7,
      char: ["a", "ß", "漢", "🦀", "\u{10FFFF}"][this.#below(5)],
      string: texts[this.#below(texts.length)],
    };
    return values[kind];
  }

  list(depth: number): Sample {
    const element = this.any(depth);
    return this.#add({ kind: "list", element: element.type }, () => this.#items(element, this.#below(5)));
  }

  fixed(depth: number): Sample {
    const element = this.any(depth);
    const length = 1 + this.#below(3);
    return this.#add({ kind: "list", element: element.type, length }, () => this.#items(element, length));
  }

  #items(element: Sample, length: number): unknown {
    const items = Array.from({ length }, element.value);
    const { kind } = this.types[element.type] ?? { kind: "u8" };
    const arrays: Record<string, ((items: never) => unknown) | undefined> = {
      u8: (all) => Uint8Array.from(all),
      s8: (all) => Int8Array.from(all),
      u16: (all) => Uint16Array.from(all),
      s16: (all) => Int16Array.from(all),
      u32: (all) => Uint32Array.from(all),
      s32: (all) => Int32Array.from(all),
      u64: (all) => BigUint64Array.from(all),
      s64: (all) => BigInt64Array.from(all),
    };
    return arrays[kind]?.(items as never) ?? items;
  }

  record(depth: number): Sample {
    const members = this.#several(depth);
    const fields = members.map(({ type }, index) => ({ name: `the-field-${index}`, type }));
    return this.#add({ kind: "record", fields }, () =>
      Object.fromEntries(members.map(({ value }, index) => [`theField${index}`, value()])),
    );
  }

  tuple(depth: number): Sample {
    const members = this.#several(depth);
    return this.#add({ kind: "tuple", items: members.map(({ type }) => type) }, () =>
      members.map(({ value }) => value()),
    );
  }

  variant(depth: number): Sample {
    const members = [undefined, ...this.#several(depth)];
    const cases = members.map((member, index) => ({
      name: `case-${index}`,
      ...(member === undefined ? {} : { type: member.type }),
    }));
    return this.#add({ kind: "variant", cases }, () => {
      const index = this.#below(members.length);
      const member = members[index];
      return member === undefined ? { tag: `case-${index}` } : { tag: `case-${index}`, val: member.value() };
    });
  }

  own(): Sample {
    return this.#add({ kind: "own", resource: 0 }, () => new SampleThing(this.#things++));
  }

  enum(): Sample {
    const names = Array.from({ length: this.#below(2) === 0 ? 3 : 300 }, (_, index) => `name-${index}`);
    return this.#add({ kind: "enum", names }, () => names[this.#below(names.length)]);
  }

  flags(): Sample {
    const names = Array.from({ length: 1 + this.#below(32) }, (_, index) => `flag-x${index}`);
    return this.#add({ kind: "flags", names }, () =>
      Object.fromEntries(names.map((_, index) => [`flagX${index}`, this.#below(2) === 0])),
    );
  }

  option(depth: number): Sample {
    const some = this.any(depth);
    const isNested = this.types[some.type]?.kind === "option";
    return this.#add({ kind: "option", some: some.type }, () => {
      const isNone = this.#below(3) === 0;
      if (!isNested) return isNone ? undefined : some.value();
      return isNone ? { tag: "none" } : { tag: "some", val: some.value() };
    });
  }

  result(depth: number): Sample {
    const ok = this.any(depth);
    const err = this.#below(2) === 0 ? undefined : this.any(depth);
    const type: ValueType = { kind: "result", ok: ok.type, ...(err === undefined ? {} : { err: err.type }) };
    return this.#add(type, () =>
      this.#below(2) === 0 ? { tag: "ok", val: ok.value() } : { tag: "err", val: err?.value() },
    );
  }
}
