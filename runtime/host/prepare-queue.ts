import { existsSync } from "node:fs";
import { type Clock, SingleFlight } from "@shallop/sdk/internal";
import { planFile } from "../component/component-plan.ts";
import { Jails } from "../component/jails.ts";
import { prepare, type PrepareLimits } from "../component/prepare.ts";
import type { PreparedComponent, PreparedStore } from "../component/prepared-store.ts";
import { purposesOf, type WantedPurpose } from "../component/requirements.ts";
import { withoutVersion } from "@shallop/sdk/trust";
import type { Cells } from "../sandbox/cell/cells.ts";
import type { LocalImage, LocalWasmImage } from "../image/local-image.ts";

export interface PrepareQueueSettings {
  readonly limits: PrepareLimits;
  readonly clock: Clock;
  readonly cells: Cells;
  readonly store: PreparedStore;
  /** An existing one, for jails. */
  readonly directory: string;
  /** Directory of Node's compile cache of our own programs. */
  readonly compileCache: string;
}

// Preparing takes a core and up to 300 MB: never more than this at once.
const atOnceMax = 2;
// What was prepared starts now, and wants the processors that a jail would take.
const nextJailDelayMs = 250;
// Components that are started without a look at their bytes: as many as a node remembers images.
const knownMax = 1000;

/** Prepares components: each once, however many ask, and few at a time. */
export class PrepareQueue {
  readonly #settings: PrepareQueueSettings;
  readonly #flights = new SingleFlight<string, PreparedComponent>();
  readonly #prepared = new Map<string, PreparedComponent>();
  readonly #closing = new AbortController();
  readonly #jails: Jails;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(settings: PrepareQueueSettings) {
    this.#settings = settings;
    const { cells, compileCache, directory } = settings;
    this.#jails = new Jails({ cells: async () => cells, compileCache, directory });
  }

  /** The next component finds a jail that waits for it, as do all after it. */
  keepReady(): void {
    this.#jails.keepReady();
  }

  /** Rejects with `signal.reason` when this caller gives up; others who wait for the same component are not affected. */
  async prepare(
    image: LocalWasmImage,
    signal: AbortSignal,
    purpose: WantedPurpose = "serve",
  ): Promise<PreparedComponent> {
    const known = this.#known(image.componentDigest, purpose);
    if (known !== undefined) return known;
    signal.throwIfAborted();
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const flight = this.#flights.run(`${purpose} ${image.componentDigest}`, () => this.#run(image, purpose));
    flight.catch(() => undefined);
    try {
      return await Promise.race([flight, promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** What was prepared here, if it is still there: it may have been let go of. At once: a request may wait for it. */
  #known(componentDigest: string, wanted: WantedPurpose): PreparedComponent | undefined {
    for (const purpose of purposesOf(wanted)) {
      const key = `${purpose} ${componentDigest}`;
      const prepared = this.#prepared.get(key);
      if (prepared === undefined) continue;
      if (existsSync(prepared.pathOf(planFile))) return prepared;
      this.#prepared.delete(key);
    }
    return undefined;
  }

  /** What a component that was prepared here imports and its image does not list. */
  unlistedImports(image: LocalImage): readonly string[] {
    if (image.variant !== "wasm" || image.listedImports === undefined) return [];
    const listed = new Set(image.listedImports.map(withoutVersion));
    const imports = this.#known(image.componentDigest, "either")?.plan.imports ?? [];
    return imports.filter((name) => !listed.has(withoutVersion(name)));
  }

  /** Ends what is being prepared. */
  close(): void {
    this.#closing.abort(new Error("the node agent stops"));
    this.#jails.close();
  }

  /** One that an earlier agent has prepared, too. */
  async find(componentDigest: string): Promise<PreparedComponent | undefined> {
    return (
      this.#known(componentDigest, "serve") ?? (await this.#settings.store.find({ componentDigest, purpose: "serve" }))
    );
  }

  #remember(prepared: PreparedComponent): void {
    const { purpose, componentDigest } = prepared.plan;
    this.#prepared.set(`${purpose} ${componentDigest}`, prepared);
    const [oldest] = this.#prepared.keys();
    if (this.#prepared.size > knownMax && oldest !== undefined) this.#prepared.delete(oldest);
  }

  async #run(image: LocalWasmImage, purpose: WantedPurpose): Promise<PreparedComponent> {
    while (this.#running >= atOnceMax) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    try {
      const { componentDigest, componentPath } = image;
      const { limits, clock, store } = this.#settings;
      const request = { componentPath, componentDigest, store, purpose, jails: this.#jails };
      const prepared = await prepare(request, limits, clock, this.#closing.signal);
      this.#remember(prepared);
      return prepared;
    } finally {
      this.#running--;
      this.#settings.clock.after(nextJailDelayMs, () => this.#jails.keepReady());
      this.#waiting.shift()?.();
    }
  }
}
