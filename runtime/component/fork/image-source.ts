import { closeSync } from "node:fs";
import { chunkBytes, contentBytesOf } from "./copied-image.ts";
import type { AsideMemory, MemoryImage } from "./memory-image.ts";
import { moveAside } from "./aside-pages.ts";
import { type PageCalls, pageCalls, type PageScanner } from "./page-calls.ts";
import type { SideRoom } from "./side-room.ts";

/** One memory's bytes, for many memories to be mapped from: what none of them has written, they share. */
export interface ImageSource {
  /** Whether the memory holds exactly these bytes. */
  holds(memory: WebAssembly.Memory): boolean;
  /**
   * Maps the source over the memory, whose bytes are the source's from then on. Undefined when it has another size or
   * the kernel refuses; the memory is then as it was.
   */
  map(memory: WebAssembly.Memory): MemoryImage | undefined;
  /** Closes the file, as the end of the thread does: nothing can be mapped any more; what was mapped stays. */
  dispose(): void;
}

/** The source of what `memory` holds now; undefined where memory cannot be mapped. */
export function createImageSource(memory: WebAssembly.Memory): ImageSource | undefined {
  const calls = pageCalls();
  const bytes = Buffer.from(memory.buffer);
  // The kernel maps whole pages, of up to 64 KiB; memories with smaller pages are copied.
  if (calls === undefined || bytes.length === 0 || bytes.length % chunkBytes !== 0) return undefined;
  const content = Buffer.from(bytes.subarray(0, contentBytesOf(bytes)));
  const fd = calls.createFile(content);
  return fd === undefined ? undefined : new MappedSource(calls, { fd, byteLength: bytes.length, content });
}

interface SourceFile {
  readonly fd: number;
  /** Of the memory. */
  readonly byteLength: number;
  /** What comes before the zeros at the end; the file's content too. */
  readonly content: Buffer;
}

class MappedSource implements ImageSource {
  readonly #calls: PageCalls;
  readonly #file: SourceFile;
  #isOpen = true;

  constructor(calls: PageCalls, file: SourceFile) {
    this.#calls = calls;
    this.#file = file;
  }

  holds(memory: WebAssembly.Memory): boolean {
    const bytes = Buffer.from(memory.buffer);
    const { byteLength, content } = this.#file;
    if (bytes.length !== byteLength) return false;
    return content.compare(bytes, 0, content.length) === 0 && contentBytesOf(bytes) === content.length;
  }

