import { copyMemory } from "./copied-image.ts";
import { createImageSource } from "./image-source.ts";
import { pageCalls } from "./page-calls.ts";

/**
 * What a memory was at one moment, and the way back to it. A memory has one image at a time: the next one takes its
 * place.
 */
export interface MemoryImage {
  /** Of the memory, at that moment and at every later one at which it can be put back. */
  readonly byteLength: number;
  /** The memory is larger than at that moment. */
  readonly hasGrown: boolean;
  /**
   * Puts the memory's bytes back. False when the memory has grown since, or cannot be put back for another reason:
   * nothing can shrink a memory, so its instance must be thrown away.
   */
  restore(): boolean;
  /** Frees what the image holds; the memory stays as it is, and `restore` answers false from now on. */
  dispose(): void;
  /**
   * The image of another memory, which holds from then on what this one held when it was captured; after `dispose`, too.
   * Undefined where that cannot be: the other memory is as it was then.
   */
  another(memory: WebAssembly.Memory): MemoryImage | undefined;
  /**
   * Takes what the memory holds aside: it holds then what it did when it was captured, and zeros where it has grown since.
   * Undefined where that cannot be: the memory is as it was then.
   */
  setAside(): AsideMemory | undefined;
  /** As `restore`, also for a memory that has grown: it stays as large, and there are zeros beyond. */
  clear(): boolean;
}

/** What a memory held, while it holds something else. */
export interface AsideMemory {
  /** What it costs: of the bytes that differ from the image, and those about them. */
  readonly byteLength: number;
  /**
   * Puts it back, once. `isWritten`: in place of whatever the memory holds now, which else is what it did when it was captured. False when
   * the kernel refuses: the memory holds neither.
   */
  putBack(isWritten: boolean): boolean;
}

// To ask the kernel which pages changed and to copy some of them takes 1.2 µs, to copy 64 KiB 1.4 µs (measured on an idle
// machine): every memory has at least that, and what is not copied stays in memory once.
const scanBytesMin = 64 * 1024;
// Where the kernel cannot be asked, a mapping must be dropped and every page that is used again costs a fault (2 µs in a
// virtual machine), so that copying all is quicker for as long as the image fits the caches.
const discardBytesMin = 8 * 2 ** 20;

/** An image of one memory, by whatever is quickest here. Of many instances: `ImageSources`. */
export function captureMemory(memory: WebAssembly.Memory): MemoryImage {
  return (isWorthMapping(memory) ? mapMemory(memory) : undefined) ?? copyMemory(memory);
}

/** Copy-on-write, with a source of its own; undefined where that cannot be done. */
export function mapMemory(memory: WebAssembly.Memory): MemoryImage | undefined {
  const source = createImageSource(memory);
  const image = source?.map(memory);
  // The mapping keeps the file alive.
  source?.dispose();
  return image;
}

export function isWorthMapping({ buffer: { byteLength } }: WebAssembly.Memory): boolean {
  const calls = pageCalls();
  return calls !== undefined && byteLength >= (calls.canScan ? scanBytesMin : discardBytesMin);
}
