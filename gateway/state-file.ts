import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import type { ApiObject } from "@shallop/sdk/api";
import { type Clock, describeError, errorCode, type Log, type Timer } from "@shallop/sdk/internal";
import { type Cluster, keptKinds, type WatchedKind, type WatchedObjects } from "./route/cluster.ts";

// A deployment changes a handful of objects within a second; they make one file.
const writeDelayMs = 1_000;
// 10,000 services with 2 KiB for each object. What is larger is not our file.
const fileBytesMax = 128 * 1024 * 1024;
const formatVersion = 1;

export interface StateFileOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Keeps all that was last known but pods in a file, secrets of TLS among it (mode 0600), so that a gateway that starts while the
 * control plane is away can serve. Pods are left out: an address may have gone to another tenant's pod meanwhile, and the home
 * nodes tell where the pods of a revision are when they are asked to activate it.
 */
export class StateFile {
  readonly #options: StateFileOptions;
  readonly #cluster: Cluster;
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(cluster: Cluster, options: StateFileOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /** Puts what the file says into the cluster. A file that is not there or not ours is no reason not to start. */
  async load(): Promise<void> {
    const { file, log } = this.#options;
    try {
      const text = await readFile(file, "utf8");
      if (text.length > fileBytesMax) throw new Error("it is larger than such a file can be");
      const count = restore(this.#cluster, JSON.parse(text));
      log.info("serving what was known last until the control plane answers", { file, objects: count });
    } catch (error) {
      if (errorCode(error) !== "ENOENT") log.warn("cannot use the state file", { file, reason: describeError(error) });
    }
  }

  /** Something has changed; it is written soon. */
  changed(): void {
    this.#timer ??= this.#options.clock.after(writeDelayMs, () => {
      this.#timer = undefined;
      this.#writing = this.#writing.then(() => this.#write());
    });
  }

  /** Writes what is not written yet. */
  async close(): Promise<void> {
    if (this.#timer !== undefined) {
      this.#timer.cancel();
      this.#timer = undefined;
      this.#writing = this.#writing.then(() => this.#write());
    }
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { file, log } = this.#options;
    const state = Object.fromEntries(keptKinds.map((kind) => [kind, [...this.#cluster.objects(kind)].map(trimmed)]));
    const temporary = `${file}.new`;
    try {
      await mkdir(dirname(file), { recursive: true });
      const handle = await open(temporary, "w", 0o600);
      try {
        await handle.writeFile(JSON.stringify({ version: formatVersion, ...state }));
        // After a power cut the file is the old one or the new one, never a part.
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
    } catch (error) {
      log.warn("cannot write the state file", { file, reason: describeError(error) });
    }
  }
}

function trimmed(object: ApiObject): ApiObject {
  const { managedFields: _unused, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** @returns how many objects it was. @throws when it is no such state */
function restore(cluster: Cluster, state: unknown): number {
  if (typeof state !== "object" || state === null) throw new Error("it is no state of a gateway");
  const record = state as Readonly<Record<string, unknown>>;
  if (record["version"] !== formatVersion) throw new Error("it is of another version");
  let count = 0;
  for (const kind of keptKinds) {
    // Those of a gateway that knew fewer kinds say nothing of the others.
    const objects = record[kind] ?? [];
    if (!Array.isArray(objects)) throw new Error(`its ${kind} are no list`);
    for (const object of objects) {
      if (!isNamed(object)) throw new Error(`an object of its ${kind} has no name`);
      cluster.set(kind, object as WatchedObjects[WatchedKind]);
      count++;
    }
  }
  return count;
}

/** The rest was checked by the API before it was ever written. */
function isNamed(object: unknown): object is ApiObject {
  if (typeof object !== "object" || object === null || !("metadata" in object)) return false;
  const { metadata } = object;
  return typeof metadata === "object" && metadata !== null && "name" in metadata && typeof metadata.name === "string";
}
