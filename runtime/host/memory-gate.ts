import type { Instance } from "../component/engine.ts";

/**
 * Lets in as many instances as the pod's memory holds; the others wait their turn, and their deadlines go on. A pod's
 * memory limit is for all its instances together, and each request has one: without this a crowd of requests would be
 * ended by the kernel, with every other pod of the tenant.
 */
export class MemoryGate {
  readonly #bytesMax: number;
  readonly #instancesMax: number;
  /** With who wants it: a request that is over may not have given it back. */
  readonly #inside = new Map<Instance, () => boolean>();
  readonly #waiting: (() => boolean)[] = [];
  /** Entered, and the instance is not there yet. */
  readonly #entering = new Set<() => boolean>();
  /** What an instance has at its start, as far as is known. */
  #startBytes = 0;

  constructor(bytesMax: number, instancesMax: number) {
    this.#bytesMax = bytesMax;
    this.#instancesMax = instancesMax;
  }

  /**
   * An instance of `make`, when there is room for it; undefined when it is not `wanted` any more by then. Its place is
   * given back by its `dispose`. @throws what `make` throws
   */
  async take(make: () => Promise<Instance>, wanted: () => boolean): Promise<Instance | undefined> {
    if (!(await this.#enter(wanted))) return undefined;
    try {
      const instance = await make();
      this.#inside.set(instance, wanted);
      this.#startBytes = Math.max(this.#startBytes, instance.memoryBytes());
      return this.#leaving(instance);
    } finally {
      this.#entering.delete(wanted);
      this.#admit();
    }
  }

  #enter(wanted: () => boolean): Promise<boolean> {
    if (this.#waiting.length === 0 && this.#hasRoom()) {
      this.#entering.add(wanted);
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      this.#waiting.push(() => {
        const enters = wanted();
        if (enters) this.#entering.add(wanted);
        resolve(enters);
        return enters;
      });
    });
  }

  /** One is always let in: a guest that needs more than the pod has meets its own cap. */
  #hasRoom(): boolean {
    const count = this.#inside.size + this.#entering.size;
    if (count === 0) return true;
    if (count >= this.#instancesMax) return false;
    let usedBytes = (this.#entering.size + 1) * this.#startBytes + (count + 1) * overheadBytes;
    for (const instance of this.#inside.keys()) usedBytes += instance.memoryBytes();
    return usedBytes <= this.#bytesMax;
  }

  /** A guest that is interrupted takes along what was under way for others: places are left that nobody gives back. */
  forgetUnwanted(): void {
    for (const wanted of this.#entering) if (!wanted()) this.#entering.delete(wanted);
    for (const [instance, wanted] of this.#inside) {
      if (wanted()) continue;
      this.#inside.delete(instance);
      instance.dispose();
    }
    this.#admit();
  }

  #admit(): void {
    while (this.#waiting.length > 0 && this.#hasRoom()) this.#waiting.shift()?.();
  }

  #leaving(instance: Instance): Instance {
    return {
      handle: (request, response) => instance.handle(request, response),
      ...(instance.abandon === undefined ? {} : { abandon: (request) => instance.abandon?.(request) }),
      memoryBytes: () => instance.memoryBytes(),
      breach: () => instance.breach(),
      isWoken: () => instance.isWoken(),
      dispose: () => {
        instance.dispose();
        if (this.#inside.delete(instance)) this.#admit();
      },
    };
  }
}

/**
 * What an instance costs beside its linear memory: its stack, handle tables and buffers, and its share of garbage
 * that is not collected yet. Measured as 1 MiB with 20 to 120 instances of a Hono application at once under
 * jco's bindings, and not again under our own linker.
 */
const overheadBytes = 1024 * 1024;
