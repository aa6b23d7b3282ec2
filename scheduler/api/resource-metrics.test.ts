import { expect, test } from "vitest";
import { resourceMetrics } from "./resource-metrics.ts";

test("a kubelet's metrics/resource: of the node, of pods, of containers, with their time", () => {
  const container = { cpuNanoCores: 1, processes: 1, readBytes: 0, writtenBytes: 0 };
  const text = resourceMetrics({
    ...{ at: "2026-01-01T00:00:00Z", windowMs: 1000, cpuNanoCores: 9, memoryBytes: 30, memoryBytesTotal: 100 },
    cpuNs: 2_500_000_000,
    pods: [
      {
        ...{ namespace: "ns", name: "pod", uid: "u", network: { receivedBytes: 1, sentBytes: 2 } },
        containers: [
          { name: "a", cpuNs: 1e9, memoryBytes: 5, ...container, startedAt: "2025-12-31T00:00:00Z" },
          { name: "b", cpuNs: 5e8, memoryBytes: 6, ...container },
        ],
      },
    ],
  });
  const timeMs = String(Date.UTC(2026, 0));
  for (const line of [
    "# TYPE container_cpu_usage_seconds_total counter",
    `container_cpu_usage_seconds_total{container="b",namespace="ns",pod="pod"} 0.5 ${timeMs}`,
    `container_memory_working_set_bytes{container="a",namespace="ns",pod="pod"} 5 ${timeMs}`,
    `node_cpu_usage_seconds_total 2.5 ${timeMs}`,
    `node_memory_working_set_bytes 30 ${timeMs}`,
    `pod_cpu_usage_seconds_total{namespace="ns",pod="pod"} 1.5 ${timeMs}`,
    `pod_memory_working_set_bytes{namespace="ns",pod="pod"} 11 ${timeMs}`,
    `container_start_time_seconds{container="a",namespace="ns",pod="pod"} ${String(Date.UTC(2025, 11, 31) / 1000)}`,
    "resource_scrape_error 0",
  ])
    expect(text.split("\n")).toContain(line);
});
