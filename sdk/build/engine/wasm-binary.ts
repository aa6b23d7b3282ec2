import { BuildFault } from "../fault.ts";

/** WebAssembly's binary format as far as rewriting needs it: https://webassembly.github.io/spec/core/binary. */
export interface Section {
  readonly id: number;
  readonly content: Uint8Array;
}

const preambleBytes = 8;

export class Reader {
  readonly bytes: Uint8Array;
  offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.bytes = bytes;
    this.offset = offset;
  }

  get done(): boolean {
    return this.offset >= this.bytes.length;
  }

  byte(): number {
    const byte = this.bytes[this.offset++];
    if (byte === undefined)
      throw new BuildFault("COMPONENT_INVALID", `the WebAssembly binary ends in the middle, at byte ${this.offset}`);
    return byte;
  }

  /** Unsigned LEB128 of at most 32 bits. */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80 && value <= 0xffff_ffff) return value;
      if (byte < 0x80) break;
    }
    throw new BuildFault("COMPONENT_INVALID", `a number at byte ${this.offset} is too long`);
  }

  /** Signed LEB128 of 32 bits. */
  s32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return shift < 25 && (byte & 0x40) !== 0 ? value | (-1 << (shift + 7)) : value;
    }
    throw new BuildFault("COMPONENT_INVALID", `a number at byte ${this.offset} is too long`);
  }

  take(byteCount: number): Uint8Array {
    const end = this.offset + byteCount;
    if (end > this.bytes.length) {
      throw new BuildFault("COMPONENT_INVALID", `the WebAssembly binary ends in the middle, at byte ${this.offset}`);
    }
    const taken = this.bytes.subarray(this.offset, end);
    this.offset = end;
    return taken;
  }

  name(): string {
    return new TextDecoder().decode(this.take(this.u32()));
  }
}

export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest % 128) + (rest >= 128 ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return bytes;
}

export function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const byte = rest & 0x7f;
    rest >>= 7;
    const last = (rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0);
    bytes.push(last ? byte : byte | 0x80);
    if (last) return bytes;
  }
}

/** Signed LEB128 of a 64-bit number. */
export function signed64(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const byte = Number(rest & 0x7fn);
    rest >>= 7n;
    const last = (rest === 0n && (byte & 0x40) === 0) || (rest === -1n && (byte & 0x40) !== 0);
    bytes.push(last ? byte : byte | 0x80);
    if (last) return bytes;
  }
}

/** The first eight bytes, which say module or component, and the sections. */
export function sectionsOf(binary: Uint8Array): {
  readonly preamble: Uint8Array;
  readonly sections: readonly Section[];
} {
  const reader = new Reader(binary);
  const preamble = reader.take(preambleBytes);
  const sections: Section[] = [];
  while (!reader.done) {
    const id = reader.byte();
    sections.push({ id, content: reader.take(reader.u32()) });
  }
  return { preamble, sections };
}

export function binaryOf(preamble: Uint8Array, sections: readonly Section[]): Uint8Array {
  const parts: Uint8Array[] = [preamble];
  for (const { id, content } of sections) parts.push(Uint8Array.from([id, ...unsigned(content.length)]), content);
  return Buffer.concat(parts);
}
