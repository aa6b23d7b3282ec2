import {
  type ApiObject,
  apiVersionOf,
  type Condition,
  type Configuration,
  label,
  type Node,
  type Pod,
  type Resource,
  type Revision,
  type Route,
  type Service,
} from "@shallop/sdk/api";

/** Small makers of objects for the tables of plans: a row shows only what matters. */

export const wallMs = Date.UTC(2026, 0, 10);
export const hoursAgo = (hours: number): string => new Date(wallMs - hours * 3_600_000).toISOString();

type Meta = Partial<ApiObject["metadata"]>;

export const meta = (name: string, more: Meta = {}): ApiObject["metadata"] => ({
  name,
  namespace: "default",
  uid: `uid-of-${name}`,
  resourceVersion: "1",
  generation: 1,
  creationTimestamp: hoursAgo(1),
  ...more,
});

export const ownedBy = (resource: Resource<ApiObject>, name: string): Meta => ({
  ownerReferences: [
    {
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      name,
      uid: `uid-of-${name}`,
      controller: true,
      blockOwnerDeletion: true,
    },
  ],
});

export const ready = (status: Condition["status"], message?: string): readonly Condition[] => [
  { type: "Ready", status, ...(message === undefined ? {} : { reason: "Because", message }) },
];

const template = { spec: { containers: [{ image: "hello:1" }] } };

export const service = (more: Partial<Service> = {}): Service => ({
  apiVersion: "serving.knative.dev/v1",
  kind: "Service",
  metadata: meta("hello"),
  spec: { template, traffic: [{ latestRevision: true, percent: 100 }] },
  ...more,
});

export const configuration = (more: Partial<Configuration> = {}): Configuration => ({
  apiVersion: "serving.knative.dev/v1",
  kind: "Configuration",
  metadata: meta("hello"),
  spec: { template },
  ...more,
});

export const route = (more: Partial<Route> = {}): Route => ({
  apiVersion: "serving.knative.dev/v1",
  kind: "Route",
  metadata: meta("hello"),
  spec: { traffic: [{ configurationName: "hello", latestRevision: true, percent: 100 }] },
  ...more,
});

/** Revision `hello-0000N` of configuration `hello`. */
export function revision(generation: number, status: Revision["status"] = {}, more: Meta = {}): Revision {
  const name = `hello-${String(generation).padStart(5, "0")}`;
  const labels = {
    [label.configuration]: "hello",
    [label.configurationGeneration]: String(generation),
    ...more.labels,
  };
  return {
    apiVersion: "serving.knative.dev/v1",
    kind: "Revision",
    metadata: {
      ...meta(name),
      ownerReferences: [
        {
          apiVersion: "serving.knative.dev/v1",
          kind: "Configuration",
          name: "hello",
          uid: "uid-of-hello",
          controller: true,
        },
      ],
      ...more,
      labels,
    },
    spec: template.spec,
    status,
  };
}

export const pod = (name: string, more: Meta = {}, status: Partial<Pod["status"]> = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: meta(name, more),
  spec: { nodeName: "a", containers: [{ image: "hello:1" }] },
  status: { phase: "Running", ...status },
});

export const node = (heartbeat: string, status: Condition["status"] = "True"): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: meta("a"),
  status: { conditions: [{ type: "Ready", status, lastHeartbeatTime: heartbeat }] },
});
