import { describe, expect, test } from "vitest";
import { encodeUnsigned } from "../leb128.ts";
import { exposeState } from "./expose-state.ts";
import { immediates, lastingEffects, opcodePages, plainOpcodes } from "./opcodes.ts";

// V8 is the oracle: each opcode is put behind `unreachable`, where any operands fit, and V8 must accept it with the
// immediates that the table says and refuse it with any when the table has none. Indices are bytes that are no opcodes
// (below), so that V8, if it took fewer bytes than the table says, would meet an instruction that it refuses.
const functionType = 0x16;
const wideStruct = 0x17;
const byteArray = 0x1d;
const byteStruct = 0x1e;
const referenceArray = 0x27;
const last = 0x27;
const indices = [functionType, wideStruct, byteArray, byteStruct, referenceArray];
const count = last + 1;

const repeat = (times: number, bytes: (index: number) => readonly number[]): number[] =>
  Array.from({ length: times }, (_, index) => bytes(index)).flat();
const length = (value: number): number[] => encodeUnsigned(BigInt(value));
const section = (id: number, content: readonly number[]): number[] => [id, ...length(content.length), ...content];

function typeAt(index: number): readonly number[] {
  if (index === wideStruct) return [0x5f, count, ...repeat(count, () => [0x7f, 1])];
  if (index === byteStruct) return [0x5f, count, ...repeat(count, () => [0x78, 1])];
  if (index === byteArray) return [0x5e, 0x78, 1];
  if (index === referenceArray) return [0x5e, 0x70, 1];
  return [0x60, 0, 0];
}

const before = Buffer.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, [count, ...repeat(count, typeAt)]),
  ...section(3, [count, ...repeat(count, () => [functionType])]),
  ...section(4, [count, ...repeat(count, () => [0x70, 0, 1])]),
  ...section(5, [count, ...repeat(count, () => [0, 0])]),
  ...section(13, [count, ...repeat(count, () => [0, functionType])]),
  ...section(6, [count, ...repeat(count, () => [0x7f, 1, 0x41, 0, 0x0b])]),
  ...section(9, [count, ...repeat(count, () => [1, 0, 1, last])]),
  ...section(12, [count]),
]);
const after = Buffer.from(section(11, [count, ...repeat(count, () => [1, 1, 0])]));

/** A label of this depth takes a reference, the others nothing. */
const referenceLabel = 0x1d;
const unreachable = 0x00;
const end = 0x0b;

const blocks = repeat(count, (index) => [0x02, count - 1 - index === referenceLabel ? 0x6e : 0x40]);
const bodyStart = [1, count, 0x7f, ...blocks, unreachable];
const bodyEnd = [unreachable, ...repeat(count, () => [end, unreachable]), end];
const otherBodies = repeat(count - 1, () => [2, 0, end]);

/** A module whose first function has the code in 40 blocks. */
function moduleWith(code: readonly number[]): Uint8Array {
  const body = [...bodyStart, ...code, ...bodyEnd];
  const content = [count, ...length(body.length), ...body, ...otherBodies];
  return Buffer.concat([before, Buffer.from(section(10, content)), after]);
}

const candidates: Readonly<Record<number, readonly (readonly number[])[]>> = {
  [immediates.none]: [[]],
  [immediates.number]: [...indices.map((index) => [index]), [0x70]],
  [immediates.twoNumbers]: indices.flatMap((first) => indices.map((second) => [first, second])),
  [immediates.block]: [[functionType]],
  [immediates.valueTypes]: [[1, 0x7f]],
  [immediates.labels]: [[1, last, last]],
  [immediates.memory]: [0x40, 0x41, 0x42, 0x43].map((alignment) => [alignment, last, last]),
  [immediates.memoryAndLane]: [[0x40, last, last, 0]],
  [immediates.byte]: [[0]],
  [immediates.bytes4]: [[last, last, last, last]],
  [immediates.bytes8]: [repeat(8, () => [last])],
  [immediates.bytes16]: [repeat(16, () => [functionType])],
  [immediates.catches]: [[functionType, 2, 0, last, last, 2, last]],
  [immediates.cast]: [[3, referenceLabel, 0x6e, 0x6c]],
};

const inCatch = [0x06, 0x40, 0x07, last];
/** What is open before the opcode, and how many `end`s may follow it. */
const contexts = [
  { open: [], ends: [0, 1] },
  { open: [0x04, 0x40], ends: [1] }, // else
  { open: [0x06, 0x40], ends: [0, 1] }, // delegate, catch
  { open: [...inCatch, ...repeat(functionType, () => [0x02, 0x40])], ends: [functionType + 1] }, // rethrow
];
const plainContext = contexts.slice(0, 1);

function accepted(opcode: readonly number[], kinds: readonly number[], inAny: boolean): Uint8Array | undefined {
  for (const { open, ends } of inAny ? contexts : plainContext) {
    for (const ending of ends.map((times) => repeat(times, () => [unreachable, end]))) {
      for (const bytes of kinds.flatMap((kind) => candidates[kind] ?? [])) {
        const module = moduleWith([...open, ...opcode, ...bytes, ...ending]);
        if (WebAssembly.validate(module)) return module;
      }
    }
  }
  return undefined;
}

const allKinds = Object.keys(candidates).map(Number);

/** The table and V8 agree on the opcode. */
function check(opcode: readonly number[], key: number, kind: number): void {
  const name = `0x${key.toString(16)}`;
  if (kind === immediates.unknown) {
    expect(accepted(opcode, allKinds, false), `${name} is unknown here, and V8 takes it`).toBeUndefined();
    return;
  }
  const module = accepted(opcode, [kind], opcode.length === 1);
  expect(module, `V8 refuses ${name} as it is in the table`).toBeDefined();
  const { reason } = exposeState(module!).state;
  expect(reason, name).toBe(lastingEffects.get(key));
}

describe("the table of opcodes is V8's", () => {
  test("plain", () => {
    for (const [opcode, kind] of plainOpcodes.entries()) {
      if (kind !== immediates.page) check([opcode], opcode, kind);
    }
  });

  test.each([
    { page: 0xfb, to: 0x40 },
    { page: 0xfc, to: 0x20 },
    { page: 0xfd, to: 0x130 },
    { page: 0xfe, to: 0x60 },
  ])("page $page", ({ page, to }) => {
    const kinds = opcodePages.get(page)!;
    expect(kinds.length).toBeLessThanOrEqual(to);
    for (let opcode = 0; opcode < to; opcode++) {
      check([page, ...length(opcode)], page * 0x1_0000 + opcode, kinds[opcode] ?? immediates.unknown);
    }
  });
});
