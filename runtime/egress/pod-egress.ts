import { addressJudge } from "../component/egress/address-judge.ts";
import { Egress, type Resolve } from "../component/egress/egress.ts";
import { type ClusterServices, clusterNetworks } from "./cluster-services.ts";
import type { EgressGrant } from "./egress-protocol.ts";
import type { NameResolver } from "./name-resolver.ts";

/** What a pod reaches by connections and, of that, by datagrams: these reach nothing of the cluster. */
export function podEgress(
  grant: EgressGrant,
  { names, services }: { readonly names: NameResolver; readonly services: ClusterServices },
): { readonly egress: Egress; readonly datagrams: Egress } {
  const { allowed, namespace, pod } = grant;
  const resolve: Resolve = async (hostname) => {
    const peers = pod === undefined ? undefined : services.findPeers(hostname, pod);
    if (peers !== undefined) return peers;
    const found = namespace === undefined ? undefined : services.find(hostname, namespace);
    if (found !== undefined && "addresses" in found) return found.addresses;
    return names.addressesOf(found?.outside ?? hostname);
  };
  const ownNetworks = namespace === undefined && pod === undefined ? [] : clusterNetworks;
  return {
    egress: new Egress(addressJudge({ allowed: [...allowed, ...ownNetworks] }), resolve),
    datagrams: new Egress(addressJudge({ allowed }), resolve),
  };
}
