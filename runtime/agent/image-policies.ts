import { readFile, rename, writeFile } from "node:fs/promises";
import type { ImagePolicy } from "@shallop/sdk/api";
import { describeError, errorCode, type Log } from "@shallop/sdk/internal";

/** What the API has of a kind, as an informer knows it. */
interface PolicySource {
  readonly synced: Promise<void>;
  items(): readonly ImagePolicy[];
}

/**
 * The cluster's image policies, kept in a file, so that a node that starts while the control plane is away goes by what
 * it knew last. A node that has never known any waits.
 */
export class ImagePolicies {
  readonly #file: string;
  readonly #log: Log;
  #source: PolicySource | undefined;
  #isSynced = false;
  #stored: readonly ImagePolicy[] | undefined;
  #storing: Promise<void> = Promise.resolve();

  private constructor(file: string, log: Log, stored: readonly ImagePolicy[] | undefined) {
    this.#file = file;
    this.#log = log;
    this.#stored = stored;
  }

  static async open(file: string, log: Log): Promise<ImagePolicies> {
    return new ImagePolicies(file, log, await readPolicies(file));
  }

  /** Where they come from, from now on. */
  follow(source: PolicySource): void {
    this.#source = source;
    source.synced.then(
      () => {
        this.#isSynced = true;
        this.changed();
      },
      () => undefined,
    );
  }

  /** The source knows something new: it is kept. */
  changed(): void {
    if (!this.#isSynced || this.#source === undefined) return;
    this.#stored = this.#source.items();
    const text = JSON.stringify(this.#stored);
    this.#storing = this.#storing.then(() => this.#store(text));
  }

  /** Resolves with all of them as soon as any are known; rejects with `signal.reason`. */
  async all(signal: AbortSignal): Promise<readonly ImagePolicy[]> {
    if (this.#stored !== undefined) return this.#stored;
    signal.throwIfAborted();
    const { promise, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      await Promise.race([this.#source?.synced, promise]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
    return this.#stored ?? this.#source?.items() ?? [];
  }

  async #store(text: string): Promise<void> {
    try {
      await writeFile(`${this.#file}.new`, text, { mode: 0o600 });
      await rename(`${this.#file}.new`, this.#file);
    } catch (error) {
      this.#log.warn("the image policies were not stored", { file: this.#file, error: describeError(error) });
    }
  }
}

/** Undefined when there is no file. One that cannot be read is as none: the API is waited for. */
async function readPolicies(file: string): Promise<readonly ImagePolicy[] | undefined> {
  try {
    const json: unknown = JSON.parse(await readFile(file, "utf8"));
    return Array.isArray(json) ? (json as readonly ImagePolicy[]) : undefined;
  } catch (error) {
    if (errorCode(error) !== "ENOENT" && !(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
