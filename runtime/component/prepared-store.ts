import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { ContentStore, type Digest, digestOf, isDigest, parseDigest } from "@shallop/sdk/image";
import type { Clock, Random } from "@shallop/sdk/internal";
import { type ComponentPlan, parsePlan, planFile, planText } from "./component-plan.ts";
import type { PathOf } from "./prepared-files.ts";
import type { Purpose } from "./requirements.ts";

/** Which preparation: one component may be wanted to serve and to run. */
export interface PreparedKey {
  /** `sha256:…` of the component. */
  readonly componentDigest: string;
  readonly purpose: Purpose;
}

/** A prepared component that is whole. */
export interface PreparedComponent {
  readonly plan: ComponentPlan;
  readonly pathOf: PathOf;
}

export interface PreparedStoreSettings {
  /** Of the content store. */
  readonly directory: string;
  /** All plans and modules together: beyond it those that were not used for longest go, and are made again when they are wanted. */
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** What is known of an entry without reading its plan. */
interface PreparedRecord {
  readonly plan: Digest;
  /** Of its files, together. */
  readonly bytes: number;
}

interface PreparedEntry {
  readonly path: string;
  readonly componentDigest: string;
  readonly record: PreparedRecord | undefined;
  readonly usedMs: number;
}

/**
 * Prepared components in a content store. The link plan and each file that it names is a blob by its own digest, so that
 * equal modules of many components are there once; which plan is whose stands in `prepared/<purpose>-<component's hex>.json`.
 * An entry is as old as its last use.
 */
export class PreparedStore {
  readonly #settings: PreparedStoreSettings;
  readonly #directory: string;
  readonly #store: ContentStore;

  private constructor(settings: PreparedStoreSettings, directory: string, store: ContentStore) {
    this.#settings = settings;
    this.#directory = directory;
    this.#store = store;
  }

  /** @throws ImageFault STORE_FAILED */
  static async open(settings: PreparedStoreSettings): Promise<PreparedStore> {
    // Whoever starts a component waits, and what is lost is made again.
    const store = await ContentStore.open(settings.directory, { random: settings.random, lasts: false });
    const directory = join(settings.directory, "prepared");
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return new PreparedStore(settings, directory, store);
  }

