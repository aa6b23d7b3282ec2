import { createHash } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ContentStore, StoredLayer } from "@shallop/sdk/image";

/** What a step has added to an image: a layer, or nothing. */
export interface StepResult {
  readonly layer: StoredLayer | undefined;
}

/** What steps have led to, by all that they depend on: the image before, the instruction, the files that it takes. */
export class StepCache {
  readonly #store: ContentStore;
  readonly #directory: string;
  readonly #reads: boolean;

  /** @param reads false: nothing is found, and all is kept */
  constructor(store: ContentStore, directory: string, reads: boolean) {
    this.#store = store;
    this.#directory = directory;
    this.#reads = reads;
  }

  key(...parts: readonly unknown[]): string {
    return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  }

  /** Undefined when it is not known, or its layer is no longer there. */
  async find(key: string): Promise<StepResult | undefined> {
    if (!this.#reads) return undefined;
    const text = await readFile(this.#path(key), "utf8").catch(() => undefined);
    if (text === undefined) return undefined;
    // Written by this program, whole or not at all, into a directory of this user's.
    const { layer } = JSON.parse(text) as { readonly layer: StoredLayer | null };
    if (layer === null) return { layer: undefined };
    const { digest, size } = layer.descriptor;
    return (await this.#store.info(digest))?.sizeBytes === size ? { layer } : undefined;
  }

  async keep(key: string, { layer }: StepResult): Promise<void> {
    const draft = `${this.#path(key)}.${process.pid}`;
    await writeFile(draft, JSON.stringify({ layer: layer ?? null }));
    await rename(draft, this.#path(key));
  }

  #path(key: string): string {
    return join(this.#directory, `${key}.json`);
  }
}
