import { unreachable } from "@shallop/sdk/internal";
import type { ResourceName, TypeTable } from "./typed-surface.ts";
import { isScalar, type FunctionType, type TypeIndex, type ValueType } from "./value-type.ts";

/**
 * Compares types that are in two tables, by structure. The names of parameters are of no matter: nothing is called by
 * them. Types have no cycles, and a bound on their depth.
 */
export class TypeComparison {
  readonly #one: TypeTable;
  readonly #other: TypeTable;
  readonly #sameResource: (one: ResourceName | undefined, other: ResourceName | undefined) => boolean;
  /** Pairs that are known to be equal: a type with shared parts is not walked part by part. */
  readonly #equal = new Map<TypeIndex, TypeIndex>();

  constructor(
    one: TypeTable,
    other: TypeTable,
    sameResource: (one: ResourceName | undefined, other: ResourceName | undefined) => boolean,
  ) {
    this.#one = one;
    this.#other = other;
    this.#sameResource = sameResource;
  }

  functions(one: FunctionType, other: FunctionType): boolean {
    return (
      one.async === other.async &&
      this.#all(
        one.params.map(({ type }) => type),
        other.params.map(({ type }) => type),
      ) &&
      this.#optional(one.result, other.result)
    );
  }

  #values(one: TypeIndex, other: TypeIndex): boolean {
    if (this.#equal.get(one) === other) return true;
    const isSame = this.#shapes(this.#one.type(one), this.#other.type(other));
    if (isSame) this.#equal.set(one, other);
    return isSame;
  }

  #shapes(one: ValueType, other: ValueType): boolean {
    if (isScalar(one)) return other.kind === one.kind;
    switch (one.kind) {
      case "list":
        return other.kind === "list" && one.length === other.length && this.#values(one.element, other.element);
      case "record":
        return other.kind === "record" && sameNames(one.fields, other.fields) && this.#parts(one.fields, other.fields);
      case "tuple":
        return other.kind === "tuple" && this.#all(one.items, other.items);
      case "variant":
        return other.kind === "variant" && sameNames(one.cases, other.cases) && this.#parts(one.cases, other.cases);
      case "enum":
      case "flags":
        return other.kind === one.kind && sameTexts(one.names, other.names);
      case "option":
        return other.kind === "option" && this.#values(one.some, other.some);
      case "result":
        return other.kind === "result" && this.#optional(one.ok, other.ok) && this.#optional(one.err, other.err);
      case "own":
      case "borrow":
        return (
          other.kind === one.kind &&
          this.#sameResource(this.#one.resource(one.resource), this.#other.resource(other.resource))
        );
      case "stream":
      case "future":
        return other.kind === one.kind && this.#optional(one.element, other.element);
      case "string":
      case "error-context":
        return other.kind === one.kind;
      default:
        return unreachable(one);
    }
  }

  #parts(one: readonly Part[], other: readonly Part[]): boolean {
    return one.every(({ type }, index) => this.#optional(type, other[index]?.type));
  }

  #all(one: readonly TypeIndex[], other: readonly TypeIndex[]): boolean {
    return one.length === other.length && one.every((type, index) => this.#optional(type, other[index]));
  }

  #optional(one: TypeIndex | undefined, other: TypeIndex | undefined): boolean {
    if (one === undefined || other === undefined) return one === other;
    return this.#values(one, other);
  }
}

interface Part {
  readonly type?: TypeIndex;
}

interface Named {
  readonly name: string;
}

const sameNames = (one: readonly Named[], other: readonly Named[]): boolean =>
  one.length === other.length && one.every(({ name }, index) => name === other[index]?.name);
const sameTexts = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((text, index) => text === other[index]);
