import { giveMemories, keepMemories, takeMemories } from "../instance/memory-budget.ts";
import type { PageCalls, PageScanner } from "./page-calls.ts";
import { type ScratchMemory, scratchMemory } from "./scratch-memory.ts";

/** Lines of 64 bytes, each behind its place of four. */
export type TakenLines = Uint8Array<ArrayBuffer>;

// Made of changed-lines.wat, as a test says.
const code = [
  "AGFzbQEAAAABDQJgAn9/AGADf39/AX8CIQMABWd1ZXN0AgAAAAVpbWFnZQIAAAAHc2NyYXRjaAIAAQMEAwABAAciAwdwdXRCYWNrAAAJdGFrZU",
  "xpbmVzAAEIcHV0TGluZXMAAgqpAwNBAQN/IABBGGwhAwJAA0AgAiADRg0BIAIoQgIAIAFrIQQgBCAEIAIoQgIIIAIoQgIAa/wKAAEgAkEYaiEC",
  "DAALCwuMAgIEfwR7IABBGGwhBAJAA0AgAyAERg0BIAMoQgIAIAFrIQUgAyhCAgggAWshBgNAIAX9AAQAIQcgBf0ABBAhCCAF/QAEICEJIAX9AA",
  "QwIQogByAF/QBEAQD9USAIIAX9AEQBEP1R/VAgCSAF/QBEASD9USAKIAX9AEQBMP1R/VD9UP1TBEAgAiAFNkICACACIAf9C0ACBCACIAj9C0AC",
  "FCACIAn9C0ACJCACIAr9C0ACNCACQcQAaiECIAUgBf0ARAEA/QsEACAFIAX9AEQBEP0LBBAgBSAF/QBEASD9CwQgIAUgBf0ARAEw/QsEMAsgBU",
  "HAAGohBSAFIAZHDQALIANBGGohAwwACwsgAgtXAQF/AkADQCAAIAFGDQEgAChCAgAhAiACIAD9AEACBP0LBAAgAiAA/QBAAhT9CwQQIAIgAP0A",
  "QAIk/QsEICACIAD9AEACNP0LBDAgAEHEAGohAAwACwsL",
].join("");

/** The core module whose source is changed-lines.wat. */
export const changedLinesModule: Uint8Array<ArrayBuffer> = Uint8Array.fromBase64(code);

const wasmPageBytes = 64 * 1024;
const lineBytes = 64;
const takenBytes = lineBytes + 4;

/** A memory with these bytes at its beginning, for what a guest's memory held at one moment; undefined when the process has none left. */
export function imageMemory(byteLength: number, content: Uint8Array): WebAssembly.Memory | undefined {
  try {
    takeMemories(1);
  } catch {
    return undefined;
  }
  try {
    const memory = new WebAssembly.Memory({ initial: byteLength / wasmPageBytes });
    keepMemories(memory, 1);
    new Uint8Array(memory.buffer).set(content);
    return memory;
  } catch {
    giveMemories(1);
    return undefined;
  }
}

interface Functions {
  putBack(count: number, base: number): void;
  takeLines(count: number, base: number, out: number): number;
  putLines(at: number, end: number): void;
}

let compiled: WebAssembly.Module | undefined;

/**
 * Of what one memory holds, that which differs from its image. The kernel says which pages have been written; in these all lines are
 * compared, of which few differ: what a guest writes is spread over many pages.
 */
export class ChangedLines {
  readonly #calls: PageCalls;
  readonly #memory: WebAssembly.Memory;
  readonly #image: WebAssembly.Memory;
  readonly #scratch: ScratchMemory;
  readonly #functions: Functions;
  #byteLength = -1;
  #base = 0;
  #scanner: PageScanner | undefined;

