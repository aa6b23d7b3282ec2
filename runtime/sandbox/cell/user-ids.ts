import { createHash } from "node:crypto";

// Above the ranges that systemd and useradd give to people and containers, below what does not fit in 31 bits.
const firstId = 0x7000_0000;
const nodesMax = 2 ** 17;
/** More than the host processes of a node (a tenant each) and its jails at one moment. */
export const idsPerNode = 1024;

/**
 * User ids for the cells of one node: each is one cell's for as long as it lives. `node` names the node among those of
 * the machine; two of them have the same range once in 131,072 pairs.
 */
export class UserIds {
  readonly #first: number;
  readonly #taken = new Set<number>();
  #next = 0;

  constructor(node: string) {
    const hash = createHash("sha256").update(node).digest().readUInt32BE(0);
    this.#first = firstId + (hash % nodesMax) * idsPerNode;
  }

  /** The one that has been free for longest; undefined when all are taken. */
  take(): number | undefined {
    for (let tries = 0; tries < idsPerNode; tries++) {
      const id = this.#first + (this.#next++ % idsPerNode);
      if (this.#taken.has(id)) continue;
      this.#taken.add(id);
      return id;
    }
    return undefined;
  }

  /** A process of an earlier agent has it. */
  reserve(id: number): void {
    this.#taken.add(id);
  }

  release(id: number): void {
    this.#taken.delete(id);
  }
}
