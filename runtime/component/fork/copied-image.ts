import type { AsideMemory, MemoryImage } from "./memory-image.ts";

// The unit in which memory is looked at: large enough that a call costs nothing beside it, and a WebAssembly page.
export const chunkBytes = 64 * 1024;
const zeros = Buffer.alloc(chunkBytes);

/** How many bytes come before the zeros at the end, in whole chunks. */
export function contentBytesOf(bytes: Buffer): number {
  let end = bytes.length;
  while (end > 0 && bytes.compare(zeros, 0, Math.min(end, chunkBytes), chunkStart(end), end) === 0)
    end = chunkStart(end);
  return end;
}

const chunkStart = (end: number): number => Math.max(0, end - chunkBytes);

/**
 * Works everywhere: keeps a copy without the zeros at the end, and copies it back whole, as to compare it first takes as
 * long (measured from 1 to 16 MiB). The zeros are compared, so that pages that nobody used stay unused.
 */
export function copyMemory(memory: WebAssembly.Memory): MemoryImage {
  return new CopiedImage(memory);
}

class CopiedImage implements MemoryImage {
  readonly byteLength: number;
  #memory: WebAssembly.Memory | undefined;
  #bytes: Buffer;
  /** Of all that are like this one. */
  readonly #copy: Uint8Array;

  /** @param copy what the memory is to hold; what it holds now, unless given */
  constructor(memory: WebAssembly.Memory, copy?: Uint8Array) {
    this.#memory = memory;
    this.#bytes = Buffer.from(memory.buffer);
    this.byteLength = this.#bytes.length;
    this.#copy = copy ?? new Uint8Array(memory.buffer.slice(0, contentBytesOf(this.#bytes)));
  }

  get hasGrown(): boolean {
    return this.#memory !== undefined && this.#memory.buffer.byteLength !== this.byteLength;
  }

  another(memory: WebAssembly.Memory): MemoryImage | undefined {
    if (memory.buffer.byteLength !== this.byteLength) return undefined;
    const image = new CopiedImage(memory, this.#copy);
    image.restore();
    return image;
  }

  restore(): boolean {
    const buffer = this.#memory?.buffer;
    if (buffer === undefined || buffer.byteLength !== this.byteLength) return false;
    // Growing by nothing gives the memory another buffer over the same bytes.
    if (this.#bytes.buffer !== buffer) this.#bytes = Buffer.from(buffer);
    this.#bytes.set(this.#copy);
    clear(this.#bytes, this.#copy.length);
    return true;
  }

  /** Only of a memory without a page: to copy others is no quicker than to make an instance. */
  setAside(): AsideMemory | undefined {
    return this.byteLength === 0 && this.#memory?.buffer.byteLength === 0 ? nothingAside : undefined;
  }

  clear(): boolean {
    const buffer = this.#memory?.buffer;
    if (buffer === undefined || buffer.byteLength === this.byteLength) return this.restore();
    const bytes = Buffer.from(buffer);
    bytes.set(this.#copy);
    clear(bytes, this.#copy.length);
    return true;
  }

  dispose(): void {
    this.#memory = undefined;
    this.#bytes = Buffer.alloc(0);
  }
}

const nothingAside: AsideMemory = { byteLength: 0, putBack: () => true };

function clear(bytes: Buffer, from: number): void {
  for (let start = from; start < bytes.length; start += chunkBytes) {
    const end = Math.min(start + chunkBytes, bytes.length);
    if (bytes.compare(zeros, 0, end - start, start, end) !== 0) bytes.fill(0, start, end);
  }
}
