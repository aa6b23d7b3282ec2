import { mkdir, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { isIPv4 } from "node:net";
import { join } from "node:path";
import { errorCode } from "@shallop/sdk/internal";
import { podAddress, podAddressCount, type Subnet } from "./subnet.ts";

/**
 * Which pod has which address, as a directory of symbolic links `10.88.0.2 → key of the pod`: making a link is atomic,
 * and a link has its content from the moment it exists, so neither a crash nor a second process leaves half a claim.
 */
export class IpClaims {
  readonly #directory: string;
  /** Where to look next: an address that was just given back is the last to be taken again, while others know it. */
  #next = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The pod's address; the one it has already, when it has one. Undefined: all are taken. */
  async claim(subnet: Subnet, key: string): Promise<string | undefined> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const taken = await this.all();
    for (const [address, holder] of taken) if (holder === key) return address;
    const count = podAddressCount(subnet);
    const from = this.#next;
    for (let tried = 0; tried < count; tried++) {
      const index = (from + tried) % count;
      const address = podAddress(subnet, index);
      if (taken.has(address) || !(await this.#take(address, key))) continue;
      this.#next = (index + 1) % count;
      return address;
    }
    return undefined;
  }

  /** Gives an address to another holder, from one moment to the next. */
  async hand(address: string, key: string): Promise<void> {
    const next = join(this.#directory, `${address}.next`);
    await rm(next, { force: true });
    await symlink(key, next);
    await rename(next, join(this.#directory, address));
  }

  async addressesOf(key: string): Promise<readonly string[]> {
    return [...(await this.all())].flatMap(([address, holder]) => (holder === key ? [address] : []));
  }

  async release(key: string): Promise<void> {
    for (const address of await this.addressesOf(key)) await rm(join(this.#directory, address), { force: true });
  }

  /** Keys of pods by address. What was handed half is none. */
  async all(): Promise<ReadonlyMap<string, string>> {
    const addresses = (await readdir(this.#directory).catch(() => [])).filter((name) => isIPv4(name));
    const holders = new Map<string, string>();
    for (const address of addresses) {
      const holder = await readlink(join(this.#directory, address)).catch(() => undefined);
      if (holder !== undefined) holders.set(address, holder);
    }
    return holders;
  }

  async #take(address: string, key: string): Promise<boolean> {
    try {
      await symlink(key, join(this.#directory, address));
      return true;
    } catch (error) {
      if (errorCode(error) === "EEXIST") return false;
      throw error;
    }
  }
}
