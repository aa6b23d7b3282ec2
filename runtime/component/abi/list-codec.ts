import type { ScalarKind } from "../link/value-type.ts";
import type { CanonicalContext } from "./canonical-context.ts";
import { flatOf, type Codec } from "./codec.ts";

// CanonicalABI.md, "MAX_LIST_BYTE_LENGTH".
const listBytesMax = 2 ** 28 - 1;
const pointerBytes = 4;

export interface ElementLayout {
  readonly size: number;
  readonly alignment: number;
  /** What JavaScript needs for one, about. */
  readonly heldBytes: number;
}

/** How the elements lie in memory. */
export interface Elements extends ElementLayout {
  readonly read: (context: CanonicalContext, pointer: number, count: number) => unknown;
  readonly write: (context: CanonicalContext, values: ArrayLike<unknown>, pointer: number) => void;
  /** The list of these elements, as JavaScript has it. */
  readonly of: (values: readonly unknown[]) => unknown;
}

/** `list<T>` (CanonicalABI.md, "load_list_from_range", "store_list_into_range"). */
export function listCodec(element: Codec, kind: string): Codec {
  const elements = elementsOf(element, kind);
  const read = (context: CanonicalContext, pointer: number, count: number): unknown => {
    checkList(context, pointer, count, elements);
    return elements.read(context, pointer, count);
  };
  const write = (context: CanonicalContext, values: ArrayLike<unknown>): number => {
    const pointer = allocateList(context, values.length, elements);
    elements.write(context, values, pointer);
    return pointer;
  };
  return {
    size: 2 * pointerBytes,
    alignment: pointerBytes,
    flat: ["i32", "i32"],
    load(context, pointer) {
      const { view } = context;
      return read(context, view.getUint32(pointer, true), view.getUint32(pointer + pointerBytes, true));
    },
    lift: (context, values, at) => read(context, Number(values[at]) >>> 0, Number(values[at + 1]) >>> 0),
    store(context, value, pointer) {
      const values = value as ArrayLike<unknown>;
      storeListAt(context, pointer, write(context, values), values.length);
    },
    lower(context, value, values) {
      const list = value as ArrayLike<unknown>;
      values.push(write(context, list), list.length);
    },
  };
}

/** Before a list is read. @throws GuestFault when it is not all in the memory, or too long */
export function checkList(
  context: CanonicalContext,
  pointer: number,
  count: number,
  { size, alignment, heldBytes }: ElementLayout,
): void {
  checkLength(context, count * size);
  context.check(pointer, count * size, alignment);
  context.takePassed(count * heldBytes);
}

/** Space for a list. @throws GuestFault when the guest gives none that is usable */
export function allocateList(
  context: CanonicalContext,
  count: number,
  { size, alignment }: Omit<ElementLayout, "heldBytes">,
): number {
  checkLength(context, count * size);
  return context.allocate(count * size, alignment);
}

function checkLength(context: CanonicalContext, byteLength: number): void {
  if (byteLength > listBytesMax) context.state.trap(`a list has ${byteLength} bytes; ${listBytesMax} is the most`);
}

/** `list<u8>`. @throws GuestFault */
export function readOctets(context: CanonicalContext, pointer: number, count: number): Uint8Array {
  checkList(context, pointer, count, octets);
  return octets.read(context, pointer, count) as Uint8Array;
}

/** Pointer and length are written to `at`, the bytes where the guest's `realloc` says. @throws GuestFault */
export function storeOctets(context: CanonicalContext, bytes: Uint8Array, at: number): void {
  const pointer = allocateList(context, bytes.length, octets);
  context.bytes.set(bytes, pointer);
  storeListAt(context, at, pointer, bytes.length);
}

/** Where a list lies, and how many it is of. */
export function storeListAt({ view }: CanonicalContext, at: number, pointer: number, count: number): void {
  view.setUint32(at, pointer, true);
  view.setUint32(at + pointerBytes, count, true);
}

