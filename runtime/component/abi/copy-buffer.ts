import type { CanonicalContext } from "./canonical-context.ts";
import type { Codec } from "./codec.ts";
import { type Elements, elementsOf } from "./list-codec.ts";
import type { Items } from "./stream.ts";

/** CanonicalABI.md, "Buffer.MAX_LENGTH": the rest of the 32 bits says how a copy ended. */
const lengthMax = 2 ** 28 - 1;

/** What a stream or future carries; a stream without a type carries nothing, and counts. */
export interface ItemType {
  readonly codec: Codec | undefined;
  readonly elements: Elements | undefined;
  /** Numbers are copied as bytes. */
  readonly isNumber: boolean;
}

const numberKinds: ReadonlySet<string> = new Set(["u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "f64"]);

export const itemType = (codec: Codec | undefined, kind: string): ItemType => ({
  codec,
  elements: codec && elementsOf(codec, kind),
  isNumber: codec === undefined || numberKinds.has(kind),
});

/** Memory of a guest that a stream or future is read into or written from (CanonicalABI.md, "Buffer State"). */
export class GuestBuffer {
  readonly context: CanonicalContext;
  readonly length: number;
  progress = 0;
  readonly #pointer: number;
  readonly #itemBytes: number;

  /** @throws GuestFault when the memory is not the guest's, or not aligned */
  constructor(type: ItemType, context: CanonicalContext, place: { readonly pointer: number; readonly length: number }) {
    const { pointer, length } = place;
    if (length > lengthMax) context.state.trap(`${length} items are copied at once; ${lengthMax} is the most`);
    this.#itemBytes = type.codec?.size ?? 0;
    if (type.codec !== undefined && length > 0) {
      context.check(pointer, length * this.#itemBytes, type.codec.alignment);
    }
    this.context = context;
    this.length = length;
    this.#pointer = pointer;
  }

  get remain(): number {
    return this.length - this.progress;
  }

  /** Where the next item is. */
  get pointer(): number {
    return this.#pointer + this.progress * this.#itemBytes;
  }
}

/** Where the host reads into: it has what came in the first copy. */
export class HostBuffer {
  readonly length: number;
  items: Items<unknown> | undefined;

  constructor(length: number) {
    this.length = length;
  }

  get remain(): number {
    return this.items === undefined ? this.length : 0;
  }
}

/** From one guest's memory to another's, or to the host. */
export function copyItems(
  { codec, elements, isNumber }: ItemType,
  from: GuestBuffer,
  to: GuestBuffer | HostBuffer,
  count: number,
): void {
  const { context, pointer } = from;
  if (to instanceof HostBuffer) to.items = readItems(from, elements, count);
  else if (codec !== undefined && isNumber) {
    const bytes = context.bytes.subarray(pointer, pointer + count * codec.size);
    to.context.bytes.set(bytes, to.pointer);
  } else if (codec !== undefined) {
    const { pointer: target } = to;
    for (let index = 0; index < count; index++) {
      context.beginLift();
      const value = codec.load(context, pointer + index * codec.size);
      codec.store(to.context, value, target + index * codec.size);
    }
  }
  from.progress += count;
  if (to instanceof GuestBuffer) to.progress += count;
}

function readItems({ context, pointer }: GuestBuffer, elements: Elements | undefined, count: number): Items<unknown> {
  if (elements === undefined) return Array.from({ length: count });
  context.beginLift();
  context.takePassed(count * elements.heldBytes);
  return elements.read(context, pointer, count) as Items<unknown>;
}

/** Items of the host into a guest's memory. */
export function storeItems({ elements }: ItemType, items: Items<unknown>, to: GuestBuffer): void {
  elements?.write(to.context, items, to.pointer);
  to.progress += items.length;
}

/** A part of `items`, of the same kind. */
export function sliceItems(items: Items<unknown>, start: number, end: number): Items<unknown> {
  if (start === 0 && end >= items.length) return items;
  if (ArrayBuffer.isView(items)) return (items as unknown as Uint8Array).subarray(start, end);
  return Array.prototype.slice.call(items, start, end) as unknown[];
}
