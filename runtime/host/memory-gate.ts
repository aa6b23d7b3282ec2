import type { GuestRequest, GuestResponse, Instance } from "../component/engine.ts";
import type { GuestFault } from "../component/guest-fault.ts";
import { type Linked, LinkedList } from "./linked-list.ts";
import type { InstanceSource } from "./guest-call.ts";

/**
 * Lets in as many instances as the pod's memory holds; the others wait their turn, and their deadlines go on. A pod's
 * memory limit is for all its instances together, and each request has one: without this a crowd of requests would be
 * ended by the kernel, with every other pod of the tenant.
 */
export class MemoryGate {
  readonly #bytesMax: number;
  readonly #instancesMax: number;
  readonly #inside = new LinkedList<GatedInstance>();
  readonly #waiting: (() => void)[] = [];
  /** Entered, and the instance is not there yet. */
  readonly #entering = new LinkedList<Entering>();
  /** What an instance has at its start, as far as is known. */
  #startBytes = 0;
  /** What those inside had when they were last counted, and what has come in since. */
  #countedBytes = 0;
  #sinceCounted = 0;

  constructor(bytesMax: number, instancesMax: number) {
    this.#bytesMax = bytesMax;
    this.#instancesMax = instancesMax;
  }

  /** What `take` takes, when there is room for it now; undefined when there is none, or others wait for it. */
  takeNow(take: () => Instance | undefined, wanted: () => boolean): Instance | undefined {
    if (this.#waiting.length > 0 || !this.#hasRoom()) return undefined;
    const instance = take();
    return instance && this.#letIn(instance, wanted);
  }

  /**
   * An instance of `make`, when there is room for it; undefined when it is not `wanted` any more by then. Its place is
   * given back by its `dispose`. @throws what `make` throws
   */
  take(make: () => Promise<Instance>, wanted: () => boolean): Promise<Instance | undefined> {
    if (this.#waiting.length > 0 || !this.#hasRoom()) return this.#takeLater(make, wanted);
    return this.#whenMade(make, this.#enter(wanted));
  }

  async #takeLater(make: () => Promise<Instance>, wanted: () => boolean): Promise<Instance | undefined> {
    const entering = await new Promise<Entering | undefined>((resolve) => {
      this.#waiting.push(() => resolve(wanted() ? this.#enter(wanted) : undefined));
    });
    return entering && this.#whenMade(make, entering);
  }

  /** What is inside now. */
  usedBytes(): number {
    let usedBytes = 0;
    for (const instance of this.#inside) usedBytes += instance.memoryBytes();
    return usedBytes;
  }

  #enter(isWanted: () => boolean): Entering {
    const entering: Entering = { isWanted, previous: undefined, next: undefined };
    this.#entering.push(entering);
    return entering;
  }

  async #whenMade(make: () => Promise<Instance>, entering: Entering): Promise<Instance> {
    try {
      return this.#letIn(await make(), entering.isWanted);
    } finally {
      this.#entering.remove(entering);
      if (this.#waiting.length > 0) this.#admit();
    }
  }

  /**
   * Whether `bytes` more fit. Of a crowd not each is asked each time, where there is room: that the growth of an eighth of them is not known
   * yet is of no matter there. None is kept out by what was counted before others left.
   */
  #fits(bytes: number): boolean {
    const isSure = this.#countedBytes < this.#bytesMax * fullShare && this.#sinceCounted * 8 < this.#inside.size;
    if (isSure && this.#countedBytes + bytes <= this.#bytesMax) return true;
    this.#countedBytes = this.usedBytes();
    this.#sinceCounted = 0;
    return this.#countedBytes + bytes <= this.#bytesMax;
  }

  #letIn(instance: Instance, wanted: () => boolean): Instance {
    const bytes = instance.memoryBytes();
    this.#startBytes = Math.max(this.#startBytes, bytes);
    this.#countedBytes += bytes;
    this.#sinceCounted++;
    const gated = new GatedInstance(instance, wanted, this.#leave);
    this.#inside.push(gated);
    return gated;
  }

  /** One is always let in: a guest that needs more than the pod has meets its own cap. */
  #hasRoom(): boolean {
    const count = this.#inside.size + this.#entering.size;
    if (count === 0) return true;
    if (count >= this.#instancesMax) return false;
    const newBytes = (this.#entering.size + 1) * this.#startBytes + (count + 1) * overheadBytes;
    return this.#fits(newBytes);
  }

  /** A guest that is interrupted takes along what was under way for others: places are left that nobody gives back. */
  forgetUnwanted(): void {
    for (const entering of this.#entering) if (!entering.isWanted()) this.#entering.remove(entering);
    for (const instance of this.#inside) if (!instance.isWanted()) instance.dispose();
    this.#admit();
  }

  #admit(): void {
    while (this.#waiting.length > 0 && this.#hasRoom()) this.#waiting.shift()?.();
  }

  /** An instance is given back. */
  readonly #leave = (instance: GatedInstance): void => {
    if (this.#inside.remove(instance)) this.#admit();
  };
}

interface Entering extends Linked<Entering> {
  readonly isWanted: () => boolean;
}

/** Where the gate's instances come from. */
interface Pool {
  takeNow(): Instance | undefined;
  /** @throws GuestFault */
  take(starting: (isStarting: boolean) => void): Promise<Instance>;
}

export const gatedInstances = (gate: MemoryGate, pool: Pool): InstanceSource => ({
  takeNow: (wanted) => gate.takeNow(() => pool.takeNow(), wanted),
  take: (wanted, starting) => gate.take(() => pool.take(starting), wanted),
});

// Above this share of the memory every instance is asked each time.
const fullShare = 0.5;

/** An instance that has a place inside, and gives it back with itself. */
class GatedInstance implements Instance, Linked<GatedInstance> {
  previous: GatedInstance | undefined;
  next: GatedInstance | undefined;
  /** A request that is over may not have given it back. */
  readonly isWanted: () => boolean;
  readonly #instance: Instance;
  readonly #left: (instance: GatedInstance) => void;
  readonly abandon?: (request: GuestRequest) => void;

  constructor(instance: Instance, isWanted: () => boolean, left: (instance: GatedInstance) => void) {
    this.#instance = instance;
    this.isWanted = isWanted;
    this.#left = left;
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
    this.#left(this);
  }
}

/**
 * What an instance costs beside its linear memory: its stack, handle tables and buffers, and its share of garbage
 * that is not collected yet. Measured as 1 MiB with 20 to 120 instances of a Hono application at once under
 * jco's bindings, and not again under our own linker.
 */
const overheadBytes = 1024 * 1024;
