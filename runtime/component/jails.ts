import type { Cells } from "../sandbox/cell/cells.ts";
import { Jail } from "./jail.ts";

export interface JailsSettings {
  /** Asked for with the first jail: how they are closed in. */
  readonly cells: () => Promise<Cells>;
  /** JavaScript heap of each; what the largest known component needs five times over, unless given. */
  readonly heapBytesMax?: number;
  /** An existing one, where there is room for a component; nothing is left there. */
  readonly directory: string;
  /** Directory of Node's compile cache of our own programs. */
  readonly compileCache?: string;
}

// The 13 MB of the largest known engine in a component (StarlingMonkey) need 200 MB to be transpiled.
export const jailHeapBytesMax = 1024 * 1024 * 1024;

/** Jails for components, each for one. */
export class Jails {
  readonly #settings: JailsSettings;
  #ready: Promise<Jail> | undefined;
  #isClosed = false;

  constructor(settings: JailsSettings) {
    this.#settings = settings;
  }

  /** The one that waits, or else a new one. It is the caller's to run or to end. */
  async take(): Promise<Jail> {
    const ready = this.#ready;
    this.#ready = undefined;
    const jail = await ready?.catch(() => undefined);
    return jail?.isWaiting === true ? jail : this.#start();
  }

  /** Starts one, unless one waits: a process that has loaded its program saves the next component half of its time. */
  keepReady(): void {
    if (this.#isClosed || this.#ready !== undefined) return;
    this.#ready = this.#start();
    // Whoever takes it tries again, and is told.
    this.#ready.catch(() => undefined);
  }

  close(): void {
    this.#isClosed = true;
    const ready = this.#ready;
    this.#ready = undefined;
    void ready?.then(
      (jail) => jail.end(),
      () => undefined,
    );
  }

  async #start(): Promise<Jail> {
    const { cells, heapBytesMax = jailHeapBytesMax, compileCache, directory } = this.#settings;
    return Jail.start({ cells: await cells(), heapBytesMax, compileCache, directory });
  }
}
