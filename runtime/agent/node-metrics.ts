import { type Clock, errorCode, type ProcessLog } from "@shallop/sdk/internal";
import {
  addProcessMetrics,
  durationBounds,
  type Exported,
  Metrics,
  type NumberPoint,
  startExport,
  type TelemetrySettings,
} from "@shallop/sdk/internal/telemetry";
import type { LogStore } from "../pod/log-store.ts";
import type { HostCounters, PodRuntime } from "../pod/pod-runtime.ts";
import type { AgentServerSettings } from "./agent-server.ts";
import { exportLogsTo } from "./log-export.ts";
import { containerName } from "./manifest.ts";
import type { NodeAgent } from "./node-agent.ts";
import type { NodePods } from "./node-pods.ts";

interface Observed {
  readonly pods: NodePods;
  readonly runtimes: readonly PodRuntime[];
}

/** What a node measures: its agent, its pods, and what they use. Pods are only asked when somebody asks. */
export function nodeMetrics({ pods, runtimes }: Observed): Metrics {
  const metrics = new Metrics();
  addProcessMetrics(metrics);
  metrics.observe(
    { name: "shallop.node.pods", description: "Pods on this node by phase.", unit: "{pod}", kind: "upDown" },
    () => {
      const counts = new Map<string, number>();
      for (const { state } of pods.all) counts.set(state.phase, (counts.get(state.phase) ?? 0) + 1);
      return [...counts].map(([phase, value]) => ({ labels: { "k8s.pod.status.phase": phase }, value }));
    },
  );
  addContainerMetrics(metrics, { pods, runtimes });
  addHostMetrics(metrics, runtimes);
  return metrics;
}

/** Whoever asks while an answer is under way gets that one: the families of one scrape are of one moment. */
function joined<Answer>(ask: () => Promise<Answer>): () => Promise<Answer> {
  let asked: Promise<Answer> | undefined;
  return () => {
    asked ??= ask().finally(() => (asked = undefined));
    return asked;
  };
}

function addContainerMetrics(metrics: Metrics, { pods, runtimes }: Observed): void {
  const all = joined(() => Promise.all(runtimes.map(async (runtime) => runtime.counters?.() ?? [])));
  const used = (
    instrument: { readonly name: string; readonly description: string; readonly unit: string },
    kind: "counter" | "upDown",
    value: (counters: { readonly cpuNs: number; readonly memoryBytes: number; readonly processes: number }) => number,
  ): void =>
    metrics.observe({ ...instrument, kind }, async () =>
      (await all()).flat().flatMap(({ uid, containers }): NumberPoint[] => {
        const manifest = pods.byUid(uid)?.manifest;
        if (manifest === undefined) return [];
        const of = { "k8s.namespace.name": manifest.namespace, "k8s.pod.name": manifest.name };
        return containers.map((one) => ({
          labels: { ...of, "k8s.container.name": one.container ?? containerName(manifest.spec) },
          value: value(one),
        }));
      }),
    );
  const cpu = { name: "container.cpu.time", description: "Processor time of a container or guest.", unit: "s" };
  used(cpu, "counter", ({ cpuNs }) => cpuNs / 1e9);
  const memory = { name: "container.memory.usage", description: "Memory of a container or guest.", unit: "By" };
  used(memory, "upDown", ({ memoryBytes }) => memoryBytes);
  const processes = {
    name: "shallop.container.processes",
    description: "Processes; a guest's thread is one.",
    unit: "{process}",
  };
  used(processes, "upDown", ({ processes: count }) => count);
}

/** Of the processes in which pods of one tenant are; those that wait for a tenant have an empty namespace. */
function addHostMetrics(metrics: Metrics, runtimes: readonly PodRuntime[]): void {
  const all = joined(async () => (await Promise.all(runtimes.map(async (one) => one.processes?.() ?? []))).flat());
  const observed = (
    name: string,
    [description, unit, kind]: readonly [description: string, unit: string, kind: "counter" | "upDown"],
    value: (counters: HostCounters) => number,
  ): void =>
    metrics.observe({ name: `shallop.host.${name}`, description, unit, kind }, async () =>
      byNamespace((await all()).map((one) => [one.namespace, value(one)])),
    );
  const threads = "Threads of pods in host processes, and those that wait for a pod.";
  observed("threads", [threads, "{thread}", "upDown"], (one) => one.threads);
  const instances = "Linear memories of guests' instances, those that wait for a request included.";
  observed("instances", [instances, "{instance}", "upDown"], (one) => one.instances);
  observed("active_requests", ["Requests under way in guests.", "{request}", "upDown"], (one) => one.requests);
  observed("memory.usage", ["Physical memory of host processes.", "By", "upDown"], (one) => one.memoryBytes);
  observed("cpu.time", ["Processor time of host processes.", "s", "counter"], (one) => one.cpuMs / 1000);
  const description = "Limits that guests have met, by their code.";
  const instrument = { name: "shallop.host.breaches", description, unit: "{breach}", kind: "counter" } as const;
  metrics.observe(instrument, async () =>
    (await all()).flatMap(({ namespace, breaches }) =>
      Object.entries(breaches).map(([code, value]) => ({
        labels: { "k8s.namespace.name": namespace, "error.type": code },
        value,
      })),
    ),
  );
}

/** Processes without a tenant are one series. */
function byNamespace(values: readonly (readonly [namespace: string, value: number])[]): NumberPoint[] {
  const sums = new Map<string, number>();
  for (const [namespace, value] of values) sums.set(namespace, (sums.get(namespace) ?? 0) + value);
  return [...sums].map(([namespace, value]) => ({ labels: { "k8s.namespace.name": namespace }, value }));
}

export interface MeasuredNode {
  readonly agent: NodeAgent;
  readonly runtimes: readonly PodRuntime[];
  readonly logs: LogStore;
  readonly telemetry: TelemetrySettings;
  readonly clock: Clock;
  readonly log: ProcessLog;
  /** Of the node. */
  readonly name: string;
}

/** Begins to measure a node, and to export that where it is asked for. */
export async function measured({ agent, runtimes, logs, telemetry, clock, log, name }: MeasuredNode): Promise<{
  readonly metrics: Metrics;
  readonly activate: AgentServerSettings["activate"];
  readonly exported: Exported;
}> {
  const metrics = nodeMetrics({ pods: agent.pods, runtimes });
  const activate = measuredActivation((request) => agent.activator.activate(request), metrics);
  const service = "shallop-node-agent";
  const exported = await startExport({ settings: telemetry, clock, log, service, instance: name, metrics });
  if (exported.log !== undefined) logs.exportTo(exportLogsTo(exported.log));
  return { metrics, activate, exported };
}

/** The same, with the time that activations take. */
function measuredActivation(
  activate: AgentServerSettings["activate"],
  metrics: Metrics,
): AgentServerSettings["activate"] {
  const durations = metrics.histogram(
    {
      name: "shallop.node.activation.duration",
      description: "From a gateway's call to a pod that answers; error.type: why there is none.",
      ...{ unit: "s", labels: ["error.type"] },
    },
    durationBounds,
  );
  return async (request) => {
    const startMs = performance.now();
    const over = (error: string): void => durations.of(error).record((performance.now() - startMs) / 1000);
    try {
      const activation = await activate(request);
      over("");
      return activation;
    } catch (error) {
      over(errorCode(error) ?? "UNKNOWN");
      throw error;
    }
  };
}
