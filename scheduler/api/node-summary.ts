import type { JsonObject } from "@shallop/sdk/api";
import type { ContainerUsage, NodeUsage, PodUsage } from "@shallop/sdk/wire";

/**
 * What a node and its pods use, as a kubelet tells it at `/stats/summary`: stats/v1alpha1 Summary, as far as it is measured.
 * Pure.
 */
export function nodeSummary(node: string, usage: NodeUsage): JsonObject {
  const { at, cpuNanoCores, cpuNs, memoryBytes, memoryBytesTotal } = usage;
  return {
    node: {
      nodeName: node,
      cpu: { time: at, usageNanoCores: cpuNanoCores, usageCoreNanoSeconds: cpuNs },
      memory: {
        time: at,
        availableBytes: Math.max(0, memoryBytesTotal - memoryBytes),
        usageBytes: memoryBytes,
        workingSetBytes: memoryBytes,
      },
    },
    pods: usage.pods.map((pod) => podSummary(pod, at)),
  };
}

const podSummary = ({ name, namespace, uid, network, containers }: PodUsage, at: string): JsonObject => ({
  podRef: { name, namespace, uid },
  ...startOf(containers),
  containers: containers.map((container) => ({
    name: container.name,
    ...startOf([container]),
    ...amounts([container], at),
  })),
  ...amounts(containers, at),
  network: {
    time: at,
    name: "eth0",
    rxBytes: network.receivedBytes,
    txBytes: network.sentBytes,
    interfaces: [{ name: "eth0", rxBytes: network.receivedBytes, txBytes: network.sentBytes }],
  },
  process_stats: { process_count: sumOf(containers, "processes") },
});

/** Of the one that has been there longest. */
function startOf(containers: readonly ContainerUsage[]): JsonObject {
  const [startTime] = containers.flatMap(({ startedAt }) => startedAt ?? []).sort();
  return startTime === undefined ? {} : { startTime };
}

const amounts = (containers: readonly ContainerUsage[], at: string): JsonObject => ({
  cpu: {
    time: at,
    usageNanoCores: sumOf(containers, "cpuNanoCores"),
    usageCoreNanoSeconds: sumOf(containers, "cpuNs"),
  },
  memory: {
    time: at,
    usageBytes: sumOf(containers, "memoryBytes"),
    workingSetBytes: sumOf(containers, "memoryBytes"),
  },
});

const sumOf = (
  containers: readonly ContainerUsage[],
  what: "cpuNanoCores" | "cpuNs" | "memoryBytes" | "processes",
): number => containers.reduce((sum, container) => sum + container[what], 0);
