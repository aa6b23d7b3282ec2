import { camelCase } from "../../abi/codec.ts";
import type { TypeIndex, ValueType } from "../../link/value-type.ts";

/** An object of the host, known by its number. */
export class Thing {
  readonly id: number;

  constructor(id: number) {
    this.id = id;
  }
}

/** A stream or future of the host, known by its number, which nobody reads. */
export class Source extends Thing {
  read(): never {
    throw new Error("a source was read");
  }

  drop(): void {}
}

export interface ValueSettings {
  readonly types: readonly ValueType[];
  readonly below: (below: number) => number;
  /** Makes an object for a handle of the resource. */
  readonly thing: (resource: number) => object;
}

const texts = ["", "a", "content-type", "größe", "漢字 and more", "🦀".repeat(3)];

/** A value of one of WASI's types, at random, as JavaScript has it. */
export function valueOf(index: TypeIndex, settings: ValueSettings): unknown {
  const { types, below, thing } = settings;
  const type = types[index] as ValueType;
  const of = (part: TypeIndex | undefined): unknown => (part === undefined ? undefined : valueOf(part, settings));
  const bits = (width: number): number => (below(3) === 0 ? 2 ** width - 1 : below(2 ** width));
  // WASI has no values of other kinds; one that comes is refused.
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check
  switch (type.kind) {
    case "bool":
      return below(2) === 1;
    case "u8":
      return bits(8);
    case "u16":
      return bits(16);
    case "u32":
      return bits(32);
    case "s32":
      return bits(32) | 0;
    case "u64":
      return (BigInt(bits(32)) << 32n) | BigInt(bits(32));
    case "s64":
      return BigInt.asIntN(64, (BigInt(bits(32)) << 32n) | BigInt(bits(32)));
    case "string":
      return texts[below(texts.length)];
    case "list": {
      const items = Array.from({ length: below(4) }, () => of(type.element));
      return types[type.element]?.kind === "u8" ? Uint8Array.from(items as number[]) : items;
    }
    case "record":
      return Object.fromEntries(type.fields.map((field) => [camelCase(field.name), of(field.type)]));
    case "tuple":
      return type.items.map(of);
    case "flags":
      return Object.fromEntries(type.names.map((name) => [camelCase(name), below(2) === 1]));
    case "enum":
      return type.names[below(type.names.length)];
    case "variant": {
      const one = type.cases[below(type.cases.length)];
      return { tag: one?.name, ...(one?.type === undefined ? {} : { val: of(one.type) }) };
    }
    case "option":
      return below(2) === 0 ? undefined : of(type.some);
    case "result":
      return below(2) === 0 ? { tag: "ok", val: of(type.ok) } : { tag: "err", val: of(type.err) };
    case "own":
    case "borrow":
      return thing(type.resource);
    case "stream":
    case "future":
      return new Source(below(1000));
    default:
      throw new TypeError(`no value of a ${type.kind} is made`);
  }
}