  map(memory: WebAssembly.Memory): MemoryImage | undefined {
    const { fd, byteLength, content } = this.#file;
    if (memory.buffer.byteLength !== byteLength || !this.#isOpen) return undefined;
    const address = this.#calls.addressOf(memory.buffer);
    if (content.length > 0 && !this.#calls.map(address, content.length, fd)) return undefined;
    this.#calls.avoidHugePages(address, byteLength);
    this.#calls.discard(address, byteLength);
    return new MappedImage(this.#calls, { memory, address, content }, this);
  }

  dispose(): void {
    // Twice would close what has the number by then.
    if (this.#isOpen) closeSync(this.#file.fd);
    this.#isOpen = false;
  }
}

interface Mapping {
  readonly memory: WebAssembly.Memory;
  /** Where the memory is, for as long as it has the same size: only growth moves it. */
  readonly address: bigint;
  readonly content: Buffer;
}

const expectedRunsMax = 128;

/** What differs from the image. */
interface Written {
  readonly contentBytes: number;
  readonly writtenBytes: number;
  /** Of the last page that was written. */
  readonly end: number;
}

// A page that was written once is copied back at every restore, as it is cheaper than to fault it in again. Now and then
// all are dropped, so that what was written once only is not kept (and copied) for ever; and when it is this much.
const restoresBetweenDiscards = 1024;
const keptBytesMax = 4 * 2 ** 20;

class MappedImage implements MemoryImage {
  readonly byteLength: number;
  readonly #source: ImageSource;
  readonly #calls: PageCalls;
  readonly #scanner: PageScanner | undefined;
  /** Beginnings and ends of what had been written when it was last set aside. */
  readonly #expected: number[] = [];
  #mapping: Mapping | undefined;
  #bytes: Buffer;
  #restores = 0;

  constructor(calls: PageCalls, mapping: Mapping, source: ImageSource) {
    this.#calls = calls;
    this.#source = source;
    this.#mapping = mapping;
    this.#bytes = Buffer.from(mapping.memory.buffer);
    this.byteLength = this.#bytes.length;
    this.#scanner = calls.canScan ? calls.scanner(mapping.address, this.byteLength) : undefined;
  }

  get hasGrown(): boolean {
    return this.#mapping !== undefined && this.#mapping.memory.buffer.byteLength !== this.byteLength;
  }

  another(memory: WebAssembly.Memory): MemoryImage | undefined {
    return this.#source.map(memory);
  }

  restore(): boolean {
    const mapping = this.#mapping;
    if (mapping === undefined) return false;
    const { buffer } = mapping.memory;
    if (buffer.byteLength !== this.byteLength) return false;
    if (this.#bytes.buffer !== buffer) this.#bytes = Buffer.from(buffer);
    this.#restores += 1;
    const runs = this.#restores % restoresBetweenDiscards === 0 ? undefined : this.#scanner?.scan();
    if (runs !== undefined && this.#copyBack(runs, mapping.content)) return true;
    return this.#calls.discard(mapping.address, this.byteLength);
  }

  #copyBack(runs: number, content: Buffer): boolean {
    const scanner = this.#scanner;
    if (scanner === undefined) return false;
    let kept = 0;
    for (let run = 0; run < runs; run++) {
      const start = scanner.start(run);
      const end = scanner.end(run);
      kept += end - start;
      if (kept > keptBytesMax) return false;
      if (start < content.length) content.copy(this.#bytes, start, start, Math.min(end, content.length));
      if (end > content.length) this.#bytes.fill(0, Math.max(start, content.length), end);
    }
    return true;
  }

  setAside(room: SideRoom): AsideMemory | undefined {
    const mapping = this.#mapping;
    const scanner = this.#scanner;
    if (mapping === undefined || scanner === undefined) return undefined;
    const { byteLength } = mapping.memory.buffer;
    const { contentBytes, writtenBytes, end } = this.#written(scanner.scan(), mapping.content.length);
    // A range lies in one mapping each: the image's, V8's own behind it, and what V8 has added since.
    const bounds = [0, contentBytes, this.byteLength, byteLength];
    const ranges = bounds.slice(0, 3).flatMap((start, index) => {
      const rangeEnd = bounds[index + 1] ?? start;
      const isWritten = index === 2 || (index === 0 ? writtenBytes > 0 : end > start);
      return isWritten && rangeEnd > start ? [{ start, end: rangeEnd }] : [];
    });
    const { memory, address } = mapping;
    return moveAside(this.#calls, {
      ...{ memory, address, ranges, room },
      writtenBytes: writtenBytes + byteLength - this.byteLength,
    });
  }

  #written(runs: number | undefined, contentBytes: number): Written {
    const scanner = this.#scanner;
    const expected = this.#expected;
    expected.length = 0;
    if (runs === undefined || scanner === undefined)
      return { contentBytes, writtenBytes: this.byteLength, end: this.byteLength };
    let writtenBytes = 0;
    for (let run = 0; run < runs; run++) {
      const [start, end] = [scanner.start(run), scanner.end(run)];
      writtenBytes += end - start;
      expected.push(start, end);
    }
    return { contentBytes, writtenBytes, end: runs === 0 ? 0 : scanner.end(runs - 1) };
  }

  expectWrites(): void {
    const address = this.#mapping?.address;
    const expected = this.#expected;
    if (address === undefined || expected.length > 2 * expectedRunsMax) return;
    for (let at = 0; at < expected.length; at += 2) {
      const start = expected[at] ?? 0;
      this.#calls.populate(address + BigInt(start), (expected[at + 1] ?? start) - start);
    }
  }

  clear(): boolean {
    const mapping = this.#mapping;
    return mapping !== undefined && this.#calls.discard(mapping.address, mapping.memory.buffer.byteLength);
  }

  dispose(): void {
    this.#mapping = undefined;
    this.#bytes = Buffer.alloc(0);
  }
}
