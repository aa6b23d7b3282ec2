import type { ContentStore, RepositoryName } from "@shallop/sdk/image";
import { RegistryFault } from "./fault.ts";
import type { RegistryRepositories } from "./repositories.ts";

export interface QuotaLimits {
  /** Bytes of all blobs, and of uploads under way. */
  readonly bytesMax?: number | undefined;
  /** Bytes that one repository names, whether or not another one names them also. */
  readonly repositoryBytesMax?: number | undefined;
}

interface Growing {
  /** Undefined when an earlier process began it. */
  readonly name: RepositoryName | undefined;
  readonly bytes: number;
}

/**
 * How much the registry stores, and whether more may come. Sums are made from the disk when they are first asked for,
 * and kept up from then on; what removes something has them made again.
 */
export class QuotaKeeper {
  readonly #limits: QuotaLimits;
  readonly #store: ContentStore;
  readonly #repositories: RegistryRepositories;
  #total: number | undefined;
  readonly #byRepository = new Map<RepositoryName, number>();
  /** Uploads under way, by session. */
  readonly #growing = new Map<string, Growing>();

  constructor(limits: QuotaLimits, store: ContentStore, repositories: RegistryRepositories) {
    this.#limits = limits;
    this.#store = store;
    this.#repositories = repositories;
  }

  /** Has the sums ready that `check` and `grow` of this repository need. */
  async open(name: RepositoryName): Promise<void> {
    const { bytesMax, repositoryBytesMax } = this.#limits;
    if (bytesMax !== undefined && this.#total === undefined) {
      let total = 0;
      for await (const blob of this.#store.list()) total += blob.sizeBytes;
      this.#total = total;
    }
    if (repositoryBytesMax === undefined || this.#byRepository.has(name)) return;
    let bytes = 0;
    for (const digest of await this.#repositories.contents(name))
      bytes += (await this.#store.info(digest))?.sizeBytes ?? 0;
    this.#byRepository.set(name, bytes);
  }

  /** @param bytes that are about to come @throws RegistryFault DENIED */
  check(name: RepositoryName, bytes = 0): void {
    const { bytesMax, repositoryBytesMax } = this.#limits;
    if (bytesMax === undefined && repositoryBytesMax === undefined) return;
    let growing = 0;
    let growingHere = 0;
    for (const upload of this.#growing.values()) {
      growing += upload.bytes;
      if (upload.name === name) growingHere += upload.bytes;
    }
    if (bytesMax !== undefined) refuseAbove((this.#total ?? 0) + growing + bytes, bytesMax, "this registry");
    if (repositoryBytesMax === undefined) return;
    const here = (this.#byRepository.get(name) ?? 0) + growingHere + bytes;
    refuseAbove(here, repositoryBytesMax, `the repository ${name}`);
  }

  /** An upload has so many bytes now. @throws RegistryFault DENIED */
  grow(name: RepositoryName, id: string, bytes: number): void {
    if (this.#limits.bytesMax === undefined && this.#limits.repositoryBytesMax === undefined) return;
    this.#growing.set(id, { name, bytes });
    this.check(name);
  }

  /** There is an upload of an earlier process. */
  left(id: string, bytes: number): void {
    this.#growing.set(id, { name: undefined, bytes });
  }

  /** An upload is over. */
  settle(id: string): void {
    this.#growing.delete(id);
  }

  /** A blob that was not there is there. */
  stored(bytes: number): void {
    if (this.#total !== undefined) this.#total += bytes;
  }

  /** A repository names a blob that it did not name. */
  named(name: RepositoryName, bytes: number): void {
    const before = this.#byRepository.get(name);
    if (before !== undefined) this.#byRepository.set(name, before + bytes);
  }

  /** Something was removed: sums are made again when they are next wanted. */
  forget(): void {
    this.#total = undefined;
    this.#byRepository.clear();
  }
}

function refuseAbove(bytes: number, bytesMax: number, whose: string): void {
  if (bytes <= bytesMax) return;
  throw new RegistryFault("DENIED", `the quota of ${whose} is ${bytesMax} bytes; delete images, or have it raised`);
}
