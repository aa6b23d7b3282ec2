import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  type ContentStore,
  type Descriptor,
  type Digest,
  ImageFault,
  isDigest,
  type WasmVariant,
} from "@shallop/sdk/image";
import { errorCode, type Random } from "@shallop/sdk/internal";
import type { UnpackLimits } from "./native-layers.ts";
import type { UnpackJail } from "./unpack-jail.ts";

/** A Wasm file in the store. */
export interface WasmFile {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** What compiling a larger one would cost is beyond any pod's start time; V8 itself stops at 1 GiB. */
const wasmBytesMax = 256 * 1024 * 1024;
/** How each begins. */
const magic = "\0asm";

/**
 * The Wasm files of images. Most are a layer as it is. Where an image wraps one in a root file system, it is taken out
 * once, and which file of the store it became is remembered: `wasm/<manifest's hex>.json`.
 */
export class WasmFiles {
  readonly #directory: string;
  readonly #store: ContentStore;
  readonly #jail: UnpackJail;
  readonly #limits: UnpackLimits;
  readonly #random: Random;

  private constructor(parts: WasmFilesParts) {
    this.#directory = parts.directory;
    this.#store = parts.store;
    this.#jail = parts.jail;
    this.#limits = parts.limits;
    this.#random = parts.random;
  }

  static async open(parts: WasmFilesParts): Promise<WasmFiles> {
    await mkdir(parts.directory, { recursive: true, mode: 0o700 });
    return new WasmFiles(parts);
  }

  /**
   * The variant's file, in the store and known to begin like Wasm.
   *
   * @throws ImageFault LAYER_INVALID when it is no Wasm file or not there | TOO_LARGE, and those of `download`
   */
  async component(
    variant: WasmVariant,
    download: (layer: Descriptor) => Promise<void>,
    signal: AbortSignal,
  ): Promise<WasmFile> {
    const { content } = variant;
    if (content.form === "file") {
      const { layer } = content;
      if (layer.size > wasmBytesMax) {
        throw new ImageFault("TOO_LARGE", `the Wasm file has ${layer.size} bytes, at most ${wasmBytesMax} are run`);
      }
      await download(layer);
      await this.#checkMagic({ digest: layer.digest, sizeBytes: layer.size }, variant);
      return { digest: layer.digest, sizeBytes: layer.size };
    }
    const known = await this.known(variant.digest);
    if (known !== undefined && (await this.#store.has(known.digest))) return known;
    const file = await this.#takeOut({ variant, content }, download, signal);
    await this.#checkMagic(file, variant);
    await this.#remember(variant.digest, file);
    return file;
  }

  /** The file that was taken out of a variant in tar form. */
  async known(manifest: Digest): Promise<WasmFile | undefined> {
    try {
      const file = JSON.parse(await readFile(this.#record(manifest), "utf8")) as WasmFile;
      return isDigest(file.digest) ? file : undefined;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw new ImageFault("STORE_FAILED", `the record of ${manifest} cannot be read`, { cause: error });
    }
  }

  /** Forgets what belongs to no manifest in use, unless it is younger than `keepSinceMs`. */
  async collect(inUse: ReadonlySet<Digest>, keepSinceMs: number): Promise<void> {
    const kept = new Set([...inUse].map((digest) => this.#record(digest)));
    for (const name of await readdir(this.#directory)) {
      const path = join(this.#directory, name);
      if (kept.has(path) || (await stat(path)).mtimeMs >= keepSinceMs) continue;
      await rm(path, { force: true });
    }
  }

  /** Looks in the topmost layer first, as the file system would. */
  async #takeOut(
    from: {
      readonly variant: WasmVariant;
      readonly content: Extract<WasmVariant["content"], { readonly form: "rootfs" }>;
    },
    download: (layer: Descriptor) => Promise<void>,
    signal: AbortSignal,
  ): Promise<WasmFile> {
    for (const layer of from.content.layers.toReversed()) {
      await download(layer);
      const file = await this.#pick(layer, from.content.path, signal);
      if (file === "hidden") break;
      if (file !== undefined) return file;
    }
    throw new ImageFault("LAYER_INVALID", `no layer of ${from.variant.digest} has its entrypoint ${from.content.path}`);
  }

  async #pick(layer: Descriptor, path: string, signal: AbortSignal): Promise<WasmFile | "hidden" | undefined> {
    let stored: WasmFile | undefined;
    const outcome = await this.#jail.pick(
      {
        kind: "pick",
        path,
        fileBytesMax: wasmBytesMax,
        archiveBytesMax: this.#limits.archiveBytesMax,
        algorithm: "sha256",
      },
      this.#store.path(layer.digest),
      signal,
      async (stream) => {
        stored = await this.#store.ingestUnnamed(stream, signal);
      },
    );
    if (outcome.found === "hidden") return "hidden";
    return outcome.found === "found" ? stored : undefined;
  }

  async #checkMagic(file: WasmFile, variant: WasmVariant): Promise<void> {
    const head = Buffer.alloc(magic.length);
    try {
      await using opened = await open(this.#store.path(file.digest));
      await opened.read(head, 0, head.length, 0);
    } catch (error) {
      throw new ImageFault("STORE_FAILED", `the Wasm file ${file.digest} cannot be read`, { cause: error });
    }
    if (head.toString("latin1") !== magic) {
      throw new ImageFault("LAYER_INVALID", `what ${variant.digest} calls Wasm is no Wasm file (${file.digest})`);
    }
  }

  async #remember(manifest: Digest, file: WasmFile): Promise<void> {
    const draft = join(this.#directory, `.${this.#random.uuid()}`);
    try {
      await using handle = await open(draft, "wx");
      await handle.writeFile(JSON.stringify({ digest: file.digest, sizeBytes: file.sizeBytes }));
      await handle.sync();
      await rename(draft, this.#record(manifest));
    } finally {
      await rm(draft, { force: true });
    }
  }

  #record(manifest: Digest): string {
    return join(this.#directory, `${manifest.replace(":", "-")}.json`);
  }
}

interface WasmFilesParts {
  readonly directory: string;
  readonly store: ContentStore;
  readonly jail: UnpackJail;
  readonly limits: UnpackLimits;
  readonly random: Random;
}
