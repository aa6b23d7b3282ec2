import type { LookupAddress } from "node:dns";
import { BlockList } from "node:net";
import { clusterDomain, serviceRange, standInRange } from "@shallop/sdk/api";
import { EgressFault } from "../component/egress/egress.ts";
import type { EgressEnd, PeerEntry, ServiceDirectory } from "./egress-protocol.ts";

/** Networks of the cluster's own, which nobody has a route to. */
export const clusterNetworks: readonly string[] = [serviceRange, standInRange];

const own = new BlockList();
for (const network of clusterNetworks) {
  const [address = "", prefix] = network.split("/");
  own.addSubnet(address, Number(prefix), "ipv4");
}

/** What a name of the cluster leads to: its own addresses, or a name that others resolve. */
export type ClusterName = { readonly addresses: readonly LookupAddress[] } | { readonly outside: string };

/** Where a connection goes: to a native pod's own address, or to a door of the node's. */
export type ClusterEnd = EgressEnd & { readonly isPod?: true };

/** Services, as guests find them: as a resolver with Kubernetes' search list would, and at the node's doors. */
export class ClusterServices {
  #addressesByName: ReadonlyMap<string, readonly string[]> = new Map();
  #outsideByName: ReadonlyMap<string, string> = new Map();
  #ends: ReadonlyMap<string, EgressEnd> = new Map();
  #peers: readonly PeerEntry[] = [];

  lead({ names, aliases, doors, peers }: ServiceDirectory): void {
    this.#peers = peers;
    this.#addressesByName = new Map(names);
    this.#outsideByName = new Map(aliases);
    this.#ends = new Map(doors.map(({ address, port, to }) => [`${address}:${String(port)}`, to]));
  }

  /** Pods that are called so in a network that `pod` is in, too. Undefined: nobody is. */
  findPeers(hostname: string, pod: string): readonly LookupAddress[] | undefined {
    const name = hostname.toLowerCase().replace(/\.$/, "");
    const found = this.#peers.filter((peer) => this.#shared(peer, pod).some(({ names }) => names.includes(name)));
    return found.length === 0 ? undefined : found.map(({ address }) => ({ address, family: 4 }));
  }

  /** The networks of a peer that a pod is in. */
  #shared({ networks }: PeerEntry, pod: string | undefined): PeerEntry["networks"] {
    const own = this.#peers.find((peer) => peer.pod === pod)?.networks ?? [];
    return networks.filter(({ network }) => own.some((one) => one.network === network));
  }

  /** An empty namespace: whole names only. Undefined: the name is none of the cluster's. @throws EgressFault DNS for one that would be and is not there */
  find(hostname: string, namespace: string): ClusterName | undefined {
    const name = hostname.toLowerCase().replace(/\.$/, "");
    const searches =
      hostname.endsWith(".") || namespace === ""
        ? []
        : [`${namespace}.svc.`, "svc.", ""].map((part) => part + clusterDomain);
    for (const candidate of [name, ...searches.map((search) => `${name}.${search}`)]) {
      const addresses = this.#addressesByName.get(candidate);
      if (addresses !== undefined) return { addresses: addresses.map((address) => ({ address, family: 4 })) };
      const outside = this.#outsideByName.get(candidate);
      if (outside !== undefined) return { outside };
    }
    if (name !== clusterDomain && !name.endsWith(`.${clusterDomain}`)) return undefined;
    throw new EgressFault("DNS", `the cluster has no ${name}`);
  }

  /**
   * Where a connection of `pod` to one of the cluster's addresses really goes; undefined: the address is none of the cluster's.
   * @throws Error with code ECONNREFUSED where nobody is behind it, or who shares no network with the pod
   */
  endOf({ address, port }: EgressEnd, pod?: string): ClusterEnd | undefined {
    if (!own.check(address)) return undefined;
    const peer = this.#peers.find((one) => one.address === address);
    if (peer !== undefined && this.#shared(peer, pod).length === 0) throw refused(address, port);
    if (peer?.to !== undefined) return { address: peer.to, port, isPod: true };
    const end = this.#ends.get(`${address}:${String(port)}`);
    if (end !== undefined) return end;
    throw refused(address, port);
  }
}

const refused = (address: string, port: number): Error =>
  Object.assign(new Error(`nobody is reached at ${address}:${String(port)}`), { code: "ECONNREFUSED" });
