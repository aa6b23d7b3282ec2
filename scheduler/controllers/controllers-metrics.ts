import { type Buckets, durationBounds, type Family, type Metrics } from "@shallop/sdk/internal/telemetry";
import type { Autoscaler } from "./autoscaler/autoscaler.ts";
import type { WorkQueue } from "./shared/work-queue.ts";

interface Observed {
  readonly autoscaler: Autoscaler;
  readonly queues: Readonly<Record<string, WorkQueue>>;
}

// Knative's names (docs, "Serving metrics"), and which inputs of a decision they are.
const ofInputs = [
  ["kn.revision.concurrency.stable", "Requests at once, averaged over the stable window.", "stableConcurrency"],
  ["kn.revision.concurrency.panic", "Requests at once, averaged over the panic window.", "panicConcurrency"],
  ["kn.revision.rps.stable", "Requests a second over the stable window.", "stableRequestsPerSecond"],
  ["kn.revision.rps.panic", "Requests a second over the panic window.", "panicRequestsPerSecond"],
  ["kn.revision.panic.mode", "1: the autoscaler acts on the panic window.", "panicking"],
] as const;

/** How long a look at one key takes, writes included; by queue, and by the code of what it failed of. */
export const reconcileDurations = (metrics: Metrics): Family<Buckets> =>
  metrics.histogram(
    {
      name: "kn.workqueue.process.duration",
      description: "Reconciles, until their writes are stored; error.type: why one failed.",
      ...{ unit: "s", labels: ["kn.workqueue.name", "error.type"] },
    },
    durationBounds,
  );

/** What the autoscaler last decided about each revision, and how much waits to be looked at. */
export function observeControllers(metrics: Metrics, { autoscaler, queues }: Observed): void {
  metrics.observe(
    { name: "kn.workqueue.depth", description: "Keys that wait to be looked at.", unit: "{item}", kind: "upDown" },
    () => Object.entries(queues).map(([name, { depth }]) => ({ labels: { "kn.workqueue.name": name }, value: depth })),
  );
  const gauge = (
    name: string,
    description: string,
    value: (now: ReturnType<Autoscaler["now"]>[number]) => number | undefined,
  ): void =>
    metrics.observe({ name, description, unit: "{item}", kind: "gauge" }, () =>
      autoscaler.now().flatMap((now) => {
        const labels = { "k8s.namespace.name": now.namespace, "kn.revision.name": now.revision };
        const number = value(now);
        return number === undefined ? [] : [{ labels, value: number }];
      }),
    );
  gauge("kn.revision.pods.desired", "Pods that the autoscaler wants.", ({ want }) => want);
  gauge("shallop.revision.pods.ready", "Pods that are ready.", ({ ready }) => ready);
  for (const [name, description, input] of ofInputs) {
    gauge(name, description, ({ inputs }) => {
      const value = inputs[input];
      return typeof value === "boolean" ? Number(value) : typeof value === "number" ? value : undefined;
    });
  }
}
