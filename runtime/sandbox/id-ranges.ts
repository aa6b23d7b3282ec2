import { mkdir, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "@shallop/sdk/internal";
import type { IdRange } from "./kernel/kernel.ts";

// The first that holds every id an image may use, 65534 (nobody) among them.
const rangeSize = 65_536;
// Above people's subordinate ids (useradd gives them from 100,000 on, some dozens of ranges), below those of cells
// (cell/user-ids.ts), as multiples of the size.
const firstRange = 256;
const rangesMax = 0x7000 - firstRange;

/** Of all nodes and builders of this machine. */
export const idRangesDirectory = "/run/shallop/ids";

/**
 * Which pod of this machine has which range of user ids, as a directory of symbolic links `number → holder`, like
 * IpClaims. One directory for all nodes of a machine, below /run: ranges outlive agents, not a boot, for no file keeps
 * an owner out of them.
 */
export class IdRanges {
  readonly #directory: string;
  readonly #node: string;
  #next: number;

  constructor(directory: string, node: string) {
    this.#directory = directory;
    this.#node = node;
    // Nodes begin at different places, so that they seldom try what another one has.
    this.#next = Number.parseInt(node, 16) % rangesMax;
  }

  /** The pod's range; the one it has already, when it has one. Undefined: all are taken. */
  async claim(key: string): Promise<IdRange | undefined> {
    await mkdir(this.#directory, { recursive: true, mode: 0o755 });
    const taken = await this.#all();
    const own = this.#ownIn(taken, key);
    if (own !== undefined) return own;
    for (let tried = 0; tried < rangesMax; tried++) {
      const index = this.#next;
      this.#next = (this.#next + 1) % rangesMax;
      if (!taken.has(index) && (await this.#take(index, key))) return rangeOf(index);
    }
    return undefined;
  }

  /** The pod's range, when it has one. */
  async find(key: string): Promise<IdRange | undefined> {
    return this.#ownIn(await this.#all(), key);
  }

  #ownIn(taken: ReadonlyMap<number, string>, key: string): IdRange | undefined {
    const [index] = [...taken].find(([, holder]) => holder === this.#holder(key)) ?? [];
    return index === undefined ? undefined : rangeOf(index);
  }

  /** Gives a range to another holder, from one moment to the next. */
  async hand({ first }: IdRange, key: string): Promise<void> {
    const path = join(this.#directory, String(first / rangeSize - firstRange));
    await rm(`${path}.next`, { force: true });
    await symlink(this.#holder(key), `${path}.next`);
    await rename(`${path}.next`, path);
  }

  /** Returns what it had. */
  async release(key: string): Promise<readonly IdRange[]> {
    const released: IdRange[] = [];
    for (const [index, holder] of await this.#all()) {
      if (holder !== this.#holder(key)) continue;
      await rm(join(this.#directory, String(index)), { force: true });
      released.push(rangeOf(index));
    }
    return released;
  }

  /** Gives back what pods of this node have that are not `living`. */
  async sweep(living: ReadonlySet<string>): Promise<void> {
    const prefix = this.#holder("");
    for (const [index, holder] of await this.#all()) {
      if (holder.startsWith(prefix) && !living.has(holder.slice(prefix.length))) {
        await rm(join(this.#directory, String(index)), { force: true });
      }
    }
  }

  readonly #holder = (key: string): string => `${this.#node}-${key}`;

  async #all(): Promise<ReadonlyMap<number, string>> {
    // What was handed half is nobody's.
    const names = (await readdir(this.#directory).catch(() => [])).filter((name) => /^\d+$/.test(name));
    const holders = new Map<number, string>();
    for (const name of names) {
      const holder = await readlink(join(this.#directory, name)).catch(() => undefined);
      if (holder !== undefined) holders.set(Number(name), holder);
    }
    return holders;
  }

  async #take(index: number, key: string): Promise<boolean> {
    try {
      await symlink(this.#holder(key), join(this.#directory, String(index)));
      return true;
    } catch (error) {
      if (errorCode(error) === "EEXIST") return false;
      throw error;
    }
  }
}

const rangeOf = (index: number): IdRange => ({ first: (firstRange + index) * rangeSize, size: rangeSize });
