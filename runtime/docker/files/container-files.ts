import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { dig } from "@shallop/sdk/api";
import type { Descriptor, Digest, StoredLayer } from "@shallop/sdk/image";
import type { Clock } from "@shallop/sdk/internal";
import type { IndexEntry } from "../../build/archive-entries.ts";
import { JailedReader } from "../../build/archive-jail.ts";
import { type DirectoryNode } from "../../build/file-tree.ts";
import { withLayer } from "../../build/image-tree.ts";
import { ImageTrees } from "../../build/image-trees.ts";
import { LayerIndexes } from "../../build/layer-index.ts";
import { Spool } from "../../build/spool.ts";
import { upperChanges } from "../../build/upper-changes.ts";
import { UnpackJail } from "../../image/unpack-jail.ts";
import type { ContainerRecord } from "../containers/container-record.ts";
import { upperDirectory } from "../containers/kept-root.ts";
import { DockerFault } from "../http/docker-fault.ts";
import { imageFacts } from "../images/image-facts.ts";
import type { ImageLibrary } from "../images/image-library.ts";

export interface FilesParts {
  readonly library: ImageLibrary;
  /** For lists of layers, which are kept, and for files that are gone afterwards. */
  readonly directory: string;
  readonly nodeDirectory: string;
  readonly clock: Clock;
}

/** What a process before has left goes first. */
export async function openFilesDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const left = (await readdir(directory)).filter((name) => /^(scratch|import)-/.test(name));
  for (const name of left) await rm(join(directory, name), { recursive: true, force: true });
}

/**
 * The file system of a container as data: the layers of its image, and what it has changed of them. Nothing is mounted or
 * unpacked, so a container need not run, nor its image be on the node.
 */
export class ContainerFiles implements AsyncDisposable {
  readonly spool: Spool;
  readonly #parts: FilesParts;
  readonly #record: ContainerRecord;
  readonly #signal: AbortSignal;
  readonly #scratch: string;
  readonly #indexes: LayerIndexes;
  #changes: Promise<StoredLayer | undefined> | undefined;
  #isKept = false;

  private constructor(
    parts: FilesParts,
    record: ContainerRecord,
    { scratch, signal }: { readonly scratch: string; readonly signal: AbortSignal },
  ) {
    const { library, directory, clock } = parts;
    const reader = new JailedReader(new UnpackJail(clock, process.getuid?.() === 0), signal);
    this.#parts = parts;
    this.#record = record;
    this.#signal = signal;
    this.#scratch = scratch;
    this.#indexes = new LayerIndexes(library.store, reader, join(directory, "index-1"));
    this.spool = new Spool(library.store, reader, scratch);
  }

  static async open(parts: FilesParts, record: ContainerRecord, signal: AbortSignal): Promise<ContainerFiles> {
    await mkdir(join(parts.directory, "index-1"), { recursive: true, mode: 0o700 });
    return new ContainerFiles(parts, record, { scratch: await mkdtemp(join(parts.directory, "scratch-")), signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const changes = await this.#changes?.catch(() => undefined);
    if (changes !== undefined && !this.#isKept) await this.#parts.library.store.remove(changes.descriptor.digest);
    await rm(this.#scratch, { recursive: true, force: true });
  }

  /** Its image: layers, the base first, and the config's place. @throws DockerFault UNSUPPORTED when it is a component */
  async image(): Promise<{ readonly layers: readonly StoredLayer[]; readonly config: Descriptor }> {
    const { library } = this.#parts;
    const { target } = await library.find(this.#record.imageId);
    const { variant, manifest, json } = await imageFacts(library, target);
    if (variant?.kind !== "native" || manifest === undefined)
      throw new DockerFault("UNSUPPORTED", "the image has a component only, and so no files");
    const diffIds = dig(json, "rootfs", "diff_ids");
    const ids = Array.isArray(diffIds) ? (diffIds as readonly Digest[]) : [];
    const layers = manifest.layers.map((descriptor, at) => ({ descriptor, diffId: ids[at] ?? descriptor.digest }));
    return { layers, config: manifest.config };
  }

  /** What it has changed since it was made, as a layer; undefined when that is nothing. */
  changes(): Promise<StoredLayer | undefined> {
    this.#changes ??= this.#readChanges();
    return this.#changes;
  }

  /** The layer of its changes stays in the store: it is part of an image now. */
  keepChanges(): void {
    this.#isKept = true;
  }

  async changedEntries(): Promise<readonly IndexEntry[]> {
    const changes = await this.changes();
    return changes === undefined ? [] : this.#indexes.entries(changes);
  }

  async imageTree(): Promise<DirectoryNode> {
    return new ImageTrees(this.#indexes).tree((await this.image()).layers);
  }

  /** All that it has. Volumes are not in it. */
  async tree(): Promise<DirectoryNode> {
    const [image, changes, entries] = [await this.imageTree(), await this.changes(), await this.changedEntries()];
    return changes === undefined ? image : withLayer(image, entries, changes.descriptor.digest);
  }

  async #readChanges(): Promise<StoredLayer | undefined> {
    const upper = upperDirectory(this.#parts.nodeDirectory, this.#record);
    const found = await stat(upper).catch(() => undefined);
    if (found === undefined) return undefined;
    // The directory belongs to the container's root.
    const origin = { mtimeMax: Number.MAX_SAFE_INTEGER, firstId: found.uid, signal: this.#signal };
    const { layer, isEmpty } = await upperChanges(this.#parts.library.store, upper, origin);
    if (!isEmpty) return layer;
    await this.#parts.library.store.remove(layer.descriptor.digest);
    return undefined;
  }
}
