import { unreachable } from "@shallop/sdk/internal";
import { BinaryError } from "../leb128.ts";
import { placeOf, type Place } from "./value-place.ts";
import { isScalar, type FunctionType, type TypeIndex, type ValueType } from "./value-type.ts";

/** Types in each other, as in wasmtime: code that walks a type may recurse. */
const depthMax = 100;
/**
 * Parts of a type when everything that is shared is written out, as in wasm-tools (MAX_TYPE_SIZE): a tuple of two of a tuple of
 * two … doubles with each line. The elements of a list are one part, however many there are: nothing is made for each.
 */
const partsMax = 1_000_000;
/** CanonicalABI.md, "Element Size": what one value may have in a memory of 64 bits is less than this. */
const bytesEnd = 2 ** 28;

/** What is known of a type without walking it. */
export interface TypeFacts {
  readonly depth: number;
  readonly parts: number;
  /** It holds a borrowed handle, which may be no result. */
  readonly hasBorrow: boolean;
  /** It holds a list or string, which is in memory wherever the value itself is. */
  readonly hasPointer: boolean;
  /** How many core values it becomes (CanonicalABI.md, "Flattening"). */
  readonly flat: number;
  /** In a memory of 64 bits, whose pointers are the widest. */
  readonly place: Place;
}

/**
 * All value types that are met while a component is resolved. Equal types have the same index, so two types are compared by
 * comparing their indices. Resources are numbers that the caller gives out.
 */
export class TypeArena {
  readonly #types: ValueType[] = [];
  readonly #facts: TypeFacts[] = [];
  readonly #byText = new Map<string, TypeIndex>();
  readonly #functions = new Map<string, FunctionType>();

  /** @throws BinaryError when a value of it would be too large for any memory */
  add(type: ValueType, offset: number): TypeIndex {
    const index = this.addPart(type, offset);
    const { bytes } = this.facts(index).place;
    if (bytes >= bytesEnd)
      throw new BinaryError(`a value of a type has ${bytes} bytes; ${bytesEnd - 1} is the most`, offset);
    return index;
  }

  /** A type of no value by itself, whose size nothing bounds: what is in a list. */
  addPart(type: ValueType, offset: number): TypeIndex {
    const text = JSON.stringify(type);
    const known = this.#byText.get(text);
    if (known !== undefined) return known;
    const facts = this.#measure(type);
    if (facts.depth > depthMax) throw new BinaryError(`a type is nested more than ${depthMax} deep`, offset);
    if (facts.parts > partsMax) throw new BinaryError(`a type has more than ${partsMax} parts`, offset);
    this.#types.push(type);
    this.#facts.push(facts);
    this.#byText.set(text, this.#types.length - 1);
    return this.#types.length - 1;
  }

  /** The same object for equal types of functions. */
  addFunction(type: FunctionType): FunctionType {
    const text = JSON.stringify(type);
    const known = this.#functions.get(text);
    if (known === undefined) this.#functions.set(text, type);
    return known ?? type;
  }

  get(index: TypeIndex): ValueType {
    const type = this.#types[index];
    if (type === undefined) throw new RangeError(`no type ${index}`);
    return type;
  }

  facts(index: TypeIndex): TypeFacts {
    const facts = this.#facts[index];
    if (facts === undefined) throw new RangeError(`no type ${index}`);
    return facts;
  }

  #measure(type: ValueType): TypeFacts {
    const inner: TypeFacts[] = [];
    mapValueType(type, {
      resource: (resource) => resource,
      type: (index) => {
        inner.push(this.facts(index));
        return index;
      },
    });
    const sum = (key: "parts" | "flat"): number => inner.reduce((total, facts) => total + facts[key], 0);
    return {
      depth: inner.reduce((deepest, { depth }) => Math.max(deepest, depth), 0) + 1,
      parts: sum("parts") + 1,
      hasBorrow: type.kind === "borrow" || inner.some(({ hasBorrow }) => hasBorrow),
      hasPointer: isPointer(type) || (!isHandle(type) && inner.some(({ hasPointer }) => hasPointer)),
      flat: flatCount(
        type,
        sum("flat"),
        inner.reduce((most, { flat }) => Math.max(most, flat), 0),
      ),
      place: placeOf(
        type,
        inner.map(({ place }) => place),
      ),
    };
  }
}

const isPointer = (type: ValueType): boolean =>
  type.kind === "string" || (type.kind === "list" && type.length === undefined);

/** What is in a stream or future is not in the value. */
const isHandle = ({ kind }: ValueType): boolean => kind === "stream" || kind === "future";

function flatCount(type: ValueType, sum: number, most: number): number {
  if (isScalar(type)) return 1;
  switch (type.kind) {
    case "string":
      return 2;
    case "list":
      return type.length === undefined ? 2 : type.length * sum;
    case "record":
    case "tuple":
      return sum;
    case "variant":
    case "option":
    case "result":
      // The case, and room for the largest.
      return 1 + most;
    case "enum":
    case "flags":
    case "own":
    case "borrow":
    case "stream":
    case "future":
    case "error-context":
      return 1;
    default:
      return unreachable(type);
  }
}

/** How the numbers in a type are to be changed. */
export interface TypeMapping {
  type(index: TypeIndex): TypeIndex;
  resource(resource: number): number;
}

/** The same type with other numbers. */
export function mapValueType(type: ValueType, mapping: TypeMapping): ValueType {
  if (isScalar(type)) return type;
  switch (type.kind) {
    case "list":
      return { ...type, element: mapping.type(type.element) };
    case "record":
      return { ...type, fields: type.fields.map((field) => ({ ...field, type: mapping.type(field.type) })) };
    case "tuple":
      return { ...type, items: type.items.map((item) => mapping.type(item)) };
    case "variant":
      return {
        ...type,
        cases: type.cases.map((one) => (one.type === undefined ? one : { ...one, type: mapping.type(one.type) })),
      };
    case "option":
      return { ...type, some: mapping.type(type.some) };
    case "result":
      return {
        ...type,
        ...(type.ok === undefined ? {} : { ok: mapping.type(type.ok) }),
        ...(type.err === undefined ? {} : { err: mapping.type(type.err) }),
      };
    case "own":
    case "borrow":
      return { ...type, resource: mapping.resource(type.resource) };
    case "stream":
    case "future":
      return type.element === undefined ? type : { ...type, element: mapping.type(type.element) };
    case "string":
    case "enum":
    case "flags":
    case "error-context":
      return type;
    default:
      return unreachable(type);
  }
}

export function mapFunctionType(type: FunctionType, mapping: TypeMapping): FunctionType {
  return {
    ...type,
    params: type.params.map((param) => ({ ...param, type: mapping.type(param.type) })),
    ...(type.result === undefined ? {} : { result: mapping.type(type.result) }),
  };
}
