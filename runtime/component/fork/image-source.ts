import { closeSync } from "node:fs";
import { chunkBytes, contentBytesOf } from "./copied-image.ts";
import { ChangedLines, imageMemory } from "./changed-lines.ts";
import type { AsideMemory, MemoryImage } from "./memory-image.ts";
import { type PageCalls, pageCalls } from "./page-calls.ts";

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
  const content = bytes.subarray(0, contentBytesOf(bytes));
  const image = imageMemory(bytes.length, content);
  const fd = image && calls.createFile(content);
  if (image === undefined || fd === undefined) return undefined;
  return new MappedSource(calls, { fd, byteLength: bytes.length, contentBytes: content.length, image });
}

interface SourceFile {
  readonly fd: number;
  /** Of the memory. */
  readonly byteLength: number;
  /** Before the zeros at the end; of the file, too. */
  readonly contentBytes: number;
  /** The same bytes, and zeros behind them. */
  readonly image: WebAssembly.Memory;
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
    const { byteLength, contentBytes, image } = this.#file;
    if (bytes.length !== byteLength) return false;
    const content = Buffer.from(image.buffer, 0, contentBytes);
    return content.compare(bytes, 0, contentBytes) === 0 && contentBytesOf(bytes) === contentBytes;
  }

  map(memory: WebAssembly.Memory): MemoryImage | undefined {
    const { fd, byteLength, contentBytes, image } = this.#file;
    if (memory.buffer.byteLength !== byteLength || !this.#isOpen) return undefined;
    const address = this.#calls.addressOf(memory.buffer);
    if (contentBytes > 0 && !this.#calls.map(address, contentBytes, fd)) return undefined;
    this.#calls.avoidHugePages(address, byteLength);
    this.#calls.discard(address, byteLength);
    return new MappedImage(this.#calls, { memory, address, image }, this);
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
  readonly image: WebAssembly.Memory;
}

// A page that was written once is looked through at every restore, as it is cheaper than to fault it in again. Now and then
// all are dropped, so that what was written once only is not kept (and looked at) for ever; and when it is this much.
const restoresBetweenDiscards = 1024;
const keptBytesMax = 4 * 2 ** 20;

class MappedImage implements MemoryImage {
  readonly byteLength: number;
  readonly #source: ImageSource;
  readonly #calls: PageCalls;
  #mapping: Mapping | undefined;
  /** Made when they are first asked for: what is thrown away after one request has none. Null where pages can only be dropped. */
  #lines: ChangedLines | null | undefined;
  #restores = 0;

  constructor(calls: PageCalls, mapping: Mapping, source: ImageSource) {
    this.#calls = calls;
    this.#source = source;
    this.#mapping = mapping;
    this.byteLength = mapping.memory.buffer.byteLength;
  }

  get hasGrown(): boolean {
    return this.#mapping !== undefined && this.#mapping.memory.buffer.byteLength !== this.byteLength;
  }

  another(memory: WebAssembly.Memory): MemoryImage | undefined {
    return this.#source.map(memory);
  }

  restore(): boolean {
    const mapping = this.#mapping;
    if (mapping === undefined || mapping.memory.buffer.byteLength !== this.byteLength) return false;
    this.#restores += 1;
    const drops = this.#restores % restoresBetweenDiscards === 0;
    if (!drops && this.#changed()?.restore(keptBytesMax) === true) return true;
    return this.#calls.discard(mapping.address, this.byteLength);
  }

  #changed(): ChangedLines | undefined {
    if (this.#lines === undefined && this.#mapping !== undefined)
      this.#lines = ChangedLines.of(this.#calls, this.#mapping) ?? null;
    return this.#lines ?? undefined;
  }

  setAside(): AsideMemory | undefined {
    const lines = this.#changed();
    const taken = lines?.take();
    if (lines === undefined || taken === undefined) return undefined;
    return {
      byteLength: taken.length,
      putBack: (isWritten) => {
        if (isWritten && !this.clear()) return false;
        lines.put(taken);
        return true;
      },
    };
  }

  clear(): boolean {
    const mapping = this.#mapping;
    if (mapping === undefined || !this.hasGrown) return this.restore();
    const { buffer } = mapping.memory;
    return this.#calls.discard(this.#calls.addressOf(buffer), buffer.byteLength);
  }

  dispose(): void {
    this.#mapping = undefined;
    this.#lines = undefined;
  }
}
