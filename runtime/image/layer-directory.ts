import { spawn } from "node:child_process";
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createHash } from "node:crypto";
import { type Digest, ImageFault } from "@shallop/sdk/image";
import { errorCode, type Random } from "@shallop/sdk/internal";
import type { PrivilegePolicy } from "./layer-rewriter.ts";

/** An unpacked layer on this node. */
export interface UnpackedLayer {
  readonly key: string;
  /** A lower directory of overlayfs. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Everything below is hidden by this layer. */
  readonly rootOpaque: boolean;
  /** When it was unpacked, milliseconds since the epoch. */
  readonly writtenMs: number;
}

interface LayerRecord {
  readonly sizeBytes: number;
  readonly rootOpaque: boolean;
}

/** In a layer that may not be on the disk yet: of which start of the machine it is. */
const unsyncedFile = "unsynced";

/**
 * Unpacked layers, each a directory that appears at once and whole: it is filled under another name, and renamed. Nobody waits until it is on
 * the disk: until then it has a mark, and one with the mark of an earlier start of the machine is removed, because a loss of power may have
 * taken some of it. A layer is found by its diff id; one that depends on what is below it (a hard link to a lower file, a
 * directory whose attributes are only there) by its chain id, too.
 *
 *     layers/<key>/layer.json   what is known of it
 *     layers/<key>/files/       the lower directory
 *     layers/<key>/unsynced     it may not be on the disk yet
 *     layers/.draft-<uuid>/     being filled
 */
export class LayerDirectory {
  readonly #directory: string;
  readonly #random: Random;
  /** Undefined where the machine does not tell its starts apart. */
  readonly #start: string | undefined;
  readonly #unsynced = new Set<string>();
  #isSyncing = false;

  private constructor(directory: string, random: Random, start: string | undefined) {
    this.#directory = directory;
    this.#random = random;
    this.#start = start;
  }

  /** Removes what a killed process or a machine without power left half done: one process at a time uses the directory. */
  static async open(directory: string, random: Random): Promise<LayerDirectory> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const start = await readText("/proc/sys/kernel/random/boot_id");
    const layers = new LayerDirectory(directory, random, start);
    for (const name of await readdir(directory)) {
      const mark = await readText(join(directory, name, unsyncedFile));
      if (name.startsWith(".draft-") || (mark !== undefined && mark !== start)) {
        await removeTree(join(directory, name));
      } else if (mark !== undefined) layers.#sync(name);
    }
    return layers;
  }

  async find(key: string): Promise<UnpackedLayer | undefined> {
    try {
      const file = join(this.#directory, key, "layer.json");
      const record = JSON.parse(await readFile(file, "utf8")) as LayerRecord;
      return { key, path: join(this.#directory, key, "files"), ...record, writtenMs: (await stat(file)).mtimeMs };
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw new ImageFault("STORE_FAILED", `the layer ${key} cannot be read`, { cause: error });
    }
  }

  /** Makes a layer: `fill` unpacks into the directory that it is given. Nothing is left when it fails. */
  async make(key: string, fill: (directory: string) => Promise<LayerRecord>): Promise<UnpackedLayer> {
    const draft = join(this.#directory, `.draft-${this.#random.uuid()}`);
    const files = join(draft, "files");
    try {
      await mkdir(files, { recursive: true, mode: 0o700 });
      // Seen through the mount when the pod's own layer has no root directory of its own.
      await chmod(files, 0o755);
      const record = await fill(files);
      await writeFile(join(draft, "layer.json"), JSON.stringify(record));
      if (this.#start === undefined) await syncFileSystem(draft);
      else await writeFile(join(draft, unsyncedFile), this.#start);
      await rename(draft, join(this.#directory, key));
      this.#sync(key);
      const { mtimeMs } = await stat(join(this.#directory, key, "layer.json"));
      return { key, path: join(this.#directory, key, "files"), ...record, writtenMs: mtimeMs };
    } catch (error) {
      await removeTree(draft);
      throw error;
    }
  }

  /** All that wait are on the disk together. */
  #sync(key: string): void {
    this.#unsynced.add(key);
    if (!this.#isSyncing) void this.#syncAll();
  }

  async #syncAll(): Promise<void> {
    this.#isSyncing = true;
    while (this.#unsynced.size > 0) {
      const keys = [...this.#unsynced];
      this.#unsynced.clear();
      await syncFileSystem(this.#directory);
      // A mark that stays costs nothing but the layer, should the machine go down.
      for (const key of keys)
        await rm(join(this.#directory, key, unsyncedFile), { force: true }).catch(() => undefined);
    }
    this.#isSyncing = false;
  }

  async list(): Promise<readonly UnpackedLayer[]> {
    const keys = (await readdir(this.#directory)).filter((name) => !name.startsWith("."));
    const layers = await Promise.all(keys.map((key) => this.find(key)));
    return layers.filter((layer) => layer !== undefined);
  }

  /** Renamed first, so that a layer that is half removed is never found. */
  async remove(key: string): Promise<void> {
    const draft = join(this.#directory, `.draft-${this.#random.uuid()}`);
    await rename(join(this.#directory, key), draft);
    await removeTree(draft);
  }
}

/** The name of a layer that depends on nothing below it. */
export const layerKey = (diffId: Digest, privileges: PrivilegePolicy): string =>
  `${diffId.replace(":", "-")}${privilegeSuffix(privileges)}`;

/** The name of a layer that depends on those below. */
export const chainedLayerKey = (chainId: Digest, privileges: PrivilegePolicy): string =>
  `chain-${layerKey(chainId, privileges)}`;

/** The same archive unpacked with other privileges is another directory. */
function privilegeSuffix(privileges: PrivilegePolicy): string {
  const letters = { setIds: "s", capabilities: "c", devices: "d" } satisfies Record<keyof PrivilegePolicy, string>;
  const held = Object.entries(letters).filter(([name]) => privileges[name as keyof PrivilegePolicy]);
  return held.length === 0 ? "" : `-${held.map(([, letter]) => letter).join("")}`;
}

/** Image specification, "Layer ChainID": names a layer together with all below it. Of each layer, the base first. */
export function chainIds(diffIds: readonly Digest[]): readonly Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    const id =
      below === undefined ? diffId : `sha256:${createHash("sha256").update(`${below} ${diffId}`).digest("hex")}`;
    chain.push(id as Digest);
  }
  return chain;
}

const readText = (path: string): Promise<string | undefined> => readFile(path, "utf8").catch(() => undefined);

/** Directories without permissions, as non-root users can make them, are opened first. */
async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 2 });
}

/** Waits until all files below are on the disk: syncing half a million one by one would take minutes. */
async function syncFileSystem(path: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const child = spawn("sync", ["--file-system", path], { stdio: "ignore" });
    // Where there is no such command a loss of power may cost the layer; a killed process still does not.
    child.once("error", () => resolve());
    child.once("close", () => resolve());
  });
}
