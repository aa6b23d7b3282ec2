import { giveMemories, keepMemories, takeMemories } from "../instance/memory-budget.ts";
import type { PageCalls } from "./page-calls.ts";

const wasmPageBytes = 64 * 1024;
// Addresses: a page is there once it is written. That much of one memory's changes can be taken aside, of guests that differ everywhere
// from what they were.
const scratchPages = 16_384;
// What a large guest has needed is given back.
const keptBytesMax = 4 * 2 ** 20;

/** Where runs of pages and changed lines are put down for a moment. Of one thread, in which nothing else comes in between. */
export class ScratchMemory {
  readonly memory: WebAssembly.Memory;
  /** Where lines begin; before it are the runs. */
  readonly linesAt = wasmPageBytes;
  readonly end = scratchPages * wasmPageBytes;
  readonly #calls: PageCalls;

  /** @throws RangeError */
  constructor(calls: PageCalls) {
    this.#calls = calls;
    this.memory = new WebAssembly.Memory({ initial: scratchPages, maximum: scratchPages });
  }

  bytes(start: number, end: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.memory.buffer, start, end - start);
  }

  /** It has been used up to there. */
  used(end: number): void {
    if (end < keptBytesMax) return;
    this.#calls.discard(this.#calls.addressOf(this.memory.buffer) + BigInt(keptBytesMax), this.end - keptBytesMax);
  }
}

let scratch: ScratchMemory | undefined;

/** This thread's; undefined where the process has no memory more. */
export function scratchMemory(calls: PageCalls): ScratchMemory | undefined {
  if (scratch !== undefined) return scratch;
  try {
    takeMemories(1);
  } catch {
    return undefined;
  }
  try {
    scratch = new ScratchMemory(calls);
    keepMemories(scratch, 1);
  } catch {
    giveMemories(1);
  }
  return scratch;
}
