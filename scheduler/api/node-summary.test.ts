import { expect, test } from "vitest";
import { nodeSummary } from "./node-summary.ts";

test("a kubelet's summary: counters as they are, a pod's as the sum of its containers'", () => {
  const container = { memoryBytes: 5, processes: 1, readBytes: 0, writtenBytes: 0 };
  const summary = nodeSummary("n", {
    ...{
      at: "2026-01-01T00:00:00Z",
      windowMs: 1000,
      cpuNanoCores: 9,
      cpuNs: 90,
      memoryBytes: 30,
      memoryBytesTotal: 100,
    },
    pods: [
      {
        ...{ namespace: "ns", name: "pod", uid: "u", network: { receivedBytes: 1, sentBytes: 2 } },
        containers: [
          { name: "a", cpuNanoCores: 3, cpuNs: 30, ...container, startedAt: "2025-12-31T23:00:00Z" },
          { name: "b", cpuNanoCores: 4, cpuNs: 40, ...container, startedAt: "2025-12-31T22:00:00Z" },
        ],
      },
    ],
  });
  expect(summary).toMatchObject({
    node: {
      nodeName: "n",
      cpu: { usageNanoCores: 9, usageCoreNanoSeconds: 90 },
      memory: { availableBytes: 70, workingSetBytes: 30 },
    },
    pods: [
      {
        podRef: { name: "pod", namespace: "ns", uid: "u" },
        startTime: "2025-12-31T22:00:00Z",
        containers: [
          { name: "a", startTime: "2025-12-31T23:00:00Z", cpu: { usageNanoCores: 3 } },
          { name: "b", memory: { workingSetBytes: 5 } },
        ],
        cpu: { usageNanoCores: 7, usageCoreNanoSeconds: 70 },
        memory: { workingSetBytes: 10 },
        network: { name: "eth0", rxBytes: 1, txBytes: 2 },
        process_stats: { process_count: 2 },
      },
    ],
  });
});
