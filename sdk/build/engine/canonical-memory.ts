import { BuildFault } from "../fault.ts";
import { siphash13 } from "./siphash.ts";

/**
 * One memory picture that several builds of one source all lead to. What differs between builds is known:
 *
 * - a Rust hash table with random keys (rquickjs keeps what belongs to a runtime in one): it is ordered anew under keys
 *   that are always the same;
 * - the engine's seeds and times (Rust's per-thread hash keys, `Math.random`, `performance.timeOrigin`): zeroed. The
 *   guest brings its own of each, and Rust's keys only order tables;
 * - what calls have left on the stack: zeroed.
 *
 * Anything else that differs is refused rather than guessed at.
 */
export function canonicalMemory(memories: readonly Uint8Array[]): Uint8Array {
  const canonical = memories.map((memory, index) => {
    const copy = Uint8Array.from(memory);
    rekeyTables(copy, memories, index);
    copy.fill(0, 0, stackBytes);
    return copy;
  });
  const [first] = canonical;
  if (first === undefined || canonical.some((memory) => memory.length !== first.length)) {
    throw new BuildFault("NOT_REPRODUCIBLE", "two builds of one source give memories of different sizes");
  }
  const words = differingWords(canonical);
  if (words.length > differingWordsMax) {
    throw new BuildFault(
      "NOT_REPRODUCIBLE",
      `${words.length} words of the engine's memory differ between two builds of one source`,
    );
  }
  for (const word of words) first.fill(0, word * wordBytes, (word + 1) * wordBytes);
  return first;
}

const wordBytes = 8;

/** The linker puts the stack first, and gives it 1 MiB. Between calls it is empty: what lies there is dead. */
export const stackBytes = 1024 * 1024;

/** Seeds and times seen in the engine: two keys, one time twice, one seed. Twice that is not what we know. */
const differingWordsMax = 12;

function differingWords(memories: readonly Uint8Array[]): number[] {
  const [first, ...others] = memories;
  if (first === undefined) return [];
  const words: number[] = [];
  for (let word = 0; word * wordBytes < first.length; word++) {
    const start = word * wordBytes;
    const end = start + wordBytes;
    const differs = others.some((other) => {
      for (let at = start; at < end; at++) if (other[at] !== first[at]) return true;
      return false;
    });
    if (differs) words.push(word);
  }
  return words;
}

/** hashbrown on wasm32: a table of four buckets is smaller than its group of eight, so any bucket of it is looked at. */
const bucketCount = 4;
const groupBytes = 8;
const emptyMark = 0xff;
/** Key (a 128-bit TypeId) and value of rquickjs's user data. The last four bytes are padding: rubbish that stays with the bucket. */
const entryBytes = 32;
const typeIdBytes = 16;
const paddingAt = 28;

/** Layout of `HashMap`: control pointer, bucket mask, growth left, items (u32 each), then SipHash keys k0 and k1. */
const mapBytes = 32;

function rekeyTables(memory: Uint8Array, originals: readonly Uint8Array[], index: number): void {
  const view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  const others = originals.filter((_, other) => other !== index);
  for (let at = 0; at + mapBytes <= memory.length; at += wordBytes) {
    // Random keys differ from build to build, the words before them do not. Cheap tests first.
    if (view.getUint32(at + 4, true) !== bucketCount - 1) continue;
    const items = view.getUint32(at + 12, true);
    if (items === 0 || items > 3 || !others.every((other) => differsAt(memory, other, at + 16))) continue;
    rekeyTable(view, at, items);
  }
}

function differsAt(a: Uint8Array, b: Uint8Array, at: number): boolean {
  return Buffer.compare(a.subarray(at, at + wordBytes), b.subarray(at, at + wordBytes)) !== 0;
}

function rekeyTable(view: DataView, map: number, items: number): void {
  const control = view.getUint32(map, true);
  const start = control - bucketCount * entryBytes;
  if (start < 0 || control + bucketCount + groupBytes > view.byteLength) return;
  const k0 = view.getBigUint64(map + 16, true);
  const k1 = view.getBigUint64(map + 24, true);
  const entries: Uint8Array[] = [];
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    const mark = view.getUint8(control + bucket);
    if (mark === emptyMark) continue;
    const at = control - (bucket + 1) * entryBytes;
    const entry = new Uint8Array(view.buffer, view.byteOffset + at, entryBytes).slice();
    if (hashMark(entry, k0, k1) !== mark) return;
    entry.fill(0, paddingAt);
    entries.push(entry);
  }
  if (entries.length !== items) return;
  entries.sort((a, b) => Buffer.compare(a.subarray(0, typeIdBytes), b.subarray(0, typeIdBytes)));
  const memory = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  memory.fill(0, start, control);
  memory.fill(emptyMark, control, control + bucketCount + groupBytes);
  view.setBigUint64(map + 16, 0n, true);
  view.setBigUint64(map + 24, 0n, true);
  for (const [bucket, entry] of entries.entries()) {
    memory.set(entry, control - (bucket + 1) * entryBytes);
    const mark = hashMark(entry, 0n, 0n);
    // The marks stand twice, so that a group that is read at any bucket sees them all.
    memory[control + bucket] = mark;
    memory[control + groupBytes + bucket] = mark;
  }
}

/** The top seven bits of the hash of an entry's TypeId. On wasm32 hashbrown takes them from the low half of the hash. */
function hashMark(entry: Uint8Array, k0: bigint, k1: bigint): number {
  const hash = siphash13(k0, k1, entry.subarray(typeIdBytes - 8, typeIdBytes));
  return Number((hash & 0xffff_ffffn) >> 25n);
}
