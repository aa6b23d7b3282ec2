import type { Event, Namespace, Node, Pod } from "./core.ts";
import type { ApiObject } from "./meta.ts";
import { servingGroup } from "./names.ts";
import type { Configuration, Revision, Route, Service } from "./serving.ts";

/** Names a kind of object on the wire, and its type in code. */
export interface Resource<T extends ApiObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: T["kind"];
  readonly namespaced: boolean;
}

const core = { group: "", version: "v1" } as const;
const serving = { group: servingGroup, version: "v1", namespaced: true } as const;

export const namespaces: Resource<Namespace> = { ...core, plural: "namespaces", kind: "Namespace", namespaced: false };
export const nodes: Resource<Node> = { ...core, plural: "nodes", kind: "Node", namespaced: false };
export const pods: Resource<Pod> = { ...core, plural: "pods", kind: "Pod", namespaced: true };
export const events: Resource<Event> = { ...core, plural: "events", kind: "Event", namespaced: true };
export const services: Resource<Service> = { ...serving, plural: "services", kind: "Service" };
export const configurations: Resource<Configuration> = { ...serving, plural: "configurations", kind: "Configuration" };
export const revisions: Resource<Revision> = { ...serving, plural: "revisions", kind: "Revision" };
export const routes: Resource<Route> = { ...serving, plural: "routes", kind: "Route" };

/** `apiVersion` as objects carry it: `v1`, `serving.knative.dev/v1`. */
export const apiVersionOf = (resource: Resource<ApiObject>): string =>
  resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
