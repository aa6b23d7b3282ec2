import { BinaryError } from "../leb128.ts";
import { immediates, lastingEffects, opcodePages, plainOpcodes } from "./opcodes.ts";

const end = 0x0b;
const tableSet = 0x26;
/** Of an access to the first memory. */
const plainAlignmentMax = 0x0f;

/** Where what follows an LEB128 number begins. */
function numberEnd(bytes: Uint8Array, offset: number): number {
  let at = offset;
  while ((bytes[at] ?? 0) >= 0x80) at++;
  return at + 1;
}

/**
 * Steps over instructions (core spec 5.4) without a look at their types. Where it meets one that is unknown or that has
 * a lasting effect, it stops: its answer is the reason. Every step takes a byte at least, so hostile bytes only shorten it.
 */
export class CodeScan {
  readonly #bytes: Uint8Array;
  #offset: number;
  #end: number;

  constructor(bytes: Uint8Array, offset: number, end: number) {
    this.#bytes = bytes;
    this.#offset = offset;
    this.#end = end;
  }

  get offset(): number {
    return this.#offset;
  }

  /** All bodies of a code section's content. */
  functions(): string | undefined {
    const sectionEnd = this.#end;
    for (let count = this.#number(); count > 0; count--) {
      const bodyEnd = this.#number() + this.#offset;
      if (bodyEnd > sectionEnd) throw new BinaryError("a function is longer than its section", this.#offset);
      this.#end = bodyEnd;
      this.#locals();
      const reason = this.#instructions(bodyEnd);
      if (reason !== undefined) return reason;
      if (this.#bytes[bodyEnd - 1] !== end) throw new BinaryError("a function does not end", bodyEnd);
      this.#end = sectionEnd;
      this.#check();
    }
    return undefined;
  }

  /** Nearly all instructions are of three kinds: these are stepped over here, in one loop, which V8 soon compiles. */
  #instructions(bodyEnd: number): string | undefined {
    const bytes = this.#bytes;
    let offset = this.#offset;
    while (offset < bodyEnd) {
      const opcode = bytes[offset] ?? 0;
      const kind = plainOpcodes[opcode];
      if (kind === immediates.none) offset++;
      else if (kind === immediates.number && opcode !== tableSet) offset = numberEnd(bytes, offset + 1);
      else if (kind === immediates.memory && (bytes[offset + 1] ?? 0xff) <= plainAlignmentMax)
        offset = numberEnd(bytes, offset + 2);
      else {
        this.#offset = offset;
        const reason = this.#instruction();
        if (reason !== undefined) return reason;
        offset = this.#offset;
      }
    }
    this.#offset = offset;
    this.#check();
    return undefined;
  }

  /** A constant expression: no blocks in it, so the first `end` is its own. */
  expression(): string | undefined {
    for (;;) {
      if (this.#offset >= this.#end) throw new BinaryError("ends in the middle", this.#offset);
      if (this.#bytes[this.#offset] === end) {
        this.#offset++;
        return undefined;
      }
      const reason = this.#instruction();
      if (reason !== undefined) return reason;
    }
  }

  #instruction(): string | undefined {
    const opcode = this.#bytes[this.#offset++] ?? 0;
    const kind = plainOpcodes[opcode] ?? immediates.unknown;
    if (kind === immediates.page) return this.#prefixed(opcode);
    if (opcode === tableSet) return lastingEffects.get(opcode);
    return this.#immediates(kind, opcode);
  }

  #prefixed(prefix: number): string | undefined {
    const opcode = this.#number();
    const key = prefix * 0x1_0000 + opcode;
    return lastingEffects.get(key) ?? this.#immediates(opcodePages.get(prefix)?.[opcode] ?? immediates.unknown, key);
  }

  #immediates(kind: number, opcode: number): string | undefined {
    switch (kind) {
      case immediates.none:
        break;
      case immediates.number:
        this.#skipNumber();
        break;
      case immediates.twoNumbers:
        this.#skipNumber();
        this.#skipNumber();
        break;
      case immediates.memory:
        return this.#memory();
      case immediates.block:
        this.#type();
        break;
      case immediates.byte:
        this.#offset += 1;
        break;
      case immediates.bytes4:
        this.#offset += 4;
        break;
      case immediates.bytes8:
        this.#offset += 8;
        break;
      case immediates.bytes16:
        this.#offset += 16;
        break;
      default:
        return this.#rareImmediates(kind, opcode);
    }
    this.#check();
    return undefined;
  }

  #rareImmediates(kind: number, opcode: number): string | undefined {
    switch (kind) {
      case immediates.labels:
        for (let count = this.#number(); count >= 0; count--) this.#skipNumber();
        break;
      case immediates.valueTypes:
        for (let count = this.#number(); count > 0; count--) this.#type();
        break;
      case immediates.memoryAndLane: {
        const reason = this.#memory();
        if (reason !== undefined) return reason;
        this.#offset += 1;
        break;
      }
      case immediates.catches:
        this.#type();
        // catch and catch_ref name a tag; catch_all and catch_all_ref do not.
        for (let count = this.#number(); count > 0; count--) {
          const clause = this.#number();
          if (clause > 3) return "its code catches exceptions in a way that is not known here";
          if (clause < 2) this.#skipNumber();
          this.#skipNumber();
        }
        break;
      case immediates.cast:
        this.#offset += 1;
        this.#skipNumber();
        this.#skipNumber();
        this.#skipNumber();
        break;
      default:
        return `its code has the instruction 0x${opcode.toString(16)}, which is not known here`;
    }
    this.#check();
    return undefined;
  }

  #memory(): string | undefined {
    const alignment = this.#number();
    // Bit 6: a memory's index follows. Others would mean what this table does not know, such as a memory order.
    if ((alignment & ~0x4f) !== 0) return "its code reaches memory in a way that is not known here";
    if ((alignment & 0x40) !== 0) this.#skipNumber();
    this.#skipNumber();
    return undefined;
  }

  /** A block's type or a value's: one number, or `ref null` (0x63), `ref` (0x64) and a heap type. */
  #type(): void {
    const first = this.#bytes[this.#offset];
    if (first === 0x63 || first === 0x64) this.#offset++;
    this.#skipNumber();
  }

  #locals(): void {
    for (let count = this.#number(); count > 0; count--) {
      this.#skipNumber();
      this.#type();
    }
  }

  /** Unsigned LEB128 of at most 32 bits. */
  #number(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 28; scale *= 0x80) {
      const byte = this.#bytes[this.#offset++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        this.#check();
        return value;
      }
    }
    throw new BinaryError("a number is longer than any may be", this.#offset);
  }

  #skipNumber(): void {
    this.#offset = numberEnd(this.#bytes, this.#offset);
    this.#check();
  }

  #check(): void {
    if (this.#offset > this.#end) throw new BinaryError("ends in the middle", this.#end);
  }
}
