import { BinaryError, UnlinkedError } from "../leb128.ts";
import type {
  Canon,
  CanonOptions,
  PlainOp,
  ThreadSwitch,
  TransferCancel,
  TransferCopy,
  TransferOp,
} from "./component.ts";
import { readResult } from "./parse-types.ts";
import type { SectionReader } from "./section-reader.ts";

const plainOps: ReadonlyMap<number, PlainOp> = new Map([
  [0x05, "task.cancel"],
  // Gone from the format, and still made by tools of 2025: sets what inc and dec count.
  [0x08, "backpressure.set"],
  [0x0d, "subtask.drop"],
  [0x1e, "error-context.drop"],
  [0x1f, "waitable-set.new"],
  [0x22, "waitable-set.drop"],
  [0x23, "waitable.join"],
  [0x24, "backpressure.inc"],
  [0x25, "backpressure.dec"],
  [0x26, "thread.index"],
  [0x28, "thread.resume-later"],
]);
const resourceOps = new Map([
  [0x02, "resource.new"],
  [0x03, "resource.drop"],
  [0x04, "resource.rep"],
] as const);
const transferOps: ReadonlyMap<number, TransferOp> = new Map([
  [0x0e, "stream.new"],
  [0x13, "stream.drop-readable"],
  [0x14, "stream.drop-writable"],
  [0x15, "future.new"],
  [0x1a, "future.drop-readable"],
  [0x1b, "future.drop-writable"],
]);
const transferCopies: ReadonlyMap<number, TransferCopy> = new Map([
  [0x0f, "stream.read"],
  [0x10, "stream.write"],
  [0x16, "future.read"],
  [0x17, "future.write"],
]);
const transferCancels: ReadonlyMap<number, TransferCancel> = new Map([
  [0x11, "stream.cancel-read"],
  [0x12, "stream.cancel-write"],
  [0x18, "future.cancel-read"],
  [0x19, "future.cancel-write"],
]);
const threadSwitches: ReadonlyMap<number, ThreadSwitch> = new Map([
  [0x0c, "thread.yield"],
  [0x29, "thread.suspend"],
  [0x2a, "thread.suspend-then-resume"],
  [0x2b, "thread.yield-then-resume"],
  [0x2c, "thread.suspend-then-promote"],
  [0x2d, "thread.yield-then-promote"],
]);
/** Threads that run at the same time, over shared memory: in the format, not in this linker. */
const parallelOps: ReadonlyMap<number, string> = new Map([
  [0x40, "thread.spawn-ref"],
  [0x41, "thread.spawn-indirect"],
  [0x42, "thread.available-parallelism"],
]);

/** One entry of the canon section (Binary.md, "Canonical Definitions"). */
export function readCanon(reader: SectionReader): Canon {
  const at = reader.offset;
  const code = reader.byte();
  const plain = plainOps.get(code);
  if (plain !== undefined) return { op: plain };
  const resource = resourceOps.get(code as 0x02);
  if (resource !== undefined) return { op: resource, type: reader.u32() };
  const transfer = transferOps.get(code);
  if (transfer !== undefined) return { op: transfer, type: reader.u32() };
  const copy = transferCopies.get(code);
  if (copy !== undefined) return { op: copy, type: reader.u32(), options: readOptions(reader) };
  const cancel = transferCancels.get(code);
  if (cancel !== undefined) return { op: cancel, type: reader.u32(), async: reader.flag("async") };
  const threadSwitch = threadSwitches.get(code);
  if (threadSwitch !== undefined) return { op: threadSwitch, cancellable: reader.flag("cancellable") };
  const parallel = parallelOps.get(code);
  if (parallel !== undefined) throw new UnlinkedError(`the component uses ${parallel}, which is not supported`, at);
  return readOther(reader, code, at);
}

function readOther(reader: SectionReader, code: number, at: number): Canon {
  switch (code) {
    case 0x00:
      expectFunctionSort(reader);
      return { op: "lift", core: reader.u32(), options: readOptions(reader), type: reader.u32() };
    case 0x01:
      expectFunctionSort(reader);
      return { op: "lower", function: reader.u32(), options: readOptions(reader) };
    case 0x06:
      return { op: "subtask.cancel", async: reader.flag("async") };
    case 0x09: {
      const result = readResult(reader);
      const options = readOptions(reader);
      return { op: "task.return", ...(result === undefined ? {} : { result }), options };
    }
    case 0x0a:
      return { op: "context.get", slot: readSlot(reader) };
    case 0x0b:
      return { op: "context.set", slot: readSlot(reader) };
    case 0x1c:
      return { op: "error-context.new", options: readOptions(reader) };
    case 0x1d:
      return { op: "error-context.debug-message", options: readOptions(reader) };
    case 0x27:
      return { op: "thread.new-indirect", type: reader.u32(), table: reader.u32() };
    case 0x20:
      return { op: "waitable-set.wait", cancellable: reader.flag("cancellable"), memory: reader.u32() };
    case 0x21:
      return { op: "waitable-set.poll", cancellable: reader.flag("cancellable"), memory: reader.u32() };
    default:
      throw new BinaryError(`there is no canonical definition 0x${code.toString(16)}`, at);
  }
}

function expectFunctionSort(reader: SectionReader): void {
  const at = reader.offset;
  if (reader.byte() !== 0x00) throw new BinaryError("only a function is lifted or lowered", at);
}

/** The type of a slot, and its number. */
function readSlot(reader: SectionReader): number {
  const at = reader.offset;
  if (reader.byte() !== 0x7f) throw new UnlinkedError("a context slot that is no i32 is not supported", at);
  return reader.u32();
}

type Draft = { -readonly [Key in keyof CanonOptions]?: CanonOptions[Key] };

function readOptions(reader: SectionReader): CanonOptions {
  const draft: Draft = {};
  reader.vector(() => readOption(reader, draft));
  return { ...draft, encoding: draft.encoding ?? "utf8", async: draft.async ?? false };
}

function readOption(reader: SectionReader, draft: Draft): void {
  const at = reader.offset;
  const code = reader.byte();
  const key = optionKeys[code];
  if (key === undefined) throw new BinaryError(`there is no canonical option 0x${code.toString(16)}`, at);
  if (draft[key] !== undefined) throw new BinaryError(`the canonical option ${key} is given twice`, at);
  if (key === "encoding") draft.encoding = encodings[code] ?? "utf8";
  else if (key === "async") draft.async = true;
  else draft[key] = reader.u32();
}

const encodings = ["utf8", "utf16", "latin1+utf16"] as const;
/** By code: 0x00 to 0x02 are the encodings. */
const optionKeys: readonly (keyof CanonOptions)[] = [
  "encoding",
  "encoding",
  "encoding",
  "memory",
  "realloc",
  "postReturn",
  "async",
  "callback",
];
