import { isUtf8 } from "node:buffer";
import type { CanonicalContext } from "./canonical-context.ts";
import type { Codec } from "./codec.ts";

// CanonicalABI.md, "MAX_STRING_BYTE_LENGTH".
const stringBytesMax = 2 ** 28 - 1;
/** In the length of a `latin1+utf16` string: its code units are UTF-16. */
const utf16Tag = 2 ** 31;
const pointerBytes = 4;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const utf16 = new TextDecoder("utf-16le", { fatal: true, ignoreBOM: true });

// Up to here it is faster to look for what is not ASCII than to call the decoder: names of headers, methods, paths.
const shortBytesMax = 256;

/** `string` (CanonicalABI.md, "load_string_from_range", "store_string_into_range"). */
export const stringCodec: Codec = {
  size: 2 * pointerBytes,
  alignment: pointerBytes,
  flat: ["i32", "i32"],
  load(context, pointer) {
    const { view } = context;
    return readString(context, view.getUint32(pointer, true), view.getUint32(pointer + pointerBytes, true));
  },
  lift: (context, values, at) => readString(context, Number(values[at]) >>> 0, Number(values[at + 1]) >>> 0),
  store: (context, value, pointer) => storeString(context, value as string, pointer),
  lower(context, value, values) {
    const { pointer, length } = write(context, value as string);
    values.push(pointer, length);
  },
};

/** `length` as the encoding counts it. @throws GuestFault */
export function readString(context: CanonicalContext, pointer: number, length: number): string {
  if (context.encoding === "utf8") return readUtf8(context, pointer, length);
  if (context.encoding === "utf16") return readUtf16(context, pointer, length);
  if (length >= utf16Tag) return readUtf16(context, pointer, length - utf16Tag);
  checkRange(context, pointer, length, 2);
  return context.bytes.toString("latin1", pointer, pointer + length);
}

/** Pointer and length are written to `at`, the text where the guest's `realloc` says. @throws GuestFault */
export function storeString(context: CanonicalContext, text: string, at: number): void {
  const { pointer, length } = write(context, text);
  const { view } = context;
  view.setUint32(at, pointer, true);
  view.setUint32(at + pointerBytes, length, true);
}

function readUtf8(context: CanonicalContext, pointer: number, length: number): string {
  checkRange(context, pointer, length, 1);
  const { bytes } = context;
  if (length <= shortBytesMax && isAscii(bytes, pointer, length))
    return bytes.toString("latin1", pointer, pointer + length);
  return decode(context, utf8, bytes.subarray(pointer, pointer + length));
}

/** From one guest's memory into another's. @throws GuestFault */
export function moveString(
  from: CanonicalContext,
  to: CanonicalContext,
  { pointer, length }: StringPlace,
): StringPlace {
  return write(to, readString(from, pointer, length));
}

/** `moveString`, where both have UTF-8: the bytes are looked at and copied. @returns the pointer; the length is the same */
export function copyUtf8(from: CanonicalContext, to: CanonicalContext, { pointer, length }: StringPlace): number {
  checkRange(from, pointer, length, 1);
  const end = pointer + length;
  if (length > shortBytesMax || !isAscii(from.bytes, pointer, length)) {
    if (!isUtf8(from.bytes.subarray(pointer, end))) from.state.trap("a string is not valid utf-8");
  }
  const copy = to.allocate(length, 1);
  from.bytes.copy(to.bytes, copy, pointer, end);
  return copy;
}

function isAscii(bytes: Uint8Array, pointer: number, length: number): boolean {
  for (let index = pointer; index < pointer + length; index++) if ((bytes[index] ?? 0) > 0x7f) return false;
  return true;
}

function readUtf16(context: CanonicalContext, pointer: number, length: number): string {
  checkRange(context, pointer, 2 * length, 2);
  return decode(context, utf16, context.bytes.subarray(pointer, pointer + 2 * length));
}

function decode(context: CanonicalContext, decoder: TextDecoder, bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    return context.state.trap(`a string is not valid ${decoder.encoding}`);
  }
}

/** Of a string that is about to be read. */
function checkRange(context: CanonicalContext, pointer: number, byteLength: number, alignment: number): void {
  if (byteLength > stringBytesMax)
    context.state.trap(`a string has ${byteLength} bytes; ${stringBytesMax} is the most`);
  context.check(pointer, byteLength, alignment);
  context.takePassed(byteLength);
}

/** Where a string lies. */
interface StringPlace {
  readonly pointer: number;
  /** As the encoding counts it: bytes, or code units. */
  readonly length: number;
}

function write(context: CanonicalContext, text: string): StringPlace {
  const { encoding } = context;
  if (encoding === "utf8") return writeUtf8(context, text);
  const wellFormed = text.toWellFormed();
  if (encoding === "latin1+utf16" && isLatin1(wellFormed)) {
    const pointer = context.allocate(text.length, 2);
    context.bytes.write(text, pointer, text.length, "latin1");
    return { pointer, length: text.length };
  }
  const tag = encoding === "latin1+utf16" ? utf16Tag : 0;
  return { pointer: writeUtf16(context, wellFormed), length: text.length + tag };
}

/** What a lone surrogate is in UTF-8 takes as many bytes as the replacement character, so that the length is right. */
function writeUtf8(context: CanonicalContext, text: string): StringPlace {
  const length = Buffer.byteLength(text, "utf8");
  checkLength(context, length);
  const pointer = context.allocate(length, 1);
  context.bytes.write(text, pointer, length, "utf8");
  return { pointer, length };
}

function writeUtf16(context: CanonicalContext, text: string): number {
  const length = 2 * text.length;
  checkLength(context, length);
  const pointer = context.allocate(length, 2);
  context.bytes.write(text, pointer, length, "utf16le");
  return pointer;
}

function checkLength(context: CanonicalContext, byteLength: number): void {
  if (byteLength > stringBytesMax)
    context.state.trap(`a string has ${byteLength} bytes; ${stringBytesMax} is the most`);
}

function isLatin1(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0xff) return false;
  return true;
}
