import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { type FailedNode, type PreparedNode, type Revision, variantWishOf } from "@shallop/sdk/api";
import { describeError, errorCode, type Log, unreachable } from "@shallop/sdk/internal";
import type { ImageSource, PreparedImage } from "./image-source.ts";
import { imageOf } from "./manifest.ts";

/** How far this node is with a revision that it is a home of. */
export type Preparation =
  | { readonly phase: "preparing" }
  | { readonly phase: "prepared"; readonly prepared: PreparedImage }
  | { readonly phase: "failed"; readonly code: string; readonly message: string };

export interface HomeRevision {
  readonly key: string;
  readonly revision: Revision;
  readonly preparation: Preparation;
}

export const revisionKey = (namespace: string, name: string): string => `${namespace}/${name}`;
export const keyOf = (revision: Revision): string =>
  revisionKey(revision.metadata.namespace ?? "default", revision.metadata.name);

/**
 * The revisions that this node keeps prepared. They are stored, so that after a restart they can be activated while the
 * control plane is away.
 */
export class HomeRevisions {
  readonly #directory: string;
  readonly #images: ImageSource;
  readonly #log: Log;
  readonly #homesByKey = new Map<string, HomeRevision>();

  constructor(directory: string, images: ImageSource, log: Log) {
    this.#directory = directory;
    this.#images = images;
    this.#log = log;
  }

  get all(): readonly HomeRevision[] {
    return [...this.#homesByKey.values()];
  }

  get(key: string): HomeRevision | undefined {
    return this.#homesByKey.get(key);
  }

  /** The revisions of the last run. Each must be prepared again: quick, their images are here. */
  async load(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#directory)) {
      const file = path.join(this.#directory, name);
      const revision = await readRevision(file);
      if (revision === undefined || fileName(revision) !== name) await rm(file, { force: true });
      else this.#set(revision, { phase: "preparing" });
    }
  }

  /** Prepares it, or finds it prepared. Rejects with what went wrong, after having noted it. */
  async prepare(revision: Revision, signal: AbortSignal): Promise<PreparedImage> {
    const key = keyOf(revision);
    const before = this.#homesByKey.get(key);
    const same = before !== undefined && before.revision.metadata.uid === revision.metadata.uid;
    this.#set(revision, same ? before.preparation : { phase: "preparing" });
    try {
      const reference = imageOf(revision) ?? "";
      const namespace = revision.metadata.namespace ?? "default";
      await this.#images.admit({ namespace, image: reference }, signal);
      const prepared = await this.#images.prepare(reference, variantWishOf(revision.metadata.annotations), signal);
      if (this.#homesByKey.get(key)?.revision === revision) {
        this.#set(revision, { phase: "prepared", prepared });
        await this.#store(revision);
      }
      return prepared;
    } catch (error) {
      if (!signal.aborted && this.#homesByKey.get(key)?.revision === revision) {
        const code = errorCode(error) ?? "PULL_FAILED";
        this.#set(revision, { phase: "failed", code, message: describeError(error) });
      }
      throw error;
    }
  }

  /** Its pods do not come up with what was prepared; with this they do. Undefined: it is no home. */
  fellBack(key: string, prepared: PreparedImage): HomeRevision | undefined {
    const home = this.#homesByKey.get(key);
    if (home !== undefined) this.#set(home.revision, { phase: "prepared", prepared });
    return home;
  }

  async drop(key: string): Promise<void> {
    const home = this.#homesByKey.get(key);
    if (home === undefined) return;
    this.#homesByKey.delete(key);
    await rm(path.join(this.#directory, fileName(home.revision)), { force: true });
  }

  #set(revision: Revision, preparation: Preparation): void {
    this.#homesByKey.set(keyOf(revision), { key: keyOf(revision), revision, preparation });
  }

  async #store(revision: Revision): Promise<void> {
    const file = path.join(this.#directory, fileName(revision));
    try {
      await writeFile(`${file}.new`, JSON.stringify(revision), { mode: 0o600 });
      await rename(`${file}.new`, file);
    } catch (error) {
      this.#log.warn("a home revision was not stored", { file, error: describeError(error) });
    }
  }
}

/** What this node says of itself in the revision's status; undefined: nothing yet. */
export function homeReport(
  home: HomeRevision | undefined,
  node: string,
): { readonly prepared?: PreparedNode; readonly failed?: FailedNode } | undefined {
  if (home === undefined) return {};
  const { preparation } = home;
  switch (preparation.phase) {
    case "prepared": {
      const { image, reason } = preparation.prepared;
      return { prepared: { node, variant: image.variant, reason } };
    }
    case "failed":
      return { failed: { node, code: preparation.code, message: preparation.message } };
    case "preparing":
      return undefined;
    default:
      return unreachable(preparation);
  }
}

/** For comparison: equal texts report the same. */
export function homeReportText(home: HomeRevision | undefined, node: string): string | undefined {
  const report = homeReport(home, node);
  return report === undefined ? undefined : JSON.stringify(report);
}

const fileName = (revision: Revision): string =>
  `${revision.metadata.namespace ?? "default"}_${revision.metadata.name}.json`;

async function readRevision(file: string): Promise<Revision | undefined> {
  try {
    const parsed: unknown = JSON.parse(await readFile(file, "utf8"));
    return isRevision(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** Ours, but from a disk: enough of the shape that nothing that reads it can fail. */
function isRevision(value: unknown): value is Revision {
  if (!isObject(value) || value["kind"] !== "Revision") return false;
  const { metadata, spec, status } = value;
  return (
    isObject(metadata) &&
    typeof metadata["name"] === "string" &&
    typeof metadata["uid"] === "string" &&
    isObject(spec) &&
    Array.isArray(spec["containers"]) &&
    isObject(status) &&
    Array.isArray(status["containerStatuses"])
  );
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
