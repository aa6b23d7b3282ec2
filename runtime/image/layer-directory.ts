import { spawn } from "node:child_process";
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
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

/**
 * Unpacked layers, each a directory that appears at once and whole: it is filled under another name, synced, and
 * renamed. A layer is found by its diff id; one that depends on what is below it (a hard link to a lower file, a
 * directory whose attributes are only there) by its chain id, too.
 *
 *     layers/<key>/layer.json   what is known of it
 *     layers/<key>/files/       the lower directory
 *     layers/.draft-<uuid>/     being filled
 */
export class LayerDirectory {
  readonly #directory: string;
  readonly #random: Random;

  private constructor(directory: string, random: Random) {
    this.#directory = directory;
    this.#random = random;
  }

  /** Removes what a killed process left half done: one process at a time uses the directory. */
  static async open(directory: string, random: Random): Promise<LayerDirectory> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(directory)) {
      if (name.startsWith(".draft-")) await removeTree(join(directory, name));
    }
    return new LayerDirectory(directory, random);
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
      await syncFileSystem(draft);
      await rename(draft, join(this.#directory, key));
      await using parent = await open(this.#directory, "r");
      await parent.sync();
      const { mtimeMs } = await stat(join(this.#directory, key, "layer.json"));
      return { key, path: join(this.#directory, key, "files"), ...record, writtenMs: mtimeMs };
    } catch (error) {
      await removeTree(draft);
      throw error;
    }
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
