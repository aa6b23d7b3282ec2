/** Reads a WebAssembly binary (core spec 5.2). Every read is checked against the end. */
export class BinaryReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #offset: number;

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#offset = offset;
    this.#end = end;
  }

  /** From the beginning of the binary: what error messages name. */
  get offset(): number {
    return this.#offset;
  }

  get atEnd(): boolean {
    return this.#offset >= this.#end;
  }

  /** Bytes up to the end. A list has no more entries than that, whatever it says: each takes at least one. */
  get left(): number {
    return this.#end - this.#offset;
  }

  byte(): number {
    const value = this.#bytes[this.#offset];
    if (value === undefined || this.#offset >= this.#end) throw new BinaryError("ends in the middle", this.#offset);
    this.#offset++;
    return value;
  }

  /** Unsigned LEB128, at most 32 bits. */
  u32(): number {
    let value = 0;
    // Not by `u64`: most of a component are such numbers, and a bigint costs ten times as much.
    for (let scale = 1; scale < 2 ** 70; scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte >= 0x80) continue;
      if (value > 0xffff_ffff) throw new BinaryError("a number is larger than 32 bits", this.#offset);
      return value;
    }
    throw new BinaryError("a number is longer than any may be", this.#offset);
  }

  /** Unsigned LEB128, at most 64 bits. */
  u64(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) return value;
    }
    throw new BinaryError("a number is longer than any may be", this.#offset);
  }

  /** Signed LEB128, at most 33 bits: the form of what is an index or, below zero, a code (core spec 5.3.5). */
  s33(): number {
    const at = this.#offset;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      // Not `<<`: it would wrap at 32 bits.
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) {
        const signed = (byte & 0x40) === 0 ? value : value - 2 ** (shift + 7);
        if (signed >= 2 ** 32 || signed < -(2 ** 32)) break;
        return signed;
      }
    }
    throw new BinaryError("a number is larger than 33 bits", at);
  }

  /** A signed LEB128 whose value is of no interest. */
  skipSigned(): void {
    for (let length = 0; length < 10; length++) if ((this.byte() & 0x80) === 0) return;
    throw new BinaryError("a number is longer than any may be", this.#offset);
  }

  take(byteCount: number): Uint8Array {
    if (byteCount > this.#end - this.#offset) throw new BinaryError("ends in the middle", this.#end);
    const part = this.#bytes.subarray(this.#offset, this.#offset + byteCount);
    this.#offset += byteCount;
    return part;
  }

  /** A name: length and UTF-8. */
  name(): string {
    const at = this.#offset;
    const bytes = this.take(this.u32());
    try {
      return utf8.decode(bytes);
    } catch {
      throw new BinaryError("a name is not UTF-8", at);
    }
  }

  /** A reader of the next `byteCount` bytes, which this one skips. */
  part(byteCount: number): BinaryReader {
    const start = this.#offset;
    this.take(byteCount);
    return new BinaryReader(this.#bytes, start, start + byteCount);
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A binary that is not what it should be; the message says where. */
export class BinaryError extends Error {
  override readonly name = "BinaryError";
  readonly problem: string;
  readonly offset: number;

  constructor(problem: string, offset: number) {
    super(`${problem}, at byte 0x${offset.toString(16)}`);
    this.problem = problem;
    this.offset = offset;
  }
}

/** The component may be in order: it has what is in the format, and not in this linker. */
export class UnlinkedError extends BinaryError {}

/** `value` as unsigned LEB128. */
export function encodeUnsigned(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const more = rest > 0x7fn;
    bytes.push(Number(rest & 0x7fn) | (more ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return bytes;
}