  /** What is there and whole. What is broken is removed, so that it can be stored again. */
  async find(key: PreparedKey): Promise<PreparedComponent | undefined> {
    const path = this.#recordPath(key);
    const record = await readRecord(path);
    if (record === undefined) return undefined;
    const plan = await this.#plan(record.plan);
    if (plan?.componentDigest !== key.componentDigest || plan.purpose !== key.purpose) return undefined;
    const files = await Promise.all([...plan.modules, ...plan.files].map((file) => this.#whole(blobOf(file))));
    if (files.includes(undefined)) return undefined;
    const nowS = this.#settings.clock.wallMs() / 1000;
    await utimes(path, nowS, nowS).catch(() => undefined);
    return this.#component(plan, record.plan);
  }

  /** @param contents of the plan's files, whose digests are in the plan @throws ImageFault STORE_FAILED */
  async keep(plan: ComponentPlan, contents: ReadonlyMap<string, Uint8Array>): Promise<PreparedComponent> {
    const files = [...plan.modules, ...plan.files];
    const text = Buffer.from(planText(plan));
    const [stored] = await Promise.all([
      this.#store.putBytes(text, digestOf(text)),
      ...files.map((file) => this.#store.putBytes(contents.get(file.name) ?? new Uint8Array(), blobOf(file))),
    ]);
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    await this.#write(this.#recordPath(plan), { plan: stored.digest, bytes });
    return this.#component(plan, stored.digest);
  }

  /**
   * Forgets what belongs to no component in use, and what is beyond the bound. What was used after `keepSinceMs` stays.
   * @param inUse digests of components; undefined: all are
   * @returns the blobs that are needed
   */
  async collect(inUse: ReadonlySet<string> | undefined, keepSinceMs: number): Promise<readonly Digest[]> {
    const needed: Digest[] = [];
    let bytes = 0;
    for (const { path, componentDigest, record, usedMs } of await this.#entries()) {
      bytes += record?.bytes ?? 0;
      const isWanted = record !== undefined && (inUse?.has(componentDigest) ?? true);
      if (usedMs >= keepSinceMs || (isWanted && bytes <= this.#settings.bytesMax)) {
        if (record !== undefined) needed.push(...(await this.#blobsOf(record)));
        continue;
      }
      bytes -= record?.bytes ?? 0;
      await rm(path, { recursive: true, force: true });
    }
    return needed;
  }

  /** Where nothing else is in the content store: holds it to the bound. */
  async trim(keepSinceMs: number): Promise<void> {
    const entries = await this.#entries();
    if (entries.reduce((sum, { record }) => sum + (record?.bytes ?? 0), 0) <= this.#settings.bytesMax) return;
    const kept = new Set(await this.collect(undefined, keepSinceMs));
    await this.#store.sweep({ kept, keepSinceMs, alone: (act) => act() });
  }

  /** The last used first. What is no record, such as a draft of a process that was killed, is an entry of nothing. */
  async #entries(): Promise<readonly PreparedEntry[]> {
    const entries: PreparedEntry[] = [];
    for (const name of await readdir(this.#directory)) {
      const path = join(this.#directory, name);
      const found = await stat(path).catch(() => undefined);
      if (found === undefined) continue;
      const componentDigest = name
        .replace(/^[a-z]+-/, "")
        .replace("-", ":")
        .replace(/\.json$/, "");
      entries.push({ path, componentDigest, record: await readRecord(path), usedMs: found.mtimeMs });
    }
    return entries.sort((a, b) => b.usedMs - a.usedMs);
  }

  async #blobsOf({ plan: digest }: PreparedRecord): Promise<readonly Digest[]> {
    const plan = await this.#plan(digest);
    return plan === undefined ? [] : [digest, ...[...plan.modules, ...plan.files].map(blobOf)];
  }

  async #plan(digest: Digest): Promise<ComponentPlan | undefined> {
    const text = await this.#whole(digest);
    return text === undefined ? undefined : parsePlan(text.toString("utf8"));
  }

  /** A disk can lose what it said it had written, and somebody can write there: a link plan must not be a little different. */
  async #whole(digest: Digest): Promise<Buffer | undefined> {
    const path = this.#store.path(digest);
    const bytes = await readFile(path).catch(() => undefined);
    if (bytes !== undefined && digestOf(bytes) === digest) return bytes;
    await rm(path, { recursive: true, force: true });
    return undefined;
  }

  #component(plan: ComponentPlan, digest: Digest): PreparedComponent {
    const blobs = new Map([...plan.modules, ...plan.files].map((file) => [file.name, blobOf(file)]));
    return { plan, pathOf: (name) => this.#store.path(name === planFile ? digest : (blobs.get(name) ?? digest)) };
  }

  #recordPath({ purpose, componentDigest }: PreparedKey): string {
    return join(this.#directory, `${purpose}-${componentDigest.replace(":", "-")}.json`);
  }

  async #write(path: string, record: PreparedRecord): Promise<void> {
    const draft = join(this.#directory, `.${this.#settings.random.uuid()}`);
    try {
      await using handle = await open(draft, "wx", 0o600);
      await handle.writeFile(JSON.stringify(record));
      await rename(draft, path);
    } finally {
      await rm(draft, { force: true });
    }
  }
}

const blobOf = (file: { readonly sha256: string }): Digest => parseDigest(`sha256:${file.sha256}`);

/** Undefined: nothing is there, or something else than a record. */
async function readRecord(path: string): Promise<PreparedRecord | undefined> {
  try {
    const { plan, bytes } = JSON.parse(await readFile(path, "utf8")) as Partial<Record<string, unknown>>;
    if (typeof plan !== "string" || typeof bytes !== "number" || !isDigest(plan)) return undefined;
    return { plan, bytes };
  } catch {
    return undefined;
  }
}
