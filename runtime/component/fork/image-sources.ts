import { createImageSource, type ImageSource } from "./image-source.ts";
import { captureMemory, isWorthMapping, type MemoryImage } from "./memory-image.ts";

// Instances of one component hold the same unless their initialisation drew chance or read a clock. Each further source
// is compared with before a memory is mapped, and stays in memory.
const sourcesMax = 8;

/** Captures the memories of one component's instances: those that hold the same are mapped from one source. */
export class ImageSources {
  readonly #sources: ImageSource[] = [];
  readonly #create: typeof createImageSource;

  constructor(create = createImageSource) {
    this.#create = create;
  }

  capture(memory: WebAssembly.Memory): MemoryImage {
    return (isWorthMapping(memory) ? this.#sourceOf(memory)?.map(memory) : undefined) ?? captureMemory(memory);
  }

  /** Frees the sources; what was captured stays. */
  dispose(): void {
    for (const source of this.#sources.splice(0)) source.dispose();
  }

  #sourceOf(memory: WebAssembly.Memory): ImageSource | undefined {
    const source = this.#sources.find((each) => each.holds(memory));
    if (source !== undefined || this.#sources.length >= sourcesMax) return source;
    const created = this.#create(memory);
    if (created !== undefined) this.#sources.push(created);
    return created;
  }
}
