import { describeError, type Log } from "@shallop/sdk/internal";
import type { IdRanges } from "./id-ranges.ts";
import type { IdRange, Kernel } from "./kernel/kernel.ts";
import { spareHolder } from "./pod-files.ts";

export interface PodUsersSettings {
  readonly ranges: IdRanges;
  readonly kernel: Pick<Kernel, "prepareUserNamespace" | "forgetUserNamespace">;
  /** User namespaces that are made before there is a pod for them: each costs a process's start. 0: none. */
  readonly sparesMax: number;
  readonly log: Log;
}

/** User ids of pods, with their user namespaces. */
export class PodUsers {
  readonly #settings: PodUsersSettings;
  readonly #spares: { readonly holder: string; readonly range: IdRange }[] = [];
  #refilling: Promise<void> | undefined;
  #made = 0;
  #closed = false;

  constructor(settings: PodUsersSettings) {
    this.#settings = settings;
  }

  /** What the pod has already. */
  find(key: string): Promise<IdRange | undefined> {
    return this.#settings.ranges.find(key);
  }

  /** The pod's range, whose user namespace is there or on its way. Undefined: all are taken. */
  async claim(key: string): Promise<IdRange | undefined> {
    const { ranges, kernel } = this.#settings;
    const spare = (await ranges.find(key)) === undefined ? this.#spares.shift() : undefined;
    if (spare !== undefined) {
      await ranges.hand(spare.range, key);
      return spare.range;
    }
    const range = await ranges.claim(key);
    // A process has to start for it; meanwhile the pod gets its network.
    if (range !== undefined) kernel.prepareUserNamespace(range);
    return range;
  }

  async release(key: string): Promise<void> {
    const { ranges, kernel } = this.#settings;
    for (const range of await ranges.release(key)) await kernel.forgetUserNamespace(range);
    // What takes its place is made while nobody waits.
    this.refill();
  }

  /** Gives back what pods of this node have that are not `living`. */
  async sweep(living: ReadonlySet<string>): Promise<void> {
    await this.#refilling;
    await this.#settings.ranges.sweep(new Set([...living, ...this.#spares.map(({ holder }) => holder)]));
  }

  /** Makes spares, one after the other. */
  refill(): void {
    if (this.#closed) return;
    this.#refilling ??= this.#makeSpares()
      .catch((error: unknown) =>
        this.#settings.log.warn("no user namespace could be made ahead", { error: describeError(error) }),
      )
      .finally(() => (this.#refilling = undefined));
  }

  /** Gives the spares back. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#refilling;
    for (const { holder } of this.#spares.splice(0)) await this.release(holder);
  }

  async #makeSpares(): Promise<void> {
    const { ranges, kernel, sparesMax } = this.#settings;
    while (!this.#closed && this.#spares.length < sparesMax) {
      const holder = `${spareHolder}${String(++this.#made)}`;
      const range = await ranges.claim(holder);
      if (range === undefined) return;
      kernel.prepareUserNamespace(range);
      this.#spares.push({ holder, range });
    }
  }
}
