/**
 * The instructions that V8 14.6 accepts by default, as far as a scan needs them: what follows each opcode (its
 * immediates), and which of them change what cannot be put back from outside. A test holds the table to V8.
 */
export const immediates = {
  /** Not in the table. */
  unknown: 0,
  none: 1,
  /** One LEB128 number: an index, a label, a constant, a heap type. */
  number: 2,
  twoNumbers: 3,
  /** A heap type or a value type of several bytes. */
  block: 4,
  valueTypes: 5,
  /** `br_table`: a vector of labels and one more. */
  labels: 6,
  /** Alignment, with the memory's index where bit 6 is set, and offset. */
  memory: 7,
  memoryAndLane: 8,
  byte: 9,
  bytes4: 10,
  bytes8: 11,
  bytes16: 12,
  /** `try_table`: a block type and a vector of catch clauses. */
  catches: 13,
  /** `br_on_cast`: flags, a label and two heap types. */
  cast: 14,
  /** One of the pages of opcodes below follows. */
  page: 15,
} as const;

type Row = readonly [first: number, last: number, immediates: number];

function table(size: number, rows: readonly Row[], holes: readonly number[] = []): Uint8Array {
  const kinds = new Uint8Array(size);
  for (const [first, last, kind] of rows) kinds.fill(kind, first, last + 1);
  for (const hole of holes) kinds[hole] = immediates.unknown;
  return kinds;
}

export const plainOpcodes = table(256, [
  [0x00, 0x01, immediates.none], // unreachable, nop
  [0x02, 0x04, immediates.block], // block, loop, if
  [0x05, 0x05, immediates.none], // else
  [0x06, 0x06, immediates.block], // try (old exceptions)
  [0x07, 0x09, immediates.number], // catch, throw, rethrow
  [0x0a, 0x0b, immediates.none], // throw_ref, end
  [0x0c, 0x0d, immediates.number], // br, br_if
  [0x0e, 0x0e, immediates.labels], // br_table
  [0x0f, 0x0f, immediates.none], // return
  [0x10, 0x10, immediates.number], // call
  [0x11, 0x11, immediates.twoNumbers], // call_indirect
  [0x12, 0x12, immediates.number], // return_call
  [0x13, 0x13, immediates.twoNumbers], // return_call_indirect
  [0x14, 0x15, immediates.number], // call_ref, return_call_ref
  [0x18, 0x18, immediates.number], // delegate
  [0x19, 0x1b, immediates.none], // catch_all, drop, select
  [0x1c, 0x1c, immediates.valueTypes], // select with types
  [0x1f, 0x1f, immediates.catches], // try_table
  [0x20, 0x26, immediates.number], // local.*, global.*, table.get, table.set
  [0x28, 0x3e, immediates.memory], // loads and stores
  [0x3f, 0x42, immediates.number], // memory.size, memory.grow, i32.const, i64.const
  [0x43, 0x43, immediates.bytes4], // f32.const
  [0x44, 0x44, immediates.bytes8], // f64.const
  [0x45, 0xc4, immediates.none], // numbers, sign extension
  [0xd0, 0xd0, immediates.number], // ref.null
  [0xd1, 0xd1, immediates.none], // ref.is_null
  [0xd2, 0xd2, immediates.number], // ref.func
  [0xd3, 0xd4, immediates.none], // ref.eq, ref.as_non_null
  [0xd5, 0xd6, immediates.number], // br_on_null, br_on_non_null
  [0xfb, 0xfe, immediates.page],
]);

const garbageCollection = table(0x1f, [
  [0, 1, immediates.number], // struct.new, struct.new_default
  [2, 5, immediates.twoNumbers], // struct.get, get_s, get_u, set
  [6, 7, immediates.number], // array.new, array.new_default
  [8, 10, immediates.twoNumbers], // array.new_fixed, new_data, new_elem
  [11, 14, immediates.number], // array.get, get_s, get_u, set
  [15, 15, immediates.none], // array.len
  [16, 16, immediates.number], // array.fill
  [17, 19, immediates.twoNumbers], // array.copy, init_data, init_elem
  [20, 23, immediates.number], // ref.test, ref.cast, and with null
  [24, 25, immediates.cast], // br_on_cast, br_on_cast_fail
  [26, 30, immediates.none], // conversions, i31
]);

const bulk = table(0x12, [
  [0, 7, immediates.none], // saturating conversions
  [8, 8, immediates.twoNumbers], // memory.init
  [9, 9, immediates.number], // data.drop
  [10, 10, immediates.twoNumbers], // memory.copy
  [11, 11, immediates.number], // memory.fill
  [12, 12, immediates.twoNumbers], // table.init
  [13, 13, immediates.number], // elem.drop
  [14, 14, immediates.twoNumbers], // table.copy
  [15, 17, immediates.number], // table.grow, size, fill
]);

const vectors = table(
  0x114,
  [
    [0x00, 0x0b, immediates.memory], // v128.load*, splats of loads, v128.store
    [0x0c, 0x0d, immediates.bytes16], // v128.const, i8x16.shuffle
    [0x0e, 0x14, immediates.none], // swizzle, splats
    [0x15, 0x22, immediates.byte], // lanes out and in
    [0x23, 0x53, immediates.none],
    [0x54, 0x5b, immediates.memoryAndLane], // lanes from and to memory
    [0x5c, 0x5d, immediates.memory], // load with zeros
    [0x5e, 0xff, immediates.none],
    [0x100, 0x113, immediates.none], // relaxed
  ],
  [
    0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb, 0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2,
    0xee,
  ],
);

const atomics = table(0x4f, [
  [0x00, 0x02, immediates.memory], // notify, wait32, wait64
  [0x03, 0x03, immediates.byte], // fence
  [0x10, 0x4e, immediates.memory],
]);

/** The opcodes behind the prefix bytes. */
export const opcodePages: ReadonlyMap<number, Uint8Array> = new Map([
  [0xfb, garbageCollection],
  [0xfc, bulk],
  [0xfd, vectors],
  [0xfe, atomics],
]);

const changesTable = "its code changes a table while it runs";
const dropsSegment = "its code drops a segment, which is then gone for good";
const writesObject = "its code writes to objects of the garbage-collected heap, which cannot be read from outside";
const waits = "its code waits on memory for another thread";

/** Why a module with this instruction cannot be put back from outside, by prefix × 2^16 + opcode. */
export const lastingEffects: ReadonlyMap<number, string> = new Map([
  [0x26, changesTable], // table.set
  [0xfb_0005, writesObject], // struct.set
  [0xfb_000e, writesObject], // array.set
  [0xfb_0010, writesObject], // array.fill
  [0xfb_0011, writesObject], // array.copy
  [0xfb_0012, writesObject], // array.init_data
  [0xfb_0013, writesObject], // array.init_elem
  [0xfc_0009, dropsSegment], // data.drop
  [0xfc_000c, changesTable], // table.init
  [0xfc_000d, dropsSegment], // elem.drop
  [0xfc_000e, changesTable], // table.copy
  [0xfc_000f, changesTable], // table.grow
  [0xfc_0011, changesTable], // table.fill
  [0xfe_0001, waits], // memory.atomic.wait32
  [0xfe_0002, waits], // memory.atomic.wait64
]);
