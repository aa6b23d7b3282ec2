import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describeError, type Log } from "@shallop/sdk/internal";
import type { PodLimits } from "../pod/pod-runtime.ts";
import type { PodManifest } from "./manifest.ts";

/**
 * What this node must not forget of a pod. The name is the pod's identity here: `uid` names it towards the runtime and
 * is chosen before the API knows of an activated pod; `apiUid` is what the API calls it.
 */
export interface PodRecord {
  readonly uid: string;
  readonly apiUid?: string;
  readonly origin: "bound" | "activation";
  readonly manifest: PodManifest;
  readonly limits: PodLimits;
  readonly acceptedWallMs: number;
  /** It is frozen. */
  readonly paused?: boolean;
  /** Set when the image was chosen. */
  readonly chosen?: ChosenImage;
}

interface ChosenImage {
  readonly variant: "wasm" | "native";
  /** Why this variant, in a sentence. */
  readonly reason: string;
  /** `registry/repository@sha256:…` of the variant. */
  readonly imageId: string;
}

export const podKey = (pod: { readonly namespace: string; readonly name: string }): string =>
  `${pod.namespace}/${pod.name}`;

/**
 * One file per pod, so that a start costs one small write whatever the number of pods. Not synced to the disk: a killed
 * agent finds them again, and after a power cut the pods are gone with the machine.
 */
export class PodRecords {
  readonly #directory: string;
  readonly #log: Log;
  /** Writes of one pod follow one another; the last one counts. */
  readonly #writes = new Map<string, Promise<void>>();
  /** What is to be written of a pod, and has not been begun. */
  readonly #unsaved = new Map<string, PodRecord>();

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /** Every record that can be read; one that cannot is removed and told. */
  async load(): Promise<readonly PodRecord[]> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const records: PodRecord[] = [];
    for (const name of await readdir(this.#directory)) {
      const file = path.join(this.#directory, name);
      const record = name.endsWith(".json") ? await readRecord(file) : undefined;
      if (record !== undefined && name === `${record.uid}.json`) records.push(record);
      else {
        if (name.endsWith(".json")) this.#log.warn("a pod record that cannot be read is removed", { file });
        await rm(file, { force: true });
      }
    }
    return records;
  }

  /** In the next turn of the event loop: a request may wait for the pod, and what the record says may change with its start. */
  save(record: PodRecord): Promise<void> {
    const { uid } = record;
    const isWaiting = this.#unsaved.has(uid);
    this.#unsaved.set(uid, record);
    const writes = this.#writes.get(uid);
    if (isWaiting && writes !== undefined) return writes;
    return this.#chain(uid, async () => {
      await nextTurn();
      const latest = this.#unsaved.get(uid);
      if (latest === undefined) return;
      this.#unsaved.delete(uid);
      const file = this.#file(uid);
      await writeFile(`${file}.new`, JSON.stringify(latest), { mode: 0o600 });
      await rename(`${file}.new`, file);
    });
  }

  remove(uid: string): Promise<void> {
    this.#unsaved.delete(uid);
    return this.#chain(uid, () => rm(this.#file(uid), { force: true }));
  }

  async flush(): Promise<void> {
    await Promise.all(this.#writes.values());
  }

  #file(uid: string): string {
    return path.join(this.#directory, `${uid}.json`);
  }

  #chain(uid: string, write: () => Promise<void>): Promise<void> {
    const written = (this.#writes.get(uid) ?? Promise.resolve())
      .then(write)
      // Without its record the pod runs all the same; it would be replaced after a restart of the agent.
      .catch((error: unknown) => this.#log.warn("a pod record was not stored", { uid, error: describeError(error) }))
      .finally(() => {
        if (this.#writes.get(uid) === written) this.#writes.delete(uid);
      });
    this.#writes.set(uid, written);
    return written;
  }
}

async function readRecord(file: string): Promise<PodRecord | undefined> {
  try {
    const parsed: unknown = JSON.parse(await readFile(file, "utf8"));
    return isRecord(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** Ours, but from a disk: enough of the shape that nothing that reads it can fail. */
function isRecord(value: unknown): value is PodRecord {
  if (!isObject(value) || !isObject(value["manifest"]) || !isObject(value["limits"])) return false;
  const { manifest, limits } = value;
  const spec = manifest["spec"];
  return (
    typeof value["uid"] === "string" &&
    /^[\w-]{1,64}$/.test(value["uid"]) &&
    (value["apiUid"] === undefined || typeof value["apiUid"] === "string") &&
    (value["origin"] === "bound" || value["origin"] === "activation") &&
    typeof value["acceptedWallMs"] === "number" &&
    typeof manifest["namespace"] === "string" &&
    typeof manifest["name"] === "string" &&
    isObject(manifest["labels"]) &&
    isObject(manifest["annotations"]) &&
    Array.isArray(manifest["ownerReferences"]) &&
    isObject(spec) &&
    Array.isArray(spec["containers"]) &&
    Object.entries(limits).every(([name, limit]) => typeof limit === "number" || (name === "reuse" && isObject(limit)))
  );
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