/** `list<T, N>`: its elements lie where it lies. */
export function fixedListCodec(element: Codec, kind: string, length: number): Codec {
  const elements = elementsOf(element, kind);
  return {
    size: elements.size * length,
    alignment: elements.alignment,
    flat: flatOf([element], length),
    load(context, pointer) {
      context.takePassed(length * elements.heldBytes);
      return elements.read(context, pointer, length);
    },
    store: (context, value, pointer) => elements.write(context, value as ArrayLike<unknown>, pointer),
    lift(context, values, at) {
      const stride = element.flat.length;
      return elements.of(Array.from({ length }, (_, index) => element.lift(context, values, at + index * stride)));
    },
    lower(context, value, values) {
      const list = value as ArrayLike<unknown>;
      for (let index = 0; index < length; index++) element.lower(context, list[index], values);
    },
  };
}

export const elementsOf = (element: Codec, kind: string): Elements =>
  (numberElements as Readonly<Record<string, Elements | undefined>>)[kind] ?? valueElements(element);

// An object with a property or two, or a short string.
const objectBytes = 64;

const valueElements = (element: Codec): Elements => ({
  size: element.size,
  heldBytes: Math.max(objectBytes, element.size),
  alignment: element.alignment,
  of: (values) => values,
  read(context, pointer, count) {
    const values: unknown[] = [];
    for (let index = 0; index < count; index++) values.push(element.load(context, pointer + index * element.size));
    return values;
  },
  write(context, values, pointer) {
    for (let index = 0; index < values.length; index++) {
      element.store(context, values[index], pointer + index * element.size);
    }
  },
});

interface NumberArray extends ArrayLike<unknown> {
  readonly buffer: ArrayBuffer;
  readonly byteOffset: number;
  readonly byteLength: number;
}

interface NumberArrayClass {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer): NumberArray;
  from(values: ArrayLike<never>): NumberArray;
}

/** Numbers are copied as bytes: all machines that Node runs on here have the order of bytes that WebAssembly has. */
function numbers(type: unknown): Elements {
  const arrayClass = type as NumberArrayClass;
  const size = arrayClass.BYTES_PER_ELEMENT;
  return {
    size,
    alignment: size,
    heldBytes: size,
    of: (values) => arrayClass.from(values as readonly never[]),
    // A copy: the guest's memory is another's tomorrow.
    read: ({ view }, pointer, count) =>
      new arrayClass(view.buffer.slice(pointer, pointer + count * size) as ArrayBuffer),
    write({ bytes }, values, pointer) {
      const array = values instanceof arrayClass ? values : arrayClass.from(values as ArrayLike<never>);
      const { buffer, byteOffset, byteLength } = array;
      bytes.set(new Uint8Array(buffer, byteOffset, byteLength), pointer);
    },
  };
}

// A buffer of its own costs ten times what a view of one costs (0.6 µs): small lists share one that no guest ever sees.
const slabBytes = 64 * 1024;
const sharedBytesMax = 4 * 1024;
let slab = new ArrayBuffer(slabBytes);
let slabUsedBytes = 0;

function newBytes(count: number): Uint8Array {
  if (count > sharedBytesMax) return new Uint8Array(count);
  if (slabUsedBytes + count > slabBytes) {
    slab = new ArrayBuffer(slabBytes);
    slabUsedBytes = 0;
  }
  const bytes = new Uint8Array(slab, slabUsedBytes, count);
  slabUsedBytes += count;
  return bytes;
}

/** As `numbers`, and quicker: what a guest reads and writes are bytes, mostly few of them. */
const octets: Elements = {
  size: 1,
  alignment: 1,
  heldBytes: 1,
  of: (values) => Uint8Array.from(values as readonly number[]),
  // A copy: the guest's memory is another's tomorrow.
  read({ bytes }, pointer, count) {
    const copy = newBytes(count);
    bytes.copy(copy, 0, pointer, pointer + count);
    return copy;
  },
  write({ bytes }, values, pointer) {
    bytes.set(values as ArrayLike<number>, pointer);
  },
};

type NumberKind = Exclude<ScalarKind, "bool" | "char" | "f32" | "f64">;

// Floating-point numbers are read one by one: each NaN becomes the canonical one.
const numberElements: Readonly<Record<NumberKind, Elements>> = {
  u8: octets,
  s8: numbers(Int8Array),
  u16: numbers(Uint16Array),
  s16: numbers(Int16Array),
  u32: numbers(Uint32Array),
  s32: numbers(Int32Array),
  u64: numbers(BigUint64Array),
  s64: numbers(BigInt64Array),
};
