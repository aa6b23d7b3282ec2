import type { GuestRequest, GuestResponse, Instance } from "../component/engine.ts";
import type { GuestFault } from "../component/guest-fault.ts";

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
  take(make: () => Promise<Instance>, wanted: () => boolean): Promise<Instance | undefined> {
    if (this.#waiting.length > 0 || !this.#hasRoom()) return this.#takeLater(make, wanted);
    this.#entering.add(wanted);
    return this.#whenMade(make(), wanted);
  }

  async #takeLater(make: () => Promise<Instance>, wanted: () => boolean): Promise<Instance | undefined> {
    const enters = await new Promise<boolean>((resolve) => {
      this.#waiting.push(() => {
        const isWanted = wanted();
        if (isWanted) this.#entering.add(wanted);
        resolve(isWanted);
        return isWanted;
      });
    });
    return enters ? this.#whenMade(make(), wanted) : undefined;
  }

  async #whenMade(made: Promise<Instance>, wanted: () => boolean): Promise<Instance> {
    try {
      return this.#letIn(await made, wanted);
    } finally {
      this.#entering.delete(wanted);
      if (this.#waiting.length > 0) this.#admit();
    }
  }

  #letIn(instance: Instance, wanted: () => boolean): Instance {
    this.#inside.set(instance, wanted);
    this.#startBytes = Math.max(this.#startBytes, instance.memoryBytes());
    return new GatedInstance(instance, this);
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

  /** An instance is given back. */
  leave(instance: Instance): void {
    if (this.#inside.delete(instance)) this.#admit();
  }
}

/** An instance that has a place inside, and gives it back with itself. */
class GatedInstance implements Instance {
  readonly #instance: Instance;
  readonly #gate: MemoryGate;
  readonly abandon?: (request: GuestRequest) => void;

  constructor(instance: Instance, gate: MemoryGate) {
    this.#instance = instance;
    this.#gate = gate;
    if (instance.abandon !== undefined) this.abandon = (request) => instance.abandon?.(request);
  }

  handle(request: GuestRequest, response: GuestResponse): Promise<void> {
    return this.#instance.handle(request, response);
  }

  memoryBytes(): number {
    return this.#instance.memoryBytes();
  }

  breach(): GuestFault | undefined {
    return this.#instance.breach();
  }

  isWoken(): boolean {
    return this.#instance.isWoken();
  }

  dispose(): void {
    this.#instance.dispose();
    this.#gate.leave(this.#instance);
  }
}

/**
 * What an instance costs beside its linear memory: its stack, handle tables and buffers, and its share of garbage
 * that is not collected yet. Measured as 1 MiB with 20 to 120 instances of a Hono application at once under
 * jco's bindings, and not again under our own linker.
 */
const overheadBytes = 1024 * 1024;
