import { alignTo, camelCase, type CoreType } from "../../abi/codec.ts";
import { CodecTable } from "../../abi/codec-table.ts";
import { elementsOf } from "../../abi/list-codec.ts";
import { functionResources, functionTransfers, typeResources, typeTransfers } from "../../link/type-resources.ts";
import type { FunctionType, TypeIndex, ValueType } from "../../link/value-type.ts";
import type { WasiInterfaces } from "../interfaces.ts";

/** What a type comes to, in memory and as core values (CanonicalABI.md, "Alignment", "Element Size", "Flattening"). */
export interface Layout {
  readonly size: number;
  readonly alignment: number;
  readonly flat: readonly CoreType[];
}

interface Case {
  readonly name: string;
  readonly type: TypeIndex | undefined;
}

/** WASI's types with their layouts, which are those of the codecs: there is one place where they are worked out. */
export class Layouts {
  readonly #interfaces: WasiInterfaces;
  readonly #codecs: CodecTable;

  constructor(interfaces: WasiInterfaces) {
    this.#interfaces = interfaces;
    const { types, resources } = interfaces;
    this.#codecs = new CodecTable({ types, resources: resources.map((name) => ({ kind: "host", ...name })) });
  }

  type(index: TypeIndex): ValueType {
    const type = this.#interfaces.types[index];
    if (type === undefined) throw new RangeError(`WASI has no type ${index}`);
    return type;
  }

  of(index: TypeIndex): Layout {
    return this.#codecs.codec(index);
  }

  /** How JavaScript counts one element of a list. */
  heldBytes(element: TypeIndex): number {
    return elementsOf(this.#codecs.codec(element), this.type(element).kind).heldBytes;
  }

  resource(number: number): string {
    return this.#interfaces.resources[number]?.name ?? "";
  }

  /** Of a record or tuple: where each part begins. */
  parts(index: TypeIndex): readonly { readonly key: string; readonly type: TypeIndex; readonly offset: number }[] {
    const type = this.type(index);
    const parts =
      type.kind === "record"
        ? type.fields.map(({ name, type: part }) => ({ key: `.${camelCase(name)}`, type: part }))
        : type.kind === "tuple"
          ? type.items.map((part, at) => ({ key: `[${at}]`, type: part }))
          : [];
    const { fields } = this.inARow(parts.map(({ type: part }) => part));
    return parts.map((part, at) => ({ ...part, offset: fields[at]?.offset ?? 0 }));
  }

  /** Values that lie one after the other. */
  inARow(types: readonly TypeIndex[]): Omit<Layout, "flat"> & {
    readonly fields: readonly { readonly type: TypeIndex; readonly offset: number }[];
  } {
    let end = 0;
    const fields = types.map((type) => {
      const { size, alignment } = this.of(type);
      const offset = alignTo(end, alignment);
      end = offset + size;
      return { type, offset };
    });
    const alignment = Math.max(1, ...types.map((type) => this.of(type).alignment));
    return { fields, size: alignTo(end, alignment), alignment };
  }

  /** Of a variant, an option or a result; `some` and `none`, `ok` and `err`. */
  cases(index: TypeIndex): readonly Case[] {
    const type = this.type(index);
    if (type.kind === "variant") return type.cases.map(({ name, type: payload }) => ({ name, type: payload }));
    if (type.kind === "option") {
      return [
        { name: "none", type: undefined },
        { name: "some", type: type.some },
      ];
    }
    if (type.kind !== "result") throw new TypeError(`a ${type.kind} has no cases`);
    return [
      { name: "ok", type: type.ok },
      { name: "err", type: type.err },
    ];
  }

  payloadOffset(index: TypeIndex): number {
    const payloads = this.cases(index).flatMap(({ type }) => (type === undefined ? [] : [this.of(type).alignment]));
    return alignTo(1, Math.max(1, ...payloads));
  }

  /** The resources in a function's type by name, in the order in which the linker has their numbers. */
  functionResources(type: FunctionType): readonly string[] {
    return functionResources(type, (index) => this.type(index)).map((number) => this.resource(number));
  }

  /** The names of the types of the streams and futures in a function's type, one for each place in which one is passed. */
  functionTransfers(type: FunctionType): readonly string[] {
    return functionTransfers(type, (index) => this.type(index)).map((index) => this.transferName(index));
  }

  /** What code has to be told that passes a value of a type: the types of handles in it. */
  handleTypes(index: TypeIndex): readonly { readonly name: string; readonly is: string }[] {
    const typeAt = (one: TypeIndex): ValueType => this.type(one);
    const resources = typeResources([index], typeAt).map((number) => `${camelCase(this.resource(number))}Type`);
    const transfers = typeTransfers(index, typeAt).map((one) => this.transferName(one));
    return [
      ...resources.map((name) => ({ name, is: "number" })),
      ...new Set(transfers).values().map((name) => ({ name, is: "TransferredType | undefined" })),
    ];
  }

  /** `stream48Type` */
  transferName(index: TypeIndex): string {
    return `${this.type(index).kind}${index}Type`;
  }
}
