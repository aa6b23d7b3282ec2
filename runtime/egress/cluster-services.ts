import type { LookupAddress } from "node:dns";
import { BlockList } from "node:net";
import { clusterDomain, serviceRange, standInRange } from "@shallop/sdk/api";
import { EgressFault } from "../component/egress/egress.ts";
import type { EgressEnd, ServiceDirectory } from "./egress-protocol.ts";

/** Networks of the cluster's own, which nobody has a route to. */
export const clusterNetworks: readonly string[] = [serviceRange, standInRange];

const own = new BlockList();
for (const network of clusterNetworks) {
  const [address = "", prefix] = network.split("/");
  own.addSubnet(address, Number(prefix), "ipv4");
}

/** What a name of the cluster leads to: its own addresses, or a name that others resolve. */
export type ClusterName = { readonly addresses: readonly LookupAddress[] } | { readonly outside: string };

/** Services, as guests find them: as a resolver with Kubernetes' search list would, and at the node's doors. */
export class ClusterServices {
  #addressesByName: ReadonlyMap<string, readonly string[]> = new Map();
  #outsideByName: ReadonlyMap<string, string> = new Map();
  #ends: ReadonlyMap<string, EgressEnd> = new Map();

  lead({ names, aliases, doors }: ServiceDirectory): void {
    this.#addressesByName = new Map(names);
    this.#outsideByName = new Map(aliases);
    this.#ends = new Map(doors.map(({ address, port, to }) => [`${address}:${String(port)}`, to]));
  }

  /** Undefined: the name is none of the cluster's. @throws EgressFault DNS for one that would be and is not there */
  find(hostname: string, namespace: string): ClusterName | undefined {
    const name = hostname.toLowerCase().replace(/\.$/, "");
    const searches = hostname.endsWith(".")
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
   * Where a connection to one of the cluster's addresses really goes; undefined: the address is none of the cluster's.
   * @throws Error with code ECONNREFUSED where nobody is behind it
   */
  endOf(address: string, port: number): EgressEnd | undefined {
    if (!own.check(address)) return undefined;
    const end = this.#ends.get(`${address}:${String(port)}`);
    if (end !== undefined) return end;
    throw Object.assign(new Error(`no Service has ${address}:${String(port)}`), { code: "ECONNREFUSED" });
  }
}
