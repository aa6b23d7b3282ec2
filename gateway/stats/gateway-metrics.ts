import type { Metrics, NumberPoint } from "@shallop/sdk/internal/telemetry";
import type { RevisionNow } from "./load.ts";

/** What a gateway knows of itself at any moment. */
export interface GatewayNow {
  /** Everything has been listed once. */
  readonly complete: boolean;
  readonly hosts: number;
  /** Of clients. */
  readonly connections: number;
  /** Held for components; those of native pods are requests under way. */
  readonly webSockets: number;
  /** Requests under way, and those of them that wait for a pod. */
  readonly open: number;
  readonly waiting: number;
  readonly revisions: readonly (RevisionNow & { readonly waiting: number; readonly pods: number })[];
}

/** Metrics that are read when somebody asks. */
export function observeGateway(metrics: Metrics, now: () => GatewayNow): void {
  const whole = (name: string, description: string, unit: string, value: (now: GatewayNow) => number): void =>
    metrics.observe({ name, description, unit, kind: "upDown" }, () => [{ labels: {}, value: value(now()) }]);
  const each = (
    name: string,
    description: string,
    unit: string,
    value: (revision: GatewayNow["revisions"][number]) => number,
  ): void =>
    metrics.observe({ name, description, unit, kind: "upDown" }, () =>
      now().revisions.map((revision): NumberPoint => {
        const labels = { "k8s.namespace.name": revision.namespace, "kn.revision.name": revision.revision };
        return { labels, value: value(revision) };
      }),
    );
  each(
    "http.server.active_requests",
    "In the gateway, waiting or being answered.",
    "{request}",
    (one) => one.concurrency,
  );
  each("shallop.gateway.requests.held", "Wait for a pod.", "{request}", (one) => one.waiting);
  each("shallop.gateway.pods.usable", "May be given requests.", "{pod}", (one) => one.pods);
  whole("shallop.gateway.connections", "Of clients, idle ones too.", "{connection}", (one) => one.connections);
  whole("shallop.gateway.hosts", "Names that are routed.", "{host}", (one) => one.hosts);
  whole("shallop.gateway.routes.complete", "1: everything has been listed once.", "{state}", (one) =>
    one.complete ? 1 : 0,
  );
}
