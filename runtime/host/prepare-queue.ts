import { type Clock, SingleFlight } from "@shallop/sdk/internal";
import { prepare, type PrepareLimits } from "../component/prepare.ts";
import type { Cells } from "../sandbox/cell/cells.ts";
import type { LocalWasmImage } from "../image/local-image.ts";

export interface PrepareQueueSettings {
  readonly limits: PrepareLimits;
  readonly clock: Clock;
  readonly cells: Cells;
  /** Directory of a prepared component. */
  readonly directoryOf: (componentDigest: string) => string;
}

// Preparing takes a core and up to 300 MB: never more than this at once.
const atOnceMax = 2;

/** Prepares components: each once, however many ask, and few at a time. */
export class PrepareQueue {
  readonly #settings: PrepareQueueSettings;
  readonly #flights = new SingleFlight<string, void>();
  readonly #prepared = new Set<string>();
  readonly #closing = new AbortController();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(settings: PrepareQueueSettings) {
    this.#settings = settings;
  }

  /** Rejects with `signal.reason` when this caller gives up; others who wait for the same component are not affected. */
  async prepare(image: LocalWasmImage, signal: AbortSignal): Promise<void> {
    if (this.#prepared.has(image.componentDigest)) return;
    signal.throwIfAborted();
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const flight = this.#flights.run(image.componentDigest, () => this.#run(image));
    flight.catch(() => undefined);
    try {
      await Promise.race([flight, promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Ends what is being prepared. */
  close(): void {
    this.#closing.abort(new Error("the node agent stops"));
  }

  async #run(image: LocalWasmImage): Promise<void> {
    while (this.#running >= atOnceMax) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    try {
      const { componentDigest, componentPath } = image;
      const { limits, clock, cells, directoryOf } = this.#settings;
      const request = {
        componentPath,
        componentDigest,
        outDir: directoryOf(componentDigest),
        cells: async () => cells,
      };
      await prepare(request, limits, clock, this.#closing.signal);
      this.#prepared.add(componentDigest);
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }
}
