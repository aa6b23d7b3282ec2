import { prometheusText } from "@shallop/sdk/internal/telemetry";
import { expect, test } from "vitest";
import type { HostCounters, PodRuntime } from "../pod/pod-runtime.ts";
import { nodeMetrics } from "./node-metrics.ts";
import type { NodePods } from "./node-pods.ts";

const host = (namespace: string, change: Partial<HostCounters> = {}): HostCounters => ({
  ...{ namespace, threads: 2, instances: 3, requests: 1, cpuMs: 1500, memoryBytes: 1000, breaches: {} },
  ...change,
});

test("host processes are measured by tenant, those of nobody as one, and asked once a scrape", async () => {
  let asked = 0;
  const processes = async (): Promise<readonly HostCounters[]> => {
    asked++;
    return [host("a", { breaches: { GUEST_CPU: 4, REFUSED: 1 } }), host(""), host("")];
  };
  const pods = { all: [], byUid: () => undefined } as unknown as NodePods;
  const metrics = nodeMetrics({ pods, runtimes: [{ processes } as unknown as PodRuntime] });
  const text = prometheusText(await metrics.collect());
  expect(asked).toBe(1);
  for (const line of [
    'shallop_host_threads{k8s_namespace_name="a"} 2',
    'shallop_host_threads{k8s_namespace_name=""} 4',
    'shallop_host_instances{k8s_namespace_name="a"} 3',
    'shallop_host_active_requests{k8s_namespace_name="a"} 1',
    'shallop_host_memory_usage_bytes{k8s_namespace_name="a"} 1000',
    'shallop_host_cpu_time_seconds_total{k8s_namespace_name="a"} 1.5',
    'shallop_host_breaches_total{k8s_namespace_name="a",error_type="GUEST_CPU"} 4',
    'shallop_host_breaches_total{k8s_namespace_name="a",error_type="REFUSED"} 1',
  ])
    expect(text).toContain(`${line}\n`);
  await metrics.collect();
  expect(asked).toBe(2);
});
