import { Resolver } from "node:dns/promises";
import { errorCode } from "@shallop/sdk/internal";

/** What the machine's name servers say of a name. */
export type OutsideAnswer =
  | { readonly kind: "addresses"; readonly addresses: readonly string[] }
  | { readonly kind: "no such name" }
  /** Nobody answers, or not now: who asked may ask again. */
  | { readonly kind: "failed" };

// A pod's resolver waits for five seconds (resolv.conf(5)), and asks again after.
const tryMsMax = 2000;
const tries = 2;
// Each is a question of a pod's that waits: as many as those that are handed on.
const atOnceMax = 1024;
const addressesMax = 64;

/** Names outside the cluster that its own names stand for, asked of the machine's name servers. */
export class OutsideNames implements Disposable {
  #resolver: Resolver | undefined;
  #servers = "";
  #running = 0;

  /** Whom to ask: addresses with their ports. */
  ask(servers: readonly string[]): void {
    if (servers.join() === this.#servers) return;
    this.#servers = servers.join();
    // A new one: those that wait for the servers of before keep theirs.
    this.#resolver = servers.length === 0 ? undefined : new Resolver({ timeout: tryMsMax, tries });
    this.#resolver?.setServers(servers);
  }

  /** Who waits is told that it has failed. */
  [Symbol.dispose](): void {
    this.#resolver?.cancel();
    this.#resolver = undefined;
  }

  async addressesOf(name: string, family: 4 | 6): Promise<OutsideAnswer> {
    const resolver = this.#resolver;
    if (resolver === undefined || this.#running >= atOnceMax) return { kind: "failed" };
    this.#running++;
    try {
      const addresses = await (family === 4 ? resolver.resolve4(name) : resolver.resolve6(name));
      return { kind: "addresses", addresses: addresses.slice(0, addressesMax) };
    } catch (error) {
      const code = errorCode(error);
      if (code === "ENOTFOUND") return { kind: "no such name" };
      // The name is there, and has none of this family.
      return code === "ENODATA" ? { kind: "addresses", addresses: [] } : { kind: "failed" };
    } finally {
      this.#running--;
    }
  }
}
