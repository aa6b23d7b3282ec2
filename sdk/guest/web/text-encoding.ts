import { bytesOf, textOf } from "./utf8.ts";

// The Encoding standard, UTF-8 only: https://encoding.spec.whatwg.org. What is whole and well-formed takes the engine's own
// functions, and only the rest is read byte by byte.

export class TextEncoder {
  readonly encoding = "utf-8";

  encode(text = ""): Uint8Array {
    return bytesOf(String(text));
  }

  encodeInto(source: string, target: Uint8Array): { read: number; written: number } {
    return write(source, target);
  }
}

function write(source: string, target: Uint8Array): { read: number; written: number } {
  let written = 0;
  let read = 0;
  while (read < source.length) {
    let point = source.charCodeAt(read);
    let units = 1;
    if (point >= 0xd800 && point <= 0xdfff) {
      const whole = source.codePointAt(read) ?? 0;
      if (whole > 0xffff) [point, units] = [whole, 2];
      else point = 0xfffd;
    }
    const size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (written + size > target.length) break;
    if (size === 1) target[written] = point;
    else {
      target[written] = (point >> (6 * (size - 1))) | [0, 0, 0xc0, 0xe0, 0xf0][size]!;
      for (let rest = size - 2, at = written + 1; rest >= 0; rest--, at++)
        target[at] = ((point >> (6 * rest)) & 0x3f) | 0x80;
    }
    written += size;
    read += units;
  }
  return { read, written };
}

const nothing = new Uint8Array();

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}

const labels = new Set(["utf-8", "utf8", "unicode-1-1-utf-8", "unicode11utf8", "unicode20utf8", "x-unicode20utf8"]);

export class TextDecoder {
  readonly encoding = "utf-8";
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  #pending: Uint8Array = nothing;
  #bomSeen = false;

  constructor(label = "utf-8", options: { readonly fatal?: boolean; readonly ignoreBOM?: boolean } = {}) {
    if (label !== "utf-8" && !labels.has(label.trim().toLowerCase()))
      throw new RangeError(`TextDecoder knows utf-8 only, not ${label}`);
    this.fatal = options.fatal ?? false;
    this.ignoreBOM = options.ignoreBOM ?? false;
  }

  decode(input: ArrayBuffer | ArrayBufferView = new Uint8Array(), options: { readonly stream?: boolean } = {}): string {
    const fresh = ArrayBuffer.isView(input)
      ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
      : new Uint8Array(input);
    const bytes = this.#pending.length === 0 ? fresh : joined(this.#pending, fresh);
    const end = options.stream === true ? completeLength(bytes) : bytes.length;
    this.#pending = bytes.slice(end);
    let text = textOf(bytes.subarray(0, end)) ?? decodeUtf8(bytes, end, this.fatal);
    if (!this.#bomSeen && !this.ignoreBOM && text.startsWith("\ufeff")) text = text.slice(1);
    this.#bomSeen = options.stream === true && (this.#bomSeen || end > 0);
    return text;
  }
}

/** How much of `bytes` ends with a whole character: at most three bytes may belong to one that goes on. */
function completeLength(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) break;
    if (byte >= 0xc0) return sequenceLength(byte) > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

const sequenceLength = (lead: number): number =>
  lead >= 0xf0 && lead <= 0xf4 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;

// Arguments of one String.fromCharCode call: the engine's stack bounds it.
const unitsMax = 4096;

function decodeUtf8(bytes: Uint8Array, end: number, fatal: boolean): string {
  let text = "";
  let units: number[] = [];
  let at = 0;
  while (at < end) {
    const lead = bytes[at]!;
    if (lead < 0x80) {
      units.push(lead);
      at += 1;
    } else {
      const [point, size] = decodeOne(bytes, at, end);
      if (point === undefined && fatal) throw new TypeError("the encoded data was not valid utf-8");
      const value = point ?? 0xfffd;
      if (value > 0xffff) units.push(0xd800 + ((value - 0x10000) >> 10), 0xdc00 + ((value - 0x10000) & 0x3ff));
      else units.push(value);
      at += size;
    }
    if (units.length >= unitsMax) {
      text += String.fromCharCode(...units);
      units = [];
    }
  }
  return text + String.fromCharCode(...units);
}

/** One character of several bytes: its code point (undefined when ill-formed) and how many bytes it takes. */
function decodeOne(bytes: Uint8Array, at: number, end: number): [number | undefined, number] {
  const lead = bytes[at]!;
  const size = lead < 0xc2 || lead > 0xf4 ? 1 : sequenceLength(lead);
  if (size === 1) return [undefined, 1];
  // The second byte's range excludes overlong forms, surrogates and what is beyond Unicode.
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  let point = lead & (0xff >> (size + 1));
  for (let index = 1; index < size; index++) {
    const byte = bytes[at + index];
    const fits =
      at + index < end &&
      byte !== undefined &&
      byte >= (index === 1 ? low : 0x80) &&
      byte <= (index === 1 ? high : 0xbf);
    if (!fits) return [undefined, index];
    point = (point << 6) | (byte & 0x3f);
  }
  return [point, size];
}
