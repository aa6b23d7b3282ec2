import { createImageSource, type ImageSource, openImageSource, type SharedImage } from "./image-source.ts";
import { captureMemory, isWorthMapping, type MemoryImage } from "./memory-image.ts";

// Instances of one component hold the same unless their initialisation drew chance or read a clock. Each further source
// is compared with before a memory is mapped, and stays in memory.
const sourcesMax = 8;

/** Captures the memories of one component's instances: those that hold the same are mapped from one source. */
export class ImageSources {
  readonly #created: ImageSource[] = [];
  readonly #opened: readonly ImageSource[];

  /** @param shared what another thread of this process has found already */
  constructor(shared: readonly SharedImage[] = []) {
    this.#opened = shared.map(openImageSource).filter((source) => source !== undefined);
  }

  /** For other threads; until `dispose` or this thread's end. */
  get shared(): readonly SharedImage[] {
    return this.#created.map(({ shared }) => shared);
  }

  capture(memory: WebAssembly.Memory): MemoryImage {
    return (isWorthMapping(memory) ? this.#sourceOf(memory)?.map(memory) : undefined) ?? captureMemory(memory);
  }

  /** Frees the sources; what was captured stays. */
  dispose(): void {
    for (const source of this.#created.splice(0)) source.dispose();
  }

  #sourceOf(memory: WebAssembly.Memory): ImageSource | undefined {
    const known = [...this.#opened, ...this.#created];
    const source = known.find((each) => each.holds(memory));
    if (source !== undefined || known.length >= sourcesMax) return source;
    const created = createImageSource(memory);
    if (created !== undefined) this.#created.push(created);
    return created;
  }
}
