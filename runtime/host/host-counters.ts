import type { HostCounters, PodCounters } from "../pod/pod-runtime.ts";
import { checkedUse, isAmount } from "./host-use.ts";
import type { Host } from "./known-host.ts";

/** What pods in host processes have used. A process that dies meanwhile has no pods that use anything. */
export async function podCounters(hosts: Iterable<Host>): Promise<readonly PodCounters[]> {
  const busy = [...hosts].filter(({ pods }) => pods.size > 0);
  const uses = await Promise.all(
    busy.map(async ({ process, pods }) => {
      const used = await process.usage().catch(() => undefined);
      // It speaks of its own pods only, and a lie about those is about its own tenant.
      return (used?.pods ?? []).filter((use) => pods.has(use.uid) && isAmount(use.cpuMs) && isAmount(use.memoryBytes));
    }),
  );
  return uses.flat().map(({ uid, cpuMs, memoryBytes }) => ({
    uid,
    network: { receivedBytes: 0, sentBytes: 0 },
    containers: [{ cpuNs: cpuMs * 1e6, memoryBytes, processes: 1, readBytes: 0, writtenBytes: 0 }],
  }));
}

/** What host processes say of themselves, as far as it can be. */
export async function hostCounters(hosts: Iterable<Host>): Promise<readonly HostCounters[]> {
  const all = [...hosts].map(async ({ process, namespace = "" }) => {
    const said = (await process.usage().catch(() => undefined))?.process;
    const use = said && checkedUse(said);
    return use === undefined ? [] : [{ ...use, namespace }];
  });
  return (await Promise.all(all)).flat();
}