  private constructor(calls: PageCalls, scratch: ScratchMemory, pair: Compared) {
    const { memory: guest, image } = pair;
    compiled ??= new WebAssembly.Module(changedLinesModule);
    const { exports } = new WebAssembly.Instance(compiled, { "": { guest, image, scratch: scratch.memory } });
    this.#functions = exports as unknown as Functions;
    this.#calls = calls;
    this.#memory = guest;
    this.#image = image;
    this.#scratch = scratch;
  }

  /** Undefined where the kernel cannot be asked, or the process has no memory left to work in. */
  static of(calls: PageCalls, pair: Compared): ChangedLines | undefined {
    const scratch = calls.canScan ? scratchMemory(calls) : undefined;
    return scratch && new ChangedLines(calls, scratch, pair);
  }

  /**
   * Puts the image back. False when the kernel does not answer, or more has been written than `pageBytesMax`, so that it is cheaper to
   * drop all pages: some of the memory is as it was.
   */
  restore(pageBytesMax: number): boolean {
    let bytes = 0;
    return this.#each((runs, scanner) => {
      bytes += bytesOf(scanner, runs);
      if (runs === scanner.runsMax || bytes > pageBytesMax) return false;
      this.#functions.putBack(runs, this.#base);
      return true;
    });
  }

  /** Puts the image back, and gives what differed. Undefined where that cannot be: the memory is as it was. */
  take(): TakenLines | undefined {
    const scratch = this.#scratch;
    const start = scratch.linesAt;
    let end = start;
    const isTaken = this.#each((runs, scanner) => {
      if (end + (bytesOf(scanner, runs) / lineBytes) * takenBytes > scratch.end) return false;
      end = this.#functions.takeLines(runs, this.#base, end);
      return true;
    });
    const lines = isTaken ? copyOf(scratch.bytes(start, end)) : undefined;
    if (lines === undefined) this.#functions.putLines(start, end);
    scratch.used(end);
    return lines;
  }

  /** Writes the lines over what the memory holds. */
  put(lines: TakenLines): void {
    const { linesAt } = this.#scratch;
    const end = linesAt + lines.length;
    this.#scratch.bytes(linesAt, end).set(lines);
    this.#functions.putLines(linesAt, end);
    this.#scratch.used(end);
  }

  /** `each` is given all pages that were written, some hundred runs of them at a time, for as long as it says true. */
  #each(each: (runs: number, scanner: PageScanner) => boolean): boolean {
    const scanner = this.#scannerNow();
    for (let from = 0; ; from = scanner.end(scanner.runsMax - 1)) {
      const runs = scanner.scan(from);
      if (runs === undefined || !each(runs, scanner)) return false;
      if (runs < scanner.runsMax) return true;
    }
  }

  /** The memory may have grown, and moved with that. What is new to it was zeros, as it is in the image. */
  #scannerNow(): PageScanner {
    const { buffer } = this.#memory;
    if (this.#scanner !== undefined && buffer.byteLength === this.#byteLength) return this.#scanner;
    const missing = (buffer.byteLength - this.#image.buffer.byteLength) / wasmPageBytes;
    if (missing > 0) this.#image.grow(missing);
    const address = this.#calls.addressOf(buffer);
    this.#byteLength = buffer.byteLength;
    this.#base = Number(BigInt.asIntN(32, address));
    return (this.#scanner = this.#calls.scanner(address, buffer.byteLength, this.#scratch.memory.buffer));
  }
}

/** `image` holds what `memory` did when it was captured. */
interface Compared {
  readonly memory: WebAssembly.Memory;
  readonly image: WebAssembly.Memory;
}

function bytesOf(scanner: PageScanner, runs: number): number {
  let bytes = 0;
  for (let run = 0; run < runs; run++) bytes += scanner.end(run) - scanner.start(run);
  return bytes;
}

/** Undefined when there is no memory for it. */
function copyOf(bytes: Uint8Array<ArrayBuffer>): TakenLines | undefined {
  try {
    return bytes.slice();
  } catch {
    return undefined;
  }
}
