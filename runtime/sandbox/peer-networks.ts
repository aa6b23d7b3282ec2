import type { NameRecords } from "./name-answer.ts";

/** A network that a pod is in, and what it is called there. */
export interface Membership {
  readonly network: string;
  /** In small letters. */
  readonly names: readonly string[];
}

/** A component: it has no address of the bridge's, and is reached at one that stands for it. */
export interface GuestPeer {
  readonly address: string;
  readonly memberships: readonly Membership[];
}

/** Two pods that may open connections to each other: the first to the second. */
export type PeerPair = readonly [from: string, to: string];

/** Of all networks together: what a rule set of nft takes without a thought, and 250 pods in one network. */
const pairsMax = 65_536;

/** Networks that pods of this node share: who is in them, who reaches whom, and by which names. */
export class PeerNetworks {
  readonly #memberships = new Map<string, readonly Membership[]>();
  /** Components that are in the same networks, all of them. */
  guests: readonly GuestPeer[] = [];

  /** Whether there is room for it; its memberships of before are replaced. */
  join(address: string, memberships: readonly Membership[]): boolean {
    const before = this.#memberships.get(address);
    this.#memberships.set(address, memberships);
    if (this.pairs().length <= pairsMax) return true;
    if (before === undefined) this.#memberships.delete(address);
    else this.#memberships.set(address, before);
    return false;
  }

  /** @returns whether it was in any */
  leave(address: string): boolean {
    return this.#memberships.delete(address);
  }

  /** In a fixed order, each pair once. */
  pairs(): readonly PeerPair[] {
    const pairs: PeerPair[] = [];
    for (const from of this.#memberships.keys())
      for (const to of this.#memberships.keys()) if (from !== to && this.#share(from, to)) pairs.push([from, to]);
    return pairs;
  }

  /** What a pod finds by a name: those that are called so in one of its networks. Undefined: nobody is. */
  recordsOf(from: string, name: string): NameRecords | undefined {
    const own = new Set(this.#memberships.get(from)?.map(({ network }) => network));
    const wanted = name.toLowerCase().replace(/\.$/, "");
    const guests = this.guests.map(({ address, memberships }) => [address, memberships] as const);
    const addresses = [...this.#memberships, ...guests].flatMap(([address, memberships]) =>
      memberships.some(({ network, names }) => own.has(network) && names.includes(wanted)) ? [address] : [],
    );
    return addresses.length === 0 ? undefined : { addresses, services: [] };
  }

  #share(one: string, other: string): boolean {
    const networks = new Set(this.#memberships.get(one)?.map(({ network }) => network));
    return this.#memberships.get(other)?.some(({ network }) => networks.has(network)) === true;
  }
}
