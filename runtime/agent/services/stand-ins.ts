import { clusterAddressesMax, standInAddress } from "@shallop/sdk/api";

/** Addresses of this node's own that stand for somebody: the same for the same one, as long as he is asked for. */
export class StandIns {
  #addressByKey = new Map<string, string>();
  #kept = new Map<string, string>();
  readonly #taken = new Set<string>();
  #made = 0;

  of(key: string): string {
    const address = this.#kept.get(key) ?? this.#addressByKey.get(key) ?? this.#free();
    this.#taken.add(address);
    this.#kept.set(key, address);
    return address;
  }

  /** Who was not asked for since the last round is forgotten, and others may have the address. */
  endRound(): void {
    for (const [key, address] of this.#addressByKey) if (!this.#kept.has(key)) this.#taken.delete(address);
    this.#addressByKey = this.#kept;
    this.#kept = new Map();
  }

  /** There are half a million, and pods of a cluster by the thousand. One that was given back is given again late. */
  #free(): string {
    for (;;) {
      const address = standInAddress(1 + (this.#made++ % (clusterAddressesMax - 1)));
      if (!this.#taken.has(address)) return address;
    }
  }
}
