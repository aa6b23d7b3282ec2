import type { Clock } from "@shallop/sdk/internal";
import { type Buckets, durationBounds, type Family, type Metrics } from "@shallop/sdk/internal/telemetry";

type BindResult = "scheduled" | "unschedulable" | "error";

/** How long it takes to find nodes for pods, with kube-scheduler's names. */
export class BindTimes {
  readonly #clock: Clock;
  readonly #attempts: Family<Buckets>;
  readonly #waits: Buckets;

  constructor(metrics: Metrics, clock: Clock) {
    this.#clock = clock;
    this.#attempts = metrics.histogram(
      {
        name: "scheduler.scheduling_attempt.duration",
        description: "From the look at a pod, or at several of one revision, to its node's name in the store.",
        ...{ unit: "s", labels: ["result"] },
      },
      durationBounds,
    );
    this.#waits = metrics
      .histogram(
        {
          name: "scheduler.pod_scheduling_sli.duration",
          description: "From a pod's creation to its node's name in the store, for pods that were made without one.",
          ...{ unit: "s", labels: [] },
        },
        durationBounds,
      )
      .of();
  }

  /** Begins an attempt; how to end it. */
  attempt(): (result: BindResult) => void {
    const startMs = this.#clock.nowMs();
    return (result) => this.#attempts.of(result).record((this.#clock.nowMs() - startMs) / 1000);
  }

  /** A pod has a node. `created`: RFC 3339, of whole seconds. */
  bound(created: string | undefined): void {
    const createdMs = Date.parse(created ?? "");
    if (!Number.isNaN(createdMs)) this.#waits.record(Math.max(0, this.#clock.wallMs() - createdMs) / 1000);
  }
}
