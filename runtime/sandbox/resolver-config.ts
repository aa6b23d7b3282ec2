import { clusterDomain } from "@shallop/sdk/api";
import type { PodDns } from "../pod/pod-runtime.ts";

export interface ResolverPlace {
  readonly namespace: string;
  /** Undefined: nobody would answer; what cannot be found fails at once then. */
  readonly nameServer: string | undefined;
  /** The machine's own search list. */
  readonly searches: readonly string[];
}

const clusterFirst: PodDns = { policy: "ClusterFirst", nameservers: [], searches: [], options: [] };

/**
 * A pod's resolv.conf(5), as the kubelet writes it (pkg/kubelet/network/dns): the namespace's Services by their own
 * names, others' by name and namespace; names with fewer than five dots are looked for in the cluster first. Pure.
 */
export function resolverConfig({ namespace, nameServer, searches }: ResolverPlace, dns: PodDns = clusterFirst): string {
  const { policy } = dns;
  const cluster = [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
  const given = { ClusterFirst: [...cluster, ...searches], Default: searches, None: [] }[policy];
  const own = nameServer === undefined || policy === "None" ? [] : [nameServer];
  // Those of the pod take the place of those with the same name.
  const options = new Map(
    [
      ...(policy === "ClusterFirst" ? ["ndots:5"] : []),
      ...(policy === "None" ? [] : ["timeout:2", "attempts:2"]),
      ...dns.options,
    ].map((option) => [option.split(":")[0], option]),
  );
  const search = [...new Set([...given, ...dns.searches])];
  const lines = [
    ...(search.length === 0 ? [] : [`search ${search.join(" ")}`]),
    ...[...new Set([...own, ...dns.nameservers])].map((server) => `nameserver ${server}`),
    ...(options.size === 0 ? [] : [`options ${[...options.values()].join(" ")}`]),
  ];
  return lines.map((line) => `${line}\n`).join("");
}
