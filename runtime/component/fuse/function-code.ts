import type { CoreType } from "../abi/codec.ts";
import { typeCodes, u32 } from "../core-module/encode.ts";

/** A function that code calls; its number is known when all that a module imports is. */
export interface Callee extends Signature {
  index: number;
}

export interface Signature {
  readonly params: readonly WireType[];
  readonly results: readonly WireType[];
}

/** `externref`: something of JavaScript. */
export type WireType = CoreType | "externref";

/** A number of bytes in a memory, by an instruction of core WebAssembly. */
export interface Access {
  readonly opcode: number;
  /** Index of the memory. */
  readonly memory: number;
}

/** A place in a memory: what a local says, and bytes beyond it. */
export interface Place {
  readonly pointer: number;
  readonly offset: number;
}

export const instructions = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  call: 0x10,
  select: 0x1b,
  tryTable: 0x1f,
  globalGet: 0x23,
  i32Const: 0x41,
  f32Const: 0x43,
  f64Const: 0x44,
  i32Eqz: 0x45,
  i32Eq: 0x46,
  i32GeU: 0x4f,
  f32Eq: 0x5b,
  f64Eq: 0x61,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  i32Mul: 0x6c,
  i32And: 0x71,
  i32Xor: 0x73,
  i32WrapI64: 0xa7,
  i64ExtendI32U: 0xad,
  i32ReinterpretF32: 0xbc,
  i64ReinterpretF64: 0xbd,
  f32ReinterpretI32: 0xbe,
  f64ReinterpretI64: 0xbf,
  i32Extend8S: 0xc0,
  i32Extend16S: 0xc1,
  noResult: 0x40,
  externref: 0x6f,
} as const;

const localGet = 0x20;
const localSet = 0x21;
const localTee = 0x22;
/** On top of the flags of an access: a memory follows that is not the first. */
const memoryFollows = 0x40;

/** The code of a core function, as it is put together. */
export class FunctionCode implements Callee {
  readonly params: readonly CoreType[];
  readonly results: readonly CoreType[];
  index = -1;
  readonly #locals: CoreType[] = [];
  readonly #scratch = new Map<CoreType, number>();
  readonly #parts: (number | Callee)[] = [];

  constructor(params: readonly CoreType[], results: readonly CoreType[]) {
    this.params = params;
    this.results = results;
  }

  /** A new local, which is 0. */
  local(type: CoreType): number {
    return this.params.length + this.#locals.push(type) - 1;
  }

  /** The same local each time: for what is not kept beyond a few instructions. */
  scratch(type: CoreType): number {
    const known = this.#scratch.get(type) ?? this.local(type);
    this.#scratch.set(type, known);
    return known;
  }

  op(...bytes: readonly number[]): void {
    for (const byte of bytes) this.#parts.push(byte);
  }

  /** A number that an instruction has with it. */
  count(value: number): void {
    this.op(...u32(value));
  }

  get(local: number): void {
    this.op(localGet, ...u32(local));
  }

  set(local: number): void {
    this.op(localSet, ...u32(local));
  }

  tee(local: number): void {
    this.op(localTee, ...u32(local));
  }

  i32(value: number): void {
    this.op(instructions.i32Const, ...s32(value));
  }

  call(callee: Callee): void {
    this.#parts.push(instructions.call, callee);
  }

  /** The address is on the stack; for a store the value above it. */
  access({ opcode, memory }: Access, offset: number): void {
    if (memory === 0) this.op(opcode, 0, ...u32(offset));
    else this.op(opcode, memoryFollows, ...u32(memory), ...u32(offset));
  }

  /** Pushes a place as an address. */
  address({ pointer, offset }: Place): void {
    this.get(pointer);
    if (offset === 0) return;
    this.i32(offset);
    this.op(instructions.i32Add);
  }

  /** Destination, source and length are on the stack. */
  copy(to: number, from: number): void {
    this.op(0xfc, 0x0a, ...u32(to), ...u32(from));
  }

  /** As it stands in a module's code section. */
  encode(): Uint8Array {
    const bytes = [...u32(this.#locals.length)];
    for (const type of this.#locals) bytes.push(1, typeCodes[type]);
    for (const part of this.#parts) {
      if (typeof part === "number") bytes.push(part);
      else bytes.push(...u32(part.index));
    }
    bytes.push(instructions.end);
    return Uint8Array.from([...u32(bytes.length), ...bytes]);
  }
}

/** LEB128, signed. */
function s32(value: number): readonly number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}
