import { monitorEventLoopDelay } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { Metrics } from "./metrics.ts";

/** What every process of Shallop says of itself, by OpenTelemetry's conventions for processes, V8 and Node. */
export function addProcessMetrics(metrics: Metrics): void {
  metrics.observe({ name: "process.cpu.time", description: "Time on processors.", unit: "s", kind: "counter" }, () => {
    const { user, system } = process.cpuUsage();
    return [
      { labels: { "cpu.mode": "user" }, value: user / 1e6 },
      { labels: { "cpu.mode": "system" }, value: system / 1e6 },
    ];
  });
  metrics.observe(
    { name: "process.memory.usage", description: "Physical memory in use.", unit: "By", kind: "upDown" },
    () => [{ labels: {}, value: process.memoryUsage.rss() }],
  );
  metrics.observe({ name: "process.uptime", description: "Since its start.", unit: "s", kind: "gauge" }, () => [
    { labels: {}, value: process.uptime() },
  ]);
  metrics.observe(
    { name: "v8js.memory.heap.used", description: "JavaScript's heap in use.", unit: "By", kind: "gauge" },
    () => [{ labels: {}, value: getHeapStatistics().used_heap_size }],
  );
  // Costs a timer of libuv: from the first time on that somebody asks.
  let delay: ReturnType<typeof monitorEventLoopDelay> | undefined;
  metrics.observe(
    { name: "nodejs.eventloop.delay.p99", description: "Since it was last asked.", unit: "s", kind: "gauge" },
    () => {
      if (delay === undefined) {
        delay = monitorEventLoopDelay({ resolution: 20 });
        delay.enable();
        return [];
      }
      const value = delay.percentile(99) / 1e9;
      delay.reset();
      return [{ labels: {}, value }];
    },
  );
}
